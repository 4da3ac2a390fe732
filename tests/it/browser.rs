//! web-ui as people use it: Chromium before two clusters, each with a pair of Prometheus, a pair of Alertmanagers and nodes
//! whose checks really run.

mod bulk;
mod files;
mod hands;
mod hostile;
mod keys;
mod lacking;
mod live;
mod pages;
mod people;
mod silences;

use e2e::{Browser, World, get_json, until};
use tempfile::TempDir;

use crate::PATIENCE;

/// The nodes of both clusters.
const TOKYO: [&str; 2] = ["web-1", "db-1"];
const OSAKA: [&str; 1] = ["web-2"];

/// Both clusters with checks that are well, and a browser.
async fn world() -> (World, Browser, TempDir) {
    let data = tempfile::tempdir().unwrap();
    let (world, browser) = tokio::join!(World::start(data.path(), &TOKYO, &OSAKA), Browser::start());
    let (mut world, browser) = (world.unwrap(), browser.unwrap());
    for node in 0..TOKYO.len() {
        world.tokyo.run_checks(node, &["check_disk", "check_memory", "check_http"]).await.unwrap();
    }
    world.osaka.run_checks(0, &["check_disk", "check_http"]).await.unwrap();
    until("web-ui to know all checks", PATIENCE, || async {
        let nodes = get_json(&world.page("/api/v1/nodes")).await?;
        let checks: u64 =
            nodes["rows"].as_array().into_iter().flatten().filter_map(|node| node["checks"].as_u64()).sum();
        anyhow::ensure!(checks == 8, "it knows {nodes}");
        Ok(())
    })
    .await
    .unwrap();
    (world, browser, data)
}

/// Waits until the page is a newer one than it is now.
async fn goes_on(browser: &Browser) {
    let time = "return document.querySelector('.asof time').dateTime";
    let now = browser.eval(time).await.unwrap();
    browser.wait("an update", &format!("{time} !== {now}")).await.unwrap();
}

/// No page complained: nothing that its policy refuses, no error of its script, nothing that cannot be loaded.
async fn no_complaints(browser: &Browser) {
    let complaints = browser.complaints().await.unwrap();
    assert!(complaints.is_empty(), "{complaints:#?}");
}
