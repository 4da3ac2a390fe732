//! The state file: the states of all checks and how far each log was read, of one and the same moment.
//!
//! Gzip around JSON: gzip's own CRC tells a damaged file, and `zcat FILE | jq` shows what is in it. It is written beside its
//! place, flushed to the disk and renamed, so that a crash leaves the old file or the new one. A file that is no good in any way
//! is not used at all: the logs say everything again. [`keeper`] says when it is written, [`lock`] keeps it to one process.

pub(crate) mod keeper;
mod lock;

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufReader, BufWriter, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use check_result::{CheckState, Object};
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use service::ConfigError;

pub use self::lock::StateFileInUse;
use crate::follow::Position;
use crate::intake::Stretch;

/// Changes with the meaning of the fields; a file of another version is rebuilt.
const VERSION: u32 = 1;

/// More than any state is, in bytes of JSON: a file that pretends to be larger is not read into memory.
const MAX: u64 = 4 << 30;

/// Everything that outlives a restart.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Saved {
    version: u32,
    /// The logs.
    pub logs: Vec<SavedLog>,
    /// The clients that write them.
    pub clients: Vec<SavedClient>,
    /// The checks.
    pub checks: Vec<SavedCheck>,
}

/// How far a log was read.
#[derive(Debug, Serialize, Deserialize)]
pub struct SavedLog {
    /// Its path.
    pub path: String,
    /// Where reading goes on.
    pub position: Option<Position>,
    /// When its last result was logged.
    pub last: Option<Timestamp>,
    /// Who writes it, by its last start-up line.
    pub client: Option<String>,
    /// When it was written to.
    pub(crate) stretch: Option<Stretch>,
}

/// What the logs say of a client.
#[derive(Debug, Serialize, Deserialize)]
pub struct SavedClient {
    /// Its name.
    pub name: String,
    /// When it was started, or read its definitions again.
    pub started: Option<Timestamp>,
    /// When its newest result since then was logged.
    pub newest: Option<Timestamp>,
    /// What it said of itself.
    pub attributes: Option<Arc<Object>>,
}

/// A check.
#[derive(Debug, Serialize, Deserialize)]
pub struct SavedCheck {
    /// The log that its last result was in.
    pub log: String,
    /// When the log last told that its definition exists.
    pub alive: Timestamp,
    /// Its state.
    pub state: Arc<CheckState>,
}

/// Why a state file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Unusable {
    /// It is a directory, a FIFO or the like.
    #[error("it is no regular file")]
    NoFile,
    /// It cannot be read, or its checksum is wrong.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// It is not what was written.
    #[error("it is damaged: {0}")]
    Json(#[from] serde_json::Error),
    /// It was written by another version.
    #[error("it is of version {0}, this agent's is {VERSION}")]
    Version(u32),
}

// === impl Saved ===

impl Saved {
    /// What was saved in `path`; none if there is no such file.
    ///
    /// # Errors
    /// A file that cannot be read, is damaged anywhere, or of another version.
    pub fn load(path: &Path) -> Result<Option<Self>, Unusable> {
        // Before it is opened, which would wait for ever where it is a FIFO.
        match fs::metadata(path) {
            Ok(found) if found.is_file() => {}
            Ok(_) => return Err(Unusable::NoFile),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error.into()),
        }
        let file = File::open(path)?;
        let mut json = BufReader::with_capacity(64 << 10, GzDecoder::new(BufReader::new(file)).take(MAX));
        let saved: Self = serde_json::from_reader(&mut json)?;
        // The checksum stands behind the last byte.
        io::copy(&mut json, &mut io::sink())?;
        if saved.version == VERSION { Ok(Some(saved)) } else { Err(Unusable::Version(saved.version)) }
    }

    /// Writes `path`, whole or not at all, readable by its owner only; its size in bytes.
    ///
    /// # Errors
    /// What the file system says; the file is as it was then.
    pub fn store(&mut self, path: &Path) -> io::Result<u64> {
        self.version = VERSION;
        let temporary = PathBuf::from(format!("{}.new", path.display()));
        let written = self.write(&temporary).and_then(|size| fs::rename(&temporary, path).map(|()| size));
        if written.is_err() {
            // Half a file on a full disk is of no use to anybody.
            let _ = fs::remove_file(&temporary);
            return written;
        }
        File::open(folder(path))?.sync_all()?;
        written
    }

    fn write(&self, path: &Path) -> io::Result<u64> {
        let file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
        let mut json = BufWriter::new(GzEncoder::new(file, Compression::fast()));
        serde_json::to_writer(&mut json, self)?;
        json.flush()?;
        let file = json.into_inner().map_err(io::IntoInnerError::into_error)?.finish()?;
        file.sync_all()?;
        Ok(file.metadata()?.len())
    }
}

/// Whether there can be a state file at `path`: a mistake in the flag is told at the start, not at the first save. A
/// folder that cannot be written is none: an agent on a full or read-only disk still serves what the logs say.
pub(crate) fn check(path: &Path) -> Result<(), ConfigError> {
    let (folder, shown) = (folder(path), path.display());
    if !folder.is_dir() {
        let folder = folder.display();
        return Err(ConfigError::new(format_args!(
            "--state.file={shown}: there is no directory {folder}; make it (systemd: StateDirectory=), or leave the state \
             file out with --state.file="
        )));
    }
    let what = match fs::metadata(path) {
        Ok(found) if found.is_dir() => "a directory; name a file in it",
        // Saving would put a file in the place of what may be the machine's /dev/null.
        Ok(found) if !found.is_file() => "no regular file; name one, or keep no state with --state.file=",
        _ => return Ok(()),
    };
    Err(ConfigError::new(format_args!("--state.file={shown}: this is {what}")))
}

/// Where a state file is.
fn folder(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn saved() -> Saved {
        let last = "2026-11-21T00:00:00Z".parse().ok();
        let log = SavedLog { path: "/log".into(), position: None, last, client: None, stretch: None };
        Saved { logs: vec![log], ..Saved::default() }
    }

    #[test]
    fn a_file_damaged_anywhere_is_told_from_a_good_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state");
        assert!(Saved::load(&path).unwrap().is_none());
        let size = saved().store(&path).unwrap();
        let good = fs::read(&path).unwrap();
        assert_eq!(good.len() as u64, size);
        assert_eq!(Saved::load(&path).unwrap().unwrap().logs[0].last, saved().logs[0].last);
        for at in 0..good.len() {
            let mut bad = good.clone();
            bad[at] ^= 0x10;
            fs::write(&path, &bad).unwrap();
            // A few bits of gzip mean nothing here: its time, hints, padding.
            if let Ok(read) = Saved::load(&path) {
                assert_eq!(read.unwrap().logs[0].last, saved().logs[0].last, "byte {at} was changed");
            }
            fs::write(&path, &good[..at]).unwrap();
            assert!(Saved::load(&path).is_err(), "cut at {at}");
        }
    }

    #[test]
    fn what_is_no_file_is_not_read() {
        let folder = tempfile::tempdir().unwrap();
        let fifo = folder.path().join("fifo");
        nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).unwrap();
        for path in [folder.path(), &fifo] {
            assert_eq!(Saved::load(path).unwrap_err().to_string(), "it is no regular file");
        }
    }

    #[test]
    fn a_full_disk_leaves_the_old_file_and_nothing_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state");
        let size = saved().store(&path).unwrap();
        std::os::unix::fs::symlink("/dev/full", folder.path().join("state.new")).unwrap();
        assert_eq!(saved().store(&path).unwrap_err().kind(), io::ErrorKind::StorageFull);
        assert_eq!(Saved::load(&path).unwrap().unwrap().logs[0].last, saved().logs[0].last);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        assert_eq!(saved().store(&path).unwrap(), size);
    }

    #[test]
    fn another_version_is_not_used_and_what_cannot_be_written_leaves_the_old_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state");
        saved().store(&path).unwrap();
        fs::create_dir(folder.path().join("state.new")).unwrap();
        assert!(saved().store(&path).is_err());
        assert!(Saved::load(&path).unwrap().is_some());
        let mut encoder = GzEncoder::new(File::create(&path).unwrap(), Compression::fast());
        encoder.write_all(br#"{"version":99,"logs":[],"clients":[],"checks":[]}"#).unwrap();
        encoder.finish().unwrap();
        assert!(matches!(Saved::load(&path), Err(Unusable::Version(99))));
    }
}
