//! Which Alertmanagers there are: named one by one, or found in DNS.

use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::path::Path;
use std::time::Duration;

use service::config::{Fields, Place};
use service::http::{HttpConfig, base_url};
use url::Url;

/// Prometheus's own default.
const REFRESH: Duration = Duration::from_secs(30);

const REFRESHES: RangeInclusive<Duration> = Duration::from_millis(1)..=Duration::from_secs(3600);

/// One entry of the list.
#[derive(Clone, Debug)]
pub struct Alertmanager {
    /// Where it is.
    pub targets: Targets,
    /// How it is asked.
    pub http: HttpConfig,
}

/// Where Alertmanagers are.
#[derive(Clone, Debug)]
pub enum Targets {
    /// At a base URL.
    Url(Url),
    /// Where names in DNS say.
    Dns {
        /// What is looked up.
        lookups: Vec<Lookup>,
        /// `http` or `https`.
        scheme: &'static str,
        /// What stands before their paths; empty, or with a slash at its beginning and none at its end.
        path_prefix: String,
    },
}

/// A name that is looked up.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Lookup {
    /// The name.
    pub name: String,
    /// Which of its records count.
    pub record: Record,
    /// How often.
    pub refresh: Duration,
}

/// A kind of record; those without a port are given one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Record {
    /// Host and port.
    Srv,
    /// IPv4 addresses.
    A {
        /// The port of each.
        port: u16,
    },
    /// IPv6 addresses.
    Aaaa {
        /// The port of each.
        port: u16,
    },
}

// === impl Targets ===

impl Targets {
    /// The base URL of an Alertmanager that DNS gave as `host` and `port`.
    pub fn url(scheme: &str, host: &str, port: u16, path_prefix: &str) -> Option<Url> {
        base_url(&format!("{scheme}://{host}:{port}{path_prefix}")).ok()
    }
}

/// Adds the one that stands in `place` to those that are `known`: one that is there already would get every alert
/// twice.
pub(super) fn alertmanager(place: &Place<'_>, mut known: Vec<Alertmanager>, folder: &Path) -> Vec<Alertmanager> {
    let mut fields = place.fields();
    let dns = fields.list("dns_sd_configs");
    let http = HttpConfig::read(&mut fields, folder);
    let targets = match dns.is_empty() {
        true => url(&mut fields, &known),
        false => Some(Targets::Dns {
            lookups: dns.iter().flat_map(lookups).collect(),
            scheme: scheme(&mut fields),
            path_prefix: path_prefix(&mut fields),
        }),
    };
    fields.end();
    known.extend(targets.map(|targets| Alertmanager { targets, http }));
    known
}

fn url(fields: &mut Fields<'_>, known: &[Alertmanager]) -> Option<Targets> {
    let is_known = |url: &Url| known.iter().any(|one| matches!(&one.targets, Targets::Url(known) if known == url));
    let new = |text: &str| match base_url(text)? {
        url if is_known(&url) => Err(format!("`{text}` is there already; each gets every alert once")),
        url => Ok(Targets::Url(url)),
    };
    fields.needed("url", "http://127.0.0.1:9093").and_then(|place| place.value(new))
}

fn scheme(fields: &mut Fields<'_>) -> &'static str {
    let scheme = |text: &str| match text {
        "http" => Ok("http"),
        "https" => Ok("https"),
        _ => Err(format!("`{text}` is neither `http` nor `https`")),
    };
    fields.place("scheme").and_then(|place| place.value(scheme)).unwrap_or("http")
}

fn path_prefix(fields: &mut Fields<'_>) -> String {
    let prefix = |text: &str| match text.trim_matches('/') {
        "" => Ok(String::new()),
        inner if inner.contains(['?', '#']) => Err(format!("`{text}` is not a path")),
        inner => Ok(format!("/{inner}")),
    };
    fields.place("path_prefix").and_then(|place| place.value(prefix)).unwrap_or_default()
}

/// One of `dns_sd_configs`.
fn lookups(place: &Place<'_>) -> Vec<Lookup> {
    let mut fields = place.fields();
    let names = fields.needed_list("names", "[_alertmanager._tcp.example.org]");
    let kind = fields.place("type").map_or(Some("SRV"), |place| place.value(kind));
    let port_place = fields.place("port");
    let port = port_place.as_ref().and_then(|place| place.value(port));
    let refresh = fields.duration("refresh_interval", REFRESHES, REFRESH);
    fields.end();
    let record = match (kind, port) {
        (Some("SRV"), _) => Record::Srv,
        (Some("A"), Some(port)) => Record::A { port },
        (Some("AAAA"), Some(port)) => Record::Aaaa { port },
        (Some(kind), None) if port_place.is_none() => {
            place.fail(format_args!("port is needed with type {kind}, as 9093"));
            return Vec::new();
        }
        _ => return Vec::new(),
    };
    let name = |place: &Place<'_>| Some(Lookup { name: place.text()?, record, refresh });
    names.iter().filter_map(name).collect()
}

fn kind(text: &str) -> Result<&'static str, String> {
    let known = ["SRV", "A", "AAAA"].into_iter().find(|known| known.eq_ignore_ascii_case(text));
    known.ok_or_else(|| format!("`{text}` is none of SRV, A, AAAA"))
}

fn port(text: &str) -> Result<u16, String> {
    text.parse().ok().filter(|port| *port > 0).ok_or_else(|| format!("`{text}` is not a port"))
}

/// A name server: an address, with a port if it is not 53.
pub(super) fn name_server(text: &str) -> Result<SocketAddr, String> {
    let plain = || text.parse::<IpAddr>().map(|address| SocketAddr::new(address, 53));
    text.parse().or_else(|_| plain()).map_err(|_| format!("`{text}` is not an address such as 127.0.0.1:8600"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    #[test]
    fn names_are_looked_up_as_prometheus_does() {
        let config = Config::parse(
            r"
alertmanagers:
  - dns_sd_configs:
      - names: [_am._tcp.example.org]
      - {names: [am1, am2], type: A, port: 9093, refresh_interval: 1m}
    scheme: https
    path_prefix: /am/
  - dns_sd_configs: [{names: [_am._tcp.example.org]}, {names: [am6], type: aaaa, port: 1}]
",
        )
        .unwrap();
        let seconds = Duration::from_secs;
        let lookup = |name: &str, record, refresh| Lookup { name: name.to_owned(), record, refresh };
        let want = [
            lookup("_am._tcp.example.org", Record::Srv, seconds(30)),
            lookup("am1", Record::A { port: 9093 }, seconds(60)),
            lookup("am2", Record::A { port: 9093 }, seconds(60)),
            lookup("am6", Record::Aaaa { port: 1 }, seconds(30)),
        ];
        assert_eq!(config.lookups().into_iter().cloned().collect::<Vec<_>>(), want, "each once");
        let Targets::Dns { scheme, path_prefix, .. } = &config.alertmanagers[0].targets else { panic!("DNS") };
        assert_eq!((*scheme, path_prefix.as_str()), ("https", "/am"));
        assert_eq!(Targets::url("http", "[::1]", 9093, "/am").unwrap().as_str(), "http://[::1]:9093/am");
    }

    #[test]
    fn mistakes_are_told() {
        for (text, says) in [
            ("- dns_sd_configs: [{names: [a], type: A}]", "alertmanagers[0].dns_sd_configs[0]: port is needed"),
            ("- dns_sd_configs: [{names: [a], type: MX}]", "alertmanagers[0].dns_sd_configs[0].type: `MX` is none of"),
            ("- dns_sd_configs: [{names: [a], type: A, port: 0}]", "alertmanagers[0].dns_sd_configs[0].port: `0`"),
            ("- dns_sd_configs: [{}]", "alertmanagers[0].dns_sd_configs[0].names: is needed"),
            ("- {dns_sd_configs: [{names: [a]}], url: \"http://a\"}", "alertmanagers[0].url: unknown field"),
            ("- {dns_sd_configs: [{names: [a]}], scheme: ftp}", "alertmanagers[0].scheme: `ftp` is neither"),
        ] {
            let told = Config::parse(&format!("alertmanagers:\n{text}\n")).unwrap_err();
            assert!(told.failures().iter().any(|told| told.contains(says)), "{text}: {told}");
        }
    }

    #[test]
    fn a_password_in_a_url_is_not_shown() {
        for (url, says) in [
            ("http://me:hunter2@am", "may have no user name"),
            ("http://me:hunter2@am:99999", "this (not shown) is not a URL"),
            ("http://me:hunter2@", "this (not shown) is not a URL"),
            ("me:hunter2@am:9093", "this (not shown) must begin with http://"),
        ] {
            let told = Config::parse(&format!("alertmanagers: [{{url: \"{url}\"}}]")).unwrap_err().to_string();
            assert!(told.contains(says) && !told.contains("hunter2"), "{url}: {told}");
        }
    }

    #[test]
    fn name_servers_are_addresses() {
        for (text, address) in [("10.0.0.1", "10.0.0.1:53"), ("[::1]:8600", "[::1]:8600"), ("::1", "[::1]:53")] {
            assert_eq!(name_server(text).unwrap().to_string(), address);
        }
        assert!(name_server("dns.example.org").is_err());
    }
}
