//! The proxy is an Alertmanager to amtool, and promtool finds no fault in what is scraped.

use std::process::Command;

use e2e::{Part, get_json, tool, until};

use crate::{PATIENCE, mail, stack};

fn amtool(url: &str, arguments: &[&str]) -> String {
    let output =
        Command::new(tool("amtool")).arg(format!("--alertmanager.url={url}")).args(arguments).output().unwrap();
    let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(output.status.success(), "{arguments:?}: {text}");
    text
}

#[tokio::test]
async fn amtool_works_against_the_proxy() {
    let (stack, _data) = stack().await;
    let (proxy, direct) = (stack.url(Part::Proxy), stack.url(Part::Alertmanager));
    stack.set_demo_check(2, "DEMO CRITICAL: to be silenced").unwrap();
    mail(&stack, "ALERT", "to be silenced").await;
    assert!(amtool(&proxy, &["alert", "query", "check=demo"]).contains("CheckCritical"));
    let id = amtool(&proxy, &["silence", "add", "--author=me", "--comment=known", "check=demo"]);
    assert!(amtool(&direct, &["silence", "query"]).contains(id.trim()));
    assert!(!amtool(&proxy, &["alert", "query", "check=demo"]).contains("CheckCritical"));
    amtool(&proxy, &["silence", "expire", id.trim()]);
    assert!(amtool(&proxy, &["alert", "query", "check=demo"]).contains("CheckCritical"));
    for path in ["/api/v2/status", "/api/v2/receivers", "/api/v2/silences", "/api/v2/alerts/groups"] {
        // Prometheus may post in between, which moves the times of its alerts; a real difference stays.
        until(&format!("the same {path}"), PATIENCE, || async {
            let (via, bare) = (get_json(&format!("{proxy}{path}")).await?, get_json(&format!("{direct}{path}")).await?);
            anyhow::ensure!(via == bare, "{via} instead of {bare}");
            Ok(())
        })
        .await
        .unwrap();
    }
}

#[tokio::test]
async fn promtool_finds_no_fault_in_our_metrics() {
    let (stack, _data) = stack().await;
    for part in [Part::Agent, Part::Proxy] {
        let page = e2e::get_text(&format!("{}/metrics", stack.url(part))).await.unwrap();
        promtool_finds_no_fault_in(part.name(), &page);
    }
}

pub(crate) fn promtool_finds_no_fault_in(name: &str, page: &str) {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), page).unwrap();
    let input = std::fs::File::open(file.path()).unwrap();
    let checked = Command::new(tool("promtool")).args(["check", "metrics"]).stdin(input).output().unwrap();
    assert!(checked.status.success(), "{name}: {}", String::from_utf8_lossy(&checked.stderr));
}
