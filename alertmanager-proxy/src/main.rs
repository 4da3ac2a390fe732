//! `alertmanager-proxy`: see the library.

use std::process::ExitCode;

use clap::Parser as _;

/// Thousands of short-lived answers between texts that stay: see `docs/adr/0010-jemalloc.md`.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> anyhow::Result<ExitCode> {
    let flags = alertmanager_proxy::Flags::parse();
    let info = service::build_info!();
    if let Some(tool) = &flags.tool {
        return tool.run(info);
    }
    let log = flags.log;
    Ok(service::run(info, &log, service::Runtime::MultiThread, async |stop| {
        alertmanager_proxy::Program::start(info, &flags)?.run(stop).await
    }))
}
