//! Carries a plan out on a pair.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::ensure;
use e2e::sinks::{Attachment, Mail, Told};
use e2e::{Member, Network, Pair, Signal, get_json, repository, until};

use crate::oracle::{Broken, Message, Sink, Verdict, failing, is_held_up, judge, over, tells};
use crate::plan::{CHECKS, Fault, HOSTS, NODES, PUSHER, Plan, Step};

/// How long a message may take when everything is whole again, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);

/// One run of one seed.
#[derive(Debug)]
pub(crate) struct Run {
    pair: Pair,
    plan: Plan,
    started: Instant,
    /// When each incident began and ended.
    began: Vec<Option<Instant>>,
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
            pusher: Some(PUSHER),
            breakable: true,
        };
        let mut pair = Pair::start_as(data, plan).await?;
        pair.spawn(Member::Proxy(1)).await?;
        for node in 0..HOSTS.len() {
            pair.run_checks(node, &CHECKS).await?;
        }
        let plan = Plan::of(seed, rounds, pair.has_disks());
        let times = vec![None; plan.incidents.len()];
        let (began, ended, started) = (times.clone(), times, Instant::now());
        Ok(Self { pair, plan, started, began, ended, broken: Vec::new(), mended: Vec::new(), verbose })
    }

    /// Every phase; what was planned and what is to be said of it. Whatever was told is written to `told.txt` in `data`.
    pub(crate) async fn carry_out(mut self, data: &Path) -> anyhow::Result<(Plan, Verdict)> {
        let done = self.every_phase().await;
        let mut messages = self.messages();
        messages.sort_by_key(|message| message.at);
        let told = messages.iter().map(|message| {
            let after = message.at.duration_since(self.started).as_secs_f64();
            format!("[{after:6.1} s] {}{message}\n", if message.reason { "(with a reason) " } else { "" })
        });
        std::fs::write(data.join("told.txt"), told.collect::<String>())?;
        done?;
        let verdict = judge(&self.messages(), &self.mended, &self.held_up()?);
        Ok((self.plan, verdict))
    }

    async fn every_phase(&mut self) -> anyhow::Result<()> {
        self.every_check_is_known().await?;
        for phase in self.plan.phases.clone() {
            for step in phase.steps {
                self.step(step).await?;
            }
            self.every_lasting_incident_is_told().await?;
        }
        self.every_end_is_told().await
    }

    async fn step(&mut self, step: Step) -> anyhow::Result<()> {
        if !matches!(step, Step::Pause(_)) {
            self.say(&format!("{step:?}"));
        }
        match step {
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
                self.pair.set_check(incident.node, incident.check, incident.status, &failing(number))?;
                self.began[number] = Some(Instant::now());
            }
            Step::Recover(number) => {
                let incident = self.plan.incidents[number];
                self.pair.set_check(incident.node, incident.check, 0, &over(number))?;
                self.ended[number] = Some(Instant::now());
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
            Fault::Rotated(node, times) => pair.rotate(node, times),
            Fault::Corrupt(node) => {
                pair.kill(keeper(node)).await?;
                pair.corrupt_state(node, b"\0nonsense{\"")
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
            Fault::Corrupt(node) => pair.spawn(keeper(node)).await,
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

    /// Waits until every sink was told of each lasting incident that has begun, and of the end of each that has ended.
    async fn every_lasting_incident_is_told(&self) -> anyhow::Result<()> {
        until("every incident to be told", PATIENCE, || async {
            let messages = self.messages();
            let mut missing = Vec::new();
            for (number, incident) in self.plan.incidents.iter().enumerate().filter(|(_, incident)| !incident.brief) {
                let Some(began) = self.began[number] else { continue };
                // Another of the check's, of which then the last word is.
                let another = self.plan.incidents.iter().zip(&self.began).skip(number + 1);
                let again = another.filter(|(later, _)| later.is_of_check_of(incident)).find_map(|(_, began)| *began);
                let is_over = self.ended[number].is_some() && again.is_none();
                for sink in Sink::ALL {
                    let of =
                        |message: &&Message| message.sink == sink && message.at >= began && incident.is_of(message);
                    if !messages.iter().filter(of).any(|message| tells(message, number)) {
                        missing.push(format!("{sink:?}: that [{number}] fails: {incident:?}"));
                    } else if is_over && messages.iter().rfind(of).is_some_and(|last| last.firing) {
                        missing.push(format!("{sink:?}: that [{number}] is over: {incident:?}"));
                    }
                }
            }
            ensure!(missing.is_empty(), "lost:\n  {}", missing.join("\n  "));
            Ok(())
        })
        .await
    }

    /// Waits until neither an Alertmanager has an alert nor a sink was told last that a check fails.
    async fn every_end_is_told(&self) -> anyhow::Result<()> {
        for number in [0, 1] {
            let url = format!("{}/api/v2/alerts", self.pair.url(Member::Alertmanager(number)));
            until("the alerts to end", PATIENCE, || async {
                let alerts = get_json(&url).await?;
                ensure!(alerts.as_array().is_some_and(Vec::is_empty), "{alerts}");
                Ok(())
            })
            .await?;
        }
        until("the ends to be told", PATIENCE, || async {
            let messages = self.messages();
            for (node, check) in (0..HOSTS.len()).flat_map(|node| CHECKS.map(|check| (node, check))) {
                for sink in Sink::ALL {
                    let ours =
                        |message: &&Message| message.sink == sink && message.node == node && message.check == check;
                    if let Some(last) = messages.iter().rfind(ours) {
                        ensure!(!last.firing, "the last was: {last}");
                    }
                }
            }
            Ok(())
        })
        .await
    }

    /// The checks, each with its node, that did not end in time, as far as the logs have room for what the runners say.
    fn held_up(&self) -> anyhow::Result<BTreeSet<(usize, String)>> {
        let mut held_up = BTreeSet::new();
        for node in 0..HOSTS.len() {
            let results = self.pair.logged(node)?.into_iter();
            let late = results.filter(|check| check["output"].as_str().is_some_and(is_held_up));
            held_up.extend(late.filter_map(|check| Some((node, check["name"].as_str()?.to_owned()))));
        }
        Ok(held_up)
    }

    /// What each sink was told until now.
    fn messages(&self) -> Vec<Message> {
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
        let from = mail.headers.get("From").cloned().unwrap_or_default();
        let (text, reason) = (mail.body.clone(), has_reason(&mail.body));
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

    fn say(&self, what: &str) {
        if self.verbose {
            eprintln!("[{:6.1} s] {what}", self.started.elapsed().as_secs_f64());
        }
    }
}

/// What of a node keeps a file.
fn keeper(node: usize) -> Member {
    if HOSTS[node] == PUSHER { Member::Runner(node) } else { Member::Agent(node) }
}

/// Whether a text says why it has no output, or how old the one is that it has.
fn has_reason(text: &str) -> bool {
    ["could not be fetched: ", "could not be refreshed: ", " old)", "This output is "]
        .iter()
        .any(|words| text.contains(words))
}
