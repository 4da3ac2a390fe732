//! Every part of the stack, started from `examples/quickstart/` with its ports and paths replaced.

mod config;
mod ports;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use nix::sys::signal::Signal;
use tokio::net::TcpListener;
use tokio::process::Command;

use crate::sinks::{Attachment, Mail, Received, start_slack, start_smtp};
use crate::{Process, http, until};

pub use config::repository;
pub use ports::Ports;

/// How long a part may take until it is ready.
const START: Duration = Duration::from_secs(30);

/// A process of the stack.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// Debian's Alertmanager.
    Alertmanager,
    /// alertmanager-proxy.
    Proxy,
    /// checkscript-agent.
    Agent,
    /// checkscript-runner.
    Runner,
    /// Debian's Prometheus.
    Prometheus,
    /// web-ui.
    WebUi,
}

/// The running stack. Everything ends when it is dropped.
#[derive(Debug)]
pub struct Stack {
    /// Mails that Alertmanager sent.
    pub mails: Received<Mail>,
    /// Slack messages that Alertmanager sent.
    pub slack: Received<Attachment>,
    ports: Ports,
    data: PathBuf,
    parts: Vec<Part>,
    processes: BTreeMap<Part, Process>,
}

impl Part {
    /// All parts, in the order they are started.
    pub const ALL: [Self; 6] =
        [Self::Alertmanager, Self::Proxy, Self::Runner, Self::Agent, Self::Prometheus, Self::WebUi];

    /// The name of the program.
    pub fn name(self) -> &'static str {
        match self {
            Self::Alertmanager => "alertmanager",
            Self::Proxy => "alertmanager-proxy",
            Self::Agent => "checkscript-agent",
            Self::Runner => "checkscript-runner",
            Self::Prometheus => "prometheus",
            Self::WebUi => "web-ui",
        }
    }
}

impl Stack {
    /// Starts everything with its data in `data`, which must be empty, and waits until every server is ready.
    pub async fn start(data: &Path, ports: Ports) -> anyhow::Result<Self> {
        Self::start_only(&Part::ALL, data, ports).await
    }

    /// The same with some parts alone, which come in the order of [`Part::ALL`].
    pub async fn start_only(parts: &[Part], data: &Path, ports: Ports) -> anyhow::Result<Self> {
        config::write(data, &ports)?;
        let listen = |port| async move {
            let address = format!("127.0.0.1:{port}");
            TcpListener::bind(&address).await.with_context(|| format!("cannot listen on {address}"))
        };
        let (mails, slack) = (start_smtp(listen(ports.smtp).await?), start_slack(listen(ports.slack).await?));
        let (data, parts, processes) = (data.to_owned(), parts.to_vec(), BTreeMap::new());
        let mut stack = Self { mails, slack, ports, data, parts, processes };
        for part in stack.parts.clone() {
            stack.spawn(part).await?;
        }
        Ok(stack)
    }

    /// Starts `part` (again) and waits until it is ready.
    pub async fn spawn(&mut self, part: Part) -> anyhow::Result<()> {
        let log = self.data.join(format!("{}.out", part.name()));
        let process = Process::start(part.name(), self.command(part), &log)?;
        self.processes.insert(part, process);
        self.ready(part).await
    }

    /// Kills `part` with SIGKILL.
    pub async fn kill(&mut self, part: Part) -> anyhow::Result<()> {
        let mut process = self.processes.remove(&part).with_context(|| format!("{} does not run", part.name()))?;
        process.kill().await
    }

    /// Sends `signal` to `part`.
    pub fn signal(&self, part: Part, signal: Signal) -> anyhow::Result<()> {
        self.processes.get(&part).with_context(|| format!("{} does not run", part.name()))?.signal(signal)
    }

    /// Asks `part` to stop; an error where it ends with another status than 0.
    pub async fn stop(&mut self, part: Part) -> anyhow::Result<()> {
        let mut process = self.processes.remove(&part).with_context(|| format!("{} does not run", part.name()))?;
        let status = process.stop().await?;
        anyhow::ensure!(status.success(), "{} ended with {status} at SIGTERM", part.name());
        Ok(())
    }

    /// Stops every part in the order that loses nothing: first what makes alerts, last what sends them.
    pub async fn stop_all(&mut self) -> anyhow::Result<()> {
        for part in self.parts.clone().into_iter().rev() {
            self.stop(part).await?;
        }
        Ok(())
    }

    /// Lets web-ui show the cluster of another stack beside its own: its file names both, and it reads the file anew.
    pub fn show_beside(&self, name: &str, other: &Self) -> anyhow::Result<()> {
        let (prometheus, alertmanager) = (other.url(Part::Prometheus), other.url(Part::Alertmanager));
        config::add_cluster(&self.data, name, &prometheus, &alertmanager)?;
        self.signal(Part::WebUi, Signal::SIGHUP)
    }

    /// The address of a server, without a path.
    ///
    /// # Panics
    /// For the runner, which is none.
    pub fn url(&self, part: Part) -> String {
        let address = self.ports.address(part).expect("every part but the runner is a server");
        format!("http://{address}")
    }

    /// Where the sinks listen.
    pub fn sinks(&self) -> String {
        format!("smtp://127.0.0.1:{}, http://127.0.0.1:{}", self.ports.smtp, self.ports.slack)
    }

    /// The data folder.
    pub fn data(&self) -> &Path {
        &self.data
    }

    /// Makes the demo check say `text` and exit with `status` from its next run on.
    pub fn set_demo_check(&self, status: u8, text: &str) -> anyhow::Result<()> {
        config::set_demo_check(&self.data, status, text)
    }

    async fn ready(&mut self, part: Part) -> anyhow::Result<()> {
        // That the runner runs shows in its log, which the agent reads.
        let Some(address) = self.ports.address(part) else { return Ok(()) };
        let url = format!("http://{address}/-/ready");
        let process = self.processes.get_mut(&part).context("it was just started")?;
        until(part.name(), START, || {
            let running = process.check_running();
            let url = &url;
            async move {
                running?;
                http::get_text(url).await
            }
        })
        .await
        .map(drop)
    }

    fn command(&self, part: Part) -> Command {
        let config = |name: &str| self.data.join("config").join(name);
        let storage = self.data.join(part.name());
        let listen = self.ports.address(part).map(|address| format!("--web.listen-address={address}"));
        let log = self.data.join("checkscript-runner.log");
        let mut command = Command::new(program(part));
        match part {
            Part::Alertmanager => command
                .arg(flag("--config.file", &config("alertmanager.yml")))
                .arg(flag("--storage.path", &storage))
                .arg(format!("--web.external-url={}", self.url(part)))
                .arg("--cluster.listen-address="),
            // A resend each 5 s instead of each minute: what a restart lost is there again within the patience of a test.
            Part::Prometheus => command
                .arg(flag("--config.file", &config("prometheus.yml")))
                .arg(flag("--storage.tsdb.path", &storage))
                .arg(format!("--web.external-url={}", self.url(part)))
                .arg("--rules.alert.resend-delay=5s"),
            Part::Proxy => command.arg(flag("--config.file", &config("proxy.yml"))),
            Part::WebUi => command.arg(flag("--config.file", &config("web-ui.yml"))),
            // Without the state of an agent that is installed on this machine.
            Part::Agent => {
                command.arg(flag("--check.log", &log)).args(["--state.file=", "--check.info-attributes=playbook"])
            }
            Part::Runner => command
                .args(["-c", "config/sensu/config.json", "-d", "config/sensu/conf.d", "-l"])
                .arg(&log)
                .env("PATH", path_with_checks())
                .current_dir(&self.data),
        };
        command.args(listen);
        command
    }
}

/// `--name=PATH`.
fn flag(name: &str, path: &Path) -> String {
    format!("{name}={}", path.display())
}

/// The program of a part.
pub fn program(part: Part) -> PathBuf {
    match part {
        Part::Alertmanager | Part::Prometheus => tool(part.name()),
        _ => own(part.name()),
    }
}

/// A program of ours: they stand beside (tests: above) the running one.
pub fn own(name: &str) -> PathBuf {
    let running = std::env::current_exe().unwrap_or_default();
    running
        .ancestors()
        .skip(1)
        .map(|folder| folder.join(name))
        .find(|path| path.is_file())
        .unwrap_or_else(|| name.into())
}

/// A program that is not ours: from `target/tools/bin`, else from the path.
pub fn tool(name: &str) -> PathBuf {
    let tool = config::repository().join("target/tools/bin").join(name);
    if tool.exists() { tool } else { name.into() }
}

/// The example checks are found by name, as plugins are under sensu-client.
pub(crate) fn path_with_checks() -> std::ffi::OsString {
    let mut path = config::repository().join("examples/checks").into_os_string();
    path.push(":");
    path.push(std::env::var_os("PATH").unwrap_or_default());
    path
}
