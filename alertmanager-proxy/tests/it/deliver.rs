//! Delivery: every Alertmanager gets every alert, whatever happens to the others.

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::alertmanager::Alertmanager;
use crate::node::Node;
use crate::world::{Proxy, alert, closed_port, config};

fn plain(name: &str) -> Value {
    json!({"labels": {"alertname": name}})
}

#[tokio::test]
async fn an_alertmanager_that_is_down_delays_no_other_and_gets_all_when_it_is_back() {
    let (mut up, down) = (Alertmanager::start().await, closed_port().await);
    let proxy = Proxy::start(&config(&[down, up.address], ""));
    for name in ["a", "b", "a"] {
        assert_eq!(proxy.post(&json!([plain(name)])).await, 200);
        assert_eq!(up.next().await, plain(name));
    }
    let mut back = Alertmanager::start_at(down).await;
    assert_eq!((back.next().await, back.next().await), (plain("a"), plain("b")));
    assert_eq!(back.unseen(), Vec::<Value>::new(), "of the two posts of `a` the newest is enough");
    let series = format!("alertmanager_proxy_alertmanager_up{{alertmanager=\"http://{}\"}}", up.address);
    assert_eq!(proxy.metric(&series).await, Some(1.0));
}

#[tokio::test]
async fn an_alertmanager_that_answers_slowly_delays_no_other_and_gets_the_newest_of_each() {
    let (mut quick, mut slow) = (Alertmanager::start().await, Alertmanager::start().await);
    slow.answers(false);
    let proxy = Proxy::start(&config(&[slow.address, quick.address], "forward: {timeout: 20s}"));
    let newer = |name: &str| json!({"labels": {"alertname": name}, "annotations": {"summary": "newer"}});
    proxy.post(&json!([plain("a")])).await;
    slow.posted(1).await;
    assert_eq!(quick.next().await, plain("a"));
    for alert in [plain("b"), newer("b"), plain("c"), newer("a")] {
        assert_eq!(proxy.post(&json!([alert])).await, 200);
        assert_eq!(quick.next().await, alert);
    }
    slow.answers(true);
    for alert in [plain("a"), newer("b"), plain("c"), newer("a")] {
        assert_eq!(slow.next().await, alert);
    }
    assert_eq!(slow.unseen(), Vec::<Value>::new());
}

#[tokio::test]
async fn a_bad_alert_costs_no_good_one() {
    let mut alertmanager = Alertmanager::start().await;
    let proxy = Proxy::start(&config(&[alertmanager.address], ""));
    let mut alerts: Vec<_> = (0..20).map(|number| plain(&number.to_string())).collect();
    alerts[7]["labels"]["bad"] = json!("yes");
    proxy.post(&json!(alerts)).await;
    for (number, posted) in alerts.iter().enumerate().filter(|(number, _)| *number != 7) {
        assert_eq!(&alertmanager.next().await, posted, "{number}");
    }
    let name = format!("http://{}", alertmanager.address);
    let dropped = format!("alertmanager_proxy_alerts_dropped_total{{reason=\"rejected\",alertmanager=\"{name}\"}}");
    assert_eq!(proxy.metric(&dropped).await, Some(1.0));
}

#[tokio::test]
async fn names_that_are_refused_cost_a_post_each_and_no_other_alert_more_than_two() {
    let mut alertmanager = Alertmanager::start().await;
    let proxy = Proxy::start(&config(&[alertmanager.address], ""));
    let name = format!("http://{}", alertmanager.address);
    let mut alerts: Vec<_> = (0..200).map(|number| plain(&number.to_string())).collect();
    alerts.iter_mut().skip(100).for_each(|alert| alert["labels"]["größe"] = json!("1"));
    // All others come in one batch behind the first.
    alertmanager.answers(false);
    proxy.post(&json!([plain("first")])).await;
    alertmanager.posted(1).await;
    proxy.post(&json!(alerts)).await;
    proxy.until_metric(&format!("alertmanager_proxy_pending_alerts{{alertmanager=\"{name}\"}}"), 200.0).await;
    alertmanager.answers(true);
    for posted in [plain("first")].iter().chain(&alerts[..100]) {
        assert_eq!(&alertmanager.next().await, posted);
    }
    let dropped = format!("alertmanager_proxy_alerts_dropped_total{{reason=\"rejected\",alertmanager=\"{name}\"}}");
    proxy.until_metric(&dropped, 100.0).await;
    assert_eq!(alertmanager.posts(), 1 + 2 + 100);
}

#[tokio::test]
async fn an_alert_that_nobody_answers_for_holds_up_no_other() {
    join_all(["hang", "hang up", "403", "500"].map(goes_around)).await;
}

async fn goes_around(poison: &str) {
    let mut alertmanager = Alertmanager::start().await;
    let proxy = Proxy::start(&config(&[alertmanager.address], "forward: {timeout: 1s}"));
    let poisonous = json!({"labels": {"alertname": "p", "poisonous": poison}});
    proxy.post(&json!([poisonous, plain("a"), plain("b")])).await;
    let taken = [alertmanager.next().await, alertmanager.next().await];
    assert!(taken.contains(&plain("a")) && taken.contains(&plain("b")), "{poison}: {taken:?}");
    proxy.post(&json!([plain("c")])).await;
    assert_eq!(alertmanager.next().await, plain("c"), "{poison}");
    let of = |name: &str| format!("alertmanager_proxy_{name}{{alertmanager=\"http://{}\"}}", alertmanager.address);
    proxy.until_metric(&of("pending_alerts"), 1.0).await;
    assert_eq!(proxy.metric(&of("alertmanager_up")).await, Some(1.0), "{poison}");
}

#[tokio::test]
async fn a_run_of_such_alerts_holds_up_none_behind_it() {
    join_all(["hang", "403"].map(goes_around_many)).await;
}

async fn goes_around_many(poison: &str) {
    let mut alertmanager = Alertmanager::start().await;
    let proxy = Proxy::start(&config(&[alertmanager.address], "forward: {timeout: 500ms}"));
    let poisonous = |number| json!({"labels": {"alertname": format!("p{number}"), "poisonous": poison}});
    let mut good: Vec<_> = (0..30).map(|number| plain(&number.to_string())).collect();
    let alerts: Vec<_> = (0..20).map(poisonous).chain(good.clone()).collect();
    proxy.post(&json!(alerts)).await;
    while !good.is_empty() {
        let taken = alertmanager.next().await;
        good.retain(|alert| *alert != taken);
    }
    let name = format!("http://{}", alertmanager.address);
    // A machine that stalls for longer than the timeout makes any post one that hangs; the next one says otherwise.
    proxy.until_metric(&format!("alertmanager_proxy_alertmanager_up{{alertmanager=\"{name}\"}}"), 1.0).await;
}

#[tokio::test]
async fn an_alert_that_is_refused_with_its_detail_goes_without() {
    let (node, mut alertmanager) = (Node::start().await, Alertmanager::start().await);
    let proxy = Proxy::start(&config(&[alertmanager.address], ""));
    let mut picky = alert("disk", node.address);
    picky["labels"]["only_bare"] = json!("yes");
    proxy.post(&json!([picky])).await;
    let mut taken = alertmanager.next().await;
    let annotations = taken["annotations"].as_object_mut().unwrap();
    let why = annotations.remove("detail_error").unwrap();
    let refused = "Alertmanager did not take the alert with it: answered 422 Unprocessable Entity: ";
    assert!(why.as_str().unwrap().starts_with(refused), "{why}");
    assert_eq!(taken, picky);
    let name = format!("http://{}", alertmanager.address);
    let stripped = format!("alertmanager_proxy_alerts_stripped_total{{alertmanager=\"{name}\"}}");
    let dropped = format!("alertmanager_proxy_alerts_dropped_total{{reason=\"rejected\",alertmanager=\"{name}\"}}");
    assert_eq!((proxy.metric(&stripped).await, proxy.metric(&dropped).await), (Some(1.0), Some(0.0)));
}

#[tokio::test]
async fn prometheus_is_told_when_no_alertmanager_can_be_reached_and_nothing_is_lost() {
    let down = closed_port().await;
    let proxy = Proxy::start(&config(&[down], "forward: {unreachable_after: 1ms}"));
    let mut posted = 0;
    loop {
        posted += 1;
        if proxy.post(&json!([plain(&posted.to_string())])).await == 503 {
            break;
        }
    }
    let mut back = Alertmanager::start_at(down).await;
    for number in 1..=posted {
        assert_eq!(back.next().await, plain(&number.to_string()));
    }
    assert_eq!(proxy.post(&json!([plain("after")])).await, 200);
}

#[tokio::test]
async fn prometheus_is_told_when_alerts_are_dropped_for_every_alertmanager() {
    let (mut up, down) = (Alertmanager::start().await, closed_port().await);
    let alone = Proxy::start(&config(&[down], "limits: {pending_alerts: 2}"));
    let of = |name: &str| format!("alertmanager_proxy_{name}{{alertmanager=\"http://{down}\"}}");
    assert_eq!(alone.post(&json!([plain("a"), plain("b")])).await, 200);
    alone.until_metric(&of("alertmanager_up"), 0.0).await;
    alone.until_metric(&of("pending_alerts"), 2.0).await;
    assert_eq!(alone.post(&json!([plain("a"), plain("b")])).await, 200, "newer posts of them have room");
    for name in ["c", "d"] {
        assert_eq!(alone.post(&json!([plain(name)])).await, 503, "{name}");
    }
    let both = Proxy::start(&config(&[down, up.address], "limits: {pending_alerts: 2}"));
    let lost = "alertmanager_proxy_alerts_dropped_total{reason=\"pending_full\"";
    let lost = format!("{lost},alertmanager=\"http://{down}\"}}");
    for name in 0.. {
        let alert = plain(&name.to_string());
        assert_eq!(both.post(&json!([alert])).await, 200, "it reaches the other one");
        assert_eq!(up.next().await, alert);
        if both.metric(&lost).await > Some(0.0) {
            break;
        }
    }
}

#[tokio::test]
async fn what_there_is_no_room_to_hold_goes_on_at_once() {
    let (node, mut alertmanager) = (Node::start().await, Alertmanager::start().await);
    let limits = "hold: 20s\nfetch: {timeout: 20s}\nlimits: {held_alerts: 1}";
    let proxy = Proxy::start(&config(&[alertmanager.address], limits));
    assert_eq!(proxy.post(&json!([alert("gated", node.address)])).await, 200);
    let crowded = json!([alert("disk", node.address)]);
    assert_eq!(proxy.post(&crowded).await, 200);
    let annotations = alertmanager.next().await["annotations"].take();
    assert_eq!(annotations["detail_error"], "too many alerts wait for their detail");
    assert_eq!(annotations["summary"], "a check failed");
    let series = "alertmanager_proxy_enrichments_total{outcome=\"crowded\"}";
    assert_eq!(proxy.metric(series).await, Some(1.0));
    node.open();
    assert_eq!(alertmanager.next().await["labels"]["check"], "gated");
    proxy.post(&crowded).await;
    assert_eq!(alertmanager.next().await["annotations"]["output"], "CRITICAL: / 93%", "the resend has room");
}

#[tokio::test]
async fn an_alert_that_ended_long_ago_goes_on_and_is_not_lost() {
    let mut alertmanager = Alertmanager::start().await;
    let proxy = Proxy::start(&config(&[alertmanager.address], ""));
    let old = json!({"labels": {"alertname": "a"}, "endsAt": "2026-01-01T00:00:00Z"});
    assert_eq!(proxy.post(&json!([old])).await, 200);
    assert_eq!(alertmanager.next().await, old);
    let name = format!("http://{}", alertmanager.address);
    let stale = format!("alertmanager_proxy_alerts_dropped_total{{reason=\"stale\",alertmanager=\"{name}\"}}");
    assert_eq!(proxy.metric(&stale).await, Some(0.0));
}

#[tokio::test]
async fn stopping_delivers_what_was_taken() {
    let (node, mut alertmanager) = (Node::start().await, Alertmanager::start().await);
    let proxy = Proxy::start(&config(&[alertmanager.address], "hold: 500ms"));
    proxy.post(&json!([alert("hung", node.address), plain("a")])).await;
    proxy.stopped().await;
    let names =
        [alertmanager.next().await, alertmanager.next().await].map(|alert| alert["labels"]["alertname"].clone());
    assert_eq!(names, ["a", "CheckCritical"]);
}

#[tokio::test]
async fn stopping_waits_for_no_detail_longer_than_there_is_time() {
    let (node, mut alertmanager) = (Node::start().await, Alertmanager::start().await);
    let config = config(&[alertmanager.address], "hold: 1h");
    let proxy = Proxy::start_with(&config, "", "--web.shutdown-timeout=2s");
    proxy.post(&json!([alert("hung", node.address)])).await;
    proxy.stopped().await;
    let error = alertmanager.next().await["annotations"]["detail_error"].take();
    assert!(error.as_str().unwrap().ends_with("did not answer before the proxy was stopped"), "{error}");
}

#[tokio::test]
async fn a_reload_changes_the_alertmanagers_and_a_bad_one_changes_nothing() {
    let (mut one, mut two) = (Alertmanager::start().await, Alertmanager::start().await);
    let proxy = Proxy::start(&config(&[one.address], ""));
    let reload = async || crate::world::read(proxy.client.post(proxy.url("/-/reload")).send().await.unwrap()).await;
    proxy.configure("alertmanagers: []\nhold: soon\n");
    let (status, reason) = reload().await;
    assert_eq!(status, 500);
    assert!(reason.contains("1: alertmanagers:") && reason.contains("2: hold:"), "{reason}");
    proxy.post(&json!([plain("a")])).await;
    assert_eq!(one.next().await, plain("a"));
    proxy.configure(&config(&[two.address], ""));
    assert_eq!(reload().await.0, 200);
    proxy.post(&json!([plain("b")])).await;
    assert_eq!(two.next().await, plain("b"));
    proxy.stopped().await;
    assert_eq!(one.unseen(), Vec::<Value>::new());
}

#[tokio::test]
async fn an_alertmanager_that_comes_back_gets_the_newest_post_alone() {
    let (mut other, down) = (Alertmanager::start().await, closed_port().await);
    let proxy = Proxy::start(&config(&[down, other.address], ""));
    let firing = plain("a");
    let resolved = json!({"labels": {"alertname": "a"}, "annotations": {"summary": "newer"}});
    proxy.post(&json!([firing])).await;
    assert_eq!(other.next().await, firing);
    for listed in [vec![other.address], vec![down, other.address]] {
        proxy.configure(&config(&listed, ""));
        assert_eq!(proxy.client.post(proxy.url("/-/reload")).send().await.unwrap().status(), 200);
    }
    for alert in [&resolved, &plain("b")] {
        proxy.post(&json!([alert])).await;
        assert_eq!(other.next().await, *alert);
    }
    let mut back = Alertmanager::start_at(down).await;
    assert_eq!((back.next().await, back.next().await), (resolved, plain("b")));
    proxy.stopped().await;
    assert_eq!(back.unseen(), Vec::<Value>::new());
}

#[tokio::test]
async fn what_waits_is_told_also_while_a_delivery_hangs() {
    let mut alertmanager = Alertmanager::start().await;
    let proxy = Proxy::start(&config(&[alertmanager.address], "limits: {held_alerts: 7, pending_alerts: 9}"));
    let of = |name: &str| format!("alertmanager_proxy_{name}{{alertmanager=\"http://{}\"}}", alertmanager.address);
    let (pending, age) = (of("pending_alerts"), of("oldest_unforwarded_alert_age_seconds"));
    alertmanager.answers(false);
    proxy.post(&json!([plain("a")])).await;
    alertmanager.posted(1).await;
    proxy.post(&json!([plain("b"), plain("c")])).await;
    proxy.until_metric(&pending, 2.0).await;
    assert!(proxy.metric(&age).await > Some(0.0));
    assert_eq!(proxy.metric("alertmanager_proxy_held_alerts_limit").await, Some(7.0));
    assert_eq!(proxy.metric("alertmanager_proxy_pending_alerts_limit").await, Some(9.0));
    alertmanager.answers(true);
    for name in ["a", "b", "c"] {
        assert_eq!(alertmanager.next().await, plain(name));
    }
    proxy.until_metric(&age, 0.0).await;
    assert_eq!(proxy.metric(&pending).await, Some(0.0));
}

#[tokio::test]
async fn what_is_held_is_told() {
    let (node, mut alertmanager) = (Node::start().await, Alertmanager::start().await);
    let proxy = Proxy::start(&config(&[alertmanager.address], "hold: 20s\nfetch: {timeout: 20s}"));
    proxy.post(&json!([alert("gated", node.address)])).await;
    proxy.until_metric("alertmanager_proxy_held_alerts ", 1.0).await;
    let age = "alertmanager_proxy_oldest_unforwarded_alert_age_seconds";
    let age = format!("{age}{{alertmanager=\"http://{}\"}}", alertmanager.address);
    assert!(proxy.metric(&age).await > Some(0.0));
    node.open();
    alertmanager.next().await;
    assert_eq!(proxy.metric("alertmanager_proxy_held_alerts ").await, Some(0.0));
}
