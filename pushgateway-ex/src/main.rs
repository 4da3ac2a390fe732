//! The binary: flags, runtime, [`App`].

use std::process::ExitCode;

use clap::Parser as _;
use pushgateway_ex::App;
use pushgateway_ex::flags::Flags;

fn main() -> ExitCode {
    let flags = Flags::parse();
    // Its metrics have the reference's names.
    let info = service::BuildInfo { name: "pushgateway", ..service::build_info!() };
    service::run(info, &flags.logging, service::Runtime::MultiThread, async |stop| {
        App::new(info, &flags)?.run(stop).await
    })
}
