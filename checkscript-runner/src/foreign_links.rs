//! Files that are opened by name where others may have laid a link by that name, or by that of a directory on the way.
//!
//! A package gives the directories of the log and of the PID file to the account that the runner usually has. A runner that
//! is root there must not be led by that account to `/etc/shadow`: root follows a symbolic link only where nobody else can
//! have laid it, which is told by all directories from `/` on. It holds each of them while it goes on from there, so that
//! nothing is opened but what has been looked at, whatever is renamed meanwhile. Renames of the log's rotation are not held.

use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Component, Path};

use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, open as open_path, openat, readlinkat};
use nix::sys::stat::{Mode, fstat, fstatat};
use nix::sys::statfs::{PROC_SUPER_MAGIC, fstatfs};
use nix::unistd::geteuid;

/// As many links as Linux follows.
const LINKS: usize = 40;
/// The bits of a mode by which group and others write.
const WRITABLE: u32 = 0o022;
/// A directory that names are looked up in, and nothing else.
const DIRECTORY: OFlag = OFlag::O_PATH.union(OFlag::O_DIRECTORY).union(OFlag::O_NOFOLLOW).union(OFlag::O_CLOEXEC);
const ADVICE: &str = "a symbolic link, which root does not follow in a directory that others can write into: make the \
                      directory root's alone, or name the file that is meant";

/// Where a file is or is to be.
struct Place {
    directory: OwnedFd,
    /// The file's name in it.
    name: OsString,
    /// Nobody but root can have put the directory there, or anything on the way to it.
    is_roots: bool,
    /// The name is that of a descriptor, which is a link whose text need not be a path.
    is_descriptor: bool,
}

/// Opens a file, through links as far as they are to be trusted. A pipe that nobody reads is an error: it is not waited for.
pub(crate) fn open(options: &mut OpenOptions, path: &Path) -> io::Result<File> {
    let opened = if geteuid().is_root() {
        Place::find(path).and_then(|place| place.open(options))
    } else {
        options.custom_flags(OFlag::O_NONBLOCK.bits()).open(path)
    };
    opened.map_err(|error| match error.raw_os_error().map(Errno::from_raw) {
        // The system's text is of devices and addresses.
        Some(Errno::ENXIO) => io::Error::new(error.kind(), "a pipe that nobody reads, or a socket"),
        _ => error,
    })
}

/// Whether what stands in the file's directory is this user's doing, as far as it matters: that of any user but root is
/// taken as it is.
pub(crate) fn is_ours_alone(path: &Path) -> bool {
    let is_roots_alone = |place: Place| Ok(place.is_roots && place.rights()?.are_roots_alone());
    !geteuid().is_root() || Place::find(path).and_then(is_roots_alone).unwrap_or(false)
}

/// The names of a path, the last one first.
fn names(path: &Path) -> impl Iterator<Item = OsString> {
    path.components().rev().filter_map(|component| match component {
        Component::Normal(_) | Component::ParentDir => Some(component.as_os_str().to_owned()),
        Component::Prefix(_) | Component::RootDir | Component::CurDir => None,
    })
}

/// Who may change the names in a directory.
struct Rights {
    owner: u32,
    mode: u32,
}

// === impl Place ===

impl Place {
    /// Where the path begins: at the root, or in the working directory, wherever that is.
    fn start(path: &Path) -> io::Result<Self> {
        let start = if path.is_absolute() { "/" } else { "." };
        let directory = open_path(start, DIRECTORY, Mode::empty())?;
        Ok(Self { directory, name: OsString::new(), is_roots: true, is_descriptor: false })
    }

    fn find(path: &Path) -> io::Result<Self> {
        let mut place = Self::start(path)?;
        let mut rest: Vec<OsString> = names(path).collect();
        let mut links = 0;
        while let Some(name) = rest.pop() {
            place.name = name;
            match readlinkat(&place.directory, place.name.as_os_str()) {
                Ok(_) if !place.is_named_by_root()? => return Err(io::Error::other(ADVICE)),
                Ok(_) if rest.is_empty() && fstatfs(&place.directory)?.filesystem_type() == PROC_SUPER_MAGIC => {
                    return Ok(Self { is_descriptor: true, ..place });
                }
                Ok(_) if links == LINKS => return Err(Errno::ELOOP.into()),
                Ok(target) => {
                    links += 1;
                    rest.extend(names(Path::new(&target)));
                    if Path::new(&target).is_absolute() {
                        place = Self::start(Path::new(&target))?;
                    }
                }
                Err(Errno::EINVAL | Errno::ENOENT) if rest.is_empty() => return Ok(place),
                Err(Errno::EINVAL) => place = place.enter()?,
                Err(error) => return Err(error.into()),
            }
        }
        Err(Errno::EISDIR.into())
    }

    /// From a directory to the one that is named in it.
    fn enter(self) -> io::Result<Self> {
        let is_roots = self.is_named_by_root()?;
        let directory = openat(&self.directory, self.name.as_os_str(), DIRECTORY, Mode::empty())?;
        Ok(Self { directory, is_roots, ..self })
    }

    /// Whether nobody but root can have given anything that name here. In a directory as `/tmp` what is root's stays.
    fn is_named_by_root(&self) -> io::Result<bool> {
        let (rights, name) = (self.rights()?, self.name.as_os_str());
        let is_kept = || {
            let entry = fstatat(&self.directory, name, AtFlags::AT_SYMLINK_NOFOLLOW)?;
            Ok::<_, Errno>(entry.st_uid == 0 && rights.keep_from_others())
        };
        Ok(self.is_roots && (rights.are_roots_alone() || is_kept()?))
    }

    fn rights(&self) -> io::Result<Rights> {
        let directory = fstat(&self.directory)?;
        Ok(Rights { owner: directory.st_uid, mode: directory.st_mode })
    }

    fn open(&self, options: &mut OpenOptions) -> io::Result<File> {
        let links = if self.is_descriptor { OFlag::empty() } else { OFlag::O_NOFOLLOW };
        let path = Path::new("/proc/self/fd").join(self.directory.as_raw_fd().to_string()).join(&self.name);
        let opened = options.custom_flags((OFlag::O_NONBLOCK | links).bits()).open(path);
        opened.map_err(|error| match error.raw_os_error().map(Errno::from_raw) {
            // Laid since it was looked at.
            Some(Errno::ELOOP) => io::Error::other(ADVICE),
            _ => error,
        })
    }
}

// === impl Rights ===

impl Rights {
    fn are_roots_alone(&self) -> bool {
        self.owner == 0 && self.mode & WRITABLE == 0
    }

    /// Whether nobody but its owner and root can rename what is there.
    fn keep_from_others(&self) -> bool {
        self.owner == 0 && self.mode & Mode::S_ISVTX.bits() != 0
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::{PermissionsExt, chown, lchown, symlink};
    use std::path::PathBuf;

    use nix::unistd::mkfifo;

    use super::*;

    fn append(path: &Path) -> io::Result<File> {
        open(OpenOptions::new().append(true).create(true), path)
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

    #[test]
    fn root_follows_no_link_that_another_may_have_laid_for_a_directory() {
        let (directory, _) = directories("theirs");
        let app = directory.path().join("theirs/app");
        fs::create_dir(&app).unwrap();
        append(&app.join("file")).expect("a directory");
        fs::rename(&app, directory.path().join("theirs/app.old")).unwrap();
        symlink("../elsewhere", &app).unwrap();
        let is_root = geteuid().is_root();
        assert_eq!(append(&app.join("file")).err().map(|error| error.to_string()), is_root.then(|| ADVICE.to_owned()));
        assert_eq!(directory.path().join("elsewhere/file").exists(), !is_root);
        // The directory of the link is root's alone, and stands where another could have laid it.
        fs::create_dir(directory.path().join("theirs/ours")).unwrap();
        let link = directory.path().join("theirs/ours/link");
        symlink("../../elsewhere/file", &link).unwrap();
        assert_eq!(append(&link).is_err(), is_root);
        assert_eq!(is_ours_alone(&link.with_file_name("file")), !is_root);
    }

    #[test]
    fn in_a_sticky_directory_what_is_roots_is_believed_and_nothing_else() {
        let (directory, _) = directories("elsewhere");
        let theirs = directory.path().join("theirs");
        fs::set_permissions(&theirs, Permissions::from_mode(0o1777)).unwrap();
        symlink("../elsewhere", theirs.join("app")).unwrap();
        append(&theirs.join("app/file")).unwrap();
        assert!(is_ours_alone(&theirs.join("app/file")));
        assert_eq!(is_ours_alone(&theirs.join("file")), !geteuid().is_root());
        if geteuid().is_root() {
            lchown(theirs.join("app"), Some(65534), None).unwrap();
            assert_eq!(append(&theirs.join("app/file")).unwrap_err().to_string(), ADVICE);
            chown(&theirs, Some(65534), None).unwrap();
            lchown(theirs.join("app"), Some(0), None).unwrap();
            assert_eq!(append(&theirs.join("app/file")).unwrap_err().to_string(), ADVICE, "its owner renames all");
        }
    }

    #[test]
    fn a_pipe_that_nobody_reads_is_not_waited_for() {
        let directory = tempfile::tempdir().unwrap();
        let pipe = directory.path().join("pipe");
        mkfifo(&pipe, Mode::S_IRWXU).unwrap();
        assert_eq!(append(&pipe).unwrap_err().to_string(), "a pipe that nobody reads, or a socket");
    }

    #[test]
    fn what_is_no_file_is_said() {
        for (path, error) in
            [("/", Errno::EISDIR), ("/missing/file", Errno::ENOENT), ("/dev/null/file", Errno::ENOTDIR)]
        {
            assert_eq!(append(Path::new(path)).unwrap_err().raw_os_error(), Some(error as i32), "{path}");
        }
    }
}
