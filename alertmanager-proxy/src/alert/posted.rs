//! An alert's JSON object, read as Alertmanager reads it.
//!
//! Go's decoder takes more than most do: a field may be written in any case and stand there several times, of which maps are merged
//! (`null` empties them) and of other values the last counts, and what a map holds may be `null` (measured on Alertmanager 0.25).
//! An object that makes use of it is written anew, with each field once and under its own name; any other stays as it is.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use jiff::Timestamp;
use serde::de::{Error as _, MapAccess, Visitor};
use serde::ser::SerializeMap as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;

use super::object::Object;
use super::time;

const LABELS: &str = "labels";
const ANNOTATIONS: &str = "annotations";
const STARTS_AT: &str = "startsAt";
const ENDS_AT: &str = "endsAt";
const GENERATOR_URL: &str = "generatorURL";

/// Alertmanager's schema.
const FIELDS: [&str; 5] = [LABELS, ANNOTATIONS, STARTS_AT, ENDS_AT, GENERATOR_URL];

type Texts = BTreeMap<String, String>;

/// What is read of an alert; that it has no other types is Alertmanager's schema.
#[derive(Debug, Default)]
pub(super) struct Posted<'a> {
    pub(super) labels: Option<Texts>,
    pub(super) annotations: Option<Texts>,
    pub(super) starts_at: Option<Timestamp>,
    pub(super) ends_at: Option<Timestamp>,
    generator_url: Option<String>,
    others: Vec<(Cow<'a, str>, &'a RawValue)>,
    /// The part of the text that is the annotations.
    place: Option<&'a str>,
    /// Which of the fields were there.
    seen: [bool; FIELDS.len()],
    /// Whether one is written in another case, or was there twice.
    is_odd: bool,
}

#[derive(Deserialize)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

// === impl Posted ===

impl<'a> Posted<'a> {
    /// Reads an object.
    pub(super) fn read(json: &'a str) -> serde_json::Result<Self> {
        serde_json::Deserializer::from_str(json).deserialize_map(Reading)
    }

    fn take<M: MapAccess<'a>>(&mut self, name: Cow<'a, str>, from: &mut M) -> Result<(), M::Error> {
        let Some(field) = FIELDS.iter().position(|field| is_same(&name, field)) else {
            self.others.push((name, from.next_value()?));
            return Ok(());
        };
        self.is_odd |= self.seen[field] || name != FIELDS[field];
        self.seen[field] = true;
        match FIELDS[field] {
            LABELS => merge(&mut self.labels, from.next_value()?),
            ANNOTATIONS => {
                let place = from.next_value::<&RawValue>()?.get();
                let texts = serde_json::from_str(place).map_err(|error| M::Error::custom(told(ANNOTATIONS, error)))?;
                self.place = Some(place);
                merge(&mut self.annotations, texts);
            }
            STARTS_AT => instant(STARTS_AT, &mut self.starts_at, from)?,
            ENDS_AT => instant(ENDS_AT, &mut self.ends_at, from)?,
            _ => self.generator_url = from.next_value::<Option<String>>()?.or(self.generator_url.take()),
        }
        Ok(())
    }

    /// The object, which was read from `json`.
    pub(super) fn object(&self, json: &str) -> Object {
        if !self.is_odd {
            return Object::new(json, self.place);
        }
        let (json, annotations) = (written(self), self.annotations.as_ref().map(written));
        // They come last, before the brace.
        let place = annotations.map(|annotations| &json[json.len() - 1 - annotations.len()..json.len() - 1]);
        Object::new(&json, place)
    }
}

/// With each field once.
impl Serialize for Posted<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut map = to.serialize_map(None)?;
        for (name, value) in &self.others {
            map.serialize_entry(name, value)?;
        }
        map.serialize_entry(LABELS, &self.labels)?;
        for (name, time) in [(STARTS_AT, self.starts_at), (ENDS_AT, self.ends_at)] {
            time.map_or(Ok(()), |time| map.serialize_entry(name, &time))?;
        }
        self.generator_url.as_ref().map_or(Ok(()), |url| map.serialize_entry(GENERATOR_URL, url))?;
        self.annotations.as_ref().map_or(Ok(()), |texts| map.serialize_entry(ANNOTATIONS, texts))?;
        map.end()
    }
}

struct Reading;

impl<'a> Visitor<'a> for Reading {
    type Value = Posted<'a>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<M: MapAccess<'a>>(self, mut from: M) -> Result<Self::Value, M::Error> {
        let mut posted = Posted::default();
        while let Some(Name(name)) = from.next_key()? {
            posted.take(name, &mut from)?;
        }
        Ok(posted)
    }
}

/// Whether Go takes `name` for that of the `field`: in any case, of which Unicode has a third for the `s`.
fn is_same(name: &str, field: &str) -> bool {
    let fold = |c: char| if c == 'ſ' { 's' } else { c.to_ascii_lowercase() };
    name == field || name.chars().map(fold).eq(field.chars().map(fold))
}

fn merge(into: &mut Option<Texts>, more: Option<BTreeMap<String, Option<String>>>) {
    match more {
        None => *into = None,
        Some(more) => {
            let more = more.into_iter().map(|(name, text)| (name, text.unwrap_or_default()));
            into.get_or_insert_default().extend(more);
        }
    }
}

fn instant<'a, M: MapAccess<'a>>(field: &str, into: &mut Option<Timestamp>, from: &mut M) -> Result<(), M::Error> {
    if let Some(text) = from.next_value::<Option<Cow<'a, str>>>()? {
        *into = time::parse(&text).map_err(|error| M::Error::custom(told(field, error)))?;
    }
    Ok(())
}

fn told(field: &str, error: impl fmt::Display) -> String {
    format!("{field}: {error}")
}

fn written(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("memory takes every text")
}
