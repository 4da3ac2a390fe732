//! A file as it is written: a tree of YAML nodes, each with its line.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_saphyr::{Span, Spanned};

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
    /// Whatever is asked for: of no file, but of a [`survey`](super::survey()).
    Anything,
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

/// A node as the YAML library gives it, with its place in the text.
struct Written {
    line: u64,
    text: Span,
    shape: Shape,
}

enum Shape {
    Null,
    /// A number or a truth value. The library would write it anew, `1.10` as `1.1`; who wants the text wants what was
    /// written.
    Plain,
    Text(String),
    List(Vec<Written>),
    Map(Vec<(u64, String, Written)>),
}

/// Reads the file's text; a failure is told as `LINE: what is wrong`. Nothing of the text is shown: it may be a key
/// or a hash.
pub(super) fn parse(text: &str) -> Result<Node, String> {
    let written: Written = serde_saphyr::from_str(text).map_err(|error| {
        let line = error.location().map_or(1, |location| location.line());
        format!("{line}: {}", error.without_snippet())
    })?;
    written.node(text)
}

// === impl Written ===

impl Written {
    fn node(self, source: &str) -> Result<Node, String> {
        let value = match self.shape {
            Shape::Null => Value::Null,
            Shape::Text(text) => Value::Scalar(text),
            Shape::Plain => {
                let text = of(source, self.text).ok_or_else(|| format!("{}: put this value in quotes", self.line))?;
                Value::Scalar(text.to_owned())
            }
            Shape::List(items) => {
                Value::List(items.into_iter().map(|item| item.node(source)).collect::<Result<_, _>>()?)
            }
            Shape::Map(entries) => {
                let entry =
                    |(line, key, written): (u64, String, Self)| Ok(Entry { line, key, node: written.node(source)? });
                Value::Map(entries.into_iter().map(entry).collect::<Result<_, String>>()?)
            }
        };
        Ok(Node { line: self.line, value })
    }
}

/// What stands at `span`.
fn of(source: &str, span: Span) -> Option<&str> {
    let start = usize::try_from(span.byte_offset()?).ok()?;
    let length = usize::try_from(span.byte_len()?).ok()?;
    source.get(start..start.checked_add(length)?)
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
            Self::Anything => "anything",
        }
    }
}

impl<'de> Deserialize<'de> for Written {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Spanned { value, referenced, defined } = Spanned::<Shape>::deserialize(deserializer)?;
        Ok(Self { line: referenced.line(), text: defined.span(), shape: value })
    }
}

impl<'de> Deserialize<'de> for Shape {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Tree)
    }
}

struct Tree;

impl<'de> Visitor<'de> for Tree {
    type Value = Shape;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value, a list or a mapping")
    }

    fn visit_unit<E: Error>(self) -> Result<Shape, E> {
        Ok(Shape::Null)
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<Shape, E> {
        Ok(Shape::Plain)
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<Shape, E> {
        Ok(Shape::Plain)
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<Shape, E> {
        Ok(Shape::Plain)
    }

    fn visit_i128<E: Error>(self, _: i128) -> Result<Shape, E> {
        Ok(Shape::Plain)
    }

    fn visit_u128<E: Error>(self, _: u128) -> Result<Shape, E> {
        Ok(Shape::Plain)
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<Shape, E> {
        Ok(Shape::Plain)
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Shape, E> {
        Ok(Shape::Text(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Shape, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = list.next_element()? {
            items.push(item);
        }
        Ok(Shape::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Shape, A::Error> {
        let mut entries = Vec::new();
        while let Some(Spanned { value: key, referenced, .. }) = map.next_key::<Spanned<String>>()? {
            entries.push((referenced.line(), key, map.next_value()?));
        }
        Ok(Shape::Map(entries))
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

    #[test]
    fn a_value_is_what_was_written() {
        let text = "a: 1.10  # not 1.1\nb: 007\nc: 1e3\nd: 0x1F\ne: Yes\nf: &x 1_000\ng: *x\nh: [2.50, -0]\ni: '1.10'\n\
                    j: 18446744073709551616\nk: 2026-01-01\nü: 3.0\nm: !!str 4.0\n";
        let Value::Map(root) = parse(text).unwrap().value else { panic!("a mapping") };
        let texts = |node: &Node| match &node.value {
            Value::Scalar(text) => text.clone(),
            other => format!("{other:?}"),
        };
        let Value::List(list) = &root[7].node.value else { panic!("a list") };
        assert_eq!(list.iter().map(texts).collect::<Vec<_>>(), ["2.50", "-0"]);
        let got: Vec<_> = root.iter().filter(|entry| entry.key != "h").map(|entry| texts(&entry.node)).collect();
        let want = [
            "1.10",
            "007",
            "1e3",
            "0x1F",
            "Yes",
            "1_000",
            "1_000",
            "1.10",
            "18446744073709551616",
            "2026-01-01",
            "3.0",
            "4.0",
        ];
        assert_eq!(got, want);
        assert_eq!(root[6].node.line, 7, "an alias stands where it is used");
    }
}
