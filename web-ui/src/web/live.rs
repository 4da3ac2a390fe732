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
    let (changes, stopping) = (app.changes(), app.stopping.clone().cancelled_owned());
    let changes = unfold((app, changes), next).take_until(sleep(LENGTH)).take_until(stopping);
    Sse::new(changes).keep_alive(beating())
}

/// Says something where there is nothing to say. A browser tells its page of no event without data.
fn beating() -> KeepAlive {
    KeepAlive::new().interval(BEAT).event(Event::default().event("beat").data("1"))
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

#[cfg(test)]
mod tests {
    use axum::response::IntoResponse as _;
    use futures_util::stream::pending;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_page_hears_of_a_connection_that_has_nothing_to_say() {
        let quiet = pending::<Result<Event, Infallible>>();
        let mut body = Sse::new(quiet).keep_alive(beating()).into_response().into_body().into_data_stream();
        assert_eq!(&*body.next().await.unwrap().unwrap(), b"event: beat\ndata: 1\n\n");
    }
}
