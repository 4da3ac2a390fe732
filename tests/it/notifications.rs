//! What arrives by mail and Slack, whatever the alerts are like: the templates in the real Alertmanager, posts by hand.

use anyhow::ensure;
use e2e::{Part, Ports, Stack, until};
use serde_json::{Value, json};
use service::http::{ClientOptions, upstream_client};
use tempfile::TempDir;

use crate::{PATIENCE, mail};

/// A text of this many bytes is far longer than any output that the proxy lets pass.
const HUGE: usize = 1 << 20;

/// Slack folds and cuts longer ones.
const SLACK_TEXT: usize = 12_000;

async fn alertmanager() -> (Stack, TempDir) {
    let data = tempfile::tempdir().unwrap();
    let stack = Stack::start_only(&[Part::Alertmanager], data.path(), Ports::free().unwrap()).await.unwrap();
    (stack, data)
}

async fn post(stack: &Stack, alerts: &[Value]) {
    let client = upstream_client(&ClientOptions::new(service::build_info!())).unwrap();
    let url = format!("{}/api/v2/alerts", stack.url(Part::Alertmanager));
    until("Alertmanager takes the alerts", PATIENCE, || async {
        let answer = client.post(&url).json(alerts).send().await?;
        ensure!(answer.status().is_success(), "{}", answer.status());
        Ok(())
    })
    .await
    .unwrap();
}

fn check(name: &str, annotations: &Value) -> Value {
    json!({
        "labels": {"alertname": "CheckCritical", "severity": "critical", "job": "checkscript", "instance": "web-1", "check": name},
        "annotations": annotations,
    })
}

/// An alert on the check that fires, or has just ended.
fn of_check(check: &str, alert: &str, fires: bool) -> Value {
    let severity = if alert == "CheckFlapping" { "warning" } else { "critical" };
    let labels =
        json!({"alertname": alert, "severity": severity, "job": "checkscript", "instance": "web-1", "check": check});
    let end = if fires { json!("2099-01-01T00:00:00Z") } else { json!(jiff::Timestamp::now().to_string()) };
    json!({"labels": labels, "endsAt": end, "annotations": {"summary": format!("{check}: {alert}")}})
}

/// Waits until these have been told of the check, in this order, and nothing else.
async fn told_of(stack: &Stack, check: &str, wanted: &[&str]) {
    until(&format!("{wanted:?} is told of {check}"), PATIENCE, || async {
        let start = |action: &str| format!("{action} - web-1/{check}: ");
        let words: Vec<_> = stack
            .mails
            .all()
            .into_iter()
            .filter_map(|mail| {
                let of_alert = mail.subject.strip_prefix(&start("ALERT")).map(str::to_owned);
                of_alert
                    .or_else(|| mail.subject.strip_prefix(&start("RESOLVED")).map(|word| format!("{word}, resolved")))
            })
            .collect();
        ensure!(words == wanted, "{words:?}");
        Ok(())
    })
    .await
    .unwrap();
}

/// The Slack message with this in its text.
async fn slack(stack: &Stack, text: &str) -> String {
    let what = format!("a Slack message with {text:?}");
    let found = stack.slack.first(&what, PATIENCE, |message| message.text.contains(text));
    found.await.unwrap().text
}

#[tokio::test]
async fn an_alert_with_nothing_but_labels_is_told() {
    let (mut stack, _data) = alertmanager().await;
    post(&stack, &[check("bare", &json!({})), json!({"labels": {"alertname": "Alone"}})]).await;
    let bare = mail(&stack, "ALERT - web-1/bare: CRITICAL", "Check Name:  bare").await;
    assert_eq!(bare.headers["X-Sensu-Status"], "CRITICAL");
    mail(&stack, "ALERT - prometheus/Alone: UNKNOWN", "Check Name:  Alone").await;
    slack(&stack, "web-1/bare").await;
    slack(&stack, "prometheus/Alone").await;
    stack.stop_all().await.unwrap();
}

/// What is about no check has one group: each of fifty is in the mail, and Slack says how many there are.
#[tokio::test]
async fn fifty_alerts_of_one_group_are_one_message_with_all_of_them() {
    let (mut stack, _data) = alertmanager().await;
    let alerts: Vec<_> = (0..50)
        .map(|number| {
            let labels =
                json!({"alertname": "ClusterMemberDown", "severity": "warning", "cluster": format!("c{number}")});
            json!({"labels": labels, "annotations": {"summary": format!("member of cluster c{number} is gone")}})
        })
        .collect();
    post(&stack, &alerts).await;
    let told = mail(&stack, "ALERT", "member of cluster c49 is gone").await;
    for number in 0..50 {
        assert!(told.body.contains(&format!("member of cluster c{number} is gone\n")), "{number}: {}", told.body);
    }
    let text = slack(&stack, "50 alerts in all").await;
    assert!(text.len() < SLACK_TEXT && text.lines().count() <= 7, "{text}");
    assert_eq!((stack.mails.all().len(), stack.slack.all().len()), (1, 1));
    stack.stop_all().await.unwrap();
}

#[tokio::test]
async fn an_output_of_a_megabyte_is_told_whole_by_mail_and_cut_for_slack() {
    let (mut stack, _data) = alertmanager().await;
    let output = format!("BIG CRITICAL {}", "&<長い>".repeat(HUGE / 12));
    post(&stack, &[check("big", &json!({"output_detail": output}))]).await;
    let told = mail(&stack, "ALERT - web-1/big", "BIG CRITICAL").await;
    assert!(told.body.starts_with(&output), "{} bytes of {}", told.body.len(), output.len());
    let text = slack(&stack, "BIG CRITICAL").await;
    assert!(text.len() < SLACK_TEXT, "{}", text.len());
    stack.stop_all().await.unwrap();
}

#[tokio::test]
async fn hostile_text_is_text_and_pings_nobody() {
    let (mut stack, _data) = alertmanager().await;
    let hostile = "<!channel> <@U123> <https://evil.example|click> ``` <b>太字</b> {{ .Labels }} \u{202e}gnp\u{202c}\nSubject: forged\r\n.\r\nQUIT";
    let annotations = json!({"output_detail": hostile, "address": "<!here>", "notification": "a\r\nBcc: x@example.com", "summary": hostile});
    post(&stack, &[check("<!everyone>", &annotations), check("plain", &json!({"output_detail": hostile}))]).await;
    let told = mail(&stack, "ALERT - web-1/plain: CRITICAL", "<b>太字</b> {{ .Labels }}").await;
    assert!(told.body.contains("Subject: forged\n.\nQUIT"), "{}", told.body);
    let forged = mail(&stack, "ALERT - web-1/<!everyone>", "Check Name:  <!everyone>").await;
    assert!(!forged.headers.contains_key("Bcc"), "{:?}", forged.headers);
    slack(&stack, "web-1/plain").await;
    slack(&stack, "web-1/&lt;!everyone&gt;").await;
    for message in stack.slack.all() {
        for ping in ["<!", "<@", "<http", "```"] {
            assert!(
                !message.text.contains(ping) && !message.title.contains(ping),
                "{ping}: {} {}",
                message.title,
                message.text
            );
        }
    }
    stack.stop_all().await.unwrap();
}

/// A check that flaps is told of once, not at each change; how it ends is told, well or not, and what comes after it.
#[tokio::test]
async fn flapping_is_told_once_and_so_is_how_it_ends() {
    const CRITICAL: &str = "CheckCritical";
    const FLAPPING: &str = "CheckFlapping";
    let (mut stack, _data) = alertmanager().await;
    post(&stack, &[of_check("disk", CRITICAL, true), of_check("net", FLAPPING, true)]).await;
    told_of(&stack, "disk", &["CRITICAL"]).await;
    // In the order in which Prometheus sends them.
    post(&stack, &[of_check("disk", FLAPPING, true)]).await;
    told_of(&stack, "disk", &["CRITICAL", "FLAPPING"]).await;

    // It comes and goes. What is told of another check is later than the next message about this one would be.
    for (fires, other) in [(false, "first"), (true, "second"), (false, "third"), (true, "fourth")] {
        post(&stack, &[of_check("disk", CRITICAL, fires), of_check(other, CRITICAL, true)]).await;
        told_of(&stack, other, &["CRITICAL"]).await;
    }
    told_of(&stack, "disk", &["CRITICAL", "FLAPPING"]).await;

    post(&stack, &[of_check("disk", FLAPPING, false), of_check("net", FLAPPING, false)]).await;
    told_of(&stack, "disk", &["CRITICAL", "FLAPPING", "CRITICAL"]).await;
    told_of(&stack, "net", &["FLAPPING", "OK, resolved"]).await;
    post(&stack, &[of_check("disk", CRITICAL, false)]).await;
    told_of(&stack, "disk", &["CRITICAL", "FLAPPING", "CRITICAL", "OK, resolved"]).await;
    stack.stop_all().await.unwrap();
}
