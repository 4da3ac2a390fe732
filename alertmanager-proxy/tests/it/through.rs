//! Everything else is Alertmanager's.

use bytes::Bytes;
use futures_util::stream;
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use crate::alertmanager::Alertmanager;
use crate::world::{PATIENCE, Proxy, closed_port, config, read};

#[tokio::test]
async fn requests_and_answers_pass_through_unchanged() {
    let alertmanager = Alertmanager::start().await;
    let proxy = Proxy::start(&config(&[alertmanager.address], ""));
    let request = proxy.client.delete(proxy.url("/api/v2/silence/x%2Fy?a=b%20c&d"));
    let request = request.header("x-mine", "1").header("connection", "x-drop").header("x-drop", "1");
    // A name that is none saves no other.
    let request = request.header("connection", "x-drop-too, \u{e9}").header("x-drop-too", "1");
    let request = request.header("proxy-connection", "keep-alive");
    let response = request.body("body").send().await.unwrap();
    assert_eq!(response.headers()["x-own"], "yes");
    assert!(!response.headers().contains_key("x-hop"), "{:?}", response.headers());
    let (status, text) = read(response).await;
    assert_eq!(status, 418);
    let said: Value = serde_json::from_str(&text).unwrap();
    assert_eq!((&said["method"], &said["uri"]), (&"DELETE".into(), &"/api/v2/silence/x%2Fy?a=b%20c&d".into()));
    assert_eq!(said["body"], "body");
    let headers: Vec<_> = said["headers"].as_array().unwrap().iter().map(|header| header.as_str().unwrap()).collect();
    assert!(headers.contains(&"x-mine: 1") && headers.contains(&"content-length: 4"), "{headers:?}");
    assert!(headers.contains(&&*format!("host: {}", alertmanager.address)), "{headers:?}");
    let is_between = |header: &&&str| header.starts_with("x-drop") || header.starts_with("proxy-");
    assert_eq!(headers.iter().find(is_between), None, "{headers:?}");
}

#[tokio::test]
async fn no_path_leaves_the_prefix_of_an_alertmanager() {
    let alertmanager = Alertmanager::start().await;
    let config = format!(
        "alertmanagers: [{{url: 'http://{}/am/', basic_auth: {{username: me, password: secret}}}}]\n",
        alertmanager.address
    );
    let proxy = Proxy::start(&config);
    let (status, text) = proxy.get("/a..b/.c/%2f").await;
    assert!(status == 418 && text.contains("/am/a..b/.c/%2f"), "{text}");
    for (asked, status) in [
        ("GET /../secret", 400),
        ("GET /alertmanager/../../secret", 400),
        ("GET /x/%2e%2E/%2e%2e/secret", 400),
        ("GET /..%2fsecret", 400),
        ("GET /..%5csecret", 400),
        ("GET /%252e%252e/secret", 400),
        ("GET /..;x/secret", 400),
        ("GET /.%09./secret", 400),
        ("OPTIONS *", 400),
        ("TRACE /", 405),
        ("CONNECT secret:80", 405),
    ] {
        // As it is written: a URL's own parser would take the segments away.
        let mut stream = TcpStream::connect(proxy.address).await.unwrap();
        let request = format!("{asked} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{asked}: {answer}");
    }
}

#[tokio::test]
async fn the_next_alertmanager_answers_for_one_that_is_down() {
    let (down, up) = (closed_port().await, Alertmanager::start().await);
    let proxy = Proxy::start(&config(&[down, up.address], ""));
    assert_eq!(proxy.get("/").await.0, 418);
    let silence = proxy.client.post(proxy.url("/api/v2/silences")).body("{}").send().await.unwrap();
    assert_eq!(silence.status(), 418, "no connection came about, so a post can go to the next one");
    let alone = Proxy::start(&config(&[down], ""));
    let (status, text) = alone.get("/api/v2/receivers").await;
    assert_eq!(status, 502);
    assert!(text.contains("no Alertmanager could be reached") && text.contains("Connection refused"), "{text}");
}

#[tokio::test]
async fn the_next_alertmanager_answers_for_one_that_hangs() {
    let (silent, up) = (TcpListener::bind("127.0.0.1:0").await.unwrap(), Alertmanager::start().await);
    let proxy = Proxy::start(&config(&[silent.local_addr().unwrap(), up.address], ""));
    let (status, text) = timeout(PATIENCE, proxy.get("/api/v2/receivers")).await.unwrap();
    assert!(status == 418 && text.contains("/api/v2/receivers"), "{text}");
}

#[tokio::test]
async fn an_alertmanager_that_hangs_keeps_no_unreadable_batch_waiting() {
    let (silent, up) = (TcpListener::bind("127.0.0.1:0").await.unwrap(), Alertmanager::start().await);
    let forward = "forward: {timeout: 300ms}";
    let proxy = Proxy::start(&config(&[silent.local_addr().unwrap(), up.address], forward));
    let request = proxy.client.post(proxy.url("/api/v2/alerts")).header("content-type", "application/json");
    let (status, text) =
        timeout(PATIENCE, async { read(request.body("[").send().await.unwrap()).await }).await.unwrap();
    assert_eq!((status.as_u16(), text.contains("parsing alerts body")), (400, false), "the other one's words: {text}");
}

#[tokio::test]
async fn long_bodies_are_streamed() {
    let alertmanager = Alertmanager::start().await;
    let proxy = Proxy::start(&config(&[alertmanager.address], ""));
    let long = "x".repeat(3 << 20);
    let response = proxy.client.put(proxy.url("/any")).body(long.clone()).send().await.unwrap();
    let body = service::http::read_limited(response, 8 << 20).await.unwrap();
    let said: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(said["body"].as_str().unwrap().len(), long.len());
}

#[tokio::test]
async fn no_body_is_larger_than_one_may_be() {
    let alertmanager = Alertmanager::start().await;
    for (limit, length) in [(1000, 1001), (2 << 20, (2 << 20) + 1)] {
        let proxy = Proxy::start(&config(&[alertmanager.address], &format!("limits: {{max_body_bytes: {limit}}}")));
        let long = Bytes::from("x".repeat(length));
        let parts = [long.slice(..limit), long.slice(limit..)].map(Ok::<_, std::io::Error>);
        for body in [reqwest::Body::from(long), reqwest::Body::wrap_stream(stream::iter(parts))] {
            let response = proxy.client.put(proxy.url("/any")).body(body).send().await.unwrap();
            let (status, text) = read(response).await;
            assert_eq!(status, 413, "{limit}: {text}");
            assert!(text.contains("limits.max_body_bytes"), "{text}");
        }
    }
}

#[tokio::test]
async fn a_password_for_the_proxy_is_not_passed_on() {
    let alertmanager = Alertmanager::start().await;
    let config = config(&[alertmanager.address], "");
    let users = "basic_auth_users: {me: $2b$04$luj/I6RRL.OZiFesZs/E3uaIO2o9Hj/w7mRuZ3nfiznpZ9tolFmDG}\n";
    for (web, passed) in [(users, false), ("", true)] {
        let proxy = Proxy::start_with_web_config(&config, web);
        let request = proxy.client.get(proxy.url("/api/v2/receivers")).basic_auth("me", Some("secret"));
        let (status, text) = read(request.send().await.unwrap()).await;
        assert_eq!(status, 418, "{text}");
        assert_eq!(text.contains("authorization: Basic "), passed, "{text}");
    }
}

#[tokio::test]
async fn what_the_proxy_answers_itself_is_alertmanagers_below_a_prefix() {
    let mut alertmanager = Alertmanager::start().await;
    let proxy = Proxy::start(&config(&[alertmanager.address], ""));
    for (path, uri) in [
        ("/alertmanager/metrics?x=1", "/metrics?x=1"),
        ("/alertmanager/-/ready", "/-/ready"),
        ("/alertmanager/", "/"),
        ("/alertmanager/api/v2/alerts?filter=a", "/api/v2/alerts?filter=a"),
        ("/alertmanager/api/v2/silence/x%2Fy", "/api/v2/silence/x%2Fy"),
        ("/alertmanagers/-/ready", "/alertmanagers/-/ready"),
    ] {
        let (status, text) = proxy.get(path).await;
        if uri.starts_with("/api/v2/alerts") {
            assert_eq!(status, 405, "the fake takes posts alone");
            continue;
        }
        assert_eq!(serde_json::from_str::<Value>(&text).unwrap()["uri"], uri, "{status}");
    }
    let response = proxy.client.get(proxy.url("/alertmanager")).send().await.unwrap();
    assert_eq!((response.status().as_u16(), response.headers()["location"].to_str().unwrap()), (308, "/alertmanager/"));
    let alert = serde_json::json!({"labels": {"alertname": "a"}});
    let post = proxy.client.post(proxy.url("/alertmanager/api/v2/alerts")).json(&[&alert]).send().await.unwrap();
    assert_eq!((post.status().as_u16(), alertmanager.next().await), (200, alert));
}

#[tokio::test]
async fn credentials_of_the_proxy_go_to_alertmanager_instead_of_anybodys() {
    let alertmanager = Alertmanager::start().await;
    for (credentials, sent) in [
        (r#""basic_auth":{"username":"proxy","password":"x"}"#, "authorization: Basic cHJveHk6eA=="),
        (r#""authorization":{"credentials":"t0ken"}"#, "authorization: Bearer t0ken"),
    ] {
        let own = config(&[alertmanager.address], "").replace("}]", &format!(",{credentials}}}]"));
        let proxy = Proxy::start(&own);
        let request = proxy.client.get(proxy.url("/api/v2/receivers")).bearer_auth("somebody's");
        let (_, text) = read(request.send().await.unwrap()).await;
        assert!(text.contains(sent) && !text.contains("somebody"), "{text}");
    }
}
