//! Logs whose clock was wrong, across a restart: no result is hidden by the time of another one.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::PathBuf;
use std::sync::Arc;

use checkscript_agent::events::Events;
use checkscript_agent::flags::Flags;
use checkscript_agent::reader::Reader;
use checkscript_agent::store::{Limits, Store};
use clap::Parser as _;
use jiff::{SignedDuration, Timestamp};
use tempfile::TempDir;

struct World(TempDir);

impl World {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// An agent that has read everything.
    fn start(&self) -> (Reader, Arc<Store>) {
        let [log, state] = ["log", "state"].map(|name| self.path(name));
        let (log, state) = (log.to_str().unwrap(), state.to_str().unwrap());
        let flags = Flags::try_parse_from(["agent", "--check.log", log, "--state.file", state]).unwrap();
        let limits = Limits { forget_after: i64::MAX, ..flags.limits() };
        let store = Arc::new(Store::new(limits, Events::default()));
        let mut reader = Reader::new(&flags, Arc::clone(&store), Events::default()).unwrap();
        while reader.look() {}
        (reader, store)
    }

    /// Appends a result that is logged `hours` from now.
    fn append(&self, hours: i64, status: u8) {
        let stamp = Timestamp::now() + SignedDuration::from_hours(hours);
        let mut log = OpenOptions::new().append(true).create(true).open(self.path("log")).unwrap();
        let check = format!(r#"{{"name":"c","output":"a line that tells this file from others","status":{status}}}"#);
        let result = format!(r#""message":"publishing check result","payload":{{"client":"web-1","check":{check}}}"#);
        writeln!(log, r#"{{"timestamp":"{stamp}","level":"info",{result}}}"#).unwrap();
    }

    fn delete(&self) {
        fs::rename(self.path("log"), self.path("elsewhere")).unwrap();
    }
}

fn status(store: &Store) -> (u64, i64) {
    let state = &store.snapshot()[0];
    (state.occurrences(), state.latest().exit_code())
}

#[test]
fn a_log_that_was_replaced_after_the_clock_was_ahead_shows_its_state() {
    let world = World::new();
    world.append(9, 0);
    world.start().0.save();
    world.delete();
    world.append(0, 2);
    let (mut reader, store) = world.start();
    assert_eq!(status(&store), (1, 2));
    world.append(0, 2);
    while reader.look() {}
    assert_eq!(status(&store), (2, 2));
}

#[test]
fn what_is_appended_after_a_gap_counts_though_the_clock_was_set_back() {
    let world = World::new();
    world.append(-1, 1);
    world.start().0.save();
    world.delete();
    // As if it was in what was read already.
    world.append(-2, 1);
    let (mut reader, store) = world.start();
    assert_eq!(status(&store), (1, 1));
    world.append(-2, 1);
    while reader.look() {}
    assert_eq!(status(&store), (2, 1));
}
