//! `-p`: the file with the process id, as sensu-client's never removed.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;

use crate::events;
use crate::foreign_links;
use crate::notice::Notice;

/// The file, if there is to be one.
#[derive(Clone, Copy, Default)]
pub(super) struct PidFile<'a>(Option<&'a Path>);

// === impl PidFile ===

impl<'a> PidFile<'a> {
    /// Fails if the file cannot be written; what is in it stays.
    pub(super) fn check(path: Option<&'a Path>) -> Result<Self, Notice> {
        let file = Self(path);
        file.each(|path| open(OpenOptions::new().append(true), path).map(drop))?;
        Ok(file)
    }

    /// Writes the id of the process that calls.
    pub(super) fn write(self) -> Result<(), Notice> {
        let line = format!("{}\n", std::process::id());
        self.each(|path| open(OpenOptions::new().write(true).truncate(true), path)?.write_all(line.as_bytes()))
    }

    fn each(self, act: impl FnOnce(&Path) -> io::Result<()>) -> Result<(), Notice> {
        let Some(path) = self.0 else { return Ok(()) };
        act(path).map_err(|error| events::pid_file(path, &error))
    }
}

fn open(options: &mut OpenOptions, path: &Path) -> io::Result<File> {
    foreign_links::open(options.create(true), path)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    #[test]
    fn root_overwrites_nothing_that_a_link_of_others_leads_to() {
        let directory = tempfile::tempdir().unwrap();
        let (target, link) = (directory.path().join("target"), directory.path().join("pid"));
        fs::write(&target, "a long text of somebody's").unwrap();
        symlink("target", &link).unwrap();
        fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o777)).unwrap();
        let write = || PidFile::check(Some(&link)).and_then(PidFile::write);
        assert_eq!(write().is_err(), nix::unistd::geteuid().is_root());
        fs::remove_file(&link).unwrap();
        fs::write(&link, "1234567").unwrap();
        write().unwrap();
        assert_eq!(fs::read_to_string(&link).unwrap(), format!("{}\n", std::process::id()));
    }
}
