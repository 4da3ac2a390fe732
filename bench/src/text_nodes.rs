//! Nodes that a real Prometheus scrapes: one server plays them all, each below a path of its own, with the text of a real agent.
//!
//! Of their checks a few are CRITICAL, each on another node. For web-ui an alert of each is in a real Alertmanager.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::Router;
use axum::extract::{self, State};
use axum::routing::get;
use serde_json::{Value, json};

use crate::serve::serve;

/// Nodes that are played.
pub(crate) const NODES: usize = 5_000;

/// Of so many nodes, one has a check that is CRITICAL, as long as nobody says how many checks shall be.
const ONE_FAILS_OF: usize = 10;

/// Seconds. No check that is played gets older than its `ttl`.
const AHEAD: f64 = 86_400.0;

/// The nodes, until the bench ends.
#[derive(Debug)]
pub(crate) struct TextNodes {
    address: SocketAddr,
    played: Arc<Played>,
}

#[derive(Debug)]
struct Played {
    text: Text,
    /// Of so many checks one is CRITICAL; none is where this is 0.
    period: AtomicUsize,
}

/// The text of a node without failures, and where its checks' statuses stand.
#[derive(Debug)]
struct Text {
    whole: String,
    /// Of each check the position of its status, which has one digit.
    statuses: Vec<usize>,
}

// === impl TextNodes ===

impl TextNodes {
    /// Starts nodes that all say what the agent said in `metrics`, all checks OK but for one now and then.
    pub(crate) fn start(metrics: &str) -> anyhow::Result<Self> {
        let text = Text::of(metrics);
        anyhow::ensure!(!text.statuses.is_empty(), "the agent has no checks");
        let period = AtomicUsize::new(ONE_FAILS_OF * text.statuses.len());
        let played = Arc::new(Played { text, period });
        let address = serve(Router::new().route("/{node}", get(scrape)).with_state(Arc::clone(&played)))?;
        Ok(Self { address, played })
    }

    /// From its next scrape on, one of so many checks is CRITICAL; none is with 0.
    pub(crate) fn fail_one_of(&self, period: usize) {
        self.played.period.store(period, Ordering::Relaxed);
    }

    /// So many targets, for Prometheus's `file_sd_configs`.
    pub(crate) fn targets(&self, nodes: usize) -> Vec<Value> {
        let target = |node: usize| {
            let labels = json!({
                "instance": instance(node), "__metrics_path__": format!("/{node}"),
                "env": if node.is_multiple_of(3) { "staging" } else { "production" }, "rack": format!("r{}", node % 40)
            });
            json!({"targets": [self.address.to_string()], "labels": labels})
        };
        (0..nodes).map(target).collect()
    }

    /// The alerts of the checks that fail, for Alertmanager.
    pub(crate) fn alerts(&self) -> Vec<Value> {
        let (now, checks) = (jiff::Timestamp::now(), self.played.text.checks());
        let end = now + jiff::SignedDuration::from_hours(1);
        let alert = |node: usize| {
            let check = &checks[(node / ONE_FAILS_OF) % checks.len()];
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

/// Writes the configuration of a Prometheus that scrapes the targets in `targets.json`, and keeps the series whose names match `kept`.
pub(crate) fn configure(
    folder: &Path,
    (scrapes, evaluations): (Duration, Duration),
    rules: &[&str],
    kept: &str,
) -> anyhow::Result<()> {
    let seconds = |time: Duration| format!("{}s", time.as_secs());
    let config = json!({
        "global": {"scrape_interval": seconds(scrapes), "evaluation_interval": seconds(evaluations)},
        "rule_files": rules,
        "scrape_configs": [{
            "job_name": "checkscript",
            "file_sd_configs": [{"files": ["targets.json"]}],
            "metric_relabel_configs": [{"source_labels": ["__name__"], "regex": kept, "action": "keep"}]
        }]
    });
    Ok(std::fs::write(folder.join("prometheus.yml"), config.to_string())?)
}

fn instance(node: usize) -> String {
    format!("node-{node:05}.example.org")
}

async fn scrape(State(played): State<Arc<Played>>, extract::Path(node): extract::Path<usize>) -> String {
    played.text.of_node(node, played.period.load(Ordering::Relaxed))
}

// === impl Text ===

impl Text {
    fn of(metrics: &str) -> Self {
        let (mut whole, mut statuses) = (String::with_capacity(metrics.len()), Vec::new());
        for line in metrics.lines() {
            match line.rsplit_once(' ') {
                Some((series, _))
                    if series.starts_with("checkscript_problem_") || series.starts_with("checkscript_stale_") =>
                {
                    continue;
                }
                Some((series, at)) if series.starts_with("checkscript_last_execution_timestamp_seconds{") => {
                    whole.extend([series, " ", &(at.parse::<f64>().unwrap_or_default() + AHEAD).to_string()]);
                }
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

    /// That of a node, of which one of `period` checks is CRITICAL: each time another one.
    fn of_node(&self, node: usize, period: usize) -> String {
        let mut whole = self.whole.clone();
        if period == 0 {
            return whole;
        }
        let (checks, first) = (self.statuses.len(), node * self.statuses.len());
        let fails = |check: &usize| {
            let number = first + check;
            number % period == (number / period) % period.min(checks)
        };
        for check in (0..checks).filter(fails) {
            let at = self.statuses[check];
            whole.replace_range(at..=at, "2");
            let start = self.whole[..at].rfind('{').unwrap_or_default();
            whole.extend(["checkscript_problem_status", &self.whole[start..at], "2\n"]);
        }
        whole
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

    #[test]
    fn one_of_so_many_checks_fails_and_is_a_problem() {
        let text = Text::of("checkscript_status{check=\"x\"} 0\ncheckscript_status{check=\"y\"} 0\n");
        let failing = "checkscript_status{check=\"x\"} 2\ncheckscript_status{check=\"y\"} 0\ncheckscript_problem_status{check=\"x\"} 2\n";
        assert_eq!([text.of_node(0, 20), text.of_node(1, 20), text.of_node(0, 0)], [failing, &text.whole, &text.whole]);
        for period in [2, 5, 20] {
            let nodes = (0..100).map(|node| text.of_node(node, period).matches("problem_status").count());
            assert_eq!(nodes.sum::<usize>(), 200 / period, "{period}");
        }
    }
}
