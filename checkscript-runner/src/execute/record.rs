//! A record of what runs, for the case that this process does not live to see the end of it.
//!
//! A check outlives a runner that is killed, and must then neither be forgotten nor run twice at a time. So each process
//! group has a place in a file for as long as it runs; [`Record::take_over`] gives what the previous user of the file has left
//! there. A place is taken by a small write without synchronisation before the start, completed by another one when the
//! process id is known, and freed by writing one byte: the page cache survives everything that a process may die of, and
//! after a reboot nothing is left to be found anyway. That costs about a thousandth of starting a process, and is why
//! these writes are not handed to another thread: a crash must find them done.
//!
//! The environment's mark alone, which would need no file, is not enough: nobody but root can read it of a command that
//! sudo has made root's. So a run is recognised by its shell's number and time of start as well. The latter is not looked
//! up but taken from the clock before and after the start; the kernel counts it in ticks of 10 ms.

mod recorded;

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read};
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use nix::unistd::{geteuid, getsid};

pub(super) use self::recorded::{Recorded, stored};
use super::family::Family;
use crate::events;
use crate::foreign_links;
use crate::notice::Sink;

/// The length of a place.
const PLACE: usize = 1024;
/// The most that is read of a file. There are never that many groups at a time.
const LONGEST: u64 = 64 << 20;
const FREE: &[u8] = b"-";
/// The kind of error where another process has the record open.
pub(crate) const IN_USE: io::ErrorKind = io::ErrorKind::ResourceBusy;

/// The file. Clones share it.
#[derive(Clone)]
pub(super) struct Record(Arc<Shared>);

struct Shared {
    /// Locked, so that no two runners use it.
    file: Arc<File>,
    places: Mutex<Places>,
    boot: String,
    session: i32,
    sink: Arc<dyn Sink>,
    /// A failure has been told.
    is_told: AtomicBool,
}

#[derive(Default)]
struct Places {
    free: Vec<u64>,
    /// How many there are, free ones included.
    used: u64,
}

/// Whether another process has the record open now.
pub(crate) fn is_in_use(path: &Path) -> bool {
    let file = foreign_links::open(OpenOptions::new().read(true).write(true), path);
    file.is_ok_and(|file| matches!(file.try_lock(), Err(TryLockError::WouldBlock)))
}

/// Opens or creates the record; until it is closed nobody else can. Fails with [`IN_USE`] if another process has it open.
pub(crate) fn lock(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false).mode(0o600);
    let file = foreign_links::open(&mut options, path)?;
    file.try_lock().map_err(|error| match error {
        TryLockError::WouldBlock => io::Error::new(IN_USE, "another process uses it"),
        TryLockError::Error(error) => error,
    })?;
    Ok(file)
}

/// What the record names is killed: so it must be this user's own, and for root nobody else may have put it there.
fn believe(record: &File, path: &Path) -> io::Result<()> {
    let metadata = record.metadata()?;
    if metadata.is_file() && metadata.uid() != geteuid().as_raw() {
        return Err(io::Error::other("the record is another user's: remove it, or give -p"));
    }
    if !foreign_links::is_ours_alone(path) {
        return Err(io::Error::other(
            "others can write into the record's directory: for root give -p in a directory that is root's alone",
        ));
    }
    Ok(())
}

/// A group's place in the record. Dropped, it is freed.
pub(super) struct Entry {
    record: Record,
    place: u64,
    is_kept: bool,
}

// === impl Record ===

impl Record {
    /// Takes over the file, which [`lock`] has opened at the path, with all that its last user has not freed. `sink` is told
    /// if it cannot be written later.
    pub(super) fn take_over(
        file: Arc<File>,
        path: &Path,
        sink: Arc<dyn Sink>,
    ) -> io::Result<(Self, Vec<(Recorded, Entry)>)> {
        believe(&file, path)?;
        let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id")?.trim().to_owned();
        let mut bytes = Vec::new();
        (&*file).take(LONGEST).read_to_end(&mut bytes)?;
        let session = getsid(None)?.as_raw();
        let places = Places { free: Vec::new(), used: bytes.len().div_ceil(PLACE) as u64 };
        let (places, is_told) = (Mutex::new(places), AtomicBool::new(false));
        let record = Self(Arc::new(Shared { file, places, boot, session, sink, is_told }));
        // An entry that is dropped frees its place: so it goes with what is no record of this boot.
        let entries = (0..).map(|place| Entry { record: record.clone(), place, is_kept: false });
        let left = bytes.chunks(PLACE).zip(entries);
        let left = left.filter_map(|(place, entry)| Some((Recorded::parse(place, &record.0.boot)?, entry))).collect();
        Ok((record, left))
    }

    /// Records a run that is about to start, by what its processes will be recognised by. Failing to is told once.
    pub(super) fn announce(&self, family: &Family, key: &str) -> Option<Entry> {
        let entry = self.take();
        entry.write(family, key).then_some(entry)
    }

    fn take(&self) -> Entry {
        let mut places = self.places();
        let place = places.free.pop().unwrap_or_else(|| {
            places.used += 1;
            places.used - 1
        });
        Entry { record: self.clone(), place, is_kept: false }
    }

    fn places(&self) -> MutexGuard<'_, Places> {
        self.0.places.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl Entry ===

impl Entry {
    /// The run has started.
    pub(super) fn complete(&self, family: &Family, key: &str) {
        self.write(family, key);
    }

    fn write(&self, family: &Family, key: &str) -> bool {
        let Shared { file, boot, session, sink, is_told, .. } = &*self.record.0;
        let line = recorded::line(boot, *session, family, key);
        let written = file.write_all_at(line.as_bytes(), self.offset());
        if let Err(error) = &written
            && !is_told.swap(true, Ordering::Relaxed)
        {
            sink.notice(&events::unrecorded(error));
        }
        written.is_ok()
    }

    /// Leaves the group in the record for the next user of the file: it is still there.
    pub(super) fn keep(&mut self) {
        self.is_kept = true;
    }

    /// Frees the place after all.
    pub(super) fn free(&mut self) {
        self.is_kept = false;
    }

    fn offset(&self) -> u64 {
        self.place * PLACE as u64
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        if !self.is_kept {
            // If even this byte cannot be written the group is looked for in vain at the next start.
            self.record.0.file.write_all_at(FREE, self.offset()).ok();
            self.record.places().free.push(self.place);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, chown};
    use std::sync::Mutex;

    use nix::unistd::Pid;

    use super::super::family::MARKER;
    use super::*;
    use crate::notice::Notice;

    #[derive(Default)]
    struct Notices(Mutex<Vec<Notice>>);

    impl Sink for Notices {
        fn publish(&self, _: &check_result::CheckResult) {}

        fn notice(&self, notice: &Notice) {
            self.0.lock().unwrap().push(notice.clone());
        }
    }

    fn try_open(file: &Path) -> io::Result<(Record, Vec<(Recorded, Entry)>)> {
        Record::take_over(Arc::new(lock(file)?), file, Arc::new(Notices::default()))
    }

    fn open(file: &Path) -> (Record, Vec<(Recorded, Entry)>) {
        try_open(file).unwrap()
    }

    fn enter(record: &Record, key: &str) -> Option<Entry> {
        let entry = record.announce(&Family::unborn(3).unwrap(), key)?;
        entry.complete(&Family::unborn(3).unwrap().born(Pid::from_raw(7)).unwrap(), key);
        Some(entry)
    }

    fn keys(left: &[(Recorded, Entry)]) -> Vec<&str> {
        left.iter().map(|(recorded, _)| recorded.key.as_str()).collect()
    }

    #[test]
    fn what_was_not_freed_is_left_until_it_is() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("runs");
        let (record, left) = open(&file);
        assert_eq!(keys(&left), [""; 0]);
        let enter = |key: &str| enter(&record, key).unwrap();
        let mut entries = vec![enter("a"), enter("b"), enter("router:c")];
        drop(entries.remove(1));
        entries.push(enter(&"ü".repeat(600)));
        assert_eq!(fs::metadata(&file).unwrap().len().div_ceil(PLACE as u64), 3, "a place is used again");
        // To the file this is a crash.
        entries.iter_mut().for_each(Entry::keep);
        drop((entries, record));

        let (record, mut left) = open(&file);
        assert_eq!(keys(&left), ["a", &*stored(&"ü".repeat(600)), "router:c"]);
        left.iter_mut().skip(1).for_each(|(_, entry)| entry.keep());
        drop((left, record));
        assert_eq!(keys(&open(&file).1), [&*stored(&"ü".repeat(600)), "router:c"]);
        assert_eq!(keys(&open(&file).1), [""; 0], "freed above");
    }

    #[test]
    fn one_runner_at_a_time() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("runs");
        let _first = open(&file);
        let second = try_open(&file).err().unwrap();
        assert_eq!(second.to_string(), "another process uses it");
    }

    #[test]
    fn a_record_of_somebody_elses_is_not_believed() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("runs");
        let (record, _) = open(&file);
        enter(&record, "a").unwrap().keep();
        drop(record);
        let refused = || try_open(&file).err().map(|error| error.to_string());
        let is_root = geteuid().is_root();
        fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o777)).unwrap();
        assert_eq!(refused().is_some_and(|error| error.contains("directory that is root's alone")), is_root);
        fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o755)).unwrap();
        if is_root {
            chown(&file, Some(65534), None).unwrap();
            assert!(refused().unwrap().contains("another user's"));
            chown(&file, Some(0), None).unwrap();
            assert_eq!(keys(&open(&file).1), ["a"]);
        }
    }

    #[test]
    fn a_record_that_cannot_be_written_is_told_once() {
        let notices = Arc::new(Notices::default());
        let file = Path::new("/dev/full");
        let (record, _) = Record::take_over(Arc::new(lock(file).unwrap()), file, notices.clone()).unwrap();
        assert!(enter(&record, "a").is_none() && enter(&record, "a").is_none());
        assert_eq!(notices.0.lock().unwrap().len(), 1);
    }

    #[test]
    fn a_run_that_was_about_to_start_is_found_by_its_mark() {
        use std::io::Write;
        use std::os::unix::process::CommandExt;
        use std::process::{Command, Stdio};

        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("runs");
        let (record, _) = open(&file);
        let family = Family::unborn(0).unwrap();
        record.announce(&family, "a").unwrap().keep();
        let mut command = Command::new("cat");
        command.env(MARKER, family.mark()).process_group(0).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        // `spawn` returns when the kernel has begun to replace the program, which may be before its environment is there
        // to be read. One that answers has it.
        child.stdin.as_mut().unwrap().write_all(b"?").unwrap();
        child.stdout.as_mut().unwrap().read_exact(&mut [0]).unwrap();
        drop(record);
        let (_, left) = open(&file);
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(left[0].0.family.shell().as_raw(), i32::try_from(child.id()).unwrap());
    }
}
