//! The list of loaded files, for scripts that read the configuration themselves.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// The variable by which a command finds the list.
pub const LOADED_FILES_VARIABLE: &str = "SENSU_LOADED_TEMPFILE";

const FILE: &str = "sensu_client_loaded_files";

/// Writes the paths, joined by colons, to sensu-client's file in `SENSU_LOADED_TEMPFILE_DIR` or else the directory for
/// temporary files, and returns its path. The name is known to everyone and the directory may be everyone's, so the file
/// is made new and moved into its place: a link that somebody has laid there is replaced, not followed.
pub fn write_loaded_files(files: &[PathBuf]) -> io::Result<PathBuf> {
    let directory = std::env::var_os("SENSU_LOADED_TEMPFILE_DIR").map_or_else(std::env::temp_dir, PathBuf::from);
    write_loaded_files_in(&directory, files)
}

/// As [`write_loaded_files`], in this directory.
pub(crate) fn write_loaded_files_in(directory: &Path, files: &[PathBuf]) -> io::Result<PathBuf> {
    let path = directory.join(FILE);
    let new = directory.join(format!("{FILE}.{}", std::process::id()));
    let list = files.iter().map(|file| file.as_os_str()).collect::<Vec<_>>().join(OsStr::new(":"));
    let written = File::create_new(&new).and_then(|mut file| file.write_all(list.as_bytes()));
    let moved = written.and_then(|()| fs::rename(&new, &path));
    moved.map(|()| path.clone()).map_err(|error| {
        fs::remove_file(&new).ok();
        io::Error::new(error.kind(), format!("{}: {error}", path.display()))
    })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn the_list_replaces_a_link_and_does_not_follow_it() {
        let directory = tempfile::tempdir().unwrap();
        let other = directory.path().join("other");
        fs::write(&other, "untouched").unwrap();
        symlink(&other, directory.path().join(FILE)).unwrap();
        let path = write_loaded_files_in(directory.path(), &["/a.json".into(), "/b.json".into()]).unwrap();
        assert_eq!(fs::read_to_string(path).unwrap(), "/a.json:/b.json");
        assert_eq!(fs::read_to_string(other).unwrap(), "untouched");
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 2);
    }
}
