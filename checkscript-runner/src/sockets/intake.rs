//! What becomes of a document, whichever way it came: results for the sink, or a reason why not.

use std::sync::Arc;

use check_result::log::Level;
use check_result::values::{MOST_VALUES, too_many};
use check_result::{CheckResult, Object};
use jiff::Timestamp;
use serde_json::Value;
use tokio::sync::{Semaphore, watch};
use tokio::task::{spawn_blocking, yield_now};

use super::document::Scanner;
use super::limits::{Budget, Buffer};
use crate::definitions::{Client, Definitions, SyntaxError, lenient_json, refusal};
use crate::events::sockets as events;
use crate::notice::{Notice, Sink};

/// Documents up to this size, in bytes, are read where they arrive: that takes less than starting a check. A large one
/// can be made to take half a second, in which no check would start, so it is read on another thread.
const QUICK: usize = 64 * 1024;
/// Results that are published in one go, for the same reason.
const BATCH: usize = 64;
/// JSON values in a document: while it is read each of them takes two hundred bytes and more.
const MOST_OF_A_DOCUMENT: usize = 10 * MOST_VALUES;

/// Where documents go.
pub(super) struct Intake {
    sink: Arc<dyn Sink>,
    definitions: watch::Receiver<Arc<Definitions>>,
    budget: Budget,
    /// One large document is read at a time: in memory it is many times its size.
    turn: Semaphore,
}

/// Why a document is not read.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unreadable {
    #[error(transparent)]
    Syntax(#[from] SyntaxError),
    #[error("check results must not have more than {MOST_OF_A_DOCUMENT} JSON values together: send fewer at a time")]
    Values,
}

/// Why a result is not published: sensu-client's words for the first rule that it breaks.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(super) struct Refusal(String);

// === impl Intake ===

impl Intake {
    pub(super) fn new(sink: Arc<dyn Sink>, definitions: watch::Receiver<Arc<Definitions>>) -> Self {
        Self { sink, definitions, budget: Budget::default(), turn: Semaphore::new(1) }
    }

    /// Room for a document.
    pub(super) fn buffer(&self) -> Buffer {
        Buffer::new(&self.budget)
    }

    /// The configuration of this moment.
    pub(super) fn definitions(&self) -> Arc<Definitions> {
        Arc::clone(&self.definitions.borrow())
    }

    pub(super) fn notice(&self, notice: &Notice) {
        self.sink.notice(notice);
    }

    /// A notice of level debug, made only if it goes anywhere.
    pub(super) fn debug(&self, notice: impl FnOnce() -> Notice) {
        if self.sink.wants(Level::Debug) {
            self.sink.notice(&notice());
        }
    }

    /// Reads a document. Bytes that are not UTF-8 are told and become U+FFFD.
    pub(super) async fn read(&self, data: &[u8]) -> Result<Value, Unreadable> {
        if std::str::from_utf8(data).is_err() {
            self.notice(&events::not_utf8(data));
        }
        self.parse(data).await
    }

    /// Why the bytes are no document.
    pub(super) async fn fault(&self, data: &[u8]) -> Option<Unreadable> {
        self.parse(data).await.err()
    }

    async fn parse(&self, data: &[u8]) -> Result<Value, Unreadable> {
        let mut scanner = Scanner::default();
        scanner.feed(data);
        if scanner.values() > MOST_OF_A_DOCUMENT {
            return Err(Unreadable::Values);
        }
        let text = String::from_utf8_lossy(data);
        if text.len() <= QUICK {
            return Ok(lenient_json(&text)?);
        }
        let text = text.into_owned();
        let _turn = self.turn.acquire().await.expect("the semaphore is never closed");
        Ok(spawn_blocking(move || lenient_json(&text)).await.expect("reading JSON does not panic")?)
    }

    /// Publishes a result or an array of them, one by one up to the first that breaks a rule.
    pub(super) async fn publish(&self, document: Value) -> Result<(), Refusal> {
        let client = Arc::clone(&self.definitions.borrow().client);
        let results = match document {
            Value::Array(results) => results,
            one => vec![one],
        };
        for (index, result) in results.into_iter().enumerate() {
            if index % BATCH == BATCH - 1 {
                yield_now().await;
            }
            self.sink.publish(&checked(&client, result, Timestamp::now().as_second())?);
        }
        Ok(())
    }
}

/// The result with what sensu-client adds to it, if it holds every rule. One rule is not sensu-client's: in memory a value takes a
/// hundred times its two bytes, which a line of the log would cost each of its readers. So they count them in the text, as here.
fn checked(client: &Client, mut check: Value, now: i64) -> Result<CheckResult, Refusal> {
    if let Value::Object(check) = &mut check {
        default(check, "status", 0);
        default(check, "executed", now);
    }
    if let Some(refusal) = refusal(&check) {
        return Err(Refusal(refusal));
    }
    let Value::Object(mut check) = check else { return Err(Refusal("check must be a hash".to_owned())) };
    check.insert("issued".to_owned(), now.into());
    // What the rules let through and no reader could take, such as a status beyond 64 bits.
    let result = CheckResult::new(client.name.as_str(), check).map_err(|error| Refusal(error.to_string()))?;
    let result = result.with_signature(client.signature());
    if serde_json::to_vec(&result).is_ok_and(|text| too_many(&text)) {
        return Err(Refusal(format!("check must not have more than {MOST_VALUES} JSON values")));
    }
    Ok(result)
}

/// Ruby's `||=`.
fn default(check: &mut Object, attribute: &str, value: i64) {
    let present = check.entry(attribute).or_insert(Value::Null);
    if matches!(present, Value::Null | Value::Bool(false)) {
        *present = value.into();
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::recorder::Recorder;
    use super::*;

    fn client(attributes: Value) -> Client {
        Client { name: "web-1".to_owned(), attributes: attributes.as_object().unwrap().clone() }
    }

    fn refused(check: Value) -> String {
        checked(&client(json!({})), check, 7).unwrap_err().to_string()
    }

    /// A valid result with one attribute changed.
    fn with(attribute: &str, value: Value) -> Value {
        let mut check = json!({"name": "a", "output": "x"});
        check[attribute] = value;
        check
    }

    /// A31.
    #[test]
    fn refusals_in_sensu_clients_words() {
        let name = "check name cannot contain spaces or special characters";
        let source = "check source cannot contain spaces, special characters, or invalid tokens";
        for (attribute, value, words) in [
            ("name", json!(""), name),
            ("name", json!("check name"), name),
            ("name", json!("check\nname"), name),
            ("source", json!("check source"), source),
            ("source", json!("check\nsource"), source),
            ("source", json!(""), source),
            ("output", json!(1234), "check output must be a string"),
            ("status", json!("2"), "check status must be an integer"),
            ("status", json!(2.0), "check status must be an integer"),
            ("executed", json!("1431361723"), "check executed timestamp must be an integer"),
            ("ttl", json!("30"), "check ttl must be an integer"),
            ("ttl", json!(-10), "check ttl must be greater than 0"),
            ("low_flap_threshold", json!("20"), "check low flap threshold must be an integer"),
            ("handler", json!(1), "check handler must be a string"),
            ("handlers", json!("a"), "check handlers must be an array"),
            ("aggregate", json!("a b"), "check aggregate cannot contain spaces or special characters"),
            ("truncate_output", json!(1), "check truncate_output must be boolean"),
        ] {
            assert_eq!(refused(with(attribute, value.clone())), words, "{attribute}: {value}");
        }
    }

    #[test]
    fn a_result_of_more_values_than_its_readers_take_is_refused() {
        // The result itself, `client`, `check` and its six attributes count too, and an empty array twice.
        for (value, most) in [(json!(0), MOST_VALUES - 9), (json!([]), MOST_VALUES / 2 - 5)] {
            let of = |values: usize| with("x", json!(vec![value.clone(); values]));
            assert!(checked(&client(json!({})), of(most), 7).is_ok(), "{value}");
            assert_eq!(refused(of(most + 1)), "check must not have more than 10000 JSON values", "{value}");
        }
    }

    #[test]
    fn the_first_rule_that_is_broken_is_told() {
        let check = json!({"name": "a b", "output": 1, "status": "x"});
        assert_eq!(refused(check), "check output must be a string");
        assert_eq!(refused(json!([])), "check must be a hash");
        assert_eq!(refused(Value::Null), "check must be a hash");
    }

    #[test]
    fn a_status_that_no_reader_can_take_is_refused_and_not_lost() {
        let huge: Value = serde_json::from_str("123456789012345678901234567890").unwrap();
        assert!(refused(with("status", huge)).contains("status"));
    }

    /// A32.
    #[test]
    fn a_result_is_what_was_sent_with_the_defaults_after_it_and_signed() {
        let sent =
            json!({"issued": 1, "custom": {"b": [1.50]}, "name": "a", "output": "x", "status": null, "duration": 12.5});
        let result = checked(&client(json!({"signature": "s"})), sent, 7).unwrap();
        assert_eq!(
            json!(result).to_string(),
            r#"{"client":"web-1","check":{"issued":7,"custom":{"b":[1.5]},"name":"a","output":"x","status":0,"duration":12.5,"executed":7},"signature":"s"}"#
        );
    }

    /// A34.
    #[tokio::test]
    async fn a_long_array_is_published_whole_and_in_order() {
        let (recorder, intake) = Recorder::intake();
        let names: Vec<String> = (0..3 * BATCH).map(|index| format!("check-{index}")).collect();
        let document: Value = names.iter().map(|name| json!({"name": name, "output": "x".repeat(QUICK / 8)})).collect();
        let document = intake.read(document.to_string().as_bytes()).await.unwrap();
        assert_eq!(intake.publish(document).await, Ok(()));
        assert_eq!(recorder.names(), names);
    }

    #[tokio::test]
    async fn a_document_of_very_many_values_is_not_read() {
        let (_, intake) = Recorder::intake();
        let of = |values: usize| format!("[{}0]", "0,".repeat(values - 2)).into_bytes();
        assert!(intake.read(&of(MOST_OF_A_DOCUMENT)).await.is_ok());
        assert_eq!(intake.read(&of(MOST_OF_A_DOCUMENT + 1)).await, Err(Unreadable::Values));
        let open = of(MOST_OF_A_DOCUMENT + 1);
        assert_eq!(intake.fault(&open[..open.len() - 1]).await, Some(Unreadable::Values));
    }

    #[test]
    fn what_sensu_client_lets_pass_passes() {
        for (attribute, value) in [
            ("status", json!(-1)),
            ("status", json!(9999)),
            ("source", Value::Null),
            ("source", json!("db-01")),
            ("ttl", json!(false)),
            ("aggregate", json!(true)),
        ] {
            assert!(checked(&client(json!({})), with(attribute, value), 7).is_ok(), "{attribute}");
        }
    }
}
