//! Nodes that a real Prometheus scrapes: one server plays them all, each below a path of its own, with the text of a real agent.
//!
//! Of their checks a few are CRITICAL, each on another node, and an alert of each is in a real Alertmanager.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, State};
use axum::routing::get;
use serde_json::{Value, json};

use crate::serve::serve;

/// Nodes that are played.
pub(crate) const NODES: usize = 5_000;

/// Of so many, one has a check that is CRITICAL.
const ONE_FAILS_OF: usize = 10;

/// The nodes, until the bench ends.
#[derive(Debug)]
pub(crate) struct Fleet {
    address: SocketAddr,
    checks: Vec<String>,
}

/// The text of a node without failures, and where its checks' statuses stand.
#[derive(Debug)]
struct Text {
    whole: String,
    /// Of each check the position of its status, which has one digit.
    statuses: Vec<usize>,
}

// === impl Fleet ===

impl Fleet {
    /// Starts nodes that all say what the agent said in `metrics`, all checks OK but for one now and then.
    pub(crate) fn start(metrics: &str) -> anyhow::Result<Self> {
        let text = Text::of(metrics);
        let checks = text.checks();
        anyhow::ensure!(!checks.is_empty(), "the agent has no checks");
        let address = serve(Router::new().route("/{node}", get(scrape)).with_state(Arc::new(text)))?;
        Ok(Self { address, checks })
    }

    /// The targets, for Prometheus's `file_sd_configs`.
    pub(crate) fn targets(&self) -> Vec<Value> {
        let target = |node: usize| {
            let labels = json!({
                "instance": instance(node), "__metrics_path__": format!("/{node}"),
                "env": if node.is_multiple_of(3) { "staging" } else { "production" }, "rack": format!("r{}", node % 40)
            });
            json!({"targets": [self.address.to_string()], "labels": labels})
        };
        (0..NODES).map(target).collect()
    }

    /// The alerts of the checks that fail, for Alertmanager.
    pub(crate) fn alerts(&self) -> Vec<Value> {
        let now = jiff::Timestamp::now();
        let end = now + jiff::SignedDuration::from_hours(1);
        let alert = |node: usize| {
            let check = &self.checks[failing(node, self.checks.len())];
            let start = now - jiff::SignedDuration::from_secs(60 + (node as i64 * 37) % 86_400);
            json!({
                "labels": {
                    "alertname": "CheckCritical", "check": check, "env": "production", "instance": instance(node),
                    "job": "checkscript", "severity": if node.is_multiple_of(30) { "warning" } else { "critical" }
                },
                "annotations": {
                    "summary": format!("{check} on {} is CRITICAL", instance(node)),
                    "output": format!("CRITICAL: / {}%", 90 + node % 10), "output_detail": "x".repeat(2_000)
                },
                "startsAt": start.to_string(), "endsAt": end.to_string()
            })
        };
        (0..NODES).step_by(ONE_FAILS_OF).map(alert).collect()
    }
}

fn instance(node: usize) -> String {
    format!("node-{node:05}.example.org")
}

/// Which check of a failing node fails.
fn failing(node: usize, checks: usize) -> usize {
    (node / ONE_FAILS_OF) % checks
}

async fn scrape(State(text): State<Arc<Text>>, Path(node): Path<usize>) -> String {
    let mut whole = text.whole.clone();
    if node.is_multiple_of(ONE_FAILS_OF) {
        let at = text.statuses[failing(node, text.statuses.len())];
        whole.replace_range(at..=at, "2");
    }
    whole
}

// === impl Text ===

impl Text {
    fn of(metrics: &str) -> Self {
        let (mut whole, mut statuses) = (String::with_capacity(metrics.len()), Vec::new());
        for line in metrics.lines() {
            match line.rsplit_once(' ') {
                Some((series, _)) if series.starts_with("checkscript_status{") => {
                    whole.push_str(series);
                    whole.push(' ');
                    statuses.push(whole.len());
                    whole.push('0');
                }
                _ => whole.push_str(line),
            }
            whole.push('\n');
        }
        Self { whole, statuses }
    }

    /// The names of the checks, in the order of their statuses.
    fn checks(&self) -> Vec<String> {
        let series = self.whole.lines().filter_map(|line| line.strip_prefix("checkscript_status{check=\""));
        series.filter_map(|line| Some(line.split_once('"')?.0.to_owned())).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_are_found_and_the_rest_stays() {
        let text = Text::of("# TYPE a gauge\na 1\ncheckscript_status{check=\"x\",source=\"r\"} 127\nb 2\n");
        assert_eq!(text.whole, "# TYPE a gauge\na 1\ncheckscript_status{check=\"x\",source=\"r\"} 0\nb 2\n");
        assert_eq!((text.checks(), &text.whole[text.statuses[0]..=text.statuses[0]]), (vec!["x".to_owned()], "0"));
    }
}
