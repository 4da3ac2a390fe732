//! `alertmanager-proxy`: see the library.

use std::process::ExitCode;

use clap::Parser as _;

fn main() -> ExitCode {
    let flags = alertmanager_proxy::Flags::parse();
    let (info, log) = (service::build_info!(), flags.log);
    service::run(info, &log, service::Runtime::MultiThread, async |stop| {
        alertmanager_proxy::Program::start(info, &flags)?.run(stop).await
    })
}
