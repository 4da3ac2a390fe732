//! `-p`: the file with the process id, as sensu-client's never removed.

use std::fs::{self, OpenOptions};
use std::io;
use std::path::Path;

use crate::events;
use crate::notice::Notice;

/// The file, if there is to be one.
#[derive(Clone, Copy, Default)]
pub(super) struct PidFile<'a>(Option<&'a Path>);

// === impl PidFile ===

impl<'a> PidFile<'a> {
    /// Fails if the file cannot be written; what is in it stays.
    pub(super) fn check(path: Option<&'a Path>) -> Result<Self, Notice> {
        let file = Self(path);
        file.each(|path| OpenOptions::new().append(true).create(true).open(path).map(drop))?;
        Ok(file)
    }

    /// Writes the id of the process that calls.
    pub(super) fn write(self) -> Result<(), Notice> {
        self.each(|path| fs::write(path, format!("{}\n", std::process::id())))
    }

    fn each(self, act: impl FnOnce(&Path) -> io::Result<()>) -> Result<(), Notice> {
        let Some(path) = self.0 else { return Ok(()) };
        act(path).map_err(|error| events::pid_file(path, &error))
    }
}
