//! Telling a cluster's Alertmanagers: any of them takes a change and gossips it to the others, so the first that answers is enough.
//!
//! Alertmanager has no "only if it has not changed": a silence is fetched anew from all of them before it is written, and one
//! change at a time is made in a cluster. An answer that does not come leaves open whether a silence was made, so it is looked for
//! before another server is asked; as it is before any is made, for a form that is sent twice.

use std::time::Duration;

use futures_util::future::{BoxFuture, join_all};
use http::StatusCode;
use jiff::{SignedDuration, Timestamp};
use tokio::time::timeout;

use super::problem::Problem;
use super::{Plan, mark};
use crate::alertmanager::{self, Postable, RawMatcher, Silence, SilenceState};
use crate::cluster::Cluster;
use crate::matcher::{Matcher, Op};
use crate::texts::Texts;
use crate::upstream::{AskError, Upstream};
use crate::view::united;

/// How long is waited for an Alertmanager of several that is asked what there is.
const LOOK: Duration = Duration::from_secs(3);

/// By how much the times of one silence that was sent twice may differ.
const TWICE: SignedDuration = SignedDuration::from_mins(10);

/// And by how much those of one that was changed twice: an end that was moved by minutes is another one.
const MOVED: SignedDuration = SignedDuration::from_secs(1);

/// The first version that knows `!=` and `!~`; those before take them for `=` and `=~`.
const NEGATIVE: (u32, u32) = (0, 22);

/// What was done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Done {
    /// It was made.
    Made(String),
    /// It was there already.
    Known(String),
}

/// Why a silence cannot be written.
#[derive(Clone, Debug, thiserror::Error)]
pub enum WriteError {
    /// No Alertmanager answers.
    #[error("no Alertmanager answers: {}", reasons(.0))]
    Down(Vec<AskError>),
    /// One answers, and does not take it.
    #[error("{0}")]
    Refused(AskError),
    /// It is too old.
    #[error("{server} is Alertmanager {version}, which knows no != and !~; they need 0.22")]
    Old {
        /// Which one.
        server: String,
        /// Its version.
        version: String,
    },
    /// Somebody has changed the silence since it was shown.
    #[error("somebody has changed the silence meanwhile")]
    Changed(Box<Silence>),
    /// It has ended.
    #[error("the silence has ended")]
    Ended(Box<Silence>),
    /// There is none.
    #[error("there is no such silence")]
    Gone,
    /// What is wanted cannot be.
    #[error("{}", .0.say(Texts::in_language("en")))]
    Unfit(Problem),
    /// Not all Alertmanagers of the cluster say the same.
    #[error("not all Alertmanagers of the cluster agree on it")]
    Disagree,
}

impl Done {
    /// The silence.
    pub fn id(&self) -> &str {
        match self {
            Self::Made(id) | Self::Known(id) => id,
        }
    }
}

/// Makes a silence with each of `drafts` in a cluster, unless it is there already.
pub async fn create(cluster: &Cluster, drafts: &[&[Matcher]], plan: &Plan) -> Vec<Result<Done, WriteError>> {
    let _one_at_a_time = cluster.writing().await;
    let known = match all(cluster).await {
        Ok(known) => known,
        Err(error) => return drafts.iter().map(|_| Err(error.clone())).collect(),
    };
    if drafts.iter().copied().flatten().any(|matcher| matches!(matcher.op, Op::NotEqual | Op::NoMatch))
        && let Err(error) = knows_negative(cluster).await
    {
        return drafts.iter().map(|_| Err(error.clone())).collect();
    }
    let mut done = Vec::new();
    for matchers in drafts {
        let silence = Postable {
            id: None,
            matchers: matchers.iter().map(RawMatcher::from).collect(),
            starts_at: plan.begins.unwrap_or_else(Timestamp::now),
            ends_at: plan.ends,
            created_by: plan.author.clone(),
            comment: plan.comment.clone(),
        };
        done.push(match same(&known, &silence) {
            Some(known) => Ok(Done::Known(known.id.clone())),
            None => post(cluster, &silence).await,
        });
    }
    done
}

/// Changes a silence; `seen` is when it was changed last, as far as whoever changes it knows.
///
/// # Errors
/// See [`WriteError`].
pub async fn change(
    cluster: &Cluster,
    id: &str,
    seen: Option<Timestamp>,
    change: impl FnOnce(&Silence) -> Result<Postable, Problem>,
) -> Result<String, WriteError> {
    let _one_at_a_time = cluster.writing().await;
    let current = current(cluster, id, seen).await?;
    let mut changed = Postable { id: Some(current.id.clone()), ..change(&current).map_err(WriteError::Unfit)? };
    if changed.matchers.iter().any(|matcher| !matcher.is_equal) {
        knows_negative(cluster).await?;
    }
    // A silence that has begun keeps its identifier only if it keeps its beginning.
    if current.status.state == SilenceState::Active {
        changed.starts_at = current.starts_at;
    }
    Ok(post(cluster, &changed).await?.id().to_owned())
}

/// Ends a silence.
///
/// # Errors
/// See [`WriteError`].
pub async fn expire(cluster: &Cluster, id: &str, seen: Option<Timestamp>) -> Result<(), WriteError> {
    let _one_at_a_time = cluster.writing().await;
    current(cluster, id, seen).await?;
    any(cluster, |server| Box::pin(alertmanager::expire(server, id))).await
}

/// Ends a silence whose alerts are gone, if every Alertmanager of the cluster still has it as it was then.
///
/// # Errors
/// See [`WriteError`].
pub async fn expire_resolved(cluster: &Cluster, silence: &Silence) -> Result<(), WriteError> {
    let _one_at_a_time = cluster.writing().await;
    let asked = join_all(cluster.alertmanagers().iter().map(|server| alertmanager::silence(server, &silence.id))).await;
    for said in asked {
        let said = said.map_err(|failure| WriteError::Down(vec![failure]))?.ok_or(WriteError::Disagree)?;
        match said.status.state {
            SilenceState::Expired => return Err(WriteError::Ended(said.into())),
            SilenceState::Active if said.updated_at == silence.updated_at && mark::read(&said.comment).1 => {}
            _ => return Err(WriteError::Changed(said.into())),
        }
    }
    any(cluster, |server| Box::pin(alertmanager::expire(server, &silence.id))).await
}

/// A silence as it is now: fetched anew.
///
/// # Errors
/// When no Alertmanager answers, or there is none.
pub async fn fetch(cluster: &Cluster, id: &str) -> Result<Silence, WriteError> {
    let asked = join_all(cluster.alertmanagers().iter().map(|server| async move {
        let asked = timeout(LOOK, alertmanager::silence(server, id)).await;
        asked.unwrap_or_else(|_| Err(server.failed("did not answer in time")))
    }));
    let (said, failures) = sorted(asked.await);
    if said.is_empty() {
        return Err(WriteError::Down(failures));
    }
    said.into_iter().flatten().max_by_key(|silence| silence.updated_at).ok_or(WriteError::Gone)
}

async fn current(cluster: &Cluster, id: &str, seen: Option<Timestamp>) -> Result<Silence, WriteError> {
    let current = fetch(cluster, id).await?;
    match current.status.state {
        SilenceState::Expired => Err(WriteError::Ended(current.into())),
        _ if seen.is_some_and(|seen| seen != current.updated_at) => Err(WriteError::Changed(current.into())),
        _ => Ok(current),
    }
}

/// Every silence that any Alertmanager knows.
async fn all(cluster: &Cluster) -> Result<Vec<Silence>, WriteError> {
    let asked = join_all(cluster.alertmanagers().iter().map(|server| async move {
        let asked = timeout(LOOK, alertmanager::silences(server)).await;
        asked.unwrap_or_else(|_| Err(server.failed("did not answer in time")))
    }));
    let (said, failures) = sorted(asked.await);
    match said.is_empty() {
        true => Err(WriteError::Down(failures)),
        false => Ok(united(said, |silence| silence.id.clone(), |silence| silence.updated_at)),
    }
}

fn sorted<T>(asked: Vec<Result<T, AskError>>) -> (Vec<T>, Vec<AskError>) {
    let (mut said, mut failures) = (Vec::new(), Vec::new());
    for asked in asked {
        match asked {
            Ok(one) => said.push(one),
            Err(failure) => failures.push(failure),
        }
    }
    (said, failures)
}

/// One that is the same and was made, or changed to be so, a moment ago by the same hand.
fn same<'a>(known: &'a [Silence], wanted: &Postable) -> Option<&'a Silence> {
    let written = |matchers: &[RawMatcher]| {
        let mut texts: Vec<_> = matchers.iter().map(ToString::to_string).collect();
        texts.sort();
        texts
    };
    let matchers = written(&wanted.matchers);
    let moved = if wanted.id.is_some() { MOVED } else { TWICE };
    known.iter().filter(|silence| silence.status.state != SilenceState::Expired).find(|silence| {
        let is_near = |one: Timestamp, other: Timestamp, by| one.duration_since(other).abs() < by;
        (&silence.created_by, &silence.comment) == (&wanted.created_by, &wanted.comment)
            && is_near(silence.ends_at, wanted.ends_at, moved)
            && is_near(silence.starts_at, wanted.starts_at, TWICE)
            && written(&silence.matchers) == matchers
    })
}

async fn post(cluster: &Cluster, silence: &Postable) -> Result<Done, WriteError> {
    let mut failures: Vec<AskError> = Vec::new();
    for server in cluster.alertmanagers() {
        // Where the one before has not answered, it may have done it all the same.
        if !failures.is_empty()
            && let Ok(known) = all(cluster).await
            && let Some(known) = same(&known, silence)
        {
            return Ok(Done::Made(known.id.clone()));
        }
        match alertmanager::post(server, silence).await {
            Ok(id) => return Ok(Done::Made(id)),
            Err(failure) if is_final(&failure) => return Err(WriteError::Refused(failure)),
            Err(failure) => failures.push(failure),
        }
    }
    Err(WriteError::Down(failures))
}

/// The answer of the first that gives any.
async fn any<'a, T>(
    cluster: &'a Cluster,
    ask: impl Fn(&'a Upstream) -> BoxFuture<'a, Result<T, AskError>>,
) -> Result<T, WriteError> {
    let mut failures = Vec::new();
    for server in cluster.alertmanagers() {
        match ask(server).await {
            Ok(answer) => return Ok(answer),
            Err(failure) if is_final(&failure) => return Err(WriteError::Refused(failure)),
            Err(failure) => failures.push(failure),
        }
    }
    Err(WriteError::Down(failures))
}

/// Whether every Alertmanager would say the same.
fn is_final(failure: &AskError) -> bool {
    matches!(failure.status, Some(StatusCode::BAD_REQUEST | StatusCode::UNPROCESSABLE_ENTITY))
}

async fn knows_negative(cluster: &Cluster) -> Result<(), WriteError> {
    for server in cluster.alertmanagers() {
        let Ok(version) = alertmanager::version(server).await else { continue };
        let mut numbers = version.split('.').map_while(|part| part.parse::<u32>().ok());
        if let (Some(major), Some(minor)) = (numbers.next(), numbers.next())
            && (major, minor) < NEGATIVE
        {
            return Err(WriteError::Old { server: server.name().to_owned(), version });
        }
    }
    Ok(())
}

fn reasons(failures: &[AskError]) -> String {
    match failures {
        [] => "the cluster has none".to_owned(),
        failures => failures.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "),
    }
}
