//! What alerts are given, and when they go on.

use serde_json::{Value, json};

use crate::alertmanager::Alertmanager;
use crate::node::Node;
use crate::world::{Proxy, ago, alert, config, resolved};

#[tokio::test]
async fn the_first_post_carries_the_output_to_every_alertmanager() {
    let (node, mut one, mut two) = (Node::start().await, Alertmanager::start().await, Alertmanager::start().await);
    let proxy = Proxy::start(&config(&[one.address, two.address], ""));
    let mut posted = alert("disk", node.address);
    posted["annotations"]["command"] = json!("the rule's own");
    posted["extra"] = json!({"kept": [1, 2.50]});
    assert_eq!(proxy.post(&json!([posted])).await, 200);
    for alertmanager in [&mut one, &mut two] {
        let mut taken = alertmanager.next().await;
        let annotations = taken["annotations"].take();
        for (name, text) in [
            ("summary", "a check failed"),
            ("output", "CRITICAL: / 93%"),
            ("output_detail", "CRITICAL: / 93%"),
            ("client", "web-1"),
            ("address", "10.0.0.1"),
            ("subscriptions", "base,web"),
            ("status_word", "CRITICAL"),
            ("occurrences", "4"),
            ("command", "the rule's own"),
        ] {
            assert_eq!(annotations[name], text, "{name}");
        }
        assert_eq!(annotations["detail_url"], format!("http://{}/api/v1/checks/disk", node.address));
        assert_eq!(annotations["detail_error"], Value::Null);
        let mut rest = posted.clone();
        rest["annotations"] = Value::Null;
        assert_eq!(taken, rest, "all but the annotations is as it was posted");
    }
    assert_eq!(proxy.metric("alertmanager_proxy_enrichments_total{outcome=\"fetched\"}").await, Some(1.0));
}

#[tokio::test]
async fn the_longest_output_that_an_agent_keeps_gives_its_detail_whatever_it_holds() {
    let (node, mut alertmanager) = (Node::start().await, Alertmanager::start().await);
    let proxy = Proxy::start(&config(&[alertmanager.address], "hold: 20s\nfetch: {timeout: 20s}"));
    // Six bytes of JSON each.
    let controls = "\u{1}".repeat((1 << 20) - 16);
    node.says(2, &format!("CRITICAL: / 93%\n{controls}"));
    proxy.post(&json!([alert("disk", node.address)])).await;
    let annotations = alertmanager.next().await["annotations"].take();
    assert_eq!((&annotations["output"], &annotations["detail_error"]), (&json!("CRITICAL: / 93%"), &Value::Null));
}

#[tokio::test]
async fn a_resend_keeps_the_output_and_asks_nobody() {
    let (node, mut alertmanager) = (Node::start().await, Alertmanager::start().await);
    let proxy = Proxy::start(&config(&[alertmanager.address], ""));
    let alerts = json!([alert("disk", node.address)]);
    proxy.post(&alerts).await;
    let first = alertmanager.next().await;
    node.says(2, "CRITICAL: / 99%\n");
    proxy.post(&alerts).await;
    assert_eq!(alertmanager.next().await, first);
    // The other Prometheus evaluates at another time.
    let mut replica = alerts[0].clone();
    replica["startsAt"] = json!(ago(45));
    proxy.post(&json!([replica])).await;
    let other = alertmanager.next().await;
    assert_eq!((&other["annotations"], &other["startsAt"]), (&first["annotations"], &replica["startsAt"]));
    assert_eq!(node.asked(), 1);
}

#[tokio::test]
async fn what_is_old_is_refreshed_behind_the_back_of_resends() {
    let (node, mut alertmanager) = (Node::start().await, Alertmanager::start().await);
    let proxy = Proxy::start(&config(&[alertmanager.address], "fetch: {cache: 1ms}"));
    let alerts = json!([alert("disk", node.address)]);
    proxy.post(&alerts).await;
    assert_eq!(alertmanager.next().await["annotations"]["output"], "CRITICAL: / 93%");
    node.says(2, "CRITICAL: / 99%\n");
    loop {
        proxy.post(&alerts).await;
        if alertmanager.next().await["annotations"]["output"] == "CRITICAL: / 99%" {
            break;
        }
    }
}

#[tokio::test]
async fn everything_old_is_refreshed_however_much_is_resent_at_once() {
    let (node, mut alertmanager) = (Node::start().await, Alertmanager::start().await);
    let limits = "hold: 20s\nfetch: {timeout: 20s, cache: 1ms, concurrency_per_node: 1000}";
    let proxy = Proxy::start(&config(&[alertmanager.address], limits));
    let alerts: Value = (0..300)
        .map(|number| {
            let mut alert = alert("gated", node.address);
            alert["labels"]["source"] = json!(number.to_string());
            alert
        })
        .collect();
    node.open();
    for _ in 0..2 {
        proxy.post(&alerts).await;
        for _ in 0..300 {
            assert_eq!(alertmanager.next().await["annotations"]["output"], "CRITICAL: / 93%");
        }
        node.close();
    }
    node.open();
    proxy.until_metric("alertmanager_proxy_detail_fetches_total{outcome=\"ok\"}", 600.0).await;
    assert_eq!(node.asked(), 600);
    assert_eq!(proxy.metric("alertmanager_proxy_detail_refreshes_skipped_total").await, Some(0.0));
}

#[tokio::test]
async fn a_resolved_alert_says_what_the_check_says_now() {
    let (node, mut alertmanager) = (Node::start().await, Alertmanager::start().await);
    let proxy = Proxy::start(&config(&[alertmanager.address], ""));
    let firing = alert("disk", node.address);
    proxy.post(&json!([firing])).await;
    assert_eq!(alertmanager.next().await["annotations"]["status_word"], "CRITICAL");
    node.says(0, "OK: / 40%\n");
    let resolved = resolved(firing);
    proxy.post(&json!([resolved])).await;
    let taken = alertmanager.next().await;
    assert_eq!((&taken["annotations"]["output"], &taken["endsAt"]), (&json!("OK: / 40%"), &resolved["endsAt"]));
    assert_eq!(taken["annotations"]["status_word"], "OK");
}

#[tokio::test]
async fn a_resolved_alert_does_not_take_what_was_asked_for_before() {
    let (node, mut alertmanager) = (Node::start().await, Alertmanager::start().await);
    let proxy = Proxy::start(&config(&[alertmanager.address], "hold: 20s\nfetch: {timeout: 20s, cache: 1ms}"));
    let firing = alert("gated", node.address);
    node.open();
    proxy.post(&json!([firing])).await;
    alertmanager.next().await;
    node.close();
    while node.asked() < 2 {
        proxy.post(&json!([firing])).await;
        alertmanager.next().await;
    }
    node.says(0, "OK: / 40%\n");
    proxy.post(&json!([resolved(firing)])).await;
    node.open();
    assert_eq!(alertmanager.next().await["annotations"]["output"], "OK: / 40%");
    assert!(node.asked() >= 3, "it was asked for anew; and so may what fired have been, once more");
}

#[tokio::test]
async fn a_resolved_alert_keeps_the_output_that_it_was_resolved_with() {
    let (node, mut alertmanager) = (Node::start().await, Alertmanager::start().await);
    let proxy = Proxy::start(&config(&[alertmanager.address], "fetch: {cache: 1ms}"));
    node.says(0, "OK: / 40%\n");
    let alerts = json!([resolved(alert("disk", node.address))]);
    for _ in 0..3 {
        proxy.post(&alerts).await;
        assert_eq!(alertmanager.next().await["annotations"]["output"], "OK: / 40%");
        node.says(2, "CRITICAL: / 93%, but later\n");
    }
    assert_eq!(node.asked(), 1);
}

#[tokio::test]
async fn an_alert_without_a_source_goes_on_untouched() {
    let (node, mut alertmanager) = (Node::start().await, Alertmanager::start().await);
    let proxy = Proxy::start(&config(&[alertmanager.address], ""));
    let bare = json!({"labels": {"alertname": "NodeDown", "instance": node.address.to_string()}});
    proxy.post(&json!([bare])).await;
    assert_eq!((alertmanager.next().await, node.asked()), (bare, 0));
}

#[tokio::test]
async fn one_fetch_serves_all_alerts_of_a_check() {
    let (node, mut alertmanager) = (Node::start().await, Alertmanager::start().await);
    let proxy = Proxy::start(&config(&[alertmanager.address], ""));
    let alerts = (0..50).map(|number| {
        let mut alert = alert("gated", node.address);
        alert["labels"]["number"] = json!(number.to_string());
        alert
    });
    proxy.post(&alerts.collect()).await;
    node.open();
    for _ in 0..50 {
        assert_eq!(alertmanager.next().await["annotations"]["output"], "CRITICAL: / 93%");
    }
    assert_eq!(node.asked(), 1);
}

#[tokio::test]
async fn an_alert_that_is_resolved_while_it_is_held_goes_on_once() {
    let (node, mut alertmanager) = (Node::start().await, Alertmanager::start().await);
    let proxy = Proxy::start(&config(&[alertmanager.address], "hold: 20s\nfetch: {timeout: 20s}"));
    let firing = alert("gated", node.address);
    let resolved = resolved(firing.clone());
    proxy.post(&json!([firing])).await;
    node.was_asked(1).await;
    node.says(0, "OK: / 40%\n");
    proxy.post(&json!([resolved, {"labels": {"alertname": "NodeDown"}}])).await;
    assert_eq!(alertmanager.next().await["labels"]["alertname"], "NodeDown", "the one before it is held by now");
    node.open();
    let taken = alertmanager.next().await;
    assert_eq!((&taken["annotations"]["output"], &taken["endsAt"]), (&json!("OK: / 40%"), &resolved["endsAt"]));
    proxy.stopped().await;
    assert_eq!(alertmanager.unseen(), Vec::<Value>::new());
}

#[tokio::test]
async fn templates_add_replace_and_leave_out_annotations() {
    let (node, mut alertmanager) = (Node::start().await, Alertmanager::start().await);
    let own = "annotations: {output: '{{ output|lower }}', wiki: 'https://wiki/{{ labels.check }}', client: ''}";
    let written = config(&[alertmanager.address], "annotations: {wiki: everywhere, address: '<{{ address }}>'}");
    let proxy = Proxy::start(&written.replace("    allow:", &format!("    {own}\n    allow:")));
    proxy.post(&json!([alert("disk", node.address)])).await;
    let annotations = alertmanager.next().await["annotations"].take();
    for (name, text) in [
        ("output", json!("critical: / 93%")),
        ("output_detail", json!("CRITICAL: / 93%")),
        ("wiki", json!("https://wiki/disk")),
        ("address", json!("<10.0.0.1>")),
        ("client", Value::Null),
        ("detail_error", Value::Null),
    ] {
        assert_eq!(annotations[name], text, "{name}");
    }
}

#[tokio::test]
async fn a_template_that_fails_is_told_and_costs_nothing_else() {
    let (node, mut alertmanager) = (Node::start().await, Alertmanager::start().await);
    let proxy =
        Proxy::start(&config(&[alertmanager.address], "annotations: {ratio: '{{ 1 / (occurrences|int - 4) }}'}"));
    let firing = alert("disk", node.address);
    let resolved = resolved(firing.clone());
    for posted in [&firing, &firing, &resolved, &resolved] {
        proxy.post(&json!([posted])).await;
        let annotations = alertmanager.next().await["annotations"].take();
        assert_eq!((&annotations["output"], &annotations["ratio"]), (&json!("CRITICAL: / 93%"), &Value::Null));
        let error = annotations["detail_error"].as_str().unwrap();
        assert!(error.starts_with("the template of the annotation ratio fails: "), "{error}");
    }
    assert_eq!(node.asked(), 2, "an answer is an answer");
    assert_eq!(proxy.metric("alertmanager_proxy_annotation_template_failures_total").await, Some(2.0));
}
