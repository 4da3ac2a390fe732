//! Basic authentication, response headers and the rate limit, over a real web config file.

use std::path::Path;

use axum::http::{HeaderMap, HeaderName};

use crate::running::{Answer, Running, client, routes, server, start, until};

pub(crate) fn hash(password: &str) -> String {
    bcrypt::hash(password, 4).unwrap()
}

fn running(folder: &Path, text: &str) -> Running {
    let file = folder.join("web.yml");
    std::fs::write(&file, text).unwrap();
    start(server(&[&format!("--web.config.file={}", file.display())]).routes(routes()))
}

pub(crate) async fn get(running: &Running, path: &str, credentials: Option<(&str, &str)>) -> Answer {
    let request = client().get(running.url(path));
    let request = match credentials {
        Some((user, password)) => request.basic_auth(user, Some(password)),
        None => request,
    };
    Answer::read(request.send().await.unwrap()).await
}

#[tokio::test]
async fn everything_asks_for_a_user() {
    let folder = tempfile::tempdir().unwrap();
    let running = running(folder.path(), &format!("basic_auth_users:\n  prometheus: {}\n", hash("secret")));
    for path in ["/metrics", "/-/healthy", "/hello", "/nowhere"] {
        for credentials in [None, Some(("prometheus", "wrong")), Some(("nobody", "secret"))] {
            let refused = get(&running, path, credentials).await;
            assert_eq!((refused.status, refused.body.as_str()), (401, "Unauthorized\n"), "{path} {credentials:?}");
            assert_eq!(refused.header("www-authenticate"), "Basic");
        }
    }
    assert_eq!(get(&running, "/hello", Some(("prometheus", "secret"))).await.body, "hello");
    assert_eq!(get(&running, "/nowhere", Some(("prometheus", "secret"))).await.status, 404);
    running.stop().await;
}

#[tokio::test]
async fn configured_headers_are_on_every_response() {
    let folder = tempfile::tempdir().unwrap();
    let text = format!(
        "http_server_config:\n  http2: false\n  headers:\n    X-Frame-Options: deny\n    Content-Security-Policy: default-src 'self'\n    X-XSS-Protection: ''\nbasic_auth_users: {{a: {}}}\n",
        hash("b")
    );
    let running = running(folder.path(), &text);
    for credentials in [None, Some(("a", "b"))] {
        let answer = get(&running, "/hello", credentials).await;
        assert_eq!(answer.header("x-frame-options"), "deny");
        assert_eq!(answer.header("content-security-policy"), "default-src 'self'");
        assert!(!answer.headers.contains_key("x-xss-protection"), "a blank one is unset");
    }
    running.stop().await;
}

#[tokio::test]
async fn a_programs_headers_are_on_every_answer_and_those_configured_come_before_them() {
    let folder = tempfile::tempdir().unwrap();
    let text = format!(
        "http_server_config: {{headers: {{X-Frame-Options: sameorigin}}}}\nbasic_auth_users: {{a: {}}}\n",
        hash("b")
    );
    let file = folder.path().join("web.yml");
    std::fs::write(&file, text).unwrap();
    let own = [("x-frame-options", "deny"), ("x-content-type-options", "nosniff"), ("content-type", "x/y")];
    let own = own.map(|(name, value)| (name.parse::<HeaderName>().unwrap(), value.parse().unwrap()));
    let server = server(&[&format!("--web.config.file={}", file.display())]).routes(routes());
    let running = start(server.response_headers(HeaderMap::from_iter(own)));
    let right = Some(("a", "b"));
    for (path, credentials, status) in [
        ("/hello", right, 200),
        ("/hello", None, 401),
        ("/nowhere", right, 404),
        ("/panic", right, 500),
        ("/-/healthy", right, 200),
        ("/metrics", right, 200),
    ] {
        let answer = get(&running, path, credentials).await;
        assert_eq!(answer.status, status, "{path}");
        assert_eq!(
            (answer.header("x-frame-options"), answer.header("x-content-type-options")),
            ("sameorigin", "nosniff")
        );
    }
    let hello = get(&running, "/hello", right).await;
    assert_eq!(hello.header("content-type"), "text/plain; charset=utf-8", "what an answer has it keeps");
    running.stop().await;
}

#[tokio::test]
async fn a_changed_file_counts_at_once_and_a_broken_one_does_not() {
    const GAUGE: &str = "test_server_web_config_last_reload_successful";
    let folder = tempfile::tempdir().unwrap();
    let running = running(folder.path(), &format!("basic_auth_users: {{a: {}}}\n", hash("old")));
    let file = folder.path().join("web.yml");
    let sample = async |password| get(&running, "/metrics", Some(("a", password))).await.sample(GAUGE);
    assert_eq!(sample("old").await, Some(1.0));

    std::fs::write(&file, "basic_auth_user: {}\n").unwrap();
    until(async || sample("old").await == Some(0.0)).await;

    std::fs::write(&file, format!("basic_auth_users: {{a: {}}}\n", hash("new"))).unwrap();
    until(async || sample("new").await == Some(1.0)).await;
    assert_eq!(get(&running, "/hello", Some(("a", "old"))).await.status, 401);

    std::fs::write(&file, "").unwrap();
    until(async || sample("new").await == Some(0.0)).await;
    assert_eq!(get(&running, "/hello", None).await.status, 401, "an emptied file does not open the server");
    running.stop().await;
}

#[tokio::test]
async fn requests_over_the_rate_are_429() {
    let folder = tempfile::tempdir().unwrap();
    let running = running(folder.path(), "rate_limit: {interval: 1h, burst: 2}\n");
    let mut statuses = Vec::new();
    for path in ["/hello", "/nowhere", "/hello"] {
        statuses.push(running.get(path).await.status);
    }
    assert_eq!(statuses, [200, 404, 429]);
    running.stop().await;
}
