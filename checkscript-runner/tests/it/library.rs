//! Scheduler and executor under another program, with another sink.

use std::sync::Arc;

use checkscript_runner::definitions::{Check, Definitions};
use checkscript_runner::schedule::{Scheduler, Timetable};
use serde_json::json;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::bench::Bench;

#[tokio::test]
async fn the_scheduler_runs_checks_into_a_sink_of_ones_own() {
    let mut bench = Bench::new(json!({"checks": {"a": {"command": "echo :::name:::"}}}));
    let often = Timetable::Interval { interval: 50, phase: 7 };
    let check = Check { timetable: often, ..Check::clone(&bench.definitions.checks[0]) };
    let definitions = Definitions { checks: vec![Arc::new(check)], ..bench.definitions.clone() };
    let (_definitions, updates) = watch::channel(Arc::new(definitions));
    let stop = CancellationToken::new();
    let scheduling = tokio::spawn(Scheduler::new(bench.executor.clone(), updates).run(stop.clone()));
    for _ in 0..3 {
        assert_eq!(bench.result().await["output"], "web-1\n");
    }
    stop.cancel();
    scheduling.await.unwrap();
    bench.executor.finish().await;
    assert!(bench.executor.in_progress().is_empty());
}
