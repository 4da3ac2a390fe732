//! What is in force: a configuration and what is made from it. A reload replaces both at once, and every part reads
//! it anew for each alert.

use std::sync::Arc;

use arc_swap::ArcSwap;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric as _};
use prometheus_client::metrics::gauge::ConstGauge;
use reqwest::Client;
use service::http::{ClientError, ClientOptions, upstream_client_resolving};

use crate::config::{Alertmanager, Config};
use crate::detail::Details;
use crate::dns::{Dns, LookupError};
use crate::events::Events;

/// The setup in force, for the parts that read it.
pub type Shared = Arc<ArcSwap<Setup>>;

/// A configuration and what serves it.
#[derive(Debug)]
pub struct Setup {
    /// The configuration.
    pub config: Config,
    /// Fetches details from the sources.
    pub details: Details,
    /// Looks names up.
    pub dns: Dns,
    /// How the Alertmanagers of each entry are asked, in the order of the configuration.
    pub ways: Vec<Way>,
}

/// How an Alertmanager is asked.
#[derive(Clone, Debug)]
pub struct Way {
    /// What it is asked with.
    pub client: Client,
    /// Whether that has credentials of its own, in whose place nobody else's may go along.
    pub has_credentials: bool,
}

/// Why a configuration cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// An HTTP client cannot be made.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// Names cannot be looked up.
    #[error(transparent)]
    Dns(#[from] LookupError),
}

impl Setup {
    /// Makes what the configuration asks for.
    ///
    /// # Errors
    /// See [`SetupError`].
    pub fn new(config: Config, options: &ClientOptions, events: Arc<Events>) -> Result<Self, SetupError> {
        // Less than a node is given to answer, so that the alert says that it was the name.
        let dns = Dns::new(&config.nameservers, config.fetch.timeout * 4 / 5)?;
        let details = Details::new(&config, options, &dns, events)?;
        let way = |alertmanager: &Alertmanager| {
            let options = ClientOptions { http: alertmanager.http.clone(), ..options.clone() };
            let client = upstream_client_resolving(&options, dns.clone())?;
            Ok(Way { client, has_credentials: alertmanager.http.has_credentials() })
        };
        let ways = config.alertmanagers.iter().map(way).collect::<Result<_, ClientError>>()?;
        Ok(Self { config, details, dns, ways })
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
