//! A group as bytes: a protobuf message, whose fields may be added to. It is with its checks in one, or without them: then each
//! check has bytes of its own ([`pack`]).

use std::collections::BTreeMap;
use std::sync::Arc;

use check_result::CheckKey;
use exposition::pushed::{Metric, MetricType, decode_metrics, parse_text};
use jiff::Timestamp;
use prost::Message;

use super::packed::{pack, unpack};
use crate::groups::{Check, End, Families, Group, Head, PUSH_TIME, Renderer, check_names, is_stamp, made};
use crate::labels::{Key, Labels};

/// A record that cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("a record of the table `groups` cannot be read: {0}")]
pub struct BadRecord(pub(super) String);

/// What else there is to say of a record that was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found {
    /// Whether it has states of checks in itself.
    pub whole: bool,
    /// Checks that the group is without, since theirs have more JSON values than are taken.
    pub left_out: usize,
}

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
    /// Whether it is a group of check results.
    #[prost(bool, tag = "5")]
    of_checks: bool,
    /// The states of the checks, [packed](pack) or, from before there was that, as JSON. The families follow from them.
    #[prost(bytes = "vec", repeated, tag = "6")]
    checks: Vec<Vec<u8>>,
    /// Of checks it is that of those that have none of their own, as once all had.
    #[prost(int64, optional, tag = "7")]
    expires: Option<i64>,
    #[prost(bool, tag = "8")]
    expired: bool,
    /// Of those checks that have one.
    #[prost(message, repeated, tag = "9")]
    ends: Vec<CheckEnd>,
    /// Of keys: which check of the group it is, if not the group itself.
    #[prost(message, optional, tag = "15")]
    check: Option<CheckName>,
}

#[derive(Clone, PartialEq, Message)]
struct CheckName {
    #[prost(string, tag = "1")]
    check: String,
    #[prost(string, optional, tag = "2")]
    source: Option<String>,
}

#[derive(Clone, PartialEq, Message)]
struct CheckEnd {
    #[prost(string, tag = "1")]
    check: String,
    #[prost(string, optional, tag = "2")]
    source: Option<String>,
    #[prost(int64, tag = "3")]
    at: i64,
    #[prost(bool, tag = "4")]
    own: bool,
    #[prost(bool, tag = "5")]
    over: bool,
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
    /// The metrics as a part of the family's message, if there may be more in it than in the text.
    #[prost(bytes = "vec", tag = "5")]
    message: Vec<u8>,
    /// The metrics' lines in the text format, if there is no message.
    #[prost(string, tag = "6")]
    text: String,
}

/// The key of a group: its labels, each with its length, so that no two are alike.
pub fn key(key: &Key) -> Vec<u8> {
    Record { labels: wire_labels(&key.labels), of_checks: key.checks, ..Record::default() }.encode_to_vec()
}

/// The key of a check of a group. It begins with the group's key, as no other does but those of its other checks.
pub fn check_key(key: &Key, check: &CheckKey) -> Vec<u8> {
    let CheckKey { check, source } = check.clone();
    let labels = wire_labels(&key.labels);
    Record { labels, of_checks: key.checks, check: Some(CheckName { check, source }), ..Record::default() }
        .encode_to_vec()
}

/// The group that a key is of.
pub fn key_of(bytes: &[u8]) -> Option<Key> {
    let record = Record::decode(bytes).ok()?;
    let labels = Labels::new(record.labels.into_iter().map(|label| (label.name, label.value)));
    Some(Key { labels, checks: record.of_checks })
}

/// All of a group.
pub fn encode(group: &Group) -> Vec<u8> {
    let checks = group.checks.values().map(|check| pack(&check.state)).collect();
    Record { checks, ..head(group) }.encode_to_vec()
}

/// A group without its checks.
pub fn encode_head(group: &Group) -> Vec<u8> {
    head(group).encode_to_vec()
}

/// The stamps are left out: they follow from the times.
fn head(group: &Group) -> Record {
    let pushed = group.families.iter().filter(|block| !group.key.checks && !is_stamp(block.name()));
    let families = pushed.map(|block| {
        let message = block.kept_message();
        Family {
            name: block.name().to_owned(),
            kind: block.kind().word().to_owned(),
            help: block.help().map(str::to_owned),
            pushed: nanoseconds(block.pushed()),
            text: if message.is_none() { block.text().to_owned() } else { String::new() },
            message: message.unwrap_or_default().to_vec(),
        }
    });
    let ends = group.checks.iter().filter_map(|(key, check)| Some(wire_end(key, check.end?)));
    Record {
        labels: wire_labels(&group.key.labels),
        of_checks: group.key.checks,
        pushed: group.pushed.map(nanoseconds),
        failed: group.failed.map(nanoseconds),
        expires: group.expires.map(nanoseconds),
        expired: group.expired,
        families: families.collect(),
        ends: ends.collect(),
        ..Record::default()
    }
}

/// The group of a record and of the states of checks that are kept beside it.
///
/// # Errors
/// When they are none.
pub fn decode(bytes: &[u8], beside: Vec<Vec<u8>>) -> Result<(Group, Found), BadRecord> {
    let mut record = Record::decode(bytes).map_err(|error| BadRecord(error.to_string()))?;
    let whole = !record.checks.is_empty();
    record.checks.extend(beside);
    let (group, left_out) = group(record)?;
    Ok((group, Found { whole, left_out }))
}

/// The group, and how many of its checks were left out.
fn group(record: Record) -> Result<(Group, usize), BadRecord> {
    let labels = Labels::new(record.labels.into_iter().map(|label| (label.name, label.value)));
    // They are those of the stamps, whatever the families have.
    let names: Vec<_> = labels.iter().collect();
    check_names(PUSH_TIME, MetricType::Gauge, &names).map_err(|error| BadRecord(error.to_string()))?;
    let families = families(record.families)?;
    let (pushed, failed) = (record.pushed.map(time).transpose()?, record.failed.map(time).transpose()?);
    let key = Key { labels, checks: record.of_checks };
    let (expires, expired) = (record.expires.map(time).transpose()?, record.expired);
    if key.checks {
        let (mut group, left_out) = with_checks(key, &record.checks, pushed.unwrap_or(Timestamp::UNIX_EPOCH))?;
        let common = expires.map(|at| End { at, own: false, over: expired });
        group.checks.values_mut().for_each(|check| check.end = common);
        for CheckEnd { check, source, at, own, over } in record.ends {
            if let Some(check) = group.checks.get_mut(&CheckKey { check, source }) {
                check.end = Some(End { at: time(at)?, own, over });
            }
        }
        return Ok((group, left_out));
    }
    Ok((Group { families, pushed, failed, expires, expired, ..Group::new(key) }, 0))
}

fn families(kept: Vec<Family>) -> Result<Families, BadRecord> {
    let mut rendered = Renderer::default();
    for family in kept {
        let known = MetricType::ALL.into_iter().find(|kind| kind.word() == family.kind);
        let kind = known.ok_or_else(|| BadRecord(format!("unknown type {:?}", family.kind)))?;
        for metric in metrics(&family, kind)? {
            let Some(value) = &metric.value else {
                return Err(BadRecord(format!("{} has no value", family.name)));
            };
            let labels: Vec<_> = metric.labels.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
            // Who shares a store with this program may be of another version, or another program.
            check_names(&family.name, kind, &labels).map_err(|error| BadRecord(error.to_string()))?;
            rendered.metric(&family.name, kind, &labels, value);
        }
        let head = Head { name: family.name.into(), kind, help: family.help.map(Into::into) };
        rendered.end(Arc::new(head), time(family.pushed)?);
    }
    Ok(rendered.finish())
}

fn metrics(family: &Family, kind: MetricType) -> Result<Vec<Metric>, BadRecord> {
    if family.text.is_empty() {
        return decode_metrics(&family.name, kind, &family.message).map_err(|error| BadRecord(error.to_string()));
    }
    let families = parse_text(family.text.as_bytes()).map_err(|error| BadRecord(error.to_string()))?;
    // Summaries and histograms are messages, and their lines have other names.
    let is_number = !matches!(kind, MetricType::Summary | MetricType::Histogram);
    if !is_number || families.iter().any(|read| read.name != family.name) {
        return Err(BadRecord(format!("{} has lines of something else", family.name)));
    }
    Ok(families.into_iter().flat_map(|family| family.metrics).collect())
}

fn with_checks(key: Key, states: &[Vec<u8>], pushed: Timestamp) -> Result<(Group, usize), BadRecord> {
    let (mut checks, mut left_out) = (BTreeMap::new(), 0);
    for state in states {
        match unpack(state)? {
            Some(state) => drop(checks.insert(state.latest().key(), Check { state: Arc::new(state), end: None })),
            None => left_out += 1,
        }
    }
    let group = made(key, checks, pushed).map_err(|error| BadRecord(error.to_string()))?;
    Ok((group, left_out))
}

fn wire_end(key: &CheckKey, end: End) -> CheckEnd {
    let CheckKey { check, source } = key.clone();
    CheckEnd { check, source, at: nanoseconds(end.at), own: end.own, over: end.over }
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

#[cfg(test)]
mod tests {
    use check_result::log::LoggedResult;
    use check_result::{CheckResult, CheckState, HistoryLimits};
    use exposition::pushed::{Value, encode_metrics};

    use super::*;

    fn record(name: &str, label: &str) -> Vec<u8> {
        let labels = vec![(label.to_owned(), "x".to_owned())];
        let metric = Metric { labels, value: Some(Value::Number(1.0)), timestamp_ms: None };
        let message = encode_metrics(MetricType::Gauge, &[metric]);
        let kind = MetricType::Gauge.word().to_owned();
        let family = Family { name: name.to_owned(), kind, message, ..Family::default() };
        Record { families: vec![family], ..Record::default() }.encode_to_vec()
    }

    #[test]
    fn checks_of_a_record_with_one_end_for_all_have_that_end() {
        let state = |name: &str| {
            let check = serde_json::json!({"name": name, "output": "", "status": 0});
            let result = CheckResult::new("client", check.as_object().unwrap().clone()).unwrap();
            let first = LoggedResult { logged: Timestamp::UNIX_EPOCH, result };
            serde_json::to_vec(&CheckState::new(first, &HistoryLimits::default())).unwrap()
        };
        let checks = vec![state("disk"), state("load")];
        let kept = |ends| {
            let record = Record {
                of_checks: true,
                checks: checks.clone(),
                expires: Some(7),
                expired: true,
                ends,
                ..Record::default()
            };
            let (group, _) = decode(&record.encode_to_vec(), Vec::new()).unwrap();
            group.checks.values().map(|check| check.end).collect::<Vec<_>>()
        };
        let (common, own) = (
            End { at: time(7).unwrap(), own: false, over: true },
            End { at: time(9).unwrap(), own: true, over: false },
        );
        assert_eq!(kept(Vec::new()), [Some(common), Some(common)]);
        let key = CheckKey { check: "load".to_owned(), source: None };
        assert_eq!(kept(vec![wire_end(&key, own)]), [Some(common), Some(own)]);
    }

    #[test]
    fn what_could_not_be_shown_is_not_read() {
        assert_eq!(decode(&record("m", "l"), Vec::new()).unwrap().0.families.iter().count(), 1);
        for (name, label, says) in [("a b", "l", "\"a b\" has an invalid name"), ("m", "l\n", "invalid name: l\n")] {
            let told = decode(&record(name, label), Vec::new()).unwrap_err().to_string();
            assert!(told.contains(says), "{told}");
        }
        let with_text = |kind: MetricType, text: &str| {
            let (name, kind, text) = ("m".to_owned(), kind.word().to_owned(), text.to_owned());
            decode(
                &Record { families: vec![Family { name, kind, text, ..Family::default() }], ..Record::default() }
                    .encode_to_vec(),
                Vec::new(),
            )
        };
        assert!(with_text(MetricType::Counter, "m 1\n").is_ok());
        for (kind, text) in [
            (MetricType::Histogram, "m_bucket{le=\"1\"} 1\n"),
            (MetricType::Summary, "m 1\n"),
            (MetricType::Gauge, "n 1\n"),
        ] {
            assert!(with_text(kind, text).unwrap_err().to_string().contains("m has lines of something else"));
        }
        let grouped = |name: &str| {
            let labels = vec![Label { name: name.to_owned(), value: String::new() }];
            decode(&Record { labels, ..Record::default() }.encode_to_vec(), Vec::new())
        };
        assert!(grouped("job").is_ok());
        for name in ["insta~ce", "__name__"] {
            assert!(grouped(name).unwrap_err().to_string().contains(name));
        }
    }
}
