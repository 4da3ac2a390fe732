//! What is kept of a check's past, and how it is shown.

use reqwest::StatusCode;

use crate::serving::{Agent, folder_with, result};

#[tokio::test]
async fn the_flags_bound_entries_and_outputs() {
    let lines: Vec<_> =
        (0..30).map(|n| result("disk", i64::from(n % 10 == 0), &format!("{n:02} {}", "x".repeat(50)))).collect();
    let flags = ["--history.results=3", "--history.changes=2", "--history.output-bytes=10", "--detail.output-bytes=20"];
    let agent = Agent::on(folder_with(&lines), &flags).await;
    let history = agent.json("/api/v1/checks/disk/history").await;
    let starts: Vec<_> =
        history["history"].as_array().unwrap().iter().map(|entry| &entry["output"].as_str().unwrap()[..2]).collect();
    assert_eq!(starts, ["29", "28", "27", "21", "20"]);
    assert_eq!(history["history"][0]["output"], "29 xxxxxxx\n[output cut: 10 of 53 bytes kept]\n");
    let (_, output) = agent.get("/api/v1/checks/disk", "text/plain").await;
    assert_eq!(output, "29 xxxxxxxxxxxxxxxxx\n[output cut: 20 of 53 bytes kept]\n");
    agent.stopped().await;
}

#[tokio::test]
async fn a_truncated_check_keeps_its_last_output_whole() {
    let metrics = result("cpu", 0, "cpu.user 1 1795228248\ncpu.idle 99 1795228248\n")
        .replace("\"interval\":60", "\"type\":\"metric\"");
    let agent = Agent::on(folder_with(&[metrics]), &[]).await;
    let (_, output) = agent.get("/api/v1/checks/cpu", "text/plain").await;
    assert_eq!(output, "cpu.user 1 1795228248\ncpu.idle 99 1795228248\n");
    let history = agent.json("/api/v1/checks/cpu/history").await;
    assert_eq!(history["history"][0]["output"], "cpu.user 1 1795228248\n...");
    agent.stopped().await;
}

#[tokio::test]
async fn a_check_that_was_excluded_once_is_gone() {
    let folder = folder_with(&[result("disk", 2, "full"), result("cpu", 0, "OK")]);
    let state = format!("--state.file={}", folder.path().join("state").display());
    let folder = Agent::on(folder, &[&state]).await.stopped().await;
    let folder = Agent::on(folder, &[&state, "--check.exclude=disk"]).await.stopped().await;
    let agent = Agent::on(folder, &[&state]).await;
    assert_eq!(agent.get("/api/v1/checks", "text/plain").await.1, "OK        cpu  OK\n");
    agent.stopped().await;
}

#[tokio::test]
async fn pages_and_text_show_the_course() {
    let lines = [result("disk", 0, "fine"), result("disk", 1, "90%\n/var\n"), result("disk", 2, "99%\n/var\n")];
    let agent = Agent::on(folder_with(&lines), &[]).await;
    let (_, text) = agent.get("/api/v1/checks/disk/history", "text/plain").await;
    let shown: Vec<_> = text.lines().map(|line| line.split_once("Z ").map_or(line.trim(), |(_, rest)| rest)).collect();
    assert_eq!(shown, ["* CRITICAL      99%", "/var", "* WARNING       90%", "/var", "* OK            fine"]);
    for (path, shows) in [("/", "<td class=\"output\">99%</td>"), ("/checks/disk", "<pre>99%\n/var</pre>")] {
        let (status, page) = agent.get(path, "text/html").await;
        assert!(status == StatusCode::OK && page.contains(shows), "{path}: {page}");
    }
    agent.stopped().await;
}
