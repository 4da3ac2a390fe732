//! What headers say of who asks.

use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, LazyLock};

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use http::header::{HOST, HeaderValue, ORIGIN};
use http::{HeaderMap, Request, StatusCode};
use prometheus_client::registry::Registry;
use service::http::ClientOptions;
use tokio::runtime::{Builder, Runtime};
use tower::ServiceExt as _;
use url::{Host, Url};
use web_ui::access::{Access, Role, Stranger};
use web_ui::{App, Config};

const PROXY: &str = "10.0.0.1";
const OTHER: &str = "192.0.2.9";
const LOOPBACK: &str = "127.0.0.1";
/// Known besides addresses and names without a dot.
const OWN: &str = "ui.example.org";
/// A proxy that names who asks and their groups, and those of them who may change things.
const CONFIG: &str = "clusters: [{name: tokyo, prometheus: [{url: \"http://127.0.0.1:9\"}]}]\naccess: {hosts: [ui.example.org], \
                      proxy: {user_header: X-User, groups_header: X-Groups, from: [10.0.0.0/30]}, operators: {users: [ann], groups: [ops]}}\n";

struct Ui {
    runtime: Runtime,
    app: Arc<App>,
    routes: Router,
}

static UI: LazyLock<Ui> = LazyLock::new(|| {
    let runtime = Builder::new_current_thread().enable_all().build().expect("there can be a runtime");
    let within = runtime.enter();
    let config = Config::parse(CONFIG).expect("it is valid");
    let options = ClientOptions::new(service::build_info!());
    let app = App::start(&config, options, &mut Registry::default()).expect("there can be clients");
    drop(within);
    Ui { runtime, routes: app.routes(), app }
});

/// The headers of a request: nobody but the proxy is believed who asks, no other name leads here, and no other site has a silence made.
pub(crate) fn access(headers: &HeaderMap) {
    let access = UI.app.access();
    let asked = |access: &Access, peer, user: Option<&str>| access.admit(&request(peer, headers, user).into_parts().0);
    assert!(matches!(asked(&access, OTHER, None), Err(Stranger::Direct | Stranger::Host)), "{headers:?}");
    for (name, role) in [("ann", Role::Operator), ("bob", Role::ReadOnly)] {
        let user = asked(&access, OTHER, Some(name)).expect("a password has said who it is");
        assert_eq!(
            (user.name.as_deref(), user.role, user.address),
            (Some(name), role, OTHER.parse().ok()),
            "{headers:?}"
        );
    }
    match asked(&access, PROXY, None) {
        Ok(user) => {
            assert_eq!(user.name.as_deref(), named(headers), "{headers:?}");
            let may = user.name.as_deref() == Some("ann") || words(headers, "x-groups").any(|group| group == "ops");
            assert_eq!(user.may_change(), may, "{headers:?}");
            let last = words(headers, "x-forwarded-for").last().and_then(|last| last.parse::<IpAddr>().ok());
            assert!(user.address == last || user.address == PROXY.parse().ok(), "{headers:?}");
        }
        Err(Stranger::Unnamed) => assert_eq!(named(headers), None, "{headers:?}"),
        Err(stranger) => assert!(stranger == Stranger::Host && !is_asked_for(headers), "{headers:?}"),
    }
    let open = Access { proxy: None, ..(*access).clone() };
    for peer in [LOOPBACK, OTHER] {
        if let Ok(user) = asked(&open, peer, None) {
            assert!(is_asked_for(headers) && user.name.is_none() && !user.may_change(), "{headers:?}");
        }
    }
    let host = headers.get(HOST).map_or(&b""[..], HeaderValue::as_bytes);
    assert_eq!(access.host(&request(OTHER, headers, Some("ann")).into_parts().0), host);
    assert_eq!(is_refused(headers), is_foreign(headers, host), "{headers:?}");
}

fn request(peer: &str, headers: &HeaderMap, user: Option<&str>) -> Request<Body> {
    let mut request = Request::post("/api/v1/nowhere").body(Body::empty()).expect("it is a request");
    request.headers_mut().clone_from(headers);
    let peer = SocketAddr::new(peer.parse().expect("it is an address"), 40_000);
    request.extensions_mut().insert(ConnectInfo(peer));
    user.into_iter().for_each(|user| drop(request.extensions_mut().insert(service::User(user.to_owned()))));
    request
}

/// Whom the proxy names: in one header, which says something.
fn named(headers: &HeaderMap) -> Option<&str> {
    let values: Vec<_> = headers.get_all("x-user").iter().collect();
    let [value] = values[..] else { return None };
    str::from_utf8(value.as_bytes()).ok().map(str::trim).filter(|name| !name.is_empty())
}

/// The words of lists with commas.
fn words<'a>(headers: &'a HeaderMap, name: &str) -> impl Iterator<Item = &'a str> {
    let texts = headers.get_all(name).into_iter().filter_map(|value| str::from_utf8(value.as_bytes()).ok());
    texts.flat_map(|text| text.split(',')).map(str::trim)
}

/// Whether each host that is asked for is an address, web-ui's own name, or one that nobody outside can have.
fn is_asked_for(headers: &HeaderMap) -> bool {
    let known = |host: &HeaderValue| {
        let host = host.to_str().unwrap_or_default();
        let port = host.rsplit_once(':').filter(|(_, port)| port.bytes().all(|byte| byte.is_ascii_digit()));
        let host = port.map_or(host, |(host, _)| host);
        match Url::parse(&format!("http://{host}/")) {
            Ok(url) => match url.host() {
                Some(Host::Domain(name)) => {
                    name.trim_end_matches('.') == OWN || !name.trim_end_matches('.').contains('.')
                }
                address => address.is_some(),
            },
            Err(_) => !host.is_empty() && !host.contains('.'),
        }
    };
    headers.get_all(HOST).iter().all(known)
}

/// Whether the request is refused as another site's, of somebody who may do everything.
fn is_refused(headers: &HeaderMap) -> bool {
    let asked = UI.routes.clone().oneshot(request(OTHER, headers, Some("ann")));
    let answer = UI.runtime.block_on(asked).expect("it answers whatever comes");
    match answer.status() {
        StatusCode::FORBIDDEN => true,
        StatusCode::NOT_FOUND => false,
        status => panic!("{status}: {headers:?}"),
    }
}

/// Whether a browser says that the request began elsewhere, or, where it does not say, has an origin whose authority is not the host.
fn is_foreign(headers: &HeaderMap, host: &[u8]) -> bool {
    let header = |name| headers.get(name).map(HeaderValue::as_bytes);
    match (header("sec-fetch-site"), header(ORIGIN.as_str())) {
        (Some(site), _) => ![&b"same-origin"[..], b"none"].contains(&site),
        (None, None) => false,
        (None, Some(origin)) => {
            // No browser sends one with more than an authority behind the scheme.
            let Some(scheme) = origin.windows(3).position(|three| three == b"://") else { return true };
            let authority = origin[scheme + 3..].split(|byte| b"/?#".contains(byte)).next().unwrap_or_default();
            authority.is_empty() || !authority.eq_ignore_ascii_case(host)
        }
    }
}
