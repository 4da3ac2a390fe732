//! `-b`: the process goes into the background.
//!
//! This comes before the first thread and the async runtime, neither of which survives a fork, and after everything that
//! can be refused has been looked at, so that a bad configuration is told to who has started the runner.

use std::fs::{self, File};
use std::io;
use std::os::fd::RawFd;

use nix::unistd::{close, daemon, dup2_stderr, dup2_stdin, dup2_stdout};

/// Goes on in a child of init, leader of a session without a terminal, in `/`, with no descriptor but the standard ones;
/// input is `/dev/null`, which sensu-client keeps. The parent exits with 0.
pub(super) fn detach() -> io::Result<()> {
    for descriptor in inherited()? {
        // What is closed already, the descriptor of the listing, is no failure.
        close(descriptor).ok();
    }
    daemon(false, true)?;
    dup2_stdin(null()?)?;
    Ok(())
}

/// Standard output and error become `/dev/null`. Not to be done where results go there: without a log, or if it cannot be
/// opened.
pub(super) fn leave_outputs() -> io::Result<()> {
    let null = null()?;
    dup2_stdout(&null)?;
    dup2_stderr(&null)?;
    Ok(())
}

fn null() -> io::Result<File> {
    File::options().read(true).write(true).open("/dev/null")
}

/// The descriptors that who started the runner has left open: nothing has been opened yet.
fn inherited() -> io::Result<Vec<RawFd>> {
    let entries = fs::read_dir("/proc/self/fd")?;
    let numbers = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    Ok(numbers.filter(|number| *number > 2).collect())
}
