//! What a browser and a program are answered.
//!
//! ```text
//! GET /                                     alerts; ?cluster= ?severity= ?told= ?filter=MATCHERS ?find=WORDS ?group=LABEL ?sort= ?page=
//! GET /alerts/{cluster}/{fingerprint}       one alert with all its labels and annotations
//! GET /nodes                                nodes; ?state= and those of above
//! GET /nodes/{cluster}/{job}/{instance}     one node with all its checks; ?check= ?source= opens one
//! GET /checks                               checks by name
//! GET /checks/{check}                       one check on all nodes; ?state= and those of above
//! GET /silences…, POST /silences…           silences: see [`silences`]
//! POST /language                            ?lang= &to=PAGE: keeps the language in a cookie
//! GET /{alerts,nodes,checks,silences}.{csv,json}   all rows of a list as a file
//! GET /events                               server-sent events: one at each change
//! GET /assets/{version}/{file}              style sheet and script
//! GET /api/v1/{alerts,nodes,checks,silences}, /api/v1/nodes/{cluster}/{job}/{instance}, /api/v1/checks/{check}   the same as JSON
//! GET /api/v1/openapi.{yaml,json}            their description
//! GET /api/v1/clusters                      which servers answer
//! ```
//!
//! Pages are whole without their script, which adds updates and keys. They may load nothing but their own style sheet and
//! script, which their `Content-Security-Policy` says; all that they show is escaped by the templates. Everything that decides
//! what a page shows stands in its address.

use std::sync::Arc;

use askama::Template;
use axum::Router;
use axum::extract::{FromRequestParts, Query};
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, VARY, X_CONTENT_TYPE_OPTIONS,
    X_FRAME_OPTIONS,
};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Uri};
use tower_http::compression::CompressionLayer;

use crate::App;
use crate::access::User;
use crate::address::Address;
use crate::lists::{BadAddress, Snapshot};
use crate::texts::{Say as _, Texts};

mod acting;
mod alerts;
mod api;
mod assets;
mod checks;
mod escaped;
mod export;
mod frame;
mod gate;
mod language;
mod live;
mod node;
mod nodes;
mod one_alert;
mod one_check;
mod past;
mod silences;

use frame::Frame;

const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self'; \
                      base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

/// Headers of every answer, whatever it is.
pub(crate) fn headers() -> HeaderMap {
    let headers = [
        (CONTENT_SECURITY_POLICY, POLICY),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (X_FRAME_OPTIONS, "deny"),
        (REFERRER_POLICY, "same-origin"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    ];
    headers.into_iter().map(|(name, value)| (name, HeaderValue::from_static(value))).collect()
}

/// The routes.
pub(crate) fn routes(app: Arc<App>) -> Router {
    Router::new()
        .route("/", get(alerts::page))
        .route("/alerts/{cluster}/{fingerprint}", get(one_alert::page))
        .route("/nodes", get(nodes::page))
        .route("/nodes/{cluster}/{job}/{instance}", get(node::page))
        .route("/checks", get(checks::page))
        .route("/checks/{check}", get(one_check::page))
        .merge(silences::routes())
        .route("/assets/{version}/{file}", get(assets::file))
        .route("/language", post(language::choose))
        .nest("/api/v1", api::routes())
        .merge(export::routes())
        .layer(CompressionLayer::new())
        .route("/events", get(live::events))
        .fallback(nowhere)
        .layer(from_fn_with_state(Arc::clone(&app), gate::pass))
        .with_state(app)
}

/// A request for a page.
struct Asked {
    app: Arc<App>,
    user: User,
    address: Address,
    texts: &'static Texts,
    snapshot: Snapshot,
}

/// Why a page cannot be shown.
enum Refusal {
    Address(BadAddress),
    NoPage,
    NoNode,
    NoAlert,
    NoCheck,
    NoSilence,
    CrossSite,
    ReadOnly,
}

/// A page, or why there is none.
type Shown = Result<Response, Refused>;

/// A refusal, and what its page needs.
struct Refused(Refusal, Asked);

#[derive(Template)]
#[template(path = "refusal.html")]
struct RefusalPage<'a> {
    frame: Frame<'a>,
    error: String,
    /// Whether it is no more than an answer: at its address may be another page, which does not take its place.
    is_still: bool,
}

// === impl Asked ===

impl FromRequestParts<Arc<App>> for Asked {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Response> {
        let query = Query::<Vec<(String, String)>>::from_request_parts(parts, app).await;
        let Query(query) = query.map_err(IntoResponse::into_response)?;
        let address = Address::at(parts.uri.path()).asking(query);
        let user = parts.extensions.get().cloned().expect("the gate says who it is");
        let app = Arc::clone(app);
        Ok(Self { user, address, texts: Texts::of(&parts.headers), snapshot: app.snapshot(), app })
    }
}

impl Asked {
    fn frame(&self, tab: &'static str) -> Frame<'_> {
        Frame::new(self, tab)
    }

    /// A list, and what its page has around it. Of an address that cannot be understood it is what the rest of it asks for, so that
    /// the page has its controls, with what is wrong beside them.
    fn listed<L>(&self, tab: &'static str, list: impl Fn(&Address) -> Result<L, BadAddress>) -> (Frame<'_>, L) {
        let (mut frame, mut address) = (self.frame(tab), self.address.clone());
        loop {
            match list(&address) {
                Ok(list) => return (frame, list),
                Err(wrong) => {
                    address = address.with(wrong.parameter(), "");
                    frame.wrong.get_or_insert(wrong);
                }
            }
        }
    }

    /// Has `work` done where it keeps no other request waiting: to find out what hundreds of alerts become, and what that would
    /// mute among thousands, takes a while.
    async fn aside<T: Send + 'static>(self, work: impl FnOnce(&Self) -> T + Send + 'static) -> (Self, T) {
        let done = tokio::task::spawn_blocking(move || {
            let found = work(&self);
            (self, found)
        });
        done.await.unwrap_or_else(|failure| std::panic::resume_unwind(failure.into_panic()))
    }

    fn refuse(self, refusal: impl Into<Refusal>) -> Refused {
        Refused(refusal.into(), self)
    }
}

impl Refusal {
    fn told(&self, texts: &Texts) -> (StatusCode, String) {
        match self {
            Self::Address(error) => (StatusCode::BAD_REQUEST, error.say(texts)),
            Self::NoPage => (StatusCode::NOT_FOUND, texts.not_found.to_owned()),
            Self::NoAlert => (StatusCode::NOT_FOUND, texts.no_such_alert.to_owned()),
            Self::NoNode => (StatusCode::NOT_FOUND, texts.no_such_node.to_owned()),
            Self::NoCheck => (StatusCode::NOT_FOUND, texts.no_such_check.to_owned()),
            Self::NoSilence => (StatusCode::NOT_FOUND, texts.no_such_silence.to_owned()),
            Self::CrossSite => (StatusCode::FORBIDDEN, texts.cross_site.to_owned()),
            Self::ReadOnly => (StatusCode::FORBIDDEN, texts.read_only_user.to_owned()),
        }
    }
}

impl From<BadAddress> for Refusal {
    fn from(error: BadAddress) -> Self {
        Self::Address(error)
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let Self(refusal, asked) = self;
        let (status, error) = refusal.told(asked.texts);
        let is_still = matches!(refusal, Refusal::ReadOnly | Refusal::CrossSite);
        html(status, &RefusalPage { frame: asked.frame(""), error, is_still })
    }
}

fn html(status: StatusCode, page: &impl Template) -> Response {
    let body = page.render().expect("a page is written to memory, and its values are text");
    let headers =
        [(CONTENT_TYPE, "text/html; charset=utf-8"), (CACHE_CONTROL, "no-store"), (VARY, "Accept-Language, Cookie")];
    (status, headers, body).into_response()
}

async fn nowhere(uri: Uri, asked: Asked) -> Response {
    match uri.path().starts_with("/api/") {
        true => api::refusal(&Refusal::NoPage, &asked),
        false => asked.refuse(Refusal::NoPage).into_response(),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::time::Duration;

    use prometheus_client::registry::Registry;
    use service::http::ClientOptions;

    use super::*;
    use crate::Config;

    #[tokio::test]
    async fn others_are_served_while_work_is_done_aside() {
        let config = Config::parse("clusters: [{name: tokyo, prometheus: [{url: \"http://127.0.0.1:1\"}]}]").unwrap();
        let options = ClientOptions::new(service::build_info!());
        let app = App::start(&config, options, &mut Registry::default()).unwrap();
        let (user, address, snapshot) = (User::program(), Address::default(), app.snapshot());
        let asked = Asked { app, user, address, texts: Texts::in_language("en"), snapshot };
        let (other, served) = mpsc::channel();
        // The one thread there is would wait for itself.
        let work = asked.aside(move |_| served.recv_timeout(Duration::from_secs(30)));
        let ((_, waited), ()) = tokio::join!(work, async { other.send(()).unwrap() });
        assert_eq!(waited, Ok(()));
    }
}
