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
        if absence(client, definition, features).is_some() {
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

/// Why a client does not run a check by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Absence {
    /// `publish` is false.
    Unpublished,
    /// It is not `standalone`, and only such checks are to run.
    NotStandalone,
    /// It is for others.
    NotSubscribed,
    /// It needs the server's list of clients.
    ProxyRequests,
}

/// Why this client does not run the check, if it does not. There is no server to ask for the checks of subscriptions, so
/// they are run like `standalone` ones; those with `proxy_requests` need its list of clients and cannot be.
pub(super) fn absence(client: &Client, definition: &Object, features: &Features) -> Option<Absence> {
    let is = |attribute: &str| definition.get(attribute).and_then(Value::as_bool);
    if is("publish") == Some(false) {
        Some(Absence::Unpublished)
    } else if is("standalone") == Some(true) {
        None
    } else if features.standalone_only {
        Some(Absence::NotStandalone)
    } else if !client.subscribes(definition.get("subscribers")) {
        Some(Absence::NotSubscribed)
    } else {
        asks_for_proxies(definition).then_some(Absence::ProxyRequests)
    }
}

/// Whether it has `proxy_requests` that mean something.
pub(super) fn asks_for_proxies(definition: &Object) -> bool {
    definition.get("proxy_requests").is_some_and(Value::is_object)
}
