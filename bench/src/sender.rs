//! A Prometheus as it sends alerts: one batch after the other, the next when the last was answered.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::http::Fetcher;
use crate::nodes::{NODES, Nodes};

/// How long an alert is good for: Prometheus's four resend delays.
const GOOD_FOR: SignedDuration = SignedDuration::from_mins(4);

/// Posts the batches to the server at `base`; how many milliseconds each answer took.
pub(crate) fn send(base: &str, batches: &[String]) -> anyhow::Result<Vec<f64>> {
    let (client, url) = (Fetcher::new()?, format!("{base}/api/v2/alerts"));
    let took = batches.iter().map(|batch| Ok(client.post(&url, batch.clone())?.as_secs_f64() * 1000.0));
    took.collect()
}

/// An alert of each node that began at `start`, as bodies of `size` alerts.
pub(crate) fn batches(nodes: &Nodes, size: usize, start: Timestamp) -> Vec<String> {
    let end = (Timestamp::now() + GOOD_FOR).to_string();
    let start = start.to_string();
    let alert = |node: u32| {
        json!({
            "annotations": {"summary": format!("check-disk on {} is CRITICAL", nodes.instance(node))},
            "endsAt": end, "startsAt": start,
            "generatorURL": "http://prometheus.example:9090/graph?g0.expr=check%3Astatus+%3D%3D+2&g0.tab=1",
            "labels": {
                "alertname": "CheckCritical", "check": "check-disk", "env": "production", "handlers": ",mail,slack,",
                "instance": nodes.instance(node), "job": "checkscript", "severity": "critical"
            }
        })
    };
    let alerts: Vec<Value> = (0..NODES).map(alert).collect();
    alerts.chunks(size).map(|batch| Value::from(batch).to_string()).collect()
}
