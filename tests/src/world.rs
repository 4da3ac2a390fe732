//! Two clusters and web-ui before them, as `docs/web-ui.md` has it: each cluster is a [`Pair`] with the project's rules and
//! nodes on which a real runner runs real checks.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, ensure};
use tokio::process::Command;

use crate::pair::web_ui;
use crate::{Pair, Part, Plan, Process, free_port, get_text, program, repository, until};

/// How long web-ui may take until it is ready.
const START: Duration = Duration::from_secs(30);

/// The hash of the password `secret`.
pub const HASH: &str = "$2b$04$luj/I6RRL.OZiFesZs/E3uaIO2o9Hj/w7mRuZ3nfiznpZ9tolFmDG";

/// Two clusters and web-ui. Everything ends when it is dropped.
#[derive(Debug)]
pub struct World {
    /// The first cluster.
    pub tokyo: Pair,
    /// The second cluster.
    pub osaka: Pair,
    port: u16,
    config: PathBuf,
    web_ui: Process,
}

impl World {
    /// Starts both clusters with these nodes, and web-ui; data is in `data`, which must be empty.
    pub async fn start(data: &Path, tokyo: &[&'static str], osaka: &[&'static str]) -> anyhow::Result<Self> {
        let folders = [data.join("tokyo"), data.join("osaka")];
        for folder in &folders {
            std::fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
        }
        let (tokyo, osaka) = tokio::try_join!(
            Pair::start_as(&folders[0], plan("tokyo.example", tokyo)),
            Pair::start_as(&folders[1], plan("osaka.example", osaka)),
        )?;
        let config = data.join("web-ui.yml");
        let text = web_ui(&[("tokyo", &tokyo), ("osaka", &osaka)]);
        std::fs::write(&config, text).with_context(|| config.display().to_string())?;
        let port = free_port()?;
        let web_ui = start_web_ui(&config, port, None)?;
        let mut world = Self { tokyo, osaka, port, config, web_ui };
        let ready = world.page("/-/ready");
        world.ready(&ready).await?;
        Ok(world)
    }

    /// The address of a page of web-ui.
    pub fn page(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// The same for somebody who signs in.
    pub fn page_of(&self, user: &str, path: &str) -> String {
        format!("http://{user}:secret@127.0.0.1:{}{path}", self.port)
    }

    /// Starts web-ui anew, where from now on these people sign in with the password `secret`; only `operators` may change things.
    pub async fn sign_in(&mut self, operators: &[&str], others: &[&str]) -> anyhow::Result<()> {
        let status = self.web_ui.stop().await?;
        ensure!(status.success(), "web-ui ended with {status} at SIGTERM");
        let config = std::fs::read_to_string(&self.config)?;
        std::fs::write(&self.config, format!("{config}access: {{operators: {{users: {operators:?}}}}}\n"))?;
        let users: Vec<_> = operators.iter().chain(others).map(|user| format!("  {user}: {HASH}\n")).collect();
        let web_config = self.config.with_file_name("web.yml");
        std::fs::write(&web_config, format!("basic_auth_users:\n{}", users.concat()))?;
        self.web_ui = start_web_ui(&self.config, self.port, Some(&web_config))?;
        let [first, ..] = operators else { return Ok(()) };
        let ready = self.page_of(first, "/-/ready");
        self.ready(&ready).await
    }

    async fn ready(&mut self, url: &str) -> anyhow::Result<()> {
        until("web-ui", START, || {
            let running = self.web_ui.check_running();
            async move {
                running?;
                get_text(url).await.map(drop)
            }
        })
        .await
    }
}

fn start_web_ui(config: &Path, port: u16, web_config: Option<&Path>) -> anyhow::Result<Process> {
    let mut command = Command::new(program(Part::WebUi));
    command.arg(format!("--config.file={}", config.display())).arg(format!("--web.listen-address=127.0.0.1:{port}"));
    command.args(web_config.map(|file| format!("--web.config.file={}", file.display())));
    command.env("TZ", "Asia/Tokyo");
    Process::start("web-ui", command, &config.with_file_name("web-ui.out"))
}

fn plan(domain: &'static str, nodes: &[&'static str]) -> Plan {
    let rules = ["checks.yml", "nodes.yml"].map(|file| repository().join("rules").join(file).display().to_string());
    Plan { domain, nodes: nodes.to_vec(), labels: ", env: production", rules: rules.to_vec(), ..Plan::default() }
}
