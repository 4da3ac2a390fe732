//! The `checkscript-runner` binary: see the library.

use std::process::ExitCode;

use checkscript_runner::app::{self, LogOnly};
use checkscript_runner::cli;

fn main() -> anyhow::Result<ExitCode> {
    app::run(cli::read(std::env::args_os()).unwrap_or_else(|error| error.exit()), LogOnly)
}
