//! Definitions: from Sensu's files to checks that can be run.
//!
//! [`load()`] reads the built-in defaults, the environment and the files, merges them, and validates the whole. It keeps
//! two layers apart: the merged settings, any JSON, and [`Definitions`], which exist only where every rule holds.
//! Everything that is wrong is found in one go; nothing here logs, the notices come back with the result.

mod document;
mod failure;
mod host;
mod load;
mod merge;
mod redact;
mod tree;
mod validate;

use std::sync::Arc;

use check_result::Object;
use serde_json::Value;

pub use failure::Failure;
pub use host::Host;
pub(crate) use load::{FILE_MISSING, FILE_NOT_UTF8, load_tree};
pub use load::{Loaded, Sources, load};
use redact::{redact, redact_value};
pub(crate) use tree::{Origin, Origins, Tree};

use crate::schedule::Timetable;

/// A valid configuration.
#[derive(Clone, Debug, PartialEq)]
pub struct Definitions {
    /// Who runs the checks.
    pub client: Arc<Client>,
    /// The checks that this client runs by itself: `standalone`, `publish` not false, with a command.
    pub checks: Vec<Arc<Check>>,
    /// How many checks may run at once (`sensu.spawn.limit`).
    pub spawn_limit: usize,
}

/// The client definition.
#[derive(Clone, Debug, PartialEq)]
pub struct Client {
    /// Its `name`.
    pub name: String,
    /// The whole definition: what tokens are replaced from.
    pub attributes: Object,
}

/// A check that can be scheduled and run.
#[derive(Clone, Debug, PartialEq)]
pub struct Check {
    /// What results call it: the definition's own `name`, or the key that it stands under.
    pub name: String,
    /// What runs at most once at a time: the name, with the proxy client's before it where there is one.
    pub key: String,
    /// The whole definition in file order, `name` included. Its strings may hold tokens.
    pub definition: Object,
    /// The shell command, tokens not replaced.
    pub command: String,
    /// Whether the command reads the client and the check as JSON.
    pub stdin: bool,
    /// After how many seconds it is stopped; none or 0 is never. A negative one makes every run fail, as in sensu-client.
    pub timeout: Option<f64>,
    /// When it runs.
    pub timetable: Timetable,
}

// === impl Definitions ===

impl Definitions {
    /// Takes settings that have been validated.
    fn from_valid(settings: &Object) -> Self {
        let attributes = object(settings.get("client"));
        let name = text(&attributes, "name").unwrap_or_default();
        let client = Arc::new(Client { name, attributes });
        let checks = object(settings.get("checks"));
        let checks = checks
            .iter()
            .filter_map(|(key, definition)| Check::standalone(&client.name, key, definition.as_object()?))
            .map(Arc::new)
            .collect();
        let limit = settings.get("sensu").and_then(|sensu| sensu.pointer("/spawn/limit")).and_then(Value::as_u64);
        let spawn_limit = limit.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(usize::MAX);
        Self { client, checks, spawn_limit }
    }
}

// === impl Check ===

impl Check {
    /// The check under `key`, if this client runs it by itself.
    fn standalone(client: &str, key: &str, definition: &Object) -> Option<Self> {
        let definition = named(key, definition);
        let is = |attribute: &str| definition.get(attribute).and_then(Value::as_bool);
        if is("standalone") != Some(true) || is("publish") == Some(false) {
            return None;
        }
        let name = text(&definition, "name")?;
        Some(Self {
            key: text(&definition, "source").map_or_else(|| name.clone(), |source| format!("{source}:{name}")),
            command: text(&definition, "command")?,
            stdin: is("stdin") == Some(true),
            timeout: definition.get("timeout").and_then(Value::as_f64),
            timetable: Timetable::of(client, key, &definition)?,
            name,
            definition,
        })
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
