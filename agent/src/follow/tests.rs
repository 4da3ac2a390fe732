//! Several logs under one follower: what patterns name while files are rotated, linked, gone and back.

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
fn a_link_is_watched_and_rotated_where_its_file_is() {
    let mut world = World::new(&["log"]);
    fs::create_dir(world.path("real")).unwrap();
    symlink("real/link", world.path("log")).unwrap();
    symlink(world.path("real/file"), world.path("real/link")).unwrap();
    let directories = BTreeSet::from([world.folder.path().to_owned(), world.path("real")]);
    world.append("real/file", "a");
    assert_eq!(world.look(), "log:a");
    assert!(world.follower.directories() == directories && world.follower.concerns("file"));
    world.restart();
    world.append("real/file", "b");
    world.rename("real/file", "real/file.2");
    world.append("real/file.1", "c");
    // The link leads nowhere just now.
    assert_eq!(world.look(), "log:b log:c");
    assert!(world.follower.directories() == directories && world.follower.concerns("file"));
    // What is beside the link may lead to the same files.
    symlink(world.path("real/file.1"), world.path("log.1")).unwrap();
    world.append("real/file", "d");
    assert_eq!(world.look(), "log:d");
}

#[test]
fn a_link_that_is_rotated_itself_or_leads_to_itself() {
    let mut world = World::new(&["log", "loop"]);
    symlink("loop", world.path("loop")).unwrap();
    for (file, name) in [("first", "log"), ("second", "new")] {
        world.append(file, file);
        symlink(file, world.path(name)).unwrap();
    }
    assert_eq!(world.look(), "log:first");
    world.restart();
    world.append("first", "more");
    world.rename("log", "log.1");
    world.rename("new", "log");
    assert_eq!(world.look(), "log:more log:second");
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
