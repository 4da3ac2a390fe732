//! Logs that nobody should write, whole, through the agent.

use std::fs::OpenOptions;
use std::io::Write as _;

use reqwest::StatusCode;
use tempfile::TempDir;

use crate::serving::{Agent, folder_with, result};

/// A log with an OK of `disk`, the bytes `between`, and a CRITICAL.
fn log_with(between: impl Iterator<Item = Vec<u8>>) -> TempDir {
    let folder = folder_with(&[result("disk", 0, "OK")]);
    let mut log = OpenOptions::new().append(true).open(folder.path().join("log")).unwrap();
    between.for_each(|bytes| log.write_all(&bytes).unwrap());
    log.write_all(result("disk", 2, "FULL").as_bytes()).unwrap();
    folder
}

async fn lines(agent: &Agent, kind: &str) -> u64 {
    let name = format!("checkscript_agent_log_lines_total{{kind=\"{kind}\"}} ");
    let (_, metrics) = agent.get("/metrics", "").await;
    metrics.lines().find_map(|line| line.strip_prefix(&name)).unwrap().parse().unwrap()
}

#[tokio::test]
async fn a_line_of_100_megabytes_is_passed_over_and_counted() {
    let result = result("long", 1, "#");
    let (head, tail) = result.split_once('#').unwrap();
    let output = std::iter::repeat_n(vec![b'x'; 1 << 20], 100);
    let line = std::iter::once(head.as_bytes().to_vec()).chain(output).chain([tail.as_bytes().to_vec()]);
    let agent = Agent::on(log_with(line), &[]).await;
    assert_eq!((lines(&agent, "too_long").await, lines(&agent, "result").await), (1, 2));
    assert_eq!(agent.get("/api/v1/checks/disk", "text/plain").await, (StatusCode::OK, "FULL".to_owned()));
    assert_eq!(agent.get("/api/v1/checks/long", "text/plain").await.0, StatusCode::NOT_FOUND);
    agent.stopped().await;
}

#[tokio::test]
async fn a_long_output_is_cut_and_the_same_in_each_of_its_lines() {
    let long = result("long", 1, &"日本 \"quoted\"\n".repeat(1 << 17)).into_bytes();
    let agent = Agent::on(log_with(std::iter::repeat_n(long, 4)), &[]).await;
    assert_eq!((lines(&agent, "too_long").await, lines(&agent, "result").await), (0, 6));
    let detail = agent.json("/api/v1/checks/long").await;
    assert_eq!((&detail["occurrences"], &detail["check"]["status"]), (&4.into(), &1.into()));
    let output = detail["check"]["output"].as_str().unwrap();
    assert!(output.len() < (1 << 20) + 100 && output.contains("[output cut: "), "{}", output.len());
    agent.stopped().await;
}

#[tokio::test]
async fn damaged_lines_are_counted_and_lose_no_other() {
    let whole = result("disk", 1, "HALF").into_bytes();
    let whole = &whole[..whole.len() - 1];
    let cut = (1..whole.len()).map(|at| [&whole[..at], b"\n"].concat());
    let garbage = (0..=255_u8).filter(|&byte| byte != b'\n' && byte != 0).map(|byte| [&[byte; 50][..], b"\n"].concat());
    let agent = Agent::on(log_with(cut.chain(garbage)), &[]).await;
    assert_eq!(lines(&agent, "invalid").await, whole.len() as u64 - 1 + 254);
    assert_eq!(lines(&agent, "result").await, 2);
    assert_eq!(agent.json("/api/v1/checks/disk").await["occurrences"], 1);
    agent.stopped().await;
}
