//! Random histories of a log against what was written: every result once and in order, whatever happened to file and agent.

use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::path::PathBuf;
use std::sync::Arc;

use check_result::HistoryLimits;
use checkscript_agent::events::Events;
use checkscript_agent::flags::Flags;
use checkscript_agent::reader::Reader;
use checkscript_agent::store::{Limits, Store};
use clap::Parser as _;
use flate2::Compression;
use flate2::write::GzEncoder;
use proptest::prelude::*;
use tempfile::TempDir;

#[derive(Clone, Debug)]
enum Op {
    /// Whole lines.
    Append(u8),
    /// The first bytes of a line; the next operation that writes goes on with it.
    Begin(u16),
    Look,
    Save,
    /// The agent dies without another word, and another one starts.
    Kill,
    /// The agent stops as it should, and another one starts.
    Restart,
    /// The state file is damaged, then as `Kill`.
    Damage,
    /// `mv log log.1; touch log`; the writer writes on into the old file.
    Rename,
    /// `mv log log.1`: there is no log until the writer opens it anew.
    Move,
    /// The writer opens the log by its name.
    Reopen,
    CopyTruncate,
    /// `rm log; touch log`, the agent having read it.
    Delete,
    /// All rotated files that the writer has left.
    Gzip,
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        6 => (1_u8..6).prop_map(Op::Append),
        2 => (1_u16..200).prop_map(Op::Begin),
        4 => Just(Op::Look),
        2 => Just(Op::Save),
        2 => Just(Op::Kill),
        1 => Just(Op::Restart),
        1 => Just(Op::Damage),
        3 => Just(Op::Rename),
        3 => Just(Op::Move),
        3 => Just(Op::Reopen),
        2 => Just(Op::CopyTruncate),
        1 => Just(Op::Delete),
        2 => Just(Op::Gzip),
    ]
}

struct World {
    /// What `--check.log` says, within the folder.
    pattern: &'static str,
    folder: TempDir,
    agent: Option<(Reader, Arc<Store>)>,
    writer: File,
    /// The rest of a line that was begun.
    rest: Vec<u8>,
    written: i64,
    /// Something is not in any file any more.
    deleted: bool,
}

impl World {
    fn new(pattern: &'static str) -> Self {
        // In memory where that can be had: this is about order, not about disks.
        let folder = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap();
        let writer = open(folder.path().join("log"));
        let mut world = Self { pattern, folder, agent: None, writer, rest: Vec::new(), written: 0, deleted: false };
        world.start();
        world
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn start(&mut self) {
        // The old one is gone before the new one looks, as processes are.
        self.agent = None;
        let (log, state) = (self.path(self.pattern), self.path("state"));
        let (log, state) = (log.to_str().unwrap(), state.to_str().unwrap());
        let flags = Flags::try_parse_from(["agent", "--check.log", log, "--state.file", state]).unwrap();
        let history = HistoryLimits { results: 100_000, ..HistoryLimits::default() };
        let limits = Limits { forget_after: i64::MAX, history, ..flags.limits() };
        let store = Arc::new(Store::new(limits, Events::default()));
        self.agent = Some((Reader::new(&flags, Arc::clone(&store), Events::default()).unwrap(), store));
    }

    fn look(&mut self) {
        let (reader, _) = self.agent.as_mut().unwrap();
        while reader.look() {}
    }

    fn save(&mut self) {
        self.agent.as_mut().unwrap().0.save();
    }

    fn run(&mut self, op: &Op) {
        match op {
            Op::Append(count) => (0..*count).for_each(|_| self.append()),
            Op::Begin(bytes) => self.begin(usize::from(*bytes)),
            Op::Look => self.look(),
            Op::Save => self.save(),
            Op::Kill => self.start(),
            Op::Restart => {
                self.save();
                self.start();
            }
            Op::Damage if self.deleted => {}
            Op::Damage => {
                if let Ok(state) = fs::read(self.path("state")) {
                    fs::write(self.path("state"), &state[..state.len() / 2]).unwrap();
                }
                self.start();
            }
            Op::Rename => self.rename(),
            Op::Move => self.move_away(),
            Op::Reopen => self.reopen(),
            Op::CopyTruncate => self.copy_truncate(),
            Op::Delete => self.delete(),
            Op::Gzip => self.gzip(),
        }
    }

    fn line(&mut self) -> Vec<u8> {
        let (second, minute) = (self.written % 60, self.written / 60);
        let line = format!(
            r#"{{"timestamp":"2026-11-21T{:02}:{:02}:{second:02}.000000+0000","level":"info","message":"publishing check result","payload":{{"client":"web-1","check":{{"name":"c","output":"{}","status":{}}}}}}}"#,
            minute / 60,
            minute % 60,
            self.written,
            self.written % 3,
        );
        self.written += 1;
        (line + "\n").into_bytes()
    }

    fn append(&mut self) {
        self.complete();
        let line = self.line();
        self.writer.write_all(&line).unwrap();
    }

    fn begin(&mut self, bytes: usize) {
        self.complete();
        let mut line = self.line();
        self.rest = line.split_off(bytes.min(line.len() - 1));
        self.writer.write_all(&line).unwrap();
    }

    fn complete(&mut self) {
        self.writer.write_all(&std::mem::take(&mut self.rest)).unwrap();
    }

    /// `log.1` and so on, newest first.
    fn rotated(&self) -> Vec<PathBuf> {
        let names = (1..).map(|n| [self.path(&format!("log.{n}")), self.path(&format!("log.{n}.gz"))]);
        names.map_while(|names| names.into_iter().find(|path| path.exists())).collect()
    }

    fn shift(&self) {
        for (index, path) in self.rotated().into_iter().enumerate().rev() {
            let gz = if path.extension().unwrap() == "gz" { ".gz" } else { "" };
            fs::rename(path, self.path(&format!("log.{}{gz}", index + 2))).unwrap();
        }
    }

    fn rename(&mut self) {
        self.move_away();
        open(self.path("log"));
    }

    fn move_away(&mut self) {
        if self.path("log").exists() {
            self.shift();
            fs::rename(self.path("log"), self.path("log.1")).unwrap();
        }
    }

    fn reopen(&mut self) {
        self.complete();
        self.writer = open(self.path("log"));
    }

    fn copy_truncate(&mut self) {
        self.reopen();
        self.shift();
        fs::copy(self.path("log"), self.path("log.1")).unwrap();
        self.writer.set_len(0).unwrap();
    }

    fn delete(&mut self) {
        self.complete();
        open(self.path("log"));
        self.look();
        self.save();
        self.deleted = true;
        fs::remove_file(self.path("log")).unwrap();
        self.reopen();
        // What the writer left is not in the way of the new file.
        self.append();
        self.look();
    }

    fn gzip(&mut self) {
        self.reopen();
        for path in self.rotated().into_iter().filter(|path| path.extension().unwrap() != "gz") {
            let modified = fs::metadata(&path).unwrap().modified().unwrap();
            let gz = PathBuf::from(format!("{}.gz", path.display()));
            let mut encoder = GzEncoder::new(File::create(&gz).unwrap(), Compression::fast());
            encoder.write_all(&fs::read(&path).unwrap()).unwrap();
            encoder.finish().unwrap().set_modified(modified).unwrap();
            fs::remove_file(path).unwrap();
        }
    }

    /// The outputs of all results, oldest first, after everything was read.
    fn seen(&mut self) -> Vec<String> {
        self.reopen();
        self.append();
        self.look();
        let states = self.agent.as_ref().unwrap().1.snapshot();
        let outputs = states[0].history().map(|entry| entry.output.to_string());
        let mut outputs: Vec<_> = outputs.collect();
        outputs.reverse();
        outputs
    }
}

fn open(path: PathBuf) -> File {
    OpenOptions::new().append(true).create(true).open(path).unwrap()
}

fn check(pattern: &'static str, ops: &[Op]) -> Result<(), TestCaseError> {
    let mut world = World::new(pattern);
    ops.iter().for_each(|op| world.run(op));
    let (seen, written) = (world.seen(), 0..world.written);
    prop_assert_eq!(seen, written.map(|n| n.to_string()).collect::<Vec<_>>());
    Ok(())
}

proptest! {
    #[test]
    fn every_result_is_counted_once_whatever_happens(ops in prop::collection::vec(op(), 1..40)) {
        check("log", &ops)?;
    }

    #[test]
    fn so_it_is_where_a_glob_finds_the_log(ops in prop::collection::vec(op(), 1..40)) {
        check("lo?", &ops)?;
    }

    #[test]
    fn so_it_is_where_a_glob_finds_its_rotated_files_too(ops in prop::collection::vec(op(), 1..40)) {
        check("log*", &ops)?;
    }
}
