//! Stands between Prometheus and Alertmanager and attaches each check's output to its alerts.
//!
//! To Prometheus it is an Alertmanager, and so it is to amtool and to Alertmanager's own page. The way of an alert:
//!
//! 1. [`intake`] judges a posted batch as Alertmanager does and answers at once.
//! 2. [`hold`] keeps each alert until its detail is there or its deadline has passed.
//! 3. [`detail`] asks the node that ran the check, within the bounds and the networks that [`config`] sets.
//! 4. [`annotate`] turns the detail into annotations.
//! 5. [`forward`] delivers the alert to every Alertmanager, each by a sender of its own; [`discover`] finds those that only
//!    DNS knows.
//!
//! Every other request takes the way of [`passthrough`]. What another site makes a browser send, [`cross_site`] refuses. An alert is never lost because its detail is: what cannot be
//! fetched is said in an annotation.

pub mod alert;
pub mod annotate;
mod app;
mod background;
pub mod body;
mod check_config;
pub mod config;
pub mod cross_site;
pub mod detail;
pub mod discover;
pub mod dns;
pub mod events;
mod files;
pub mod forward;
pub mod group_wait;
pub mod hold;
pub mod intake;
pub mod overview;
pub mod passthrough;
pub mod setup;
pub mod waiting;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use service::http::ClientOptions;
use service::{Bound, BuildInfo, ConfigError, LogFlags, Server, WebFlags};
use tokio_util::sync::CancellationToken;

pub use app::App;
pub use config::Config;

/// The command line.
#[derive(Clone, Debug, clap::Parser)]
#[command(name = "alertmanager-proxy", version, about = "Attaches each check's output to its alerts")]
#[command(subcommand_negates_reqs = true, args_conflicts_with_subcommands = true)]
pub struct Flags {
    /// What to do instead of serving.
    #[command(subcommand)]
    pub tool: Option<Tool>,
    /// Configuration: Alertmanagers, sources of details, limits
    #[arg(long = "config.file", value_name = "FILE", required = true)]
    pub config: Option<PathBuf>,
    /// Flags of the web server.
    #[command(flatten)]
    pub web: WebFlags<9095>,
    /// Flags of the log.
    #[command(flatten)]
    pub log: LogFlags,
}

/// What a person asks for.
#[derive(Clone, Debug, PartialEq, Eq, clap::Subcommand)]
pub enum Tool {
    /// Say everything that is wrong with a configuration, and where alerts are held longer than Alertmanager waits
    ///
    /// Each Alertmanager that can be reached is asked for its routes. Exit status: 0 the configuration can be used, 1
    /// it cannot.
    CheckConfig {
        /// The configuration
        file: PathBuf,
    },
}

impl Tool {
    /// Does it.
    ///
    /// # Errors
    /// When it cannot be done at all.
    pub fn run(&self, info: BuildInfo) -> anyhow::Result<ExitCode> {
        match self {
            Self::CheckConfig { file } => check_config::run(info, file),
        }
    }
}

/// The program, its ports open.
pub struct Program {
    app: Arc<App>,
    bound: Bound,
    shutdown_timeout: Duration,
}

impl Program {
    /// Reads the configuration, opens the ports and starts the senders; needs a runtime.
    ///
    /// # Errors
    /// When the configuration cannot be used, or a port cannot be opened.
    pub fn start(info: BuildInfo, flags: &Flags) -> anyhow::Result<Self> {
        let file = flags.config.clone().expect("the command line has a config file where it names no tool");
        let (config, mut server) = ConfigError::both(Config::load(&file), Server::new(info, &flags.web))?;
        files::raise_limit((config.fetch.concurrency as u64).saturating_add(flags.web.max_connections as u64));
        let app = Arc::new(App::start(config, ClientOptions::new(info), server.registry())?);
        let reloaded = Arc::clone(&app);
        let server = server.routes(app.routes()).on_reload(move || {
            let (app, file) = (Arc::clone(&reloaded), file.clone());
            async move {
                let config = tokio::task::spawn_blocking(move || Config::load(&file)).await??;
                Ok(app.reload(config)?)
            }
        });
        Ok(Self { app, bound: server.bind()?, shutdown_timeout: flags.web.shutdown_timeout })
    }

    /// The addresses listened on.
    pub fn addresses(&self) -> &[SocketAddr] {
        self.bound.addresses()
    }

    /// Serves until `stop`; then delivers what was taken, within the shutdown timeout once more.
    ///
    /// # Errors
    /// When the runtime cannot take the sockets over.
    pub async fn run(self, stop: CancellationToken) -> anyhow::Result<()> {
        let served = self.bound.run(stop).await;
        self.app.drain(self.shutdown_timeout).await;
        served
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Flags::command().debug_assert();
    }
}
