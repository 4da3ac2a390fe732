//! Servers that do not answer, or answer nonsense.

use serde_json::Value;

use crate::servers::{Fault, Servers, World};
use crate::world::{Page, WebUi};

fn world(instance: &str) -> World {
    World {
        nodes: vec![(instance.into(), true)],
        checks: vec![(instance.into(), "disk".into(), 2)],
        ..World::default()
    }
}

fn config(first: &Servers, second: &Servers) -> String {
    let (first, second) = (first.address, second.address);
    format!(
        "clusters:\n\
         - {{name: tokyo, prometheus: [{{url: \"http://{first}\"}}], alertmanagers: [{{url: \"http://{first}\"}}]}}\n\
         - {{name: osaka, prometheus: [{{url: \"http://{second}\"}}], alertmanagers: [{{url: \"http://{second}\"}}]}}\n\
         refresh: {{alerts: 100ms, nodes: 100ms}}\ntimeout: 1s\n"
    )
}

#[tokio::test]
async fn a_cluster_that_does_not_answer_is_said_so_and_costs_the_others_nothing() {
    let (tokyo, osaka) = (Servers::start(world("web-1")).await, Servers::start(world("web-2")).await);
    let web_ui = WebUi::start(&config(&tokyo, &osaka));
    web_ui.until("/nodes", |page| page.texts("tbody tr").len() == 2).await;
    for (fault, says) in [
        (Fault::Status(503), "answered 503"),
        (Fault::Half, "something else than expected"),
        (Fault::Hangs, "did not answer in time"),
        (Fault::Breaks, "127.0.0.1:"),
        (Fault::Status(500), "answered 500"),
        (Fault::Stalls, "did not arrive in time"),
        (Fault::Says("null"), "something else than expected"),
        (
            Fault::Says(
                r#"{"data": {"resultType": "vector", "result": [{"metric": {"job": "\ud800"}, "value": [1, "0"]}]}}"#,
            ),
            "hex escape",
        ),
    ] {
        tokyo.change(|world| world.fault = Some(fault));
        let is_told =
            |text: &String| text.starts_with("Prometheus, tokyo") && text.contains(says) && text.contains(" ago.");
        // On a busy machine the other may be late once in a while, but it is not told for long.
        let of_osaka = |text: &String| text.contains("osaka");
        let is_so = |page: &Page| {
            page.texts(".trouble.old").iter().any(is_told) && !page.texts(".trouble").iter().any(of_osaka)
        };
        let page = web_ui.until("/nodes", is_so).await;
        assert_eq!(page.texts("td.name"), ["web-1", "web-2"], "what it said last is shown on");
        // Alertmanager does the same; one that hangs is just being asked when its line is looked for.
        web_ui
            .until("/", |page| page.texts(".trouble.old").iter().any(|text| text.starts_with("Alertmanager, tokyo")))
            .await;
        let answer = |page: &Page| {
            let clusters: Value = serde_json::from_str(&page.text).unwrap();
            [0, 1].map(|cluster| clusters[cluster]["prometheus"]["answers"].as_bool())
        };
        web_ui.until("/api/v1/clusters", |page| answer(page) == [Some(false), Some(true)]).await;
    }
    osaka.change(|world| world.nodes.push(("web-3".into(), true)));
    web_ui.until("/nodes", |page| page.texts("td.name").contains(&"web-3".to_owned())).await;
    tokyo.change(|world| world.fault = None);
    web_ui.until("/nodes", |page| page.texts(".trouble").is_empty()).await;
}

#[tokio::test]
async fn one_of_a_pair_is_enough() {
    let (good, bad) = (Servers::start(world("web-1")).await, Servers::start(world("web-1")).await);
    bad.change(|world| world.fault = Some(Fault::Status(500)));
    let pair = format!("[{{url: \"http://{}\"}}, {{url: \"http://{}\"}}]", bad.address, good.address);
    let web_ui = WebUi::start(&format!(
        "clusters: [{{name: tokyo, prometheus: {pair}, alertmanagers: {pair}}}]\nrefresh: {{alerts: 100ms, nodes: 100ms}}\n"
    ));
    let page = web_ui.until("/nodes", |page| page.texts("tbody tr").len() == 1).await;
    assert!(page.texts(".trouble.old").is_empty());
    let told = |text: &String| text.starts_with("One of several does not answer: Alertmanager, tokyo");
    web_ui.until("/", |page| page.texts(".trouble").iter().any(told)).await;
}

#[tokio::test]
async fn a_node_that_does_not_answer_is_shown_as_prometheus_knows_it() {
    let servers = Servers::start(World { secretive: true, ..world("web-1") }).await;
    let web_ui = WebUi::start(&config(&servers, &servers));
    web_ui.until("/nodes", |page| page.texts("tbody tr").len() == 2).await;
    let page = web_ui.page("/nodes/tokyo/checkscript/web-1").await;
    let told = page.texts(".trouble");
    assert!(told[0].contains("Prometheus lists no target with this job and instance"), "{told:?}");
    assert_eq!(page.texts(".checks li b"), ["disk"]);
}

#[tokio::test]
async fn what_answers_queries_need_not_be_what_scrapes() {
    let mimir = World { scrapes_nothing: true, tenant: Some("tokyo-1"), ..world("web-1") };
    let (mimir, scraper) = (Servers::start(mimir).await, Servers::start(world("web-1")).await);
    let config = |targets: &str| {
        let headers = "http_headers: {X-Scope-OrgID: {values: [tokyo-1]}}";
        format!(
            "clusters: [{{name: tokyo, prometheus: [{{url: \"http://{}/prometheus/\", {headers}}}]{targets}}}]\n\
             refresh: {{nodes: 100ms}}\ntimeout: 5s\n",
            mimir.address
        )
    };
    let node = "/nodes/tokyo/checkscript/web-1";
    let without = WebUi::start(&config(""));
    without.until("/nodes", |page| page.texts("td.name") == ["web-1"]).await;
    let told = without.page(node).await.texts(".trouble");
    let is_told =
        |text: &String| text.contains("answered 404 Not Found") && text.contains("`targets` in the configuration");
    assert!(told.iter().any(is_told), "{told:?}");
    // One of those who scrape is away; the node is not its.
    let targets = format!(", targets: [{{url: \"http://127.0.0.1:1\"}}, {{url: \"http://{}\"}}]", scraper.address);
    let with = WebUi::start(&config(&targets));
    with.until("/nodes", |page| page.texts("td.name") == ["web-1"]).await;
    let page = with.page(node).await;
    assert!(page.texts(".trouble").is_empty(), "{:?}", page.texts(".trouble"));
    assert_eq!(page.texts(".checks li b"), ["disk", "load"], "the node itself was asked");
}

#[tokio::test]
async fn what_is_known_outlives_a_reload() {
    let servers = Servers::start(world("web-1")).await;
    let web_ui = WebUi::start(&config(&servers, &servers));
    web_ui.until("/nodes", |page| page.texts("td.name") == ["web-1", "web-1"]).await;
    // What is shown from now on has been known before.
    servers.change(|world| world.fault = Some(Fault::Hangs));
    let renamed = config(&servers, &servers).replace("osaka", "kyoto");
    web_ui.reload(&renamed).await;
    assert_eq!(web_ui.page("/nodes").await.texts("td.name"), ["web-1"], "of the cluster that is called the same");
    let clusters = web_ui.json("/api/v1/clusters").await;
    assert!(clusters[0]["prometheus"]["at"].is_string() && clusters[1]["prometheus"]["at"].is_null(), "{clusters}");
    servers.change(|world| world.fault = None);
    web_ui.until("/nodes", |page| page.texts("td.name") == ["web-1", "web-1"]).await;
    // What was still being asked of it ends in its own time.
    let metrics = web_ui.until("/metrics", |page| !page.text.contains("cluster=\"osaka\"")).await.text;
    for line in [
        "web_ui_cluster_up{cluster=\"tokyo\",kind=\"sums\"} 1",
        "web_ui_cluster_up{cluster=\"kyoto\",kind=\"prometheus\"} 1",
        "web_ui_panics_total{cluster=\"kyoto\",task=\"alerts\"} 0",
    ] {
        assert!(metrics.lines().any(|known| known == line), "{line}: {metrics}");
    }
}
