//! What the webhook, mail and Slack were told.

use e2e::Pair;
use e2e::sinks::{Attachment, Mail, Told};
use e2e::until;

use crate::PATIENCE;

/// Characters of a reason that Slack is told for certain.
const REASON: usize = 200;

/// A message on one check of one node, as it is compared.
#[derive(Debug)]
struct Message {
    firing: bool,
    text: String,
}

pub(super) fn is(told: &Told, check: &str, firing: bool) -> bool {
    told.firing == firing && told.labels.get("check").is_some_and(|name| name == check)
}

/// Waits until an alert of the check is told to the webhook, firing or resolved.
pub(super) async fn told(pair: &Pair, check: &str, firing: bool) -> Told {
    let what = format!("the alert of {check} to be told, firing: {firing}");
    pair.told.first(&what, PATIENCE, |told| is(told, check, firing)).await.unwrap()
}

pub(super) fn output(told: &Told) -> &str {
    told.annotations.get("output").map_or("", String::as_str)
}

/// Waits until webhook, mail and Slack were told of a check on a node what `course` says, `true` where it fires, and fails unless
/// they were told the same: each message with the check's output or why there is none, none twice in a row.
///
/// An ALERT may come once more after the RESOLVED, and that again, also without a proxy: the second Alertmanager, having waited for
/// the word of the first, tells what it saw before the alert ended. It does so for each of the three by itself.
pub(super) async fn told_alike(pair: &Pair, node: usize, check: &str, course: &[bool]) {
    let what = format!("webhook, mail and Slack to be told of {check} on {node}: {course:?}");
    let all = until(&what, PATIENCE, || async {
        let (hook, mails, slack) = sinks(pair, node, check);
        let least = hook.len().min(mails.len()).min(slack.len());
        anyhow::ensure!(least >= course.len(), "{hook:#?} {mails:#?} {slack:#?}");
        Ok((hook, mails, slack))
    });
    let (hook, mails, slack) = all.await.unwrap();
    let firing = [
        hook.iter().map(|told| told.firing).collect::<Vec<_>>(),
        mails.iter().map(|mail| mail.firing).collect(),
        slack.iter().map(|message| message.firing).collect(),
    ];
    for told in firing {
        let once = told.windows(2).all(|pair| pair[0] != pair[1]);
        assert!(once && told.starts_with(course), "{told:?}: {hook:#?} {mails:#?} {slack:#?}");
    }
    for (hook, (mail, message)) in hook.iter().zip(mails.iter().zip(&slack)).take(course.len()) {
        let said = said(hook);
        assert!(said.iter().all(|part| mail.text.contains(part)), "{said:?} in {mail:#?}");
        let escaped = |part: &String| part.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
        assert!(said.iter().map(escaped).all(|part| message.text.contains(&part)), "{said:?} in {message:#?}");
    }
}

/// Fails if any of them was told of the check.
pub(super) fn told_nowhere(pair: &Pair, node: usize, check: &str) {
    let (hook, mails, slack) = sinks(pair, node, check);
    assert!(hook.is_empty() && mails.is_empty() && slack.is_empty(), "{hook:#?} {mails:#?} {slack:#?}");
}

/// What is to stand in each text: the output, or the rule's words and why there is no output.
fn said(told: &Told) -> Vec<String> {
    let annotation = |name: &str| told.annotations.get(name).map(|text| text.trim_end().to_owned());
    let (output, error) = (annotation("output_detail"), annotation("detail_error"));
    assert!(output.is_some() || error.is_some(), "neither an output nor a reason: {told:?}");
    let text = output.or_else(|| annotation("summary"));
    text.into_iter().chain(error.map(|error| error.chars().take(REASON).collect())).collect()
}

/// What each was told of a check on a node, in order. Without a detail the node's address stands where its name would.
fn sinks(pair: &Pair, node: usize, check: &str) -> (Vec<Told>, Vec<Message>, Vec<Message>) {
    let instance = pair.instance(node);
    let names = [format!("node-{node}/{check}: "), format!("{instance}/{check}: ")];
    let ours = |text: &str| names.iter().any(|name| text.starts_with(name));
    let hook = pair.told.all().into_iter();
    let hook = hook.filter(|told| told.labels["check"] == check && told.labels["instance"] == instance).collect();
    let mail = |Mail { subject, body: text, .. }: Mail| {
        let (action, name) = subject.split_once(" - ").unwrap_or_default();
        ours(name).then(|| Message { firing: action == "ALERT", text })
    };
    let message = |Attachment { title, text, .. }: Attachment| {
        ours(&text).then(|| Message { firing: !title.ends_with(" - OK"), text })
    };
    let mails = pair.mails.all().into_iter().filter_map(mail).collect();
    (hook, mails, pair.slack.all().into_iter().filter_map(message).collect())
}
