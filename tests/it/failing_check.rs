//! A check fails and recovers: what arrives is Sensu's text.

use e2e::{Part, Signal, Stack, get_json, until};
use serde_json::Value;

use crate::{PATIENCE, mail, stack};

const OUTPUT: &str = "DEMO CRITICAL: 監視 <disk> & \"quotes\"\nsecond line <!channel> ```\n";

/// How often the demo check had been critical in a row by its results that were issued in this second, as the log has it: mostly
/// it is one.
fn occurrences(stack: &Stack, issued: i64) -> Vec<usize> {
    let log = std::fs::read_to_string(stack.data().join("checkscript-runner.log")).unwrap();
    let check = |line| Some(serde_json::from_str::<Value>(line).ok()?.pointer_mut("/payload/check")?.take());
    let results = log.lines().filter_map(check).filter(|check| check["name"] == "demo");
    let counted = results.scan(0, |in_a_row, check| {
        *in_a_row = if check["status"] == 2 { *in_a_row + 1 } else { 0 };
        Some((check["issued"] == issued, *in_a_row))
    });
    counted.filter_map(|(wanted, in_a_row)| wanted.then_some(in_a_row)).collect()
}

#[tokio::test]
async fn mail_and_slack_carry_the_output_as_sensu_sent_it() {
    let (mut stack, _data) = stack().await;
    stack.set_demo_check(2, OUTPUT.trim_end()).unwrap();
    let firing = mail(&stack, "ALERT", "DEMO CRITICAL").await;

    assert_eq!(firing.subject, "ALERT - quickstart/demo: CRITICAL");
    let start = format!("{OUTPUT}\nAdmin GUI: ");
    assert!(firing.body.starts_with(&start), "{}", firing.body);
    let rest: Vec<_> = firing.body[start.len()..].lines().skip(1).collect();
    assert_eq!(rest[0], "Host: quickstart");
    let check = ["Address:  127.0.0.1", "Check Name:  demo", "Command:  check-demo.sh demo-check", "Status:  CRITICAL"];
    assert_eq!(rest[2..6], check);
    let issued = jiff::Timestamp::strptime("Timestamp: %Y-%m-%d %H:%M:%S %z", rest[1]).unwrap();
    let occurred = occurrences(&stack, issued.as_second());
    assert!(occurred.iter().any(|count| rest[6] == format!("Occurrences:  {count}")), "{}: {occurred:?}", rest[6]);
    assert_eq!(firing.headers["X-Sensu-Host"], "quickstart");
    assert_eq!(firing.headers["X-Sensu-Status"], "CRITICAL");

    let slack =
        stack.slack.first("the Slack message", PATIENCE, |message| message.text.contains("監視")).await.unwrap();
    assert_eq!((slack.title.as_str(), slack.color.as_str()), ("127.0.0.1 - CRITICAL", "#FF0000"));
    assert!(slack.text.contains("&lt;!channel&gt;") && !slack.text.contains("<!channel>"), "{}", slack.text);

    stack.set_demo_check(0, "DEMO OK: fine again").unwrap();
    let resolved = mail(&stack, "RESOLVED", "DEMO OK: fine again").await;
    assert_eq!(resolved.subject, "RESOLVED - quickstart/demo: OK");
    assert!(resolved.body.contains("Status:  OK"), "{}", resolved.body);
    let slack = stack.slack.first("the resolved Slack message", PATIENCE, |message| message.text.contains("DEMO OK"));
    assert_eq!(slack.await.unwrap().color, "#36a64f");
    stack.stop_all().await.unwrap();
}

#[tokio::test]
async fn a_warning_that_becomes_critical_is_one_incident() {
    let (stack, _data) = stack().await;
    stack.set_demo_check(1, "DEMO WARNING: filling").unwrap();
    mail(&stack, "ALERT", "DEMO WARNING: filling").await;
    stack.set_demo_check(2, "DEMO CRITICAL: full").unwrap();
    let critical = mail(&stack, "ALERT", "DEMO CRITICAL: full").await;
    assert_eq!(critical.subject, "ALERT - quickstart/demo: CRITICAL");
    assert!(!critical.body.contains("WARNING"), "{}", critical.body);
    stack.set_demo_check(0, "DEMO OK: emptied").unwrap();
    mail(&stack, "RESOLVED", "DEMO OK: emptied").await;
    let resolved =
        stack.mails.all().iter().filter(|mail| mail.subject.starts_with("RESOLVED - quickstart/demo")).count();
    assert_eq!(resolved, 1, "the change from WARNING to CRITICAL resolved nothing");
}

#[tokio::test]
async fn a_detail_that_cannot_be_fetched_is_said_and_the_alert_arrives() {
    let (mut stack, _data) = stack().await;
    // A proxy that stands still has fetched nothing yet when the agent is gone.
    stack.signal(Part::Proxy, Signal::SIGSTOP).unwrap();
    stack.set_demo_check(2, "DEMO CRITICAL: unseen").unwrap();
    let firing = format!(
        "{}/api/v1/query?query=ALERTS%7Bcheck%3D%22demo%22%2Calertstate%3D%22firing%22%7D",
        stack.url(Part::Prometheus)
    );
    until("the alert in Prometheus", PATIENCE, || async {
        let answer = get_json(&firing).await?;
        anyhow::ensure!(answer["data"]["result"].get(0).is_some(), "not yet");
        Ok(())
    })
    .await
    .unwrap();
    stack.kill(Part::Agent).await.unwrap();
    stack.signal(Part::Proxy, Signal::SIGCONT).unwrap();
    let told = mail(&stack, "ALERT", "cannot connect").await;
    assert!(told.subject.ends_with("/demo: CRITICAL"), "{}", told.subject);
}
