//! How many files may be open: each node that is being asked and each connection of the server is one.

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use tracing::warn;

/// For everything that is neither a node nor a connection.
const REST: u64 = 128;

/// Raises the limit to what the system allows, as Go's programs do; warns where that is fewer than `needed` and some.
pub(crate) fn raise_limit(needed: u64) {
    let raised = getrlimit(Resource::RLIMIT_NOFILE).and_then(|(soft, hard)| {
        let raised = soft.max(hard);
        setrlimit(Resource::RLIMIT_NOFILE, raised, hard).map(|()| raised)
    });
    match raised {
        Ok(limit) if limit >= needed.saturating_add(REST) => {}
        Ok(limit) => warn!(
            limit,
            "Only {limit} files may be open: fetch.concurrency and --web.max-connections need {needed} and some"
        ),
        Err(error) => warn!(%error, "Cannot raise the limit of open files: {error}"),
    }
}
