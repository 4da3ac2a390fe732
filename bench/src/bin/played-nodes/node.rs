//! One node: the agent's store, fed with results instead of a log's lines.

use std::net::Ipv4Addr;
use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;
use check_result::log::LoggedResult;
use check_result::{CheckResult, CheckState, HistoryLimits, Object};
use checkscript_agent::families;
use checkscript_agent::store::{Store, Tracked};
use exposition::Family;
use jiff::{SignedDuration, Timestamp};

use crate::Agent;
use crate::checks::{Incident, definition, name};

/// The log that results seem to come from.
pub(crate) const LOG: &str = "/var/log/sensu/checkscript-runner.log";

/// What an agent has just begun to know it tells more of: these nodes have run for longer.
const KNOWN_FOR: SignedDuration = SignedDuration::from_hours(2);

/// A node that is played.
pub(crate) struct Node {
    number: u32,
    address: Ipv4Addr,
    store: Arc<Store>,
}

// === impl Node ===

impl Node {
    /// One whose checks are well and have been for long.
    pub(crate) fn new((number, address): (u32, Ipv4Addr), checks: usize, agent: &Agent) -> anyhow::Result<Self> {
        let limits = agent.flags.limits();
        let node = Self { number, address, store: Arc::new(Store::new(limits, agent.events.clone())) };
        let (log, alive) = (Arc::<Path>::from(Path::new(LOG)), Timestamp::now() - KNOWN_FOR);
        let first = |check| {
            let logged = node.result(definition(check), check, (alive, &Incident::default()))?;
            let (key, state) = (logged.result.key(), CheckState::new(logged, &limits.history));
            anyhow::Ok((key, Tracked { state: Arc::new(state), log: Arc::clone(&log), alive }))
        };
        node.store.publish((0..checks).map(first).collect::<anyhow::Result<_>>()?);
        Ok(node)
    }

    pub(crate) fn number(&self) -> u32 {
        self.number
    }

    /// Where it is.
    pub(crate) fn address(&self) -> Ipv4Addr {
        self.address
    }

    pub(crate) fn store(&self) -> Arc<Store> {
        Arc::clone(&self.store)
    }

    /// What a scrape is told of its checks.
    pub(crate) fn families(&self, agent: &Agent, now: Timestamp) -> Vec<Family> {
        families(&self.store.snapshot(), &agent.flags.metrics_options(), now)
    }

    /// Runs those of its checks that `which` picks; their names.
    pub(crate) fn run(
        &self,
        agent: &Agent,
        now: Timestamp,
        incident: &Incident,
        which: impl Fn(usize) -> bool,
    ) -> anyhow::Result<Vec<String>> {
        let (mut ran, mut names) = (Vec::new(), Vec::new());
        for (check, tracked) in self.store.all_tracked().into_iter().enumerate().filter(|(check, _)| which(*check)) {
            let next = self.next(&tracked.state, check, (now, incident), &agent.flags.limits().history)?;
            agent.events.line_result(now);
            names.push(next.latest().name().to_owned());
            ran.push((next.latest().key(), Tracked { state: Arc::new(next), alive: now, ..tracked }));
        }
        self.store.publish(ran);
        Ok(names)
    }

    /// The state after one more run.
    fn next(
        &self,
        state: &CheckState,
        check: usize,
        run: (Timestamp, &Incident),
        limits: &HistoryLimits,
    ) -> anyhow::Result<CheckState> {
        let mut next = state.clone();
        next.apply(self.result(state.latest().check().clone(), check, run)?, limits);
        Ok(next)
    }

    /// What a run at that time logs.
    fn result(
        &self,
        definition: Object,
        check: usize,
        (at, incident): (Timestamp, &Incident),
    ) -> anyhow::Result<LoggedResult> {
        let (output, status) = incident.run((self.number, self.address), check);
        let mut logged = definition;
        logged.insert("issued".to_owned(), at.as_second().into());
        logged.insert("executed".to_owned(), at.as_second().into());
        logged.insert("duration".to_owned(), (0.01 + 0.001 * (at.as_second() % 7) as f64).into());
        logged.insert("output".to_owned(), output.into());
        logged.insert("status".to_owned(), status.into());
        let result = CheckResult::new(format!("node-{:05}", self.number), logged);
        let result = result.with_context(|| format!("{} of {} cannot be run", name(check), self.address))?;
        Ok(LoggedResult { logged: at, result })
    }
}
