//! Rows as lines of a spreadsheet.

use std::borrow::Cow;

use jiff::Timestamp;

use crate::lists::{alerts, checks, nodes, silences};
use crate::matcher::{self, Labels, Op};

/// What a spreadsheet takes for the beginning of a formula, which may fetch or run things when it is opened: the signs, their
/// full-width forms, and what it skips before them.
const FORMULA: [char; 11] = ['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠'];

/// The byte order mark. Excel takes a file without it for one in the encoding of its system, which makes nonsense of Japanese.
const UTF_8: &str = "\u{feff}";

/// A row of a list, as cells of text.
pub(super) trait Table {
    /// The names of the columns.
    const COLUMNS: &'static [&'static str];

    /// One cell a column.
    fn cells(&self) -> Vec<String>;
}

/// The rows as CSV (RFC 4180); where `is_first` with what a file begins with, the columns' names too.
pub(super) fn csv<R: Table>(rows: &[R], is_first: bool) -> Vec<u8> {
    let begun = if is_first { UTF_8.as_bytes().to_vec() } else { Vec::new() };
    let mut to = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(begun);
    let head = is_first.then(|| to.write_record(R::COLUMNS)).transpose();
    let mut write = |row: &R| to.write_record(row.cells().iter().map(|cell| guarded(cell).into_owned()));
    let written = head.and_then(|_| rows.iter().try_for_each(&mut write));
    written.expect("a row has a cell for each column, and is written to memory");
    to.into_inner().expect("it is flushed to memory")
}

/// A cell that no spreadsheet takes for a formula: an apostrophe makes it text. Outputs and labels are what anybody's
/// script says.
fn guarded(cell: &str) -> Cow<'_, str> {
    match cell.starts_with(FORMULA) {
        true => Cow::Owned(format!("'{cell}")),
        false => Cow::Borrowed(cell),
    }
}

/// Labels as they are written in queries: `{env="prod", …}`.
fn labels(labels: &Labels) -> String {
    struct Shown<'a>(&'a str, &'a str);
    impl std::fmt::Display for Shown<'_> {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            matcher::write(f, self.0, Op::Equal, self.1)
        }
    }
    let shown: Vec<_> = labels.iter().map(|(name, value)| Shown(name, value).to_string()).collect();
    format!("{{{}}}", shown.join(", "))
}

impl Table for alerts::Row<'_> {
    const COLUMNS: &'static [&'static str] = &[
        "cluster",
        "severity",
        "state",
        "node",
        "job",
        "check",
        "source",
        "alertname",
        "since",
        "output",
        "silenced_by",
        "inhibited_by",
        "fingerprint",
        "labels",
    ];

    fn cells(&self) -> Vec<String> {
        let (fired, alert) = (self.fired, &self.fired.alert);
        let label = |name| fired.label(name).to_owned();
        vec![
            self.cluster.to_owned(),
            label("severity"),
            fired.told.word().to_owned(),
            label("instance"),
            label("job"),
            label("check"),
            label("source"),
            label("alertname"),
            alert.starts_at.to_string(),
            fired.line().into_owned(),
            alert.status.silenced_by.join(" "),
            alert.status.inhibited_by.join(" "),
            alert.fingerprint.clone(),
            labels(&alert.labels),
        ]
    }
}

impl Table for nodes::Row<'_> {
    const COLUMNS: &'static [&'static str] = &[
        "cluster",
        "node",
        "job",
        "state",
        "last_seen",
        "checks",
        "failing",
        "failing_checks",
        "alerts",
        "silenced",
        "labels",
    ];

    fn cells(&self) -> Vec<String> {
        let node = self.node;
        let failing: Vec<_> = node.failing.iter().map(|failing| &*failing.check).collect();
        vec![
            self.cluster.to_owned(),
            node.id.instance.clone(),
            node.id.job.clone(),
            node.state().word().to_owned(),
            node.seen.and_then(|at| Timestamp::from_second(at).ok()).map(|at| at.to_string()).unwrap_or_default(),
            node.checks.to_string(),
            failing.len().to_string(),
            failing.join(" "),
            self.alerts().to_string(),
            self.silenced().to_string(),
            labels(&node.labels),
        ]
    }
}

impl Table for checks::Row {
    const COLUMNS: &'static [&'static str] = &["check", "total", "ok", "warning", "critical", "unknown", "stale"];

    fn cells(&self) -> Vec<String> {
        let counts = &self.counts;
        let numbers = [counts.total, counts.ok(), counts.warning, counts.critical, counts.unknown, counts.stale];
        std::iter::once(self.check.to_string()).chain(numbers.map(|number| number.to_string())).collect()
    }
}

impl Table for silences::Row<'_> {
    const COLUMNS: &'static [&'static str] =
        &["cluster", "id", "state", "matchers", "begins", "ends", "author", "reason", "mutes"];

    fn cells(&self) -> Vec<String> {
        let silence = &self.silenced.silence;
        let matchers: Vec<_> = silence.matchers.iter().map(ToString::to_string).collect();
        vec![
            self.cluster.to_owned(),
            silence.id.clone(),
            silence.status.state.word().to_owned(),
            format!("{{{}}}", matchers.join(", ")),
            silence.starts_at.to_string(),
            silence.ends_at.to_string(),
            silence.created_by.clone(),
            silence.comment.clone(),
            self.mutes.to_string(),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Row(&'static str);

    impl Table for Row {
        const COLUMNS: &'static [&'static str] = &["a", "b"];

        fn cells(&self) -> Vec<String> {
            vec![self.0.to_owned(), "x".to_owned()]
        }
    }

    #[test]
    fn no_cell_is_a_formula() {
        for (cell, written) in [
            ("=HYPERLINK(\"http://x\",\"y\")", "\"'=HYPERLINK(\"\"http://x\"\",\"\"y\"\")\",x\r\n"),
            ("+1", "'+1,x\r\n"),
            ("-1", "'-1,x\r\n"),
            ("@SUM(A1)", "'@SUM(A1),x\r\n"),
            ("\t=1", "'\t=1,x\r\n"),
            ("＝1", "'＝1,x\r\n"),
            ("disk, 97% =full", "\"disk, 97% =full\",x\r\n"),
            ("a\r\nb", "\"a\r\nb\",x\r\n"),
            ("", ",x\r\n"),
        ] {
            assert_eq!(String::from_utf8(csv(&[Row(cell)], false)).unwrap(), written);
        }
        assert_eq!(String::from_utf8(csv::<Row>(&[], true)).unwrap(), "\u{feff}a,b\r\n", "in Excel too it is UTF-8");
    }

    #[test]
    fn labels_are_written_as_in_queries() {
        let pairs = [("a", "x\"y"), ("é", "")].map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(labels(&pairs.into()), "{a=\"x\\\"y\", \"é\"=\"\"}");
    }
}
