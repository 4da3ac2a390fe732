//! Every connection to the gateway over TLS, with a client certificate and a password.

use e2e::{HASH, Process, get_json, tool, until};
use serde_json::json;
use tokio::process::Command;

use super::{Node, free};
use crate::PATIENCE;
use crate::tls::certificates;

#[tokio::test]
async fn the_agent_pushes_and_prometheus_scrapes_over_tls() {
    let node = Node::new();
    node.write("output", "secret");
    let folder = node.folder.path();
    certificates(folder, &["push", "web-1", "prometheus"]);
    let web = format!(
        "basic_auth_users: {{node: {HASH}, prometheus: {HASH}}}\ntls_server_config: {{cert_file: push.crt, key_file: \
         push.key, client_ca_file: ca.crt, client_auth_type: RequireAndVerifyClientCert}}\n"
    );
    node.write("web.yml", &web);
    let web = format!("--web.config.file={}", node.file("web.yml").display());
    let mut gateway = node.gateway("gateway", &[&web]);
    gateway.start();
    let address = gateway.url.trim_start_matches("http://").to_owned();
    let tls =
        |name: &str| format!("{{ca_file: ca.crt, cert_file: {name}.crt, key_file: {name}.key, server_name: push}}");
    let auth = |name: &str| format!("{{username: {name}, password: secret}}");
    let url = format!("https://{address}");
    let push = format!("gateways: [{{url: '{url}', basic_auth: {}, tls_config: {}}}]\n", auth("node"), tls("web-1"));
    node.write("push.yml", &push);
    let config = format!("--push.config.file={}", node.file("push.yml").display());
    gateway.url = url;
    let _agent = node.agent(&[config, "--push.interval=50ms".to_owned()]);
    node.metric("pushgateway_agent_results_pushed_total", &gateway, |count| count >= 2.0).await;

    let targets = format!("static_configs: [{{targets: ['{address}']}}]");
    let scheme = format!("scheme: https, basic_auth: {}, tls_config: {}", auth("prometheus"), tls("prometheus"));
    let job = format!("{{job_name: push, scrape_interval: 1s, honor_labels: true, {scheme}, {targets}}}");
    node.write("prometheus.yml", &format!("scrape_configs: [{job}]\n"));
    let prometheus = free();
    let mut command = Command::new(tool("prometheus"));
    command.arg(format!("--config.file={}", node.file("prometheus.yml").display()));
    command.arg(format!("--storage.tsdb.path={}", node.file("tsdb").display()));
    command.arg(format!("--web.listen-address={prometheus}"));
    let _prometheus = Process::start("prometheus", command, &node.file("prometheus.log")).unwrap();
    let query = format!("http://{prometheus}/api/v1/query?query=checkscript_status%7Bcheck%3D%22disk%22%7D");
    let scraped = until("the pushed check in Prometheus", PATIENCE, || async {
        let answer = get_json(&query).await?;
        let labels = answer["data"]["result"][0]["metric"].clone();
        anyhow::ensure!(labels.is_object(), "{answer}");
        Ok(labels)
    });
    let labels =
        json!({"__name__": "checkscript_status", "check": "disk", "instance": "web-1", "job": "checkscript-push"});
    assert_eq!(scraped.await.unwrap(), labels);
}
