//! One place for every cluster: alerts, nodes, checks, silences.
//!
//! The way of what is shown:
//!
//! 1. Each [`cluster`] asks its Prometheus servers and Alertmanagers again and again for what is unusual and for sums, however many
//!    people look on ([`prometheus`], [`alertmanager`], [`upstream`]).
//! 2. What they said becomes a [`view`], which is replaced as a whole.
//! 3. [`lists`] makes rows of all views and an [`address`]; it is pure, and the same for pages and for programs.
//! 4. [`web`] shows them, to whom [`access`] lets in. A node's checks come from the node itself, through [`detail`], while somebody looks.

pub mod access;
pub mod address;
pub mod alertmanager;
mod app;
mod characters;
pub mod cluster;
pub mod config;
pub mod detail;
pub mod events;
pub mod lists;
pub mod load;
pub mod matcher;
pub mod one_check;
pub mod past;
pub mod prometheus;
pub mod recent;
pub mod silencing;
mod steady;
pub mod texts;
pub mod upstream;
pub mod view;
mod web;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use service::http::ClientOptions;
use service::{Bound, BuildInfo, ConfigError, LogFlags, Server, WebFlags};
use tokio_util::sync::CancellationToken;

pub use app::App;
pub use config::Config;

/// The command line.
#[derive(Clone, Debug, clap::Parser)]
#[command(name = "web-ui", version, about = "Nodes, alerts, check output and silences of every cluster on one page")]
pub struct Flags {
    /// Configuration: clusters, and how often they are asked
    #[arg(long = "config.file", value_name = "FILE")]
    pub config: PathBuf,
    /// Flags of the web server.
    #[command(flatten)]
    pub web: WebFlags<9796, true>,
    /// Flags of the log.
    #[command(flatten)]
    pub log: LogFlags,
}

/// The program, its ports open.
pub struct Program {
    bound: Bound,
    app: Arc<App>,
}

impl Program {
    /// Reads the configuration, opens the ports and begins to watch the clusters; needs a runtime.
    ///
    /// # Errors
    /// When the configuration cannot be used, or a port cannot be opened.
    pub fn start(info: BuildInfo, flags: &Flags) -> anyhow::Result<Self> {
        let (config, mut server) = ConfigError::both(Config::load(&flags.config), Server::new(info, &flags.web))?;
        let app = App::start(&config, ClientOptions::new(info), server.registry())?;
        let (reloaded, file) = (Arc::clone(&app), flags.config.clone());
        let server = server.routes(app.routes()).response_headers(web::headers()).on_reload(move || {
            let (app, file) = (Arc::clone(&reloaded), file.clone());
            async move {
                let config = tokio::task::spawn_blocking(move || Config::load(&file)).await??;
                Ok(app.reload(&config)?)
            }
        });
        let bound = server.bind()?;
        if let Some(warning) = config.access.warning(bound.is_open(), bound.addresses()) {
            tracing::warn!("{warning}");
        }
        Ok(Self { bound, app })
    }

    /// The addresses listened on.
    pub fn addresses(&self) -> &[SocketAddr] {
        self.bound.addresses()
    }

    /// Serves until `stop`, and until every change of silences that is begun is done.
    ///
    /// # Errors
    /// When the runtime cannot take the sockets over.
    pub async fn run(self, stop: CancellationToken) -> anyhow::Result<()> {
        let mut serving = std::pin::pin!(self.bound.run(stop.clone()));
        let ended = tokio::select! { served = &mut serving => Some(served), () = stop.cancelled() => None };
        self.app.stopping.cancel();
        let served = match ended {
            Some(served) => served,
            None => serving.await,
        };
        self.app.finish().await;
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
