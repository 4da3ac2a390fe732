//! The file as it is written. Texts whose content is checked later keep their place.

use crate::config::{Fields, Located, Place};

/// A text and its line.
pub(super) type Text = Located<String>;

/// Texts by names of the operator's choice.
pub(super) type Texts = Vec<(String, Text)>;

#[derive(Debug, Default)]
pub(super) struct Raw {
    pub(super) tls: Option<Located<RawTls>>,
    pub(super) headers: Texts,
    pub(super) rate_limit: RawRateLimit,
    pub(super) users: Texts,
}

#[derive(Debug, Default)]
pub(super) struct RawTls {
    pub(super) cert: Option<Text>,
    pub(super) key: Option<Text>,
    pub(super) client_ca: Option<Text>,
    pub(super) cert_file: Option<Text>,
    pub(super) key_file: Option<Text>,
    pub(super) client_ca_file: Option<Text>,
    pub(super) client_auth_type: Option<Text>,
    pub(super) client_allowed_sans: Vec<Text>,
    pub(super) min_version: Option<Text>,
    pub(super) max_version: Option<Text>,
    pub(super) cipher_suites: Vec<Text>,
    pub(super) curve_preferences: Vec<Text>,
    pub(super) prefer_server_cipher_suites: Option<bool>,
}

#[derive(Debug, Default)]
pub(super) struct RawRateLimit {
    pub(super) interval: Option<Text>,
    pub(super) burst: Option<Text>,
}

/// Reads the whole file.
pub(super) fn read(root: &Place<'_>) -> Raw {
    let mut fields = root.fields();
    let raw = Raw {
        tls: fields.place("tls_server_config").map(|place| Located { line: place.line(), value: tls(place.fields()) }),
        headers: headers(fields.section("http_server_config")),
        rate_limit: rate_limit(fields.section("rate_limit")),
        users: texts(fields.section("basic_auth_users")),
    };
    fields.end();
    raw
}

fn tls(mut fields: Fields<'_>) -> RawTls {
    let raw = RawTls {
        cert: text(&mut fields, "cert"),
        key: text(&mut fields, "key"),
        client_ca: text(&mut fields, "client_ca"),
        cert_file: text(&mut fields, "cert_file"),
        key_file: text(&mut fields, "key_file"),
        client_ca_file: text(&mut fields, "client_ca_file"),
        client_auth_type: text(&mut fields, "client_auth_type"),
        client_allowed_sans: list(&mut fields, "client_allowed_sans"),
        min_version: text(&mut fields, "min_version"),
        max_version: text(&mut fields, "max_version"),
        cipher_suites: list(&mut fields, "cipher_suites"),
        curve_preferences: list(&mut fields, "curve_preferences"),
        prefer_server_cipher_suites: fields.boolean("prefer_server_cipher_suites"),
    };
    fields.end();
    raw
}

fn headers(mut fields: Fields<'_>) -> Texts {
    // Accepted and without effect: this server speaks HTTP/1.1.
    let _ = fields.boolean("http2");
    let headers = texts(fields.section("headers"));
    fields.end();
    headers
}

fn rate_limit(mut fields: Fields<'_>) -> RawRateLimit {
    let raw = RawRateLimit { interval: text(&mut fields, "interval"), burst: text(&mut fields, "burst") };
    fields.end();
    raw
}

/// A text that is set; an empty one is not, as in Go.
fn text(fields: &mut Fields<'_>, name: &'static str) -> Option<Text> {
    fields.place(name)?.located().filter(|text| !text.value.is_empty())
}

fn list(fields: &mut Fields<'_>, name: &'static str) -> Vec<Text> {
    fields.list(name).iter().filter_map(Place::located).collect()
}

fn texts(fields: Fields<'_>) -> Texts {
    fields.all().filter_map(|(name, place)| Some((name.to_owned(), place.located()?))).collect()
}
