//! Has changes of silences done in the clusters that they are for, says how each of them went, and keeps the record.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use jiff::{SignedDuration, Timestamp};
use percent_encoding::percent_decode_str;

use super::problem::Problem;
use super::write::{self, Done, WriteError};
use super::{Draft, Plan};
use crate::access::{Action, Change, User, audit};
use crate::address::{Address, decoded};
use crate::alertmanager::{Postable, RawMatcher, Silence, SilenceState};
use crate::cluster::Cluster;
use crate::events::Events;
use crate::lists::Snapshot;
use crate::matcher::Matcher;

/// Who has something done.
#[derive(Clone, Copy, Debug)]
pub struct Desk<'a> {
    /// The clusters.
    pub snapshot: &'a Snapshot,
    /// Where it is counted.
    pub events: &'a Events,
    /// Who.
    pub user: &'a User,
    /// The longest that a silence may last from now on.
    pub longest: Duration,
}

/// A silence that somebody chose, as it was shown to them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// Its cluster.
    pub cluster: String,
    /// Its identifier.
    pub id: String,
    /// When it was changed last, as far as they know.
    pub updated: Option<Timestamp>,
}

/// How something went.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Where.
    pub cluster: String,
    /// What it was about, in Alertmanager's words.
    pub matchers: String,
    /// The silence that it was about; none where one was to be made.
    pub item: Option<Item>,
    /// The silence that there is now, or what went wrong.
    pub result: Result<Done, WriteError>,
}

/// What is done to silences that there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// They end.
    Expire,
    /// Their end is moved away by so much.
    ExtendBy(Duration),
    /// They end at another time.
    ExtendUntil(Timestamp),
}

// === impl Desk ===

impl Desk<'_> {
    /// Makes the silences of a plan, in all clusters at the same time.
    pub async fn make(&self, plan: &Plan) -> Vec<Outcome> {
        let mut clusters: Vec<_> = plan.drafts.iter().flat_map(|draft| &draft.clusters).collect();
        clusters.sort();
        clusters.dedup();
        let made = join_all(clusters.into_iter().map(|name| self.make_in(name, plan))).await;
        made.into_iter().flatten().collect()
    }

    async fn make_in(&self, name: &str, plan: &Plan) -> Vec<Outcome> {
        let is_here = |draft: &&Draft| draft.clusters.iter().any(|cluster| cluster == name);
        let drafts: Vec<&[Matcher]> = plan.drafts.iter().filter(is_here).map(|draft| &*draft.matchers).collect();
        let results = match self.cluster(name) {
            Some(cluster) => {
                let results = write::create(cluster, &drafts, plan).await;
                cluster.heard_anew().await;
                results
            }
            None => drafts.iter().map(|_| Err(WriteError::Gone)).collect(),
        };
        let outcome = |(matchers, result): (&&[Matcher], Result<Done, WriteError>)| {
            let matchers = written(matchers.iter());
            let known = result.as_ref().map_or("", Done::id);
            // What was there already was recorded when it was made.
            if !matches!(result, Ok(Done::Known(_))) {
                let (action, ends) = (Action::Create, Some(plan.ends));
                let change = Change { action, cluster: name, silence: known, matchers: &matchers, ends, failure: None };
                self.record(change, result.as_ref().err());
            }
            Outcome { cluster: name.to_owned(), matchers, item: None, result }
        };
        drafts.iter().zip(results).map(outcome).collect()
    }

    /// Makes a silence as the one draft of a plan says.
    ///
    /// # Errors
    /// See [`WriteError`].
    pub async fn edit(&self, item: &Item, plan: &Plan) -> Result<String, WriteError> {
        let cluster = self.cluster(&item.cluster).ok_or(WriteError::Gone)?;
        let matchers: Vec<_> = plan.drafts.iter().flat_map(|draft| &draft.matchers).map(RawMatcher::from).collect();
        let text = written(matchers.iter());
        let result = write::change(cluster, &item.id, item.updated, |current| {
            let starts_at = plan.begins.unwrap_or_else(|| current.starts_at.max(Timestamp::now()));
            Ok(Postable {
                id: None,
                matchers,
                starts_at,
                ends_at: plan.ends,
                created_by: plan.author.clone(),
                comment: plan.comment.clone(),
            })
        });
        let result = result.await;
        let (action, ends) = (Action::Edit, Some(plan.ends));
        let change = Change { action, cluster: &item.cluster, silence: &item.id, matchers: &text, ends, failure: None };
        self.record(change, result.as_ref().err());
        cluster.heard_anew().await;
        result
    }

    /// Does the same to several silences: clusters at the same time, one silence of each after the other.
    pub async fn act(&self, items: &[Item], act: Act) -> Vec<Outcome> {
        let mut clusters: Vec<_> = items.iter().map(|item| &item.cluster).collect();
        clusters.sort();
        clusters.dedup();
        let done = join_all(clusters.into_iter().map(|name| async move {
            let mut outcomes = Vec::new();
            for item in items.iter().filter(|item| item.cluster == *name) {
                outcomes.push(self.act_on(item, act).await);
            }
            if let Some(cluster) = self.cluster(name) {
                cluster.heard_anew().await;
            }
            outcomes
        }));
        done.await.into_iter().flatten().collect()
    }

    async fn act_on(&self, item: &Item, act: Act) -> Outcome {
        let result = match (self.cluster(&item.cluster), act) {
            (None, _) => Err(WriteError::Gone),
            (Some(cluster), Act::Expire) => {
                let ended = write::expire(cluster, &item.id, item.updated).await;
                ended.map(|()| item.id.clone())
            }
            (Some(cluster), act) => {
                write::change(cluster, &item.id, item.updated, |current| self.extended(current, act)).await
            }
        };
        let known = self.known(item);
        let matchers = known.map(|silence| written(silence.matchers.iter())).unwrap_or_default();
        let (action, ends) = match act {
            Act::Expire => (Action::Expire, None),
            Act::ExtendBy(by) => (Action::Extend, known.and_then(|silence| later(silence.ends_at, by).ok())),
            Act::ExtendUntil(until) => (Action::Extend, Some(until)),
        };
        let change =
            Change { action, cluster: &item.cluster, silence: &item.id, matchers: &matchers, ends, failure: None };
        self.record(change, result.as_ref().err());
        Outcome { cluster: item.cluster.clone(), matchers, item: Some(item.clone()), result: result.map(Done::Made) }
    }

    /// The same silence with another end.
    fn extended(&self, current: &Silence, act: Act) -> Result<Postable, Problem> {
        let (now, ends_at) = (
            Timestamp::now(),
            match act {
                Act::ExtendBy(by) => later(current.ends_at, by)?,
                Act::ExtendUntil(until) => until,
                Act::Expire => current.ends_at,
            },
        );
        let begins = current.starts_at.max(now);
        if ends_at <= now {
            return Err(Problem::Over);
        }
        if ends_at <= begins {
            return Err(Problem::Backwards);
        }
        if ends_at > later(begins, self.longest)? {
            return Err(Problem::TooLong(self.longest));
        }
        let Silence { matchers, starts_at, created_by, comment, .. } = current.clone();
        Ok(Postable { id: None, matchers, starts_at, ends_at, created_by, comment })
    }

    /// A silence as it was known when this began.
    pub fn known(&self, item: &Item) -> Option<&Silence> {
        let (_, view) = self.snapshot.0.iter().find(|(cluster, _)| cluster.name == item.cluster)?;
        let found = view.silences.said.iter().find(|silenced| silenced.silence.id == item.id);
        found.map(|silenced| &silenced.silence)
    }

    fn cluster(&self, name: &str) -> Option<&Arc<Cluster>> {
        self.snapshot.0.iter().map(|(cluster, _)| cluster).find(|cluster| cluster.name == name)
    }

    fn record(&self, change: Change<'_>, failure: Option<&WriteError>) {
        let failure = failure.map(ToString::to_string);
        audit(self.events, self.user, &Change { failure: failure.as_deref(), ..change });
    }
}

fn later(time: Timestamp, by: Duration) -> Result<Timestamp, Problem> {
    let by = SignedDuration::try_from(by).unwrap_or(SignedDuration::MAX);
    time.checked_add(by).map_err(|_| Problem::Length(format!("{by:#}")))
}

fn written(matchers: impl Iterator<Item = impl ToString>) -> String {
    matchers.map(|matcher| matcher.to_string()).collect::<Vec<_>>().join(",")
}

// === impl Item ===

impl Item {
    /// A silence as it is shown.
    pub fn of(cluster: &str, silence: &Silence) -> Self {
        Self { cluster: cluster.to_owned(), id: silence.id.clone(), updated: Some(silence.updated_at) }
    }

    /// `CLUSTER/ID`, or `CLUSTER/ID/UPDATED`, each part encoded as in a path.
    pub fn read(text: &str) -> Option<Self> {
        let mut parts = text.split('/').map(|part| decoded(&percent_decode_str(part).decode_utf8_lossy()).to_owned());
        let (cluster, id) = (parts.next()?, parts.next().filter(|id| !id.is_empty())?);
        let updated = match parts.next() {
            None => None,
            Some(text) => Some(text.parse().ok()?),
        };
        Some(Self { cluster, id, updated })
    }

    /// The page of the silence.
    pub fn address(&self) -> Address {
        Address::of(["silences", &self.cluster, &self.id])
    }

    /// The parameter of the form that makes it again.
    pub fn again(&self) -> String {
        Address::of([self.cluster.as_str(), &self.id]).to_string().split_off(1)
    }

    /// As it stands in a form.
    pub fn parameter(&self) -> String {
        let updated = self.updated.map(|updated| updated.to_string());
        let parts = [self.cluster.as_str(), &self.id].into_iter().chain(updated.as_deref());
        Address::of(parts).to_string().split_off(1)
    }
}

// === impl Outcome ===

impl Outcome {
    /// The page of the silence that there is now.
    pub fn address(&self, done: &Done) -> Address {
        Address::of(["silences", &self.cluster, done.id()])
    }

    /// Whether trying the same again may help.
    pub fn may_be_retried(&self) -> bool {
        matches!(self.result, Err(WriteError::Down(_) | WriteError::Disagree | WriteError::Refused(_)))
    }
}

/// Whether a silence can be changed still.
pub fn is_over(silence: &Silence) -> bool {
    silence.status.state == SilenceState::Expired
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_item_is_written_and_read() {
        let item = Item {
            cluster: "to/kyo ü".into(),
            id: "a-b".into(),
            updated: Some("2026-11-21T12:00:00.123Z".parse().unwrap()),
        };
        assert_eq!(Item::read(&item.parameter()), Some(item.clone()));
        let bare = Item { updated: None, ..item };
        assert_eq!(Item::read(&bare.parameter()), Some(bare.clone()));
        assert_eq!(bare.address().to_string(), "/silences/to%2Fkyo%20%C3%BC/a-b");
        assert_eq!((Item::read("tokyo"), Item::read("tokyo/"), Item::read("tokyo/a/x")), (None, None, None));
    }
}
