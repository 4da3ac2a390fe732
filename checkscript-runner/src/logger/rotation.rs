//! Built-in log rotation, for nodes without logrotate: `LOG` becomes `LOG.1`, `LOG.1` becomes `LOG.2`, and so on.
//!
//! Renames only, from the oldest to the newest: a crash on the way leaves a gap in the numbers and loses nothing. A
//! reader follows it as it follows logrotate, because the new file is there before its first line.

use std::ffi::OsString;
use std::fs::{self, File, Metadata, OpenOptions};
use std::io;
use std::num::NonZeroU32;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, fchown};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::foreign_links;

/// How long to go on with a file that could not be rotated before the next try.
const RETRY: Duration = Duration::from_secs(60);

/// When the log is rotated, and how many old files are kept.
#[derive(Clone, Debug)]
pub struct Rotation {
    size: u64,
    count: NonZeroU32,
    tried: Option<Instant>,
}

// === impl Rotation ===

impl Rotation {
    /// Before a line that would make the file longer than `size` bytes; `count` old files are kept.
    pub fn new(size: u64, count: NonZeroU32) -> Self {
        Self { size, count, tried: None }
    }

    /// Whether a file of `size` bytes is to be rotated before `more` bytes are written to it.
    pub(super) fn is_due(&self, size: u64, more: u64) -> bool {
        let waits = self.tried.is_some_and(|tried| tried.elapsed() < RETRY);
        size > 0 && size.saturating_add(more) > self.size && !waits
    }

    /// Renames the files and creates an empty one in place of `open`, for the same readers. `None` if the path is not
    /// that file's any more: then somebody else is rotating it.
    pub(super) fn rotate(&mut self, path: &Path, open: &File) -> io::Result<Option<File>> {
        self.tried = Some(Instant::now());
        let old = open.metadata()?;
        // Of a symbolic link its target moves and the link stays: a reader by either name finds the old files beside it.
        let Some(path) = found(fs::canonicalize(path))? else { return Ok(None) };
        let is_named = |named: &Metadata| (named.dev(), named.ino()) == (old.dev(), old.ino());
        if !found(fs::metadata(&path))?.is_some_and(|named| is_named(&named)) {
            return Ok(None);
        }
        for number in (1..self.count.get()).rev() {
            found(fs::rename(numbered(&path, number), numbered(&path, number + 1)))?;
        }
        fs::rename(&path, numbered(&path, 1))?;
        let mut options = OpenOptions::new();
        options.append(true).mode(old.mode() & 0o7777);
        let new = match foreign_links::open(options.create_new(true), &path) {
            // Somebody has made one meanwhile, whose owner and mode are not ours to change.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                return foreign_links::open(options.create_new(false).create(true), &path).map(Some);
            }
            new => new?,
        };
        new.set_permissions(old.permissions())?;
        // Refused unless the process is root or in the group; the permissions hold for whoever the owner is then.
        fchown(&new, Some(old.uid()), Some(old.gid())).ok();
        self.tried = None;
        Ok(Some(new))
    }
}

fn numbered(path: &Path, number: u32) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(format!(".{number}"));
    name.into()
}

/// That there is no such file is no error.
fn found<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        result => result.map(Some),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_move_up_and_the_oldest_goes() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("log");
        let mut rotation = Rotation::new(10, NonZeroU32::new(2).unwrap());
        for number in 1..=4 {
            fs::write(&path, format!("{number}")).unwrap();
            rotation.rotate(&path, &File::open(&path).unwrap()).unwrap();
        }
        let read = |number| fs::read_to_string(numbered(&path, number)).unwrap_or_default();
        assert_eq!([read(1), read(2), read(3)], ["4", "3", ""]);
        assert_eq!(fs::read_to_string(&path).unwrap(), "");
    }

    #[test]
    fn only_the_file_that_has_the_name_is_rotated() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("log");
        fs::write(&path, "old").unwrap();
        let open = File::open(&path).unwrap();
        fs::rename(&path, directory.path().join("moved")).unwrap();
        fs::write(&path, "new").unwrap();
        let mut rotation = Rotation::new(10, NonZeroU32::MIN);
        assert!(rotation.rotate(&path, &open).unwrap().is_none());
        fs::remove_file(&path).unwrap();
        assert!(rotation.rotate(&path, &open).unwrap().is_none());
        assert!(!numbered(&path, 1).exists());
    }

    #[test]
    fn of_a_symbolic_link_the_target_is_rotated() {
        let directory = tempfile::tempdir().unwrap();
        let [link, target] = ["link", "target"].map(|name| directory.path().join(name));
        fs::write(&target, "old").unwrap();
        std::os::unix::fs::symlink("target", &link).unwrap();
        let mut rotation = Rotation::new(10, NonZeroU32::MIN);
        rotation.rotate(&link, &File::open(&link).unwrap()).unwrap().unwrap();
        assert_eq!(fs::read_link(&link).unwrap(), Path::new("target"));
        assert_eq!(fs::read_to_string(numbered(&target, 1)).unwrap(), "old");
        assert_eq!(fs::read_to_string(&target).unwrap(), "");
        assert!(!numbered(&link, 1).exists());
    }

    #[test]
    fn an_empty_file_takes_a_line_of_any_length() {
        let rotation = Rotation::new(10, NonZeroU32::MIN);
        assert!(!rotation.is_due(0, 100) && !rotation.is_due(5, 5) && rotation.is_due(5, 6));
    }
}
