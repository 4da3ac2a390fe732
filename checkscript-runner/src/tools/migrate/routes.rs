//! The tree of routes: one for each handler, and below it one for each kind of checks that are told otherwise.

use std::collections::{BTreeMap, BTreeSet};
use std::iter;

use check_result::Object;
use serde_json::Value;

use super::account::Fate;
use super::alertmanager::{
    Config, EmailConfig, InhibitRule, Receiver, Route, duration, equal, none_of, not_equal, one_of,
};
use super::checks::{Check, Checks, REFRESH};
use super::filters::Filter;
use super::handlers::{Handler, Means};
use super::installation::Installation;
use super::receivers::{Secret, addresses, email, slack};
use super::windows::TimeIntervals;

/// Who is told what no handler claims: nothing may end without a word. Its blank keeps it apart from handlers' names.
pub(super) const UNCLAIMED: &str = "no handler";

/// The alert on a check that flaps.
const FLAPPING: &str = "CheckFlapping";

/// Whoever is told nothing.
const NOBODY: &str = "no one";

/// The whole of Alertmanager's part.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) config: Config,
    pub(super) secrets: Vec<Secret>,
    /// What of the whole somebody has to see to.
    pub(super) to_do: Vec<String>,
}

/// How a check's alerts are told by one handler.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Manner {
    /// Seconds.
    repeat: u64,
    mutes: Vec<String>,
    contacts: Vec<String>,
}

/// Plans routes, receivers and all else.
pub(super) fn plan(installation: &Installation, handlers: &[Handler], checks: &Checks) -> Plan {
    let mut planner =
        Planner { installation, receivers: Vec::new(), secrets: Vec::new(), intervals: checks.intervals.clone() };
    let mut routes =
        vec![Route { receiver: NOBODY.to_owned(), matchers: vec![equal("alertname", "Watchdog")], ..Route::default() }];
    routes.extend(unhandled(checks));
    // What is handled by none of Alertmanager's receivers goes to the unclaimed until somebody writes its route.
    for handler in handlers.iter().filter(|handler| !matches!(handler.means, Means::Other(_))) {
        routes.push(planner.route(handler, checks));
    }
    let mut to_do = vec![];
    let unclaimed = planner.unclaimed(handlers);
    if unclaimed.email_configs.is_empty() && unclaimed.slack_configs.is_empty() {
        to_do.push(format!(
            "no handler mails or speaks to Slack, so that the receiver `{UNCLAIMED}` tells nobody: give it an address"
        ));
    }
    let route = Route {
        receiver: UNCLAIMED.to_owned(),
        group_by: vec!["job", "instance", "check", "source"],
        group_wait: Some("10s"),
        group_interval: Some("1m"),
        repeat_interval: Some(duration(REFRESH)),
        routes,
        ..Route::default()
    };
    let mut receivers = vec![Receiver { name: NOBODY.to_owned(), ..Receiver::default() }, unclaimed];
    receivers.append(&mut planner.receivers);
    let inhibit_rules = [vec![flapping(handlers)], checks.inhibit_rules()].concat();
    let config =
        Config { templates: vec!["sensu.tmpl"], route, inhibit_rules, receivers, time_intervals: planner.intervals };
    Plan { config, secrets: planner.secrets, to_do }
}

/// Checks with `handle: false`.
fn unhandled(checks: &Checks) -> Option<Route> {
    let labels: Vec<_> =
        checks.all.iter().filter(|check| check.is_unhandled).map(|check| check.label.as_str()).collect();
    let matchers = vec![one_of("check", labels.iter().copied())];
    (!labels.is_empty()).then(|| Route { receiver: NOBODY.to_owned(), matchers, ..Route::default() })
}

/// Sensu's handlers do not hear of a check that flaps, but for those with `handle_flapping`. CheckFlapping takes the routes of the alerts that
/// it keeps back: of what is inhibited otherwise Alertmanager would not tell the end.
fn flapping(handlers: &[Handler]) -> InhibitRule {
    let told = handlers.iter().filter(|handler| handler.is_told_flapping).map(Handler::others_matcher);
    let problems = "alertname =~ \"Check(Warning|Critical|Unknown)\"".to_owned();
    InhibitRule {
        source_matchers: vec![equal("alertname", FLAPPING)],
        target_matchers: iter::once(problems).chain(told).collect(),
        equal: vec!["job", "instance", "check", "source"],
    }
}

/// The handler's own route claims them, so that they are not told as unclaimed.
fn other_severities(handler: &Handler) -> Option<Route> {
    let words = handler.severities.iter().map(String::as_str).filter(|word| *word != "ok");
    // Who is told that a check flaps does not wait for the end of what is kept back meanwhile.
    let matchers = vec![none_of("severity", words), not_equal("alertname", FLAPPING)];
    (!handler.severities.is_empty()).then(|| Route { receiver: NOBODY.to_owned(), matchers, ..Route::default() })
}

struct Planner<'a> {
    installation: &'a Installation,
    receivers: Vec<Receiver>,
    secrets: Vec<Secret>,
    intervals: Vec<TimeIntervals>,
}

// === impl Planner ===

impl Planner<'_> {
    /// The route of a handler. What most of its checks want it does itself, routes below it the rest.
    fn route(&mut self, handler: &Handler, checks: &Checks) -> Route {
        let mutes = self.mutes(handler);
        let claimed = checks.all.iter().filter(|check| !check.is_unhandled);
        let claimed = claimed.filter(|check| check.handlers.iter().any(|name| handler.names.contains(name)));
        let mut manners: BTreeMap<Manner, Vec<&str>> = BTreeMap::new();
        for check in claimed {
            manners.entry(self.manner(handler, check, &mutes)).or_default().push(&check.label);
        }
        let usual = Manner { repeat: usual_repeat(&manners), mutes, contacts: vec![] };
        manners.remove(&usual);
        let receiver = self.receiver_for(handler, &[]);
        let routes = manners.into_iter().map(|(manner, labels)| Route {
            receiver: self.receiver_for(handler, &manner.contacts),
            matchers: vec![one_of("check", labels)],
            repeat_interval: Some(duration(manner.repeat)),
            mute_time_intervals: manner.mutes,
            ..Route::default()
        });
        Route {
            routes: other_severities(handler).into_iter().chain(routes).collect(),
            receiver,
            matchers: vec![handler.matcher()],
            repeat_interval: Some(duration(usual.repeat)),
            goes_on: true,
            mute_time_intervals: usual.mutes,
            ..Route::default()
        }
    }

    /// The names of the intervals in which the handler's filters let nothing pass.
    fn mutes(&mut self, handler: &Handler) -> Vec<String> {
        let mutes = handler.filters.iter().filter_map(|(name, filter)| match filter {
            Filter::Mute(intervals) => Some((format!("filter-{name}"), intervals)),
            _ => None,
        });
        let mut names = Vec::new();
        for (name, intervals) in mutes {
            if !self.intervals.iter().any(|known| known.name == name) {
                self.intervals.push(TimeIntervals { name: name.clone(), time_intervals: intervals.clone() });
            }
            names.push(name);
        }
        names
    }

    fn manner(&self, handler: &Handler, check: &Check, mutes: &[String]) -> Manner {
        let every = handler.filters.iter().find_map(|(_, filter)| match filter {
            Filter::EveryOccurrences(count) => Some(count * check.interval),
            _ => None,
        });
        let repeat = every.or(check.refresh).unwrap_or(REFRESH).max(check.interval);
        let mutes = mutes.iter().chain(&check.subdue).cloned().collect();
        let known = check.contacts.iter().filter(|contact| self.address_of(handler, contact).is_some());
        Manner { repeat, mutes, contacts: known.cloned().collect() }
    }

    /// Where a contact is reached by what the handler does.
    fn address_of(&self, handler: &Handler, contact: &str) -> Option<String> {
        let contact = self.installation.tree.object("contacts")?.get(contact)?;
        match handler.means {
            Means::Mail(_) => Some(addresses(contact.pointer("/email/to")).join(", ")).filter(|to| !to.is_empty()),
            Means::Slack(_) => contact.pointer("/slack/channel")?.as_str().map(str::to_owned),
            Means::Other(_) => None,
        }
    }

    /// The name of the handler's receiver that these contacts are told by as well; it is made where there is none yet.
    fn receiver_for(&mut self, handler: &Handler, contacts: &[String]) -> String {
        let receiver = self.receiver(handler, contacts);
        let name = receiver.name.clone();
        if !self.receivers.iter().any(|known| known.name == name) {
            self.receivers.push(receiver);
        }
        name
    }

    fn receiver(&mut self, handler: &Handler, contacts: &[String]) -> Receiver {
        let none = Object::new();
        let tells_resolved = !handler.filters.iter().any(|(_, filter)| *filter == Filter::NoResolved);
        let settings = |section: &str| self.installation.tree.object(section).unwrap_or(&none);
        let (mut email_configs, mut slack_configs, secret) = match &handler.means {
            Means::Mail(section) => {
                let (emails, secret) = email(section, settings(section), tells_resolved);
                (emails, vec![], secret)
            }
            Means::Slack(section) => {
                let (slacks, secret) = slack(section, settings(section), tells_resolved);
                (vec![], slacks, secret)
            }
            Means::Other(_) => (vec![], vec![], None),
        };
        for contact in contacts.iter().filter_map(|contact| self.address_of(handler, contact)) {
            let email =
                email_configs.first().map(|email: &EmailConfig| EmailConfig { to: contact.clone(), ..email.clone() });
            email_configs.extend(email);
            let slack = slack_configs.first().cloned().map(|mut slack| {
                slack.channel = Some(contact);
                slack
            });
            slack_configs.extend(slack);
        }
        if let Some(secret) = secret.filter(|secret| !self.secrets.contains(secret)) {
            self.secrets.push(secret);
        }
        let name = [std::slice::from_ref(&handler.name), contacts].concat().join("+");
        Receiver { name, email_configs, slack_configs }
    }

    /// The handlers by default, or else the first that mails or speaks to Slack.
    fn unclaimed(&self, handlers: &[Handler]) -> Receiver {
        let by_default = |receiver: &&Receiver| {
            handlers.iter().any(|handler| handler.name == receiver.name && handler.names.contains("default"))
        };
        let tells = |receiver: &&Receiver| !receiver.email_configs.is_empty() || !receiver.slack_configs.is_empty();
        let mut chosen: Vec<_> = self.receivers.iter().filter(by_default).filter(tells).collect();
        if chosen.is_empty() {
            chosen.extend(self.receivers.iter().find(tells));
        }
        Receiver {
            name: UNCLAIMED.to_owned(),
            email_configs: chosen.iter().flat_map(|receiver| receiver.email_configs.clone()).collect(),
            slack_configs: chosen.iter().flat_map(|receiver| receiver.slack_configs.clone()).collect(),
        }
    }
}

/// What most checks want; of equals the shortest.
fn usual_repeat(manners: &BTreeMap<Manner, Vec<&str>>) -> u64 {
    let mut counts: BTreeMap<u64, usize> = BTreeMap::new();
    for (manner, labels) in manners {
        *counts.entry(manner.repeat).or_default() += labels.len();
    }
    let most = counts.iter().rev().max_by_key(|(_, count)| **count);
    most.map_or(REFRESH, |(&repeat, _)| repeat)
}

/// What becomes of an attribute of a handler.
pub(super) fn judge_handler(
    handler: Option<&Handler>,
    defined: &BTreeSet<&str>,
    name: &str,
    value: &Value,
) -> (Fate, String) {
    let (fate, text) = match name {
        "type" if value == "set" => (Fate::Carried, "the routes of its members match its name too"),
        "handlers" => return members(defined, value),
        "type" | "command" | "socket" | "pipe" => match handler.map(|handler| &handler.means) {
            Some(Means::Mail(_)) => (Fate::Carried, "a receiver that mails, with the templates of sensu.tmpl"),
            Some(Means::Slack(_)) => {
                (Fate::Carried, "a receiver that speaks to Slack, with the templates of sensu.tmpl")
            }
            Some(Means::Other(_)) if name == "type" => (Fate::Dropped, "there are receivers instead"),
            Some(Means::Other(text)) => return (Fate::ToDo, unclaimed(handler, text)),
            None => (Fate::Dropped, "it is a set"),
        },
        "severities" => (Fate::Carried, "a matcher of its route"),
        "filter" | "filters" => (Fate::Carried, "see its filters"),
        "timeout" => (Fate::Dropped, "Alertmanager has limits of its own and tries again"),
        "mutator" => (Fate::ToDo, "Alertmanager has no mutators: what is to be written otherwise is a template's work"),
        "handle_silenced" if value == &Value::Bool(true) => {
            (Fate::ToDo, "a silence in Alertmanager holds for every receiver")
        }
        "handle_flapping" if value == &Value::Bool(true) => (
            Fate::Changed,
            "its checks are told as they flap, by the other handlers that they name as well: Alertmanager inhibits for all or none",
        ),
        "handle_flapping" => {
            (Fate::Carried, "CheckFlapping says once that a check flaps; an inhibit rule keeps its changes back")
        }
        "handle_silenced" => (Fate::Carried, "that is so always"),
        _ => (Fate::ToDo, "unknown: see whether the receiver needs it"),
    };
    (fate, text.to_owned())
}

fn unclaimed(handler: Option<&Handler>, text: &str) -> String {
    let matcher = handler.map(Handler::matcher).unwrap_or_default();
    format!(
        "{text}. Give it a receiver and a route with the matcher `{matcher}`; until then alerts that no other handler claims go to `{UNCLAIMED}`"
    )
}

fn members(defined: &BTreeSet<&str>, value: &Value) -> (Fate, String) {
    let members = value.as_array().into_iter().flatten().filter_map(Value::as_str);
    let gone: Vec<_> = members.filter(|name| !defined.contains(name)).collect();
    if gone.is_empty() {
        (Fate::Carried, "the routes of its members match its name too".to_owned())
    } else {
        (Fate::ToDo, format!("no such handler: {}; Sensu passed over it", gone.join(", ")))
    }
}
