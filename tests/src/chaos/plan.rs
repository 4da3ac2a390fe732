//! What is broken when, and which checks fail meanwhile: all of it comes from a seed.

use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

use e2e::{Damage, Member, Network};
use fastrand::Rng;

/// The nodes, each with an agent and a runner.
pub(crate) const NODES: [&str; 3] = ["node-0", "node-1", "node-2"];

/// A host that nobody scrapes: it pushes.
pub(crate) const PUSHER: &str = "push-0";

/// All of them, the one that pushes as the last.
pub(crate) const HOSTS: [&str; 4] = [NODES[0], NODES[1], NODES[2], PUSHER];

/// How far ahead of it the gateway thinks that a result is one of a clock that was wrong, in seconds: what is issued after a clock was set
/// back by less counts when its time has come.
const AHEAD: i64 = 300;

/// The checks of each node.
pub(crate) const CHECKS: [&str; 4] = ["disk", "load", "memory", "ntp"];

/// Everything that one seed does.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) incidents: Vec<Incident>,
    /// One after the other; the next begins when what must be told of the last one was told.
    pub(crate) phases: Vec<Phase>,
}

/// A check fails, until it is fine again.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Incident {
    pub(crate) node: usize,
    pub(crate) check: &'static str,
    pub(crate) status: u8,
    /// As which it fails later, if that changes while it goes on.
    pub(crate) then: Option<u8>,
    /// Whether it ends before anybody must have been told of it.
    pub(crate) brief: bool,
}

/// Steps, after which everything is whole again.
#[derive(Clone, Debug)]
pub(crate) struct Phase {
    pub(crate) steps: Vec<Step>,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Step {
    Begin(Fault),
    End(Fault),
    /// The check of this incident fails from its next run on.
    Fail(usize),
    /// It fails with the other status of its incident.
    Change(usize),
    /// It is fine from its next run on.
    Recover(usize),
    Pause(Duration),
}

/// What breaks. It stays broken from its beginning until its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// `kill -9`; started again at the end.
    Killed(Member),
    /// SIGSTOP; SIGCONT at the end.
    Stopped(Member),
    Network(Member, Network),
    /// No name server answers.
    NoNames,
    /// The log of a node is rotated so many times, one after the other.
    Rotated(usize, usize),
    /// The agent of a node is killed, and what it saved is spoilt; of the host that pushes, its queue.
    Corrupt(usize, Damage),
    /// The store of the gateways is killed, and has nothing of what it had.
    Emptied,
    DiskFull(usize),
    /// The clock of a node is wrong by so many seconds.
    Clock(usize, i64),
}

/// What a fault is of; of each only one thing is broken at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Site {
    Alertmanagers,
    PrometheusServers,
    Proxies,
    Names,
    Gateways,
    Store,
    WebUi,
    Node(usize),
}

// === impl Plan ===

impl Plan {
    /// The plan of a seed: always the same, for everybody. What cannot be broken where it is carried out is left out there.
    pub(crate) fn of(seed: u64, rounds: usize) -> Self {
        // Apart: with what changes in between, the others are as they are without.
        let (mut rng, mut between) = (Rng::with_seed(seed), Rng::with_seed(!seed));
        let mut plan = Self { incidents: Vec::new(), phases: Vec::new() };
        for _ in 0..rounds {
            plan.add_round(&mut rng, &mut between);
        }
        plan
    }

    /// Some checks fail while things break; when that was told some become worse or better while other things break, and when that was told
    /// they recover while others do.
    fn add_round(&mut self, rng: &mut Rng, between: &mut Rng) {
        let mut pairs: Vec<_> = (0..HOSTS.len()).flat_map(|node| CHECKS.map(|check| (node, check))).collect();
        rng.shuffle(&mut pairs);
        let failing = rng.usize(2..=5);
        let first = self.incidents.len();
        for (index, (node, check)) in pairs.into_iter().take(failing + 1).enumerate() {
            let (status, brief) = (rng.u8(1..=3), index == failing);
            self.incidents.push(Incident { node, check, status, then: None, brief });
        }
        let (lasting, brief) = (first..first + failing, first + failing);
        let fail = lasting.clone().map(Step::Fail).collect();
        self.phases.push(Phase::of(rng, fail, Some(brief)));
        let changes = lasting.clone().filter(|number| self.incidents[*number].changes(between)).map(Step::Change);
        let changes: Vec<_> = changes.collect();
        if !changes.is_empty() {
            self.phases.push(Phase::of(between, changes, None));
        }
        self.phases.push(Phase::of(rng, lasting.map(Step::Recover).collect(), None));
    }
}

// === impl Incident ===

impl Incident {
    /// Makes a WARNING or a CRITICAL one that becomes the other, or not.
    fn changes(&mut self, rng: &mut Rng) -> bool {
        self.then = [None, Some(2), Some(1), None][usize::from(self.status)].filter(|_| rng.bool());
        self.then.is_some()
    }
}

// === impl Phase ===

impl Phase {
    /// What begins and what ends, in any order, each thing beginning before it ends.
    fn of(rng: &mut Rng, mut steps: Vec<Step>, brief: Option<usize>) -> Self {
        let mut sites = BTreeSet::new();
        let faults = (0..rng.usize(2..=6)).map(|_| Fault::any(rng)).filter(|fault| sites.insert(fault.site()));
        let mut spans: Vec<_> = faults.map(|fault| (Step::Begin(fault), Step::End(fault))).collect();
        spans.extend(brief.map(|incident| (Step::Fail(incident), Step::Recover(incident))));
        rng.shuffle(&mut steps);
        for (begin, end) in spans {
            let begun = rng.usize(0..=steps.len());
            steps.insert(begun, begin);
            steps.insert(rng.usize(begun + 1..=steps.len()), end);
        }
        // Most follow each other closely; now and then something stays broken for long.
        let longest = |rng: &mut Rng| if rng.u8(0..8) == 0 { 15_000 } else { 2_500 };
        let pause = |rng: &mut Rng| {
            let longest = longest(rng);
            Step::Pause(Duration::from_millis(rng.u64(0..=longest)))
        };
        Self { steps: steps.into_iter().flat_map(|step| [step, pause(rng)]).collect() }
    }

    /// What breaks in it.
    #[cfg(test)]
    fn faults(&self) -> impl Iterator<Item = Fault> {
        self.steps.iter().filter_map(|step| match step {
            Step::Begin(fault) => Some(*fault),
            _ => None,
        })
    }
}

// === impl Fault ===

impl Fault {
    fn any(rng: &mut Rng) -> Self {
        let host = rng.usize(0..HOSTS.len());
        let number = rng.usize(0..2);
        // Of a host what is asked, and what runs its checks; between the one that pushes and its gateways there is a network as well.
        let asked = if host < NODES.len() { Member::Agent(host) } else { Member::Runner(host) };
        let of_pairs = [Member::Alertmanager, Member::Prometheus, Member::Proxy, Member::Gateway].map(|of| of(number));
        let servers = [of_pairs.as_slice(), &[Member::Redis, asked]].concat();
        let others = [Member::Runner(host), Member::WebUi];
        let server = servers[rng.usize(0..servers.len())];
        let member = [&*servers, &others].concat()[rng.usize(0..servers.len() + others.len())];
        match rng.u8(0..11) {
            0..=2 => Self::Killed(member),
            3 => Self::Stopped(member),
            4 => Self::Network(server, any_network(rng)),
            5 => Self::NoNames,
            6 => Self::Rotated(host, rng.usize(1..=20)),
            7 => Self::Corrupt(host, any_damage(rng)),
            8 => Self::DiskFull(host),
            9 => Self::Emptied,
            _ => Self::Clock(host, any_clock(rng, host)),
        }
    }

    fn site(self) -> Site {
        match self {
            Self::Killed(member) | Self::Stopped(member) | Self::Network(member, _) => match member {
                Member::Alertmanager(_) => Site::Alertmanagers,
                Member::Prometheus(_) => Site::PrometheusServers,
                Member::Proxy(_) => Site::Proxies,
                Member::Gateway(_) => Site::Gateways,
                Member::Redis => Site::Store,
                Member::WebUi => Site::WebUi,
                Member::Agent(node) | Member::Runner(node) => Site::Node(node),
            },
            Self::NoNames => Site::Names,
            Self::Emptied => Site::Store,
            Self::Rotated(node, _) | Self::Corrupt(node, _) | Self::DiskFull(node) | Self::Clock(node, _) => {
                Site::Node(node)
            }
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Killed(member) => write!(f, "kill -9 of {member:?}"),
            Self::Stopped(member) => write!(f, "SIGSTOP of {member:?}"),
            Self::Network(member, network) => write!(f, "network before {member:?}: {network:?}"),
            Self::NoNames => f.write_str("no name server answers"),
            Self::Rotated(node, times) => write!(f, "log of node {node} rotated {times} times"),
            Self::Corrupt(node, damage) => write!(f, "state of the agent of node {node} spoilt: {damage:?}"),
            Self::Emptied => f.write_str("the gateways' store emptied"),
            Self::DiskFull(node) => write!(f, "disk of node {node} full"),
            Self::Clock(node, ahead) => write!(f, "clock of node {node} set by {ahead} s"),
        }
    }
}

fn any_clock(rng: &mut Rng, host: usize) -> i64 {
    let ahead = rng.i64(-7_200..=7_200);
    if HOSTS[host] == PUSHER && (1..=AHEAD).contains(&ahead) { -ahead } else { ahead }
}

fn any_damage(rng: &mut Rng) -> Damage {
    match rng.u8(0..4) {
        0 => Damage::Nonsense,
        1 => Damage::Emptied,
        2 => Damage::Cut(rng.u32(..) as usize),
        _ => Damage::Changed(rng.u32(..) as usize),
    }
}

fn any_network(rng: &mut Rng) -> Network {
    match rng.u8(0..3) {
        0 => Network::Cut,
        1 => Network::Frozen,
        _ => Network::Slow(Duration::from_millis(rng.u64(50..=1_500))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_gives_one_plan_in_which_everything_that_breaks_is_mended() {
        for seed in 0..200 {
            let plan = Plan::of(seed, 4);
            assert_eq!(format!("{plan:?}"), format!("{:?}", Plan::of(seed, 4)));
            for phase in &plan.phases {
                let at = |wanted: &dyn Fn(&Step) -> bool| phase.steps.iter().position(wanted);
                for fault in phase.faults() {
                    let begun = at(&|step| matches!(step, Step::Begin(of) if *of == fault));
                    let ended = at(&|step| matches!(step, Step::End(of) if *of == fault));
                    assert!(begun < ended, "{seed}: {fault}: {phase:?}");
                }
                let mut sites: Vec<_> = phase.faults().map(Fault::site).collect();
                let count = sites.len();
                sites.sort();
                sites.dedup();
                assert_eq!(sites.len(), count, "{seed}: {phase:?}");
            }
            let at =
                |wanted: &dyn Fn(&Step) -> bool| plan.phases.iter().flat_map(|phase| &phase.steps).position(wanted);
            for incident in 0..plan.incidents.len() {
                let failed = at(&|step| matches!(step, Step::Fail(of) if *of == incident));
                let recovered = at(&|step| matches!(step, Step::Recover(of) if *of == incident));
                assert!(failed.is_some() && failed < recovered, "{seed}: {incident}");
                let changed = at(&|step| matches!(step, Step::Change(of) if *of == incident));
                assert_eq!(changed.is_some(), plan.incidents[incident].then.is_some(), "{seed}: {incident}");
                assert!(changed.is_none_or(|changed| failed < Some(changed) && Some(changed) < recovered), "{seed}");
            }
        }
    }

    #[test]
    fn a_warning_becomes_critical_a_critical_a_warning_and_a_check_fails_a_second_time_in_the_seeds_of_every_test() {
        let plans: Vec<_> = (1..=10).map(|seed| Plan::of(seed, crate::rounds(seed))).collect();
        let becomes = |status, then| {
            plans.iter().flat_map(|plan| &plan.incidents).any(|of| (of.status, of.then) == (status, Some(then)))
        };
        assert!(becomes(1, 2) && becomes(2, 1));
        let again = |plan: &Plan| {
            let checks: BTreeSet<_> = plan.incidents.iter().map(|of| (of.node, of.check)).collect();
            checks.len() < plan.incidents.len()
        };
        assert!(plans.iter().any(again));
    }
}
