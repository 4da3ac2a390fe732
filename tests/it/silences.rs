//! Silences that web-ui makes, changes and ends in real Alertmanagers: a pair that gossips, and another cluster.

use std::path::Path;

use anyhow::ensure;
use e2e::{Part, Process, free_port, get_json, get_text, own, post_json, program, until};
use serde_json::{Value, json};
use service::http::{ClientOptions, upstream_client};
use tempfile::TempDir;
use tokio::process::Command;

use crate::PATIENCE;

/// Two clusters, the first of two Alertmanagers, and a web-ui. Prometheus scrapes itself, and calls that the node `web-1`.
struct Site {
    ports: [u16; 7],
    processes: Vec<Process>,
    data: TempDir,
}

const PROMETHEUS: usize = 3;
const WEB_UI: usize = 4;

impl Site {
    async fn start() -> Self {
        let ports = [(); 7].map(|()| free_port().unwrap());
        let mut site = Self { ports, processes: Vec::new(), data: tempfile::tempdir().unwrap() };
        let config = |name: &str, text: &str| std::fs::write(site.data.path().join(name), text).unwrap();
        config("alertmanager.yml", "route: {receiver: nobody}\nreceivers: [{name: nobody}]\n");
        config(
            "prometheus.yml",
            &format!(
                "global: {{scrape_interval: 1s}}\nscrape_configs:\n- job_name: checkscript\n  static_configs:\n  \
                 - {{targets: ['127.0.0.1:{}'], labels: {{instance: web-1}}}}\n",
                ports[PROMETHEUS]
            ),
        );
        let url = |index: usize| format!("{{url: \"http://127.0.0.1:{}\"}}", ports[index]);
        config(
            "web-ui.yml",
            &format!(
                "clusters:\n- {{name: tokyo, prometheus: [{p}], alertmanagers: [{}, {}]}}\n- {{name: osaka, prometheus: [{p}], \
                 alertmanagers: [{}]}}\nrefresh: {{alerts: 200ms, nodes: 200ms}}\nsilences: {{evaluation_interval: 200ms}}\n",
                url(0),
                url(1),
                url(2),
                p = url(PROMETHEUS)
            ),
        );
        for index in [0, 1, 2] {
            site.start_alertmanager(index);
        }
        let prometheus = ["--config.file=prometheus.yml".to_owned(), "--storage.tsdb.path=prometheus".to_owned()];
        site.run(&program(Part::Prometheus), PROMETHEUS, &prometheus);
        site.run(&own("web-ui"), WEB_UI, &["--config.file=web-ui.yml".to_owned()]);
        site.fire("2099-01-01T00:00:00Z").await;
        site.until("everything is heard of", "/api/v1/clusters", |clusters| {
            (0..2).all(|at| {
                clusters[at]["alerts"] == 1
                    && clusters[at]["prometheus"]["answers"] == true
                    && clusters[at]["nodes"] == 1
            })
        })
        .await;
        site
    }

    fn start_alertmanager(&mut self, index: usize) {
        let gossip = |at: usize| format!("127.0.0.1:{}", self.ports[5 + at]);
        let mut arguments = vec!["--config.file=alertmanager.yml".to_owned(), format!("--storage.path=am-{index}")];
        match index {
            2 => arguments.push("--cluster.listen-address=".to_owned()),
            index => {
                arguments.push(format!("--cluster.listen-address={}", gossip(index)));
                arguments.push(format!("--cluster.peer={}", gossip(1 - index)));
            }
        }
        self.run(&program(Part::Alertmanager), index, &arguments);
    }

    fn run(&mut self, program: &Path, port: usize, arguments: &[String]) {
        let mut command = Command::new(program);
        command.args(arguments).arg(format!("--web.listen-address=127.0.0.1:{}", self.ports[port]));
        command.current_dir(self.data.path());
        let log = self.data.path().join(format!("{port}.log"));
        self.processes.push(Process::start(&program.display().to_string(), command, &log).unwrap());
    }

    /// The alert fires in every Alertmanager until then.
    async fn fire(&self, until: &str) {
        let labels = json!({"alertname": "NodeSlow", "job": "checkscript", "instance": "web-1"});
        let body = json!([{"labels": labels, "startsAt": "2026-01-01T00:00:00Z", "endsAt": until}]);
        let client = upstream_client(&ClientOptions::new(service::build_info!())).unwrap();
        for port in &self.ports[..3] {
            let url = format!("http://127.0.0.1:{port}/api/v2/alerts");
            e2e::until("Alertmanager takes the alert", PATIENCE, || async {
                let answer = client.post(&url).json(&body).send().await?;
                ensure!(answer.status().is_success(), "{}", answer.status());
                Ok(())
            })
            .await
            .unwrap();
        }
    }

    fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.ports[WEB_UI])
    }

    async fn post(&self, path: &str, body: &Value) -> Value {
        post_json(&self.url(path), body).await.unwrap()
    }

    async fn until(&self, what: &str, path: &str, is_so: impl Fn(&Value) -> bool) -> Value {
        self.until_at(what, &self.url(path), is_so).await
    }

    /// A silence as one of the Alertmanagers has it.
    async fn until_in(&self, index: usize, id: &str, state: &str) -> Value {
        let url = format!("http://127.0.0.1:{}/api/v2/silence/{id}", self.ports[index]);
        self.until_at(&format!("{id} is {state} in {index}"), &url, |silence| silence["status"]["state"] == state).await
    }

    async fn until_at(&self, what: &str, url: &str, is_so: impl Fn(&Value) -> bool) -> Value {
        let asked = until(what, PATIENCE, || async {
            let body = get_json(url).await?;
            ensure!(is_so(&body), "{body}");
            Ok(body)
        });
        asked.await.unwrap()
    }
}

fn silence(clusters: &[&str], until_resolved: bool) -> Value {
    let comment = if until_resolved { "goes with it" } else { "stays" };
    json!({"filter": "instance=\"web-1\"", "clusters": clusters, "duration": "2h", "comment": comment, "author": "ann",
        "until_resolved": until_resolved})
}

fn id(made: &Value, at: usize) -> String {
    made["silences"][at]["id"].as_str().unwrap_or_else(|| panic!("it was not made: {made}")).to_owned()
}

#[tokio::test]
async fn silences_are_made_changed_and_ended_in_real_alertmanagers() {
    let mut site = Site::start().await;
    let made = site.post("/api/v1/silences", &silence(&["tokyo", "osaka"], false)).await;
    let (osaka, tokyo) = (id(&made, 0), id(&made, 1));
    for (index, id) in [(0, &tokyo), (1, &tokyo), (2, &osaka)] {
        let known = site.until_in(index, id, "active").await;
        assert_eq!((&known["createdBy"], &known["comment"]), (&json!("ann"), &json!("stays")));
    }
    // The page behind the change shows it, and the alerts of both clusters are silenced by it.
    let page = get_text(&site.url(&format!("/silences/tokyo/{tokyo}"))).await.unwrap();
    assert!(page.contains("everything on web-1"), "{page}");
    site.until("both are silenced", "/api/v1/alerts", |all| {
        all["rows"].as_array().is_some_and(|rows| rows.iter().all(|row| row["told"] == "silenced"))
    })
    .await;
    let again = site.post("/api/v1/silences", &silence(&["tokyo", "osaka"], false)).await;
    assert_eq!((id(&again, 0), id(&again, 1)), (osaka.clone(), tokyo.clone()), "nothing is made twice: {again}");

    // An end that is moved keeps the silence what it is, although it has begun.
    let before = site.until_in(0, &tokyo, "active").await;
    let extend = json!({"items": [{"cluster": "tokyo", "id": tokyo}], "by": "4h"});
    assert_eq!(id(&site.post("/api/v1/silences/extend", &extend).await, 0), tokyo);
    let after = site.until_in(0, &tokyo, "active").await;
    assert_eq!(after["startsAt"], before["startsAt"]);
    assert!(after["endsAt"].as_str() > before["endsAt"].as_str(), "{after}");

    // Whoever saw it before that is refused; other matchers make another silence of it, and the old one ends.
    let client = upstream_client(&ClientOptions::new(service::build_info!())).unwrap();
    let mut change = silence(&[], false);
    change["filter"] = json!("instance=\"web-1\", alertname!=\"Other\"");
    change["updated_at"] = before["updatedAt"].clone();
    let url = site.url(&format!("/api/v1/silences/tokyo/{tokyo}"));
    assert_eq!(client.put(&url).json(&change).send().await.unwrap().status(), 409);
    change["updated_at"] = after["updatedAt"].clone();
    assert_eq!(client.put(&url).json(&change).send().await.unwrap().status(), 200);
    site.until_in(1, &tokyo, "expired").await;
    let list = get_json(&site.url("/api/v1/silences?cluster=tokyo")).await.unwrap();
    let other = list["rows"][0]["id"].as_str().unwrap().to_owned();
    assert_eq!((&list["total"], other == tokyo), (&json!(1), false), "{list}");

    // One of the pair dies: the other takes it.
    site.until_in(1, &other, "active").await;
    site.processes[0].kill().await.unwrap();
    let expire = json!({"items": [{"cluster": "tokyo", "id": other}, {"cluster": "osaka", "id": osaka}]});
    site.post("/api/v1/silences/expire", &expire).await;
    site.until_in(1, &other, "expired").await;
    site.until_in(2, &osaka, "expired").await;
}

#[tokio::test]
async fn a_silence_ends_with_its_alert_in_real_alertmanagers() {
    let mut site = Site::start().await;
    let marked = site.post("/api/v1/silences", &silence(&["tokyo", "osaka"], true)).await;
    let stays = site.post("/api/v1/silences", &silence(&["tokyo"], false)).await;
    let (osaka, tokyo, stays) = (id(&marked, 0), id(&marked, 1), id(&stays, 0));
    let known = site.until_in(1, &tokyo, "active").await;
    assert_eq!(known["comment"], "goes with it [until resolved]");

    // One of tokyo's pair is away when the alert ends, so it is not known there whether it has; in osaka it is.
    site.processes[1].kill().await.unwrap();
    let labels = json!({"alertname": "NodeSlow", "job": "checkscript", "instance": "web-1"});
    let ended = json!([{"labels": labels, "startsAt": "2026-01-01T00:00:00Z", "endsAt": "2026-01-02T00:00:00Z"}]);
    let client = upstream_client(&ClientOptions::new(service::build_info!())).unwrap();
    for index in [0, 2] {
        let url = format!("http://127.0.0.1:{}/api/v2/alerts", site.ports[index]);
        assert!(client.post(&url).json(&ended).send().await.unwrap().status().is_success());
    }
    site.until_in(2, &osaka, "expired").await;
    assert_eq!(site.until_in(0, &tokyo, "active").await["comment"], "goes with it [until resolved]");

    // It comes back, and has the silences by gossip; alerts it has none.
    site.start_alertmanager(1);
    site.until_in(0, &tokyo, "expired").await;
    site.until_in(1, &stays, "active").await;
    let metrics = get_text(&site.url("/metrics")).await.unwrap();
    for cluster in ["tokyo", "osaka"] {
        let counted = format!("web_ui_silences_resolved_total{{cluster=\"{cluster}\"}} 1");
        assert!(metrics.contains(&counted), "{metrics}");
    }
}
