//! The binary: flags, runtime, [`App`].

use std::process::ExitCode;

use checkscript_agent::App;
use checkscript_agent::flags::Flags;
use clap::Parser as _;

fn main() -> ExitCode {
    let flags = Flags::parse();
    let info = service::build_info!();
    // One thread serves: an agent shares its node with what is being watched.
    service::run(info, &flags.logging, service::Runtime::CurrentThread, async |stop| {
        App::new(info, &flags)?.run(stop).await
    })
}
