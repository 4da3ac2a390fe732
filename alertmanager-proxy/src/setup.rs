//! What is in force: a configuration and what is made from it. A reload replaces both at once, and every part reads it anew
//! for each alert.

use std::sync::Arc;

use arc_swap::ArcSwap;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric as _};
use prometheus_client::metrics::gauge::ConstGauge;
use service::http::{ClientError, ClientOptions};

use crate::config::Config;
use crate::detail::Details;
use crate::events::Events;

/// The setup in force, for the parts that read it.
pub type Shared = Arc<ArcSwap<Setup>>;

/// A configuration and the details of its sources.
#[derive(Debug)]
pub struct Setup {
    /// The configuration.
    pub config: Config,
    /// Fetches details from the sources.
    pub details: Details,
}

impl Setup {
    /// Makes what the configuration asks for.
    ///
    /// # Errors
    /// When an HTTP client cannot be made.
    pub fn new(config: Config, options: &ClientOptions, events: Arc<Events>) -> Result<Self, ClientError> {
        let details = Details::new(&config, options, events)?;
        Ok(Self { config, details })
    }
}

/// How many nodes are left alone, counted at each scrape: a rest ends by itself, and a reload forgets them all.
#[derive(Debug)]
pub struct OpenCircuits(pub Shared);

impl Collector for OpenCircuits {
    fn encode(&self, mut out: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let open = i64::try_from(self.0.load().details.open_circuits().len()).unwrap_or(i64::MAX);
        let (gauge, help) = (ConstGauge::new(open), "Nodes that are left alone because they did not answer");
        gauge.encode(out.encode_descriptor("alertmanager_proxy_circuits_open", help, None, gauge.metric_type())?)
    }
}
