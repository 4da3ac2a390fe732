//! What holds for any input. The fuzz targets assert it of what they come upon, the tests of what fuzzing began with and found.

// Named by its file, for the fuzz target as well.
#[path = "properties/pushes.rs"]
mod pushes;

use std::collections::BTreeMap;

use axum::http::{Method, Uri};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use check_result::HistoryLimits;
use exposition::is_label_name;
use exposition::pushed::{
    MetricFamily, decode_delimited, encode_family_head, encode_metrics, parse_text, write_header, write_metrics,
};
use jiff::Timestamp;
use pushgateway_ex::groups::{Group, Groups, Limits, Push, Results, Term, prepare};
use pushgateway_ex::labels::{Key, Labels};
use pushgateway_ex::path::grouping_key;
use pushgateway_ex::results::{Bounds, Counted};
use pushgateway_ex::store::record;
use pushgateway_ex::web::route::{Paths, Route, Target, route};

pub(crate) use self::pushes::pushed;

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

/// Check results: what is taken keeps its bounds, makes metrics that Prometheus can read, and is the same after a restart.
pub(crate) fn checks(bytes: &[u8]) {
    const OUTPUT: usize = 200;
    // What is cut says so.
    const NOTE: usize = 80;
    let Ok(mut results) = Counted::new(bytes).and_then(|body| body.read("web-1")) else { return };
    if (Bounds { output: OUTPUT, detail: 20_000, label: 100 }).keep(&mut results).is_err() {
        return;
    }
    assert!(results.iter().all(|result| result.output().len() <= OUTPUT + NOTE), "{results:?}");
    let (labels, at) = (Labels::new([("job".to_owned(), "j".to_owned())]), Timestamp::UNIX_EPOCH);
    let mut groups = Groups::new(BTreeMap::new(), Limits { groups: 1, series: usize::MAX });
    // Twice, as of those that are pushed again by somebody who was not answered.
    for _ in 0..2 {
        let term = Term { at, expires: None, own: true };
        let pushed = Results { labels: labels.clone(), results: results.clone(), replace: false, term };
        if groups.results(pushed, &HistoryLimits::default()).is_err() {
            return;
        }
    }
    if let Some(group) = groups.get(&Key::checks(labels)) {
        can_be_read(group);
        kept(&record::encode(group));
    }
}

/// A record of the store, which others may share: what is taken of it is a group that Prometheus can read, and is written so that it is read
/// the same.
pub(crate) fn record(bytes: &[u8]) {
    kept(bytes);
}

fn kept(bytes: &[u8]) {
    let Ok((group, _)) = record::decode(bytes, Vec::new()) else { return };
    let once = record::encode(&group);
    let (read, _) = record::decode(&once, Vec::new()).unwrap_or_else(|error| panic!("{error} in {once:?}"));
    assert_eq!(record::encode(&read), once);
    assert_eq!(record::key_of(&record::key(&group.key)).as_ref(), Some(&group.key));
    can_be_read(&group);
    let mut groups = Groups::new(BTreeMap::new(), Limits { groups: 1, series: usize::MAX });
    groups.restore(vec![group]);
    groups.iter().for_each(|group| can_be_read(group));
}

/// A request's path, behind a byte that chooses method and flags: nobody is led to another host or round in circles.
pub(crate) fn routes(bytes: &[u8]) {
    let Some((&first, path)) = bytes.split_first() else { return };
    let Some(path) = std::str::from_utf8(path).ok().filter(|path| is_path(path)) else { return };
    let prefix = if first & 1 == 0 { String::new() } else { "/Push/gw".to_owned() };
    let paths = Paths { prefix, telemetry: "/metrics".to_owned(), admin: first & 2 != 0 };
    let methods = [Method::GET, Method::PUT, Method::POST, Method::DELETE, Method::OPTIONS, Method::HEAD];
    let mut method = methods[usize::from(first >> 2) % methods.len()].clone();
    let mut path = path.to_owned();
    for _ in 0..4 {
        match route(&paths, &method, &path) {
            Route::Redirect { to, moved } => {
                assert!(
                    is_path(&to) && to.starts_with('/') && !to.starts_with("//") && !to.contains('\\'),
                    "{path:?}: {to:?}"
                );
                (method, path) = (if moved { Method::GET } else { method }, to);
            }
            Route::To(Target::Group(group)) => return assert!(!group.job.is_empty()),
            _ => return,
        }
    }
    panic!("round in circles: {path:?}");
}

/// Whether it is a path that a request can have.
fn is_path(path: &str) -> bool {
    path.parse::<Uri>().is_ok_and(|uri| uri.path() == path && uri.query().is_none() && uri.host().is_none())
}

fn group_can_be_read(families: Vec<MetricFamily>) {
    let (labels, at) = (Labels::new([("job".to_owned(), "j".to_owned())]), Timestamp::UNIX_EPOCH);
    let Ok(families) = prepare(&labels, families, at) else { return };
    let key = Key::metrics(labels);
    let mut groups = Groups::new(BTreeMap::new(), Limits { groups: 1, series: usize::MAX });
    if groups.push(Push { key: key.clone(), families, replace: true, at, expires: None }).is_err() {
        return;
    }
    can_be_read(groups.get(&key).expect("it was just pushed"));
}

fn can_be_read(group: &Group) {
    let mut page = String::new();
    for block in group.families.iter() {
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
