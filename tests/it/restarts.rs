//! Each part is killed and started again while a check fails; the alert with its output arrives, once.

use std::collections::BTreeMap;

use e2e::{Part, Signal, Stack, get_json, get_text, until};

use crate::{PATIENCE, mail, stack};

/// Waits until the failing result is in the log, which is when its way begins.
async fn logged(stack: &Stack, text: &str) {
    let log = stack.data().join("checkscript-runner.log");
    until("the failing result in the log", PATIENCE, || async {
        anyhow::ensure!(tokio::fs::read_to_string(&log).await?.contains(text), "not yet");
        Ok(())
    })
    .await
    .unwrap();
}

/// Waits until the mail and the Slack message have come: Alertmanager sends each by itself.
async fn told(stack: &Stack, kind: &str, text: &str) {
    mail(stack, kind, text).await;
    let slack = format!("the Slack message of {kind}: {text}");
    stack.slack.first(&slack, PATIENCE, |message| message.text.contains(text)).await.unwrap();
}

/// How often each message about the demo check came, mail and Slack, by its head and first line.
fn messages(stack: &Stack) -> BTreeMap<String, u32> {
    let first_line = |text: &str| text.lines().next().unwrap_or_default().to_owned();
    let mails = stack.mails.all().into_iter().filter(|mail| mail.subject.contains("/demo: "));
    let mails = mails.map(|mail| format!("mail: {}: {}", mail.subject, first_line(&mail.body)));
    let slack = stack.slack.all().into_iter().filter(|message| message.text.contains("/demo: "));
    let slack = slack.map(|message| format!("Slack: {}: {}", message.title, first_line(&message.text)));
    let mut counts = BTreeMap::new();
    mails.chain(slack).for_each(|message| *counts.entry(message).or_default() += 1);
    counts
}

/// Four messages a round: mail and Slack, failing and fine; each came once.
fn assert_each_came_once(stack: &Stack, rounds: usize) {
    let messages = messages(stack);
    assert!(messages.len() == 4 * rounds && messages.values().all(|&count| count == 1), "{messages:#?}");
}

/// Waits until Prometheus has tried to send its alerts `times` more; it sends all that fire each 5 s.
async fn resent(stack: &Stack, times: f64) {
    let metrics = format!("{}/metrics", stack.url(Part::Prometheus));
    let tried = || async {
        let page = get_text(&metrics).await?;
        let attempts = page.lines().filter(|line| line.starts_with("prometheus_notifications_latency_seconds_count"));
        Ok(attempts.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum::<f64>())
    };
    let before: f64 = until("Prometheus's metrics", PATIENCE, tried).await.unwrap();
    until("Prometheus to send its alerts again", PATIENCE, || async {
        let now = tried().await?;
        anyhow::ensure!(now >= before + times, "{} times so far", now - before);
        Ok(())
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn a_part_that_is_killed_neither_loses_nor_doubles_the_alert() {
    let (mut stack, _data) = stack().await;
    for part in Part::ALL {
        let (failing, fine) = (format!("failing while {} dies", part.name()), format!("fine after {}", part.name()));
        // A proxy that stands still does not ask an agent that is away, and nothing is told that Alertmanager then forgets.
        let stands = matches!(part, Part::Agent | Part::Alertmanager);
        if stands {
            stack.signal(Part::Proxy, Signal::SIGSTOP).unwrap();
        }
        stack.set_demo_check(2, &failing).unwrap();
        logged(&stack, &failing).await;
        stack.kill(part).await.unwrap();
        stack.spawn(part).await.unwrap();
        if stands {
            stack.signal(Part::Proxy, Signal::SIGCONT).unwrap();
        }
        told(&stack, "ALERT", &failing).await;
        stack.set_demo_check(0, &fine).unwrap();
        told(&stack, "RESOLVED", &fine).await;
    }
    // What would have come twice has had the time of the rounds behind it to come.
    assert_each_came_once(&stack, Part::ALL.len());
}

#[tokio::test]
async fn a_part_that_is_away_for_a_while_delays_the_alert_only() {
    let (mut stack, _data) = stack().await;
    let away = [Part::Alertmanager, Part::Proxy];
    for part in away {
        let (failing, fine) = (format!("failing without {}", part.name()), format!("fine with {}", part.name()));
        stack.kill(part).await.unwrap();
        stack.set_demo_check(2, &failing).unwrap();
        logged(&stack, &failing).await;
        resent(&stack, 3.0).await;
        stack.spawn(part).await.unwrap();
        told(&stack, "ALERT", &failing).await;
        stack.set_demo_check(0, &fine).unwrap();
        told(&stack, "RESOLVED", &fine).await;
    }
    assert_each_came_once(&stack, away.len());
}

#[tokio::test]
async fn a_part_that_is_restarted_after_the_alert_was_told_does_not_tell_it_again() {
    let (mut stack, _data) = stack().await;
    stack.set_demo_check(2, "failing all the time").unwrap();
    told(&stack, "ALERT", "failing all the time").await;
    // Alertmanager notes that a mail was sent a moment after it has come.
    resent(&stack, 2.0).await;
    for part in Part::ALL {
        // Alertmanager alone is asked to stop: what it has told it writes down at its end, or every quarter of an hour.
        match part {
            Part::Alertmanager => stack.stop(part).await.unwrap(),
            _ => stack.kill(part).await.unwrap(),
        }
        stack.spawn(part).await.unwrap();
        resent(&stack, 2.0).await;
    }
    stack.set_demo_check(0, "fine at last").unwrap();
    told(&stack, "RESOLVED", "fine at last").await;
    assert_each_came_once(&stack, 1);
}

#[tokio::test]
async fn rotating_the_log_while_a_check_fails_loses_nothing() {
    let (mut stack, data) = stack().await;
    let log = data.path().join("checkscript-runner.log");
    stack.set_demo_check(2, "failing in the old log").unwrap();
    logged(&stack, "failing in the old log").await;
    std::fs::rename(&log, data.path().join("checkscript-runner.log.1")).unwrap();
    stack.set_demo_check(2, "failing in the renamed log").unwrap();
    let detail = format!("{}/api/v1/checks/demo", stack.url(Part::Agent));
    until("the agent to read the renamed log", PATIENCE, || async {
        anyhow::ensure!(get_json(&detail).await?["check"]["output"] == "failing in the renamed log\n", "not yet");
        Ok(())
    })
    .await
    .unwrap();
    stack.signal(Part::Runner, Signal::SIGUSR2).unwrap();
    // Alertmanager never tells of an alert that is resolved within its `group_wait`.
    mail(&stack, "ALERT", "failing in the").await;
    // A proxy that stands still does not ask an agent that is away.
    stack.signal(Part::Proxy, Signal::SIGSTOP).unwrap();
    stack.set_demo_check(0, "fine in the new log").unwrap();
    logged(&stack, "fine in the new log").await;
    stack.stop(Part::Agent).await.unwrap();
    stack.spawn(Part::Agent).await.unwrap();
    stack.signal(Part::Proxy, Signal::SIGCONT).unwrap();
    mail(&stack, "RESOLVED", "fine in the new log").await;
}
