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
