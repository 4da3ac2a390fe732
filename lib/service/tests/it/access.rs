//! Routes that are kept to some users and client certificates, open metrics, and the limit of requests.

use std::net::SocketAddr;
use std::path::Path;

use axum::Router;
use axum::extract::{ConnectInfo, Extension};
use axum::http::HeaderMap;
use axum::routing::get as route;
use reqwest::Client;
use service::{Allowed, User};
use tokio::io::AsyncWriteExt as _;

use crate::auth::{get, hash};
use crate::running::{Answer, PATIENT, Running, answer, rest, routes, server, start, try_server, until};
use crate::tls::{self, Authority};

const OPEN: &str = "--web.unauthenticated-metrics";

fn allowed(users: &[&str], client_names: &[&str]) -> Allowed {
    let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    Allowed { users: owned(users), client_names: owned(client_names) }
}

/// Who a handler is told that a request comes from, and whether it sees a password.
async fn who(user: Option<Extension<User>>, peer: ConnectInfo<SocketAddr>, headers: HeaderMap) -> String {
    let user = user.map_or("nobody".to_owned(), |Extension(User(name))| name);
    let secret = if headers.contains_key("authorization") { " with a password" } else { "" };
    format!("{user} at {}{secret}", peer.ip())
}

/// A server with a web config, whose `/secret` is kept to `allowed`.
fn running(folder: &Path, text: &str, flags: &[&str], allowed: Allowed) -> Running {
    tls::write(folder, "web.yml", text);
    let file = format!("--web.config.file={}", folder.join("web.yml").display());
    let server = server(&[&[file.as_str()], flags].concat()).routes(routes()).timeouts(PATIENT);
    let server = server.routes(Router::new().route("/who", route(who)));
    let secret = Router::new().route("/secret", route(async || "secret")).route("/secret/who", route(who));
    start(server.restricted_routes(secret, allowed).unwrap())
}

#[tokio::test]
async fn of_the_users_those_allowed_read_what_is_kept_to_them() {
    let folder = tempfile::tempdir().unwrap();
    let users = format!("basic_auth_users:\n  prometheus: {}\n  ops: {}\n", hash("p"), hash("o"));
    let running = running(folder.path(), &users, &[OPEN], allowed(&["ops"], &[]));
    let (nobody, wrong) = (None, Some(("ops", "p")));
    let (prometheus, ops) = (Some(("prometheus", "p")), Some(("ops", "o")));
    for (path, expected) in [
        ("/metrics", [200, 200, 200, 200]),
        ("/hello", [401, 401, 200, 200]),
        ("/-/ready", [401, 401, 200, 200]),
        ("/nowhere", [401, 401, 404, 404]),
        ("/secret", [401, 401, 403, 200]),
        ("/secret/", [401, 401, 404, 404]),
    ] {
        for (credentials, status) in [nobody, wrong, prometheus, ops].into_iter().zip(expected) {
            let answer = get(&running, path, credentials).await;
            assert_eq!(answer.status, status, "{path} {credentials:?}");
            assert_eq!(answer.header("www-authenticate"), if status == 401 { "Basic" } else { "" });
        }
    }
    running.stop().await;
}

#[tokio::test]
async fn without_the_flag_metrics_ask_for_a_user_too() {
    let folder = tempfile::tempdir().unwrap();
    let users = format!("basic_auth_users: {{a: {}}}\n", hash("b"));
    let running = running(folder.path(), &users, &[], allowed(&["a"], &[]));
    assert_eq!(running.get("/metrics").await.status, 401);
    running.stop().await;
}

/// What `client` is answered.
async fn status(running: &Running, client: &Client, path: &str) -> Option<u16> {
    let url = format!("https://{}{path}", running.address);
    Some(Answer::read(client.get(url).send().await.ok()?).await.status)
}

fn with_tls(folder: &Path, authority: &Authority, policy: &str) -> String {
    let (certificate, key) = authority.for_loopback();
    tls::write(folder, "server.crt", &certificate);
    tls::write(folder, "server.key", &key);
    tls::write(folder, "ca.crt", &authority.pem);
    let files = "  cert_file: server.crt\n  key_file: server.key\n  client_ca_file: ca.crt\n";
    format!("tls_server_config:\n{files}  client_auth_type: {policy}\n")
}

#[tokio::test]
async fn a_verified_certificate_with_an_allowed_name_needs_no_password() {
    let folder = tempfile::tempdir().unwrap();
    let (own, other) = (Authority::new(), Authority::new());
    let text = with_tls(folder.path(), &own, "VerifyClientCertIfGiven");
    let users = format!("basic_auth_users: {{ops: {}}}\n", hash("o"));
    let names = allowed(&["ops"], &["proxy.example.org"]);
    let running = running(folder.path(), &format!("{text}{users}"), &[OPEN], names);
    let identities = [
        None,
        Some(own.for_name("proxy.example.org")),
        Some(own.for_name("web-1")),
        Some(other.for_name("proxy.example.org")),
    ];
    let clients = identities.map(|identity| tls::client(&own, identity.as_ref()));
    for (path, expected) in [
        ("/metrics", [Some(200), Some(200), Some(200), None]),
        ("/secret", [Some(401), Some(200), Some(401), None]),
        ("/hello", [Some(401), Some(401), Some(401), None]),
    ] {
        for (at, client) in clients.iter().enumerate() {
            assert_eq!(status(&running, client, path).await, expected[at], "{path}, client {at}");
        }
    }
    let request = clients[0].get(format!("https://{}/secret", running.address)).basic_auth("ops", Some("o"));
    assert_eq!(request.send().await.unwrap().status(), 200);
    running.stop().await;
}

#[tokio::test]
async fn a_handler_is_told_who_was_let_in_and_from_where() {
    let folder = tempfile::tempdir().unwrap();
    let own = Authority::new();
    let tls = with_tls(folder.path(), &own, "VerifyClientCertIfGiven");
    let users = format!("basic_auth_users: {{ops: {}}}\n", hash("o"));
    let identity = own.for_name("proxy.example.org");
    let (without, with) = (tls::client(&own, None), tls::client(&own, Some(&identity)));
    let ask = async |client: &Client, running: &Running, path: &str, user: &str| {
        let request = client.get(format!("https://{}{path}", running.address));
        let request = if user.is_empty() { request } else { request.basic_auth(user, Some("o")) };
        Answer::read(request.send().await.unwrap()).await.body
    };

    let names = allowed(&["ops"], &["proxy.example.org"]);
    let asking = running(folder.path(), &format!("{tls}{users}"), &[], names);
    for (client, path, user, told) in [
        (&without, "/who", "ops", "ops at 127.0.0.1"),
        (&with, "/who", "ops", "ops at 127.0.0.1"),
        (&without, "/secret/who", "ops", "ops at 127.0.0.1"),
        (&with, "/secret/who", "", "proxy.example.org at 127.0.0.1"),
    ] {
        assert_eq!(ask(client, &asking, path, user).await, told, "{path} {user}");
    }
    asking.stop().await;

    let open = running(folder.path(), &tls, &[], Allowed::default());
    let common_name = "rcgen self signed cert at 127.0.0.1";
    assert_eq!(ask(&with, &open, "/who", "").await, common_name, "it comes before the alternative ones");
    let (nobody, password) = ("nobody at 127.0.0.1", "nobody at 127.0.0.1 with a password");
    assert_eq!(ask(&without, &open, "/who", "").await, nobody);
    assert_eq!(ask(&without, &open, "/who", "ops").await, password, "it is for nobody here, and proves nothing");
    open.stop().await;
}

#[tokio::test]
async fn names_alone_refuse_everybody_else_without_asking_for_a_password() {
    let folder = tempfile::tempdir().unwrap();
    let own = Authority::new();
    let text = with_tls(folder.path(), &own, "VerifyClientCertIfGiven");
    let running = running(folder.path(), &text, &[], allowed(&[], &["proxy"]));
    let proxy = own.for_name("proxy");
    let (nobody, proxy) = (tls::client(&own, None), tls::client(&own, Some(&proxy)));
    assert_eq!(status(&running, &nobody, "/secret").await, Some(403));
    assert_eq!(status(&running, &nobody, "/metrics").await, Some(200));
    assert_eq!(status(&running, &proxy, "/secret").await, Some(200));

    // Certificates that nobody verifies prove nothing any more: the routes close instead of opening to everybody.
    tls::write(folder.path(), "web.yml", &with_tls(folder.path(), &own, "RequestClientCert"));
    until(async || status(&running, &proxy, "/secret").await == Some(403)).await;
    running.stop().await;
}

#[test]
fn callers_that_the_web_config_cannot_tell_are_refused_at_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let own = Authority::new();
    let text = with_tls(folder.path(), &own, "RequestClientCert");
    tls::write(folder.path(), "web.yml", &format!("{text}basic_auth_users: {{ops: {}}}\n", hash("o")));
    let file = format!("--web.config.file={}", folder.path().join("web.yml").display());
    for (flags, failures) in [(&[][..], 2), (&[file.as_str()][..], 1)] {
        let server = try_server(flags).unwrap();
        let refused = server.restricted_routes(Router::new(), allowed(&["ops"], &["proxy"])).err().unwrap();
        assert_eq!(refused.failures().len(), failures, "{refused}");
        assert!(refused.to_string().contains("VerifyClientCertIfGiven"), "{refused}");
    }
}

#[tokio::test]
async fn requests_over_the_limit_are_503_and_counted_while_scrapes_and_health_go_on() {
    let running = start(server(&[]).routes(routes()).timeouts(PATIENT).max_requests(1));
    let mut busy = running.connect("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nha").await;
    until(async || running.get("/hello").await.status == 503).await;
    let refused = running.get("/hello").await;
    assert_eq!((refused.status, refused.header("retry-after")), (503, "1"));
    assert_eq!(running.get("/-/healthy").await.status, 200);
    let metrics = running.get("/metrics").await;
    assert!(metrics.sample("http_requests_rejected_total") >= Some(2.0), "{}", metrics.body);
    assert_eq!(metrics.sample("http_requests_limit"), Some(1.0));
    busy.write_all(b"lf").await.unwrap();
    answer(&mut busy, "half").await;
    assert_eq!(running.get("/hello").await.status, 200);
    running.stop().await;
}

#[tokio::test]
async fn an_answer_that_is_not_read_counts_until_it_is() {
    let running = start(server(&[]).routes(routes()).timeouts(PATIENT).max_requests(1));
    let mut slow = running.connect("GET /large HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await;
    until(async || running.get("/hello").await.status == 503).await;
    rest(&mut slow).await;
    until(async || running.get("/hello").await.status == 200).await;
    running.stop().await;
}

#[test]
#[should_panic(expected = "a server has one limit of requests")]
fn a_second_limit_of_requests_would_be_told_of_twice() {
    let mut server = server(&[]).max_requests(1);
    server.request_limit(2);
}

#[test]
fn a_server_knows_whether_everybody_gets_in() {
    let folder = tempfile::tempdir().unwrap();
    let own = Authority::new();
    let users = format!("basic_auth_users: {{ops: {}}}\n", hash("o"));
    for (text, is_open) in [
        (String::new(), true),
        (users, false),
        (with_tls(folder.path(), &own, "VerifyClientCertIfGiven"), true),
        (with_tls(folder.path(), &own, "RequireAndVerifyClientCert"), false),
    ] {
        tls::write(folder.path(), "web.yml", &text);
        let server = server(&[&format!("--web.config.file={}", folder.path().join("web.yml").display())]);
        assert_eq!(server.bind().unwrap().is_open(), is_open, "{text}");
    }
}
