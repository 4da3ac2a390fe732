//! Each part is killed and started again while a check fails; the alert with its output arrives, once.

use std::collections::BTreeMap;

use e2e::{Part, Stack, get_json, until};

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

#[tokio::test]
async fn a_part_that_is_killed_neither_loses_nor_doubles_the_alert() {
    let (mut stack, _data) = stack().await;
    for part in Part::ALL {
        let (failing, fine) = (format!("failing while {} dies", part.name()), format!("fine after {}", part.name()));
        stack.set_demo_check(2, &failing).unwrap();
        logged(&stack, &failing).await;
        stack.kill(part).await.unwrap();
        stack.spawn(part).await.unwrap();
        mail(&stack, "ALERT", &failing).await;
        stack.set_demo_check(0, &fine).unwrap();
        mail(&stack, "RESOLVED", &fine).await;
    }
    // What would have come twice has had the time of the rounds behind it to come.
    let mut mails: BTreeMap<_, u32> = BTreeMap::new();
    for mail in stack.mails.all().into_iter().filter(|mail| mail.subject.contains("/demo: ")) {
        let output = mail.body.lines().next().unwrap_or_default().to_owned();
        *mails.entry((mail.subject, output)).or_default() += 1;
    }
    assert!(mails.len() == 2 * Part::ALL.len() && mails.values().all(|&count| count == 1), "{mails:#?}");
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
    stack.signal(Part::Runner, e2e::Signal::SIGUSR2).unwrap();
    // Alertmanager never tells of an alert that is resolved within its `group_wait`.
    mail(&stack, "ALERT", "failing in the").await;
    stack.set_demo_check(0, "fine in the new log").unwrap();
    logged(&stack, "fine in the new log").await;
    stack.stop(Part::Agent).await.unwrap();
    stack.spawn(Part::Agent).await.unwrap();
    mail(&stack, "RESOLVED", "fine in the new log").await;
}
