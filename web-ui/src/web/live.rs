//! Server-sent events: `change` whenever a cluster has been heard of anew, with how many alerts are told now; a page then fetches
//! itself again. And `beat` where there is nothing else to say, so that a page knows when its connection is dead.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::response::sse::{Event, KeepAlive, Sse};
use futures_util::stream::{Stream, StreamExt as _, unfold};
use serde_json::json;
use tokio::sync::watch;
use tokio::time::sleep;

use super::frame::firing;
use crate::App;

/// The least time between two events: clusters are heard of one after the other.
const PACE: Duration = Duration::from_secs(1);

/// The longest without a word.
const BEAT: Duration = Duration::from_secs(15);

/// A stream ends before the server's own limit for an answer cuts it; the browser asks again by itself.
const LENGTH: Duration = Duration::from_secs(240);

pub(super) async fn events(State(app): State<Arc<App>>) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let changes = app.changes();
    let changes = unfold((app, changes), next).take_until(sleep(LENGTH));
    let beat = Event::default().event("beat").data("");
    Sse::new(changes).keep_alive(KeepAlive::new().interval(BEAT).event(beat))
}

type Waiting = (Arc<App>, watch::Receiver<u64>);

async fn next((app, mut changes): Waiting) -> Option<(Result<Event, Infallible>, Waiting)> {
    changes.changed().await.ok()?;
    sleep(PACE).await;
    changes.borrow_and_update();
    let (critical, others) = firing(&app.snapshot());
    let told = json!({"critical": critical, "others": others});
    Some((Ok(Event::default().event("change").data(told.to_string())), (app, changes)))
}
