//! Reading log lines.

use std::borrow::Cow;

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::{APPLIED_CLIENT_OVERRIDES, NOT_RUN, PUBLISHING_CHECK_RESULT, repair};
use crate::values::{MOST_VALUES, too_many};
use crate::{CheckKey, CheckResult, Object};

/// What one line of the log is.
#[derive(Debug, PartialEq)]
pub enum Line {
    /// A check result.
    Result(LoggedResult),
    /// The client was started, or has read its definitions again.
    ClientAttributes {
        /// The line's own time stamp, where it has one.
        logged: Option<Timestamp>,
        /// The client's own attributes, redacted as the client logged them.
        client: Object,
    },
    /// A scheduled run did not take place: the one before was still in progress or waited to be, or it was subdued.
    NotRun {
        /// The line's own time stamp, where it has one.
        logged: Option<Timestamp>,
        /// Which check would have run.
        check: CheckKey,
    },
    /// Any other event; readers of results pass over it.
    Other,
    /// Not an event of this log: counted and skipped.
    Invalid(InvalidLine),
}

/// A result and when it was logged, which is when the check ended.
#[derive(Debug, PartialEq)]
pub struct LoggedResult {
    /// The line's own time stamp.
    pub logged: Timestamp,
    /// The result.
    pub result: CheckResult,
}

/// Why a line is not an event.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidLine {
    /// Not a JSON object with `timestamp` and `message`: a traceback that Ruby printed, a torn line, binary garbage.
    #[error("not a JSON event: {0}")]
    NotAnEvent(String),
    /// A result line whose payload is no result.
    #[error("not a check result: {0}")]
    NotAResult(String),
}

/// The part of an event that a reader of results needs; everything else is passed over unparsed.
#[derive(Deserialize)]
struct Event<'a> {
    #[serde(borrow)]
    timestamp: Cow<'a, str>,
    #[serde(borrow)]
    message: Cow<'a, str>,
    #[serde(borrow)]
    payload: Option<&'a RawValue>,
    #[serde(borrow)]
    client: Option<&'a RawValue>,
    #[serde(borrow)]
    check: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Identity {
    name: String,
    source: Option<String>,
}

#[derive(Deserialize)]
struct Payload {
    client: String,
    check: Object,
    signature: Option<String>,
}

/// Reads one line, given without its line feed. Takes any bytes: invalid UTF-8 becomes U+FFFD, a bare `NaN` null, and of
/// a record that is glued behind a torn one the record is returned. A result of more than [`MOST_VALUES`] values is none: whoever
/// may push results would have every reader take a hundred times the line's length of memory.
pub fn read_line(line: &[u8]) -> Line {
    let text = String::from_utf8_lossy(line);
    match read_event(&text) {
        Line::Invalid(reason @ InvalidLine::NotAnEvent(_)) => repaired(line, &text).unwrap_or(Line::Invalid(reason)),
        read => read,
    }
}

fn repaired(line: &[u8], text: &str) -> Option<Line> {
    if let Cow::Owned(text) = repair::without_nan(text)
        && let read @ (Line::Result(_) | Line::ClientAttributes { .. } | Line::NotRun { .. } | Line::Other) =
            read_event(&text)
    {
        return Some(read);
    }
    repair::glued_tail(line).map(read_line)
}

fn read_event(text: &str) -> Line {
    let event: Event = match serde_json::from_str(text) {
        Ok(event) => event,
        Err(error) => return Line::Invalid(InvalidLine::NotAnEvent(error.to_string())),
    };
    let logged = || event.timestamp.parse().ok();
    match (&*event.message, event.payload, event.client, event.check) {
        (PUBLISHING_CHECK_RESULT, Some(payload), ..) => read_result(&event.timestamp, payload),
        (APPLIED_CLIENT_OVERRIDES, _, Some(client), _) => serde_json::from_str(client.get())
            .map_or(Line::Other, |client| Line::ClientAttributes { logged: logged(), client }),
        (message, _, _, Some(check)) if NOT_RUN.contains(&message) => serde_json::from_str(check.get())
            .map_or(Line::Other, |check: Identity| Line::NotRun { logged: logged(), check: check.key() }),
        _ => Line::Other,
    }
}

fn read_result(timestamp: &str, payload: &RawValue) -> Line {
    let logged = match timestamp.parse() {
        Ok(logged) => logged,
        Err(error) => return not_a_result(error),
    };
    if too_many(payload.get().as_bytes()) {
        return not_a_result(format_args!("more than {MOST_VALUES} JSON values"));
    }
    let Payload { client, check, signature } = match serde_json::from_str(payload.get()) {
        Ok(payload) => payload,
        Err(error) => return not_a_result(error),
    };
    match CheckResult::new(client, check) {
        Ok(result) => Line::Result(LoggedResult { logged, result: result.with_signature(signature) }),
        Err(error) => not_a_result(error),
    }
}

// === impl Identity ===

impl Identity {
    fn key(self) -> CheckKey {
        CheckKey { check: self.name, source: self.source.filter(|source| !source.is_empty()) }
    }
}

fn not_a_result(error: impl std::fmt::Display) -> Line {
    Line::Invalid(InvalidLine::NotAResult(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn result(line: &[u8]) -> CheckResult {
        match read_line(line) {
            Line::Result(logged) => logged.result,
            other => panic!("{other:?}"),
        }
    }

    const HEAD: &str = r#"{"timestamp":"2026-11-21T02:30:48.072590+0900","level":"info","message":"publishing check result","payload":"#;

    fn line(check: &str) -> Vec<u8> {
        format!(r#"{HEAD}{{"client":"web-1","check":{check}}}}}"#).into_bytes()
    }

    #[test]
    fn a_result_with_its_time_zone() {
        let Line::Result(logged) = read_line(&line(r#"{"name":"a","output":"x\n","status":2}"#)) else { panic!() };
        assert_eq!(logged.logged, "2026-11-20T17:30:48.072590Z".parse().unwrap());
        assert_eq!((logged.result.client(), logged.result.exit_code()), ("web-1", 2));
    }

    #[test]
    fn broken_bytes_and_bare_nan_are_mended() {
        let mut bytes = line(r#"{"name":"a","custom":NaN,"output":"caf# NaN","status":0}"#);
        let at = bytes.iter().position(|&b| b == b'#').unwrap();
        bytes[at] = 0xe9;
        let mended = result(&bytes);
        assert_eq!(mended.output(), "caf\u{fffd} NaN");
        assert!(mended.check()["custom"].is_null());
    }

    #[test]
    fn a_record_glued_behind_a_torn_one_is_recovered() {
        let whole = line(r#"{"name":"a","output":"","status":0}"#);
        let torn = [&whole[..whole.len() / 2], &whole[..]].concat();
        assert_eq!(result(&torn).name(), "a");
    }

    #[test]
    fn a_result_of_very_many_values_is_not_read_and_a_long_one_is() {
        let of = |more: &str| line(&format!(r#"{{"name":"a","output":"","status":0,"x":{more}}}"#));
        let reason = "not a check result: more than 10000 JSON values";
        let Line::Invalid(told) = read_line(&of(&format!("[{}0]", "[0],".repeat(6_000)))) else {
            panic!("it was read")
        };
        assert_eq!(told.to_string(), reason);
        assert_eq!(result(&of(&format!("\"{}\"", "[0],".repeat(600_000)))).name(), "a");
    }

    #[test]
    fn what_is_not_a_result_is_told_apart() {
        assert_eq!(read_line(br#"{"timestamp":"x","message":"stopping"}"#), Line::Other);
        let client = br#"{"timestamp":"x","message":"applied sensu client overrides","client":{"name":"n"}}"#;
        assert!(matches!(read_line(client), Line::ClientAttributes { client, .. } if client["name"] == "n"));
        let overlap = br#"{"timestamp":"2026-11-21T02:30:48.072590+0000","message":"previous check command execution in progress","check":{"name":"a","source":"r"}}"#;
        let check = CheckKey { check: "a".into(), source: Some("r".into()) };
        let not_run = Line::NotRun { logged: "2026-11-21T02:30:48.07259Z".parse().ok(), check };
        assert_eq!(read_line(overlap), not_run);
        let waiting = str::from_utf8(overlap).unwrap().replace("in progress", "is waiting for a free slot");
        assert_eq!(read_line(waiting.as_bytes()), not_run);
        for invalid in [&b""[..], b"/usr/lib/ruby: no such file", b"null", b"{}", &[0xff, 0x00]] {
            assert!(matches!(read_line(invalid), Line::Invalid(InvalidLine::NotAnEvent(_))), "{invalid:?}");
        }
        let no_status = line(r#"{"name":"a","output":""}"#);
        assert!(matches!(read_line(&no_status), Line::Invalid(InvalidLine::NotAResult(_))));
        let deep = [HEAD.as_bytes(), &b"[".repeat(100_000)].concat();
        assert!(matches!(read_line(&deep), Line::Invalid(_)));
    }
}
