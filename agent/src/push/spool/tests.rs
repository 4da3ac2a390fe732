//! What comes back from a file, whole or damaged.

use std::os::unix::fs::PermissionsExt as _;

use clap::Parser as _;
use prometheus_client::registry::Registry;

use super::*;
use crate::push::flags::{Flags, PushFlags};
use crate::push::group::Group;

fn gateways(urls: &[&str], events: &Events) -> Arc<[Gateway]> {
    let flags = urls.iter().map(|url| format!("--push.gateway={url}"));
    let line = ["a", "--push.queue.bytes=2000"].map(str::to_owned).into_iter().chain(flags);
    let flags: PushFlags = Flags::try_parse_from(line).unwrap().push;
    let group = Group::new("j", "i", &[]);
    let all = flags.gateways().unwrap();
    all.iter().map(|gateway| Gateway::new(gateway, &group, &flags, events).unwrap()).collect()
}

fn key(check: &str) -> CheckKey {
    CheckKey { check: check.to_owned(), source: None }
}

fn counted(registry: &Registry) -> String {
    let mut text = String::new();
    prometheus_client::encoding::text::encode(&mut text, registry).unwrap();
    text
}

/// Waits in `file` what waited for gateways a and b.
fn fill(file: &Path) {
    let events = Events::default();
    let gateways = gateways(&["http://a", "http://b"], &events);
    let spool = Spool::open(file, Arc::clone(&gateways), events).unwrap();
    for (index, check) in [(0, "x"), (0, "y"), (0, "x"), (1, "z")] {
        gateways[index].queue().push(key(check), format!("{check}{index}").into());
        spool.marker().mark(index, key(check));
    }
    let entry = gateways[0].queue().get(&key("y")).unwrap();
    gateways[0].queue().push(key("done"), "gone".into());
    spool.marker().mark(0, key("done"));
    gateways[0].queue().remove(&gateways[0].queue().get(&key("done")).unwrap());
    spool.marker().mark(0, key("done"));
    assert_eq!(entry.payload, "y0");
    spool.close();
}

fn checks(gateway: &Gateway) -> Vec<(String, Bytes)> {
    gateway.queue().batch().into_iter().map(|entry| (entry.key.check, entry.payload)).collect()
}

#[test]
fn what_waits_comes_back_in_its_order_and_only_for_gateways_that_there_are() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("queue");
    fill(&file);
    let mut registry = Registry::default();
    let events = Events::new(&mut registry);
    for _ in 0..2 {
        let gateways = gateways(&["http://a"], &events);
        let spool = Spool::open(&file, Arc::clone(&gateways), events.clone()).unwrap();
        let in_use = Spool::open(&file, Arc::clone(&gateways), events.clone()).unwrap_err().to_string();
        assert!(in_use.ends_with("another process has it open"), "{in_use}");
        let want = [("y", "y0"), ("x", "x0")].map(|(check, payload)| (check.to_owned(), payload.into()));
        assert_eq!(checks(&gateways[0]), want);
        spool.close();
    }
    let series = "pushgateway_agent_results_dropped_total{gateway=\"http://b\",reason=\"removed\"} 1\n";
    assert!(counted(&registry).contains(series), "{}", counted(&registry));
}

#[test]
fn only_the_agent_may_read_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("queue");
    let gateways = gateways(&["http://a"], &Events::default());
    Spool::open(&file, gateways, Events::default()).unwrap().close();
    assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn a_damaged_file_is_moved_away_and_one_that_cannot_be_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("queue");
    fill(&file);
    let whole = std::fs::read(&file).unwrap();
    let events = Events::default();
    let gateways = gateways(&["http://a"], &events);
    for damaged in [&b"this is no queue\n".repeat(1000), &whole[..whole.len() / 2], &whole[..5000]] {
        std::fs::write(&file, damaged).unwrap();
        Spool::open(&file, Arc::clone(&gateways), events.clone()).unwrap().close();
        assert_eq!(std::fs::read(folder.path().join("queue.damaged")).unwrap().len(), damaged.len());
    }
    let nowhere = folder.path().join("none/queue");
    let told = Spool::open(&nowhere, gateways, events).unwrap_err().to_string();
    assert!(told.contains("No such file or directory"), "{told}");
}

#[test]
fn a_byte_that_was_changed_costs_the_file_or_nothing() {
    const PAGE: usize = 4096;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("queue");
    fill(&file);
    let whole = std::fs::read(&file).unwrap();
    let want = [("y", "y0"), ("x", "x0")].map(|(check, payload)| (check.to_owned(), payload.into()));
    // What a page is stands in its first byte.
    for at in (0..8).map(|page| page * PAGE) {
        let mut changed = whole.clone();
        changed[at] ^= 0x10;
        std::fs::write(&file, changed).unwrap();
        let events = Events::default();
        let gateways = gateways(&["http://a"], &events);
        Spool::open(&file, Arc::clone(&gateways), events).unwrap().close();
        let kept = checks(&gateways[0]);
        assert!(kept.is_empty() || kept == want, "byte {at}: {kept:?}");
    }
}
