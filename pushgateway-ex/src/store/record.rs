//! A group as bytes: a protobuf message, whose fields may be added to.

use std::collections::BTreeMap;
use std::sync::Arc;

use exposition::pushed::MetricType;
use jiff::Timestamp;
use prost::Message;

use crate::groups::{Block, Group, is_stamp};
use crate::labels::Labels;

/// A record that cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("a record of the table `groups` cannot be read: {0}")]
pub(super) struct BadRecord(String);

#[derive(Clone, PartialEq, Message)]
struct Record {
    #[prost(message, repeated, tag = "1")]
    labels: Vec<Label>,
    /// Nanoseconds since the epoch, as all times here.
    #[prost(int64, optional, tag = "2")]
    pushed: Option<i64>,
    #[prost(int64, optional, tag = "3")]
    failed: Option<i64>,
    #[prost(message, repeated, tag = "4")]
    families: Vec<Family>,
}

#[derive(Clone, PartialEq, Message)]
struct Label {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(string, tag = "2")]
    value: String,
}

#[derive(Clone, PartialEq, Message)]
struct Family {
    #[prost(string, tag = "1")]
    name: String,
    /// The type's word in the text format.
    #[prost(string, tag = "2")]
    kind: String,
    #[prost(string, optional, tag = "3")]
    help: Option<String>,
    #[prost(int64, tag = "4")]
    pushed: i64,
    /// The metrics as a part of the family's message.
    #[prost(bytes = "vec", tag = "5")]
    message: Vec<u8>,
}

/// The key of a group: its labels, each with its length, so that no two are alike.
pub(super) fn key(labels: &Labels) -> Vec<u8> {
    Record { labels: wire_labels(labels), ..Record::default() }.encode_to_vec()
}

/// The stamps are left out: they follow from the times.
pub(super) fn encode(group: &Group) -> Vec<u8> {
    let pushed = group.families.iter().filter(|(name, _)| !is_stamp(name));
    let families = pushed.map(|(name, block)| Family {
        name: name.to_string(),
        kind: block.kind().word().to_owned(),
        help: block.help().map(str::to_owned),
        pushed: nanoseconds(block.pushed()),
        message: block.message().to_vec(),
    });
    let record = Record {
        labels: wire_labels(&group.labels),
        pushed: group.pushed.map(nanoseconds),
        failed: group.failed.map(nanoseconds),
        families: families.collect(),
    };
    record.encode_to_vec()
}

pub(super) fn decode(bytes: &[u8]) -> Result<Group, BadRecord> {
    let record = Record::decode(bytes).map_err(|error| BadRecord(error.to_string()))?;
    let labels = Labels::new(record.labels.into_iter().map(|label| (label.name, label.value)));
    let families = record.families.into_iter().map(|family| {
        let known = MetricType::ALL.into_iter().find(|kind| kind.word() == family.kind);
        let kind = known.ok_or_else(|| BadRecord(format!("unknown type {:?}", family.kind)))?;
        let about = (family.help.map(Arc::from), time(family.pushed)?);
        let block = Block::restore(&family.name, kind, &family.message, about);
        Ok((Arc::from(&*family.name), Arc::new(block.map_err(|error| BadRecord(error.to_string()))?)))
    });
    let families = families.collect::<Result<BTreeMap<_, _>, BadRecord>>()?;
    let (pushed, failed) = (record.pushed.map(time).transpose()?, record.failed.map(time).transpose()?);
    Ok(Group { labels, families, pushed, failed })
}

fn wire_labels(labels: &Labels) -> Vec<Label> {
    labels.iter().map(|(name, value)| Label { name: name.to_owned(), value: value.to_owned() }).collect()
}

/// Until the year 2262.
fn nanoseconds(at: Timestamp) -> i64 {
    i64::try_from(at.as_nanosecond()).unwrap_or(i64::MAX)
}

fn time(nanoseconds: i64) -> Result<Timestamp, BadRecord> {
    Timestamp::from_nanosecond(nanoseconds.into()).map_err(|error| BadRecord(error.to_string()))
}
