//! The settings in force, and following changes.
//!
//! exporter-toolkit reads the file at every request and answers 500 while an edit is broken. Here a task looks once a second
//! whether one of the files has changed, and what cannot be used leaves the old settings in force: a monitoring system
//! must not go blind because of a typing error, and a gauge and one log line say what is wrong.
//!
//! One kind of edit is refused although it is valid: taking TLS or authentication away from a server that has them. A
//! file that is caught half-written (or emptied) would otherwise open the server to everybody. A restart does it.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use axum::http::HeaderMap;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use super::WebConfig;
use super::checks::Stamp;
use super::load::{Loaded, load};
use crate::auth::{Login, Verifier};
use crate::error::ConfigError;

/// How often files are looked at.
const PERIOD: Duration = Duration::from_secs(1);

/// The settings in force.
pub(crate) struct Live {
    current: ArcSwap<WebConfig>,
    /// None without a web config file.
    file: Option<Watched>,
    successful: Gauge,
    verifier: Verifier,
}

#[derive(Clone)]
struct Watched {
    path: PathBuf,
    stamps: Vec<Stamp>,
}

impl Live {
    /// Reads the file, or takes the defaults (plain HTTP, everybody) without one.
    pub(crate) fn load(path: Option<&Path>) -> Result<Self, ConfigError> {
        let (config, file) = match path {
            None => (WebConfig::default(), None),
            Some(path) => {
                let Loaded { config, stamps } = load(path);
                (config?, Some(Watched { path: path.to_owned(), stamps }))
            }
        };
        let successful = Gauge::default();
        successful.set(1);
        Ok(Self { current: ArcSwap::from_pointee(config), file, successful, verifier: Verifier::default() })
    }

    pub(crate) fn register(&self, registry: &mut Registry, prefix: &str) {
        if self.file.is_some() {
            registry.register(
                format!("{prefix}_web_config_last_reload_successful"),
                "Whether the last change of the web config file or of a file it names could be used",
                self.successful.clone(),
            );
        }
    }

    pub(crate) fn current(&self) -> Arc<WebConfig> {
        self.current.load_full()
    }

    /// The user that a request with these headers comes from.
    pub(crate) async fn login(&self, headers: &HeaderMap) -> Login {
        self.verifier.login(&self.current().users, headers).await
    }

    /// Follows changes for ever.
    pub(crate) async fn follow(&self) {
        let Some(mut file) = self.file.clone() else { return };
        let mut ticks = tokio::time::interval(PERIOD);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            let seen = file.clone();
            let changed = tokio::task::spawn_blocking(move || {
                let changed = !seen.stamps.iter().all(Stamp::is_current);
                changed.then(|| load(&seen.path))
            });
            if let Ok(Some(Loaded { config, stamps })) = changed.await {
                file.stamps = stamps;
                self.take(&file.path, config);
            }
        }
    }

    fn take(&self, path: &Path, config: Result<WebConfig, ConfigError>) {
        let usable = config.and_then(|config| match self.current().loses(&config) {
            Some(lost) => {
                let path = path.display();
                Err(ConfigError::new(format_args!(
                    "{path}: {lost} was taken away; restart the server to serve without"
                )))
            }
            None => Ok(config),
        });
        match usable {
            Ok(config) => {
                self.current.store(Arc::new(config));
                self.successful.set(1);
                tracing::info!(file = %path.display(), "Took the changed web config {} over", path.display());
            }
            Err(error) => {
                self.successful.set(0);
                let file = path.display();
                tracing::error!(%file, %error, "Cannot use the changed web config, the old one stays: {error}");
            }
        }
    }
}

impl WebConfig {
    /// A protection that this one has and the other has not.
    fn loses(&self, other: &Self) -> Option<&'static str> {
        if self.tls.is_some() && other.tls.is_none() {
            Some("tls_server_config")
        } else if !self.users.is_empty() && other.users.is_empty() {
            Some("basic_auth_users")
        } else {
            None
        }
    }
}
