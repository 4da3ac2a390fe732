//! What holds for any input. The fuzz targets assert it of what they come upon, the tests of golden logs and of what fuzzing found.

use check_result::log::{Line, LoggedResult, Run, Skimmed, Skimmer, read_line, records, skim, write_result};
use jiff::tz::TimeZone;

/// The log codec, on a log's bytes.
pub(crate) fn log(bytes: &[u8]) {
    let mut skimmer = Skimmer::default();
    for line in bytes.split(|&byte| byte == b'\n') {
        // A definition is remembered when it comes again.
        for _ in 0..3 {
            readers_agree(&mut skimmer, line);
        }
        pieces_are_whole(line);
        if let Line::Result(logged) = read_line(line) {
            written_reads_the_same(&logged);
        }
    }
}

/// What [`skim`] and a [`Skimmer`] say of a line is what [`read_line`] says of it, or nothing.
pub(crate) fn readers_agree(skimmer: &mut Skimmer, line: &[u8]) {
    let read = read_line(line);
    agree(&skim(line), &read, line);
    agree(&skimmer.skim(line), &read, line);
}

fn agree(skimmed: &Skimmed<'_>, read: &Line, line: &[u8]) {
    let same = match (skimmed, read) {
        (Skimmed::Unclear, _) | (Skimmed::Other, Line::Other) => true,
        (Skimmed::Run(run), Line::Result(whole)) => format!("{run:?}") == format!("{:?}", Run::of(whole)),
        // The definition is nested too deep; the run is told.
        (Skimmed::Run(run), Line::Invalid(_)) => {
            line.windows(100).any(|bytes| bytes.iter().filter(|byte| b"[{".contains(byte)).count() > 40)
                && run.to_result().exit_code() == run.status
        }
        (Skimmed::NotRun { logged, check }, Line::NotRun { logged: at, check: whole }) => {
            Some(*logged) == *at && **check == *whole
        }
        _ => false,
    };
    assert!(same, "{skimmed:?}, but {read:?}: {}", String::from_utf8_lossy(line));
}

/// The records of a line are all of it, and a line that is one record is not taken apart.
fn pieces_are_whole(line: &[u8]) {
    let pieces: Vec<_> = records(line).collect();
    assert_eq!(pieces.concat(), line);
    if !matches!(skim(line), Skimmed::Unclear) {
        assert_eq!(pieces.len(), 1, "{}", String::from_utf8_lossy(line));
    }
}

/// Numbers are written as sensu-client's encoder prints them, with 15 digits: once written, they stay.
fn written_reads_the_same(logged: &LoggedResult) {
    let (once, read) = written(logged);
    let (twice, _) = written(&read);
    assert_eq!(String::from_utf8(once), String::from_utf8(twice));
    let (before, after) = (&logged.result, &read.result);
    assert_eq!((before.key(), before.output(), before.exit_code()), (after.key(), after.output(), after.exit_code()));
    assert!(before.check().keys().eq(after.check().keys()), "{before:?} {after:?}");
}

fn written(logged: &LoggedResult) -> (Vec<u8>, LoggedResult) {
    let mut line = Vec::new();
    write_result(&mut line, &logged.logged.to_zoned(TimeZone::UTC), &logged.result);
    match read_line(line.trim_ascii_end()) {
        Line::Result(read) => (line, read),
        other => panic!("written, but no result: {other:?}: {}", String::from_utf8_lossy(&line)),
    }
}

/// Performance data, in any output.
pub(crate) fn perfdata(output: &[u8]) {
    let output = String::from_utf8_lossy(output);
    let measured = check_result::perfdata::parse(&output);
    assert!(measured.values.len() <= check_result::perfdata::MOST_VALUES);
    for value in measured.values {
        assert!(!value.label.is_empty() && value.label.len() <= output.len(), "{value:?}");
        let ends = [value.warning, value.critical].into_iter().flatten().flat_map(|range| [range.lower, range.upper]);
        let numbers = ends.chain([Some(value.value), value.min, value.max]).flatten();
        numbers.for_each(|number| assert!(number.is_finite(), "{value:?}"));
    }
}
