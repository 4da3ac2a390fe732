//! Telling a cluster's Alertmanagers: any of them takes a change and gossips it to the others, so the first that answers is enough.
//!
//! Alertmanager has no "only if it has not changed": a silence is fetched anew from all of them before it is written, and one
//! [`Writing`] at a time changes silences in a cluster. An answer that does not come leaves open whether it was done, so it is
//! looked for before another server is told; as it is before a silence is made, for a form that is sent twice. All of that is
//! bounded in time: whoever did not answer is not asked again, and what is not begun by the end of it is not done.

use std::time::Duration;

use futures_util::future::join_all;
use http::StatusCode;
use jiff::Timestamp;
use tokio::sync::MutexGuard;
use tokio::time::{Instant, timeout};

use super::mark;
use super::problem::Problem;
use crate::alertmanager::{self, Postable, RawMatcher, Silence, SilenceState};
use crate::cluster::Cluster;
use crate::texts::{Say, Texts, fill, list};
use crate::upstream::{AskError, Reason, Upstream};
use crate::view::united;

mod wanted;

use wanted::{Wanted, is_as};

/// How long is waited for an Alertmanager of several that is asked what there is.
const LOOK: Duration = Duration::from_secs(3);

/// How long is waited for others who change silences of the same cluster.
const TURN: Duration = Duration::from_secs(10);

/// From then on nothing more is begun.
const LONGEST: Duration = Duration::from_secs(60);

/// The first version that knows `!=` and `!~`; those before take them for `=` and `=~`.
const NEGATIVE: (u32, u32) = (0, 22);

/// Changes of silences in a cluster; nobody else changes any there meanwhile.
#[derive(Debug)]
pub struct Writing<'a> {
    members: Vec<Member<'a>>,
    /// What there was before anything was made.
    known: Option<Vec<Silence>>,
    /// Whether all that are told know `!=` and `!~`.
    is_understood: bool,
    until: Instant,
    _turn: MutexGuard<'a, ()>,
}

/// An Alertmanager, and how it failed.
#[derive(Debug)]
struct Member<'a> {
    server: &'a Upstream,
    /// When it was asked what there is.
    unheard: Option<AskError>,
    /// When it was told to change something.
    unled: Option<AskError>,
}

/// What was done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Done {
    /// It was made.
    Made(String),
    /// It was there already.
    Known(String),
}

/// Why a silence cannot be written.
#[derive(Clone, Debug)]
pub enum WriteError {
    /// No Alertmanager answers.
    Down(Vec<AskError>),
    /// One answers, and does not take it.
    Refused(AskError),
    /// It is too old.
    Old {
        /// Which one.
        server: String,
        /// Its version.
        version: String,
    },
    /// Somebody has changed the silence since it was shown.
    Changed(Box<Silence>),
    /// It has ended.
    Ended(Box<Silence>),
    /// There is none.
    Gone,
    /// What is wanted cannot be.
    Unfit(Problem),
    /// Others are at it.
    Busy,
    /// So much was to be done that there was no time left for it.
    Late,
    /// Not all Alertmanagers of the cluster say the same.
    Disagree,
}

impl Done {
    /// The silence.
    pub fn id(&self) -> &str {
        match self {
            Self::Made(id) | Self::Known(id) => id,
        }
    }

    /// Whether it was there already.
    pub fn is_known(&self) -> bool {
        matches!(self, Self::Known(_))
    }
}

// === impl WriteError ===

impl Say for WriteError {
    fn say(&self, t: &Texts) -> String {
        match self {
            Self::Down(failures) if failures.is_empty() => fill(t.write_down, &[&t.write_none]),
            Self::Down(failures) => fill(t.write_down, &[&list(failures, t)]),
            Self::Refused(failure) => failure.say(t),
            Self::Old { server, version } => fill(t.write_old, &[server, version]),
            Self::Changed(_) => t.write_changed.to_owned(),
            Self::Ended(_) => t.write_ended.to_owned(),
            Self::Gone => t.write_gone.to_owned(),
            Self::Unfit(problem) => problem.say(t),
            Self::Busy => t.write_busy.to_owned(),
            Self::Late => t.write_late.to_owned(),
            Self::Disagree => t.write_disagree.to_owned(),
        }
    }
}

// === impl Writing ===

impl<'a> Writing<'a> {
    /// Waits for its turn.
    ///
    /// # Errors
    /// When that does not come.
    pub async fn begin(cluster: &'a Cluster) -> Result<Self, WriteError> {
        let turn = timeout(TURN, cluster.writing()).await.map_err(|_| WriteError::Busy)?;
        let member = |server| Member { server, unheard: None, unled: None };
        let members = cluster.alertmanagers().iter().map(member).collect();
        Ok(Self { members, known: None, is_understood: false, until: Instant::now() + LONGEST, _turn: turn })
    }

    /// Makes a silence, unless it is there already.
    ///
    /// # Errors
    /// See [`WriteError`].
    pub async fn create(&mut self, silence: &Postable) -> Result<Done, WriteError> {
        self.in_time()?;
        if self.known.is_none() {
            self.known = Some(self.all().await?);
        }
        if let Some(known) = self.known.as_deref().and_then(|known| Wanted::New(silence).found(known)) {
            return Ok(Done::Known(known));
        }
        self.understand(&silence.matchers).await?;
        Ok(Done::Made(self.have(&Wanted::New(silence)).await?))
    }

    /// Changes a silence; `seen` is when it was changed last, as far as whoever changes it knows. Tells its identifier now, and
    /// what was written, or is so already: who clicks twice is in nobody's way.
    ///
    /// # Errors
    /// See [`WriteError`].
    pub async fn change(
        &mut self,
        id: &str,
        seen: Option<Timestamp>,
        change: impl FnOnce(&Silence) -> Result<Postable, Problem>,
    ) -> Result<(Done, Postable), WriteError> {
        let current = match self.current(id, seen).await {
            Ok(current) => current,
            Err(error) => return self.settled(error, change).await,
        };
        let mut changed = Postable { id: Some(current.id.clone()), ..change(&current).map_err(WriteError::Unfit)? };
        self.understand(&changed.matchers).await?;
        // A silence that has begun keeps its identifier only if it keeps its beginning.
        if current.status.state == SilenceState::Active {
            changed.starts_at = current.starts_at;
        }
        let id = self.have(&Wanted::Changed(&changed, &current)).await?;
        Ok((Done::Made(id), changed))
    }

    /// The silence as it is wanted, if that is what has been made of it meanwhile; with other matchers it is another one.
    async fn settled(
        &mut self,
        error: WriteError,
        change: impl FnOnce(&Silence) -> Result<Postable, Problem>,
    ) -> Result<(Done, Postable), WriteError> {
        let (wanted, known) = match &error {
            WriteError::Changed(theirs) => (change(theirs), vec![(**theirs).clone()]),
            WriteError::Ended(theirs) => (change(theirs), self.all().await.unwrap_or_default()),
            _ => return Err(error),
        };
        let found = wanted.ok().and_then(|wanted| {
            let known = known.into_iter().find(|known| is_as(known, &wanted))?;
            Some((Done::Known(known.id), wanted))
        });
        found.ok_or(error)
    }

    /// Ends a silence, and tells what it was.
    ///
    /// # Errors
    /// See [`WriteError`].
    pub async fn expire(&mut self, id: &str, seen: Option<Timestamp>) -> Result<Silence, WriteError> {
        let current = self.current(id, seen).await?;
        self.have(&Wanted::Over(&current)).await?;
        Ok(current)
    }

    async fn current(&mut self, id: &str, seen: Option<Timestamp>) -> Result<Silence, WriteError> {
        self.in_time()?;
        let said = self.look(|server| alertmanager::silence(server, id)).await?;
        let current = said.into_iter().flatten().max_by_key(|silence| silence.updated_at).ok_or(WriteError::Gone)?;
        match current.status.state {
            SilenceState::Expired => Err(WriteError::Ended(current.into())),
            _ if seen.is_some_and(|seen| seen != current.updated_at) => Err(WriteError::Changed(current.into())),
            _ => Ok(current),
        }
    }

    /// Every silence that any Alertmanager knows.
    async fn all(&mut self) -> Result<Vec<Silence>, WriteError> {
        let said = self.look(alertmanager::silences).await?;
        Ok(united(said, |silence| silence.id.clone(), |silence| silence.updated_at))
    }

    /// What each says; who does not answer is not asked again.
    async fn look<T, F>(&mut self, ask: impl Fn(&'a Upstream) -> F) -> Result<Vec<T>, WriteError>
    where
        F: Future<Output = Result<T, AskError>>,
    {
        let asked = self.members.iter_mut().filter(|member| member.unheard.is_none()).map(|member| {
            let answer = timeout(LOOK, ask(member.server));
            async move {
                let late = |_| Err(member.server.failed(Reason::Late));
                answer.await.unwrap_or_else(late).map_err(|failure| member.unheard = Some(failure)).ok()
            }
        });
        let said: Vec<T> = join_all(asked).await.into_iter().flatten().collect();
        if said.is_empty() { Err(self.down()) } else { Ok(said) }
    }

    /// Tells the first that takes it; one that did not take a change is told no other.
    async fn have(&mut self, wanted: &Wanted<'_>) -> Result<String, WriteError> {
        for index in 0..self.members.len() {
            let member = &mut self.members[index];
            if member.unheard.is_some() || member.unled.is_some() {
                continue;
            }
            match wanted.tell(member.server).await {
                Ok(id) => return Ok(id),
                Err(failure) if is_final(&failure) => return Err(WriteError::Refused(failure)),
                Err(failure) => member.unled = Some(failure),
            }
            // It may have done it all the same.
            if let Ok(known) = self.all().await
                && let Some(id) = wanted.found(&known)
            {
                return Ok(id);
            }
        }
        Err(self.down())
    }

    /// Refuses matchers that an Alertmanager would take for their opposites; who does not tell its version is told nothing.
    async fn understand(&mut self, matchers: &[RawMatcher]) -> Result<(), WriteError> {
        if self.is_understood || matchers.iter().all(|matcher| matcher.is_equal) {
            return Ok(());
        }
        let asked = self.look(async |server| Ok((server.name(), alertmanager::version(server).await?)));
        for (server, version) in asked.await? {
            let mut numbers = version.split('.').map_while(|part| part.parse::<u32>().ok());
            if let (Some(major), Some(minor)) = (numbers.next(), numbers.next())
                && (major, minor) < NEGATIVE
            {
                return Err(WriteError::Old { server: server.to_owned(), version });
            }
        }
        self.is_understood = true;
        Ok(())
    }

    fn in_time(&self) -> Result<(), WriteError> {
        if Instant::now() < self.until { Ok(()) } else { Err(WriteError::Late) }
    }

    fn down(&self) -> WriteError {
        let failures = self.members.iter().filter_map(|member| member.unheard.as_ref().or(member.unled.as_ref()));
        WriteError::Down(failures.cloned().collect())
    }
}

/// Ends a silence whose alerts are gone, if every Alertmanager of the cluster still has it as it was then.
///
/// # Errors
/// See [`WriteError`].
pub async fn expire_resolved(cluster: &Cluster, silence: &Silence) -> Result<(), WriteError> {
    let mut writing = Writing::begin(cluster).await?;
    let asked = join_all(cluster.alertmanagers().iter().map(|server| alertmanager::silence(server, &silence.id))).await;
    for said in asked {
        let said = said.map_err(|failure| WriteError::Down(vec![failure]))?.ok_or(WriteError::Disagree)?;
        match said.status.state {
            SilenceState::Expired => return Err(WriteError::Ended(said.into())),
            SilenceState::Active if said.updated_at == silence.updated_at && mark::read(&said.comment).1 => {}
            _ => return Err(WriteError::Changed(said.into())),
        }
    }
    writing.have(&Wanted::Over(silence)).await.map(drop)
}

/// Whether every Alertmanager would say the same.
fn is_final(failure: &AskError) -> bool {
    matches!(failure.status(), Some(StatusCode::BAD_REQUEST | StatusCode::UNPROCESSABLE_ENTITY))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use jiff::SignedDuration;
    use prometheus_client::registry::Registry;
    use service::http::ClientOptions;
    use tokio::sync::watch;
    use tokio::time::advance;

    use super::*;
    use crate::config::Config;
    use crate::events::Events;

    /// A cluster that nobody answers for.
    fn cluster() -> Cluster {
        let server = "[{url: \"http://127.0.0.1:1\"}]";
        let config = format!("clusters: [{{name: tokyo, prometheus: {server}, alertmanagers: {server}}}]");
        let config = Config::parse(&config).unwrap();
        let events = Arc::new(Events::new(&mut Registry::default()));
        let options = ClientOptions::new(service::build_info!());
        Cluster::new(&config.clusters[0], &options, events, watch::channel(0).0).unwrap()
    }

    fn silence() -> Postable {
        let (matchers, now) = (Vec::new(), Timestamp::now());
        let ends_at = now + SignedDuration::from_hours(1);
        Postable { id: None, matchers, starts_at: now, ends_at, created_by: "ann".into(), comment: "c".into() }
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_waits_for_ever_for_a_turn() {
        let cluster = cluster();
        let (first, begun) = (Writing::begin(&cluster).await.unwrap(), Instant::now());
        assert!(matches!(Writing::begin(&cluster).await, Err(WriteError::Busy)));
        assert!(begun.elapsed() >= TURN);
        drop(first);
        Writing::begin(&cluster).await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn nothing_is_begun_after_a_minute() {
        let cluster = cluster();
        let mut writing = Writing::begin(&cluster).await.unwrap();
        advance(LONGEST - Duration::from_millis(1)).await;
        assert!(
            matches!(writing.create(&silence()).await, Err(WriteError::Down(_))),
            "it is begun, and nobody is there"
        );
        advance(Duration::from_millis(1)).await;
        assert!(matches!(writing.create(&silence()).await, Err(WriteError::Late)));
        assert!(matches!(writing.expire("s", None).await, Err(WriteError::Late)));
        assert!(matches!(writing.change("s", None, |_| Ok(silence())).await, Err(WriteError::Late)));
        drop(writing);
        let mut next = Writing::begin(&cluster).await.unwrap();
        assert!(matches!(next.create(&silence()).await, Err(WriteError::Down(_))), "each has a minute of its own");
    }
}
