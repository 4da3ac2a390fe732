//! What answers say, within bounds of time and memory.
//!
//! Long ones are parsed apart, few at a time: each takes a processor for a good part of a second, and alerts of other nodes
//! that have to go on meanwhile must not wait for it.
//! How much there may be in one is bounded by [`api::detail`].

use std::panic::resume_unwind;
use std::sync::Arc;

use bytes::Bytes;
use check_result::api::{self, Detail, FetchError, values};
use http::StatusCode;
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;

use super::answers::Taken;

/// The longest answer that is parsed where it was read, in bytes.
const SHORT: usize = 64 << 10;

/// Longer ones that are parsed at a time.
const AT_A_TIME: usize = 2;

/// What a JSON value takes in memory beside its text, in bytes, roughly.
const VALUE: usize = 200;

/// Parses answers.
#[derive(Debug)]
pub(super) struct Parser(Arc<Semaphore>);

/// What an answer says.
#[derive(Debug)]
pub(super) struct Parsed {
    pub(super) detail: Detail,
    /// Bytes of it in memory, roughly.
    pub(super) size: usize,
}

// === impl Parser ===

impl Parser {
    pub(super) fn new() -> Self {
        Self(Arc::new(Semaphore::new(AT_A_TIME)))
    }

    /// What `host` says with the `body`, whose `room` is free again when that is parsed, even if nobody waits any more.
    pub(super) async fn parse(
        &self,
        host: &str,
        status: StatusCode,
        body: Bytes,
        room: Taken,
    ) -> Result<Parsed, FetchError> {
        if body.len() <= SHORT {
            return parse(host, status, &body);
        }
        let place = Arc::clone(&self.0).acquire_owned().await.expect("the semaphore is never closed");
        let host = host.to_owned();
        let parsing = spawn_blocking(move || {
            let parsed = parse(&host, status, &body);
            drop((body, room, place));
            parsed
        });
        parsing.await.unwrap_or_else(|error| resume_unwind(error.into_panic()))
    }
}

fn parse(host: &str, status: StatusCode, body: &[u8]) -> Result<Parsed, FetchError> {
    let detail = api::detail(host, status, body)?;
    Ok(Parsed { detail, size: body.len().saturating_mul(2).saturating_add(values(body) * VALUE) })
}

#[cfg(test)]
mod tests {
    use check_result::api::MOST_VALUES;
    use futures_util::FutureExt as _;
    use serde_json::{Value, json};

    use super::*;
    use crate::body::Space as _;
    use crate::detail::answers::Answers;

    fn answer(output: &str, more: &Value) -> Bytes {
        let check = json!({"name": "disk", "status": 2, "output": output, "more": more});
        let answer = json!({"client": "web-1", "check": check, "occurrences": 1, "status_changed": 1});
        answer.to_string().into()
    }

    #[test]
    fn a_short_answer_of_very_many_values_is_refused_and_a_long_text_is_not() {
        let many = answer("CRITICAL", &vec![0; MOST_VALUES].into());
        let error = parse("a:1", StatusCode::OK, &many).unwrap_err();
        assert_eq!(
            error.to_string(),
            "a:1 answered with something else than a check result: more than 10000 JSON values"
        );
        let long = answer(&r#"[{"a\": 1}, "#.repeat(1 << 16), &Value::Null);
        assert!(parse("a:1", StatusCode::OK, &long).unwrap().size >= 2 * long.len());
        let numbers = answer("CRITICAL", &vec![0; MOST_VALUES / 2].into());
        assert!(parse("a:1", StatusCode::OK, &numbers).unwrap().size > MOST_VALUES / 2 * VALUE);
    }

    #[tokio::test]
    async fn a_long_answer_waits_for_those_before_it_with_its_room_and_a_short_one_does_not() {
        let (parser, answers) = (Parser::new(), Answers::new(64 << 20, 8 << 20));
        let (long, short) = (answer(&" ".repeat(SHORT), &Value::Null), answer("CRITICAL", &Value::Null));
        let mut reading = answers.reading();
        reading.take(0, long.len(), long.len()).await.unwrap();
        let others = Arc::clone(&parser.0).acquire_many_owned(2).await.unwrap();
        let mut waiting = Box::pin(parser.parse("a:1", StatusCode::OK, long, reading.into_taken()));
        assert!(waiting.as_mut().now_or_never().is_none() && answers.taken() > 0);
        let parsed = parser.parse("a:1", StatusCode::OK, short, answers.reading().into_taken()).now_or_never();
        assert_eq!(parsed.expect("it does not wait").unwrap().detail.result.output(), "CRITICAL");
        drop(others);
        assert_eq!(waiting.await.unwrap().detail.result.output().len(), SHORT);
        assert_eq!(answers.taken(), 0);
    }
}
