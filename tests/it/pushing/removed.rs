//! Checks that are removed from the definitions.

use e2e::{Process, Signal, get_json, get_text, tool, until};
use serde_json::json;
use service::http::{ClientOptions, upstream_client};
use tokio::process::Command;

use super::{Gateway, Node, free};
use crate::PATIENCE;

/// Waits until the gateway has results of these checks and no others.
async fn has(gateway: &Gateway, checks: &[&str]) {
    let url = format!("{}/checks/job/checkscript-push/instance/web-1", gateway.url);
    let what = format!("{checks:?} alone");
    let had = until(&what, PATIENCE, || async {
        let listed = get_json(&url).await?;
        let names: Vec<_> = listed.as_array().unwrap().iter().map(|check| check["check"].clone()).collect();
        anyhow::ensure!(names == checks, "{listed}");
        Ok(())
    });
    had.await.unwrap();
}

impl Node {
    /// Lets these checks run, each second.
    fn define(&self, checks: &[&str]) {
        let check = json!({"command": "echo bad; exit 2", "standalone": true, "interval": 1});
        let checks: serde_json::Map<_, _> = checks.iter().map(|name| ((*name).to_owned(), check.clone())).collect();
        let no = json!({"enabled": false});
        let client = json!({"name": "web-1", "address": "127.0.0.1", "socket": no, "http_socket": no});
        self.write("config.json", &json!({"client": client, "checks": checks}).to_string());
    }
}

#[tokio::test]
async fn a_check_that_is_defined_no_more_goes_from_the_gateways() {
    let node = Node::new();
    let mut gateway = node.gateway("gateway", &[]);
    gateway.start();
    let plain = format!("http://{}", free());
    let mut command = Command::new(tool("pushgateway"));
    command.arg(format!("--web.listen-address={}", plain.trim_start_matches("http://"))).arg("--persistence.file=");
    let _plain = Process::start("pushgateway", command, &node.file("pushgateway.log")).unwrap();
    let gateways = format!("gateways: [{{url: '{}'}}, {{url: '{plain}', metrics_only: true}}]\n", gateway.url);
    std::fs::write(node.file("push.yml"), gateways).unwrap();
    let config = format!("--push.config.file={}", node.file("push.yml").display());
    let queue = format!("--push.queue.file={}", node.file("queue").display());
    let flags = [config, queue];
    // Waits until the plain one has one of these checks and not the other.
    let plain_has = async |check: &str, gone: &str| {
        let asked = until(check, PATIENCE, || async {
            let page = get_text(&format!("{plain}/metrics")).await?;
            let label = |check: &str| format!("check=\"{check}\"");
            anyhow::ensure!(page.contains(&label(check)) && !page.contains(&label(gone)), "{page}");
            Ok(())
        });
        asked.await.unwrap();
    };

    node.define(&["disk", "load", "swap"]);
    let mut agent = node.agent(&flags);
    has(&gateway, &["disk", "load", "swap"]).await;
    plain_has("disk", "none").await;
    plain_has("load", "none").await;
    // What an application or a script has pushed has no definition, and stays.
    let script = json!({"client": "web-1", "check": {"name": "backup", "output": "failed", "status": 2}});
    let url = format!("{}/checks/job/checkscript-push/instance/web-1", gateway.url);
    let client = upstream_client(&ClientOptions::new(service::build_info!())).unwrap();
    let taken = client.post(url).body(script.to_string()).send().await.unwrap();
    assert!(taken.status().is_success());

    // While the gateway is away.
    gateway.kill().await;
    node.define(&["load", "swap"]);
    agent.signal(Signal::SIGHUP).unwrap();
    plain_has("load", "disk").await;
    gateway.start();
    has(&gateway, &["backup", "load", "swap"]).await;

    // While the agent is away.
    agent.kill().await.unwrap();
    node.define(&["load"]);
    let mut agent = node.agent(&flags);
    has(&gateway, &["backup", "load"]).await;
    node.metric("pushgateway_agent_checks_deleted_total", &gateway, |count| count == 1.0).await;
    assert!(agent.stop().await.unwrap().success());
    has(&gateway, &["backup", "load"]).await;
}
