//! Who may use which routes.
//!
//! exporter-toolkit asks everybody for everything: a web config with users answers 401 to whoever is none of them. Here a
//! group of routes may have another [`Policy`]: open, since a scrape carries no secret, or kept to some of the users and to
//! the holders of some client certificates.

mod names;

use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::{IntoResponse as _, Response};

pub(crate) use self::names::ClientNames;

use crate::auth::{self, Login};
use crate::error::ConfigError;
use crate::web_config::{Live, WebConfig};

/// Callers that some routes are kept to. Empty lists mean that nothing is kept from anybody.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Allowed {
    /// Users of the web config's `basic_auth_users`.
    pub users: Vec<String>,
    /// Names of client certificates, compared exactly: the subject's common name or an alternative name (DNS name, IP
    /// address, URI, e-mail address). They count where the web config has client certificates verified, and then no
    /// password is asked for.
    pub client_names: Vec<String>,
}

/// Whom an admitted request comes from, among its extensions: the user whose password it brought, or else what a verified
/// client certificate calls its holder (the name that let it in, or else the first one). Not there where nobody was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User(pub String);

/// Who may use a group of routes.
#[derive(Clone, Debug)]
pub(crate) enum Policy {
    /// As the web config says: its users, or everybody where it has none.
    Configured,
    /// Everybody, also where the web config has users.
    Open,
    /// These callers alone.
    Only(Allowed),
}

// === impl Allowed ===

impl Allowed {
    /// Whether nobody is named, which allows everybody.
    #[must_use]
    pub fn is_everybody(&self) -> bool {
        self.users.is_empty() && self.client_names.is_empty()
    }

    /// Checks that `config` can tell these callers from others.
    pub(crate) fn check(&self, config: &WebConfig) -> Result<(), ConfigError> {
        let mut failures: Vec<_> = self.users.iter().filter(|user| !config.has_user(user)).map(unknown_user).collect();
        if !self.client_names.is_empty() && !config.verifies_clients() {
            failures.push(
                "names of client certificates are allowed, but none are verified: the web config needs a tls_server_config \
                 with client_auth_type VerifyClientCertIfGiven or RequireAndVerifyClientCert"
                    .to_owned(),
            );
        }
        if failures.is_empty() { Ok(()) } else { Err(ConfigError::all(failures)) }
    }
}

fn unknown_user(user: &String) -> String {
    format!("user `{user}` is allowed, but the web config has no such user in basic_auth_users")
}

// === impl Policy ===

impl Policy {
    /// Whom a request comes from that may pass, as far as that is known; else its refusal.
    pub(crate) async fn admit(&self, request: &Parts, web: &Live) -> Result<Option<User>, Response> {
        match self {
            Self::Open => Ok(None),
            Self::Configured => match web.login(&request.headers).await {
                Login::Refused => Err(auth::refusal()),
                Login::User(user) => Ok(Some(User(user))),
                Login::Unasked => Ok(names(request).and_then(ClientNames::first).map(User)),
            },
            Self::Only(allowed) => admit_only(allowed, request, web).await.map(Some),
        }
    }
}

async fn admit_only(allowed: &Allowed, request: &Parts, web: &Live) -> Result<User, Response> {
    if let Some(name) = names(request).and_then(|names| names.any_of(&allowed.client_names)) {
        return Ok(User(name));
    }
    if allowed.users.is_empty() {
        return Err(forbidden());
    }
    match web.login(&request.headers).await {
        Login::User(user) if allowed.users.contains(&user) => Ok(User(user)),
        Login::User(_) | Login::Unasked => Err(forbidden()),
        Login::Refused => Err(auth::refusal()),
    }
}

fn names(request: &Parts) -> Option<&ClientNames> {
    request.extensions.get()
}

fn forbidden() -> Response {
    (StatusCode::FORBIDDEN, "Forbidden: this is kept to some users or client certificates, and you are none of them\n")
        .into_response()
}
