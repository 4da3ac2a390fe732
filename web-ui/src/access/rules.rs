//! Who gets in, and as what: the section `access` of the configuration, applied to a request.
//!
//! A name comes from one of two places. The web config's passwords and client certificates have been asked for before a request
//! comes here. Or a proxy that signs people in says in a header who it is; that is believed if the request's own peer is a
//! known proxy, and is ignored from everybody else. Both: the proxy has signed itself in, and its header says for whom.
//!
//! Where no password and no certificate was asked for, the name under which a browser reached us has to be known: otherwise any
//! page that somebody looks at could have its own name lead to this address, and ask as if it were ours (DNS rebinding). An IP
//! address is no name, and one without a dot is nobody's outside. A proxy that signs people in has asked them at its own name.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use axum::extract::ConnectInfo;
use http::header::{HOST, HeaderMap, HeaderName, HeaderValue};
use http::request::Parts;
use http::uri::Authority;
use ipnet::IpNet;

use super::{Role, User};

/// Where the host that a browser asked for stands, if a proxy asks us for another one.
const FORWARDED_HOST: &str = "x-forwarded-host";
/// Where a proxy adds at the end whom it asks for.
const FORWARDED_FOR: &str = "x-forwarded-for";

/// What is told where nobody signs in and no names are listed.
const NAMES_UNKNOWN: &str = "Names with a dot are not answered before `access.hosts` lists them";

/// The longest name of a host in DNS, in bytes.
const LONGEST_NAME: usize = 253;

/// Who gets in, and as what.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Access {
    /// Who may say in a header whom a request comes from.
    pub proxy: Option<Proxy>,
    /// Who may change things; everybody, if nothing is said.
    pub operators: Option<Operators>,
    /// Whether nobody may change anything.
    pub read_only: bool,
    /// Names under which web-ui is reached, besides IP addresses and names without a dot.
    pub hosts: Vec<String>,
}

/// A proxy that signs people in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proxy {
    /// The header with the user's name.
    pub user_header: HeaderName,
    /// The header with the user's groups.
    pub groups_header: Option<HeaderName>,
    /// What stands between two groups.
    pub groups_separator: String,
    /// Addresses of the proxy.
    pub from: Vec<IpNet>,
}

/// Who may change things.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Operators {
    /// By name.
    pub users: Vec<String>,
    /// By a group that the proxy tells.
    pub groups: Vec<String>,
}

/// Why somebody does not get in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stranger {
    /// They ask for a host that is not known to be this one.
    Host,
    /// The proxy does not say who they are, or says it more than once.
    Unnamed,
    /// They do not come through the proxy, and nothing else says who they are.
    Direct,
}

// === impl Access ===

impl Access {
    /// Whom a request comes from.
    ///
    /// # Errors
    /// See [`Stranger`].
    pub fn admit(&self, head: &Parts) -> Result<User, Stranger> {
        let (peer, headers) = (peer(head), &head.headers);
        let signed_in = head.extensions.get::<service::User>();
        if signed_in.is_none() && !self.is_asked_for(peer, headers) {
            return Err(Stranger::Host);
        }
        let (name, groups, address) = match (self.proxy_at(peer), signed_in) {
            (Some(proxy), _) => {
                let address = last(headers, FORWARDED_FOR).and_then(|text| text.parse().ok());
                (Some(proxy.user(headers).ok_or(Stranger::Unnamed)?), proxy.groups(headers), address.unwrap_or(peer))
            }
            (None, Some(user)) => (Some(user.0.as_str()), Vec::new(), peer),
            (None, None) if self.proxy.is_some() => return Err(Stranger::Direct),
            (None, None) => (None, Vec::new(), peer),
        };
        let (role, name) = (self.role(name, &groups), name.map(ToOwned::to_owned));
        Ok(User { name, role, address: Some(address) })
    }

    /// Whether a request says who sends it in a header that it is not believed.
    pub fn ignores(&self, head: &Parts) -> bool {
        let named = self.proxy.as_ref().is_some_and(|proxy| head.headers.contains_key(&proxy.user_header));
        named && self.proxy_at(peer(head)).is_none()
    }

    /// The host that a browser asked for.
    pub fn host<'a>(&self, head: &'a Parts) -> &'a [u8] {
        let forwarded = self.proxy_at(peer(head)).and_then(|_| head.headers.get(FORWARDED_HOST));
        forwarded.or_else(|| head.headers.get(HOST)).map_or(b"", HeaderValue::as_bytes)
    }

    /// What whoever runs this should know of it: `is_open` where no password and no certificate is demanded.
    pub fn warning(&self, is_open: bool, addresses: &[SocketAddr]) -> Option<String> {
        if !is_open || self.proxy.is_some() {
            return None;
        }
        let reachable = addresses.iter().find(|address| !address.ip().is_loopback());
        let names = reachable.filter(|_| self.hosts.is_empty()).map(|_| NAMES_UNKNOWN.to_owned());
        let sentences: Vec<_> = self.warning_of_changes(reachable).into_iter().chain(names).collect();
        (!sentences.is_empty()).then(|| sentences.join(". "))
    }

    /// The same of who may change things, where nobody is asked who they are.
    fn warning_of_changes(&self, reachable: Option<&SocketAddr>) -> Option<String> {
        if self.read_only {
            return None;
        }
        if self.operators.is_some() {
            let what = "Nobody may change anything: `access.operators` names who may, but nobody is asked who they are";
            return Some(format!("{what}; name users in --web.config.file, or an `access.proxy`"));
        }
        let what =
            format!("Everybody who reaches {} may silence alerts, since nobody is asked who they are", reachable?);
        Some(format!("{what}; name users in --web.config.file or an `access.proxy`, or set `access.read_only`"))
    }

    fn proxy_at(&self, peer: IpAddr) -> Option<&Proxy> {
        self.proxy.as_ref().filter(|proxy| proxy.from.iter().any(|network| network.contains(&peer)))
    }

    fn role(&self, name: Option<&str>, groups: &[&str]) -> Role {
        let may = self.operators.as_ref().is_none_or(|operators| {
            let is_listed = |list: &[String], word: &str| list.iter().any(|listed| listed == word);
            name.is_some_and(|name| is_listed(&operators.users, name))
                || groups.iter().any(|group| is_listed(&operators.groups, group))
        });
        if may && !self.read_only { Role::Operator } else { Role::ReadOnly }
    }

    /// Whether the host that is asked for is known to be this one. What comes from a proxy on another machine is not looked at if
    /// no names are listed: no browser is there that a page could make ask in the proxy's place, as there may be on this machine.
    fn is_asked_for(&self, peer: IpAddr, headers: &HeaderMap) -> bool {
        if self.hosts.is_empty() && !peer.is_loopback() && self.proxy_at(peer).is_some() {
            return true;
        }
        headers.get_all(HOST).iter().all(|host| self.knows(host))
    }

    fn knows(&self, host: &HeaderValue) -> bool {
        let Some(host) = name(host) else { return false };
        let host = host.trim_end_matches('.');
        let is_address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>().is_ok();
        let is_ours = !host.is_empty() && !host.contains('.');
        is_address || is_ours || self.hosts.iter().any(|name| name.eq_ignore_ascii_case(host))
    }
}

// === impl Proxy ===

impl Proxy {
    /// The user. A header that stands there twice says nothing: one of them may be the client's own.
    fn user<'a>(&self, headers: &'a HeaderMap) -> Option<&'a str> {
        let mut values = headers.get_all(&self.user_header).iter();
        let (value, more) = (values.next()?, values.next());
        let name = str::from_utf8(value.as_bytes()).ok()?.trim();
        (more.is_none() && !name.is_empty()).then_some(name)
    }

    fn groups<'a>(&'a self, headers: &'a HeaderMap) -> Vec<&'a str> {
        let header = self.groups_header.iter().flat_map(|name| headers.get_all(name));
        let texts = header.filter_map(|value| str::from_utf8(value.as_bytes()).ok());
        let groups = texts.flat_map(|text| text.split(self.groups_separator.as_str()));
        groups.map(str::trim).filter(|group| !group.is_empty()).collect()
    }
}

/// The name, or address, of the host that a request asks for; none where it cannot be one.
pub(crate) fn asked_name(head: &Parts) -> Option<String> {
    let name = name(head.headers.get(HOST)?)?;
    (name.len() <= LONGEST_NAME).then(|| name.trim_end_matches('.').to_owned())
}

fn name(host: &HeaderValue) -> Option<String> {
    Some(Authority::try_from(host.as_bytes()).ok()?.host().to_owned())
}

/// The address that a request comes from.
pub(crate) fn peer(head: &Parts) -> IpAddr {
    let peer = head.extensions.get::<ConnectInfo<SocketAddr>>();
    peer.map_or(Ipv4Addr::UNSPECIFIED.into(), |peer| peer.ip())
}

/// The last word of a list that a header is.
fn last<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get_all(name).iter().next_back()?.to_str().ok()?.rsplit(',').next().map(str::trim)
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    const PROXY: &str = "10.0.0.1";

    fn access() -> Access {
        let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
        Access {
            proxy: Some(Proxy {
                user_header: HeaderName::from_static("x-user"),
                groups_header: Some(HeaderName::from_static("x-groups")),
                groups_separator: ",".into(),
                from: vec!["10.0.0.0/30".parse().unwrap(), "::1/128".parse().unwrap()],
            }),
            operators: Some(Operators { users: words(&["ann"]), groups: words(&["ops", "on call"]) }),
            read_only: false,
            hosts: Vec::new(),
        }
    }

    /// A request from `peer` with headers, each as `name: value`; from `user`, if a password has said so.
    fn request(peer: &str, headers: &[&str], user: &str) -> Parts {
        let mut request = Request::new(());
        request.extensions_mut().insert(ConnectInfo(SocketAddr::new(peer.parse().unwrap(), 40_000)));
        if !user.is_empty() {
            request.extensions_mut().insert(service::User(user.into()));
        }
        for (name, value) in headers.iter().filter_map(|header| header.split_once(": ")) {
            request.headers_mut().append(name.parse::<HeaderName>().unwrap(), value.parse().unwrap());
        }
        request.into_parts().0
    }

    fn admitted(access: &Access, peer: &str, headers: &[&str], user: &str) -> Result<(String, Role), Stranger> {
        let user = access.admit(&request(peer, headers, user))?;
        Ok((user.name.unwrap_or_default(), user.role))
    }

    #[test]
    fn a_proxy_says_who_somebody_is_and_nobody_else_does() {
        let (operator, looks) =
            (|name: &str| Ok((name.into(), Role::Operator)), |name: &str| Ok((name.into(), Role::ReadOnly)));
        for (peer, headers, user, want) in [
            (PROXY, &["x-user: ann"][..], "", operator("ann")),
            (PROXY, &["x-user: bob"], "", looks("bob")),
            (PROXY, &["x-user: bob", "x-groups: staff, on call"], "", operator("bob")),
            (PROXY, &["x-user: bob", "x-groups: staff", "x-groups: ops"], "", operator("bob")),
            (PROXY, &["x-user: bob", "x-groups: ops2,,opsx"], "", looks("bob")),
            (PROXY, &["x-user: 花子"], "", looks("花子")),
            (PROXY, &["x-groups: ops"], "", Err(Stranger::Unnamed)),
            (PROXY, &["x-user:  "], "", Err(Stranger::Unnamed)),
            (PROXY, &["x-user: ann", "x-user: bob"], "", Err(Stranger::Unnamed)),
            ("10.0.0.4", &["x-user: ann"], "", Err(Stranger::Direct)),
            ("10.0.0.4", &[], "", Err(Stranger::Direct)),
            ("10.0.0.4", &["x-user: ann", "x-groups: ops"], "bob", looks("bob")),
            ("10.0.0.4", &[], "ann", operator("ann")),
            (PROXY, &["x-user: bob"], "ann", looks("bob")),
            (PROXY, &[], "ann", Err(Stranger::Unnamed)),
        ] {
            assert_eq!(admitted(&access(), peer, headers, user), want, "{peer} {headers:?} {user}");
        }
    }

    #[test]
    fn everybody_is_an_operator_unless_something_else_is_said() {
        let peer = "192.0.2.1";
        let open = Access::default();
        assert_eq!(admitted(&open, peer, &[], ""), Ok((String::new(), Role::Operator)));
        let nobody = Access { operators: access().operators, ..Access::default() };
        assert_eq!(admitted(&nobody, peer, &[], ""), Ok((String::new(), Role::ReadOnly)));
        let frozen = Access { read_only: true, ..access() };
        assert_eq!(admitted(&frozen, PROXY, &["x-user: ann", "x-groups: ops"], ""), Ok(("ann".into(), Role::ReadOnly)));
    }

    #[test]
    fn a_header_that_is_not_believed_is_noticed() {
        let ignored = |peer, headers: &[&str]| access().ignores(&request(peer, headers, ""));
        assert!(ignored("10.0.0.4", &["x-user: ann"]));
        assert!(!ignored("10.0.0.4", &["x-other: ann"]) && !ignored(PROXY, &["x-user: ann"]));
    }

    #[test]
    fn who_asks_through_a_proxy_is_known_by_the_address_that_it_adds() {
        let at = |peer, headers: &[&str]| {
            access().admit(&request(peer, headers, "ann")).unwrap().address.unwrap().to_string()
        };
        assert_eq!(at(PROXY, &["x-user: ann", "x-forwarded-for: 203.0.113.9, 192.0.2.7"]), "192.0.2.7");
        assert_eq!(at(PROXY, &["x-user: ann", "x-forwarded-for: unknown"]), PROXY);
        assert_eq!(at("10.0.0.4", &["x-forwarded-for: 192.0.2.7"]), "10.0.0.4");
        let host = |peer| access().host(&request(peer, &["host: a:1", "x-forwarded-host: b"], "")).to_owned();
        assert_eq!((host(PROXY), host("10.0.0.4")), (b"b".to_vec(), b"a:1".to_vec()));
    }

    #[test]
    fn a_name_that_nobody_knows_is_not_answered_where_nobody_is_asked_for_a_password() {
        let listed = Access { hosts: vec!["ui.example.org".into()], ..Access::default() };
        let asks = |access: &Access, peer, host: &str| admitted(access, peer, &[&format!("host: {host}")], "").is_ok();
        let known =
            ["127.0.0.1:9796", "[::1]:9796", "localhost:9796", "LOCALHOST", "localhost.", "192.0.2.1", "monitoring"];
        for host in known {
            for peer in ["127.0.0.1", "192.0.2.1"] {
                assert!(asks(&Access::default(), peer, host) && asks(&listed, peer, host), "{host}");
            }
        }
        for host in [
            "evil.example.org",
            "127.0.0.1.evil.example.org:9796",
            "localhost.evil.example.org",
            "evil@127.0.0.1x",
            "a b",
            "",
            ".",
            ":9796",
        ] {
            for peer in ["127.0.0.1", "192.0.2.1"] {
                assert!(!asks(&Access::default(), peer, host) && !asks(&listed, peer, host), "{host}");
            }
        }
        assert!(asks(&listed, "127.0.0.1", "UI.example.org:443"));
        assert!(
            admitted(&Access::default(), "127.0.0.1", &["host: evil.example.org"], "ann").is_ok(),
            "a password is kept to its site"
        );
        assert!(admitted(&Access::default(), "192.0.2.1", &["host: localhost", "host: evil.example.org"], "").is_err());
    }

    #[test]
    fn a_proxy_on_another_machine_answers_for_the_name_that_it_is_asked_by() {
        let asks = |access: &Access, peer| admitted(access, peer, &["host: ui.example.org", "x-user: ann"], "");
        assert!(asks(&access(), PROXY).is_ok());
        assert_eq!(asks(&access(), "::1"), Err(Stranger::Host), "a page could say so in a browser on this machine");
        assert_eq!(asks(&access(), "10.0.0.4"), Err(Stranger::Host), "it is no proxy");
        let listed = Access { hosts: vec!["other.example.org".into()], ..access() };
        assert_eq!(asks(&listed, PROXY), Err(Stranger::Host));
    }

    #[test]
    fn whoever_opens_it_to_everybody_is_told() {
        let (loopback, everywhere) = (["127.0.0.1:9796".parse().unwrap()], ["[::]:9796".parse().unwrap()]);
        let told =
            |access: &Access, is_open, addresses: &[SocketAddr]| access.warning(is_open, addresses).unwrap_or_default();
        let open = Access::default();
        let warned = told(&open, true, &everywhere);
        assert!(warned.starts_with("Everybody who reaches [::]:9796 may silence alerts"), "{warned}");
        assert!(warned.contains("`access.hosts`"), "{warned}");
        let listed = Access { hosts: vec!["ui.example.org".into()], ..Access::default() };
        assert!(!told(&listed, true, &everywhere).contains("`access.hosts`"));
        assert_eq!(told(&open, true, &loopback) + &told(&open, false, &everywhere), "");
        let read_only = Access { read_only: true, ..Access::default() };
        assert_eq!(told(&read_only, true, &everywhere), NAMES_UNKNOWN, "it shows nothing under a name either");
        let read_only_listed = Access { read_only: true, ..listed };
        for (quiet, addresses) in [(&read_only, &loopback), (&read_only_listed, &everywhere), (&access(), &everywhere)]
        {
            assert_eq!(told(quiet, true, addresses), "");
        }
        let nobody = Access { operators: access().operators, ..Access::default() };
        let (near, far) = (told(&nobody, true, &loopback), told(&nobody, true, &everywhere));
        assert!(near.starts_with("Nobody may change anything") && far.starts_with(&near), "{far}");
        assert_eq!((near.contains(NAMES_UNKNOWN), far.ends_with(NAMES_UNKNOWN)), (false, true), "{far}");
    }
}
