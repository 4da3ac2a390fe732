//! Client tokens: `:::path.to.attribute|default:::` in any string of a definition (sensu
//! `lib/sensu/utilities.rb`, `object_substitute_tokens`).
//!
//! Two of sensu-client's faults are mended: text that is not ASCII stays, and each run starts from the definition.

use std::fmt::Write;
use std::sync::LazyLock;

use check_result::Object;
use regex::{Captures, Regex};
use serde_json::Value;

static TOKEN: LazyLock<Regex> = LazyLock::new(|| Regex::new(r":::([^:].*?):::").expect("a constant pattern compiles"));

/// The definition with its tokens replaced.
#[derive(Debug, PartialEq)]
pub(super) struct Substituted {
    /// Strings at any depth replaced, keys not. An unmatched token is replaced by nothing.
    pub(super) definition: Object,
    /// The paths that the client has no value for, each once, in order.
    pub(super) unmatched: Vec<String>,
}

/// Replaces the tokens of `definition` by attributes of `client`. There is no shell quoting.
pub(super) fn substitute(definition: &Object, client: &Object) -> Substituted {
    let mut replacer = Replacer { client, unmatched: Vec::new() };
    let definition = replacer.object(definition);
    Substituted { definition, unmatched: replacer.unmatched }
}

/// One string with its tokens replaced, and the paths that the client has no value for.
pub(crate) fn substitute_text(text: &str, client: &Object) -> (String, Vec<String>) {
    let mut replacer = Replacer { client, unmatched: Vec::new() };
    (replacer.text(text), replacer.unmatched)
}

/// Whether the string has a token.
pub(crate) fn has_token(text: &str) -> bool {
    TOKEN.is_match(text)
}

struct Replacer<'a> {
    client: &'a Object,
    unmatched: Vec<String>,
}

// === impl Replacer ===

impl Replacer<'_> {
    fn object(&mut self, object: &Object) -> Object {
        object.iter().map(|(key, value)| (key.clone(), self.value(value))).collect()
    }

    fn value(&mut self, value: &Value) -> Value {
        match value {
            Value::String(text) => Value::String(self.text(text)),
            Value::Object(object) => Value::Object(self.object(object)),
            Value::Array(values) => values.iter().map(|value| self.value(value)).collect(),
            other => other.clone(),
        }
    }

    fn text(&mut self, text: &str) -> String {
        TOKEN.replace_all(text, |token: &Captures<'_>| self.token(&token[1])).into_owned()
    }

    fn token(&mut self, token: &str) -> String {
        let (path, default) = token.split_once('|').map_or((token, None), |(path, default)| (path, Some(default)));
        let found = lookup(self.client, path).map(to_s).or_else(|| default.map(str::to_owned));
        found.unwrap_or_else(|| {
            if !self.unmatched.iter().any(|seen| seen == path) {
                self.unmatched.push(path.to_owned());
            }
            String::new()
        })
    }
}

/// Walks objects; the first value that is none ends the walk, whatever is left of the path.
fn lookup<'a>(client: &'a Object, path: &str) -> Option<&'a Value> {
    let mut object = client;
    for key in path.trim_end_matches('.').split('.') {
        match object.get(key)? {
            Value::Object(inner) => object = inner,
            Value::Null => return None,
            value => return Some(value),
        }
    }
    None
}

// === Ruby's text of a value ===

/// Ruby's `to_s`.
fn to_s(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => inspect(other),
    }
}

/// Ruby's `inspect`, which is also the `to_s` of everything but strings and null.
fn inspect(value: &Value) -> String {
    match value {
        Value::Null => "nil".to_owned(),
        Value::Bool(boolean) => boolean.to_string(),
        Value::Number(number) if number.as_str().contains(['.', 'e', 'E']) => {
            number.as_f64().map_or_else(|| number.to_string(), float)
        }
        Value::Number(number) => number.to_string(),
        Value::String(text) => quoted(text),
        Value::Array(values) => format!("[{}]", values.iter().map(inspect).collect::<Vec<_>>().join(", ")),
        Value::Object(object) => {
            let members = object.iter().map(|(key, value)| format!(":{key}=>{}", inspect(value)));
            format!("{{{}}}", members.collect::<Vec<_>>().join(", "))
        }
    }
}

/// The shortest digits that say the number; an exponent below 1e-4 and from 1e16 on, with a point and two digits.
fn float(number: f64) -> String {
    if number == 0.0 || (1e-4..1e16).contains(&number.abs()) {
        return format!("{number:?}");
    }
    let scientific = format!("{number:e}");
    let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let point = if digits.contains('.') { "" } else { ".0" };
    let sign = if exponent.starts_with('-') { '-' } else { '+' };
    format!("{digits}{point}e{sign}{:0>2}", exponent.trim_start_matches('-'))
}

/// Ruby's `inspect` of a string.
fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for (index, character) in text.char_indices() {
        let interpolates = || text[index + 1..].starts_with(['{', '$', '@']);
        match character {
            '"' | '\\' => quoted.extend(['\\', character]),
            '#' if interpolates() => quoted.push_str("\\#"),
            '\n' => quoted.push_str("\\n"),
            '\t' => quoted.push_str("\\t"),
            '\r' => quoted.push_str("\\r"),
            '\u{1b}' => quoted.push_str("\\e"),
            control if control.is_ascii_control() => {
                write!(quoted, "\\x{:02X}", u32::from(control)).expect("a string can be written to");
            }
            other => quoted.push(other),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn client() -> Object {
        json!({
            "name": "web-1", "empty": "", "no": false, "nothing": null, "one": 1.0, "big": 1e100, "small": 0.00001,
            "list": [1, "x\"", null, true], "team": "運用", "disk": {"warn": 85, "deep": {"er": "down"}},
        })
        .as_object()
        .cloned()
        .unwrap()
    }

    fn text(text: &str) -> (String, Vec<String>) {
        let Substituted { definition, unmatched } =
            substitute(&Object::from_iter([("command".to_owned(), text.into())]), &client());
        (definition["command"].as_str().unwrap().to_owned(), unmatched)
    }

    /// Upstream `spec/utilities_spec.rb` 146 and `spec/client/process_spec.rb` 181 (A45, A11).
    #[test]
    fn values_and_defaults() {
        for (token, want) in [
            (":::name:::", "web-1"),
            ("-w :::disk.warn|80::: -c :::disk.crit|95:::", "-w 85 -c 95"),
            (":::disk.deep.er:::", "down"),
            (":::name.of.nothing:::", "web-1"),
            (":::x|:::y", "y"),
            (":::x|a|b:::", "a|b"),
            (":::x|:::", ""),
            (":::empty|default:::", ""),
            (":::disk|none:::", "none"),
            (":::name::::::disk.warn:::", "web-185"),
            (":::no:::", "false"),
            (":::one::: :::big::: :::small:::", "1.0 1.0e+100 1.0e-05"),
            (":::list:::", r#"[1, "x\"", nil, true]"#),
            ("手順 :::team::: :::x|既定:::", "手順 運用 既定"),
        ] {
            assert_eq!(text(token), (want.to_owned(), vec![]), "{token}");
        }
    }

    /// Upstream `spec/client/process_spec.rb` 203 (A12).
    #[test]
    fn unmatched_paths_are_listed_once_and_in_order() {
        let got = text("a:::b.c:::d:::nothing:::e:::disk:::f:::b.c:::");
        assert_eq!(got, ("adef".to_owned(), vec!["b.c".into(), "nothing".into(), "disk".into()]));
    }

    /// Upstream `spec/client/process_spec.rb` 154 (A10).
    #[test]
    fn strings_are_replaced_at_any_depth_and_keys_are_not() {
        let Value::Object(definition) = json!({":::name:::": [{"a": ":::name:::"}, 5], "h": {"c": ":::x:::"}}) else {
            panic!("an object")
        };
        let got = substitute(&definition, &client());
        assert_eq!(Value::Object(got.definition), json!({":::name:::": [{"a": "web-1"}, 5], "h": {"c": ""}}));
        assert_eq!(got.unmatched, ["x"]);
    }

    /// A piece of a command.
    #[derive(Clone, Debug)]
    enum Piece {
        Text(String),
        Token { path: String, default: Option<String> },
    }

    /// What a client of one attribute, and one within another, makes of the pieces.
    fn expected(pieces: &[Piece]) -> (String, Vec<String>) {
        let (mut text, mut unmatched) = (String::new(), Vec::new());
        for piece in pieces {
            match piece {
                Piece::Text(piece) => text.push_str(piece),
                Piece::Token { path, .. } if path == "name" => text.push_str("web-1"),
                Piece::Token { path, .. } if path == "disk.warn" => text.push_str("85"),
                Piece::Token { default: Some(default), .. } => text.push_str(default),
                Piece::Token { path, .. } if unmatched.contains(path) => (),
                Piece::Token { path, .. } => unmatched.push(path.clone()),
            }
        }
        (text, unmatched)
    }

    fn pieces() -> impl Strategy<Value = Vec<Piece>> {
        let path = prop_oneof!["name", "disk\\.warn", "disk\\.crit", "[a-z運]{1,3}(\\.[a-z]{1,3}){0,2}"];
        let token = (path, prop::option::of("[^:|\n]{0,4}")).prop_map(|(path, default)| Piece::Token { path, default });
        prop::collection::vec(prop_oneof!["[^:]{0,6}".prop_map(Piece::Text), token], 0..8)
    }

    proptest! {
        #[test]
        fn each_token_is_replaced_where_it_stands(pieces in pieces()) {
            let written: String = pieces.iter().map(|piece| match piece {
                Piece::Text(text) => text.clone(),
                Piece::Token { path, default: None } => format!(":::{path}:::"),
                Piece::Token { path, default: Some(default) } => format!(":::{path}|{default}:::"),
            }).collect();
            prop_assert_eq!(text(&written), expected(&pieces), "{}", written);
        }

        #[test]
        fn text_without_a_token_stays_as_it_is(any in "[:a|.運\n]{0,20}") {
            if !has_token(&any) {
                prop_assert_eq!(text(&any), (any, vec![]));
            }
        }

        /// What a value brings in is no token itself, wherever it stands.
        #[test]
        fn values_are_not_looked_into(value in "[:a|]{0,12}") {
            let client = Object::from_iter([("a".to_owned(), value.as_str().into())]);
            prop_assert_eq!(substitute_text("<:::a:::>", &client), (format!("<{value}>"), vec![]));
        }
    }
}
