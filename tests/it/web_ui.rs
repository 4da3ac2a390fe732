//! web-ui before the real Prometheus, Alertmanager and agent.

use e2e::{Part, Stack, get_json, get_text, until};
use serde_json::{Value, json};

use crate::{PATIENCE, stack};

/// The alert of the demo check, once web-ui shows it as wanted.
async fn alert(stack: &Stack, what: &str, is_so: impl Fn(&Value) -> bool) -> Value {
    let url = format!("{}/api/v1/alerts?filter=check%3Ddemo", stack.url(Part::WebUi));
    until(what, PATIENCE, || async {
        let alerts = get_json(&url).await?;
        let alert = alerts["rows"].get(0).filter(|alert| is_so(alert)).cloned();
        alert.ok_or_else(|| anyhow::anyhow!("web-ui lists {alerts}"))
    })
    .await
    .unwrap()
}

#[tokio::test]
async fn a_failing_check_is_shown_with_its_node() {
    let (mut stack, _data) = stack().await;
    stack.set_demo_check(2, "DEMO CRITICAL: 監視 <b>full</b>\nsecond line").unwrap();
    let critical = alert(&stack, "the alert", |alert| alert["output"] != "").await;
    assert_eq!(critical["output"], "DEMO CRITICAL: 監視 <b>full</b>");
    assert_eq!((&critical["told"], &critical["cluster"]), (&json!("active"), &json!("quickstart")));

    let instance = critical["labels"]["instance"].as_str().unwrap();
    let node = format!("/nodes/quickstart/checkscript/{instance}");
    let page = format!("{}{node}?check=demo", stack.url(Part::WebUi));
    // The other checks run each ten seconds.
    let page = until("the passing checks too", PATIENCE, || async {
        let page = get_text(&page).await?;
        let is_whole = page.contains("check_disk") && page.contains("check_memory");
        is_whole.then_some(page).ok_or_else(|| anyhow::anyhow!("they are not on the page"))
    });
    let page = page.await.unwrap();
    assert!(page.contains("second line") && page.contains("&#60;b&#62;full") && !page.contains("<b>full"), "{page}");
    let body = get_json(&format!("{}/api/v1{node}", stack.url(Part::WebUi))).await.unwrap();
    assert_eq!((&body["node"]["state"], &body["node"]["up"]), (&json!("critical"), &json!(true)), "{body}");

    // The node's agent dies: what Prometheus knows is shown on, and since when the node is down.
    stack.kill(Part::Agent).await.unwrap();
    let url = format!("{}/api/v1{node}", stack.url(Part::WebUi));
    until("the node is down", PATIENCE, || async {
        let body = get_json(&url).await?;
        let is_down = body["node"]["state"] == "down" && body["node"]["seen"].is_i64() && body["error"].is_string();
        is_down.then_some(()).ok_or_else(|| anyhow::anyhow!("{body}"))
    })
    .await
    .unwrap();

    // How the check was is known all the same, and what the node said last.
    let history = get_json(&format!("{url}/history?check=demo")).await.unwrap();
    let states: Vec<_> = history["runs"].as_array().unwrap().iter().map(|run| run["state"].clone()).collect();
    assert!(states.contains(&json!("critical")) && states[0] == json!(null), "{history}");
    assert_eq!(history["fired"], json!([{"alertname": "CheckCritical", "times": 1}]), "{history}");
    let page = get_text(&format!("{}{node}", stack.url(Part::WebUi))).await.unwrap();
    assert!(page.contains("check_disk") && page.contains("<rect class=\"critical\""), "{page}");
    stack.stop(Part::WebUi).await.unwrap();
}

#[tokio::test]
async fn servers_that_die_are_told_and_come_back() {
    let (mut stack, _data) = stack().await;
    let url = format!("{}/api/v1/clusters", stack.url(Part::WebUi));
    for (part, kind) in [(Part::Prometheus, "prometheus"), (Part::Alertmanager, "alertmanager")] {
        let answers = |wanted: bool| {
            let url = &url;
            until("web-ui tells", PATIENCE, move || async move {
                let clusters = get_json(url).await?;
                let answers = clusters[0][kind]["answers"] == wanted;
                answers.then_some(()).ok_or_else(|| anyhow::anyhow!("{clusters}"))
            })
        };
        answers(true).await.unwrap();
        stack.kill(part).await.unwrap();
        answers(false).await.unwrap();
        stack.spawn(part).await.unwrap();
        answers(true).await.unwrap();
    }
}
