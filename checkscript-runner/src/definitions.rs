//! Definitions: from Sensu's files to checks that can be run.
//!
//! [`load()`] reads the built-in defaults, the environment and the files, merges them, and validates the whole. It keeps
//! two layers apart: the merged settings, any JSON, and [`Definitions`], which exist only where every rule holds.
//! Everything that is wrong is found in one go; nothing here logs, the notices come back with the result.

mod check;
mod document;
mod environment;
mod extras;
mod failure;
mod features;
mod host;
mod load;
mod loaded_files;
mod merge;
mod redact;
mod tree;
mod validate;
mod without_effect;

use std::sync::Arc;

use check_result::{CheckKey, Object};
use serde_json::Value;

use crate::execute::published_key;
pub(crate) use check::Absence;
pub use check::Check;
pub(crate) use document::{SyntaxError, lenient_json};
pub(crate) use environment::{API, TRANSPORT};
pub use extras::{Account, Extras};
pub use failure::Failure;
pub use features::{Attribute, Features};
pub use host::Host;
pub(crate) use load::{DIRECTORY_UNREADABLE, FILE_MISSING, FILE_NOT_UTF8, load_tree};
pub use load::{Loaded, Sources, load, reload};
pub(crate) use loaded_files::write_loaded_files_in;
pub use loaded_files::{LOADED_FILES_VARIABLE, write_loaded_files};
pub(crate) use redact::{Redaction, redact_value};
pub(crate) use tree::{Origin, Origins, Tree};
pub(crate) use validate::refusal;

/// A valid configuration.
#[derive(Clone, Debug, PartialEq)]
pub struct Definitions {
    /// Who runs the checks.
    pub client: Arc<Client>,
    /// The checks that this client runs: `publish` not false, with a command, and either `standalone` or with
    /// `subscribers` of which the client subscribes to one.
    pub checks: Vec<Arc<Check>>,
    /// How many checks may run at once (`sensu.spawn.limit`).
    pub spawn_limit: usize,
    /// The merged settings, secrets included. Kept only where the HTTP socket has a password with which it can be asked
    /// for them.
    pub settings: Option<Arc<Object>>,
}

/// The client definition.
#[derive(Clone, Debug, PartialEq)]
pub struct Client {
    /// Its `name`.
    pub name: String,
    /// The whole definition: what tokens are replaced from.
    pub attributes: Object,
}

// === impl Definitions ===

impl Definitions {
    /// Takes settings that have been validated.
    fn from_valid(settings: &Object, features: &Features) -> Self {
        let client = Arc::new(Client::new(object(settings.get("client"))));
        let checks = object(settings.get("checks"));
        let checks = checks
            .iter()
            .filter_map(|(key, definition)| Check::scheduled(&client, key, definition.as_object()?, features))
            .map(Arc::new)
            .collect();
        let limit = settings.get("sensu").and_then(|sensu| sensu.pointer("/spawn/limit")).and_then(Value::as_u64);
        let spawn_limit = limit.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(usize::MAX);
        let may_be_asked = client.attributes.get("http_socket").is_some_and(|socket| socket["password"].is_string());
        let settings = may_be_asked.then(|| Arc::new(settings.clone()));
        Self { client, checks, spawn_limit, settings }
    }
}

impl Definitions {
    /// What results of the checks are known by: names and sources with their tokens replaced.
    pub fn keys(&self) -> impl Iterator<Item = CheckKey> {
        self.checks.iter().map(|check| published_key(check, &self.client))
    }
}

// === impl Client ===

impl Client {
    fn new(attributes: Object) -> Self {
        Self { name: text(&attributes, "name").unwrap_or_default(), attributes }
    }

    /// What its results are signed with, if it signs them.
    pub(crate) fn signature(&self) -> Option<String> {
        text(&self.attributes, "signature")
    }

    /// Whether it subscribes to one of these.
    fn subscribes(&self, subscribers: Option<&Value>) -> bool {
        let own = self.attributes.get("subscriptions").and_then(Value::as_array);
        let subscribers = subscribers.and_then(Value::as_array);
        own.zip(subscribers).is_some_and(|(own, subscribers)| subscribers.iter().any(|name| own.contains(name)))
    }
}

/// The definition with the key that it stands under as `name`, unless it has one of its own.
fn named(key: &str, definition: &Object) -> Object {
    let mut named = definition.clone();
    named.entry("name").or_insert_with(|| key.into());
    named
}

fn text(object: &Object, attribute: &str) -> Option<String> {
    object.get(attribute).and_then(Value::as_str).map(str::to_owned)
}

fn object(value: Option<&Value>) -> Object {
    value.and_then(Value::as_object).cloned().unwrap_or_default()
}
