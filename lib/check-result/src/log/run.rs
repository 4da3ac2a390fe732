//! Reading a result line for its run only.
//!
//! A reader that catches up with a long log needs every run's status and output, but of each check only the last result
//! whole. [`skim`] reads a line in one pass into borrowed fields, several times quicker than [`read_line`](super::read_line),
//! which alone builds the definition. Whatever is not plain is left to `read_line`: the two never disagree.

use std::borrow::Cow;

use jiff::Timestamp;
use serde::Deserialize;

use super::{APPLIED_CLIENT_OVERRIDES, LoggedResult, NOT_RUN, PUBLISHING_CHECK_RESULT};
use crate::exit_map::ExitMap;
use crate::flap::Thresholds;
use crate::result::{METRIC, TRUNCATION, is_mapped};
use crate::{CheckKey, CheckResult, Object};

/// What [`skim`] makes of a line.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "made and taken apart once a line, never kept")]
pub enum Skimmed<'a> {
    /// A check result; `read_line` reads it as well, unless its definition is nested too deep or has too many values.
    Run(Run<'a>),
    /// A scheduled run did not take place; only a [`Skimmer`](super::Skimmer) tells.
    NotRun {
        /// The line's time stamp.
        logged: Timestamp,
        /// Which check would have run.
        check: &'a CheckKey,
    },
    /// An event that readers of results pass over.
    Other,
    /// For `read_line` to say.
    Unclear,
}

/// One run of a check: what a check's state and history need of its result.
#[derive(Clone, Debug)]
pub struct Run<'a> {
    /// When the result was logged.
    pub logged: Timestamp,
    /// The client that ran the check.
    pub client: Cow<'a, str>,
    /// The check's name.
    pub name: Cow<'a, str>,
    /// The proxy client that the result is about.
    pub source: Option<Cow<'a, str>>,
    /// When the run was started, in epoch seconds; when it was asked for where the result does not say.
    pub executed: Option<i64>,
    /// How long it took, in seconds.
    pub duration: Option<f64>,
    /// The exit status.
    pub status: i64,
    /// The output.
    pub output: Cow<'a, str>,
    /// The definition's flap thresholds, where it has both.
    pub flap: Option<Thresholds>,
    /// The definition's `exit_map`, where it has one.
    pub exit_map: Option<ExitMap>,
    /// Whether the status was mapped already, see [`CheckResult::is_mapped`].
    pub mapped: bool,
    /// How many characters of the first line sensu-server kept of the output; none: all of it.
    pub(crate) truncation: Option<u64>,
}

#[derive(Deserialize)]
struct Event<'a> {
    #[serde(borrow)]
    timestamp: Cow<'a, str>,
    #[serde(borrow)]
    message: Cow<'a, str>,
    #[serde(borrow, default)]
    payload: Option<Payload<'a>>,
}

#[derive(Deserialize)]
struct Payload<'a> {
    #[serde(borrow, default)]
    client: Option<Text<'a>>,
    #[serde(borrow, default)]
    check: Option<Check<'a>>,
    #[serde(borrow, default, rename = "signature")]
    _signature: Option<Text<'a>>,
}

#[derive(Deserialize)]
struct Check<'a> {
    #[serde(borrow, default)]
    name: Option<Text<'a>>,
    #[serde(borrow, default)]
    source: Option<Text<'a>>,
    #[serde(borrow, default)]
    output: Option<Text<'a>>,
    status: Option<i64>,
    issued: Option<i64>,
    executed: Option<i64>,
    duration: Option<f64>,
    low_flap_threshold: Option<f64>,
    high_flap_threshold: Option<f64>,
    exit_map: Option<ExitMap>,
    exit_status: Option<i64>,
    #[serde(borrow, default, rename = "type")]
    kind: Option<Text<'a>>,
    truncate_output: Option<bool>,
    truncate_output_length: Option<u64>,
}

/// `Option<Cow<str>>` would be copied always: serde borrows for a `Cow` that stands alone.
#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

/// Reads one line, given without its line feed.
pub fn skim(line: &[u8]) -> Skimmed<'_> {
    // Bytes that are no UTF-8 are `read_line`'s to mend.
    let Ok(text) = std::str::from_utf8(line) else { return Skimmed::Unclear };
    let Ok(event) = serde_json::from_str::<Event>(text) else { return Skimmed::Unclear };
    match &*event.message {
        PUBLISHING_CHECK_RESULT => run(event).map_or(Skimmed::Unclear, Skimmed::Run),
        APPLIED_CLIENT_OVERRIDES => Skimmed::Unclear,
        message if NOT_RUN.contains(&message) => Skimmed::Unclear,
        _ => Skimmed::Other,
    }
}

fn run(event: Event<'_>) -> Option<Run<'_>> {
    let Payload { client, check, .. } = event.payload?;
    let check = check?;
    let (status, exit_map) = (check.status?, check.exit_map);
    Some(Run {
        logged: event.timestamp.parse().ok()?,
        client: client?.0,
        name: check.name.map(|name| name.0).filter(|name| !name.is_empty())?,
        source: check.source.map(|source| source.0).filter(|source| !source.is_empty()),
        executed: check.executed.or(check.issued),
        duration: check.duration,
        status,
        output: check.output?.0,
        flap: Thresholds::new(check.low_flap_threshold, check.high_flap_threshold),
        mapped: is_mapped(exit_map.as_ref(), check.exit_status, status),
        exit_map,
        truncation: check
            .truncate_output
            .unwrap_or_else(|| check.kind.is_some_and(|kind| kind.0 == METRIC))
            .then_some(check.truncate_output_length.unwrap_or(TRUNCATION)),
    })
}

// === impl Run ===

impl<'a> Run<'a> {
    /// The run behind a result that was read whole.
    pub fn of(logged: &'a LoggedResult) -> Self {
        Self::of_result(logged.logged, &logged.result)
    }

    /// The run behind a result that was logged then.
    pub(crate) fn of_result(logged: Timestamp, result: &'a CheckResult) -> Self {
        let threshold = |name| result.check().get(name).and_then(serde_json::Value::as_f64);
        Self {
            logged,
            client: Cow::Borrowed(result.client()),
            name: Cow::Borrowed(result.name()),
            source: result.source().map(Cow::Borrowed),
            executed: result.executed(),
            duration: result.duration(),
            status: result.exit_code(),
            output: Cow::Borrowed(result.output()),
            flap: Thresholds::new(threshold("low_flap_threshold"), threshold("high_flap_threshold")),
            exit_map: result.exit_map(),
            mapped: result.is_mapped(),
            truncation: result.truncation(),
        }
    }

    /// The run, keeping nothing of the line.
    pub(super) fn into_owned(self) -> Run<'static> {
        let owned = |text: Cow<'_, str>| Cow::Owned(text.into_owned());
        Run {
            client: owned(self.client),
            name: owned(self.name),
            source: self.source.map(owned),
            output: owned(self.output),
            ..self
        }
    }

    /// A result that says no more than this run: for a line whose definition cannot be read, being nested too deep or of too many
    /// values.
    pub fn to_result(&self) -> CheckResult {
        let mut check = Object::new();
        let mut put = |key: &str, value: serde_json::Value| check.insert(key.to_owned(), value);
        put("name", (*self.name).into());
        if let Some(source) = &self.source {
            put("source", (**source).into());
        }
        if let Some(executed) = self.executed {
            put("executed", executed.into());
        }
        if let Some(duration) = self.duration {
            put("duration", duration.into());
        }
        put("output", (*self.output).into());
        put("status", self.status.into());
        CheckResult::new(&*self.client, check).expect("a run has a name, an output and a status")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::{Line, read_line};

    fn agree(line: &str) -> bool {
        let Line::Result(whole) = read_line(line.as_bytes()) else { panic!("no result: {line}") };
        match skim(line.as_bytes()) {
            Skimmed::Run(run) => {
                assert_eq!(format!("{run:?}"), format!("{:?}", Run::of(&whole)));
                true
            }
            Skimmed::Unclear => false,
            Skimmed::NotRun { .. } | Skimmed::Other => panic!("taken for another event: {line}"),
        }
    }

    fn line(check: &str) -> String {
        format!(
            r#"{{"timestamp":"2026-11-21T02:30:48.072590+0900","level":"info","message":"publishing check result","payload":{{"client":"web-1","check":{check}}}}}"#
        )
    }

    #[test]
    fn a_run_is_what_the_whole_result_says() {
        let full = r#"{"name":"a","source":"r","handlers":["x"],"exit_map":{"1":2},"low_flap_threshold":5,"high_flap_threshold":25,"issued":7,"executed":8,"duration":0.25,"output":"two\nlines","status":1}"#;
        for plain in [
            full,
            r#"{"name":"a","source":"","issued":7,"output":"","status":-1}"#,
            r#"{"name":"a","type":"metric","exit_status":4,"output":"","status":2}"#,
            r#"{"name":"a","exit_map":{"4":2},"exit_status":4,"output":"","status":2}"#,
            r#"{"name":"a","exit_map":{"1":3,"x":5,"01":4,"256":0,"1":2,"-1":1},"exit_status":1,"output":"","status":2}"#,
            r#"{"name":"a","exit_map":null,"output":"","status":2}"#,
            r#"{"name":"a","type":"metric","truncate_output":false,"output":"","status":2}"#,
            r#"{"name":"a","truncate_output":true,"truncate_output_length":9,"output":"","status":2}"#,
        ] {
            assert!(agree(&line(plain)), "{plain}");
        }
        // What the two could see differently is not skimmed.
        for odd in [
            r#"{"name":"a","duration":"long","output":"","status":0}"#,
            r#"{"name":"a","name":"b","output":"","status":0}"#,
            r#"{"name":"a","executed":1.5,"output":"","status":0}"#,
            r#"{"name":"a","truncate_output":"yes","output":"","status":0}"#,
            r#"{"name":"a","exit_map":[1],"output":"","status":0}"#,
        ] {
            assert!(!agree(&line(odd)), "{odd}");
        }
    }

    #[test]
    fn a_definition_that_is_nested_too_deep_leaves_the_run() {
        let deep = line(&format!(
            r#"{{"name":"a","x":{}{},"output":"x","duration":0.5,"status":1}}"#,
            "[".repeat(500),
            "]".repeat(500)
        ));
        assert!(matches!(read_line(deep.as_bytes()), Line::Invalid(_)));
        let Skimmed::Run(run) = skim(deep.as_bytes()) else { panic!("no run") };
        let result = run.to_result();
        assert_eq!(
            (result.client(), result.output(), result.exit_code(), result.duration()),
            ("web-1", "x", 1, Some(0.5))
        );
    }

    #[test]
    fn other_events_and_what_read_line_has_to_judge() {
        let keepalive =
            br#"{"timestamp":"x","message":"publishing keepalive","payload":{"name":"web-1","client":"c"}}"#;
        assert!(matches!(skim(keepalive), Skimmed::Other));
        for unclear in [
            &br#"{"timestamp":"x","message":"applied sensu client overrides","client":{}}"#[..],
            br#"{"timestamp":"x","message":"publishing check result"}"#,
            b"no event",
            b"\xff",
        ] {
            assert!(matches!(skim(unclear), Skimmed::Unclear), "{unclear:?}");
        }
    }
}
