//! TLS, client certificates, and certificates that change.

use std::path::Path;
use std::sync::Arc;

use http_body_util::BodyExt as _;
use rcgen::{CertificateParams, Issuer, KeyPair, SanType};
use reqwest::Client;
use service::Timeouts;
use service::http::{ClientOptions, Fleet, HttpConfig, fleet_client};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::running::{Answer, NEVER, PATIENT, Running, SHORT, rest, routes, server, start, until};

/// An authority and what it issues.
pub(crate) struct Authority {
    pub(crate) pem: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        Self { pem, issuer: Issuer::new(params, key) }
    }

    /// Certificate and key, as PEM.
    pub(crate) fn issue(&self, name: SanType) -> (String, String) {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.subject_alt_names = vec![name];
        let key = KeyPair::generate().unwrap();
        (params.signed_by(&key, &self.issuer).unwrap().pem(), key.serialize_pem())
    }

    pub(crate) fn for_loopback(&self) -> (String, String) {
        self.issue(SanType::IpAddress([127, 0, 0, 1].into()))
    }

    pub(crate) fn for_name(&self, name: &str) -> (String, String) {
        self.issue(SanType::DnsName(name.try_into().unwrap()))
    }
}

pub(crate) fn write(folder: &Path, name: &str, text: &str) {
    std::fs::write(folder.join(name), text).unwrap();
}

fn running(folder: &Path, authority: &Authority, more: &str, timeouts: Timeouts) -> Running {
    let (certificate, key) = authority.for_loopback();
    write(folder, "server.crt", &certificate);
    write(folder, "server.key", &key);
    write(folder, "web.yml", &format!("tls_server_config:\n  cert_file: server.crt\n  key_file: server.key\n{more}"));
    let flag = format!("--web.config.file={}", folder.join("web.yml").display());
    start(server(&[&flag]).routes(routes()).timeouts(timeouts))
}

pub(crate) fn client(trusted: &Authority, identity: Option<&(String, String)>) -> Client {
    let builder = Client::builder()
        .tls_backend_preconfigured(config(trusted, identity, &[&rustls::version::TLS13, &rustls::version::TLS12]))
        .pool_max_idle_per_host(0)
        .timeout(NEVER)
        .no_proxy();
    builder.build().unwrap()
}

fn config(
    trusted: &Authority,
    identity: Option<&(String, String)>,
    versions: &[&'static rustls::SupportedProtocolVersion],
) -> rustls::ClientConfig {
    use rustls::pki_types::pem::PemObject as _;
    use rustls::pki_types::{CertificateDer, PrivateKeyDer};
    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(trusted.pem.as_bytes()).unwrap()).unwrap();
    let builder = rustls::ClientConfig::builder_with_provider(service::tls_provider())
        .with_protocol_versions(versions)
        .unwrap()
        .with_root_certificates(roots);
    match identity {
        None => builder.with_no_client_auth(),
        Some((certificate, key)) => builder
            .with_client_auth_cert(
                vec![CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap()],
                PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap(),
            )
            .unwrap(),
    }
}

async fn hello(running: &Running, client: &Client) -> Option<String> {
    let url = format!("https://{}/hello", running.address);
    Some(Answer::read(client.get(url).send().await.ok()?).await.body)
}

async fn wait_for(running: &Running, client: &Client, series: &str, value: f64) {
    let url = format!("https://{}/metrics", running.address);
    until(async || match client.get(&url).send().await {
        Ok(response) => Answer::read(response).await.sample(series) == Some(value),
        Err(_) => false,
    })
    .await;
}

#[tokio::test]
async fn a_changed_certificate_is_served_and_a_broken_one_is_not() {
    const GAUGE: &str = "test_server_web_config_last_reload_successful";
    let folder = tempfile::tempdir().unwrap();
    let (old, new) = (Authority::new(), Authority::new());
    let running = running(folder.path(), &old, "", PATIENT);
    let (trusts_old, trusts_new) = (client(&old, None), client(&new, None));
    assert_eq!(hello(&running, &trusts_old).await.as_deref(), Some("hello"));
    assert_eq!(hello(&running, &trusts_new).await, None);

    let (certificate, key) = new.for_loopback();
    write(folder.path(), "server.crt", &certificate);
    wait_for(&running, &trusts_old, GAUGE, 0.0).await;
    write(folder.path(), "server.key", &key);
    wait_for(&running, &trusts_new, GAUGE, 1.0).await;
    assert_eq!(hello(&running, &trusts_old).await, None);

    write(folder.path(), "web.yml", "");
    wait_for(&running, &trusts_new, GAUGE, 0.0).await;
    assert_eq!(hello(&running, &trusts_new).await.as_deref(), Some("hello"), "TLS cannot be edited away");
    running.stop().await;
}

#[tokio::test]
async fn client_certificates_are_demanded_as_configured() {
    let (own, other) = (Authority::new(), Authority::new());
    let (known, unknown) = (own.for_name("prometheus.example.org"), other.for_name("prometheus.example.org"));
    let sans = "  client_allowed_sans: ['prometheus.example.org']\n";
    let with_ca = "  client_ca_file: ca.crt\n";
    // The policy, and whether no certificate, a foreign one, and a known one are let in.
    for (policy, more, expected) in [
        ("RequireAndVerifyClientCert", with_ca.to_owned(), [false, false, true]),
        ("VerifyClientCertIfGiven", with_ca.to_owned(), [true, false, true]),
        ("RequireAnyClientCert", String::new(), [false, true, true]),
        ("RequestClientCert", String::new(), [true, true, true]),
        ("RequireAndVerifyClientCert", format!("{with_ca}{sans}"), [false, false, true]),
        ("RequireAnyClientCert", sans.to_owned(), [false, true, true]),
        ("RequireAndVerifyClientCert", format!("{with_ca}{}", sans.replace("prometheus", "*")), [false, false, false]),
    ] {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), "ca.crt", &own.pem);
        let running = running(folder.path(), &own, &format!("  client_auth_type: {policy}\n{more}"), PATIENT);
        let mut let_in = [false; 3];
        for (at, identity) in [None, Some(&unknown), Some(&known)].into_iter().enumerate() {
            let_in[at] = hello(&running, &client(&own, identity)).await.is_some();
        }
        assert_eq!(let_in, expected, "{policy} {more}");
        running.stop().await;
    }
}

#[tokio::test]
async fn an_address_in_a_client_certificate_is_matched_exactly() {
    let own = Authority::new();
    let identity = own.issue(SanType::IpAddress([10, 0, 0, 1].into()));
    for (allowed, expected) in [("10.0.0.1", true), ("10.0.0.2", false)] {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), "ca.crt", &own.pem);
        let more = format!(
            "  client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: ca.crt\n  client_allowed_sans: [{allowed}]\n"
        );
        let running = running(folder.path(), &own, &more, PATIENT);
        assert_eq!(hello(&running, &client(&own, Some(&identity))).await.is_some(), expected, "{allowed}");
        running.stop().await;
    }
}

#[tokio::test]
async fn the_lowest_version_is_kept_to() {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new();
    let running = running(folder.path(), &authority, "  min_version: TLS13\n", PATIENT);
    let old = Client::builder().tls_backend_preconfigured(config(&authority, None, &[&rustls::version::TLS12]));
    assert_eq!(hello(&running, &old.no_proxy().build().unwrap()).await, None);
    let current = client(&authority, None);
    assert_eq!(hello(&running, &current).await.as_deref(), Some("hello"));
    wait_for(&running, &current, "http_connections_cut_total{reason=\"tls_failed\"}", 1.0).await;
    running.stop().await;
}

#[tokio::test]
async fn inline_certificates_work_as_files_do() {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new();
    let (certificate, key) = authority.for_loopback();
    let indented = |pem: &str| pem.lines().map(|line| format!("    {line}\n")).collect::<String>();
    let text = format!("tls_server_config:\n  cert: |\n{}  key: |\n{}", indented(&certificate), indented(&key));
    write(folder.path(), "web.yml", &text);
    let flag = format!("--web.config.file={}", folder.path().join("web.yml").display());
    let running = start(server(&[&flag]).routes(routes()));
    assert_eq!(hello(&running, &client(&authority, None)).await.as_deref(), Some("hello"));
    running.stop().await;
}

#[tokio::test]
async fn a_handshake_that_stalls_is_cut() {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new();
    let running = running(folder.path(), &authority, "", Timeouts { tls_handshake: SHORT * 5, ..PATIENT });
    let mut silent = running.connect("").await;
    assert_eq!(rest(&mut silent).await, "");
    let series = "http_connections_cut_total{reason=\"tls_timeout\"}";
    wait_for(&running, &client(&authority, None), series, 1.0).await;
    running.stop().await;
}

/// A TLS connection that has sent a request for `path`.
async fn ask(running: &Running, authority: &Authority, path: &str) -> tokio_rustls::client::TlsStream<TcpStream> {
    let config = config(authority, None, &[&rustls::version::TLS13]);
    let connector = tokio_rustls::TlsConnector::from(Arc::new(config));
    let socket = running.connect("").await;
    let mut stream = connector.connect("127.0.0.1".try_into().unwrap(), socket).await.unwrap();
    stream.write_all(format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n").as_bytes()).await.unwrap();
    stream
}

#[tokio::test]
async fn a_kept_tls_connection_is_closed_when_idle() {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new();
    let running = running(folder.path(), &authority, "", Timeouts { idle: SHORT, ..PATIENT });
    let mut stream = ask(&running, &authority, "/hello").await;
    let mut got = Vec::new();
    let ended = tokio::time::timeout(NEVER, stream.read_to_end(&mut got)).await;
    assert!(ended.is_ok() && String::from_utf8_lossy(&got).ends_with("hello"));
    let series = "http_connections_cut_total{reason=\"idle_timeout\"}";
    wait_for(&running, &client(&authority, None), series, 1.0).await;
    running.stop().await;
}

#[tokio::test]
async fn a_tls_client_that_does_not_read_is_cut() {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new();
    let running = running(folder.path(), &authority, "", Timeouts { write: SHORT, ..PATIENT });
    let stream = ask(&running, &authority, "/large").await;
    let series = "http_connections_cut_total{reason=\"write_timeout\"}";
    wait_for(&running, &client(&authority, None), series, 1.0).await;
    drop(stream);
    running.stop().await;
}

#[tokio::test]
async fn a_silent_tls_connection_does_not_hold_up_the_stop() {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new();
    let running = running(folder.path(), &authority, "", PATIENT);
    let mut silent = running.connect("").await;
    wait_for(&running, &client(&authority, None), "http_connections", 2.0).await;
    running.stop.cancel();
    assert_eq!(rest(&mut silent).await, "");
    running.ended().await;
}

/// The settings of a client of a program whose configuration says `text`.
fn configured(text: &str, folder: &Path) -> ClientOptions {
    let read = |root: service::config::Place<'_>| HttpConfig::read(&mut root.fields(), folder);
    let http = service::config::parse(text, read).unwrap();
    ClientOptions { http, ..ClientOptions::new(crate::running::INFO) }
}

/// What either client of such a program is told.
async fn told(running: &Running, text: &str, folder: &Path) -> Option<String> {
    let options = configured(text, folder);
    let url = format!("https://{}/hello", running.address).parse().unwrap();
    let fleet = match Fleet::new(&options).unwrap().get(&url, &[running.address]).await {
        Ok(answer) => String::from_utf8(answer.into_body().collect().await.unwrap().to_bytes().to_vec()).ok(),
        Err(_) => None,
    };
    assert_eq!(hello(running, &fleet_client(&options).unwrap()).await, fleet, "{text}");
    fleet
}

#[tokio::test]
async fn a_client_trusts_whom_its_configuration_names() {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new();
    let running = running(folder.path(), &authority, "", PATIENT);
    write(folder.path(), "ca.crt", &authority.pem);
    for (text, answer) in [
        ("", None),
        ("tls_config: {}", None),
        ("tls_config: {ca_file: ca.crt}", Some("hello")),
        ("tls_config: {ca_file: ca.crt, server_name: 127.0.0.1}", Some("hello")),
        ("tls_config: {ca_file: ca.crt, server_name: node}", None),
        ("tls_config: {insecure_skip_verify: true}", Some("hello")),
    ] {
        assert_eq!(told(&running, text, folder.path()).await.as_deref(), answer, "{text}");
    }
    let fleet = Fleet::new(&configured("tls_config: {ca_file: ca.crt}", folder.path())).unwrap();
    let elsewhere = format!("https://node.test:{}/hello", running.address.port()).parse().unwrap();
    let refused = fleet.get(&elsewhere, &[running.address]).await.unwrap_err().to_string();
    assert!(refused.contains("not valid for name"), "the address has another name's certificate: {refused}");
    let inline = format!("tls_config:\n  ca: |\n    {}\n", authority.pem.trim().replace('\n', "\n    "));
    assert_eq!(told(&running, &inline, folder.path()).await.as_deref(), Some("hello"));
    running.stop().await;
}

#[tokio::test]
async fn a_client_shows_its_certificate() {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new();
    write(folder.path(), "ca.crt", &authority.pem);
    let asked = "  client_ca_file: ca.crt\n  client_auth_type: RequireAndVerifyClientCert\n";
    let running = running(folder.path(), &authority, asked, PATIENT);
    let (certificate, key) = authority.for_name("proxy");
    write(folder.path(), "proxy.crt", &certificate);
    write(folder.path(), "proxy.key", &key);
    for (more, answer) in [(", cert_file: proxy.crt, key_file: proxy.key", Some("hello")), ("", None)] {
        let text = format!("tls_config: {{ca_file: ca.crt{more}}}");
        assert_eq!(told(&running, &text, folder.path()).await.as_deref(), answer, "{more}");
    }
    running.stop().await;
}

#[tokio::test]
async fn a_client_shows_the_certificate_that_its_files_have_become() {
    let folder = tempfile::tempdir().unwrap();
    let (own, other) = (Authority::new(), Authority::new());
    write(folder.path(), "ca.crt", &own.pem);
    let asked = "  client_ca_file: ca.crt\n  client_auth_type: RequireAndVerifyClientCert\n";
    let running = running(folder.path(), &own, asked, PATIENT);
    // As kubelet mounts a Secret: names are links into a folder, which is swapped in one step.
    let swap = |identity: &(String, String), version: &str| {
        let data = folder.path().join(version);
        std::fs::create_dir(&data).unwrap();
        write(&data, "proxy.crt", &identity.0);
        write(&data, "proxy.key", &identity.1);
        std::os::unix::fs::symlink(&data, folder.path().join("next")).unwrap();
        std::fs::rename(folder.path().join("next"), folder.path().join("data")).unwrap();
    };
    swap(&other.for_name("proxy"), "1");
    let text = "tls_config: {ca_file: ca.crt, cert_file: data/proxy.crt, key_file: data/proxy.key}";
    let options = configured(text, folder.path());
    let (fleet, client) = (Fleet::new(&options).unwrap(), fleet_client(&options).unwrap());
    let url = format!("https://{}/hello", running.address).parse().unwrap();
    let let_in = async || (fleet.get(&url, &[running.address]).await.is_ok(), hello(&running, &client).await.is_some());
    assert_eq!(let_in().await, (false, false), "another authority's");

    swap(&own.for_name("proxy"), "2");
    until(async || let_in().await == (true, true)).await;
    running.stop().await;
}
