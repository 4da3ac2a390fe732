//! Where the checks under way are recorded: beside the PID file, or else, hidden from globs for logs, beside the log.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use super::Options;

const SUFFIX: &str = ".runs";

// === impl Options ===

impl Options {
    /// The file; none without a PID file and a log.
    pub fn record(&self) -> Option<PathBuf> {
        if let Some(pid_file) = &self.pid_file {
            return Some(suffixed(pid_file));
        }
        self.hidden_beside_the_log()
    }

    /// What is locked besides, so that two runners with PID files of their own do not share a log: the record of one
    /// that has no PID file.
    pub fn lock(&self) -> Option<PathBuf> {
        self.pid_file.as_ref().and_then(|_| self.hidden_beside_the_log())
    }

    /// Where it was before the name was hidden.
    pub fn former_record(&self) -> Option<PathBuf> {
        let log = self.log_with_neighbours().filter(|_| self.pid_file.is_none());
        log.map(suffixed)
    }

    fn hidden_beside_the_log(&self) -> Option<PathBuf> {
        let log = self.log_with_neighbours()?;
        let mut name = OsString::from(".");
        name.push(log.file_name()?);
        Some(suffixed(&log.with_file_name(name)))
    }

    /// The log, unless it is a pipe or a device: beside that is no place for a file. One that cannot be opened yet has a
    /// record all the same, or it is told why not.
    fn log_with_neighbours(&self) -> Option<&Path> {
        let log = self.log.as_deref()?;
        let is_special = fs::metadata(log).is_ok_and(|log| !log.is_file() && !log.is_dir());
        (!is_special && !is_among_devices(log)).then_some(log)
    }
}

/// `/dev/stdout` may lead to a file, but is another one for every process.
fn is_among_devices(path: &Path) -> bool {
    let directory = path.parent().and_then(|directory| fs::canonicalize(directory).ok());
    directory.is_some_and(|directory| directory == Path::new("/dev") || directory.starts_with("/proc"))
}

fn suffixed(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(SUFFIX);
    name.into()
}

#[cfg(test)]
mod tests {
    use nix::sys::stat::Mode;
    use nix::unistd::mkfifo;

    use super::*;

    /// The record and the one before.
    fn records(line: &str) -> (Option<PathBuf>, Option<PathBuf>) {
        let options: Options = crate::cli::read(line.split(' ')).unwrap();
        (options.record(), options.former_record())
    }

    #[test]
    fn it_is_beside_the_pid_file_or_hidden_beside_the_log_even_if_that_is_not_there_yet() {
        let directory = tempfile::tempdir().unwrap();
        let log = directory.path().join("a.log");
        let line = format!("r -l {}", log.display());
        let beside_the_log = (Some(directory.path().join(".a.log.runs")), Some(directory.path().join("a.log.runs")));
        assert_eq!(records(&line), beside_the_log);
        fs::create_dir(&log).unwrap();
        assert_eq!(records(&line), beside_the_log, "what cannot be opened");
        fs::remove_dir(&log).unwrap();
        fs::write(&log, "").unwrap();
        assert_eq!(records(&line), beside_the_log);
        assert_eq!(records(&format!("{line} -p /run/r.pid")), (Some("/run/r.pid.runs".into()), None));
        assert_eq!(records("r"), (None, None));
        let lock = |line: &str| crate::cli::read::<Options>(line.split(' ')).unwrap().lock();
        assert_eq!([lock(&line), lock("r -p /run/r.pid")], [None, None]);
        assert_eq!(lock(&format!("{line} -p /run/r.pid")), beside_the_log.0);
    }

    #[test]
    fn there_is_none_beside_a_pipe_or_a_device() {
        let directory = tempfile::tempdir().unwrap();
        let pipe = directory.path().join("pipe");
        mkfifo(&pipe, Mode::S_IRWXU).unwrap();
        assert_eq!(records(&format!("r -l {}", pipe.display())), (None, None));
        // Where a test's standard output leads to is not known; no place is taken in any case.
        for device in ["/dev/null", "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"] {
            assert_eq!(records(&format!("r -l {device}")), (None, None), "{device}");
        }
    }
}
