//! `POST /-/reload`.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::Context as _;
use reqwest::Method;

use crate::running::{client, server, start};

const SUCCESSFUL: &str = "test_server_config_last_reload_successful";
const SUCCEEDED_AT: &str = "test_server_config_last_reload_success_timestamp_seconds";

#[tokio::test]
async fn a_reload_is_told_to_the_client_and_the_metrics() {
    let calls = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&calls);
    let running = start(server(&[]).on_reload(move || {
        let call = counted.fetch_add(1, Ordering::SeqCst);
        async move {
            match call {
                0 => Ok(()),
                1 => Err(anyhow::anyhow!("line 3: no such field")).context("config.yml"),
                _ => panic!("told to"),
            }
        }
    }));
    let before = running.get("/metrics").await;
    assert_eq!(before.sample(SUCCESSFUL), Some(1.0), "it started with its configuration");

    let good = running.send(Method::POST, "/-/reload").await;
    assert_eq!((good.status, good.body.as_str()), (200, "Reloaded\n"));
    let reloaded = running.get("/metrics").await;
    assert_eq!(reloaded.sample(SUCCESSFUL), Some(1.0));
    assert!(reloaded.sample(SUCCEEDED_AT) > before.sample(SUCCEEDED_AT));

    let bad = running.send(Method::POST, "/-/reload").await;
    let reason = "failed to reload the configuration: config.yml: line 3: no such field\n";
    assert_eq!((bad.status, bad.body.as_str()), (500, reason));
    let failed = running.get("/metrics").await;
    assert_eq!(failed.sample(SUCCESSFUL), Some(0.0));
    assert_eq!(failed.sample(SUCCEEDED_AT), reloaded.sample(SUCCEEDED_AT), "the last success stays");

    assert_eq!(running.send(Method::POST, "/-/reload").await.status, 500, "a panic is a failure like another");
    assert_eq!(running.get("/-/reload").await.status, 405);
    for (name, value) in [("sec-fetch-site", "cross-site"), ("origin", "http://evil.example.org")] {
        let answer = client().post(running.url("/-/reload")).header(name, value).send().await.unwrap();
        assert_eq!(answer.status(), 403, "{name}: {value}");
    }
    assert_eq!(calls.load(Ordering::SeqCst), 3);
    running.stop().await;
}
