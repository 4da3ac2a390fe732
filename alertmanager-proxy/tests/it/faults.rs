//! Nodes that do not answer, or answer something else: the alert goes on, and says why.

use serde_json::{Value, json};

use crate::alertmanager::Alertmanager;
use crate::node::Node;
use crate::world::{Proxy, alert, closed_port, config};

#[tokio::test]
async fn the_alert_says_in_words_why_there_is_no_detail() {
    let (node, mut alertmanager) = (Node::start().await, Alertmanager::start().await);
    let limits = "hold: 20s\nfetch: {timeout: 300ms, max_response_bytes: 100000}";
    let proxy = Proxy::start(&config(&[alertmanager.address], limits));
    for (check, says) in [
        ("hung", "did not answer in time"),
        ("drip", "did not answer in time"),
        ("html", "answered with something else than a check result"),
        ("wrong", "answered with something else than a check result"),
        ("unknown", "has no result of this check: no result of check unknown"),
        ("twice", "has more than one such check: 2 checks match"),
        ("elsewhere", "answered 302 Found"),
        ("huge", "answered with more than 100000 bytes"),
        ("endless", "answered with more than 100000 bytes"),
    ] {
        proxy.post(&json!([alert(check, node.address)])).await;
        let taken = alertmanager.next().await;
        let error = taken["annotations"]["detail_error"].as_str().unwrap();
        assert!(error.contains(says) && error.contains(&node.address.to_string()), "{check}: {error}");
        assert_eq!(
            (&taken["annotations"]["summary"], &taken["annotations"]["output"]),
            (&json!("a check failed"), &Value::Null)
        );
    }
    proxy.post(&json!([alert("disk", closed_port().await)])).await;
    let error = alertmanager.next().await["annotations"]["detail_error"].take();
    assert!(error.as_str().unwrap().contains("Connection refused"), "{error}");
}

#[tokio::test]
async fn a_late_detail_delays_nobody_and_comes_with_the_next_resend() {
    let (node, mut alertmanager) = (Node::start().await, Alertmanager::start().await);
    let proxy = Proxy::start(&config(&[alertmanager.address], "hold: 50ms\nfetch: {timeout: 20s}"));
    let alerts = json!([alert("gated", node.address)]);
    proxy.post(&alerts).await;
    let error = alertmanager.next().await["annotations"]["detail_error"].take();
    assert_eq!(error, format!("{} did not answer within 50ms", node.address));
    node.open();
    loop {
        proxy.post(&alerts).await;
        let annotations = alertmanager.next().await["annotations"].take();
        if annotations["output"] == "CRITICAL: / 93%" {
            assert_eq!(annotations["detail_error"], Value::Null);
            break;
        }
    }
}

#[tokio::test]
async fn a_node_that_fails_later_takes_no_output_away() {
    let (node, mut alertmanager) = (Node::start().await, Alertmanager::start().await);
    let proxy = Proxy::start(&config(&[alertmanager.address], "fetch: {timeout: 300ms}"));
    let firing = alert("disk", node.address);
    proxy.post(&json!([firing])).await;
    assert_eq!(alertmanager.next().await["annotations"]["output"], "CRITICAL: / 93%");
    let moved = config(&[alertmanager.address], "fetch: {timeout: 300ms}");
    proxy.configure(&moved.replace("{{ labels.check }}", "hung"));
    assert_eq!(proxy.client.post(proxy.url("/-/reload")).send().await.unwrap().status(), 200);
    proxy.post(&json!([crate::world::resolved(firing)])).await;
    let annotations = alertmanager.next().await["annotations"].take();
    assert_eq!(annotations["output"], "CRITICAL: / 93%");
    assert!(annotations["detail_error"].as_str().unwrap().contains("did not answer"), "{annotations}");
    assert!(annotations["detail_age"].as_str().unwrap().ends_with("old"), "{annotations}");
}

#[tokio::test]
async fn what_is_not_allowed_is_not_asked() {
    let (node, mut alertmanager) = (Node::start().await, Alertmanager::start().await);
    let config = config(&[alertmanager.address], "").replace("127.0.0.0/8", "10.0.0.0/8");
    let proxy = Proxy::start(&config);
    let port = node.address.port();
    for instance in ["127.0.0.1", "localhost", "2130706433", "0x7f.1", "[::ffff:127.0.0.1]"] {
        let mut alert = alert("disk", node.address);
        alert["labels"]["instance"] = json!(format!("{instance}:{port}"));
        proxy.post(&json!([alert])).await;
        let error = alertmanager.next().await["annotations"]["detail_error"].take();
        assert!(error.as_str().unwrap().contains("is not in the networks that `allow` lists"), "{instance}: {error}");
    }
    assert_eq!(node.asked(), 0);
}

#[tokio::test]
async fn a_failure_is_taken_for_granted_for_a_while() {
    let (node, mut alertmanager) = (Node::start().await, Alertmanager::start().await);
    let proxy = Proxy::start(&config(&[alertmanager.address], ""));
    for number in 0..3 {
        let mut alert = alert("unknown", node.address);
        alert["labels"]["number"] = json!(number.to_string());
        proxy.post(&json!([alert])).await;
        alertmanager.next().await;
    }
    assert_eq!(node.asked(), 1);
}
