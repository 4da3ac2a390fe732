//! What happened, as the oracle reads it: messages of each sink, incidents, and checks that the machine held up.

use std::time::{Duration, Instant};

use e2e::sinks::{Attachment, Mail, Told};
use serde_json::Value;

use super::Run;
use crate::oracle::{Broken, Episode, HeldUp, Message, Past, Sink, is_held_up};
use crate::plan::{Fault, HOSTS, Incident};

/// How far a time in a log, which has whole seconds, may be off.
const ROUNDED: Duration = Duration::from_secs(1);

impl Run {
    /// Everything that happened.
    pub(super) fn past(&self) -> anyhow::Result<Past> {
        let times = self.began.iter().zip(&self.ended);
        let incidents = self.plan.incidents.iter().enumerate().zip(times);
        let mut episodes: Vec<_> = incidents
            .filter_map(|((number, incident), (began, ended))| {
                let Incident { node, check, status, brief } = *incident;
                Some(Episode { number, node, check, status, brief, began: (*began)?, ended: (*ended)? })
            })
            .collect();
        episodes.sort_by_key(|episode| episode.began);
        Ok(Past { episodes, broken: self.mended.clone(), held_up: self.held_up()? })
    }

    /// The runs of checks that did not end in time, as far as the logs have room for what the runners say.
    fn held_up(&self) -> anyhow::Result<Vec<HeldUp>> {
        let mut held_up = Vec::new();
        for node in 0..HOSTS.len() {
            let results = self.pair.logged(node)?.into_iter();
            let late = results.filter(|check| check["output"].as_str().is_some_and(is_held_up));
            held_up.extend(late.filter_map(|check| self.run_held_up(node, &check)));
        }
        Ok(held_up)
    }

    fn run_held_up(&self, node: usize, result: &Value) -> Option<HeldUp> {
        let check = result["name"].as_str()?.to_owned();
        let lasted = Duration::try_from_secs_f64(result["duration"].as_f64().unwrap_or_default()).ok()?;
        let from = self.instant(node, result["executed"].as_i64().or_else(|| result["issued"].as_i64())?)?;
        Some(HeldUp { node, check, from: from.checked_sub(ROUNDED)?, to: from + lasted + ROUNDED })
    }

    /// When it was so late on a node, whose clock may have been wrong then.
    fn instant(&self, node: usize, seconds: i64) -> Option<Instant> {
        let clocks = self.mended.iter().filter_map(|broken| match broken.fault {
            Fault::Clock(of, ahead) if of == node => Some((broken, ahead)),
            _ => None,
        });
        let was_wrong = clocks.filter_map(|(Broken { begun, ended, .. }, ahead)| {
            let at = self.right(seconds.checked_sub(ahead)?)?;
            (*begun <= at + ROUNDED && at <= *ended + ROUNDED).then_some(at)
        });
        was_wrong.last().or_else(|| self.right(seconds))
    }

    /// When it was so late by the machine's clock.
    fn right(&self, seconds: i64) -> Option<Instant> {
        let after = seconds.checked_sub(self.started_at.as_second())?;
        let distance = Duration::from_secs(after.unsigned_abs());
        if after < 0 { self.started.checked_sub(distance) } else { self.started.checked_add(distance) }
    }

    /// What each sink was told until now.
    pub(super) fn messages(&self) -> Vec<Message> {
        let hook = self.pair.told.timed().into_iter().filter_map(|(at, told)| self.of_webhook(at, &told));
        let mails = self.pair.mails.timed().into_iter().filter_map(|(at, mail)| self.of_mail(at, &mail));
        let slack = self.pair.slack.timed().into_iter().filter_map(|(at, message)| self.of_slack(at, &message));
        hook.chain(mails).chain(slack).collect()
    }

    fn of_webhook(&self, at: Instant, told: &Told) -> Option<Message> {
        // A notification is of one check; alerts of it that do not fire any more may stand beside the one that does.
        if !told.leads {
            return None;
        }
        let node = (0..HOSTS.len()).find(|node| told.labels["instance"] == self.pair.instance(*node))?;
        let annotation = |name: &str| told.annotations.get(name).cloned();
        let reason = ["detail_error", "detail_age"].iter().any(|name| told.annotations.contains_key(*name));
        let text = annotation("output_detail").or_else(|| annotation("detail_error")).unwrap_or_default();
        let (sink, from, check) = (Sink::Webhook, told.to.clone(), told.labels["check"].clone());
        Some(Message { at, sink, from, node, check, firing: told.firing, text, reason })
    }

    fn of_mail(&self, at: Instant, mail: &Mail) -> Option<Message> {
        let (action, rest) = mail.subject.split_once(" - ")?;
        let (node, check) = self.about(rest)?;
        let (from, text, reason) = (mail.from.clone(), mail.body.clone(), has_reason(&mail.body));
        Some(Message { at, sink: Sink::Mail, from, node, check, firing: action == "ALERT", text, reason })
    }

    fn of_slack(&self, at: Instant, message: &Attachment) -> Option<Message> {
        let (node, check) = self.about(&message.text)?;
        let (text, from, firing) = (message.text.clone(), message.to.clone(), !message.title.ends_with(" - OK"));
        let reason = has_reason(&text);
        Some(Message { at, sink: Sink::Slack, from, node, check, firing, text, reason })
    }

    /// Which check of which node a text is about that begins with `NODE/CHECK: `. Without a detail the node's address stands there.
    fn about(&self, text: &str) -> Option<(usize, String)> {
        let (node, rest) = text.split_once('/')?;
        let (check, _) = rest.split_once(": ")?;
        let number = (0..HOSTS.len()).find(|number| node == HOSTS[*number] || node == self.pair.instance(*number))?;
        Some((number, check.to_owned()))
    }
}

/// Whether a text says why it has no output, or how old the one is that it has.
fn has_reason(text: &str) -> bool {
    ["could not be fetched: ", "could not be refreshed: ", " old)", "This output is "]
        .iter()
        .any(|words| text.contains(words))
}
