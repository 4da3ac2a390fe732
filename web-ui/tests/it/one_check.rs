//! The page of one check on all nodes.

use crate::servers::{Fault, Servers, World};
use crate::world::WebUi;

const NAME: &str = "disk/\u{76e3}\u{8996} \"<b>\" 100%2F";

fn world(nodes: &[(&str, i64)]) -> World {
    let check = |&(node, status): &(&str, i64)| (node.to_owned(), NAME.to_owned(), status);
    World {
        nodes: nodes.iter().map(|(node, _)| ((*node).to_owned(), true)).collect(),
        checks: nodes.iter().map(check).collect(),
        ..World::default()
    }
}

fn config(tokyo: &Servers, osaka: &Servers) -> String {
    let cluster = |name: &str, servers: &Servers| {
        let url = format!("[{{url: \"http://{}\"}}]", servers.address);
        format!("- {{name: {name}, prometheus: {url}, alertmanagers: {url}}}\n")
    };
    let clusters = cluster("tokyo", tokyo) + &cluster("osaka", osaka);
    format!("clusters:\n{clusters}refresh: {{alerts: 100ms, nodes: 100ms}}\ntimeout: 30s\n")
}

#[tokio::test]
async fn a_check_is_shown_on_all_nodes_of_all_clusters() {
    let tokyo = Servers::start(world(&[("web-1", 2), ("web-2", 0), ("web-3", 1)])).await;
    let osaka = Servers::start(world(&[("db-1", 0), ("db-2", 77)])).await;
    let web_ui = WebUi::start(&config(&tokyo, &osaka));
    let checks = web_ui.until("/checks", |page| page.texts("tbody tr").len() == 1).await;
    web_ui.until("/nodes", |page| page.texts("tbody tr").len() == 5).await;
    let address = checks.attribute("tbody tr a", "href");
    let page = web_ui.page(&address).await;
    assert_eq!(page.texts("h1"), [NAME.split_whitespace().collect::<Vec<_>>().join(" ")]);
    assert_eq!(page.texts("td.name"), ["web-1", "db-2", "web-3", "db-1", "web-2"], "the worst first, the passing too");
    let choices = page.texts(".choice");
    assert_eq!(choices, ["critical 1", "unknown 1", "warning 1", "ok 2", "stale 1", "tokyo 3", "osaka 2"]);
    for (query, want) in [
        ("state=ok", vec!["db-1", "web-2"]),
        ("state=stale,critical", vec!["web-1", "web-3"]),
        ("cluster=osaka", vec!["db-2", "db-1"]),
        ("filter=instance%3D~%22web.*%22&sort=-node", vec!["web-3", "web-2", "web-1"]),
        ("find=DB&sort=node&limit=1&page=2", vec!["db-2"]),
    ] {
        assert_eq!(web_ui.page(&format!("{address}?{query}")).await.texts("td.name"), want, "{query}");
    }
    assert_eq!(web_ui.page(&format!("{address}?sort=x")).await.status, 400);
    let node = web_ui.page(&page.attribute("tbody tr a", "href")).await;
    assert_eq!(node.texts("h2.opened").len(), 1, "its node, the check opened");
    let json = web_ui.json(&format!("/api/v1{address}?state=warning")).await;
    assert_eq!((&json["check"], &json["total"]), (&NAME.into(), &1.into()));
    assert_eq!((&json["rows"][0]["instance"], &json["rows"][0]["stale"]), (&"web-3".into(), &true.into()));
}

#[tokio::test]
async fn however_many_look_prometheus_is_asked_once() {
    let servers = Servers::start(world(&[("web-1", 2)])).await;
    let web_ui = WebUi::start(&config(&servers, &servers));
    let address =
        web_ui.until("/checks", |page| page.texts("tbody tr").len() == 1).await.attribute("tbody tr a", "href");
    let looking = (0..20).map(|_| web_ui.page(&address));
    for page in futures_util::future::join_all(looking).await {
        assert_eq!(page.texts("td.name"), ["web-1", "web-1"], "{:?}", page.texts(".trouble"));
    }
    let metrics = web_ui.page("/metrics").await.text;
    for line in [
        "web_ui_queries_total{cluster=\"tokyo\",kind=\"check\"} 4",
        "web_ui_queries_total{cluster=\"osaka\",kind=\"check\"} 4",
        "web_ui_series_total{cluster=\"tokyo\",kind=\"check\"} 3",
    ] {
        assert!(metrics.lines().any(|known| known == line), "{line}: {metrics}");
    }
}

#[tokio::test]
async fn a_cluster_that_does_not_answer_is_said_and_the_other_shown() {
    let (tokyo, osaka) = (Servers::start(world(&[("web-1", 2)])).await, Servers::start(world(&[("db-1", 0)])).await);
    let web_ui = WebUi::start(&config(&tokyo, &osaka));
    let is_there = |page: &crate::world::Page| page.texts("tbody tr").len() == 1;
    let address = web_ui.until("/checks", is_there).await.attribute("tbody tr a", "href");
    osaka.change(|world| world.fault = Some(Fault::Status(500)));
    let page = web_ui.page(&address).await;
    assert_eq!(page.texts("td.name"), ["web-1"]);
    let is_told = |text: &String| text.contains("Prometheus, osaka") && text.contains("answered 500");
    assert!(page.texts(".trouble").iter().any(is_told), "{:?}", page.texts(".trouble"));
    let json = web_ui.json(&format!("/api/v1{address}")).await;
    assert_eq!((&json["said"]["tokyo"]["answers"], &json["said"]["osaka"]["answers"]), (&true.into(), &false.into()));
}

#[tokio::test]
async fn an_invented_name_asks_prometheus_nothing() {
    let servers = Servers::start(world(&[("web-1", 2)])).await;
    let web_ui = WebUi::start(&config(&servers, &servers));
    let is_summed = |page: &crate::world::Page| {
        let clusters: serde_json::Value = serde_json::from_str(&page.text).unwrap();
        clusters.as_array().unwrap().iter().all(|cluster| cluster["sums"]["answers"] == true)
    };
    web_ui.until("/api/v1/clusters", is_summed).await;
    let page = web_ui.page("/checks/invented").await;
    assert_eq!((page.status.as_u16(), page.text.contains("No such check is known")), (404, true));
    assert_eq!(web_ui.page("/api/v1/checks/invented").await.status, 404);
    assert!(!servers.asked().iter().any(|query| query.contains("invented")));
}
