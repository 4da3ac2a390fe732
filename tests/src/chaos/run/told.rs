//! What happened, as the oracle reads it: messages of each sink, incidents, and checks that the machine held up.

use std::time::{Duration, Instant};

use serde_json::Value;

use super::Run;
use super::reader::Reader;
use crate::oracle::{Broken, Episode, HeldUp, Message, Past, is_held_up};
use crate::plan::{Fault, HOSTS, Incident};

/// How far a time in a log, which has whole seconds, may be off.
const ROUNDED: Duration = Duration::from_secs(1);

impl Run {
    /// Everything that happened.
    pub(super) fn past(&self) -> anyhow::Result<Past> {
        let episodes = self.plan.incidents.iter().enumerate().filter_map(|(number, incident)| {
            let Incident { node, check, status, then, brief } = *incident;
            let (then, began, ended) = (then.zip(self.changed[number]), self.began[number]?, self.ended[number]?);
            Some(Episode { number, node, check, status, then, brief, began, ended })
        });
        let mut episodes: Vec<_> = episodes.collect();
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

    /// What each sink was told until now, as far as it can be read.
    pub(super) fn messages(&self) -> Vec<Message> {
        self.read().flatten().collect()
    }

    /// What each sink was told that cannot be read, and why not: nobody can act on it, whatever it was about.
    pub(super) fn unreadable(&self) -> Vec<String> {
        self.read().filter_map(Result::err).collect()
    }

    fn read(&self) -> impl Iterator<Item = Result<Message, String>> {
        let reader = Reader::new((0..HOSTS.len()).map(|node| self.pair.instance(node)).collect());
        // A notification is of one check; alerts of it that do not fire any more may stand beside the one that does.
        let told = self.pair.told.timed().into_iter().filter(|(_, told)| told.leads);
        let hook: Vec<_> = told.map(|(at, told)| reader.webhook(at, &told)).collect();
        let mails: Vec<_> = self.pair.mails.timed().into_iter().map(|(at, mail)| reader.mail(at, &mail)).collect();
        let slack = self.pair.slack.timed().into_iter().map(|(at, message)| reader.slack(at, &message));
        let slack: Vec<_> = slack.collect();
        hook.into_iter().chain(mails).chain(slack)
    }
}
