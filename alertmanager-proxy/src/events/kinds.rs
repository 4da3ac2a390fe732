//! How an alert may end.

/// Why an alert did not reach an Alertmanager.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loss {
    /// Too many alerts wait for this Alertmanager.
    PendingFull,
    /// It waited so long that delivering it would say something else.
    Stale,
    /// The Alertmanager refused it.
    Rejected,
    /// The program stopped before the Alertmanager took it.
    Shutdown,
    /// The Alertmanager left the configuration, or DNS, and did not take it any more.
    Removed,
}

/// What an alert was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Enrichment {
    /// No source matches it.
    None,
    /// A detail fetched for it.
    Fetched,
    /// What was known of it.
    Remembered,
    /// The reason why there is no detail.
    Failed,
    /// The same: too many alerts wait for their detail.
    Crowded,
    /// A detail that came when it had gone on without, in a second post.
    Late,
}

// === impl Loss ===

impl Loss {
    pub(super) const ALL: [Self; 5] = [Self::PendingFull, Self::Stale, Self::Rejected, Self::Shutdown, Self::Removed];

    /// The word for it in metrics.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::PendingFull => "pending_full",
            Self::Stale => "stale",
            Self::Rejected => "rejected",
            Self::Shutdown => "shutdown",
            Self::Removed => "removed",
        }
    }
}

// === impl Enrichment ===

impl Enrichment {
    pub(super) const ALL: [Self; 6] =
        [Self::None, Self::Fetched, Self::Remembered, Self::Failed, Self::Crowded, Self::Late];

    /// The word for it in metrics.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Fetched => "fetched",
            Self::Remembered => "remembered",
            Self::Failed => "failed",
            Self::Crowded => "crowded",
            Self::Late => "late",
        }
    }
}
