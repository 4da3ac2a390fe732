//! Clients, and bounded reading of what they get.

use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::response::Redirect;
use axum::routing::get;
use futures_util::stream;
use http::HeaderMap;
use http_body_util::BodyExt as _;
use service::http::{
    AskError, ClientOptions, Fleet, HttpConfig, ReadError, fleet_client, read_limited, upstream_client,
};

use crate::running::{INFO, Running, server, start};

fn running() -> Running {
    let endless = async || Body::from_stream(stream::repeat_with(|| Ok::<_, std::io::Error>("0123456789")));
    let stalled = async || {
        use futures_util::StreamExt as _;
        Body::from_stream(stream::iter([Ok::<_, std::io::Error>("start")]).chain(stream::pending()))
    };
    let broken = async || {
        // The first part is sent while the second one is awaited.
        let parts = stream::unfold(0, async |part| {
            if part == 1 {
                tokio::task::yield_now().await;
            }
            let parts = [Ok("start"), Err(std::io::Error::other("told to"))];
            parts.into_iter().nth(part).map(|item| (item, part + 1))
        });
        Body::from_stream(parts)
    };
    let routes = Router::new()
        .route("/ten", get(async || "0123456789"))
        .route("/endless", get(endless))
        .route("/stalled", get(stalled))
        .route("/broken", get(broken))
        .route("/headers", get(async |headers: HeaderMap| format!("{headers:?}")))
        .route("/moved", get(async || Redirect::temporary("/ten")));
    start(server(&["--web.shutdown-timeout=10ms"]).routes(routes))
}

fn options() -> ClientOptions {
    ClientOptions { timeout: Duration::from_millis(300), ..ClientOptions::new(INFO) }
}

#[tokio::test]
async fn a_body_is_read_up_to_the_limit() {
    let running = running();
    let client = fleet_client(&options()).unwrap();
    let read = async |path, limit| read_limited(client.get(running.url(path)).send().await.unwrap(), limit).await;
    assert_eq!(read("/ten", 10).await.unwrap(), "0123456789");
    assert!(matches!(read("/ten", 9).await, Err(ReadError::TooLarge { limit: 9 })), "announced");
    assert!(matches!(read("/endless", 25).await, Err(ReadError::TooLarge { limit: 25 })), "not announced");
    assert!(matches!(read("/stalled", 100).await, Err(ReadError::Timeout)));
    assert!(matches!(read("/broken", 100).await, Err(ReadError::Broken(_))));
    running.stop().await;
}

#[tokio::test]
async fn redirects_are_not_followed() {
    let running = running();
    for client in [fleet_client(&options()).unwrap(), upstream_client(&options()).unwrap()] {
        assert_eq!(client.get(running.url("/moved")).send().await.unwrap().status(), 307);
    }
    running.stop().await;
}

#[tokio::test]
async fn the_fleet_client_keeps_no_connection_and_the_upstream_client_does() {
    for (client, kept) in [(fleet_client(&options()).unwrap(), 0), (upstream_client(&options()).unwrap(), 1)] {
        let running = running();
        for _ in 0..3 {
            read_limited(client.get(running.url("/ten")).send().await.unwrap(), 10).await.unwrap();
        }
        running.wait_for("http_connections", f64::from(kept + 1)).await;
        running.stop().await;
    }
}

/// What the fleet's client is answered: the status, and the body if that comes to its end.
async fn ask(fleet: &Fleet, url: &str, addresses: &[SocketAddr]) -> Result<(u16, Option<String>), AskError> {
    let answer = fleet.get(&url.parse().unwrap(), addresses).await?;
    let status = answer.status().as_u16();
    let body = answer.into_body().collect().await;
    Ok((status, body.ok().map(|body| String::from_utf8(body.to_bytes().to_vec()).unwrap())))
}

#[tokio::test]
async fn a_fleet_is_asked_at_the_addresses_of_the_callers() {
    let running = running();
    let fleet = Fleet::new(&options()).unwrap();
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let url = "http://node.test:1/ten";
    let answered = ask(&fleet, url, &[closed, running.address]).await.unwrap();
    assert_eq!(answered, (200, Some("0123456789".to_owned())));
    for (addresses, says) in [(vec![closed], "Connection refused"), (Vec::new(), "no address to connect to")] {
        let error = ask(&fleet, url, &addresses).await.unwrap_err();
        assert!(matches!(&error, AskError::Connect(reason) if reason.contains(says)), "{error}");
    }
    assert_eq!(ask(&fleet, "http://node.test/moved", &[running.address]).await.unwrap().0, 307, "not followed");
    assert_eq!(ask(&fleet, "http://node.test/broken", &[running.address]).await.unwrap(), (200, None));
    running.wait_for("http_connections", 1.0).await;
    running.stop().await;
}

#[tokio::test]
async fn a_fleet_is_told_who_asks_and_for_what() {
    let running = running();
    let folder = std::path::Path::new("");
    let read = |root: service::config::Place<'_>| HttpConfig::read(&mut root.fields(), folder);
    let http = service::config::parse("basic_auth: {username: me}", read).unwrap();
    let fleet = Fleet::new(&ClientOptions { http, ..options() }).unwrap();
    let url = "http://node.test:9780/headers?a=b";
    let (_, told) = ask(&fleet, url, &[running.address]).await.unwrap();
    let told = told.unwrap();
    for header in [
        r#""host": "node.test:9780""#,
        r#""user-agent": "test-server/1.2.3""#,
        r#""accept": "application/json""#,
        r#""authorization": "Basic bWU6""#,
    ] {
        assert!(told.contains(header), "{header} is not in {told}");
    }
    running.stop().await;
}
