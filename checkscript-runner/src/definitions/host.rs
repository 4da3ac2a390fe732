//! What the machine says about itself: the defaults of the client definition.

use std::num::NonZero;

use nix::ifaddrs::getifaddrs;
use nix::sys::socket::SockaddrStorage;

/// The fewest checks that run at once where no file says otherwise: sensu-client's own default.
const LEAST_SPAWN_LIMIT: usize = 12;
/// Checks mostly wait, for a disk, a peer or a sleep; this many a processor keep it busy without crowding it.
const CHECKS_PER_PROCESSOR: usize = 8;

/// The machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Host {
    /// The default of `client.name`.
    pub name: String,
    /// The default of `client.address`.
    pub address: String,
    /// The default of `sensu.spawn.limit`.
    pub spawn_limit: usize,
}

// === impl Host ===

impl Host {
    /// Asks the system: its host name, its first IPv4 address that is not a loopback one, its processors. What cannot
    /// be found out is `unknown`, as in sensu-client.
    pub fn detect() -> Self {
        let name = nix::unistd::gethostname().ok().and_then(|name| name.into_string().ok());
        let processors = std::thread::available_parallelism().map_or(1, NonZero::get);
        Self {
            name: name.unwrap_or_else(unknown),
            address: address().unwrap_or_else(unknown),
            spawn_limit: LEAST_SPAWN_LIMIT.max(CHECKS_PER_PROCESSOR * processors),
        }
    }
}

fn address() -> Option<String> {
    let own = |address: SockaddrStorage| address.as_sockaddr_in().map(|address| address.ip());
    let mut addresses = getifaddrs().ok()?.filter_map(|interface| own(interface.address?));
    addresses.find(|address| !address.is_loopback()).map(|address| address.to_string())
}

fn unknown() -> String {
    "unknown".to_owned()
}
