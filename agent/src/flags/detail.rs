//! How much is kept of each check, who may read it, and how many at a time.

use check_result::HistoryLimits;
use clap::Args;
use service::Allowed;

/// Entries of one check's history at most, of either kind.
const MOST_ENTRIES: u64 = 1_000;

/// Bytes of one output at most: as long as a line of the log may be.
const MOST_BYTES: u64 = 16 << 20;

/// Flags of the outputs and the history that are kept and shown.
#[derive(Clone, Debug, Args)]
pub struct DetailFlags {
    /// Last results kept of each check, whatever their status
    #[arg(long = "history.results", value_name = "N", default_value_t = 21, value_parser = entries())]
    results: u64,

    /// Changes of status kept of each check besides, older ones
    #[arg(long = "history.changes", value_name = "N", default_value_t = 20, value_parser = entries())]
    changes: u64,

    /// Bytes of output kept of each result in the history
    #[arg(long = "history.output-bytes", value_name = "BYTES", default_value_t = 4 << 10, value_parser = bytes())]
    history_output: u64,

    /// Bytes of output kept of each check's last result
    #[arg(long = "detail.output-bytes", value_name = "BYTES", default_value_t = 1 << 20, value_parser = bytes())]
    output: u64,

    /// Bytes of output kept of all checks together, histories included; where they are more, the longest are cut
    #[arg(long = "detail.total-output-bytes", value_name = "BYTES", default_value_t = 32 << 20)]
    total_output: u64,

    /// Users of the web config that may read pages and the detail API, and nobody else but --detail.allow-client-names
    /// [default: everybody whom the web config lets in]
    #[arg(long = "detail.allow-users", value_name = "NAME,...", value_delimiter = ',', value_parser = name)]
    users: Vec<String>,

    /// Names in client certificates (common name, DNS name, IP address, URI, e-mail address) whose holders may read pages and
    /// the detail API, without a password, and nobody else but --detail.allow-users
    #[arg(long = "detail.allow-client-names", value_name = "NAME,...", value_delimiter = ',', value_parser = name)]
    client_names: Vec<String>,

    /// Requests of pages and the detail API answered at a time; further ones get 503
    #[arg(long = "web.max-requests", value_name = "N", default_value_t = 40, value_parser = clap::value_parser!(u16).range(1..))]
    max_requests: u16,
}

impl DetailFlags {
    pub(crate) fn history(&self) -> HistoryLimits {
        HistoryLimits {
            results: size(self.results),
            changes: size(self.changes),
            output_bytes: size(self.history_output),
            latest_output_bytes: size(self.output),
        }
    }

    pub(crate) fn total_output_bytes(&self) -> usize {
        size(self.total_output)
    }

    pub(crate) fn allowed(&self) -> Allowed {
        Allowed { users: self.users.clone(), client_names: self.client_names.clone() }
    }

    pub(crate) fn max_requests(&self) -> usize {
        usize::from(self.max_requests)
    }
}

fn size(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

fn entries() -> clap::builder::RangedU64ValueParser<u64> {
    clap::value_parser!(u64).range(0..=MOST_ENTRIES)
}

fn bytes() -> clap::builder::RangedU64ValueParser<u64> {
    clap::value_parser!(u64).range(0..=MOST_BYTES)
}

/// An empty name would be the name of nobody, or of everybody, by whom it is read.
fn name(name: &str) -> Result<String, String> {
    if name.is_empty() { Err("a name is empty".to_owned()) } else { Ok(name.to_owned()) }
}
