//! One definition file: Sensu's lenient JSON, and where in it a field stands.
//!
//! sensu-client reads with Oj, which takes comments, raw line breaks in strings, duplicate keys (the last wins), `NaN`,
//! numbers with leading zeros, a byte order mark and an empty file. All of it is taken here too, by a JSON-with-comments
//! parser that keeps positions; what Oj refuses (trailing commas, single quotes) is refused.

mod zeros;

use std::path::PathBuf;

use check_result::Object;
use indexmap::IndexMap;
use jsonc_parser::ast;
use jsonc_parser::errors::ParseError;
use jsonc_parser::{CollectOptions, ParseOptions, parse_to_ast};
use serde_json::{Number, Value};

/// A parsed file. It keeps its text so that a failure found later can be told with its line.
#[derive(Debug)]
pub(crate) struct Document {
    text: String,
    object: Object,
}

/// A member of one of a file's objects.
#[derive(Debug, PartialEq)]
pub(super) struct Member {
    /// The keys that lead to it.
    pub(super) path: Vec<String>,
    /// The line, from 1, on which its key stands.
    pub(super) line: usize,
    pub(super) value: Value,
    /// The line of a member before it with the same key, which therefore says nothing.
    pub(super) hidden: Option<usize>,
}

/// Why a text is not a Sensu definition file.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason} at line {line}, column {column}")]
pub(crate) struct SyntaxError {
    reason: String,
    /// From 1.
    pub(crate) line: usize,
    /// From 1, in characters.
    pub(crate) column: usize,
}

// === impl Document ===

impl Document {
    /// Reads a file's text. A text of white space only is `{}`.
    pub(crate) fn parse(text: String) -> Result<Self, SyntaxError> {
        let text = zeros::blank(text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text));
        let object = match parse(&text).map_err(|error| SyntaxError::from(&error))? {
            None => Object::new(),
            Some(ast::Value::Object(object)) => members(&object),
            Some(_) => {
                let reason = "expected an object, `{…}`".to_owned();
                return Err(SyntaxError { reason, line: 1, column: 1 });
            }
        };
        Ok(Self { text, object })
    }

    /// What the file says.
    pub(crate) fn object(&self) -> &Object {
        &self.object
    }

    /// How many of a path's keys the file has.
    pub(crate) fn depth(&self, path: &[String]) -> usize {
        let mut object = Some(&self.object);
        let has = |key: &&String| {
            let value = object.and_then(|object| object.get(*key));
            object = value.and_then(Value::as_object);
            value.is_some()
        };
        path.iter().take_while(has).count()
    }

    /// Every member at any depth of objects, parents first; of equal keys the last.
    pub(super) fn members(&self) -> Vec<Member> {
        let starts = std::iter::once(0).chain(self.text.match_indices('\n').map(|(at, _)| at + 1));
        let mut walk = Walk { line_starts: starts.collect(), path: Vec::new(), members: Vec::new() };
        if let Ok(Some(ast::Value::Object(object))) = parse(&self.text) {
            walk.object(&object);
        }
        walk.members
    }

    /// The line, from 1, on which the last key of a path stands.
    pub(crate) fn line(&self, path: &[String]) -> Option<usize> {
        let root = parse(&self.text).ok()??;
        let (first, rest) = path.split_first()?;
        let mut found = member(&root, first)?;
        for key in rest {
            found = member(&found.value, key)?;
        }
        Some(self.text[..found.range.start].matches('\n').count() + 1)
    }
}

struct Walk {
    line_starts: Vec<usize>,
    path: Vec<String>,
    members: Vec<Member>,
}

// === impl Walk ===

impl Walk {
    fn object(&mut self, object: &ast::Object<'_>) {
        // By key, in the order of their first appearance, as merging sees them.
        let mut last: IndexMap<&str, (&ast::ObjectProp<'_>, Option<usize>)> = IndexMap::new();
        for member in &object.properties {
            let key = member.name.as_str();
            let hidden = last.get(key).map(|(earlier, _)| self.line(earlier));
            last.insert(key, (member, hidden));
        }
        for (key, (member, hidden)) in last {
            self.path.push(key.to_owned());
            let (line, value) = (self.line(member), json(&member.value));
            self.members.push(Member { path: self.path.clone(), line, value, hidden });
            if let ast::Value::Object(inner) = &member.value {
                self.object(inner);
            }
            self.path.pop();
        }
    }

    fn line(&self, member: &ast::ObjectProp<'_>) -> usize {
        self.line_starts.partition_point(|start| *start <= member.range.start)
    }
}

/// Where the file that says it has the nearest of a path's keys: the deepest match, of equals the one that was loaded
/// last and so has the last word.
pub(crate) fn place(documents: &[(PathBuf, Document)], path: &[String]) -> Option<(PathBuf, usize)> {
    let (file, document) = documents.iter().max_by_key(|(_, document)| document.depth(path))?;
    Some((file.clone(), document.line(&path[..document.depth(path)])?))
}

/// Reads any JSON text with the same leniency; a text of white space only is null.
pub(crate) fn lenient_json(text: &str) -> Result<Value, SyntaxError> {
    let text = zeros::blank(text.strip_prefix('\u{feff}').unwrap_or(text).to_owned());
    let parsed = parse(&text).map_err(|error| SyntaxError::from(&error))?;
    Ok(parsed.as_ref().map_or(Value::Null, json))
}

fn parse(text: &str) -> Result<Option<ast::Value<'_>>, ParseError> {
    let options = ParseOptions {
        allow_comments: true,
        allow_non_finite_numbers: true,
        allow_loose_object_property_names: false,
        allow_trailing_commas: false,
        allow_missing_commas: false,
        allow_single_quoted_strings: false,
        allow_hexadecimal_numbers: false,
        allow_unary_plus_numbers: false,
        allow_bare_decimal_point_numbers: false,
        allow_extended_string_escapes: false,
    };
    parse_to_ast(text, &CollectOptions::default(), &options).map(|parsed| parsed.value)
}

fn member<'a>(value: &'a ast::Value<'_>, key: &str) -> Option<&'a ast::ObjectProp<'a>> {
    value.as_object()?.properties.iter().rfind(|member| member.name.as_str() == key)
}

fn members(object: &ast::Object<'_>) -> Object {
    object.properties.iter().map(|member| (member.name.as_str().to_owned(), json(&member.value))).collect()
}

fn json(value: &ast::Value<'_>) -> Value {
    match value {
        ast::Value::StringLit(string) => Value::String(string.value.clone().into_owned()),
        // `NaN` and the infinities are no JSON; they become null.
        ast::Value::NumberLit(number) => number.value.parse::<Number>().map_or(Value::Null, Value::Number),
        ast::Value::BooleanLit(boolean) => Value::Bool(boolean.value),
        ast::Value::NullKeyword(_) => Value::Null,
        ast::Value::Object(object) => Value::Object(members(object)),
        ast::Value::Array(array) => Value::Array(array.elements.iter().map(json).collect()),
    }
}

// === impl SyntaxError ===

impl From<&ParseError> for SyntaxError {
    fn from(error: &ParseError) -> Self {
        Self { reason: error.kind().to_string(), line: error.line_display(), column: error.column_display() }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn object(text: &str) -> Value {
        Value::Object(Document::parse(text.to_owned()).unwrap().object)
    }

    fn refusal(text: &str) -> String {
        Document::parse(text.to_owned()).unwrap_err().to_string()
    }

    #[test]
    fn what_oj_takes_is_taken() {
        assert_eq!(object(""), json!({}));
        assert_eq!(object("\u{feff} \n"), json!({}));
        assert_eq!(object("\u{feff}{\"a\": 1}"), json!({"a": 1}));
        assert_eq!(object("// top\n{\"a\": /* in */ \"http://x/*no*/\"} // end"), json!({"a": "http://x/*no*/"}));
        assert_eq!(object("{\"a\": \"one\ntwo\"}"), json!({"a": "one\ntwo"}));
        assert_eq!(object("{\"a\": 1, \"b\": 2, \"a\": 3}"), json!({"a": 3, "b": 2}));
        assert_eq!(object("{\"a\": NaN}"), json!({"a": null}));
        assert_eq!(object("{\"a\": [007, -010.5]}"), json!({"a": [7, -10.5]}));
    }

    #[test]
    fn numbers_keep_their_digits() {
        let text = r#"{"a":12345678901234567890123,"b":1.50,"c":-3,"d":1e+3}"#;
        assert_eq!(object(text).to_string(), text);
    }

    #[test]
    fn what_oj_refuses_is_refused_with_its_place() {
        assert_eq!(refusal("{\n  \"a\": {\"b\": 1,}\n}"), "Trailing commas are not allowed at line 2, column 15");
        assert_eq!(refusal("{\"a\": 'b'}"), "Single-quoted strings are not allowed at line 1, column 7");
        assert!(refusal("{\"a\": 1").contains("line 1"), "{}", refusal("{\"a\": 1"));
        assert_eq!(refusal("[]"), "expected an object, `{…}` at line 1, column 1");
        assert!(refusal(&"[".repeat(100_000)).contains("line 1"));
    }

    #[test]
    fn a_field_is_found_by_its_path_as_far_as_it_goes() {
        let text = "{\n // c\n \"checks\": {\n  \"a\": {\n   \"interval\": 0\n  }\n }\n}";
        let document = Document::parse(text.to_owned()).unwrap();
        let path = |keys: &[&str]| keys.iter().map(|&key| key.to_owned()).collect::<Vec<_>>();
        assert_eq!(document.depth(&path(&["checks", "a", "interval", "x"])), 3);
        assert_eq!(document.depth(&path(&["checks", "a", "command"])), 2);
        assert_eq!(document.depth(&path(&["client", "name"])), 0);
        assert_eq!(document.line(&path(&["checks", "a", "interval"])), Some(5));
        assert_eq!(document.line(&path(&["checks", "b"])), None);
    }

    #[test]
    fn members_come_with_their_lines_and_the_ones_that_they_hide() {
        let text = "{\"a\": {\n \"b\": 1,\n \"b\":\n 2},\n \"c\": []}";
        let member = |path: &[&str], line, value, hidden| Member {
            path: path.iter().map(|&key| key.to_owned()).collect(),
            line,
            value,
            hidden,
        };
        let want = [
            member(&["a"], 1, json!({"b": 2}), None),
            member(&["a", "b"], 3, json!(2), Some(2)),
            member(&["c"], 5, json!([]), None),
        ];
        assert_eq!(Document::parse(text.to_owned()).unwrap().members(), want);
    }
}
