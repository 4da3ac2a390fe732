//! Carries a plan out on a pair.

mod awaited;
mod followed;
mod reader;
mod shown;
mod told;
mod whole;

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use e2e::{Member, Network, PEER_TIMEOUT, Pair, Signal, get_json, repository, until};
use jiff::Timestamp;

use crate::oracle::{Broken, GROUP_INTERVAL, Verdict, failing, failing_otherwise, judge, over};
use crate::plan::{CHECKS, Fault, HOSTS, NODES, PUSHER, Plan, Step};

/// How long a message may take when everything is whole again, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);

/// How long nothing must have come at the end: an Alertmanager tells of a group once in an interval, the second when it has waited for the
/// word of the first.
const QUIET: Duration = GROUP_INTERVAL.saturating_add(PEER_TIMEOUT).saturating_add(Duration::from_secs(2));

/// What was told in a run, and what of it was let pass.
const TOLD: &str = "told.txt";

/// Set where nothing may be left out.
const TEST_ALL: &str = "OGI_TEST_ALL";

/// What a run did, and how it went.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) incidents: usize,
    /// What was broken, and mended again.
    pub(crate) faults: Vec<Fault>,
    pub(crate) verdict: Verdict,
}

/// One run of one seed.
#[derive(Debug)]
pub(crate) struct Run {
    seed: u64,
    pair: Pair,
    plan: Plan,
    started: Instant,
    started_at: Timestamp,
    /// When each incident began, changed its severity and ended.
    began: Vec<Option<Instant>>,
    changed: Vec<Option<Instant>>,
    ended: Vec<Option<Instant>>,
    /// What is broken now, and since when.
    broken: Vec<(Fault, Instant)>,
    mended: Vec<Broken>,
    verbose: bool,
}

// === impl Run ===

impl Run {
    /// Starts the pair of a run, with its data in `data`.
    pub(crate) async fn start(seed: u64, rounds: usize, data: &Path, verbose: bool) -> anyhow::Result<Self> {
        let rules = vec![repository().join("rules/checks.yml").display().to_string()];
        let plan = e2e::Plan {
            domain: "chaos.test",
            nodes: NODES.to_vec(),
            labels: "",
            rules,
            group_interval: GROUP_INTERVAL,
            pusher: Some(PUSHER),
            web_ui: true,
            breakable: true,
        };
        let mut pair = Pair::start_as(data, plan).await?;
        pair.spawn(Member::Proxy(1)).await?;
        for node in 0..HOSTS.len() {
            pair.run_checks(node, &CHECKS).await?;
        }
        let demands_all = std::env::var_os(TEST_ALL).is_some_and(|value| value == "1");
        ensure!(pair.has_disks() || !demands_all, "{TEST_ALL}=1, and a node's disk cannot be mounted, which root can");
        let plan = Plan::of(seed, rounds);
        let times = vec![None; plan.incidents.len()];
        Ok(Self {
            seed,
            pair,
            plan,
            started: Instant::now(),
            started_at: Timestamp::now(),
            began: times.clone(),
            changed: times.clone(),
            ended: times,
            broken: Vec::new(),
            mended: Vec::new(),
            verbose,
        })
    }

    /// Every phase; what was done and what is to be said of it. Whatever was told is written to `told.txt` in `data`.
    pub(crate) async fn carry_out(mut self, data: &Path) -> anyhow::Result<Outcome> {
        let done = self.every_phase().await;
        let messages = self.messages();
        let mut told: Vec<_> = messages.iter().collect();
        told.sort_by_key(|message| message.at);
        let told = told.into_iter().map(|message| {
            let after = message.at.duration_since(self.started).as_secs_f64();
            format!("[{after:6.1} s] {message}\n")
        });
        let (told, file) = (told.collect::<String>(), data.join(TOLD));
        std::fs::write(&file, &told)?;
        done?;
        let past = self.past()?;
        let mut verdict = judge(&messages, &past);
        verdict.failures.extend(self.unreadable());
        let let_pass: String = verdict.let_pass.iter().map(|message| format!("let pass: {message}\n")).collect();
        std::fs::write(&file, [told, let_pass].concat())?;
        Ok(Outcome {
            incidents: past.episodes.len(),
            faults: past.broken.iter().map(|broken| broken.fault).collect(),
            verdict,
        })
    }

    async fn every_phase(&mut self) -> anyhow::Result<()> {
        self.every_check_is_known().await?;
        for phase in self.plan.phases.clone() {
            for step in phase.steps {
                self.step(step).await?;
            }
            self.every_lasting_incident_is_told().await?;
            self.every_alert_is_shown().await?;
            self.everything_runs()?;
        }
        self.every_end_is_told().await?;
        self.every_alert_is_shown().await?;
        self.every_result_is_read().await?;
        self.everything_runs()
    }

    async fn step(&mut self, step: Step) -> anyhow::Result<()> {
        if !matches!(step, Step::Pause(_)) {
            self.say(&format!("{step:?}"));
        }
        match step {
            Step::Begin(fault @ Fault::DiskFull(_)) if !self.pair.has_disks() => {
                eprintln!("seed {}: {fault}: left out, as only root can mount such disks", self.seed);
            }
            Step::End(Fault::DiskFull(_)) if !self.pair.has_disks() => {}
            Step::Begin(fault) => {
                self.broken.push((fault, Instant::now()));
                self.begin(fault).await?;
            }
            Step::End(fault) => {
                self.end(fault).await?;
                let at = self.broken.iter().position(|(of, _)| *of == fault);
                let begun = at.map_or_else(Instant::now, |at| self.broken.swap_remove(at).1);
                self.mended.push(Broken { fault, begun, ended: Instant::now() });
            }
            Step::Fail(number) => {
                let incident = self.plan.incidents[number];
                self.began[number] = Some(Instant::now());
                self.pair.set_check(incident.node, incident.check, incident.status, &failing(number))?;
            }
            Step::Change(number) => {
                let incident = self.plan.incidents[number];
                let status = incident.then.context("an incident that does not change")?;
                self.changed[number] = Some(Instant::now());
                self.pair.set_check(incident.node, incident.check, status, &failing_otherwise(number))?;
            }
            Step::Recover(number) => {
                let incident = self.plan.incidents[number];
                self.ended[number] = Some(Instant::now());
                self.pair.set_check(incident.node, incident.check, 0, &over(number))?;
            }
            Step::Pause(pause) => tokio::time::sleep(pause).await,
        }
        Ok(())
    }

    async fn begin(&mut self, fault: Fault) -> anyhow::Result<()> {
        let pair = &mut self.pair;
        match fault {
            Fault::Killed(member) => pair.kill(member).await,
            Fault::Stopped(member) => pair.signal(member, Signal::SIGSTOP),
            Fault::Network(member, network) => pair.set_network(member, network),
            Fault::NoNames => pair.names.signal(Signal::SIGSTOP),
            Fault::Rotated(node, times) => {
                let done = pair.rotate(node, times).await?;
                ensure!(done == times, "the log of node {node} was rotated {done} times, not {times}");
                Ok(())
            }
            Fault::Corrupt(node, damage) => {
                pair.kill(keeper(node)).await?;
                pair.corrupt_state(node, damage)
            }
            Fault::Emptied => pair.kill(Member::Redis).await,
            Fault::DiskFull(node) => pair.fill_disk(node),
            Fault::Clock(node, ahead) => pair.set_clock(node, ahead),
        }
    }

    async fn end(&mut self, fault: Fault) -> anyhow::Result<()> {
        let pair = &mut self.pair;
        match fault {
            Fault::Killed(member @ Member::Alertmanager(_)) => {
                pair.spawn(member).await?;
                self.alertmanagers_have_met().await
            }
            Fault::Killed(member) => pair.spawn(member).await,
            Fault::Stopped(member) => pair.signal(member, Signal::SIGCONT),
            Fault::Network(member, _) => pair.set_network(member, Network::Up),
            Fault::NoNames => pair.names.signal(Signal::SIGCONT),
            Fault::Rotated(..) => Ok(()),
            Fault::Corrupt(node, _) => pair.spawn(keeper(node)).await,
            Fault::Emptied => {
                pair.empty_store()?;
                pair.spawn(Member::Redis).await
            }
            Fault::DiskFull(node) => pair.free_disk(node),
            Fault::Clock(node, _) => pair.set_clock(node, 0),
        }
    }

    async fn every_check_is_known(&self) -> anyhow::Result<()> {
        let all = (HOSTS.len() * CHECKS.len()).to_string();
        for number in [0, 1] {
            let url =
                format!("{}/api/v1/query?query=count(checkscript_status)", self.pair.url(Member::Prometheus(number)));
            until("every check to be known", PATIENCE, || async {
                let answer = get_json(&url).await?;
                let known = &answer["data"]["result"][0]["value"][1];
                ensure!(known.as_str() == Some(&*all), "{known} of {all}");
                Ok(())
            })
            .await?;
        }
        Ok(())
    }

    async fn alertmanagers_have_met(&self) -> anyhow::Result<()> {
        for number in [0, 1] {
            let url = format!("{}/api/v2/status", self.pair.url(Member::Alertmanager(number)));
            until("the Alertmanagers to meet", PATIENCE, || async {
                let answer = get_json(&url).await?;
                let peers = answer["cluster"]["peers"].as_array().map_or(0, Vec::len);
                ensure!(peers == 2 && answer["cluster"]["status"] == "ready", "{}", answer["cluster"]);
                Ok(())
            })
            .await?;
        }
        Ok(())
    }

    fn say(&self, what: &str) {
        if self.verbose {
            eprintln!("seed {} [{:6.1} s] {what}", self.seed, self.started.elapsed().as_secs_f64());
        }
    }
}

/// What of a node keeps a file.
fn keeper(node: usize) -> Member {
    if HOSTS[node] == PUSHER { Member::Runner(node) } else { Member::Agent(node) }
}
