//! `check-config`: everything that is wrong with a configuration, without starting anything.
//!
//! The Alertmanagers are asked as far as they can be reached: one that is down says nothing about the file.

use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use prometheus_client::registry::Registry;
use reqwest::Client;
use service::BuildInfo;
use service::http::ClientOptions;
use url::Url;

use crate::config::{Config, Source, Targets};
use crate::discover::find;
use crate::dns::Dns;
use crate::events::Events;
use crate::forward::below;
use crate::group_wait::short_waits;
use crate::setup::Setup;

/// Tells what is wrong with `file`. Its failures go to standard error, everything else to standard output.
pub(crate) fn run(info: BuildInfo, file: &Path) -> anyhow::Result<ExitCode> {
    let config = match Config::load(file) {
        Ok(config) => config,
        Err(error) => {
            error.failures().iter().for_each(|failure| eprintln!("{failure}"));
            return Ok(ExitCode::FAILURE);
        }
    };
    let (alertmanagers, sources) = (config.alertmanagers.len(), config.sources.len());
    let mut told = vec![format!("{}: valid; Alertmanagers: {alertmanagers}, sources: {sources}", file.display())];
    told.extend(trusting(&config.sources));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    told.extend(runtime.context("cannot start the runtime")?.block_on(ask(info, config))?);
    print(&told)?;
    Ok(ExitCode::SUCCESS)
}

/// Sources whose credentials others than nodes may get, a line each: who opens a port on a node, what some other job scrapes.
fn trusting(sources: &[Source]) -> impl Iterator<Item = String> {
    let ports = "its credentials go to any port that an alert's labels name, on any address in `allow`; \
                 list the nodes' own in `allow_ports`";
    let jobs = "its credentials go to whatever any job scrapes and an alert's labels name; match the nodes' job too, \
                as `job: \"checkscript.*\"`";
    sources.iter().enumerate().flat_map(move |(index, source)| {
        let says = [(source.trusts_every_port(), ports), (source.trusts_every_job(), jobs)];
        says.into_iter().filter(|(is_so, _)| *is_so).map(move |(_, says)| format!("sources[{index}]: WARNING: {says}"))
    })
}

/// What the Alertmanagers' routes mean for the hold, a line each.
async fn ask(info: BuildInfo, config: Config) -> anyhow::Result<Vec<String>> {
    let events = Arc::new(Events::new(&mut Registry::default()));
    let setup = Setup::new(config, &ClientOptions::new(info), events)?;
    let mut told = Vec::new();
    for (alertmanager, way) in setup.config.alertmanagers.iter().zip(&setup.ways) {
        let (urls, unknown) = urls(&alertmanager.targets, &setup.dns).await;
        told.extend(unknown);
        for base in urls {
            told.extend(routes(&base, &way.client, setup.config.hold).await);
        }
    }
    Ok(told)
}

/// Base URLs, and what cannot be found.
async fn urls(targets: &Targets, dns: &Dns) -> (Vec<Url>, Vec<String>) {
    let (lookups, scheme, path_prefix) = match targets {
        Targets::Url(url) => return (vec![url.clone()], Vec::new()),
        Targets::Dns { lookups, scheme, path_prefix } => (lookups, scheme, path_prefix),
    };
    let (mut urls, mut unknown) = (Vec::new(), Vec::new());
    for lookup in lookups {
        match find(lookup, dns).await {
            Ok(found) => {
                urls.extend(found.iter().filter_map(|(host, port)| Targets::url(scheme, host, *port, path_prefix)));
            }
            Err(error) => unknown.push(format!("no Alertmanager is known yet: {error}")),
        }
    }
    (urls, unknown)
}

async fn routes(base: &Url, client: &Client, hold: Duration) -> Vec<String> {
    let name = base.as_str().trim_end_matches('/');
    match short_waits(client, below(base, "/api/v2/status"), hold).await {
        Err(error) => vec![format!("{name}: its routes are not known: {error}")],
        Ok(short) if short.is_empty() => vec![format!("{name}: every group_wait is longer than the hold")],
        Ok(short) => short.iter().map(|wait| format!("{name}: WARNING: {}", wait.told(hold))).collect(),
    }
}

/// A reader that has seen enough (`| head`) is no error.
fn print(lines: &[String]) -> anyhow::Result<()> {
    match writeln!(io::stdout(), "{}", lines.join("\n")) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(error).context("cannot write to standard output")
        }
        _ => Ok(()),
    }
}
