//! How a check was, as a strip and as a list; and the same for programs.

use axum::extract::Path;
use axum::response::Response;
use serde_json::{Value, json};

use super::Asked;
use super::api::{found, no_node, part};
use super::frame::{Frame, Moment};
use crate::address::{Address, decoded};
use crate::cluster::Cluster;
use crate::past::{self, Period, Run};
use crate::prometheus::Known;
use crate::texts::Say as _;
use crate::view::State;

/// A strip, as a page shows it.
pub(super) struct Strip {
    /// The times that can be chosen, where each leads, and which is shown.
    pub(super) periods: Vec<(&'static str, Address, bool)>,
    pub(super) period: &'static str,
    pub(super) runs: Vec<Shown>,
    pub(super) fired: Vec<(String, u32)>,
    /// When Prometheus said so, where it does not now.
    pub(super) old: Option<Moment>,
    /// Why it does not.
    pub(super) failures: String,
}

/// A time in which nothing changed.
pub(super) struct Shown {
    /// How it is painted and what it is called; empty where nothing is known.
    pub(super) class: &'static str,
    pub(super) word: &'static str,
    /// In steps from the left.
    pub(super) x: i64,
    pub(super) width: i64,
    pub(super) from: Option<Moment>,
    pub(super) length: String,
}

// === impl Strip ===

impl Strip {
    /// What Prometheus knows of a check.
    pub(super) async fn ask(frame: &Frame<'_>, cluster: &Cluster, (node, check, source): (&Known, &str, &str)) -> Self {
        let period = Period::read(frame.address.get("range"));
        let asked = past::Asked { node: node.clone(), check: check.to_owned(), source: source.to_owned(), period };
        let part = cluster.strip(asked).await;
        let said = &part.said;
        let (first, step) = (said.runs.first().map_or(0, |run| run.from), said.step.max(1));
        let failures: Vec<_> =
            part.failures.iter().map(|failure| failure.say(frame.t)).chain(part.warnings.clone()).collect();
        Self {
            periods: Period::ALL.map(|one| (one.word(), frame.address.with("range", one.word()), one == period)).into(),
            period: period.word(),
            runs: said.runs.iter().map(|run| Shown::new(run, frame, (first, step))).collect(),
            fired: said.fired.clone(),
            old: part.at.filter(|_| part.is_old).map(|at| frame.clock.show(&at)),
            failures: failures.join("; "),
        }
    }
}

// === impl Shown ===

impl Shown {
    fn new(run: &Run, frame: &Frame<'_>, (first, step): (i64, i64)) -> Self {
        Self {
            class: run.status.map_or("gap", |status| State::of(status).word()),
            word: run.status.map_or(frame.t.no_data, |status| status.word()),
            x: (run.from - first) / step,
            width: (run.to - run.from + step - 1) / step,
            from: frame.clock.epoch(run.from),
            length: frame.t.duration(run.to - run.from),
        }
    }
}

/// How a check was: `?check=`, `?source=`, `?range=24h` or `7d`.
pub(super) async fn api(Path((cluster, job, instance)): Path<(String, String, String)>, asked: Asked) -> Response {
    let [cluster, job, instance] = [cluster, job, instance].map(|segment| decoded(&segment).to_owned());
    let node = Known { job, instance };
    let found_node = asked.snapshot.0.iter().find(|(known, _)| known.name == cluster);
    let Some((cluster, _)) = found_node.filter(|(_, view)| view.metrics.said.node(&node).is_some()) else {
        return no_node();
    };
    let (period, get) = (Period::read(asked.address.get("range")), |name| asked.address.get(name).to_owned());
    let said = cluster.strip(past::Asked { node, check: get("check"), source: get("source"), period }).await;
    let run = |run: &Run| {
        let state = run.status.map(|status| State::of(status).word());
        json!({"from": run.from, "to": run.to, "state": state})
    };
    let fired = |(alert, times): &(String, u32)| json!({"alertname": alert, "times": times});
    let (runs, fired): (Vec<_>, Vec<Value>) =
        (said.said.runs.iter().map(run).collect(), said.said.fired.iter().map(fired).collect());
    found(&json!({"range": period.word(), "runs": runs, "fired": fired, "said": part(&said)}))
}
