//! Following the logs: new lines, in order, each once, through rotations and restarts.
//!
//! A [`Follower`] looks at all logs when it is asked to; it has no thread. [`pattern`] is what the operator says, [`names`] which
//! logs that means now, [`places`] where reading of others goes on should they come back. [`mod@file`] follows one name
//! through rotation, [`search`] finds what its files have become, [`siblings`] names them in order, [`segment`] reads one file,
//! plain or gzip, [`lines`] cuts bytes into lines of bounded length, [`watch`] says when to look.

mod file;
mod lines;
mod names;
mod pattern;
mod places;
mod search;
mod segment;
mod siblings;
mod watch;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

pub use file::Rotation;
pub use pattern::{BadPattern, LogPattern};
pub use segment::Position;
pub(crate) use watch::{Polling, Reason, Watch};

use check_result::log::LONGEST_LINE;

use crate::events::Events;
use file::LogFile;
use lines::Piece;
use names::{Followed, Names};

/// How much of each log one look reads at most, in bytes: what is read becomes visible, and a stop is seen, after that.
const BUDGET: u64 = 32 << 20;

/// Takes what is read.
pub trait Sink {
    /// A line of `log`, without its line feed.
    fn line(&mut self, log: &Arc<Path>, line: &[u8]);

    /// The place where `log` was read up to is gone; lines that were read before may follow.
    fn gap(&mut self, log: &Arc<Path>);

    /// `log` is read to its end as it is now.
    fn caught_up(&mut self, log: &Arc<Path>);
}

/// Follows every log that its patterns name.
#[derive(Debug)]
pub struct Follower {
    names: Names,
    events: Events,
}

// === impl Follower ===

impl Follower {
    /// Follows what `patterns` name, from where `saved` says that they were read up to; nothing is opened yet.
    pub fn new(patterns: Vec<LogPattern>, saved: BTreeMap<PathBuf, Position>, events: Events) -> Self {
        Self { names: Names::new(patterns, saved, events.clone()), events }
    }

    /// Looks at every log and hands what is new to `sink`; true if there is more to read already.
    ///
    /// The first look at a log of which no place is known begins with its rotated siblings, so that what was logged before a
    /// start is known after it.
    pub fn look(&mut self, sink: &mut dyn Sink) -> bool {
        self.look_at(Instant::now(), sink)
    }

    fn look_at(&mut self, now: Instant, sink: &mut dyn Sink) -> bool {
        self.names.update(now);
        let events = &self.events;
        let mut more = false;
        for Followed { log, file, .. } in self.names.followed_mut() {
            let looked = file.look(BUDGET, &mut |piece| match piece {
                Piece::Line(bytes) => sink.line(log, bytes),
                Piece::TooLong => events.line_too_long(LONGEST_LINE),
                Piece::Gap => {
                    events.log_gap(log);
                    sink.gap(log);
                }
            });
            match &looked {
                Ok(file::Looked { more: true, .. }) => more = true,
                Ok(_) => sink.caught_up(log),
                Err(_) => {}
            }
            report(events, file, looked);
        }
        more
    }

    /// How far each log's lines were all handed out.
    pub fn positions(&self) -> impl Iterator<Item = (&Path, &Position)> {
        self.names.positions()
    }

    /// The directories in which something happens when a log is written or rotated, those that exist or not.
    pub(crate) fn directories(&self) -> BTreeSet<PathBuf> {
        let of_patterns = self.names.patterns().iter().map(LogPattern::directory);
        of_patterns.chain(self.names.followed().iter().map(|followed| directory(&followed.log))).collect()
    }

    /// Whether `name` in a directory may be a log, or concerns one.
    pub(crate) fn concerns(&self, name: &str) -> bool {
        let of_log =
            |log: &Path| log.file_name().is_some_and(|log| log.to_str().is_some_and(|log| name.starts_with(stem(log))));
        self.names.patterns().iter().any(|pattern| pattern.is_glob() || of_log(pattern.as_path()))
            || self.names.followed().iter().any(|followed| of_log(&followed.log))
    }
}

fn directory(path: &Path) -> PathBuf {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    }
}

/// What a log's own name and its rotated siblings' begin with.
fn stem(name: &str) -> &str {
    name.rsplit_once('.').map_or(name, |(stem, _)| stem)
}

fn report(events: &Events, file: &LogFile, looked: std::io::Result<file::Looked>) {
    let path = file.path();
    match looked {
        Ok(looked) => {
            events.log_read(path, looked.exists);
            if let Some(how) = looked.rotated {
                events.log_rotated(path, how);
            }
            for (sibling, error) in &looked.unreadable {
                events.sibling_unreadable(sibling, error);
            }
        }
        Err(error) => events.log_unreadable(path, &error),
    }
    events.log_progress(path, file.behind(), file.modified());
}

#[cfg(test)]
mod tests {
    use std::fs::{self, OpenOptions};
    use std::io::Write as _;
    use std::os::unix::fs::symlink;
    use std::time::Duration;

    use tempfile::TempDir;

    use super::*;

    struct World {
        folder: TempDir,
        follower: Follower,
        now: Instant,
    }

    /// Lines and gaps with the names of their logs.
    #[derive(Default)]
    struct Seen(Vec<String>);

    impl Sink for Seen {
        fn line(&mut self, log: &Arc<Path>, line: &[u8]) {
            let name = log.file_name().unwrap().to_string_lossy();
            self.0.push(format!("{name}:{}", String::from_utf8_lossy(line)));
        }

        fn gap(&mut self, log: &Arc<Path>) {
            self.line(log, b"GAP");
        }

        fn caught_up(&mut self, _: &Arc<Path>) {}
    }

    impl World {
        fn new(patterns: &[&str]) -> Self {
            let folder = tempfile::tempdir().unwrap();
            let pattern = |pattern: &&str| folder.path().join(pattern).to_str().unwrap().parse().unwrap();
            let patterns = patterns.iter().map(pattern).collect();
            let follower = Follower::new(patterns, BTreeMap::new(), Events::unregistered());
            Self { folder, follower, now: Instant::now() }
        }

        fn path(&self, name: &str) -> PathBuf {
            self.folder.path().join(name)
        }

        fn append(&self, name: &str, text: &str) {
            let mut file = OpenOptions::new().append(true).create(true).open(self.path(name)).unwrap();
            // What tells files from each other is longer than a letter.
            writeln!(file, "{text}{:99}", "").unwrap();
        }

        fn rename(&self, from: &str, to: &str) {
            fs::rename(self.path(from), self.path(to)).unwrap();
        }

        fn look(&mut self) -> String {
            let mut seen = Seen::default();
            self.follower.look_at(self.now, &mut seen);
            seen.0.iter().map(|line| line.trim_end()).collect::<Vec<_>>().join(" ")
        }

        /// As a look after `seconds`.
        fn look_after(&mut self, seconds: u64) -> String {
            self.now += Duration::from_secs(seconds);
            self.look()
        }

        fn restart(&mut self) {
            let saved = self.follower.positions().map(|(log, position)| (log.to_owned(), position.clone())).collect();
            let patterns = self.follower.names.patterns().to_vec();
            self.follower = Follower::new(patterns, saved, Events::unregistered());
        }

        fn followed(&self) -> Vec<String> {
            let name = |followed: &Followed| followed.log.file_name().unwrap().to_string_lossy().into_owned();
            self.follower.names.followed().iter().map(name).collect()
        }
    }

    #[test]
    fn a_log_between_rename_and_reopening_keeps_its_place() {
        for pattern in ["lo?", "log*"] {
            let mut world = World::new(&[pattern]);
            world.append("log", "a");
            assert_eq!(world.look(), "log:a");
            world.rename("log", "log.1");
            assert_eq!(world.look(), "", "{pattern}");
            world.append("log.1", "b");
            assert_eq!(world.look(), "log:b", "{pattern}");
            world.restart();
            world.append("log.1", "c");
            assert_eq!(world.look(), "log:c", "{pattern}");
            world.append("log", "d");
            assert_eq!(world.look(), "log:d", "{pattern}");
        }
    }

    #[test]
    fn so_does_one_that_stays_away_for_long() {
        let mut world = World::new(&["lo?"]);
        world.append("log", "a");
        world.look();
        world.rename("log", "log.1");
        world.look();
        assert_eq!((world.look_after(599), world.followed()), (String::new(), vec!["log".to_owned()]));
        assert_eq!((world.look_after(1), world.followed()), (String::new(), vec![]));
        world.append("log.1", "b");
        world.append("log", "c");
        assert_eq!(world.look_after(3600), "log:b log:c");
    }

    #[test]
    fn a_rotated_file_that_a_glob_follows_by_itself_goes_on_and_is_given_back() {
        let mut world = World::new(&["log*"]);
        world.append("log", "a");
        world.look();
        world.rename("log", "log.1");
        world.look();
        world.look_after(600);
        world.append("log.1", "b");
        assert_eq!((world.look(), world.followed()), ("log.1:b".to_owned(), vec!["log.1".to_owned()]));
        world.append("log.1", "c");
        world.append("log", "d");
        assert_eq!((world.look(), world.followed()), ("log:c log:d".to_owned(), vec!["log".to_owned()]));
    }

    #[test]
    fn numbered_logs_are_followed_each_and_none_that_was_named_is_taken_for_a_rotated_file() {
        for patterns in [&["web*.log"][..], &["web.log", "web-2.log"]] {
            let mut world = World::new(patterns);
            world.append("web.log", "a");
            world.append("web-2.log", "b");
            let seen = world.look();
            assert!(seen.contains("web.log:a") && seen.contains("web-2.log:b"), "{patterns:?}: {seen}");
            assert_eq!(world.followed().len(), 2);
        }
        let mut world = World::new(&["web.2.log", "web*.log"]);
        for name in ["web.1.log", "web.2.log"] {
            world.append(name, "a");
        }
        world.look();
        world.append("web.log", "b");
        world.look();
        assert_eq!(world.followed(), ["web.2.log", "web.log"]);
    }

    #[test]
    fn a_log_whose_folder_does_not_exist_yet_is_waited_for() {
        let mut world = World::new(&["new/log", "newer/lo?"]);
        assert_eq!((world.look(), world.look()), (String::new(), String::new()));
        for folder in ["new", "newer"] {
            fs::create_dir(world.path(folder)).unwrap();
            assert_eq!(world.look(), "");
            world.append(&format!("{folder}/log"), "a");
            assert_eq!(world.look(), "log:a");
            fs::remove_dir_all(world.path(folder)).unwrap();
            assert_eq!(world.look(), "");
            fs::create_dir(world.path(folder)).unwrap();
            world.append(&format!("{folder}/log"), "b");
            assert_eq!(world.look(), "log:b");
        }
    }

    #[test]
    fn of_logs_that_are_gone_few_are_followed_on() {
        let mut world = World::new(&["dated-*"]);
        for n in 10..40 {
            world.append(&format!("dated-{n}"), "a");
            world.look_after(1);
            fs::remove_file(world.path(&format!("dated-{n}"))).unwrap();
            world.look_after(1);
        }
        assert_eq!(world.followed().len(), 16);
    }

    #[test]
    fn a_file_under_several_names_is_followed_once() {
        let mut world = World::new(&["log", "new/../log", "link", "hard", "*"]);
        assert_eq!(world.look(), "");
        fs::create_dir(world.path("new")).unwrap();
        world.append("log", "a");
        symlink(world.path("log"), world.path("link")).unwrap();
        fs::hard_link(world.path("log"), world.path("hard")).unwrap();
        assert_eq!(world.look(), "hard:a");
        world.append("log", "b");
        assert_eq!((world.look(), world.followed()), ("hard:b".to_owned(), vec!["hard".to_owned()]));
        world.rename("log", "log.1");
        world.append("log.1", "c");
        world.append("log", "d");
        let seen = world.look();
        assert_eq!(seen.matches(":d").count(), 1, "{seen}");
    }
}
