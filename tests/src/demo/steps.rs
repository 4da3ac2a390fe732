//! The steps, each shown with the time since the start.

use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use e2e::sinks::{Attachment, Mail};
use e2e::{Part, Stack, get_json, until};
use serde_json::Value;

/// How long any single step may take.
const PATIENCE: Duration = Duration::from_secs(40);

/// Prints steps with the time since the start.
pub(crate) struct Show(Instant);

impl Show {
    /// Starts the clock.
    pub(crate) fn start() -> Self {
        Self(Instant::now())
    }

    /// One step.
    pub(crate) fn step(&mut self, text: &str) {
        println!("[{:5.1} s] {text}", self.0.elapsed().as_secs_f64());
    }

    /// What a step found, indented.
    fn found(&mut self, text: &str) {
        for line in text.trim_end().lines() {
            println!("          | {line}");
        }
    }
}

/// OK → CRITICAL → OK.
pub(crate) async fn all(show: &mut Show, stack: &Stack) -> anyhow::Result<()> {
    show.step(
        "Two clusters are up, each with Prometheus, Alertmanager, alertmanager-proxy, checkscript-agent and runner.",
    );
    gauge(show, stack, "0").await?;

    show.step("The check `demo` begins to fail.");
    stack.set_demo_check(
        2,
        "DEMO CRITICAL: disk / is 97% full\n/dev/vda1  50G  48G  2G  97%  /\nログを消してください",
    )?;
    gauge(show, stack, "2").await?;
    alert_in_prometheus(show, stack).await?;
    enriched_alert(show, stack).await?;
    messages(show, stack, "ALERT", "DEMO CRITICAL").await?;
    both_in_web_ui(show, stack).await?;

    show.step("The check recovers.");
    stack.set_demo_check(0, "DEMO OK: disk / is 41% full")?;
    gauge(show, stack, "0").await?;
    messages(show, stack, "RESOLVED", "DEMO OK").await
}

async fn gauge(show: &mut Show, stack: &Stack, status: &str) -> anyhow::Result<()> {
    let url = format!("{}/api/v1/query?query=checkscript_status%7Bcheck%3D%22demo%22%7D", stack.url(Part::Prometheus));
    let sample = until(&format!("the gauge to be {status} in Prometheus"), PATIENCE, || async {
        let answer = get_json(&url).await?;
        let sample = answer["data"]["result"].get(0).context("no such series yet")?.clone();
        ensure!(sample["value"][1] == status, "it is {}", sample["value"][1]);
        Ok(sample)
    })
    .await?;
    show.step("Prometheus has scraped the gauge:");
    show.found(&format!("checkscript_status{{check=\"demo\",instance={}}} {status}", sample["metric"]["instance"]));
    Ok(())
}

async fn alert_in_prometheus(show: &mut Show, stack: &Stack) -> anyhow::Result<()> {
    let url = format!("{}/api/v1/alerts", stack.url(Part::Prometheus));
    let alert = until("Prometheus to fire CheckCritical", PATIENCE, || async {
        let answer = get_json(&url).await?;
        let alerts = answer["data"]["alerts"].as_array().cloned().unwrap_or_default();
        let firing = |alert: &Value| alert["labels"]["alertname"] == "CheckCritical" && alert["state"] == "firing";
        alerts.into_iter().find(|alert| alert["labels"]["check"] == "demo" && firing(alert)).context("not firing yet")
    })
    .await?;
    show.step("The rule has fired; the alert as Prometheus has it:");
    show.found(&serde_json::to_string_pretty(&alert["labels"])?);
    show.found(&serde_json::to_string_pretty(&alert["annotations"])?);
    Ok(())
}

async fn enriched_alert(show: &mut Show, stack: &Stack) -> anyhow::Result<()> {
    let url = format!("{}/api/v2/alerts?filter=check%3D%22demo%22", stack.url(Part::Alertmanager));
    let alert = until("the enriched alert in Alertmanager", PATIENCE, || async {
        let alerts = get_json(&url).await?;
        let alert = alerts.get(0).context("Alertmanager has no such alert yet")?;
        let output = alert["annotations"]["output_detail"].as_str().context("the alert has no output_detail")?;
        ensure!(output.contains("/dev/vda1"), "output_detail is {output:?}");
        Ok(alert.clone())
    })
    .await?;
    show.step("alertmanager-proxy has added the check's detail; the annotations as Alertmanager has them:");
    show.found(&serde_json::to_string_pretty(&alert["annotations"])?);
    Ok(())
}

/// The failing check of each cluster, and where to look at them.
async fn both_in_web_ui(show: &mut Show, stack: &Stack) -> anyhow::Result<()> {
    let web_ui = stack.url(Part::WebUi);
    let url = format!("{web_ui}/api/v1/alerts?filter=check%3Ddemo&sort=severity");
    let rows = until("the alerts of both clusters in web-ui", PATIENCE, || async {
        let rows = get_json(&url).await?["rows"].as_array().cloned().unwrap_or_default();
        let is_both =
            rows.len() == 2 && rows.iter().all(|row| row["output"].as_str().is_some_and(|text| !text.is_empty()));
        is_both.then_some(rows.clone()).with_context(|| format!("they are {rows:?}"))
    })
    .await?;
    show.step(&format!("web-ui shows the clusters side by side: {web_ui}/ ; a click on an alert leads to its node:"));
    for row in &rows {
        let text = |row: &Value| row.as_str().unwrap_or_default().to_owned();
        let (cluster, instance) = (text(&row["cluster"]), text(&row["labels"]["instance"]));
        show.found(&format!("{cluster}: {} {}", text(&row["labels"]["severity"]), text(&row["output"])));
        show.found(&format!("  {web_ui}/nodes/{cluster}/checkscript/{instance}?check=demo"));
    }
    Ok(())
}

async fn messages(show: &mut Show, stack: &Stack, action: &str, output: &str) -> anyhow::Result<()> {
    let wanted = |mail: &Mail| mail.subject.starts_with(action) && mail.body.contains(output);
    let mail = stack.mails.first(&format!("the {action} mail with {output:?}"), PATIENCE, wanted).await?;
    show.step(&format!("The {action} mail, as received by SMTP:"));
    show.found(&text_of(&mail));
    let wanted = |slack: &Attachment| slack.text.contains(output);
    let slack = stack.slack.first(&format!("the {action} Slack message with {output:?}"), PATIENCE, wanted).await?;
    show.step(&format!("The {action} Slack message, as received by the webhook:"));
    show.found(&format!("{}  ({})\n{}", slack.title, slack.color, slack.text));
    Ok(())
}

fn text_of(mail: &Mail) -> String {
    let sensu = mail.headers.iter().filter(|(name, _)| name.starts_with("X-Sensu-"));
    let headers: String = sensu.map(|(name, value)| format!("{name}: {value}\n")).collect();
    format!("Subject: {}\n{headers}\n{}", mail.subject, mail.body)
}

/// Prints every further message until the demo is interrupted.
pub(crate) async fn tell_messages(stack: &Stack) -> ! {
    let mut seen = (stack.mails.all().len(), stack.slack.all().len());
    loop {
        tokio::select! {
            () = stack.mails.more_than(seen.0) => {}
            () = stack.slack.more_than(seen.1) => {}
        }
        let (mails, slack) = (stack.mails.all(), stack.slack.all());
        for mail in &mails[seen.0..] {
            println!("\n--- mail\n{}", text_of(mail));
        }
        for message in &slack[seen.1..] {
            println!("\n--- Slack\n{}\n{}", message.title, message.text);
        }
        seen = (mails.len(), slack.len());
    }
}
