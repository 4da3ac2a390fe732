//! Going through everything that the installation has, and saying of each attribute what becomes of it.

use std::collections::BTreeSet;

use check_result::Object;
use serde_json::Value;

use super::account::{Fate, Judgement, Places, Subject, judged};
use super::alertmanager::duration;
use super::checks::{Check, Checks};
use super::definitions::sections_of_the_server;
use super::filters::Filter;
use super::handlers::{Handler, Means, filter_names, texts};
use super::installation::Installation;
use super::receivers::{judge_mailer, judge_slack};
use super::routes::{UNCLAIMED, judge_handler};
use super::rules::{AGGREGATE, severity_of_ttl};
use crate::tools::check_config::catalogue;
use crate::tools::check_config::report::Verdict;

/// Sensu's thresholds of keepalives, in seconds, which the alert NodeDown has.
const KEEPALIVE: [(&str, u64); 2] = [("warning", 120), ("critical", 180)];

pub(super) struct Inventory<'a> {
    pub(super) installation: &'a Installation,
    pub(super) places: Places<'a>,
    pub(super) handlers: &'a [Handler],
    pub(super) checks: &'a Checks,
}

// === impl Inventory ===

impl Inventory<'_> {
    /// Every object of the definition files, in the order of a person's interest.
    pub(super) fn take(&self) -> Vec<Subject> {
        let mut subjects = self.client().into_iter().collect::<Vec<_>>();
        subjects.extend(self.installation.objects("checks").map(|(key, definition)| self.check(key, definition)));
        subjects.extend(self.installation.objects("handlers").map(|(name, handler)| self.handler(name, handler)));
        subjects.extend(self.installation.objects("filters").map(|(name, filter)| self.filter(name, filter)));
        subjects.extend(self.installation.objects("mutators").map(|(name, _)| self.mutator(name)));
        subjects.extend(self.installation.objects("contacts").map(|(name, contact)| self.contact(name, contact)));
        subjects.extend(self.sections());
        subjects
    }

    fn client(&self) -> Option<Subject> {
        let client = self.installation.tree.object("client").filter(|_| self.places.stands(&["client"]))?;
        Some(self.places.account("client", &["client"], client, |name, value| match name {
            "keepalive" => judge_keepalive(value),
            _ => as_known(catalogue::client_attribute(name, self.installation.tree.features())),
        }))
    }

    fn check(&self, key: &str, definition: &Object) -> Subject {
        let check = self.checks.all.iter().find(|check| check.key == key);
        self.places.account("check", &["checks", key], definition, |name, value| {
            let known =
                || as_known(catalogue::check_attribute(name, value, definition, self.installation.tree.features()));
            check.and_then(|check| self.judge_check(check, name)).unwrap_or_else(known)
        })
    }

    /// What the migration does about an attribute of a check; `None` leaves it to what is so without one.
    fn judge_check(&self, check: &Check, name: &str) -> Option<Judgement> {
        Some(match name {
            "handler" | "handlers" => self.judge_handlers(check),
            "refresh" => judged(
                Fate::Carried,
                format!(
                    "repeat_interval {} of its routes",
                    duration(check.refresh.unwrap_or_default().max(check.interval))
                ),
            ),
            "handle" if check.is_unhandled => judged(Fate::Carried, "a route that tells no one"),
            "subdue" => match self.checks.left_out.get(&check.key) {
                Some(left_out) => judged(
                    Fate::ToDo,
                    format!(
                        "the runner heeds it; Alertmanager cannot, and may tell an alert of before again: not a time of every day in one zone: {}",
                        left_out.join(", ")
                    ),
                ),
                None => judged(
                    Fate::Carried,
                    format!(
                        "the runner heeds it; what fired before is not told again meanwhile, by mute_time_intervals `{}`",
                        check.subdue.as_deref().unwrap_or_default()
                    ),
                ),
            },
            "dependencies" => judged(
                Fate::Changed,
                "inhibit_rules. Alertmanager says nothing of an alert that ends while it is inhibited: see docs/notifications.md",
            ),
            "contact" | "contacts" => self.judge_contacts(check),
            "ttl_status" => match check.ttl_status.and_then(severity_of_ttl) {
                Some(severity) => judged(Fate::Carried, format!("a rule: CheckStale is {severity} besides")),
                None => judged(Fate::Carried, "the alert CheckStale is a warning"),
            },
            "aggregate" | "aggregates" => judged(
                Fate::Changed,
                format!("recorded as {AGGREGATE}: what asked Sensu's API for it has to ask Prometheus"),
            ),
            _ => return None,
        })
    }

    fn judge_handlers(&self, check: &Check) -> Judgement {
        let gone: Vec<_> = check.handlers.iter().filter(|name| !self.is_handler(name)).cloned().collect();
        if gone.is_empty() {
            judged(Fate::Carried, "the routes go by the label `handlers` of its alerts")
        } else {
            judged(
                Fate::ToDo,
                format!(
                    "no such handler: {}. If no other claims them, its alerts go to `{UNCLAIMED}`",
                    gone.join(", ")
                ),
            )
        }
    }

    fn is_handler(&self, name: &str) -> bool {
        self.installation.objects("handlers").any(|(handler, _)| handler == name)
    }

    fn judge_contacts(&self, check: &Check) -> Judgement {
        let is_known = |name: &str| self.installation.objects("contacts").any(|(contact, _)| contact == name);
        let gone: Vec<_> = check.contacts.iter().filter(|name| !is_known(name)).cloned().collect();
        match gone.is_empty() {
            true => judged(Fate::Carried, "its routes have receivers with these contacts' addresses besides"),
            false => judged(Fate::ToDo, format!("no such contact: {}", gone.join(", "))),
        }
    }

    fn handler(&self, name: &str, definition: &Object) -> Subject {
        let handler = self.handlers.iter().find(|handler| handler.name == name);
        let defined: BTreeSet<_> = self.installation.objects("handlers").map(|(name, _)| name).collect();
        let judge = |attribute: &str, value: &Value| match attribute {
            "filter" | "filters" => self.judge_filters(definition),
            _ => judge_handler(handler, &defined, attribute, value),
        };
        self.places.account("handler", &["handlers", name], definition, judge)
    }

    fn judge_filters(&self, definition: &Object) -> Judgement {
        let is_filter = |name: &&str| {
            Filter::built_in(name).is_some() || self.installation.objects("filters").any(|(filter, _)| filter == *name)
        };
        let gone: Vec<_> = filter_names(definition).filter(|name| !is_filter(name)).collect();
        match gone.is_empty() {
            true => {
                judged(Fate::Carried, "see the filters themselves; `occurrences` is the rules' and the routes' work")
            }
            false => {
                judged(Fate::ToDo, format!("no such filter: {} (Sensu extensions are Ruby code)", gone.join(", ")))
            }
        }
    }

    fn filter(&self, name: &str, definition: &Object) -> Subject {
        let users = self
            .installation
            .objects("handlers")
            .filter(|(_, handler)| filter_names(handler).any(|filter| filter == name));
        let users: Vec<_> = users.map(|(handler, _)| handler).collect();
        self.places.whole("filter", &["filters", name], Filter::of(definition).judgement(&users))
    }

    fn mutator(&self, name: &str) -> Subject {
        let uses = |handler: &Object| handler.get("mutator").and_then(Value::as_str) == Some(name);
        let users: Vec<_> = self
            .installation
            .objects("handlers")
            .filter(|(_, handler)| uses(handler))
            .map(|(handler, _)| handler)
            .collect();
        let judgement = match users.is_empty() {
            true => judged(Fate::Dropped, "no handler uses it"),
            false => judged(
                Fate::ToDo,
                format!(
                    "of the handlers {}: what it writes otherwise is a template's work in Alertmanager",
                    users.join(", ")
                ),
            ),
        };
        self.places.whole("mutator", &["mutators", name], judgement)
    }

    fn contact(&self, name: &str, contact: &Object) -> Subject {
        let is_used = self.checks.all.iter().any(|check| check.contacts.iter().any(|used| used == name));
        let by = |wanted: fn(&Means) -> bool| self.handlers.iter().any(|handler| wanted(&handler.means));
        self.places.account("contact", &["contacts", name], contact, |attribute, _| match attribute {
            _ if !is_used => judged(
                Fate::ToDo,
                "no check names it; if clients do, give their targets a label for it and a route of their own",
            ),
            "email" if by(|means| matches!(means, Means::Mail(_))) => {
                judged(Fate::Carried, "in receivers of the checks that name it")
            }
            "slack" if by(|means| matches!(means, Means::Slack(_))) => {
                judged(Fate::Carried, "in receivers of the checks that name it")
            }
            _ => judged(Fate::ToDo, "none of the handlers that are carried over uses it"),
        })
    }

    /// Everything else at the top level: settings of handlers, of the server, of checks.
    fn sections(&self) -> Vec<Subject> {
        let of_the_server = sections_of_the_server(self.handlers);
        let known = ["client", "checks", "handlers", "filters", "mutators", "contacts"];
        let sections = self.installation.tree.settings().iter().filter(|(name, _)| !known.contains(&name.as_str()));
        let sections = sections.filter(|(name, _)| self.places.stands(&[name.as_str()]));
        sections.map(|(name, value)| self.section(name, value, of_the_server.contains(name.as_str()))).collect()
    }

    fn section(&self, name: &str, value: &Value, is_of_the_server: bool) -> Subject {
        let sets = |means: &Means| matches!(means, Means::Mail(section) | Means::Slack(section) if section == name);
        let path = [name];
        match (self.handlers.iter().find(|handler| sets(&handler.means)).map(|handler| &handler.means), value) {
            (Some(Means::Mail(_)), Value::Object(settings)) => {
                self.places.account("section", &path, settings, judge_mailer)
            }
            (Some(Means::Slack(_)), Value::Object(settings)) => {
                self.places.account("section", &path, settings, judge_slack)
            }
            _ if self.handlers.iter().any(|handler| handler.name == name) => self.places.whole(
                "section",
                &path,
                judged(Fate::ToDo, "settings of the handler of this name: its receiver may need them"),
            ),
            _ if ["mailer", "slack"].contains(&name) => {
                self.places.whole("section", &path, judged(Fate::Dropped, "no handler is set by it"))
            }
            _ if is_of_the_server || name == "sensu" => {
                let (verdict, text) = catalogue::section(name).unwrap_or((Verdict::NoEffect, ""));
                self.places.whole("section", &path, (verdict.into(), text.to_owned()))
            }
            _ => self.places.whole("section", &path, judged(Fate::Carried, "in the nodes' files: checks may read it")),
        }
    }
}

fn as_known((verdict, text): (Verdict, &str)) -> Judgement {
    (verdict.into(), text.to_owned())
}

fn judge_keepalive(keepalive: &Value) -> Judgement {
    let thresholds = |name: &str| keepalive.pointer(&format!("/thresholds/{name}")).and_then(Value::as_u64);
    let other: Vec<_> =
        KEEPALIVE.iter().filter(|(name, usual)| thresholds(name).is_some_and(|seconds| seconds != *usual)).collect();
    let tells = keepalive.get("handler").is_some() || texts(keepalive.get("handlers")).next().is_some();
    if !other.is_empty() {
        judged(Fate::ToDo, "NodeDown begins after 120 s and 180 s on every node: rules/nodes.yml has the figures")
    } else if tells {
        judged(
            Fate::ToDo,
            format!(
                "NodeDown has no label `handlers` and goes where alerts of the handler `default` go, else to `{UNCLAIMED}`: give it a route"
            ),
        )
    } else {
        judged(Fate::Carried, "the Prometheus rules have the alert NodeDown")
    }
}
