//! `web-ui`: see the library.

use std::process::ExitCode;

use clap::Parser as _;

/// A view of 20,000 alerts is made anew each few seconds, by another thread each time: see `docs/adr/0010-jemalloc.md`.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    let flags = web_ui::Flags::parse();
    let (info, log) = (service::build_info!(), flags.log);
    service::run(info, &log, service::Runtime::MultiThread, async |stop| {
        web_ui::Program::start(info, &flags)?.run(stop).await
    })
}
