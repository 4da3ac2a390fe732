//! Standard output and standard error, for whoever has started the program.

use std::io::{self, ErrorKind, Write};

use anyhow::Context;

/// Writes to standard output, styles only where it shows them. A reader that has seen enough (`| head`) is no error.
pub(crate) fn print(text: &[u8]) -> anyhow::Result<()> {
    write(anstream::stdout(), text)
}

/// As [`print`](fn@print), but nothing is changed.
pub(crate) fn print_raw(bytes: &[u8]) -> anyhow::Result<()> {
    write(io::stdout(), bytes)
}

fn write(mut out: impl Write, text: &[u8]) -> anyhow::Result<()> {
    match out.write_all(text).and_then(|()| out.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(error).context("cannot write to standard output"),
        _ => Ok(()),
    }
}

/// Says something on standard error. That may be a file on a full disk, or a pipe that nobody reads any more: that it
/// cannot be said is no reason to end.
pub(crate) fn complain(text: &str) {
    writeln!(io::stderr(), "checkscript-runner: {}", printable(text)).ok();
}

/// In one line, without what a terminal takes for a command: names and values are whatever a file says.
pub(crate) fn printable(text: &str) -> String {
    text.chars().map(|character| if character.is_control() { '\u{fffd}' } else { character }).collect()
}
