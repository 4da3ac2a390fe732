//! The section `access`.

use std::net::IpAddr;

use http::HeaderName;
use http::uri::Authority;
use ipnet::IpNet;
use service::config::{Fields, Place};

use crate::access::{Access, Operators, Proxy};

/// Who is believed to be the proxy, if nothing else is said: whoever is on this machine.
const LOOPBACK: [&str; 2] = ["127.0.0.0/8", "::1/128"];

pub(super) fn read(mut fields: Fields<'_>) -> Access {
    let proxy = fields.place("proxy").and_then(|place| proxy(place.fields()));
    let tells_groups = proxy.as_ref().is_some_and(|proxy| proxy.groups_header.is_some());
    let operators = fields.place("operators").map(|place| operators(&place, tells_groups));
    let read_only = fields.boolean("read_only").unwrap_or(false);
    let hosts = fields.list("hosts").iter().filter_map(|place| place.value(host)).collect();
    fields.end();
    Access { proxy, operators, read_only, hosts }
}

fn proxy(mut fields: Fields<'_>) -> Option<Proxy> {
    let user_header = fields.needed("user_header", "X-Forwarded-User").and_then(|place| place.value(header));
    let groups_header = fields.place("groups_header").and_then(|place| place.value(header));
    let groups_separator = fields.place("groups_separator").and_then(|place| place.value(separator));
    let from = fields.list("from");
    let from = match from.is_empty() {
        true => LOOPBACK.iter().map(|text| text.parse().expect("it is a network")).collect(),
        false => from.iter().filter_map(|place| place.value(network)).collect(),
    };
    fields.end();
    let groups_separator = groups_separator.unwrap_or_else(|| ",".to_owned());
    Some(Proxy { user_header: user_header?, groups_header, groups_separator, from })
}

fn operators(place: &Place<'_>, tells_groups: bool) -> Operators {
    let mut fields = place.fields();
    let users: Vec<_> = fields.list("users").iter().filter_map(Place::text).collect();
    let groups = fields.list("groups");
    if let Some(place) = groups.first().filter(|_| !tells_groups) {
        place.fail("groups are known only from a proxy: `access.proxy.groups_header` has to say where they stand");
    }
    if users.is_empty() && groups.is_empty() {
        place.fail("names nobody; where nobody may change anything, write `read_only: true`");
    }
    let groups = groups.iter().filter_map(Place::text).collect();
    fields.end();
    Operators { users, groups }
}

fn header(text: &str) -> Result<HeaderName, String> {
    HeaderName::try_from(text).map_err(|_| format!("`{text}` cannot be the name of a header"))
}

fn separator(text: &str) -> Result<String, String> {
    if text.is_empty() { Err("is empty; it stands between two groups".to_owned()) } else { Ok(text.to_owned()) }
}

/// A network, or an address alone.
fn network(text: &str) -> Result<IpNet, String> {
    let network = text.parse().or_else(|_| text.parse::<IpAddr>().map(IpNet::from));
    match network {
        Ok(network) if network.prefix_len() == 0 => {
            Err(format!("`{text}` is everybody: anybody could say that they are anybody"))
        }
        Ok(network) => Ok(network),
        Err(_) => Err(format!("`{text}` is neither an IP address nor a network as 10.0.0.0/24")),
    }
}

fn host(text: &str) -> Result<String, String> {
    let authority = text.parse::<Authority>().ok().filter(|authority| authority.host() == text);
    authority.map(|_| text.to_owned()).ok_or_else(|| format!("`{text}` is not a host's name; no scheme and no port"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Config;

    const CLUSTERS: &str = "clusters: [{name: a, prometheus: [{url: \"http://a\"}]}]\n";

    fn parse(access: &str) -> Result<Access, String> {
        let config = Config::parse(&format!("{CLUSTERS}access:\n{access}"));
        config.map(|config| config.access).map_err(|error| error.to_string())
    }

    #[test]
    fn all_of_it_is_read() {
        let text = "  proxy: {user_header: X-Forwarded-User, groups_header: Remote-Groups, groups_separator: ';', from: [10.0.0.1, \"fd00::/8\"]}\n  \
                    operators: {users: [ann], groups: [ops]}\n  read_only: true\n  hosts: [ui.example.org]\n";
        let access = parse(text).unwrap();
        let proxy = access.proxy.unwrap();
        assert_eq!((proxy.user_header.as_str(), proxy.groups_separator.as_str()), ("x-forwarded-user", ";"));
        assert_eq!(proxy.from.iter().map(ToString::to_string).collect::<Vec<_>>(), ["10.0.0.1/32", "fd00::/8"]);
        assert_eq!(access.operators, Some(Operators { users: vec!["ann".into()], groups: vec!["ops".into()] }));
        assert!(access.read_only && access.hosts == ["ui.example.org"]);
    }

    #[test]
    fn without_the_section_everybody_gets_in_and_a_proxy_is_on_this_machine() {
        assert_eq!(Config::parse(CLUSTERS).unwrap().access, Access::default());
        let proxy = parse("  proxy: {user_header: X-User}\n").unwrap().proxy.unwrap();
        let believes = |peer: &str| proxy.from.iter().any(|network| network.contains(&peer.parse::<IpAddr>().unwrap()));
        assert!(believes("127.0.0.1") && believes("::1") && !believes("192.0.2.1") && !believes("fd00::1"));
    }

    #[test]
    fn mistakes_are_told_with_line_and_field() {
        let text = "  proxy:\n    user_header: X User\n    groups_separator: ''\n    from: [10.0.0.0/33, 0.0.0.0/0]\n    user: x\n  \
                    operators: {groups: [ops]}\n  read_only: maybe\n  hosts: [\"https://ui.example.org\", \"ui:80\"]\n";
        let told = parse(text).unwrap_err();
        for want in [
            "4: access.proxy.user_header: `X User` cannot be the name of a header",
            "5: access.proxy.groups_separator: is empty",
            "6: access.proxy.from[0]: `10.0.0.0/33` is neither an IP address nor a network",
            "6: access.proxy.from[1]: `0.0.0.0/0` is everybody",
            "7: access.proxy.user: unknown field; known here: user_header, groups_header, groups_separator, from",
            "8: access.operators.groups[0]: groups are known only from a proxy",
            "9: access.read_only: `maybe` is neither `true` nor `false`",
            "10: access.hosts[0]: `https://ui.example.org` is not a host's name",
            "10: access.hosts[1]: `ui:80` is not a host's name",
        ] {
            assert!(told.contains(want), "{want} is not in\n{told}");
        }
        assert!(parse("  operators: {users: []}\n").unwrap_err().contains("3: access.operators: names nobody"));
        assert!(
            parse("  proxy: {groups_header: X-Groups}\n").unwrap_err().contains("access.proxy.user_header: is needed")
        );
    }
}
