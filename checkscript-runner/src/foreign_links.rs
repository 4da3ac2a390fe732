//! Files that are opened by name where others may have laid a link by that name.
//!
//! A package gives the directories of the log and of the PID file to the account that the runner usually has. A runner that
//! is root there must not be led by that account to `/etc/shadow`: root follows a symbolic link only in a directory that
//! nobody else can write into.

use std::borrow::Cow;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::unistd::geteuid;

/// As many links as Linux follows.
const LINKS: usize = 40;
/// The bits of a mode by which group and others write.
const WRITABLE: u32 = 0o022;
const ADVICE: &str = "a symbolic link, which root does not follow in a directory that others can write into: make the \
                      directory root's alone, or name the file that is meant";

/// Opens a file, through links as far as they are to be trusted.
pub(crate) fn open(options: &mut OpenOptions, flags: OFlag, path: &Path) -> io::Result<File> {
    if !geteuid().is_root() {
        return options.custom_flags(flags.bits()).open(path);
    }
    let mut path = Cow::Borrowed(path);
    for _ in 0..LINKS {
        let Ok(target) = fs::read_link(&path) else { break };
        let directory = directory(&path);
        if !is_ours_alone(&path) {
            return Err(io::Error::other(ADVICE));
        }
        if fs::canonicalize(directory).is_ok_and(|directory| directory.starts_with("/proc")) {
            // A descriptor, of which the text need not be a path.
            return options.custom_flags(flags.bits()).open(&path);
        }
        path = Cow::Owned(directory.join(target));
    }
    let opened = options.custom_flags((flags | OFlag::O_NOFOLLOW).bits()).open(&path);
    opened.map_err(|error| match error.raw_os_error().map(Errno::from_raw) {
        Some(Errno::ELOOP) => io::Error::other(ADVICE),
        _ => error,
    })
}

/// Whether what stands in the file's directory is this user's doing, as far as it matters: that of any user but root is
/// taken as it is.
pub(crate) fn is_ours_alone(path: &Path) -> bool {
    let is_roots_alone = |directory: fs::Metadata| directory.uid() == 0 && directory.mode() & WRITABLE == 0;
    !geteuid().is_root() || fs::metadata(directory(path)).is_ok_and(is_roots_alone)
}

fn directory(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

#[cfg(test)]
mod tests {
    use std::fs::Permissions;
    use std::os::unix::fs::{PermissionsExt, symlink};
    use std::path::PathBuf;

    use super::*;

    fn append(path: &Path) -> io::Result<File> {
        open(OpenOptions::new().append(true).create(true), OFlag::empty(), path)
    }

    /// A directory of this user's alone with a link `link` to `PLACE/file`, and one beside it that others can write into.
    fn directories(place: &str) -> (tempfile::TempDir, PathBuf) {
        let directory = tempfile::tempdir().unwrap();
        for name in ["ours", "theirs", "elsewhere"] {
            fs::create_dir(directory.path().join(name)).unwrap();
        }
        fs::set_permissions(directory.path().join("theirs"), Permissions::from_mode(0o775)).unwrap();
        let link = directory.path().join("ours/link");
        symlink(format!("../{place}/file"), &link).unwrap();
        (directory, link)
    }

    #[test]
    fn root_follows_no_link_that_another_may_have_laid() {
        let (directory, link) = directories("theirs");
        append(&link).expect("a file that is not there yet");
        append(&link).expect("a file");
        let theirs = directory.path().join("theirs/file");
        fs::remove_file(&theirs).unwrap();
        symlink("../elsewhere/target", &theirs).unwrap();
        for path in [&theirs, &link] {
            let refusal = append(path).err();
            assert_eq!(refusal.is_some(), geteuid().is_root(), "{}", path.display());
            refusal.inspect(|refusal| assert_eq!(refusal.to_string(), ADVICE));
            assert_eq!(directory.path().join("elsewhere/target").exists(), !geteuid().is_root());
        }
    }

    #[test]
    fn its_own_links_are_followed_to_files_and_devices() {
        let (directory, link) = directories("elsewhere");
        append(&link).unwrap();
        assert!(directory.path().join("elsewhere/file").exists());
        let whole = directory.path().join("directory");
        symlink("elsewhere", &whole).unwrap();
        append(&whole.join("file")).unwrap();
        let open = File::options().append(true).open(directory.path().join("elsewhere/file")).unwrap();
        let descriptor = format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&open));
        symlink(descriptor, directory.path().join("ours/descriptor")).unwrap();
        append(&directory.path().join("ours/descriptor")).unwrap();
        symlink("loop", directory.path().join("ours/loop")).unwrap();
        append(&directory.path().join("ours/loop")).unwrap_err();
    }
}
