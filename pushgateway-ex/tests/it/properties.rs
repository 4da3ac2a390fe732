//! What holds for any input. The fuzz targets assert it of what they come upon, the tests of what fuzzing began with and found.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use exposition::is_label_name;
use exposition::pushed::{
    MetricFamily, decode_delimited, encode_family_head, encode_metrics, parse_text, write_header, write_metrics,
};
use jiff::Timestamp;
use pushgateway_ex::groups::{Groups, Limits, Push, prepare};
use pushgateway_ex::labels::{Key, Labels};
use pushgateway_ex::path::grouping_key;

/// The text format: what is taken is written as a text that says the same, and a group of it is one that Prometheus can read.
pub(crate) fn text(bytes: &[u8]) {
    let Ok(families) = parse_text(bytes) else { return };
    let once = written(&families);
    let read = parse_text(once.as_bytes()).unwrap_or_else(|error| panic!("{error} in {once:?}"));
    assert_eq!(written(&read), once);
    group_can_be_read(families);
}

/// The protobuf messages: what is taken is encoded as messages that say the same, and a group of it is one that Prometheus can read.
pub(crate) fn protobuf(bytes: &[u8]) {
    let Ok(families) = decode_delimited(bytes) else { return };
    let once = encoded(&families);
    let read = decode_delimited(&once).unwrap_or_else(|error| panic!("{error} in {once:?}"));
    assert_eq!(encoded(&read), once);
    group_can_be_read(families);
}

/// The path behind `/metrics/job`, its first byte telling whether the job is encoded: a key has a job and valid names, and can be written
/// in such a way that it is read the same.
pub(crate) fn path(bytes: &[u8]) {
    let Some((&first, path)) = bytes.split_first() else { return };
    let end = path.iter().position(|&byte| byte == b'/').unwrap_or(path.len());
    let Ok(key) = grouping_key(&path[..end], first % 2 == 1, &path[end..]) else { return };
    let job = key.get("job").expect("a key has a job");
    assert!(key.iter().all(|(name, _)| is_label_name(name) && !name.starts_with("__")), "{key}");
    let encode = |value: &str| match value {
        "" => "=".to_owned(),
        _ => BASE64_URL_SAFE_NO_PAD.encode(value),
    };
    let labels: String = key.iter().map(|(name, value)| format!("/{name}@base64/{}", encode(value))).collect();
    assert_eq!(grouping_key(encode(job).as_bytes(), true, labels.as_bytes()), Ok(key));
}

fn group_can_be_read(families: Vec<MetricFamily>) {
    let (labels, at) = (Labels::new([("job".to_owned(), "j".to_owned())]), Timestamp::UNIX_EPOCH);
    let Ok(families) = prepare(&labels, families, at) else { return };
    let key = Key::metrics(labels);
    let mut groups = Groups::new(BTreeMap::new(), Limits { groups: 1, series: usize::MAX });
    if groups.push(Push { key: key.clone(), families, replace: true, at, expires: None }).is_err() {
        return;
    }
    let mut page = String::new();
    for block in groups.get(&key).expect("it was just pushed").families.iter() {
        write_header(block.name(), block.help(), block.kind(), &mut page);
        page.push_str(block.text());
    }
    if let Err(error) = parse_text(page.as_bytes()) {
        panic!("{error} in {page:?}");
    }
}

fn written(families: &[MetricFamily]) -> String {
    let mut out = String::new();
    for family in families {
        write_header(&family.name, family.help.as_deref(), family.kind, &mut out);
        write_metrics(&family.name, &family.metrics, &mut out);
    }
    out
}

fn encoded(families: &[MetricFamily]) -> Vec<u8> {
    let mut out = Vec::new();
    for family in families {
        let metrics = encode_metrics(family.kind, &family.metrics);
        encode_family_head(&family.name, family.help.as_deref(), family.kind, metrics.len(), &mut out);
        out.extend(metrics);
    }
    out
}
