//! Two clusters and web-ui before them, as `docs/web-ui.md` has it: each cluster is a [`Pair`] with the project's rules and
//! nodes on which a real runner runs real checks.

use std::path::Path;
use std::time::Duration;

use anyhow::Context;
use tokio::process::Command;

use crate::{Member, Pair, Part, Plan, Process, get_text, program, repository, until};

/// How long web-ui may take until it is ready.
const START: Duration = Duration::from_secs(30);

/// Two clusters and web-ui. Everything ends when it is dropped.
#[derive(Debug)]
pub struct World {
    /// The first cluster.
    pub tokyo: Pair,
    /// The second cluster.
    pub osaka: Pair,
    url: String,
    _web_ui: Process,
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
        let clusters = [("tokyo", &tokyo), ("osaka", &osaka)].map(|(name, pair)| cluster(name, pair));
        // Short, because the checks run each second here.
        let text = format!("clusters:\n{}refresh: {{alerts: 1s, nodes: 1s}}\ntimeout: 5s\n", clusters.concat());
        std::fs::write(&config, text).with_context(|| config.display().to_string())?;
        let port = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let url = format!("http://127.0.0.1:{port}");
        let mut command = Command::new(program(Part::WebUi));
        command
            .arg(format!("--config.file={}", config.display()))
            .arg(format!("--web.listen-address=127.0.0.1:{port}"));
        command.env("TZ", "Asia/Tokyo");
        let mut web_ui = Process::start("web-ui", command, &data.join("web-ui.out"))?;
        until("web-ui", START, || {
            let (running, url) = (web_ui.check_running(), format!("{url}/-/ready"));
            async move {
                running?;
                get_text(&url).await
            }
        })
        .await?;
        Ok(Self { tokyo, osaka, url, _web_ui: web_ui })
    }

    /// The address of a page of web-ui.
    pub fn page(&self, path: &str) -> String {
        format!("{}{path}", self.url)
    }
}

fn plan(domain: &'static str, nodes: &[&'static str]) -> Plan {
    let rules = ["checks.yml", "nodes.yml"].map(|file| repository().join("rules").join(file).display().to_string());
    Plan { domain, nodes: nodes.to_vec(), labels: ", env: production", rules: rules.to_vec() }
}

fn cluster(name: &str, pair: &Pair) -> String {
    let both = |of: fn(usize) -> Member| [0, 1].map(|number| format!("{{url: '{}'}}", pair.url(of(number)))).join(", ");
    let (prometheus, alertmanagers) = (both(Member::Prometheus), both(Member::Alertmanager));
    format!("  - name: {name}\n    prometheus: [{prometheus}]\n    alertmanagers: [{alertmanagers}]\n")
}
