//! Alertmanagers that DNS knows, and names of nodes.

use std::net::Ipv4Addr;

use serde_json::{Value, json};

use crate::alertmanager::Alertmanager;
use crate::names::{Names, Says};
use crate::node::Node;
use crate::world::{Proxy, alert, config};

const NAME: &str = "_am._tcp.test";

fn plain(name: &str) -> Value {
    json!({"labels": {"alertname": name}})
}

fn found_in(names: &Names, more: &str) -> String {
    let server = names.address;
    format!(
        "nameservers: [\"{server}\"]\nalertmanagers:\n- dns_sd_configs: \
         [{{names: [{NAME}], refresh_interval: 10ms}}]\n{more}"
    )
}

#[tokio::test]
async fn alertmanagers_come_and_go_with_their_srv_records() {
    let (names, mut one, mut two) = (Names::start().await, Alertmanager::start().await, Alertmanager::start().await);
    names.set(NAME, Says::Services(vec![one.address.port()]));
    let proxy = Proxy::start(&found_in(&names, ""));
    proxy.post(&json!([plain("a")])).await;
    assert_eq!(one.next().await, plain("a"), "posted before the first look-up or after it");
    names.set(NAME, Says::Services(vec![two.address.port(), one.address.port()]));
    // What was asked for before the change may have been answered after it.
    names.asked(NAME, 3).await;
    proxy.post(&json!([plain("b")])).await;
    assert_eq!((one.next().await, two.next().await), (plain("b"), plain("b")));
    names.set(NAME, Says::Services(vec![two.address.port()]));
    names.asked(NAME, 3).await;
    proxy.post(&json!([plain("c")])).await;
    assert_eq!(two.next().await, plain("c"));
    proxy.stopped().await;
    assert_eq!(one.unseen(), Vec::<Value>::new());
}

#[tokio::test]
async fn alertmanagers_are_found_by_their_addresses() {
    let (names, mut alertmanager) = (Names::start().await, Alertmanager::start().await);
    names.set("am.test", Says::Address(Ipv4Addr::LOCALHOST));
    let (server, port) = (names.address, alertmanager.address.port());
    let found = format!("dns_sd_configs: [{{names: [am.test], type: A, port: {port}}}]");
    let proxy = Proxy::start(&format!("nameservers: [\"{server}\"]\nalertmanagers:\n- {found}\n"));
    proxy.post(&json!([plain("a")])).await;
    assert_eq!(alertmanager.next().await, plain("a"));
}

#[tokio::test]
async fn a_name_server_in_trouble_takes_no_alertmanager_away() {
    let (names, mut alertmanager) = (Names::start().await, Alertmanager::start().await);
    names.set(NAME, Says::Services(vec![alertmanager.address.port()]));
    let proxy = Proxy::start(&found_in(&names, ""));
    proxy.post(&json!([plain("first")])).await;
    assert_eq!(alertmanager.next().await, plain("first"));
    for trouble in [Says::Failure, Says::Services(Vec::new())] {
        names.set(NAME, trouble);
        names.asked(NAME, 3).await;
        proxy.post(&json!([plain("then")])).await;
        assert_eq!(alertmanager.next().await, plain("then"));
    }
    let failures = proxy.metric(&format!("alertmanager_proxy_dns_lookup_failures_total{{name=\"{NAME}\"}}")).await;
    assert!(failures.unwrap() >= 1.0, "{failures:?}");
}

#[tokio::test]
async fn alerts_wait_for_the_first_alertmanager_to_be_found() {
    let (names, mut alertmanager) = (Names::start().await, Alertmanager::start().await);
    let proxy = Proxy::start(&found_in(&names, "forward: {unreachable_after: 1ms}"));
    names.asked(NAME, 1).await;
    let (status, text) = proxy.get("/api/v2/status").await;
    assert_eq!(status, 502);
    assert!(text.contains("none has been found in DNS yet"), "{text}");
    let pending = "alertmanager_proxy_pending_alerts{alertmanager=\"none\"}";
    let age = "alertmanager_proxy_oldest_unforwarded_alert_age_seconds{alertmanager=\"none\"}";
    assert_eq!(proxy.metric(pending).await, None);
    assert_eq!(proxy.post(&json!([plain("a")])).await, 503, "Prometheus's own metrics tell");
    proxy.until_metric(pending, 1.0).await;
    assert!(proxy.metric(age).await > Some(0.0), "and the proxy's");
    names.set(NAME, Says::Services(vec![alertmanager.address.port()]));
    assert_eq!(alertmanager.next().await, plain("a"));
    let gone = async || proxy.metric(pending).await.is_none() && proxy.metric(age).await.is_none();
    while !gone().await {}
}

#[tokio::test]
async fn prometheus_is_told_when_too_many_wait_for_the_first_alertmanager() {
    let names = Names::start().await;
    let proxy = Proxy::start(&found_in(&names, "limits: {pending_alerts: 1}"));
    assert_eq!(proxy.post(&json!([plain("a")])).await, 200);
    proxy.until_metric("alertmanager_proxy_pending_alerts{alertmanager=\"none\"}", 1.0).await;
    assert_eq!(proxy.post(&json!([plain("b")])).await, 503);
}

#[tokio::test]
async fn nodes_are_found_by_the_names_that_their_labels_have() {
    let (names, node, mut alertmanager) = (Names::start().await, Node::start().await, Alertmanager::start().await);
    names.set("node.test", Says::Address(Ipv4Addr::LOCALHOST));
    names.set("elsewhere.test", Says::Address(Ipv4Addr::new(169, 254, 169, 254)));
    names.set("slow.test", Says::Silence);
    let config = config(
        &[alertmanager.address],
        &format!("nameservers: [\"{}\"]\nhold: 20s\nfetch: {{timeout: 1s}}", names.address),
    );
    let proxy = Proxy::start(&config);
    let of = |host: &str| {
        let mut alert = alert("disk", node.address);
        alert["labels"]["instance"] = json!(format!("{host}:{}", node.address.port()));
        alert
    };
    proxy.post(&json!([of("node.test")])).await;
    assert_eq!(alertmanager.next().await["annotations"]["output"], "CRITICAL: / 93%");
    for (host, says) in [
        ("unknown.test", "cannot look up unknown.test: there is no such name"),
        ("elsewhere.test", "169.254.169.254 is not in the networks that `allow` lists"),
        ("slow.test", "cannot look up slow.test: the name servers did not answer in time"),
    ] {
        proxy.post(&json!([of(host)])).await;
        let error = alertmanager.next().await["annotations"]["detail_error"].take();
        assert!(error.as_str().unwrap().contains(says), "{host}: {error}");
    }
    assert_eq!(node.asked(), 1);
}

/// The name stands for an allowed address when it is first looked up, and for another one when it is connected to.
#[tokio::test]
async fn a_name_that_is_bound_anew_is_not_connected_to() {
    let (names, node, mut alertmanager) = (Names::start().await, Node::start().await, Alertmanager::start().await);
    let more = format!("nameservers: [\"{}\"]\nfetch: {{cache: 1ms, failure_cache: 1ms}}", names.address);
    let config = config(&[alertmanager.address], &more).replace("127.0.0.0/8", "127.0.0.1");
    let proxy = Proxy::start(&config);
    for (address, is_asked) in [([127, 0, 0, 1], true), ([127, 0, 0, 2], false)] {
        names.set("rebound.test", Says::Address(address.into()));
        let mut alert = alert("disk", node.address);
        alert["labels"]["instance"] = json!(format!("rebound.test:{}", node.address.port()));
        alert["labels"]["number"] = json!(is_asked.to_string());
        proxy.post(&json!([alert])).await;
        let annotations = alertmanager.next().await["annotations"].take();
        assert_eq!(annotations["output"].is_string(), is_asked, "{annotations}");
    }
    assert_eq!(node.asked(), 1);
}

#[tokio::test]
async fn names_are_looked_up_for_many_nodes_at_a_time() {
    let (names, node, mut alertmanager) = (Names::start().await, Node::start().await, Alertmanager::start().await);
    let more = format!("nameservers: [\"{}\"]\nhold: 20s\nfetch: {{timeout: 20s}}", names.address);
    let proxy = Proxy::start(&config(&[alertmanager.address], &more));
    let alerts = (0..300).map(|number| {
        let host = format!("node-{number}.test");
        names.set(&host, Says::Address(Ipv4Addr::LOCALHOST));
        let mut alert = alert("disk", node.address);
        alert["labels"]["instance"] = json!(format!("{host}:{}", node.address.port()));
        alert
    });
    proxy.post(&alerts.collect()).await;
    for _ in 0..300 {
        let annotations = alertmanager.next().await["annotations"].take();
        assert_eq!(annotations["output"], "CRITICAL: / 93%", "{annotations}");
    }
    assert_eq!(node.asked(), 300);
}

#[tokio::test]
async fn silence_about_some_names_delays_no_others() {
    let (names, node, mut alertmanager) = (Names::start().await, Node::start().await, Alertmanager::start().await);
    let more = format!("nameservers: [\"{}\"]\nhold: 20s\nfetch: {{timeout: 60s}}", names.address);
    let proxy = Proxy::start(&config(&[alertmanager.address], &more));
    let of = |host: &str| {
        let mut alert = alert("disk", node.address);
        alert["labels"]["instance"] = json!(format!("{host}:{}", node.address.port()));
        alert
    };
    let silent = (0..100).map(|number| {
        names.set(&format!("silent-{number}.test"), Says::Silence);
        of(&format!("silent-{number}.test"))
    });
    proxy.post(&silent.collect()).await;
    names.asked("silent-0.test", 1).await;
    names.set("node.test", Says::Address(Ipv4Addr::LOCALHOST));
    proxy.post(&json!([of("node.test")])).await;
    assert_eq!(alertmanager.next().await["annotations"]["output"], "CRITICAL: / 93%");
    assert_eq!(alertmanager.unseen(), Vec::<Value>::new(), "the others wait still");
}
