//! Server-sent events: one whenever a cluster has been heard of anew. A page then fetches itself again.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::response::sse::{Event, KeepAlive, Sse};
use futures_util::stream::{Stream, StreamExt as _, unfold};
use tokio::sync::watch;
use tokio::time::sleep;

use crate::App;

/// The least time between two events: clusters are heard of one after the other.
const PACE: Duration = Duration::from_secs(1);

/// A stream ends before the server's own limit for an answer cuts it; the browser asks again by itself.
const LENGTH: Duration = Duration::from_secs(240);

pub(super) async fn events(State(app): State<Arc<App>>) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let changes = unfold(app.changes(), next).take_until(sleep(LENGTH));
    Sse::new(changes).keep_alive(KeepAlive::new().interval(Duration::from_secs(15)))
}

async fn next(mut changes: watch::Receiver<u64>) -> Option<(Result<Event, Infallible>, watch::Receiver<u64>)> {
    changes.changed().await.ok()?;
    sleep(PACE).await;
    let count = *changes.borrow_and_update();
    Some((Ok(Event::default().event("change").data(count.to_string())), changes))
}
