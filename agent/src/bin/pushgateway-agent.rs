//! The binary: see [`checkscript_agent::push`].

use std::process::ExitCode;

fn main() -> anyhow::Result<ExitCode> {
    checkscript_agent::push::run(std::env::args_os())
}
