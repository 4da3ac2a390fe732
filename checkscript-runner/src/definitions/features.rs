//! What the command line chooses about the definitions.

use clap::ValueEnum;

/// What is done differently from sensu-client, as far as the operator asks for it. By default nothing is.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Features {
    /// Leaves the checks of subscriptions alone, as sensu-client does where no server asks for them.
    pub standalone_only: bool,
    /// The timeout, in seconds, of checks that have no `timeout`. One of 0 is none, as in sensu-client.
    pub default_timeout: Option<f64>,
    /// The attributes that take effect though sensu-client does not know them.
    pub attributes: Vec<Attribute>,
}

/// An attribute that sensu-client only passes on. A definition may use its name for something else, so each takes
/// effect only where the operator says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
pub enum Attribute {
    /// `env`, an object of strings: variables that the command gets besides the runner's own.
    Env,
    /// `user`: whom the command runs as.
    User,
    /// `exit_map`, an object from exit statuses to statuses: what a result says instead.
    ExitMap,
    /// `timezone` of a check or the client: where the clock hangs that `cron` and `subdue` go by.
    Timezone,
}

// === impl Features ===

impl Features {
    /// Whether the attribute takes effect.
    pub(crate) fn has(&self, attribute: Attribute) -> bool {
        self.attributes.contains(&attribute)
    }
}

// === impl Attribute ===

impl Attribute {
    /// The attribute by the name that it has in a definition.
    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::from_str(name, false).ok()
    }
}
