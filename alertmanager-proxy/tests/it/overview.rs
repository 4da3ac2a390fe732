//! What the proxy tells of the alerts that it knows.

use serde_json::{Value, json};

use crate::alertmanager::Alertmanager;
use crate::node::Node;
use crate::world::{Proxy, alert, closed_port, config, resolved};

async fn listed(proxy: &Proxy, query: &str) -> Value {
    let (status, body) = proxy.get(&format!("/-/proxy/api/alerts{query}")).await;
    assert_eq!(status, 200, "{body}");
    serde_json::from_str(&body).unwrap()
}

#[tokio::test]
async fn every_alert_is_listed_with_how_it_stands_with_its_detail() {
    let (node, down, mut alertmanager) = (Node::start().await, closed_port().await, Alertmanager::start().await);
    let more = "hold: 20s\nfetch: {timeout: 20s}\nannotations: {bad: \"{{ 1 / (labels.zero|default(1)|int) }}\"}";
    let proxy = Proxy::start(&config(&[alertmanager.address], more));
    let mut incomplete = alert("incomplete", node.address);
    incomplete["labels"]["zero"] = json!("0");
    let mut nowhere = alert("nowhere", node.address);
    nowhere["labels"]["instance"] = json!("");
    let alerts = [alert("disk", node.address), alert("refused", down), incomplete, nowhere];
    proxy.post(&json!(alerts)).await;
    for _ in &alerts {
        alertmanager.next().await;
    }
    proxy.post(&json!([alert("gated", node.address), {"labels": {"alertname": "NodeDown"}}])).await;
    assert_eq!(alertmanager.next().await["labels"]["alertname"], "NodeDown", "it needs no detail");
    let all = listed(&proxy, "").await;
    assert_eq!(
        all["states"],
        json!({"failed": 2, "outdated": 0, "incomplete": 1, "waiting": 1, "enriched": 1}),
        "an alert without a source is not listed"
    );
    let find = |check: &str| {
        let alerts = all["alerts"].as_array().unwrap();
        alerts.iter().find(|alert| alert["labels"]["check"] == check).unwrap().clone()
    };
    assert_eq!((&find("disk")["state"], &find("disk")["output"]), (&json!("enriched"), &json!("CRITICAL: / 93%")));
    assert_eq!((&find("disk")["attempts"], &find("disk")["error"]), (&json!(1), &Value::Null));
    assert_eq!((&find("gated")["state"], &find("gated")["attempts"]), (&json!("waiting"), &json!(0)));
    assert_eq!((&find("refused")["node"], &find("refused")["state"]), (&json!(down.to_string()), &json!("failed")));
    assert!(find("refused")["error"].as_str().unwrap().contains("Connection refused"));
    assert!(find("nowhere")["error"].as_str().unwrap().contains("no label instance"));
    assert!(find("incomplete")["error"].as_str().unwrap().contains("annotation bad fails"));
    node.open();
    alertmanager.next().await;
    let found = listed(&proxy, "?state=enriched&find=GATED&limit=1").await;
    assert_eq!((&found["total"], &found["alerts"][0]["labels"]["check"]), (&json!(1), &json!("gated")));
    assert_eq!(proxy.get("/-/proxy/api/alerts?state=x").await.0, 400);
}

#[tokio::test]
async fn a_detail_that_could_not_be_renewed_is_outdated() {
    let (node, mut alertmanager) = (Node::start().await, Alertmanager::start().await);
    let fetch = "fetch: {timeout: 300ms}";
    let proxy = Proxy::start(&config(&[alertmanager.address], fetch));
    proxy.post(&json!([alert("gated", node.address)])).await;
    node.open();
    alertmanager.next().await;
    node.close();
    proxy.post(&json!([resolved(alert("gated", node.address))])).await;
    alertmanager.next().await;
    let alert = listed(&proxy, "").await["alerts"][0].take();
    assert_eq!((&alert["state"], &alert["resolved"]), (&json!("outdated"), &json!(true)));
    assert_eq!((&alert["attempts"], &alert["output"]), (&json!(2), &json!("CRITICAL: / 93%")));
}

#[tokio::test]
async fn the_page_is_html_that_escapes_what_it_shows() {
    let (node, mut alertmanager) = (Node::start().await, Alertmanager::start().await);
    let proxy = Proxy::start(&config(&[alertmanager.address], ""));
    node.says(2, "<script>alert(1)</script> & \"more\"\n");
    let mut hostile = alert("disk", node.address);
    hostile["labels"]["x"] = json!("\"><img src=x>");
    proxy.post(&json!([hostile])).await;
    alertmanager.next().await;
    let answer = proxy.client.get(proxy.url("/-/proxy/?find=%22%3Cb%3E")).send().await.unwrap();
    assert!(answer.headers()["content-security-policy"].to_str().unwrap().starts_with("default-src 'none'"));
    let (status, empty) = crate::world::read(answer).await;
    assert_eq!(status, 200);
    assert!(empty.contains("value=\"&#34;&#60;b&#62;\"") && empty.contains("No alert is here"), "{empty}");
    let (_, page) = proxy.get("/-/proxy/").await;
    for text in ["&#60;script&#62;alert(1)", "&#34;&#62;&#60;img src=x&#62;", "<b class=\"state\">enriched</b>"] {
        assert!(page.contains(text), "{text}: {page}");
    }
    assert!(!page.contains("<script>") && !page.contains("<img"), "{page}");
    assert_eq!(proxy.get("/-/proxy/style.css").await.0, 200);
}

#[tokio::test]
async fn many_alerts_make_pages() {
    let mut alertmanager = Alertmanager::start().await;
    let proxy = Proxy::start(&config(&[alertmanager.address], ""));
    let alerts = (0..250).map(|number| json!({"labels": {"alertname": "CheckCritical", "check": number.to_string()}}));
    proxy.post(&alerts.collect()).await;
    for _ in 0..250 {
        alertmanager.next().await;
    }
    let (_, page) = proxy.get("/-/proxy/?page=2").await;
    assert_eq!(page.matches("<tr class=").count(), 100);
    assert!(page.contains("Page 2 of 3, 250 alerts") && page.contains("&#38;page=3") && page.contains("&#38;page=1"));
    assert_eq!(listed(&proxy, "?limit=200&page=2").await["alerts"].as_array().unwrap().len(), 50);
}
