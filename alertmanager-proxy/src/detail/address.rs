//! Only addresses that the configuration allows are ever connected to.
//!
//! A label can name any host, and a name can resolve to any address, to another one at each look-up. So the check
//! stands where the connection is made: an address in the URL is checked as it is, after `url` has normalised it
//! (decimal, octal and hexadecimal forms, IPv4 within IPv6), and a name is resolved by a resolver that hands on
//! allowed addresses alone.

use std::net::{IpAddr, SocketAddr};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use url::{Host, Url};

use crate::config::{Networks, Ports};
use crate::dns::Dns;

/// What the source does not allow.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Denied {
    /// The host has no address that may be asked.
    #[error("{0} is not in the networks that `allow` lists for this source")]
    Addresses(String),
    /// The port may not be asked.
    #[error("port {0} is not among those that `allow_ports` lists for this source")]
    Port(u16),
}

/// A resolver of names that knows allowed addresses alone.
#[derive(Clone, Debug)]
pub(super) struct Resolver {
    allow: Networks,
    dns: Dns,
}

/// Checks what stands in the URL itself: the port, and an address, which no resolver gets to see.
pub(super) fn check(url: &Url, allow: &Networks, ports: &Ports) -> Result<(), Denied> {
    let port = url.port_or_known_default().unwrap_or_default();
    if !ports.allow(port) {
        return Err(Denied::Port(port));
    }
    let address = match url.host() {
        Some(Host::Ipv4(address)) => IpAddr::V4(address),
        Some(Host::Ipv6(address)) => IpAddr::V6(address),
        Some(Host::Domain(_)) | None => return Ok(()),
    };
    if allow.allow(address) { Ok(()) } else { Err(Denied::Addresses(address.to_string())) }
}

/// The allowed ones of the addresses that a name has.
fn permitted(found: Vec<SocketAddr>, allow: &Networks) -> Result<Vec<SocketAddr>, Denied> {
    let (allowed, denied): (Vec<_>, Vec<_>) = found.into_iter().partition(|address| allow.allow(address.ip()));
    if allowed.is_empty() {
        let denied: Vec<_> = denied.iter().map(|address| address.ip().to_string()).collect();
        return Err(Denied::Addresses(denied.join(", ")));
    }
    Ok(allowed)
}

// === impl Resolver ===

impl Resolver {
    /// Hands on addresses in `allow`.
    pub(super) fn new(allow: Networks, dns: Dns) -> Self {
        Self { allow, dns }
    }
}

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let Self { allow, dns } = self.clone();
        Box::pin(async move {
            let found = dns.addresses(name.as_str()).await?;
            let found = found.into_iter().map(|address| SocketAddr::new(address, 0)).collect();
            let addresses: Addrs = Box::new(permitted(found, &allow)?.into_iter());
            Ok(addresses)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    fn networks(list: &str) -> Networks {
        let config = format!(
            "alertmanagers: [{{url: \"http://a\"}}]\nsources: [{{match: {{check: x}}, url: \"http://a\", allow: {list}}}]"
        );
        Config::parse(&config).unwrap().sources.remove(0).allow
    }

    #[test]
    fn addresses_in_a_url_are_checked_in_whatever_form() {
        let allow = networks("[\"10.0.0.0/8\", \"fd00::/8\"]");
        for (url, allowed) in [
            ("http://10.1.2.3:9780/", true),
            ("http://167838211/", true),
            ("http://0xa.1/", true),
            ("http://012.0.0.1/", true),
            ("http://[::ffff:10.0.0.1]/", true),
            ("http://[fd00::1]/", true),
            ("http://169.254.169.254/latest/meta-data", false),
            ("http://2852039166/", false),
            ("http://0xa9fea9fe/", false),
            ("http://0251.0376.0251.0376/", false),
            ("http://[::ffff:169.254.169.254]/", false),
            ("http://[::ffff:a9fe:a9fe]/", false),
            ("http://127.1/", false),
            ("http://[::1]/", false),
            ("http://0/", false),
        ] {
            assert_eq!(check(&url.parse().unwrap(), &allow, &Ports::default()).is_ok(), allowed, "{url}");
        }
    }

    #[test]
    fn of_a_names_addresses_only_allowed_ones_are_left() {
        let allow = networks("[\"10.0.0.0/8\"]");
        let addresses = |list: &[&str]| list.iter().map(|address| address.parse().unwrap()).collect::<Vec<_>>();
        let rebound = addresses(&["169.254.169.254:0", "10.0.0.1:0", "[::1]:0"]);
        assert_eq!(permitted(rebound, &allow).unwrap(), addresses(&["10.0.0.1:0"]));
        assert_eq!(
            permitted(addresses(&["127.0.0.1:0", "[::1]:0"]), &allow).unwrap_err().to_string(),
            "127.0.0.1, ::1 is not in the networks that `allow` lists for this source"
        );
    }

    #[tokio::test]
    async fn a_name_that_resolves_elsewhere_is_not_connected_to() {
        let resolve = async |allow| {
            let resolver = Resolver::new(networks(allow), Dns::new(&[], std::time::Duration::from_secs(5)).unwrap());
            resolver.resolve("localhost".parse().unwrap()).await
        };
        let denied = resolve("[\"10.0.0.0/8\"]").await;
        assert!(denied.err().unwrap().is::<Denied>());
        let mut allowed = resolve("[\"127.0.0.0/8\", \"::1\"]").await.unwrap();
        assert!(allowed.next().unwrap().ip().is_loopback());
    }
}
