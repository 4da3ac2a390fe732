//! JSON as sensu-client prints it for people: like serde_json's pretty form, without a space after the colon.

use std::io::{self, Write};

use serde::Serialize;
use serde_json::Value;
use serde_json::ser::{Formatter, PrettyFormatter, Serializer};

/// The text, without a final line feed.
pub(crate) fn text(value: &Value) -> String {
    let mut out = Vec::new();
    let formatter = Oj(PrettyFormatter::new());
    value.serialize(&mut Serializer::with_formatter(&mut out, formatter)).expect("JSON serializes into memory");
    String::from_utf8(out).expect("JSON is UTF-8")
}

struct Oj(PrettyFormatter<'static>);

// === impl Oj ===

impl Formatter for Oj {
    fn begin_object_value<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        writer.write_all(b":")
    }

    fn begin_array<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.begin_array(writer)
    }

    fn end_array<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_array(writer)
    }

    fn begin_array_value<W: ?Sized + Write>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        self.0.begin_array_value(writer, first)
    }

    fn end_array_value<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_array_value(writer)
    }

    fn begin_object<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.begin_object(writer)
    }

    fn end_object<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_object(writer)
    }

    fn begin_object_key<W: ?Sized + Write>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        self.0.begin_object_key(writer, first)
    }

    fn end_object_value<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_object_value(writer)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    #[test]
    fn as_sensu_client_prints_it() {
        let text = super::text(&json!({"a": {}, "b": [1, {"c": "d"}], "e": []}));
        assert_eq!(text, "{\n  \"a\":{},\n  \"b\":[\n    1,\n    {\n      \"c\":\"d\"\n    }\n  ],\n  \"e\":[]\n}");
    }
}
