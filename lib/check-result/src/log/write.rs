//! Writing log lines.

use std::fmt;
use std::io::{self, Write};
use std::str::FromStr;

use jiff::Zoned;
use serde::Serialize;
use serde::ser::{SerializeMap as _, Serializer};
use serde_json::ser::Formatter;

use super::{PUBLISHING_CHECK_RESULT, number};
use crate::{CheckResult, Object};

/// The level of a line, lowest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Details of the schedule and of each run.
    Debug,
    /// Results.
    Info,
    /// Start-up notices and skipped runs; a log at this level holds no results.
    Warn,
    /// Something failed.
    Error,
    /// The process cannot go on.
    Fatal,
}

/// A word that names no level.
#[derive(Debug, thiserror::Error)]
#[error("Unknown log level: {0}")]
pub struct UnknownLevel(String);

/// Appends one line, line feed included: `timestamp`, `level`, `message`, then `fields`. As in sensu-logger, a field
/// that has the name of one of the first three takes its place.
pub fn write_line(out: &mut Vec<u8>, at: &Zoned, level: Level, message: &str, fields: &Object) {
    write_event(out, &Line { timestamp: &timestamp(at), level: level.word(), message, fields });
}

/// Appends the line of one result.
pub fn write_result(out: &mut Vec<u8>, at: &Zoned, result: &CheckResult) {
    let (timestamp, level) = (&timestamp(at), Level::Info.word());
    write_event(out, &ResultLine { timestamp, level, message: PUBLISHING_CHECK_RESULT, payload: result });
}

/// Appends what the line of a result has as its `payload`, without a line feed.
pub fn write_payload(out: &mut Vec<u8>, result: &CheckResult) {
    write_json(out, result);
}

fn write_event(out: &mut Vec<u8>, event: &impl Serialize) {
    write_json(out, event);
    out.push(b'\n');
}

fn write_json(out: &mut Vec<u8>, value: &impl Serialize) {
    let mut serializer = serde_json::Serializer::with_formatter(out, OjFormatter);
    value.serialize(&mut serializer).expect("keys are strings and memory takes every byte");
}

fn timestamp(at: &Zoned) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%S%.6f%z").to_string()
}

/// The line of a result; borrowed, since outputs are long.
#[derive(Serialize)]
struct ResultLine<'a> {
    timestamp: &'a str,
    level: &'a str,
    message: &'a str,
    payload: &'a CheckResult,
}

/// Any other line.
struct Line<'a> {
    timestamp: &'a str,
    level: &'a str,
    message: &'a str,
    fields: &'a Object,
}

/// serde_json's compact form with numbers as Oj prints them; strings are the same in both.
struct OjFormatter;

// === impl Level ===

impl Level {
    /// The word in the log.
    pub fn word(self) -> &'static str {
        match self {
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Error => "error",
            Self::Fatal => "fatal",
        }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

impl FromStr for Level {
    type Err = UnknownLevel;

    /// In any case, as sensu-client's `-L` takes it.
    fn from_str(word: &str) -> Result<Self, Self::Err> {
        [Self::Debug, Self::Info, Self::Warn, Self::Error, Self::Fatal]
            .into_iter()
            .find(|level| level.word().eq_ignore_ascii_case(word))
            .ok_or_else(|| UnknownLevel(word.to_owned()))
    }
}

// === impl Line ===

impl Serialize for Line<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let fixed = [("timestamp", self.timestamp), ("level", self.level), ("message", self.message)];
        let mut event = serializer.serialize_map(None)?;
        for (name, text) in fixed {
            match self.fields.get(name) {
                Some(value) => event.serialize_entry(name, value)?,
                None => event.serialize_entry(name, text)?,
            }
        }
        for (name, value) in self.fields.iter().filter(|(name, _)| fixed.iter().all(|(fixed, _)| fixed != name)) {
            event.serialize_entry(name, value)?;
        }
        event.end()
    }
}

// === impl OjFormatter ===

impl Formatter for OjFormatter {
    fn write_number_str<W: ?Sized + Write>(&mut self, writer: &mut W, value: &str) -> io::Result<()> {
        writer.write_all(number::oj(value).as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn at(text: &str) -> Zoned {
        jiff::fmt::strtime::parse("%Y-%m-%dT%H:%M:%S%.f%z", text).unwrap().to_zoned().unwrap()
    }

    fn line(level: Level, message: &str, fields: Value) -> String {
        let mut out = Vec::new();
        let Value::Object(fields) = fields else { panic!("an object") };
        write_line(&mut out, &at("2026-11-21T02:30:46.345+0900"), level, message, &fields);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn key_order_time_zone_and_microseconds() {
        assert_eq!(
            line(Level::Warn, "loading config file", json!({"file": "/etc/sensu/config.json"})),
            "{\"timestamp\":\"2026-11-21T02:30:46.345000+0900\",\"level\":\"warn\",\"message\":\"loading config file\",\
             \"file\":\"/etc/sensu/config.json\"}\n"
        );
    }

    #[test]
    fn strings_are_escaped_as_oj_escapes_them() {
        let got =
            line(Level::Info, "m", json!({"a": "\"\\/<>&\u{8}\t\n\u{c}\r\u{0}\u{1b}\u{7f}\u{85}\u{2028}日本 😀"}));
        let want = "\"a\":\"\\\"\\\\/<>&\\b\\t\\n\\f\\r\\u0000\\u001b\u{7f}\u{85}\u{2028}日本 😀\"}\n";
        assert!(got.ends_with(want), "{got}");
    }

    #[test]
    fn a_field_takes_the_place_of_a_fixed_key() {
        let got = line(Level::Error, "message", json!({"message": "this is not json", "error": "x"}));
        assert!(got.ends_with("\"level\":\"error\",\"message\":\"this is not json\",\"error\":\"x\"}\n"), "{got}");
    }
}
