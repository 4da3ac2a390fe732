//! Has changes of silences done in the clusters that they are for, says how each of them went, and keeps the record.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use jiff::{SignedDuration, Timestamp};
use tokio_util::task::TaskTracker;

use super::problem::Problem;
use super::write::{Done, WriteError, Writing};
use super::{Draft, Plan};
use crate::access::{Action, Change, User, audit};
use crate::address::{Address, plain};
use crate::alertmanager::{Postable, RawMatcher, Silence, SilenceState};
use crate::cluster::Cluster;
use crate::events::Events;
use crate::lists::Snapshot;

/// Who has something done.
#[derive(Clone, Debug)]
pub struct Desk {
    /// The clusters.
    pub snapshot: Snapshot,
    /// Where it is counted.
    pub events: Arc<Events>,
    /// Who.
    pub user: User,
    /// What is being done, which the program does not end without.
    pub writes: TaskTracker,
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

impl Desk {
    /// Makes the silences of a plan, in all clusters at the same time.
    pub async fn make(&self, plan: &Plan) -> Vec<Outcome> {
        let (desk, plan) = (self.clone(), plan.clone());
        let work = async move {
            let clusters: BTreeSet<_> = plan.drafts.iter().flat_map(|draft| &draft.clusters).collect();
            join_all(clusters.into_iter().map(|name| desk.make_in(name, &plan))).await
        };
        self.through(work).await.into_iter().flatten().collect()
    }

    async fn make_in(&self, name: &str, plan: &Plan) -> Vec<Outcome> {
        let mut outcomes = Vec::new();
        self.write_in(name, async |writing| {
            let is_here = |draft: &&Draft| draft.clusters.iter().any(|cluster| cluster == name);
            for draft in plan.drafts.iter().filter(is_here) {
                let silence = plan.silence(&draft.matchers);
                let result = match writing {
                    Ok(writing) => writing.create(&silence).await,
                    Err(error) => Err(error.clone()),
                };
                let (matchers, known) = (written(&silence.matchers), result.as_ref().map_or("", Done::id));
                let (action, ends) = (Action::Create, Some(plan.ends));
                let change = Change {
                    action,
                    cluster: name,
                    silence: known,
                    author: &plan.author,
                    matchers: &matchers,
                    ends,
                    failure: None,
                };
                self.record(change, &result);
                outcomes.push(Outcome { cluster: name.to_owned(), matchers, item: None, result });
            }
        })
        .await;
        outcomes
    }

    /// Makes a silence as the one draft of a plan says.
    ///
    /// # Errors
    /// See [`WriteError`].
    pub async fn edit(&self, item: &Item, plan: &Plan) -> Result<String, WriteError> {
        let (desk, item, plan) = (self.clone(), item.clone(), plan.clone());
        self.through(async move { desk.edit_one(&item, &plan).await }).await
    }

    async fn edit_one(&self, item: &Item, plan: &Plan) -> Result<String, WriteError> {
        let matchers: Vec<_> = plan.drafts.iter().flat_map(|draft| draft.matchers.iter().cloned()).collect();
        let wanted = plan.silence(&matchers);
        let text = written(&wanted.matchers);
        let mut result = Err(WriteError::Gone);
        self.write_in(&item.cluster, async |writing| {
            let edited = |current: &Silence| match (plan.begins, current.status.state) {
                (Some(_), SilenceState::Active) => Err(Problem::Begun),
                (Some(_), _) => Ok(wanted),
                (None, _) => Ok(Postable { starts_at: current.starts_at.max(wanted.starts_at), ..wanted }),
            };
            result = match writing {
                Ok(writing) => writing.change(&item.id, item.updated, edited).await.map(|(done, _)| done),
                Err(error) => Err(error.clone()),
            };
            let (action, ends) = (Action::Edit, Some(plan.ends));
            let silence = result.as_ref().map_or(&*item.id, Done::id);
            let change = Change {
                action,
                cluster: &item.cluster,
                silence,
                author: &plan.author,
                matchers: &text,
                ends,
                failure: None,
            };
            self.record(change, &result);
        })
        .await;
        result.map(|done| done.id().to_owned())
    }

    /// Does the same to several silences: clusters at the same time, one silence of each after the other.
    pub async fn act(&self, items: &[Item], act: Act) -> Vec<Outcome> {
        let (desk, items) = (self.clone(), items.to_vec());
        let work = async move {
            let clusters: BTreeSet<_> = items.iter().map(|item| item.cluster.as_str()).collect();
            let done = join_all(clusters.into_iter().map(|name| desk.act_in(name, &items, act)));
            done.await.into_iter().flatten().collect()
        };
        self.through(work).await
    }

    async fn act_in(&self, name: &str, items: &[Item], act: Act) -> Vec<Outcome> {
        let mut outcomes = Vec::new();
        self.write_in(name, async |writing| {
            for item in items.iter().filter(|item| item.cluster == name) {
                outcomes.push(self.act_on(item, act, writing).await);
            }
        })
        .await;
        outcomes
    }

    async fn act_on(&self, item: &Item, act: Act, writing: &mut Result<Writing<'_>, WriteError>) -> Outcome {
        let result = match (writing, act) {
            (Err(error), _) => Err(error.clone()),
            (Ok(writing), Act::Expire) => {
                let ended = writing.expire(&item.id, item.updated).await;
                ended.map(|silence| (Done::Made(item.id.clone()), written(&silence.matchers), None))
            }
            (Ok(writing), act) => {
                let changed = writing.change(&item.id, item.updated, |current| self.extended(current, act)).await;
                changed.map(|(done, silence)| (done, written(&silence.matchers), Some(silence.ends_at)))
            }
        };
        let action = if act == Act::Expire { Action::Expire } else { Action::Extend };
        let (silence, matchers, ends) = match &result {
            Ok((done, matchers, ends)) => (done.id().to_owned(), matchers.clone(), *ends),
            Err(error) => (item.id.clone(), self.meant(item, error), act.until()),
        };
        let change = Change {
            action,
            cluster: &item.cluster,
            silence: &silence,
            author: "",
            matchers: &matchers,
            ends,
            failure: None,
        };
        let result = result.map(|(done, ..)| done);
        self.record(change, &result);
        Outcome { cluster: item.cluster.clone(), matchers, item: Some(item.clone()), result }
    }

    /// What could not be changed, in Alertmanager's words, as far as that is known.
    fn meant(&self, item: &Item, error: &WriteError) -> String {
        let said = match error {
            WriteError::Changed(silence) | WriteError::Ended(silence) => Some(&**silence),
            _ => self.known(item),
        };
        said.map(|silence| written(&silence.matchers)).unwrap_or_default()
    }

    /// Has `work` done with the silences of a cluster, and its view made new.
    async fn write_in(&self, name: &str, work: impl AsyncFnOnce(&mut Result<Writing<'_>, WriteError>)) {
        match self.cluster(name) {
            None => work(&mut Err(WriteError::Gone)).await,
            Some(cluster) => {
                work(&mut Writing::begin(cluster).await).await;
                cluster.heard_anew().await;
            }
        }
    }

    /// What is begun is done and recorded, even if whoever asked goes away.
    async fn through<T: Send + 'static>(&self, work: impl Future<Output = T> + Send + 'static) -> T {
        let done = self.writes.spawn(work).await;
        done.unwrap_or_else(|failure| std::panic::resume_unwind(failure.into_panic()))
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

    /// What was so already was recorded when it became so.
    fn record(&self, change: Change<'_>, result: &Result<Done, WriteError>) {
        if !result.as_ref().is_ok_and(Done::is_known) {
            let failure = result.as_ref().err().map(ToString::to_string);
            audit(&self.events, &self.user, &Change { failure: failure.as_deref(), ..change });
        }
    }
}

fn later(time: Timestamp, by: Duration) -> Result<Timestamp, Problem> {
    let by = SignedDuration::try_from(by).unwrap_or(SignedDuration::MAX);
    time.checked_add(by).map_err(|_| Problem::Length(format!("{by:#}")))
}

fn written(matchers: &[RawMatcher]) -> String {
    matchers.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
}

// === impl Act ===

impl Act {
    /// The end that is wanted, where that is known before.
    fn until(self) -> Option<Timestamp> {
        match self {
            Self::ExtendUntil(until) => Some(until),
            Self::Expire | Self::ExtendBy(_) => None,
        }
    }
}

// === impl Item ===

impl Item {
    /// A silence as it is shown.
    pub fn of(cluster: &str, silence: &Silence) -> Self {
        Self { cluster: cluster.to_owned(), id: silence.id.clone(), updated: Some(silence.updated_at) }
    }

    /// `CLUSTER/ID`, or `CLUSTER/ID/UPDATED`, each part encoded as in a path.
    pub fn read(text: &str) -> Option<Self> {
        let mut parts = text.split('/').map(plain);
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
        use WriteError::{Busy, Disagree, Down, Late, Refused};
        matches!(self.result, Err(Busy | Late | Down(_) | Disagree | Refused(_)))
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
