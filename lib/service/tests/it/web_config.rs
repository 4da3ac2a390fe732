//! Web config files that cannot be used: what an operator reads.

use std::path::Path;

use crate::running::try_server;

/// The failures of a file, its folder left out.
fn failures(text: &str) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("web.yml"), text).unwrap();
    std::fs::write(folder.path().join("empty.pem"), "").unwrap();
    for (name, san) in [("a", "a.example.org"), ("b", "b.example.org")] {
        let made = rcgen::generate_simple_self_signed([san.to_owned()]).unwrap();
        std::fs::write(folder.path().join(format!("{name}.crt")), made.cert.pem()).unwrap();
        std::fs::write(folder.path().join(format!("{name}.key")), made.signing_key.serialize_pem()).unwrap();
    }
    load(&folder.path().join("web.yml"), folder.path())
}

fn load(file: &Path, folder: &Path) -> Vec<String> {
    let Err(error) = try_server(&[&format!("--web.config.file={}", file.display())]) else { return Vec::new() };
    let folder = format!("{}/", folder.display());
    error.failures().iter().map(|failure| failure.replace(&folder, "")).collect()
}

fn check(cases: &[(&str, &[&str])]) {
    for (text, expected) in cases {
        assert_eq!(failures(text), *expected, "{text}");
    }
}

#[test]
fn mistakes_in_headers_and_users_name_file_line_and_field() {
    check(&[
        (
            "http_server_config:\n  headers:\n    X-Frame-Options: allow\n",
            &["web.yml:3: http_server_config.headers.X-Frame-Options: `allow` is not one of: deny, sameorigin"],
        ),
        (
            "http_server_config:\n  headers:\n    Server: me\n",
            &["web.yml:3: http_server_config.headers.Server: this header cannot be configured; these can: \
               Content-Security-Policy, Strict-Transport-Security, X-Content-Type-Options, X-Frame-Options, \
               X-XSS-Protection"],
        ),
        (
            "basic_auth_users:\n  a: plain\n  b: $2y$31$QOauhQNbBCuQDKes6eFzPeMqBSjb7Mr5DUmpZ/VcEd00UAV/LDeSi\n",
            &[
                "web.yml:2: basic_auth_users.a: not a bcrypt hash; make one with `htpasswd -nBC 10 \"\" | tr -d ':\\n'`",
                "web.yml:3: basic_auth_users.b: a bcrypt cost of 31 is above 18",
            ],
        ),
        (
            "rate_limit:\n  interval: 1s\n",
            &["web.yml:2: rate_limit.burst: an interval needs a burst, a whole number from 1 up"],
        ),
        ("rate_limit:\n  interval: 100000h\n  burst: 5\n", &["web.yml:2: rate_limit.interval: is longer than a day"]),
        (
            "rate_limit:\n  interval: often\n  burst: 5\n",
            &["web.yml:2: rate_limit.interval: not a duration; write it like `10s`, `1m30s`, `500ms` or `2d`"],
        ),
    ]);
}

#[test]
fn certificates_that_cannot_be_used_name_file_line_and_field() {
    check(&[
        (
            "tls_server_config:\n  cert_file: a.crt\n  key_file: b.key\n",
            &["web.yml:2: tls_server_config: the key does not belong to the certificate"],
        ),
        ("tls_server_config:\n  cert_file: a.crt\n", &["web.yml:2: tls_server_config: needs one of key and key_file"]),
        (
            "tls_server_config:\n  min_version: TLS13\n",
            &[
                "web.yml:2: tls_server_config: needs one of cert and cert_file",
                "web.yml:2: tls_server_config: needs one of key and key_file",
            ],
        ),
        (
            "tls_server_config:\n  cert_file: none.crt\n  key_file: a.key\n",
            &["web.yml:2: tls_server_config.cert_file: cannot read none.crt: No such file or directory (os error 2)"],
        ),
        (
            "tls_server_config:\n  cert_file: empty.pem\n  key_file: empty.pem\n",
            &[
                "web.yml:2: tls_server_config.cert_file: holds no PEM certificate",
                "web.yml:3: tls_server_config.key_file: holds no PEM private key",
            ],
        ),
        (
            "tls_server_config:\n  cert_file: a.crt\n  key_file: a.key\n  cert: x\n",
            &["web.yml:2: tls_server_config.cert_file: cannot be given together with cert"],
        ),
    ]);
}

#[test]
fn client_certificate_settings_that_do_not_fit_name_file_line_and_field() {
    const IDENTITY: &str = "tls_server_config:\n  cert_file: a.crt\n  key_file: a.key\n";
    for (more, expected) in [
        (
            "  client_auth_type: RequireAndVerify\n",
            "web.yml:4: tls_server_config.client_auth_type: `RequireAndVerify` is not one of: NoClientCert, \
             RequestClientCert, RequireAnyClientCert, VerifyClientCertIfGiven, RequireAndVerifyClientCert",
        ),
        (
            "  client_auth_type: RequireAndVerifyClientCert\n",
            "web.yml:2: tls_server_config: this client_auth_type needs client_ca or client_ca_file",
        ),
        (
            "  client_ca_file: b.crt\n",
            "web.yml:4: tls_server_config.client_ca_file: client authorities need a client_auth_type that uses them, \
             such as RequireAndVerifyClientCert",
        ),
        (
            "  client_allowed_sans: [a]\n",
            "web.yml:4: tls_server_config.client_allowed_sans: needs a client_auth_type of RequireAnyClientCert or \
             RequireAndVerifyClientCert",
        ),
        (
            "  client_auth_type: RequireAnyClientCert\n  client_allowed_sans: [me@example.org]\n",
            "web.yml:5: tls_server_config.client_allowed_sans: `me@example.org`: e-mail addresses are not supported; DNS \
             names, IP addresses and URIs are",
        ),
    ] {
        assert_eq!(failures(&format!("{IDENTITY}{more}")), [expected]);
    }
}

#[test]
fn versions_suites_and_curves_that_there_are_not_name_what_there_is() {
    check(&[
        (
            "tls_server_config:\n  cert_file: a.crt\n  key_file: a.key\n  min_version: TLS10\n  max_version: TLS14\n  \
             cipher_suites: [TLS_RSA_WITH_RC4_128_SHA]\n  curve_preferences: [CurveP521]\n",
            &[
                "web.yml:4: tls_server_config.min_version: `TLS10` is not supported; TLS12 and TLS13 are",
                "web.yml:5: tls_server_config.max_version: `TLS14` is not supported; TLS12 and TLS13 are",
                "web.yml:6: tls_server_config.cipher_suites: `TLS_RSA_WITH_RC4_128_SHA` is not supported; these are: \
                 TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, \
                 TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384, \
                 TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256",
                "web.yml:7: tls_server_config.curve_preferences: `CurveP521` is not supported; these are: X25519, \
                 CurveP256, CurveP384",
            ],
        ),
        (
            "tls_server_config:\n  cert_file: a.crt\n  key_file: a.key\n  min_version: TLS13\n  max_version: TLS12\n",
            &["web.yml:4: tls_server_config.min_version: is above max_version"],
        ),
    ]);
}

#[test]
fn mistakes_of_every_kind_are_told_together_in_the_order_of_their_lines() {
    let text = "tls_server_config:\n  certfile: a.crt\n  key_file: [a.key]\nhttp_server_config:\n  http2: maybe\n  \
                headers: {Server: x}\nbasic_auth_users: [a]\nrate_limit: {interval: 1s, burst: some}\nusers: {}\n";
    let found = failures(text);
    let places: Vec<_> =
        found.iter().map(|failure| failure.splitn(3, ": ").take(2).collect::<Vec<_>>().join(" ")).collect();
    assert_eq!(
        places,
        [
            "web.yml:2 tls_server_config.certfile",
            "web.yml:3 tls_server_config.key_file",
            "web.yml:5 http_server_config.http2",
            "web.yml:6 http_server_config.headers.Server",
            "web.yml:7 basic_auth_users",
            "web.yml:8 rate_limit.burst",
            "web.yml:9 users",
        ],
        "{found:#?}"
    );
    assert!(
        found[0].ends_with(
            "unknown field; known here: cert, key, client_ca, cert_file, key_file, client_ca_file, \
                                client_auth_type, client_allowed_sans, min_version, max_version, cipher_suites, \
                                curve_preferences, prefer_server_cipher_suites"
        ),
        "{found:#?}"
    );
}

#[test]
fn mistakes_in_different_sections_are_told_together() {
    let text = "tls_server_config: {cert_file: none.crt, key_file: a.key}\nhttp_server_config: {headers: {Server: x}}\n\
                basic_auth_users: {a: plain}\nrate_limit: {interval: 1s}\n";
    let lines: Vec<_> = failures(text).iter().map(|failure| failure.split(": ").next().unwrap().to_owned()).collect();
    assert_eq!(lines, ["web.yml:1", "web.yml:2", "web.yml:3", "web.yml:4"]);
}

#[test]
fn unknown_and_repeated_fields_and_broken_yaml_are_refused() {
    for (text, place, says) in [
        ("tls_server_configs: {}\n", "web.yml:1: ", "tls_server_configs"),
        ("\ntls_server_config:\n  certfile: a.crt\n", "web.yml:3: ", "certfile"),
        (
            "http_server_config:\n  http2: maybe\n",
            "web.yml:2: ",
            "http_server_config.http2: `maybe` is neither `true` nor `false`",
        ),
        ("basic_auth_users: {}\nbasic_auth_users: {}\n", "web.yml:2: ", "basic_auth_users"),
        ("basic_auth_users: {\n", "web.yml:", ""),
    ] {
        let found = failures(text);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].starts_with(place) && found[0].contains(says), "{text}: {found:?}");
    }
}

#[test]
fn a_failure_never_shows_a_secret() {
    for text in ["basic_auth_users:\n  a: hunter2\n", "tls_server_config:\n  key: hunter2\n  unknown: 1\n"] {
        let found = failures(text);
        assert!(!found.is_empty() && !found.concat().contains("hunter2"), "{found:?}");
    }
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let found = load(&folder.path().join("web.yml"), folder.path());
    assert_eq!(found, ["web.yml: cannot be read: No such file or directory (os error 2)"]);
}

#[test]
fn an_empty_file_and_empty_sections_mean_plain_http() {
    for text in [
        "",
        "# nothing yet\n",
        "tls_server_config: {}\n",
        "tls_server_config:\nbasic_auth_users:\n",
        "rate_limit: {interval: 0, burst: 0}\n",
    ] {
        assert_eq!(failures(text), Vec::<String>::new(), "{text:?}");
    }
}

#[test]
fn everything_that_exporter_toolkit_and_rustls_share_is_accepted() {
    let text = "tls_server_config:\n  cert_file: a.crt\n  key_file: a.key\n  client_auth_type: RequireAndVerifyClientCert\n  \
                client_ca_file: b.crt\n  client_allowed_sans: [prometheus.example.org, 10.0.0.1, 'spiffe://x/y']\n  \
                min_version: TLS12\n  max_version: TLS13\n  prefer_server_cipher_suites: false\n  \
                cipher_suites: [TLS_AES_128_GCM_SHA256, TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256]\n  \
                curve_preferences: [CurveP256, X25519]\n\
                http_server_config: {http2: true, headers: {Strict-Transport-Security: max-age=31536000}}\n";
    assert_eq!(failures(text), Vec::<String>::new());
}
