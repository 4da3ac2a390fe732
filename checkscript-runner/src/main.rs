//! The `checkscript-runner` binary: see the library.

use std::process::ExitCode;

use checkscript_runner::app;
use checkscript_runner::cli::Options;

fn main() -> anyhow::Result<ExitCode> {
    app::run(Options::read(std::env::args_os()).unwrap_or_else(|error| error.exit()))
}
