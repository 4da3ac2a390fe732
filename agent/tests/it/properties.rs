//! What holds for any input. The fuzz targets assert it of what they come upon, the tests of what fuzzing began with and found.

use std::fs::File;
use std::io::Write as _;
use std::sync::Arc;

use check_result::log::LoggedResult;
use check_result::{CheckResult, CheckState, HistoryLimits, metrics};
use checkscript_agent::state_file::Saved;
use exposition::pushed::parse_text;
use flate2::Compression;
use flate2::write::GzEncoder;
use jiff::Timestamp;
use serde_json::json;

/// The JSON of a state file: what is taken is saved as a file that says the same, and its checks go on from there.
pub(crate) fn state(json: &[u8]) {
    let folder = tempfile::tempdir().expect("there is a place for files");
    let path = folder.path().join("state");
    let mut file = GzEncoder::new(File::create(&path).expect("a file can be made"), Compression::none());
    file.write_all(json).and_then(|()| file.finish().map(drop)).expect("it can be written");
    let Ok(Some(mut saved)) = Saved::load(&path) else { return };
    saved.store(&path).expect("it can be saved");
    let again = Saved::load(&path).unwrap_or_else(|error| panic!("{error}")).expect("it was saved");
    let text = |saved: &Saved| serde_json::to_string(saved).expect("it is JSON");
    assert_eq!(text(&again), text(&saved));
    for check in saved.checks {
        goes_on(Arc::unwrap_or_clone(check.state));
    }
}

fn goes_on(mut state: CheckState) {
    // What is cut says so.
    const NOTE: usize = 80;
    const LIMITS: HistoryLimits = HistoryLimits { results: 5, changes: 3, output_bytes: 20, latest_output_bytes: 40 };
    can_be_scraped(&state);
    state.bound(&LIMITS);
    assert!(state.history().count() <= LIMITS.results + LIMITS.changes);
    assert!(state.history().all(|entry| entry.output.len() <= LIMITS.output_bytes + NOTE));
    assert!(state.latest().output().len() <= LIMITS.latest_output_bytes + NOTE);
    let name = state.latest().name().to_owned();
    for status in [state.latest().exit_code(), 1, 1] {
        let check = json!({"name": name, "status": status, "output": "x", "executed": 1_787_000_000});
        let check = check.as_object().cloned().expect("it is an object");
        let result = CheckResult::new("web-1", check).expect("it is a result");
        state.apply(LoggedResult { logged: Timestamp::UNIX_EPOCH, result }, &LIMITS);
        can_be_scraped(&state);
    }
    assert!(state.occurrences() >= 2, "{state:?}");
}

fn can_be_scraped(state: &CheckState) {
    let options = metrics::Options { info_attributes: vec!["team".to_owned()], perfdata: true };
    let families = metrics::families([(&[][..], state)], &options, metrics::Read::Now(1_787_000_000));
    let mut page = String::new();
    exposition::write(&families, exposition::Format::Text, &mut page);
    if let Err(error) = parse_text(page.as_bytes()) {
        panic!("{error} in {page:?}");
    }
}
