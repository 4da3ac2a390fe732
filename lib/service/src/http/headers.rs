//! Headers of one's own, as Prometheus's `http_headers` has them: the tenant of a Mimir or Thanos, say.
//!
//! ```yaml
//! http_headers:
//!   X-Scope-OrgID: {values: [tokyo]}     # or secrets: […], or files: […]
//! ```

use std::path::Path;

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};

use crate::config::Place;

/// Headers that are the client's to set, or have fields of their own.
const RESERVED: [&str; 16] = [
    "accept-encoding",
    "authorization",
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "expect",
    "host",
    "keep-alive",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "user-agent",
];

/// The headers that `place` says; those that cannot be used are noted as failures.
pub(super) fn read(place: &Place<'_>, folder: &Path) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, place) in place.fields().all() {
        let Ok(name) = HeaderName::try_from(name) else {
            place.fail("is no header's name");
            continue;
        };
        if RESERVED.contains(&name.as_str()) {
            place.fail("is not a header that can be given here");
            continue;
        }
        let mut fields = place.fields();
        let [values, secrets, files] = ["values", "secrets", "files"].map(|field| fields.list(field));
        fields.end();
        if values.is_empty() && secrets.is_empty() && files.is_empty() {
            place.fail("needs one of values, secrets and files");
        }
        let given = values.iter().chain(&secrets).filter_map(|place| place.value(|text| value(text.as_bytes())));
        let from_files = files.iter().filter_map(|place| {
            place.value(|path| {
                let path = folder.join(path);
                let read = std::fs::read(&path).map_err(|error| format!("cannot read {}: {error}", path.display()))?;
                value(read.trim_ascii())
            })
        });
        for value in given.chain(from_files) {
            headers.append(name.clone(), value);
        }
    }
    headers
}

/// None is ever shown: a tenant's name may be all that it takes to get in.
fn value(bytes: &[u8]) -> Result<HeaderValue, String> {
    let mut value =
        HeaderValue::from_bytes(bytes).map_err(|_| "holds characters that no HTTP header can have".to_owned())?;
    value.set_sensitive(true);
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::parse;
    use crate::http::HttpConfig;

    fn headers(text: &str, folder: &Path) -> Result<HeaderMap, Vec<String>> {
        let read = |root: Place<'_>| {
            let mut fields = root.fields();
            let config = HttpConfig::read(&mut fields, folder);
            fields.end();
            config.headers()
        };
        parse(text, read).map_err(|error| error.failures().to_vec())
    }

    #[test]
    fn headers_come_from_values_secrets_and_files() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("tenant"), "osaka\n").unwrap();
        let text = "authorization: {credentials: x}\n\
                    http_headers: {X-Scope-OrgID: {values: [tokyo], files: [tenant]}, x-key: {secrets: [y]}}";
        let headers = headers(text, folder.path()).unwrap();
        assert_eq!(headers.get_all("x-scope-orgid").iter().collect::<Vec<_>>(), ["tokyo", "osaka"]);
        assert_eq!(
            (&headers["x-key"], &headers["authorization"]),
            (&"y".parse().unwrap(), &"Bearer x".parse().unwrap())
        );
        assert!(headers.values().all(HeaderValue::is_sensitive));
    }

    #[test]
    fn mistakes_are_told() {
        for (text, want) in [
            ("http_headers: {\"a b\": {values: [x]}}", "1: http_headers.a b: is no header's name"),
            ("http_headers: {Host: {values: [x]}}", "1: http_headers.Host: is not a header that can be given here"),
            ("http_headers: {a: {}}", "1: http_headers.a: needs one of values, secrets and files"),
            ("http_headers: {a: {secrets: [\"x\\n\"]}}", "1: http_headers.a.secrets[0]: holds characters that no"),
            ("http_headers: {a: {files: [gone]}}", "1: http_headers.a.files[0]: cannot read /nowhere/gone: "),
        ] {
            let told = headers(text, Path::new("/nowhere")).unwrap_err();
            assert!(told[0].starts_with(want), "{text}: {told:?}");
        }
    }
}
