//! The binary: flags, runtime, [`App`].

use std::process::ExitCode;

use clap::Parser as _;
use pushgateway_ex::App;
use pushgateway_ex::flags::Flags;

/// Pages of the store come and go by the hundred thousand: see `docs/adr/0010-jemalloc.md`.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    let flags = Flags::parse();
    // Its metrics have the reference's names.
    let info = service::BuildInfo { name: "pushgateway", ..service::build_info!() };
    service::run(info, &flags.logging, service::Runtime::MultiThread, async |stop| {
        App::new(info, &flags)?.run(stop).await
    })
}
