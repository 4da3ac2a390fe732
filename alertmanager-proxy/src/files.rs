//! How many files may be open: each node that is being asked and each connection of the server is one.

use tracing::warn;

/// For everything that is neither a node nor a connection.
const REST: u64 = 128;

/// Raises the limit to what the system allows, as Go's programs do; warns where that is fewer than `needed` and some.
pub(crate) fn raise_limit(needed: u64) {
    match service::raise_open_files() {
        Ok(limit) if limit >= needed.saturating_add(REST) => {}
        Ok(limit) => warn!(
            limit,
            "Only {limit} files may be open: fetch.concurrency and --web.max-connections need {needed} and some"
        ),
        Err(error) => warn!(%error, "Cannot raise the limit of open files: {error}"),
    }
}
