//! Only addresses that the configuration allows are ever connected to.
//!
//! A label can name any host, and a name can resolve to any address, to another one at each look-up. So what is checked
//! is the addresses that are connected to, and nothing behind the check looks a name up: an address in the URL counts
//! as it is, after `url` has normalised it (decimal, octal and hexadecimal forms, IPv4 within IPv6).

use std::net::{IpAddr, SocketAddr};

use url::{Host, Url};

use crate::config::{Networks, Ports};
use crate::dns::{Dns, LookupError};

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

/// Why a node has no address to connect to.
#[derive(Debug, thiserror::Error)]
pub(super) enum NoAddress {
    /// None that may be asked.
    #[error(transparent)]
    Denied(#[from] Denied),
    /// None at all.
    #[error(transparent)]
    Lookup(#[from] LookupError),
}

/// Checks what stands in the URL itself: the port, and an address.
pub(super) fn check(url: &Url, allow: &Networks, ports: &Ports) -> Result<(), Denied> {
    let port = url.port_or_known_default().unwrap_or_default();
    if !ports.allow(port) {
        return Err(Denied::Port(port));
    }
    match literal(url) {
        Some(address) => permitted(vec![address], allow).map(drop),
        None => Ok(()),
    }
}

/// The addresses that may be connected to for `url`, at least one.
pub(super) async fn find(url: &Url, allow: &Networks, dns: &Dns) -> Result<Vec<SocketAddr>, NoAddress> {
    let found = match literal(url) {
        Some(address) => vec![address],
        None => dns.addresses(url.host_str().unwrap_or_default()).await?,
    };
    let port = url.port_or_known_default().unwrap_or_default();
    Ok(permitted(found, allow)?.into_iter().map(|address| SocketAddr::new(address, port)).collect())
}

fn literal(url: &Url) -> Option<IpAddr> {
    match url.host()? {
        Host::Ipv4(address) => Some(IpAddr::V4(address)),
        Host::Ipv6(address) => Some(IpAddr::V6(address)),
        Host::Domain(_) => None,
    }
}

/// The allowed ones of the addresses that a host has.
fn permitted(found: Vec<IpAddr>, allow: &Networks) -> Result<Vec<IpAddr>, Denied> {
    let (allowed, denied): (Vec<_>, Vec<_>) = found.into_iter().partition(|address| allow.allow(*address));
    if allowed.is_empty() {
        let denied: Vec<_> = denied.iter().map(IpAddr::to_string).collect();
        return Err(Denied::Addresses(denied.join(", ")));
    }
    Ok(allowed)
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
        let rebound = addresses(&["169.254.169.254", "10.0.0.1", "::1"]);
        assert_eq!(permitted(rebound, &allow).unwrap(), addresses(&["10.0.0.1"]));
        assert_eq!(
            permitted(addresses(&["127.0.0.1", "::1"]), &allow).unwrap_err().to_string(),
            "127.0.0.1, ::1 is not in the networks that `allow` lists for this source"
        );
    }

    #[tokio::test]
    async fn a_name_that_resolves_elsewhere_is_not_connected_to() {
        let dns = Dns::new(&[], std::time::Duration::from_secs(5)).unwrap();
        let find = async |url: &str, allow| find(&url.parse().unwrap(), &networks(allow), &dns).await;
        for url in ["http://localhost:9780/", "http://127.0.0.1/", "http://[::1]/"] {
            let denied = find(url, "[\"10.0.0.0/8\"]").await;
            assert!(matches!(denied, Err(NoAddress::Denied(Denied::Addresses(_)))), "{url}: {denied:?}");
        }
        let allowed = find("http://localhost:9780/", "[\"127.0.0.0/8\", \"::1\"]").await.unwrap();
        assert!(allowed.iter().all(|address| address.ip().is_loopback() && address.port() == 9780), "{allowed:?}");
        assert_eq!(find("https://127.1/", "[\"127.0.0.1\"]").await.unwrap(), ["127.0.0.1:443".parse().unwrap()]);
    }
}
