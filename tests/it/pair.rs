//! Two Prometheus, two gossiping Alertmanagers, two nodes, one proxy: whatever fails between them, each alert is told
//! once, by webhook, mail and to Slack alike, and with what its check said.

mod told;

use e2e::sinks::Told;
use e2e::{BRIEF, LATER, Member, Pair, Part, Signal, get_json, program, until};
use serde_json::Value;
use tempfile::TempDir;

use self::told::{is, output, told, told_alike, told_nowhere};
use crate::PATIENCE;

async fn pair() -> (Pair, TempDir) {
    let data = tempfile::tempdir().unwrap();
    let pair = Pair::start(data.path()).await.unwrap();
    (pair, data)
}

/// Waits until every one of `members` has an alert of the check that `wanted` accepts.
async fn has(pair: &Pair, members: &[Member], check: &str, wanted: impl Fn(&Value) -> bool) {
    for member in members {
        let url = format!("{}/api/v2/alerts?filter=check%3D{check}", pair.url(*member));
        until(&format!("the alert of {check} in {member:?}"), PATIENCE, || async {
            let alerts = get_json(&url).await?;
            anyhow::ensure!(alerts.as_array().into_iter().flatten().any(&wanted), "{alerts}");
            Ok(())
        })
        .await
        .unwrap();
    }
}

/// Waits until both Prometheus give a result for the query.
async fn knows(pair: &Pair, query: &str) {
    for number in [0, 1] {
        let url = format!("{}/api/v1/query?query={query}", pair.url(Member::Prometheus(number)));
        until(&format!("Prometheus to know {query}"), PATIENCE, || async {
            let answer = get_json(&url).await?;
            anyhow::ensure!(answer["data"]["result"].get(0).is_some(), "{answer}");
            Ok(())
        })
        .await
        .unwrap();
    }
}

/// Waits until one Alertmanager has heard from the other of so many messages, each sink's by itself, that it was told.
async fn heard(pair: &Pair, messages: usize) {
    until("the Alertmanagers to know what was told", PATIENCE, || async {
        let mut heard = 0;
        for member in BOTH {
            let page = e2e::get_text(&format!("{}/metrics", pair.url(member))).await?;
            let name = "alertmanager_nflog_gossip_messages_propagated_total ";
            heard += page.lines().find_map(|line| line.strip_prefix(name)?.parse::<usize>().ok()).unwrap_or(0);
        }
        anyhow::ensure!(heard >= messages, "of {heard}");
        Ok(())
    })
    .await
    .unwrap();
}

const BOTH: [Member; 2] = [Member::Alertmanager(0), Member::Alertmanager(1)];

#[tokio::test]
async fn each_alert_is_told_once_by_the_pair_also_while_one_of_it_is_down() {
    let (mut pair, _data) = pair().await;
    pair.log(0, &["disk"], 2, "full").await.unwrap();
    assert_eq!(output(&told(&pair, "disk", true).await), "disk on 0: full");
    has(&pair, &BOTH, "disk", |alert| alert["annotations"]["output"] == "disk on 0: full").await;
    told_alike(&pair, 0, "disk", &[true]).await;
    heard(&pair, 3).await;

    pair.kill(Member::Alertmanager(0)).await.unwrap();
    pair.log(1, &["memory"], 2, "used").await.unwrap();
    assert_eq!(output(&told(&pair, "memory", true).await), "memory on 1: used");
    pair.spawn(Member::Alertmanager(0)).await.unwrap();
    has(&pair, &BOTH, "memory", |alert| alert["annotations"]["output"] == "memory on 1: used").await;

    pair.log(0, &["disk"], 0, "fine").await.unwrap();
    pair.log(1, &["memory"], 0, "fine").await.unwrap();
    assert_eq!(output(&told(&pair, "disk", false).await), "disk on 0: fine");
    assert_eq!(output(&told(&pair, "memory", false).await), "memory on 1: fine");
    told_alike(&pair, 0, "disk", &[true, false]).await;
    told_alike(&pair, 1, "memory", &[true, false]).await;
}

#[tokio::test]
async fn a_proxy_that_is_killed_in_mid_batch_loses_no_alert() {
    let (mut pair, _data) = pair().await;
    // As many as Prometheus sends at a time; Alertmanagers take seconds to tell each other of many more messages.
    let checks: Vec<_> = (0..64).map(|number| format!("check-{number}")).collect();
    let names: Vec<_> = checks.iter().map(String::as_str).collect();
    // Without the address of the node they are held.
    pair.names.signal(Signal::SIGSTOP).unwrap();
    pair.log(0, &names, 2, "bad").await.unwrap();
    let metrics = format!("{}/metrics", pair.url(Member::Proxy(0)));
    until("the proxy to hold alerts", PATIENCE, || async {
        let page = e2e::get_text(&metrics).await?;
        anyhow::ensure!(!page.contains("\nalertmanager_proxy_held_alerts 0\n"), "none yet");
        Ok(())
    })
    .await
    .unwrap();
    pair.kill(Member::Proxy(0)).await.unwrap();
    pair.names.signal(Signal::SIGCONT).unwrap();
    pair.spawn(Member::Proxy(0)).await.unwrap();
    for check in names {
        let told = told(&pair, check, true).await;
        // On a slow machine the hold may be over for some of so many on one node; a resend makes that good.
        assert!(
            output(&told) == format!("{check} on 0: bad") || told.annotations.contains_key("detail_error"),
            "{told:?}"
        );
        told_alike(&pair, 0, check, &[true]).await;
    }
    for member in BOTH {
        let url = format!("{}/api/v2/alerts", pair.url(member));
        until("every alert to have its output", PATIENCE, || async {
            let alerts = get_json(&url).await?;
            let alerts = alerts.as_array().map_or(&[][..], Vec::as_slice);
            let enriched = alerts.iter().filter(|alert| alert["annotations"]["output"].is_string()).count();
            anyhow::ensure!(enriched == checks.len(), "{enriched} have");
            Ok(())
        })
        .await
        .unwrap();
    }
}

#[tokio::test]
async fn a_node_that_hangs_costs_its_own_output_alone() {
    let (pair, _data) = pair().await;
    // A proxy that stands still has fetched nothing yet when the agent hangs.
    pair.signal(Member::Proxy(0), Signal::SIGSTOP).unwrap();
    pair.log(0, &["memory"], 2, "unseen").await.unwrap();
    knows(&pair, "ALERTS%7Bcheck%3D%22memory%22%2Calertstate%3D%22firing%22%7D").await;
    pair.signal(Member::Agent(0), Signal::SIGSTOP).unwrap();
    pair.signal(Member::Proxy(0), Signal::SIGCONT).unwrap();
    pair.log(1, &["disk"], 2, "full").await.unwrap();
    assert_eq!(output(&told(&pair, "disk", true).await), "disk on 1: full");
    let hung = told(&pair, "memory", true).await;
    let error = hung.annotations.get("detail_error").map_or("", String::as_str);
    let node = pair.instance(0);
    assert!(error.starts_with(&format!("{node} did not answer")), "{error}");
    assert_eq!((output(&hung), hung.annotations["summary"].as_str()), ("", "memory fails"));
    pair.signal(Member::Agent(0), Signal::SIGCONT).unwrap();
    has(&pair, &BOTH, "memory", |alert| alert["annotations"]["output"] == "memory on 0: unseen").await;
    told_alike(&pair, 1, "disk", &[true]).await;
    told_alike(&pair, 0, "memory", &[true]).await;
}

#[tokio::test]
async fn slow_names_cost_the_output_alone_until_they_are_found() {
    let (pair, _data) = pair().await;
    pair.names.signal(Signal::SIGSTOP).unwrap();
    pair.log(0, &["disk"], 2, "full").await.unwrap();
    let unnamed = told(&pair, "disk", true).await;
    assert_eq!((output(&unnamed), unnamed.annotations["summary"].as_str()), ("", "disk fails"));
    let error = unnamed.annotations.get("detail_error").map_or("", String::as_str);
    // The node within the hold or, if it is told a moment later, the name servers.
    assert!(error.contains("did not answer"), "{error}");
    let reason = "cannot look up node-0.pair.test: the name servers did not answer in time";
    has(&pair, &BOTH, "disk", |alert| {
        alert["annotations"]["detail_error"].as_str().is_some_and(|why| why.contains(reason))
    })
    .await;
    pair.names.signal(Signal::SIGCONT).unwrap();
    has(&pair, &BOTH, "disk", |alert| alert["annotations"]["output"] == "disk on 0: full").await;
    pair.log(0, &["disk"], 0, "fine").await.unwrap();
    assert_eq!(output(&told(&pair, "disk", false).await), "disk on 0: fine");
    told_alike(&pair, 0, "disk", &[true, false]).await;
}

#[tokio::test]
async fn an_alert_older_than_the_group_wait_has_its_output_at_once() {
    let (mut pair, _data) = pair().await;
    for member in BOTH.into_iter().chain([Member::Proxy(0)]) {
        pair.kill(member).await.unwrap();
    }
    pair.log(0, &["disk"], 2, "full").await.unwrap();
    // Alertmanager's group_wait is 3 s, and it skips it for an alert that began before.
    knows(&pair, "time()-ALERTS_FOR_STATE%7Bcheck%3D%22disk%22%7D%3E6").await;
    for member in BOTH.into_iter().chain([Member::Proxy(0)]) {
        pair.spawn(member).await.unwrap();
    }
    assert_eq!(output(&told(&pair, "disk", true).await), "disk on 0: full");
    told_alike(&pair, 0, "disk", &[true]).await;
}

#[tokio::test]
async fn an_alert_that_is_resolved_within_the_group_wait_is_not_told() {
    let (pair, _data) = pair().await;
    pair.log(0, &[BRIEF], 2, "a moment").await.unwrap();
    has(&pair, &BOTH, BRIEF, |alert| alert["annotations"]["output"] == "brief on 0: a moment").await;
    pair.log(0, &[BRIEF], 0, "over").await.unwrap();
    for member in BOTH {
        let url = format!("{}/api/v2/alerts?filter=check%3D{BRIEF}", pair.url(member));
        until("the alert to be resolved", PATIENCE, || async {
            let alerts = get_json(&url).await?;
            anyhow::ensure!(alerts.as_array().is_some_and(Vec::is_empty), "{alerts}");
            Ok(())
        })
        .await
        .unwrap();
    }
    // Told when the group_wait of the other would have ended long since.
    pair.log(1, &[LATER], 2, "still").await.unwrap();
    told_alike(&pair, 1, LATER, &[true]).await;
    told_nowhere(&pair, 0, BRIEF);
}

#[tokio::test]
async fn two_proxies_side_by_side_tell_each_alert_once() {
    let (mut pair, _data) = pair().await;
    pair.spawn(Member::Proxy(1)).await.unwrap();
    pair.log(0, &["disk"], 2, "full").await.unwrap();
    assert_eq!(output(&told(&pair, "disk", true).await), "disk on 0: full");
    pair.kill(Member::Proxy(0)).await.unwrap();
    pair.log(1, &["memory"], 2, "used").await.unwrap();
    assert_eq!(output(&told(&pair, "memory", true).await), "memory on 1: used");
    pair.spawn(Member::Proxy(0)).await.unwrap();
    pair.log(0, &["disk"], 0, "fine").await.unwrap();
    pair.log(1, &["memory"], 0, "fine").await.unwrap();
    for (node, check) in [(0, "disk"), (1, "memory")] {
        assert_eq!(output(&told(&pair, check, false).await), format!("{check} on {node}: fine"));
        told_alike(&pair, node, check, &[true, false]).await;
    }
}

#[tokio::test]
async fn mail_and_slack_say_of_each_alert_what_the_proxy_added() {
    let (pair, _data) = pair().await;
    let checks = ["disk", "memory"];
    for (status, text, word) in [(2, "it\nis <bad>", "CRITICAL"), (0, "it is fine", "OK")] {
        let firing = status != 0;
        for node in [0, 1] {
            pair.log(node, &checks, status, text).await.unwrap();
        }
        for (node, check) in [0, 1].into_iter().flat_map(|node| checks.map(|check| (node, check))) {
            let output = format!("{check} on {node}: {text}");
            let what = format!("the webhook, mail and Slack message of {check} on {node}, firing: {firing}");
            let ours = |told: &Told| is(told, check, firing) && told.annotations["client"] == format!("node-{node}");
            let told = pair.told.first(&what, PATIENCE, ours).await.unwrap();
            assert_eq!(told.annotations["output_detail"], output);

            let subject = format!("{} - node-{node}/{check}: {word}", if firing { "ALERT" } else { "RESOLVED" });
            let mail = pair.mails.first(&what, PATIENCE, |mail| mail.subject == subject).await.unwrap();
            let issued = format!("Timestamp: {}\n", told.annotations["issued"]);
            assert!(mail.body.starts_with(&format!("{output}\n")) && mail.body.contains(&issued), "{}", mail.body);

            let escaped = output.replace('<', "&lt;").replace('>', "&gt;");
            let message = pair.slack.first(&what, PATIENCE, |message| message.text.contains(&escaped)).await.unwrap();
            assert_eq!(message.title, format!("{} - {word}", pair.instance(node)));
        }
    }
    for (node, check) in [0, 1].into_iter().flat_map(|node| checks.map(|check| (node, check))) {
        told_alike(&pair, node, check, &[true, false]).await;
    }
}

#[tokio::test]
async fn check_config_reads_the_group_wait_of_a_real_alertmanager() {
    let (pair, data) = pair().await;
    let url = pair.url(Member::Alertmanager(0));
    for (hold, says) in [
        ("2s", format!("{url}: every group_wait is longer than the hold")),
        ("3s", format!("{url}: WARNING: route (receiver sensu) has a group_wait of 3s, which must be longer than")),
    ] {
        let file = data.path().join("checked.yml");
        std::fs::write(&file, format!("alertmanagers: [{{url: '{url}'}}]\nhold: {hold}\n")).unwrap();
        let mut command = tokio::process::Command::new(program(Part::Proxy));
        let output = command.arg("check-config").arg(&file).output().await.unwrap();
        let told = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success() && told.contains(&says), "{told}");
    }
}
