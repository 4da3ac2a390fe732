//! What is in force: a configuration and what is made from it. A reload replaces both at once, and every part reads it anew
//! for each alert.

use std::sync::Arc;

use arc_swap::ArcSwap;
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
