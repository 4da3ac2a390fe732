//! A check that can be scheduled and run.

use check_result::Object;
use serde_json::Value;

use super::extras::Extras;
use super::{Client, Features, named, text};
use crate::schedule::{Subdue, Timetable};

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
    /// When it does not run all the same.
    pub subdue: Option<Subdue>,
    /// What sensu-client does not know.
    pub extras: Extras,
}

// === impl Check ===

impl Check {
    /// The check under `key`, if this client runs it on a schedule.
    pub(super) fn scheduled(client: &Client, key: &str, definition: &Object, features: &Features) -> Option<Self> {
        if !is_here(client, definition, features) {
            return None;
        }
        let definition = named(key, definition);
        let extras = Extras::of(client, &definition, features);
        let name = text(&definition, "name")?;
        Some(Self {
            key: text(&definition, "source").map_or_else(|| name.clone(), |source| format!("{source}:{name}")),
            command: text(&definition, "command")?,
            stdin: definition.get("stdin") == Some(&Value::Bool(true)),
            timeout: definition.get("timeout").and_then(Value::as_f64).or(features.default_timeout),
            timetable: Timetable::of(&client.name, key, &definition)?.in_zone(extras.timezone.as_ref()),
            subdue: definition.get("subdue").and_then(|windows| Subdue::of(windows, extras.timezone.clone())),
            extras,
            name,
            definition,
        })
    }
}

/// Whether this client runs the check by itself. There is no server to ask for the checks of subscriptions, so they are
/// run like `standalone` ones; those with `proxy_requests` need its list of clients and cannot be.
pub(super) fn is_here(client: &Client, definition: &Object, features: &Features) -> bool {
    let is = |attribute: &str| definition.get(attribute).and_then(Value::as_bool);
    let by_subscription = || is_subscribed(client, definition, features) && !asks_for_proxies(definition);
    is("publish") != Some(false) && (is("standalone") == Some(true) || by_subscription())
}

/// Whether the client subscribes to the check, and that is heeded.
pub(super) fn is_subscribed(client: &Client, definition: &Object, features: &Features) -> bool {
    !features.standalone_only && client.subscribes(definition.get("subscribers"))
}

/// Whether it has `proxy_requests` that mean something.
pub(super) fn asks_for_proxies(definition: &Object) -> bool {
    definition.get("proxy_requests").is_some_and(Value::is_object)
}
