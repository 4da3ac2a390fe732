//! The JSON object of an alert: kept as the bytes that were posted, to which annotations are added when it is sent.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use serde::de::IgnoredAny;

use super::Texts;

/// An object as it was posted.
#[derive(Clone, Debug)]
pub(super) struct Object {
    json: Arc<str>,
    /// Where the value of `annotations` is; empty where there is none.
    annotations: Range<usize>,
}

impl Object {
    /// The object that is `json`; `annotations` is the part of it that is their value, an object or null.
    pub(super) fn new(json: &str, annotations: Option<&str>) -> Self {
        let place = annotations.map(|part| {
            let start = part.as_ptr().addr() - json.as_ptr().addr();
            start..start + part.len()
        });
        Self { json: json.into(), annotations: place.unwrap_or_default() }
    }

    /// Bytes of it.
    pub(super) fn len(&self) -> usize {
        self.json.len()
    }

    /// Writes it with the annotations of `added` that it has not itself. All else stays as it was.
    pub(super) fn write(&self, added: &Texts, to: &mut Vec<u8>) {
        let (before, rest) = self.json.split_at(self.annotations.start);
        let (own, after) = rest.split_at(self.annotations.len());
        let known: BTreeMap<String, IgnoredAny> = serde_json::from_str(own).unwrap_or_default();
        let mut new = added.iter().filter(|(name, _)| !known.contains_key(*name)).peekable();
        if new.peek().is_none() {
            return to.extend_from_slice(self.json.as_bytes());
        }
        let (opening, after) = match own {
            "" => ([open(&self.json), ",\"annotations\":{"], "}"),
            "null" => ([before, "{"], after),
            own => ([before, open(own)], after),
        };
        opening.into_iter().for_each(|part| to.extend_from_slice(part.as_bytes()));
        for (index, (name, text)) in new.enumerate() {
            to.extend_from_slice(if index == 0 && known.is_empty() { b"" } else { b"," });
            string(name, to);
            to.push(b':');
            string(text, to);
        }
        to.push(b'}');
        to.extend_from_slice(after.as_bytes());
    }
}

/// An object without its last brace.
fn open(object: &str) -> &str {
    object.strip_suffix('}').unwrap_or(object)
}

fn string(text: &str, to: &mut Vec<u8>) {
    serde_json::to_writer(to, text).expect("memory takes every text");
}
