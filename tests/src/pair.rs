//! Everything twice, as it is run where alerts must not get lost: two Prometheus with the same rules, two
//! Alertmanagers that gossip, nodes that are known by name, and one proxy in the middle. What Alertmanager tells comes
//! by webhook, by mail and to Slack. A [`Plan`] says what is particular about one.

mod breaking;
mod checks;
mod damage;
mod member;
mod plan;
mod pushing;

use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use nix::sys::signal::Signal;
use tokio::net::TcpListener;
use tokio::process::Command;

use self::breaking::Disk;
use self::pushing::{Pushing, answers};
use crate::link::Link;
use crate::ports::PortBlock;
use crate::sinks::{Attachment, Mail, Received, Told, start_slack, start_smtp, start_webhook};
use crate::{NameServer, Ports, Process, own, path_with_checks, repository, until};

pub use checks::fine;
pub use damage::Damage;
pub use member::Member;
pub use plan::Plan;

/// How long a part may take until it is ready.
const START: Duration = Duration::from_secs(30);

/// How long the second Alertmanager waits for the word of the first that it has told: also on a busy machine.
pub const PEER_TIMEOUT: Duration = Duration::from_secs(8);

/// A check whose alerts Alertmanager keeps to itself for fifteen seconds.
pub const BRIEF: &str = "brief";

/// A check whose alerts it keeps for longer than those.
pub const LATER: &str = "later";

/// All of them, running. Everything ends when it is dropped.
#[derive(Debug)]
pub struct Pair {
    /// What Alertmanager told, alert by alert.
    pub told: Received<Told>,
    /// Mails with the same.
    pub mails: Received<Mail>,
    /// Slack messages with the same.
    pub slack: Received<Attachment>,
    /// What the proxy asks for the addresses of the nodes.
    pub names: NameServer,
    plan: Plan,
    data: PathBuf,
    /// Where each server listens.
    listen: BTreeMap<Member, SocketAddr>,
    gossip: [u16; 2],
    /// Where the servers of a breakable pair really listen, each behind a network of its own.
    behind: BTreeMap<Member, SocketAddr>,
    networks: BTreeMap<Member, Link>,
    processes: BTreeMap<Member, Process>,
    disks: Vec<Disk>,
    pushing: Option<Pushing>,
    block: PortBlock,
}

impl Pair {
    /// Starts a pair as most tests need it: two nodes, whose results the test itself logs, and small rules.
    pub async fn start(data: &Path) -> anyhow::Result<Self> {
        Self::start_as(data, Plan::default()).await
    }

    /// Starts everything but runners and the second proxy, with its data in `data`, which must be empty, and waits until every server is ready.
    pub async fn start_as(data: &Path, plan: Plan) -> anyhow::Result<Self> {
        let sink = || TcpListener::bind("127.0.0.1:0");
        let (webhook, smtp, slack) = tokio::try_join!(sink(), sink(), sink())?;
        let mut block = PortBlock::take()?;
        let (name_server, gossip) = (block.address()?, [block.port()?, block.port()?]);
        let nodes = plan.addresses(name_server.port());
        let servers = [Member::Alertmanager, Member::Proxy, Member::Prometheus].map(|of| [of(0), of(1)]);
        let pushing = [Member::Redis, Member::Gateway(0), Member::Gateway(1)];
        let pushing = pushing.into_iter().filter(|_| plan.pusher.is_some());
        let servers = servers.into_iter().flatten().chain(pushing).chain(plan.web_ui.then_some(Member::WebUi));
        let servers = servers.map(|server| Ok((server, block.address()?))).collect::<std::io::Result<Vec<_>>>()?;
        let agents = nodes.iter().enumerate().map(|(node, address)| (Member::Agent(node), (*address).into()));
        let hosts: Vec<_> = nodes.iter().enumerate().map(|(node, address)| (plan.host(node), *address.ip())).collect();
        let mut pair = Self {
            told: Received::default(),
            mails: Received::default(),
            slack: Received::default(),
            names: NameServer::start(data, name_server, plan.domain, &hosts).await?,
            data: data.to_owned(),
            listen: servers.into_iter().chain(agents).collect(),
            gossip,
            behind: BTreeMap::new(),
            networks: BTreeMap::new(),
            disks: Vec::new(),
            processes: BTreeMap::new(),
            pushing: None,
            block,
            plan,
        };
        pair.make_breakable().await?;
        pair.make_pushing().await?;
        pair.configure(name_server)?;
        let [told, mails, messages] = [&webhook, &smtp, &slack].map(TcpListener::local_addr);
        let (told, mails, messages) = (told?, mails?, messages?);
        for number in [0, 1] {
            let config = alertmanager(number, pair.plan.group_interval, (told, mails, messages))?;
            pair.write(&format!("alertmanager-{number}.yml"), &config)?;
        }
        (pair.told, pair.mails, pair.slack) = (start_webhook(webhook), start_smtp(smtp), start_slack(slack));
        let members: Vec<_> = pair.listen.keys().copied().filter(|member| *member != Member::Proxy(1)).collect();
        for member in members {
            pair.spawn(member).await?;
        }
        Ok(pair)
    }

    /// Starts `member` (again) and waits until it is ready.
    pub async fn spawn(&mut self, member: Member) -> anyhow::Result<()> {
        let log = self.data.join(format!("{}.out", member.name()));
        let mut process = Process::start(&member.name(), self.command(member), &log)?;
        // A runner is no server; what it does shows in its log.
        if let Some(address) = self.server(member) {
            until(&member.name(), START, || {
                let running = process.check_running();
                async move {
                    running?;
                    answers(member, address).await
                }
            })
            .await?;
        }
        self.processes.insert(member, process);
        Ok(())
    }

    /// Kills `member` with SIGKILL. It must run: one that has ended by itself is not killed unnoticed.
    pub async fn kill(&mut self, member: Member) -> anyhow::Result<()> {
        let mut process = self.processes.remove(&member).with_context(|| format!("{} does not run", member.name()))?;
        process.check_running()?;
        process.kill().await
    }

    /// Fails where a member that was started, or the name server, has ended by itself.
    pub fn check_running(&mut self) -> anyhow::Result<()> {
        self.names.check_running()?;
        self.processes.values_mut().try_for_each(Process::check_running)
    }

    /// Which of the members that run have told of a panic, and how, since the pair was started.
    pub fn panics(&self) -> anyhow::Result<Vec<(Member, String)>> {
        let panics = self.processes.iter().map(|(member, process)| Ok((*member, process.panics()?)));
        let panics = panics.collect::<anyhow::Result<Vec<_>>>()?;
        Ok(panics.into_iter().flat_map(|(member, lines)| lines.into_iter().map(move |line| (member, line))).collect())
    }

    /// Asks `member` to stop, and waits until it has: what it knows is on its disk then.
    pub async fn stop(&mut self, member: Member) -> anyhow::Result<()> {
        let mut process = self.processes.remove(&member).with_context(|| format!("{} does not run", member.name()))?;
        process.stop().await.map(drop)
    }

    /// Sends `signal` to `member`.
    pub fn signal(&self, member: Member, signal: Signal) -> anyhow::Result<()> {
        self.processes.get(&member).with_context(|| format!("{} does not run", member.name()))?.signal(signal)
    }

    /// The address of a member, without a path.
    pub fn url(&self, member: Member) -> String {
        format!("http://{}", self.address(member))
    }

    /// The `instance` of a node's checks.
    pub fn instance(&self, node: usize) -> String {
        if self.plan.is_pusher(node) {
            return self.plan.name(node).to_owned();
        }
        format!("{}:{}", self.plan.host(node), self.listen[&Member::Agent(node)].port())
    }

    /// Its host and port.
    ///
    /// # Panics
    /// For a runner, which is no server.
    pub fn address(&self, member: Member) -> String {
        self.listen[&member].to_string()
    }

    /// Where a member's own server listens; none for a runner.
    fn server(&self, member: Member) -> Option<SocketAddr> {
        self.behind.get(&member).or_else(|| self.listen.get(&member)).copied()
    }

    fn configure(&self, name_server: SocketAddr) -> anyhow::Result<()> {
        let alertmanagers = [0, 1].map(|number| format!("- url: {}\n", self.url(Member::Alertmanager(number))));
        let pushed = self.pushing.as_ref().map(|pushing| format!("{{pushgateway: 'http://{}'}}, ", pushing.balancer));
        let pushed = pushed.unwrap_or_default();
        let source = r#"http://{{ labels.instance }}/api/v1/checks/{{ labels.check }}"#;
        let proxy = format!(
            "alertmanagers:\n{}sources: [{pushed}{{match: {{check: '.+'}}, url: '{source}', allow: [127.0.0.0/8]}}]\n\
             nameservers: ['{name_server}']\nhold: 2s\nfetch: {{cache: 1s, failure_cache: 1s, breaker: {{rest: 1s}}}}\n",
            alertmanagers.concat()
        );
        self.write("proxy.yml", &proxy)?;
        self.write("rules.yml", plan::SMALL_RULES)?;
        if self.plan.web_ui {
            self.write("web-ui.yml", &web_ui(&[("pair", self)]))?;
        }
        for number in [0, 1] {
            self.write(&format!("prometheus-{number}.yml"), &self.prometheus(number))?;
        }
        for node in 0..self.plan.hosts() {
            fs::create_dir_all(self.disk(node))?;
            fs::write(self.check_log(node), "")?;
        }
        Ok(())
    }

    fn prometheus(&self, number: usize) -> String {
        let nodes = (0..self.plan.nodes.len()).map(|node| {
            let (address, instance, labels) =
                (self.address(Member::Agent(node)), self.instance(node), self.plan.labels);
            format!("{{targets: ['{address}'], labels: {{instance: '{instance}'{labels}}}}}")
        });
        let nodes = nodes.collect::<Vec<_>>().join(", ");
        let pushed = self.pushing.as_ref().map(|Pushing { balancer, .. }| {
            format!(", {{job_name: pushgateway, honor_labels: true, static_configs: [{{targets: ['{balancer}']}}]}}")
        });
        let pushed = pushed.unwrap_or_default();
        let rules = self.plan.rules.join(", ");
        let proxies = [0, 1].map(|proxy| self.address(Member::Proxy(proxy))).join(", ");
        format!(
            "global: {{scrape_interval: 1s, evaluation_interval: 1s, external_labels: {{replica: '{number}'}}}}\n\
             rule_files: [{rules}]\n\
             alerting:\n  alert_relabel_configs: [{{action: labeldrop, regex: replica}}]\n  \
             alertmanagers: [{{static_configs: [{{targets: [{proxies}]}}]}}]\n\
             scrape_configs: [{{job_name: checkscript, static_configs: [{nodes}]}}{pushed}]\n"
        )
    }

    fn write(&self, name: &str, text: &str) -> anyhow::Result<()> {
        let path = self.data.join(name);
        fs::write(&path, text).with_context(|| path.display().to_string())
    }

    fn command(&self, member: Member) -> Command {
        let pushes = matches!(member, Member::Runner(node) if self.plan.is_pusher(node));
        let mut command = Command::new(if pushes { own("pushgateway-agent") } else { member.program() });
        command.current_dir(&self.data);
        let listen = self.server(member).filter(|_| member != Member::Redis);
        command.args(listen.map(|address| format!("--web.listen-address={address}")));
        match member {
            Member::Redis => command.args(self.store_flags()),
            Member::Gateway(_) => command.args(self.gateway_flags()),
            Member::Proxy(_) => command.arg("--config.file=proxy.yml"),
            Member::WebUi => command.arg("--config.file=web-ui.yml"),
            Member::Agent(node) => {
                let state = if self.plan.breakable { self.state_file(node) } else { PathBuf::new() };
                let log = format!("--check.log={}", self.check_log(node).display());
                command.arg(log).arg(format!("--state.file={}", state.display()))
            }
            Member::Runner(node) => {
                let config = format!("{}.json", self.plan.name(node));
                command.args(self.pushing_flags(node));
                command.args(["-c", &config, "-l"]).arg(self.check_log(node)).env("PATH", path_with_checks());
                if self.plan.breakable { self.own_clock(node, &mut command) } else { &mut command }
            }
            Member::Alertmanager(number) => command
                .arg(format!("--config.file=alertmanager-{number}.yml"))
                .arg(format!("--storage.path={}", self.data.join(member.name()).display()))
                .arg(format!("--cluster.listen-address=127.0.0.1:{}", self.gossip[number]))
                .arg(format!("--cluster.peer=127.0.0.1:{}", self.gossip[1 - number]))
                .arg(format!("--cluster.peer-timeout={}s", PEER_TIMEOUT.as_secs())),
            Member::Prometheus(number) => command
                .arg(format!("--config.file=prometheus-{number}.yml"))
                .arg(format!("--storage.tsdb.path={}", self.data.join(member.name()).display()))
                .arg("--rules.alert.resend-delay=5s"),
        };
        command
    }
}

/// The configuration of a web-ui over pairs, with their names.
pub(crate) fn web_ui(pairs: &[(&str, &Pair)]) -> String {
    let clusters = pairs.iter().map(|(name, pair)| {
        let both =
            |of: fn(usize) -> Member| [0, 1].map(|number| format!("{{url: '{}'}}", pair.url(of(number)))).join(", ");
        let (prometheus, alertmanagers) = (both(Member::Prometheus), both(Member::Alertmanager));
        format!("  - name: {name}\n    prometheus: [{prometheus}]\n    alertmanagers: [{alertmanagers}]\n")
    });
    // Short, because the checks run each second here.
    format!("clusters:\n{}refresh: {{alerts: 1s, nodes: 1s}}\ntimeout: 5s\n", clusters.collect::<String>())
}

/// The quickstart's configuration, of which who is told learns who tells, its mail and Slack text with it, but with a webhook, other groups and other waits.
fn alertmanager(
    number: usize,
    group_interval: Duration,
    (webhook, smtp, slack): (SocketAddr, SocketAddr, SocketAddr),
) -> anyhow::Result<String> {
    let path = repository().join("examples/quickstart/alertmanager.yml");
    let example = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    let (global, rest) = example.split_once("\nroute:").context("the example has a route")?;
    let (_, receivers) = rest.split_once("\nreceivers:").context("the example has receivers")?;
    let host = |port: u16| format!("127.0.0.1:{port}");
    let global = global
        .replace(&host(Ports::QUICKSTART.smtp), &smtp.to_string())
        .replace(&format!("{}/", host(Ports::QUICKSTART.slack)), &format!("{slack}/{number}"))
        .replace("alertmanager@", &format!("alertmanager-{number}@"))
        .replace("../alertmanager", &repository().join("examples/alertmanager").display().to_string());
    let route = format!(
        "route:\n  receiver: sensu\n  group_by: [instance, check]\n  group_wait: 3s\n  group_interval: {}s\n  \
         repeat_interval: 1h\n  routes:\n  - {{matchers: [check = {BRIEF}], group_wait: 15s}}\n  \
         - {{matchers: [check = {LATER}], group_wait: 20s}}\n",
        group_interval.as_secs()
    );
    let hook = format!("    webhook_configs: [{{url: 'http://{webhook}/{number}'}}]\n");
    Ok(format!("{global}\n{route}receivers:{receivers}{hook}"))
}
