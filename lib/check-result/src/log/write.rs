//! Writing log lines.

use std::fmt;
use std::io::{self, Write};
use std::str::FromStr;

use jiff::Zoned;
use serde::Serialize;
use serde_json::json;
use serde_json::ser::{Formatter, Serializer};

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
    let mut event = Object::with_capacity(3 + fields.len());
    event.insert("timestamp".to_owned(), json!(at.strftime("%Y-%m-%dT%H:%M:%S%.6f%z").to_string()));
    event.insert("level".to_owned(), json!(level.word()));
    event.insert("message".to_owned(), json!(message));
    for (name, value) in fields {
        event.insert(name.clone(), value.clone());
    }
    write_json(out, &event);
    out.push(b'\n');
}

/// Appends what the line of a result has as its `payload`, without a line feed.
pub fn write_payload(out: &mut Vec<u8>, result: &CheckResult) {
    write_json(out, result);
}

fn write_json(out: &mut Vec<u8>, value: &impl Serialize) {
    let mut serializer = Serializer::with_formatter(out, OjFormatter);
    value.serialize(&mut serializer).expect("JSON serializes into memory");
}

/// Appends the line of one result.
pub fn write_result(out: &mut Vec<u8>, at: &Zoned, result: &CheckResult) {
    let fields = Object::from_iter([("payload".to_owned(), json!(result))]);
    write_line(out, at, Level::Info, PUBLISHING_CHECK_RESULT, &fields);
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

// === impl OjFormatter ===

impl Formatter for OjFormatter {
    fn write_number_str<W: ?Sized + Write>(&mut self, writer: &mut W, value: &str) -> io::Result<()> {
        writer.write_all(number::oj(value).as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

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
