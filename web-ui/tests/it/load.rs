//! What web-ui asks of Prometheus.

use crate::servers::{Servers, World};
use crate::world::{Page, WebUi};

fn world() -> World {
    World {
        nodes: vec![("web-1".into(), true), ("web-2".into(), true)],
        checks: vec![("web-1".into(), "disk".into(), 2), ("web-2".into(), "load".into(), 0)],
        ..World::default()
    }
}

fn config(servers: &Servers) -> String {
    let url = format!("[{{url: \"http://{}\"}}]", servers.address);
    format!("clusters: [{{name: tokyo, prometheus: {url}}}]\nrefresh: {{nodes: 100ms}}\ntimeout: 5s\n")
}

#[tokio::test]
async fn what_the_rules_record_is_not_looked_for_among_all_checks() {
    let servers = Servers::start(World { records: true, ..world() }).await;
    let web_ui = WebUi::start(&config(&servers));
    web_ui.until("/nodes", |page| page.texts("tbody tr.critical td.name") == ["web-1"]).await;
    assert!(!servers.asked().contains(&"checkscript_status != 0".to_owned()));
    servers.change(|world| world.records = false);
    web_ui.until("/nodes", |_| servers.asked().contains(&"checkscript_status != 0".to_owned())).await;
    let page = web_ui.until("/nodes", |page| page.texts("tbody tr.critical td.name") == ["web-1"]).await;
    assert!(page.texts(".trouble").is_empty());
}

#[tokio::test]
async fn sums_that_cannot_be_made_cost_nothing_else() {
    let servers = Servers::start(World { refuses: Some("count by (check)"), ..world() }).await;
    let web_ui = WebUi::start(&config(&servers));
    let told = |text: &String| {
        text.starts_with("Prometheus, tokyo could not count all checks")
            && text.contains("422 Unprocessable")
            && text.contains("too many samples")
    };
    let both = ["web-1", "web-2"];
    web_ui
        .until("/nodes?sort=node", |page| page.texts(".trouble").iter().any(told) && page.texts("td.name") == both)
        .await;
    servers.change(|world| world.refuses = None);
    web_ui
        .until("/checks", |page| {
            let critical = ["CRITICAL 1", "UNKNOWN 0", "WARNING 0", "OK 0", "stale 0"];
            let ok = ["CRITICAL 0", "UNKNOWN 0", "WARNING 0", "OK 1", "stale 0"];
            page.texts("td.number") == [critical, ok].concat() && page.texts(".trouble").is_empty()
        })
        .await;
}

#[tokio::test]
async fn what_a_server_says_is_missing_is_shown() {
    let warning = "store osaka-2 is away \u{1b}[31m<b>";
    let servers = Servers::start(World { warning: Some(warning), ..world() }).await;
    let web_ui = WebUi::start(&config(&servers));
    let told = "Something is missing in what one says: Prometheus, tokyo . store osaka-2 is away [31m<b>".to_owned();
    let is_said = |page: &Page| page.texts("td.name").len() == 2 && !page.texts(".trouble").is_empty();
    let page = web_ui.until("/nodes", is_said).await;
    assert!(page.texts(".trouble").contains(&told), "{:?}", page.texts(".trouble"));
    let clusters = web_ui.json("/api/v1/clusters").await;
    assert_eq!(clusters[0]["prometheus"]["warnings"][0], "store osaka-2 is away [31m<b>");
}
