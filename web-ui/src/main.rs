//! `web-ui`: see the library.

use std::process::ExitCode;

use clap::Parser as _;

fn main() -> ExitCode {
    let flags = web_ui::Flags::parse();
    let (info, log) = (service::build_info!(), flags.log);
    service::run(info, &log, service::Runtime::MultiThread, async |stop| {
        web_ui::Program::start(info, &flags)?.run(stop).await
    })
}
