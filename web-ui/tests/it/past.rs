//! What was, where Prometheus alone knows it.

use serde_json::json;

use crate::servers::{Fault, Servers, World};
use crate::world::WebUi;

fn config(servers: &Servers) -> String {
    let url = format!("[{{url: \"http://{}\"}}]", servers.address);
    format!("clusters: [{{name: tokyo, prometheus: {url}}}]\nrefresh: {{nodes: 100ms}}\ntimeout: 60s\n")
}

/// One node, of which Prometheus does not say where it is.
async fn start(up: bool) -> (Servers, WebUi) {
    let check = |name: &str, status| ("web-1".to_owned(), name.to_owned(), status);
    let servers = Servers::start(World {
        nodes: vec![("web-1".into(), up)],
        checks: vec![check("disk", 2), check("load", 0)],
        secretive: true,
        no_since: true,
        ..World::default()
    });
    let servers = servers.await;
    let web_ui = WebUi::start(&config(&servers));
    web_ui.until("/nodes", |page| page.texts("tbody tr").len() == 1).await;
    (servers, web_ui)
}

#[tokio::test]
async fn how_a_check_was_is_shown_for_a_day_and_a_week() {
    let (servers, web_ui) = start(true).await;
    let page = web_ui.page("/nodes/tokyo/checkscript/web-1?check=disk").await;
    let classes = |page: &crate::world::Page| {
        let parts = page.text.split("<rect class=\"").skip(1);
        parts.map(|part| part.split('"').next().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(classes(&page), ["ok", "gap", "critical"]);
    assert!(page.text.contains("<rect class=\"gap\" x=\"100\" width=\"12\""), "{}", page.text);
    let changes = page.texts(".strip li");
    assert!(changes.len() == 3 && changes[0].contains("CRITICAL 14 h"), "the same as a list: {changes:?}");
    assert!(changes[1].contains("no data 1 h"), "{changes:?}");
    assert_eq!(page.attribute(".strip svg", "aria-label"), "History, 24h");
    assert!(page.texts(".strip figcaption")[0].contains("Began within 7 days: CheckCritical 3×"));
    assert!(!page.text.contains("style="), "the policy would refuse it");
    let week = web_ui.page("/nodes/tokyo/checkscript/web-1?check=disk&range=7d").await;
    assert_eq!((classes(&week).len(), week.attribute(".strip svg", "aria-label")), (3, "History, 7d".to_owned()));
    assert_eq!(week.texts(".strip a[aria-current]"), ["7d"]);
    let json = web_ui.json("/api/v1/nodes/tokyo/checkscript/web-1/history?check=disk").await;
    assert_eq!((&json["runs"][2]["state"], &json["fired"][0]["times"]), (&json!("critical"), &json!(3)));
    assert_eq!(web_ui.page("/api/v1/nodes/tokyo/checkscript/gone/history?check=disk").await.status, 404);
    // The page again is no new question.
    web_ui.page("/nodes/tokyo/checkscript/web-1?check=disk").await;
    let ranges = servers.asked().into_iter().filter(|expression| expression.contains("[300s]")).count();
    assert_eq!(ranges, 1);
}

#[tokio::test]
async fn a_node_that_is_down_is_shown_as_it_was_last() {
    let (servers, web_ui) = start(false).await;
    let page = web_ui.page("/nodes/tokyo/checkscript/web-1").await;
    assert!(page.texts(".when")[0].starts_with("is down since 2022-04-15"), "{:?}", page.texts(".when"));
    assert_eq!(page.texts(".checks li b"), ["disk", "load"], "the passing too");
    assert_eq!(page.texts(".strip li").len(), 3);
    servers.change(|world| world.fault = Some(Fault::Status(500)));
    let page = web_ui.page("/nodes/tokyo/checkscript/web-1?check=load").await;
    assert_eq!(page.texts(".checks li b"), ["disk", "load"], "{}", page.text);
    assert!(page.texts(".strip")[0].contains("answered 500") && page.texts(".strip li").is_empty());
}
