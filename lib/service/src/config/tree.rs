//! A file as it is written: a tree of YAML nodes, each with its line.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_saphyr::Spanned;

/// A value with the line on which it begins.
#[derive(Clone, Debug)]
pub struct Node {
    /// The line, counted from 1.
    pub line: u64,
    /// What stands there.
    pub value: Value,
}

/// What a node is.
#[derive(Clone, Debug)]
pub enum Value {
    /// Nothing, or `null`.
    Null,
    /// A single value of whatever type, as text.
    Scalar(String),
    /// A list.
    List(Vec<Node>),
    /// A mapping, in the order of the file.
    Map(Vec<Entry>),
}

/// One field of a mapping.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The line of the key.
    pub line: u64,
    /// The key.
    pub key: String,
    /// What stands behind it.
    pub node: Node,
}

/// Reads the file's text; a failure is told as `LINE: what is wrong`. Nothing of the text is shown: it may be a key or a hash.
pub(super) fn parse(text: &str) -> Result<Node, String> {
    serde_saphyr::from_str(text).map_err(|error| {
        let line = error.location().map_or(1, |location| location.line());
        format!("{line}: {}", error.without_snippet())
    })
}

// === impl Value ===

impl Value {
    /// What it is, in the words of a message.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Null => "nothing",
            Self::Scalar(_) => "a single value",
            Self::List(_) => "a list",
            Self::Map(_) => "a mapping",
        }
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Spanned { value, referenced, .. } = Spanned::<Value>::deserialize(deserializer)?;
        Ok(Self { line: referenced.line(), value })
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Tree)
    }
}

struct Tree;

impl<'de> Visitor<'de> for Tree {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value, a list or a mapping")
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Scalar(value.to_string()))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Scalar(value.to_string()))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Scalar(value.to_string()))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        Ok(Value::Scalar(value.to_string()))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Value, E> {
        Ok(Value::Scalar(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Value, A::Error> {
        let mut nodes = Vec::new();
        while let Some(node) = list.next_element()? {
            nodes.push(node);
        }
        Ok(Value::List(nodes))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut entries = Vec::new();
        while let Some(Spanned { value: key, referenced, .. }) = map.next_key::<Spanned<String>>()? {
            entries.push(Entry { line: referenced.line(), key, node: map.next_value()? });
        }
        Ok(Value::Map(entries))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_node_knows_its_line() {
        let Value::Map(root) = parse("a: 1\nb:\n  - {c: 2s}\nd:\n").unwrap().value else { panic!("a mapping") };
        let Value::List(list) = &root[1].node.value else { panic!("a list") };
        let Value::Map(inner) = &list[0].value else { panic!("a mapping") };
        assert!(matches!(&inner[0].node, Node { line: 3, value: Value::Scalar(text) } if text == "2s"));
        assert!(matches!(root[2].node, Node { line: 4, value: Value::Null }));
        assert_eq!((root[0].line, root[1].line, root[2].line), (1, 2, 4));
    }

    #[test]
    fn what_is_no_yaml_is_told_with_its_line() {
        for (text, says) in [("a: [", "1: "), ("a: 1\na: 2", "2: "), ("a: *b", "1: ")] {
            assert!(parse(text).unwrap_err().starts_with(says), "{text}");
        }
    }
}
