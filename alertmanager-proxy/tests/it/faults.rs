//! Nodes that do not answer, or answer something else: the alert goes on, and says why.

use serde_json::{Value, json};
use tokio::time::timeout;

use crate::alertmanager::Alertmanager;
use crate::node::Node;
use crate::world::{PATIENCE, Proxy, alert, closed_port, config, resolved};

#[tokio::test]
async fn the_alert_says_in_words_why_there_is_no_detail() {
    let (node, mut alertmanager) = (Node::start().await, Alertmanager::start().await);
    let impatient = Proxy::start(&config(&[alertmanager.address], "hold: 20s\nfetch: {timeout: 300ms}"));
    let limits = "hold: 20s\nfetch: {timeout: 20s, max_response_bytes: 100000}";
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
        ("bomb", "answered with something else than a check result"),
    ] {
        let asked = if says == "did not answer in time" { &impatient } else { &proxy };
        asked.post(&json!([alert(check, node.address)])).await;
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
async fn a_node_that_answers_at_great_length_has_its_alerts_go_on_and_those_of_others() {
    let (long, node, mut alertmanager) = (Node::start().await, Node::start().await, Alertmanager::start().await);
    let proxy = Proxy::start(&config(&[alertmanager.address], "hold: 20s\nfetch: {timeout: 20s}"));
    let alerts = [("numbers", &long), ("attributes", &long), ("disk", &node)];
    proxy.post(&alerts.map(|(check, node)| alert(check, node.address)).into_iter().collect()).await;
    for _ in alerts {
        let taken = alertmanager.next().await;
        let (output, error) = (&taken["annotations"]["output"], &taken["annotations"]["detail_error"]);
        if taken["labels"]["check"] == "numbers" {
            assert!(error.as_str().unwrap().ends_with("a check result: more than 10000 JSON values"), "{error}");
        } else {
            assert_eq!((output, error), (&json!("CRITICAL: / 93%"), &Value::Null));
        }
    }
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
async fn a_late_detail_is_posted_by_itself_unless_a_resend_has_taken_it_along() {
    let (node, mut alertmanager) = (Node::start().await, Alertmanager::start().await);
    let proxy = Proxy::start(&config(&[alertmanager.address], "hold: 50ms\nfetch: {timeout: 20s}"));
    let (resent, mut alone) = (alert("gated", node.address), alert("gated", node.address));
    alone["labels"]["source"] = json!("alone");
    proxy.post(&json!([resent])).await;
    assert!(alertmanager.next().await["annotations"]["detail_error"].is_string());
    node.open();
    let taken_along = async {
        loop {
            proxy.post(&json!([resent])).await;
            if alertmanager.next().await["annotations"]["output"].is_string() {
                break;
            }
        }
    };
    timeout(PATIENCE, taken_along).await.expect("its detail is there");
    node.close();
    assert_eq!(proxy.metric("alertmanager_proxy_late_alerts ").await, Some(0.0));
    proxy.post(&json!([alone])).await;
    assert!(alertmanager.next().await["annotations"]["detail_error"].is_string());
    assert_eq!(proxy.metric("alertmanager_proxy_late_alerts ").await, Some(1.0));
    node.open();
    // The other one would have been posted before.
    let second = alertmanager.next().await;
    assert_eq!((&second["labels"], &second["endsAt"]), (&alone["labels"], &alone["endsAt"]));
    assert_eq!(second["annotations"]["output"], "CRITICAL: / 93%");
    assert_eq!(second["annotations"]["detail_error"], Value::Null);
    assert_eq!(proxy.metric("alertmanager_proxy_enrichments_total{outcome=\"late\"}").await, Some(1.0));
    assert_eq!(proxy.metric("alertmanager_proxy_late_alerts ").await, Some(0.0));
}

#[tokio::test]
async fn a_late_detail_brings_no_alert_back_that_was_resolved_meanwhile() {
    let (node, mut alertmanager) = (Node::start().await, Alertmanager::start().await);
    let proxy = Proxy::start(&config(&[alertmanager.address], "hold: 50ms\nfetch: {timeout: 20s}"));
    let (firing, mut other) = (alert("gated", node.address), alert("gated", node.address));
    other["labels"]["source"] = json!("other");
    proxy.post(&json!([firing])).await;
    alertmanager.next().await;
    let end = resolved(firing);
    proxy.post(&json!([end])).await;
    assert_eq!(alertmanager.next().await["endsAt"], end["endsAt"]);
    proxy.post(&json!([other])).await;
    alertmanager.next().await;
    node.open();
    for second in [alertmanager.next().await, alertmanager.next().await] {
        let posted = if second["labels"] == end["labels"] { &end } else { &other };
        assert_eq!((&second["labels"], &second["endsAt"]), (&posted["labels"], &posted["endsAt"]));
    }
    assert_eq!(alertmanager.unseen(), Vec::<Value>::new(), "neither does one of the first post come");
}

#[tokio::test]
async fn a_node_that_hangs_later_gives_each_refresh_its_verdict() {
    let (node, mut alertmanager) = (Node::start().await, Alertmanager::start().await);
    let limits =
        "hold: 20s\nfetch: {timeout: 3s, cache: 1ms, concurrency_per_node: 1, breaker: {failures: 1, rest: 1h}}";
    let proxy = Proxy::start(&config(&[alertmanager.address], limits));
    let alerts: Value = (0..20)
        .map(|number| {
            let mut alert = alert("gated", node.address);
            alert["labels"]["source"] = json!(number.to_string());
            alert
        })
        .collect();
    node.open();
    for _ in 0..2 {
        proxy.post(&alerts).await;
        for _ in 0..20 {
            assert_eq!(alertmanager.next().await["annotations"]["output"], "CRITICAL: / 93%");
        }
        node.close();
    }
    let outcome = |outcome: &str| format!("alertmanager_proxy_detail_fetches_total{{outcome=\"{outcome}\"}}");
    proxy.until_metric(&outcome("timeout"), 1.0).await;
    proxy.until_metric(&outcome("circuit_open"), 19.0).await;
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
    proxy.post(&json!([crate::world::resolved(firing.clone())])).await;
    let annotations = alertmanager.next().await["annotations"].take();
    assert_eq!(annotations["output"], "CRITICAL: / 93%");
    assert!(annotations["detail_error"].as_str().unwrap().contains("did not answer"), "{annotations}");
    assert!(annotations["detail_age"].as_str().unwrap().ends_with("old"), "{annotations}");
    proxy.post(&json!([firing])).await;
    let annotations = alertmanager.next().await["annotations"].take();
    assert!(annotations["output"].is_null(), "the output of an alert that is over: {annotations}");
    assert!(annotations["detail_error"].as_str().unwrap().contains("did not answer"), "{annotations}");
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

#[tokio::test]
async fn a_node_that_failed_at_first_gives_its_output_with_the_next_post() {
    let (node, mut alertmanager) = (Node::start().await, Alertmanager::start().await);
    let fetch = |failure_cache| format!("fetch: {{timeout: 300ms, failure_cache: {failure_cache}}}");
    let proxy = Proxy::start(&config(&[alertmanager.address], &fetch("1h")).replace("{{ labels.check }}", "wrong"));
    let firing = alert("disk", node.address);
    for _ in 0..2 {
        proxy.post(&json!([firing])).await;
        let annotations = alertmanager.next().await["annotations"].take();
        assert!(annotations["output"].is_null() && annotations["detail_error"].is_string(), "{annotations}");
    }
    assert_eq!(node.asked(), 1);
    proxy.configure(&config(&[alertmanager.address], &fetch("1ms")));
    assert_eq!(proxy.client.post(proxy.url("/-/reload")).send().await.unwrap().status(), 200);
    proxy.post(&json!([firing])).await;
    let annotations = alertmanager.next().await["annotations"].take();
    assert_eq!((&annotations["output"], &annotations["detail_error"]), (&json!("CRITICAL: / 93%"), &Value::Null));
}

#[tokio::test]
async fn what_came_of_a_late_fetch_is_told_although_the_next_is_late_too() {
    let (node, mut alertmanager) = (Node::start().await, Alertmanager::start().await);
    let waits = "hold: 100ms\nfetch: {timeout: 300ms, failure_cache: 1ms, breaker: {failures: 1000}}";
    let proxy = Proxy::start(&config(&[alertmanager.address], waits));
    let mut told = async || {
        proxy.post(&json!([alert("hung", node.address)])).await;
        alertmanager.next().await["annotations"]["detail_error"].as_str().unwrap().to_owned()
    };
    assert!(told().await.ends_with("did not answer within 100ms"));
    let exact = async { while told().await.ends_with("within 100ms") {} };
    timeout(PATIENCE, exact).await.expect("the node's own time is over");
}

/// Alerts of so many checks of a node that never answers.
fn hanging(node: &Node, checks: std::ops::Range<usize>) -> Value {
    checks.map(|number| alert(&format!("hung-{number}"), node.address)).collect()
}

#[tokio::test]
async fn a_node_that_hangs_is_asked_few_times_and_costs_no_other_node_its_detail() {
    let (hung, fine, mut alertmanager) = (Node::start().await, Node::start().await, Alertmanager::start().await);
    let fetch = "hold: 20s\nfetch: {timeout: 300ms, concurrency: 3, concurrency_per_node: 2, breaker: {failures: 2}}";
    let proxy = Proxy::start(&config(&[alertmanager.address], fetch));
    proxy.post(&hanging(&hung, 0..50)).await;
    proxy.post(&json!([alert("disk", fine.address)])).await;
    let mut outputs = Vec::new();
    for _ in 0..51 {
        let annotations = alertmanager.next().await["annotations"].take();
        match annotations["output"].as_str() {
            Some(output) => outputs.push(output.to_owned()),
            None => {
                let error = annotations["detail_error"].as_str().unwrap();
                assert!(error.contains(&format!("{} did not answer in time", hung.address)), "{error}");
            }
        }
    }
    assert_eq!(outputs, ["CRITICAL: / 93%"]);
    // The first of the two that fail may let one more in before the second opens the circuit.
    assert!(hung.asked() <= 3, "{}", hung.asked());
    assert_eq!(proxy.metric("alertmanager_proxy_circuits_open").await, Some(1.0));
    assert_eq!(proxy.metric("alertmanager_proxy_circuits_opened_total").await, Some(1.0));
    let fetches = |outcome| format!("alertmanager_proxy_detail_fetches_total{{outcome=\"{outcome}\"}}");
    let (timeout, open) = (proxy.metric(&fetches("timeout")).await, proxy.metric(&fetches("circuit_open")).await);
    assert_eq!((timeout, open), (Some(hung.asked() as f64), Some((50 - hung.asked()) as f64)));
}

#[tokio::test]
async fn nodes_that_hang_keep_the_others_waiting_for_a_moment_only() {
    let (hung, fine, mut alertmanager) = (Node::start().await, Node::start().await, Alertmanager::start().await);
    let limits = "hold: 20s\nfetch: {timeout: 20s, concurrency: 8}";
    let proxy = Proxy::start(&config(&[alertmanager.address], limits));
    proxy.post(&hanging(&hung, 0..3)).await;
    proxy.post(&json!([alert("disk", fine.address)])).await;
    assert_eq!(alertmanager.next().await["annotations"]["output"], "CRITICAL: / 93%");
}

#[tokio::test]
async fn alerts_that_queue_for_their_node_keep_no_others_waiting() {
    let (hung, fine, mut alertmanager) = (Node::start().await, Node::start().await, Alertmanager::start().await);
    let limits = "hold: 20s\nfetch: {timeout: 20s, concurrency: 8, concurrency_per_node: 1}";
    let proxy = Proxy::start(&config(&[alertmanager.address], limits));
    proxy.post(&hanging(&hung, 0..1_000)).await;
    proxy.post(&json!([alert("disk", fine.address)])).await;
    assert_eq!(alertmanager.next().await["annotations"]["output"], "CRITICAL: / 93%");
}

#[tokio::test]
async fn a_node_that_answers_again_is_asked_again() {
    let (node, mut alertmanager) = (Node::start().await, Alertmanager::start().await);
    let fetch = "hold: 20s\nfetch: {timeout: 300ms, failure_cache: 1ms, cache: 1ms, breaker: {failures: 1, rest: 1ms}}";
    let proxy = Proxy::start(&config(&[alertmanager.address], fetch));
    proxy.post(&json!([alert("gated", node.address)])).await;
    let error = alertmanager.next().await["annotations"]["detail_error"].take();
    assert!(error.as_str().unwrap().contains("did not answer in time"), "{error}");
    assert_eq!(proxy.metric("alertmanager_proxy_circuits_open").await, Some(1.0));
    node.open();
    loop {
        proxy.post(&json!([alert("gated", node.address)])).await;
        if alertmanager.next().await["annotations"]["output"] == "CRITICAL: / 93%" {
            break;
        }
    }
    assert_eq!(proxy.metric("alertmanager_proxy_circuits_open").await, Some(0.0));
}

#[tokio::test]
async fn a_port_that_is_not_allowed_is_not_asked() {
    let (node, mut alertmanager) = (Node::start().await, Alertmanager::start().await);
    let config = config(&[alertmanager.address], "").replace("allow:", "allow_ports: [80, \"1-2\"]\n    allow:");
    let proxy = Proxy::start(&config);
    proxy.post(&json!([alert("disk", node.address)])).await;
    let error = alertmanager.next().await["annotations"]["detail_error"].take();
    let says = format!("port {} is not among those that `allow_ports` lists", node.address.port());
    assert!(error.as_str().unwrap().contains(&says), "{error}");
    assert_eq!(node.asked(), 0);
}
