//! What one log does under its follower, look by look.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::process::Command;

use tempfile::TempDir;

use super::*;

struct Log {
    folder: TempDir,
    file: LogFile,
}

impl Log {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = LogFile::new(&folder.path().join("log"), None);
        Self { folder, file }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn append(&self, name: &str, text: &str) {
        let mut file = OpenOptions::new().append(true).create(true).open(self.path(name)).unwrap();
        file.write_all(text.as_bytes()).unwrap();
    }

    /// The lines that a look finds, joined by spaces, and the rotation it saw.
    fn look(&mut self) -> (String, Option<Rotation>) {
        let mut lines = Vec::new();
        let looked = self.file.look(1 << 20, &mut |piece| match piece {
            Piece::Line(line) => lines.push(String::from_utf8_lossy(line).into_owned()),
            Piece::TooLong => panic!("no line is that long"),
            Piece::Gap => lines.push("GAP".to_owned()),
        });
        (lines.join(" "), looked.unwrap().rotated)
    }
}

fn seen(lines: &str) -> (String, Option<Rotation>) {
    (lines.to_owned(), None)
}

#[test]
fn waits_for_the_file_and_for_the_line_feed() {
    let mut log = Log::new();
    assert_eq!(log.look(), seen(""));
    log.append("log", "a\nb");
    assert_eq!(log.look(), seen("a"));
    log.append("log", "c\n");
    assert_eq!(log.look(), seen("bc"));
    assert_eq!(log.look(), seen(""));
}

#[test]
fn a_renamed_file_is_read_on_until_its_writer_has_moved_over() {
    let mut log = Log::new();
    log.append("log", "a\n");
    log.look();
    fs::rename(log.path("log"), log.path("log.1")).unwrap();
    log.append("log.1", "b\n");
    assert_eq!(log.look(), seen("b"));
    // logrotate's `create`: the new file is there, the writer has not reopened yet.
    log.append("log", "");
    log.append("log.1", "c\n");
    assert_eq!(log.look(), ("c".to_owned(), Some(Rotation::Replaced)));
    log.append("log.1", "d\n");
    log.append("log", "e\n");
    assert_eq!(log.look(), seen("d e"));
}

#[test]
fn deleted_and_created_anew() {
    let mut log = Log::new();
    log.append("log", "a\nhalf");
    log.look();
    log.append("other", "b\n");
    fs::rename(log.path("other"), log.path("log")).unwrap();
    assert_eq!(log.look(), ("half b".to_owned(), Some(Rotation::Replaced)));
    fs::remove_file(log.path("log")).unwrap();
    assert_eq!(log.look(), seen(""));
    log.append("log", "c\n");
    assert_eq!(log.look().0, "c");
}

#[test]
fn truncated_in_place_even_when_it_has_grown_again() {
    let mut log = Log::new();
    log.append("log", "first 1\nhalf");
    log.look();
    fs::write(log.path("log"), "x\n").unwrap();
    assert_eq!(log.look(), ("half x".to_owned(), Some(Rotation::Truncated)));
    fs::write(log.path("log"), "second and longer than before\n").unwrap();
    assert_eq!(log.look(), ("second and longer than before".to_owned(), Some(Rotation::Truncated)));
}

#[test]
fn the_first_look_begins_with_the_rotated_sibling() {
    let mut log = Log::new();
    log.append("log.1", "old\n");
    log.append("log", "new\n");
    assert_eq!(log.look(), seen("old new"));
    assert_eq!(log.look(), seen(""));
}

#[test]
fn what_cannot_be_read_is_an_error_and_retried() {
    let mut log = Log::new();
    fs::create_dir(log.path("log")).unwrap();
    assert!(log.file.look(1, &mut |_| {}).is_err());
    fs::remove_dir(log.path("log")).unwrap();
    log.append("log", "a\n");
    assert_eq!(log.look(), seen("a"));
}

impl Log {
    /// The agent was down: another one goes on where it was.
    fn restart(&mut self) {
        let position = self.file.position().cloned();
        self.file = LogFile::new(&self.path("log"), position);
    }
}

#[test]
fn a_place_that_is_lost_is_a_gap_even_where_only_the_name_is_left() {
    let mut log = Log::new();
    log.append("log", "a\n");
    log.look();
    log.restart();
    fs::remove_file(log.path("log")).unwrap();
    // Whether the file comes back is not known yet.
    assert_eq!(log.look(), seen(""));
    log.append("other", "b\n");
    fs::rename(log.path("other"), log.path("log")).unwrap();
    assert_eq!(log.look(), seen("GAP b"));
    assert_eq!(log.look(), seen(""));
}

#[test]
fn the_file_that_was_read_is_found_whatever_the_clock_did() {
    let mut log = Log::new();
    log.append("log", "a\n");
    log.look();
    log.restart();
    log.append("log", "b\n");
    fs::rename(log.path("log"), log.path("log.2")).unwrap();
    log.append("log.1", "c\n");
    log.append("log", "d\n");
    for name in ["log.2", "log.1"] {
        let file = File::options().write(true).open(log.path(name)).unwrap();
        file.set_modified(SystemTime::UNIX_EPOCH).unwrap();
    }
    assert_eq!(log.look(), seen("b c d"));
}

#[test]
fn what_has_become_of_a_missing_log_is_read_while_its_name_is_waited_for() {
    let mut log = Log::new();
    log.append("log", "a\n");
    log.look();
    fs::rename(log.path("log"), log.path("log.2")).unwrap();
    log.append("log.2", "b\n");
    log.append("log.1", "c\n");
    assert_eq!(log.look().0, "b c");
    assert_eq!(log.look(), seen(""));
    log.append("log", "d\n");
    assert_eq!(log.look().0, "d");
}

#[test]
fn a_log_that_was_empty_so_far_has_lost_nothing_when_it_was_copied_and_moved_between_two_looks() {
    let mut log = Log::new();
    log.append("log", "");
    assert_eq!(log.look(), seen(""));
    log.append("log", "a\n");
    fs::copy(log.path("log"), log.path("log.2")).unwrap();
    fs::write(log.path("log"), "").unwrap();
    log.append("log", "b\n");
    fs::rename(log.path("log"), log.path("log.1")).unwrap();
    assert_eq!(log.look().0, "a b");
    assert_eq!(log.look(), seen(""));
    log.append("log", "c\n");
    assert_eq!(log.look().0, "c");
}

#[test]
fn a_fifo_in_the_place_of_a_log_or_its_sibling_is_told_and_waited_for_by_nobody() {
    let mut log = Log::new();
    let fifo = |path: PathBuf| assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
    fifo(log.path("log"));
    assert!(log.file.look(1, &mut |_| {}).is_err());
    fs::remove_file(log.path("log")).unwrap();
    fifo(log.path("log.1"));
    fs::create_dir(log.path("log.2")).unwrap();
    log.append("log.3", "a\n");
    log.append("log", "b\n");
    let mut lines = 0;
    let looked = log.file.look(1 << 20, &mut |_| lines += 1).unwrap();
    let unreadable: Vec<_> = looked.unreadable.into_iter().map(|(path, _)| path).collect();
    assert_eq!((lines, unreadable), (2, vec![log.path("log.1"), log.path("log.2")]));
}

/// A gzip file of `text`, of which only `share` percent are left.
fn gzip(text: &str, share: usize) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(text.as_bytes()).unwrap();
    let mut bytes = encoder.finish().unwrap();
    bytes.truncate(bytes.len() * share / 100);
    bytes
}

/// Ways in which a compressed sibling may be damaged: no byte of it can be read, its end is missing, or it is something else.
fn damaged() -> [Vec<u8>; 3] {
    let lines: String = (0..20_000_u32).map(|n| format!("torn {}\n", n.wrapping_mul(2_654_435_761))).collect();
    [gzip("torn\n", 60), gzip(&lines, 60), [&[0x1f, 0x8b, 8, 0][..], b"garbage and nothing else"].concat()]
}

impl Log {
    /// The lines that a look finds but for those of the damaged file, and what it could not read.
    fn look_past_damage(&mut self) -> (String, Vec<String>) {
        let mut lines = Vec::new();
        let looked = self.file.look(1 << 30, &mut |piece| match piece {
            Piece::Line(line) => lines.push(String::from_utf8_lossy(line).into_owned()),
            Piece::TooLong => panic!("no line is that long"),
            Piece::Gap => lines.push("GAP".to_owned()),
        });
        lines.retain(|line| !line.starts_with("torn"));
        let name = |(path, _): (PathBuf, io::Error)| path.file_name().unwrap().to_string_lossy().into_owned();
        (lines.join(" "), looked.unwrap().unreadable.into_iter().map(name).collect())
    }
}

#[test]
fn a_damaged_sibling_between_the_place_and_the_name_is_told_and_passed_over() {
    for bytes in damaged() {
        let mut log = Log::new();
        log.append("log", "a\n");
        log.look();
        log.restart();
        log.append("log", "b\n");
        fs::rename(log.path("log"), log.path("log.3")).unwrap();
        fs::write(log.path("log.2.gz"), &bytes).unwrap();
        log.append("log.1", "c\n");
        log.append("log", "d\n");
        assert_eq!(log.look_past_damage(), ("b c d".to_owned(), vec!["log.2.gz".to_owned()]));
        log.append("log", "e\n");
        assert_eq!(log.look_past_damage(), ("e".to_owned(), vec![]));
    }
}

#[test]
fn a_damaged_sibling_does_not_end_the_first_look_at_a_log() {
    for bytes in damaged() {
        for named in [true, false] {
            let mut log = Log::new();
            log.append("log.3", "a\n");
            fs::write(log.path("log.2.gz"), &bytes).unwrap();
            log.append("log.1", "b\n");
            if named {
                log.append("log", "c\n");
            }
            let want = if named { "a b c" } else { "a b" };
            assert_eq!(log.look_past_damage(), (want.to_owned(), vec!["log.2.gz".to_owned()]));
            log.append("log", "d\n");
            assert_eq!(log.look_past_damage(), ("d".to_owned(), vec![]));
        }
    }
}

#[test]
fn a_place_in_a_file_that_is_damaged_now_is_a_gap() {
    let mut log = Log::new();
    let lines: String = (0..200).map(|n| format!("a line that is long enough to tell files, number {n}\n")).collect();
    log.append("log", &lines);
    log.look();
    log.restart();
    fs::remove_file(log.path("log")).unwrap();
    fs::write(log.path("log.1.gz"), gzip(&lines, 60)).unwrap();
    log.append("log", "b\n");
    assert_eq!(log.look_past_damage(), ("GAP b".to_owned(), vec!["log.1.gz".to_owned()]));
}
