//! The HTTP socket.
//!
//! | request | answer |
//! | --- | --- |
//! | `POST /results` | 202: an object or an array of them, `Content-Type: application/json`, is published. 400 with the reason, 413, 415 |
//! | `GET /info` | 200: versions, in sensu-client's form |
//! | `GET /settings` | 200: the merged settings, secrets hidden unless `?redacted=false`. Always with the password |
//! | `GET /brew` | 418 |
//! | another method, another path | 405; 404 with the list of endpoints |
//!
//! With `protect_all_endpoints` the first two need the password too. One request a connection, as in sensu-client.
//!
//! It stands on hyper alone: `service`, which the other servers share, brings TLS, metrics and several threads, and a
//! runner is on every node.

mod auth;
mod connection;
mod reply;

use std::sync::Arc;

use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE};
use hyper::{HeaderMap, Request};
use serde_json::{Value, json};
use tokio::net::TcpStream;

use self::reply::Reply;
use super::accept;
use super::intake::{Intake, Unreadable};
use super::limits::{Buffer, Full};
use super::{Shared, events, settings};
use crate::definitions::redact_value;

/// The release whose behaviour is kept; clients may look at it.
const SENSU_VERSION: &str = "1.9.0";

pub(super) struct Protocol;

impl accept::Protocol for Protocol {
    const NAME: &'static str = "http";

    async fn serve(stream: TcpStream, shared: Arc<Shared>) {
        connection::serve(stream, shared).await;
    }
}

/// What a path does.
#[derive(Clone, Copy)]
enum Action {
    Info,
    Results,
    Settings,
    Brew,
}

struct Endpoint {
    path: &'static str,
    method: &'static str,
    help: &'static str,
    action: Action,
}

const ENDPOINTS: [Endpoint; 4] = [
    Endpoint { path: "/info", method: "GET", help: "Sensu client information", action: Action::Info },
    Endpoint { path: "/results", method: "POST", help: "Send check JSON results here", action: Action::Results },
    Endpoint {
        path: "/settings",
        method: "GET",
        help: "Get redacted Sensu settings (requires basic auth). \
               Use ?redacted=false if you want the setting unredacted.",
        action: Action::Settings,
    },
    Endpoint { path: "/brew", method: "GET", help: "Ask Sensu to brew a cup of joe (try it!)", action: Action::Brew },
];

/// Answers a request and logs both.
async fn answer(request: Request<Incoming>, intake: &Intake) -> Reply {
    let method = request.method().as_str();
    let path = request.uri().path();
    intake.debug(|| events::http_processing(method, path));
    let reply = match ENDPOINTS.iter().find(|endpoint| endpoint.path == path) {
        Some(endpoint) => endpoint.answer(request, intake).await,
        None => {
            intake.notice(&events::http_unknown(path));
            Reply::new(404, "Not Found", help())
        }
    };
    intake.debug(|| events::http_sending(reply.status.as_u16(), reply.reason, &reply.content));
    reply
}

fn help() -> Value {
    let endpoints = ENDPOINTS.iter().map(|endpoint| {
        let about = json!({"help": endpoint.help, "methods": [endpoint.method]});
        (endpoint.path.to_owned(), about)
    });
    json!({"endpoints": Value::Object(endpoints.collect())})
}

// === impl Endpoint ===

impl Endpoint {
    async fn answer(&self, request: Request<Incoming>, intake: &Intake) -> Reply {
        let method = request.method().as_str().to_uppercase();
        intake.debug(|| events::http_found(self.path, vec![self.method]));
        if method != self.method {
            intake.debug(|| events::http_method(&method, self.path));
            let text = format!("Valid methods for this endpoint: [\"{}\"]", self.method);
            return Reply::text(405, "Method Not Allowed", text);
        }
        intake.debug(|| events::http_executing(&method, self.path));
        if self.action.is_guarded(intake) && !is_authorized(request.headers(), intake) {
            intake.notice(&events::http_unauthorized());
            return Reply::unauthorized();
        }
        match self.action {
            Action::Info => Reply::new(200, "OK", info()),
            Action::Results => results(request, intake).await,
            Action::Settings => show_settings(request.uri().query().unwrap_or_default(), intake),
            Action::Brew => Reply::text(418, "I'm a teapot", "I'm a teapot!"),
        }
    }
}

// === impl Action ===

impl Action {
    /// Whether it takes the password.
    fn is_guarded(self, intake: &Intake) -> bool {
        match self {
            Self::Settings => true,
            Self::Info | Self::Results => options(intake)["protect_all_endpoints"] == true,
            Self::Brew => false,
        }
    }
}

fn is_authorized(headers: &HeaderMap, intake: &Intake) -> bool {
    auth::allows(&options(intake), headers.get(AUTHORIZATION))
}

/// `client.http_socket` of this moment; null if there is none.
fn options(intake: &Intake) -> Value {
    intake.definitions().client.attributes.get("http_socket").cloned().unwrap_or_default()
}

/// There is no transport: results go to the log, and that is what is connected.
fn info() -> Value {
    let queue = json!({"messages": 0, "consumers": 0});
    json!({
        "sensu": {"version": SENSU_VERSION},
        "transport": {"name": "log", "keepalives": queue, "results": queue, "connected": true},
        "checkscript_runner": {"version": env!("CARGO_PKG_VERSION")},
    })
}

fn show_settings(query: &str, intake: &Intake) -> Reply {
    intake.notice(&events::http_settings());
    let definitions = intake.definitions();
    let settings = definitions.settings.as_deref().map(settings::shown).unwrap_or_default();
    let settings = Value::Object(settings);
    let open = query.to_ascii_lowercase().contains("redacted=false");
    Reply::new(200, "OK", if open { settings } else { redact_value(&settings) })
}

async fn results(request: Request<Incoming>, intake: &Intake) -> Reply {
    if !is_json(request.headers()) {
        return Reply::text(415, "Only application/json content type accepted", "Invalid content type");
    }
    let body = match read(request.into_body(), intake).await {
        Ok(body) => body,
        Err(unread) => {
            intake.notice(&events::http_error(unread.to_string()));
            return unread.reply();
        }
    };
    let document = match intake.read(body.bytes()).await {
        Ok(document) => document,
        Err(Unreadable::Syntax(_)) => {
            const REASON: &str = "Failed to parse JSON body";
            return Reply::text(400, REASON, REASON);
        }
        Err(unreadable @ Unreadable::Values) => {
            intake.notice(&events::http_error(unreadable.to_string()));
            return Reply::text(413, "Payload Too Large", unreadable.to_string());
        }
    };
    match intake.publish(document).await {
        Ok(()) => Reply::text(202, "OK", "ok"),
        Err(refusal) => {
            intake.notice(&events::http_error(refusal.to_string()));
            Reply::text(400, "Bad Request", refusal.to_string())
        }
    }
}

/// Whether the body is said to be JSON, with parameters or without. sensu-client looks for the words anywhere: in a parameter,
/// as in `text/plain;a=application/json`, they would let any page of a browser on this machine send results, since for a plain
/// text browsers do not ask whether they may.
fn is_json(headers: &HeaderMap) -> bool {
    let content_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let media_type = content_type.split(';').next().unwrap_or_default();
    media_type.trim().eq_ignore_ascii_case("application/json")
}

/// Why there is no whole body.
#[derive(Debug, thiserror::Error)]
enum Unread {
    #[error(transparent)]
    Full(#[from] Full),
    #[error("the request body ended early: {0}")]
    Broken(#[from] hyper::Error),
}

async fn read(mut body: Incoming, intake: &Intake) -> Result<Buffer, Unread> {
    let mut buffer = intake.buffer();
    while let Some(frame) = body.frame().await {
        if let Some(chunk) = frame?.data_ref() {
            buffer.push(chunk)?;
        }
    }
    Ok(buffer)
}

// === impl Unread ===

impl Unread {
    fn reply(&self) -> Reply {
        let text = self.to_string();
        match self {
            Self::Full(Full::Document) => Reply::text(413, "Payload Too Large", text),
            Self::Full(Full::Budget) => Reply::text(503, "Service Unavailable", text),
            Self::Broken(_) => Reply::text(400, "Bad Request", text),
        }
    }
}
