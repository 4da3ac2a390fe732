//! The `checkscript-runner` binary: see the library.

use std::process::ExitCode;

use checkscript_runner::app;
use checkscript_runner::cli::Options;
use clap::Parser;

fn main() -> anyhow::Result<ExitCode> {
    app::run(Options::parse())
}
