//! What answers say, within bounds of time and memory.
//!
//! Long ones are parsed apart, few at a time: each takes a processor for a good part of a second, and alerts of other nodes
//! that have to go on meanwhile must not wait for it.
//!
//! Texts take as much memory as they have bytes, but every other value takes a hundred times its two: their number has a
//! bound, which no real check comes near.

use std::panic::resume_unwind;
use std::sync::Arc;

use bytes::Bytes;
use check_result::api::{self, Detail, FetchError};
use http::StatusCode;
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;

use super::answers::Taken;

/// The longest answer that is parsed where it was read, in bytes.
const SHORT: usize = 64 << 10;

/// Longer ones that are parsed at a time.
const AT_A_TIME: usize = 2;

/// JSON values in an answer; those of a check have some dozens.
const MOST_VALUES: usize = 10_000;

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
    let values = values(body);
    if status == StatusCode::OK && values > MOST_VALUES {
        return Err(FetchError::Malformed {
            host: host.to_owned(),
            reason: format!("more than {MOST_VALUES} JSON values"),
        });
    }
    let detail = api::answer(host, status, body)?;
    Ok(Parsed { detail, size: body.len().saturating_mul(2).saturating_add(values * VALUE) })
}

/// How many values the JSON in `body` has at most: all but the outermost come behind a bracket or a comma.
fn values(body: &[u8]) -> usize {
    let (mut values, mut bytes) = (1, body.iter());
    while let Some(byte) = bytes.next() {
        match byte {
            b'[' | b'{' | b',' => values += 1,
            b'"' => skip_text(&mut bytes),
            _ => {}
        }
    }
    values
}

/// Goes on behind the end of a text.
fn skip_text<'a>(bytes: &mut impl Iterator<Item = &'a u8>) {
    while let Some(byte) = bytes.next() {
        match byte {
            b'"' => return,
            b'\\' => drop(bytes.next()),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;
    use crate::body::Space as _;
    use crate::detail::answers::Answers;

    fn answer(output: &str, more: &Value) -> Bytes {
        let check = json!({"name": "disk", "status": 2, "output": output, "more": more});
        let answer = json!({"client": "web-1", "check": check, "occurrences": 1, "status_changed": 1});
        answer.to_string().into()
    }

    fn count(value: &Value) -> usize {
        1 + match value {
            Value::Array(values) => values.iter().map(count).sum(),
            Value::Object(values) => values.values().map(count).sum(),
            _ => 0,
        }
    }

    fn json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![Just(json!(null)), any::<i64>().prop_map(Value::from), ".*".prop_map(Value::from)];
        leaf.prop_recursive(4, 64, 8, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..8).prop_map(Value::from),
                prop::collection::vec((".*", inner), 0..8).prop_map(|pairs| Value::Object(pairs.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn no_value_is_missed_and_no_text_counts(value in json()) {
            let (values, text) = (values(value.to_string().as_bytes()), value.to_string());
            prop_assert!(values >= count(&value));
            // Beside them only empty lists and objects count twice.
            prop_assert!(values <= 2 * count(&value), "{values} {text}");
        }
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
