//! What is said to be silenced, and by what: a node only where all of it is, else its checks.

use serde_json::{Value, json};

use crate::pages::{alert, config};
use crate::servers::{Servers, World};
use crate::world::WebUi;

fn silence(id: &str, state: &str, (who, why): (&str, &str), matchers: &[(&str, &str)]) -> Value {
    let matcher =
        |(name, value): &(&str, &str)| json!({"name": name, "value": value, "isRegex": false, "isEqual": true});
    json!({
        "id": id, "status": {"state": state}, "createdBy": who, "comment": why,
        "matchers": matchers.iter().map(matcher).collect::<Vec<_>>(), "updatedAt": "2026-11-21T00:00:00Z",
        "startsAt": if state == "pending" { "2199-12-31T00:00:00Z" } else { "2026-11-21T00:00:00Z" },
        "endsAt": "2200-01-01T00:00:00Z",
    })
}

/// One check of web-1 is silenced, and one wherever it does not fire yet; web-2 will be, web-3 is.
async fn start() -> WebUi {
    let nodes = ["web-1", "web-2", "web-3"];
    let servers = Servers::start(World {
        nodes: nodes.map(|node| (node.to_owned(), true)).into(),
        checks: vec![
            ("web-1".into(), "disk".into(), 2),
            ("web-1".into(), "load".into(), 0),
            ("web-2".into(), "load".into(), 1),
            ("web-3".into(), "disk".into(), 0),
        ],
        alerts: vec![alert("web-1", "disk", "critical", &["s1"]), alert("web-2", "load", "warning", &[])],
        silences: vec![
            silence("s1", "active", ("ann", "disk swap"), &[("instance", "web-1"), ("check", "disk")]),
            silence("s2", "pending", ("bob", "new kernel"), &[("instance", "web-2")]),
            silence("s3", "active", ("eve", "tuning"), &[("check", "load")]),
            silence("s4", "active", ("joe", "moves"), &[("instance", "web-3")]),
        ],
        ..World::default()
    });
    let web_ui = WebUi::start(&config(&[("tokyo", &servers.await)]));
    web_ui.until("/nodes", |page| page.texts("tbody tr").len() == 3 && page.text.contains("moves")).await;
    web_ui
}

#[tokio::test]
async fn a_silence_of_one_check_is_told_of_that_check_and_not_of_its_node() {
    let web_ui = start().await;
    let node = web_ui.page("/nodes/tokyo/checkscript/web-1?check=disk").await;
    assert_eq!(node.texts("header .note"), [""; 0]);
    let (checks, note) = (node.texts(".checks li"), node.texts(".detail .note"));
    assert!(checks[0].starts_with("CRITICAL disk silenced"), "{checks:?}");
    assert!(note[0].starts_with("Silenced by ann, until 2200-01-01"), "{note:?}");
    assert!(note[0].ends_with("disk swap instance=\"web-1\" check=\"disk\""), "{note:?}");
    let load = web_ui.page("/nodes/tokyo/checkscript/web-1?check=load").await.texts(".detail .note");
    assert!(load.len() == 1 && load[0].ends_with("tuning check=\"load\""), "the passing too: {load:?}");
    let rows = web_ui.page("/checks/load?sort=node").await.texts("td.output");
    assert!(rows[0].starts_with("silenced by eve, ") && rows[0].ends_with(" left: tuning"), "{rows:?}");
    assert!(!rows[1].contains("silenced"), "it is told, whatever the silence says: {rows:?}");
    let json = web_ui.json("/api/v1/checks/load?sort=node").await;
    assert_eq!((&json["rows"][0]["silenced"], &json["rows"][1]["silenced"]), (&true.into(), &false.into()));
}

#[tokio::test]
async fn a_node_is_silenced_while_a_silence_of_all_of_it_is_in_force() {
    let web_ui = start().await;
    let rows = web_ui.page("/nodes?sort=node").await.texts("tbody tr");
    assert!(!rows[0].contains("silenced"), "one check is: {rows:?}");
    assert!(!rows[1].contains("silenced"), "it has not begun: {rows:?}");
    assert!(rows[2].contains("silenced by joe, ") && rows[2].contains(" left: moves"), "{rows:?}");
    let nodes = web_ui.json("/api/v1/nodes?sort=node").await;
    assert_eq!([0, 1, 2].map(|at| nodes["rows"][at]["silenced"].as_bool()), [Some(false), Some(false), Some(true)]);
    let notes = async |node: &str| web_ui.page(&format!("/nodes/tokyo/checkscript/{node}")).await.texts("header .note");
    let planned = notes("web-2").await;
    assert!(planned.len() == 1 && planned[0].starts_with("Will be silenced by bob, from 2199-12-31"), "{planned:?}");
    let whole = notes("web-3").await;
    assert!(whole.len() == 1 && whole[0].starts_with("Silenced by joe, until 2200-01-01"), "{whole:?}");
    assert!(whole[0].ends_with("moves instance=\"web-3\""), "{whole:?}");
}

#[tokio::test]
async fn a_list_says_who_silences_until_when_and_why() {
    let web_ui = start().await;
    let page = web_ui.until("/", |page| page.texts("tbody tr").len() == 2).await;
    let told = page.texts("tbody td.output .told");
    assert!(told.len() == 1 && told[0].starts_with("silenced by ann, ") && told[0].ends_with(" left: disk swap"));
    assert_eq!(page.attribute("tbody td.output .told a", "href"), "/silences/tokyo/s1");
    assert_eq!(page.attribute("tbody td.output .told a", "title"), "disk on web-1");
    let japanese = web_ui.page_in("/", "ja").await.texts("tbody td.output .told");
    assert!(japanese[0].starts_with("ann がサイレンス中, 残り"), "{japanese:?}");
}
