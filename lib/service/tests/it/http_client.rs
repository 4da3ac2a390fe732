//! Clients, and bounded reading of what they get.

use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::response::Redirect;
use axum::routing::get;
use futures_util::stream;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use service::http::{ClientOptions, ReadError, fleet_client, fleet_client_resolving, read_limited, upstream_client};

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

/// Knows one name.
struct OneName;

impl Resolve for OneName {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            match name.as_str() {
                "node.test" => Ok(Box::new(std::iter::once(SocketAddr::from(([127, 0, 0, 1], 0)))) as Addrs),
                _ => Err("not permitted".into()),
            }
        })
    }
}

#[tokio::test]
async fn a_resolver_of_the_callers_decides_what_a_name_stands_for() {
    let running = running();
    let client = fleet_client_resolving(&options(), OneName).unwrap();
    let get = async |host| client.get(format!("http://{host}:{}/ten", running.address.port())).send().await;
    assert_eq!(get("node.test").await.unwrap().status(), 200);
    assert!(get("localhost").await.unwrap_err().is_connect());
    running.stop().await;
}
