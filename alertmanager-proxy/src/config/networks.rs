//! Which addresses a source may ask.

use std::net::IpAddr;

use ipnet::IpNet;

/// An allow-list of networks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Networks(Vec<IpNet>);

impl Networks {
    /// Whether `address` is in one of the networks. An IPv4 address in IPv6 clothes (`::ffff:10.0.0.1`) counts as what the
    /// kernel would connect to, the IPv4 address.
    pub fn allow(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.0.iter().any(|network| network.contains(&address))
    }
}

impl FromIterator<IpNet> for Networks {
    fn from_iter<I: IntoIterator<Item = IpNet>>(networks: I) -> Self {
        Self(networks.into_iter().collect())
    }
}

/// Reads `10.0.0.0/8`, or an address alone.
pub(super) fn parse(text: &str) -> Result<IpNet, String> {
    text.parse::<IpNet>()
        .or_else(|_| text.parse::<IpAddr>().map(IpNet::from))
        .map_err(|_| format!("`{text}` is not a network such as 10.0.0.0/8 or 2001:db8::/32"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_in_and_out() {
        let networks: Networks =
            ["10.0.0.0/8", "127.0.0.1", "fd00::/8"].into_iter().map(|network| parse(network).unwrap()).collect();
        for (address, allowed) in [
            ("10.255.0.1", true),
            ("11.0.0.1", false),
            ("127.0.0.1", true),
            ("127.0.0.2", false),
            ("::ffff:10.0.0.1", true),
            ("::ffff:169.254.169.254", false),
            ("fd00::1", true),
            ("::1", false),
        ] {
            assert_eq!(networks.allow(address.parse().unwrap()), allowed, "{address}");
        }
        assert!(!Networks::default().allow("10.0.0.1".parse().unwrap()));
        assert!(parse("10.0.0.0/33").is_err() && parse("node1").is_err());
    }
}
