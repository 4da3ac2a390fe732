//! Reads what a sink was told. What a person could not read either is an error.

use std::time::Instant;

use e2e::sinks::{Attachment, Mail, Told};

use crate::oracle::{Message, Sink};
use crate::plan::HOSTS;

/// What mail and Slack call each status of a check, and the colour of Slack's bar.
const WORDS: [(&str, &str); 4] =
    [("OK", "#36a64f"), ("WARNING", "#FFCC00"), ("CRITICAL", "#FF0000"), ("UNKNOWN", "#6600CC")];

/// The alerts of checks with their severities: those of the statuses 1, 2 and 3.
const ALERTS: [(&str, &str); 3] =
    [("CheckWarning", "warning"), ("CheckCritical", "critical"), ("CheckUnknown", "unknown")];

/// Knows whom a message may be about.
pub(super) struct Reader {
    /// The `instance` of each host.
    instances: Vec<String>,
}

// === impl Reader ===

impl Reader {
    pub(super) fn new(instances: Vec<String>) -> Self {
        Self { instances }
    }

    pub(super) fn webhook(&self, at: Instant, told: &Told) -> Result<Message, String> {
        let read = || {
            let label = |name: &str| told.labels.get(name).map_or("", String::as_str);
            let node = self.node(label("instance")).ok_or("it is of an unknown node")?;
            let alert = (label("alertname"), label("severity"));
            let status =
                ALERTS.iter().position(|of| *of == alert).ok_or("its name and severity are of no check's alert")?;
            Ok((node, label("check"), u8::try_from(status + 1).ok()))
        };
        let (node, check, status) = read().map_err(|why| unreadable(Sink::Webhook, why, &format!("{told:?}")))?;
        let annotation = |name: &str| told.annotations.get(name).cloned();
        let reason = ["detail_error", "detail_age"].iter().find_map(|name| annotation(name));
        let text = annotation("output_detail").or_else(|| annotation("detail_error")).unwrap_or_default();
        let (sink, from, check) = (Sink::Webhook, told.to.clone(), check.to_owned());
        Ok(Message { at, sink, from, node, check, firing: told.firing, status, text, reason })
    }

    pub(super) fn mail(&self, at: Instant, mail: &Mail) -> Result<Message, String> {
        let read = || {
            let (action, rest) = mail.subject.split_once(" - ").ok_or("its subject has no action")?;
            let (node, check, word) = self.about(rest).ok_or("its subject is about no check of a known node")?;
            let header = mail.headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("X-Sensu-Status"));
            let line = mail.body.lines().find_map(|line| line.strip_prefix("Status:"));
            let words = [header.map(|(_, word)| word.as_str()), line].map(|word| word.map(str::trim));
            if words != [Some(word); 2] {
                return Err("its subject, its header and its text do not say the same status");
            }
            let status = status(word)?;
            match action {
                "ALERT" if status.is_some() => Ok((node, check.to_owned(), status)),
                "RESOLVED" if status.is_none() => Ok((node, check.to_owned(), status)),
                _ => Err("its action and its status do not belong together"),
            }
        };
        let whole = || format!("{}\n{}", mail.subject, mail.body);
        let (node, check, status) = read().map_err(|why| unreadable(Sink::Mail, why, &whole()))?;
        let (from, text, reason) = (mail.from.clone(), mail.body.clone(), reason(&mail.body));
        Ok(Message { at, sink: Sink::Mail, from, node, check, firing: status.is_some(), status, text, reason })
    }

    pub(super) fn slack(&self, at: Instant, message: &Attachment) -> Result<Message, String> {
        let read = || {
            let (node, check, _) = self.about(&message.text).ok_or("it is about no check of a known node")?;
            let (_, word) = message.title.rsplit_once(" - ").ok_or("its title has no status")?;
            if !WORDS.contains(&(word, &message.color)) {
                return Err("its title and its colour do not say the same status");
            }
            Ok((node, check.to_owned(), status(word)?))
        };
        let (node, check, status) = read().map_err(|why| unreadable(Sink::Slack, why, &format!("{message:?}")))?;
        let (from, text, reason) = (message.to.clone(), message.text.clone(), reason(&message.text));
        Ok(Message { at, sink: Sink::Slack, from, node, check, firing: status.is_some(), status, text, reason })
    }

    /// Which check of which node a text is about that begins with `NODE/CHECK: `, and what follows. Without a detail the node's address
    /// stands where its name would.
    fn about<'a>(&self, text: &'a str) -> Option<(usize, &'a str, &'a str)> {
        let (host, rest) = text.split_once('/')?;
        let (check, rest) = rest.split_once(": ")?;
        let node = HOSTS.iter().position(|name| *name == host).or_else(|| self.node(host))?;
        Some((node, check, rest))
    }

    fn node(&self, instance: &str) -> Option<usize> {
        self.instances.iter().position(|of| of == instance)
    }
}

/// The exit status that a word stands for; none for OK.
fn status(word: &str) -> Result<Option<u8>, &'static str> {
    let status = WORDS.iter().position(|(of, _)| *of == word).ok_or("it says no status that there is")?;
    Ok(u8::try_from(status).ok().filter(|status| *status > 0))
}

fn unreadable(sink: Sink, why: &str, whole: &str) -> String {
    format!("{sink:?}: what cannot be read, as {why}: {whole}")
}

/// Why a text has no output, or how old the one is that it has, where it says so.
fn reason(text: &str) -> Option<String> {
    let after = |words: &&str| text.split_once(*words).and_then(|(_, rest)| rest.lines().next());
    let said = ["could not be fetched: ", "could not be refreshed: ", "This output is "].iter().find_map(after);
    let age = || text.split_once(" old)").and_then(|(age, _)| age.rsplit('(').next()).map(|age| format!("{age} old"));
    said.map(str::to_owned).or_else(age)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn reader() -> Reader {
        Reader::new((0..HOSTS.len()).map(|node| format!("10.0.0.{node}:9780")).collect())
    }

    fn texts(texts: &[(&str, &str)]) -> BTreeMap<String, String> {
        texts.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect()
    }

    fn mail(subject: &str, word: &str) -> Result<Message, String> {
        let body = format!("incident [1] goes on\n\nStatus:  {word}\n");
        let headers = texts(&[("X-Sensu-Status", word)]);
        reader().mail(Instant::now(), &Mail { from: "a@b".to_owned(), subject: subject.to_owned(), headers, body })
    }

    fn slack(title: &str, color: &str, text: &str) -> Result<Message, String> {
        let [to, title, color, text] = ["/0", title, color, text].map(str::to_owned);
        reader().slack(Instant::now(), &Attachment { to, title, text, color })
    }

    fn hook(labels: &[(&str, &str)]) -> Result<Message, String> {
        let (labels, annotations) = (texts(labels), texts(&[("output_detail", "out")]));
        reader().webhook(Instant::now(), &Told { to: "/0".to_owned(), firing: true, leads: true, labels, annotations })
    }

    #[test]
    fn what_each_sink_is_told_is_read() {
        let read = |message: Result<Message, String>| {
            let Message { node, check, firing, status, .. } = message.unwrap();
            (node, check, firing, status)
        };
        let disk = || "disk".to_owned();
        assert_eq!(read(mail("ALERT - node-1/disk: CRITICAL", "CRITICAL")), (1, disk(), true, Some(2)));
        assert_eq!(read(mail("RESOLVED - 10.0.0.2:9780/disk: OK", "OK")), (2, disk(), false, None));
        assert_eq!(read(slack("10.0.0.1 - UNKNOWN", "#6600CC", "node-1/disk: out")), (1, disk(), true, Some(3)));
        assert_eq!(read(slack("10.0.0.1 - OK", "#36a64f", "push-0/disk: out")), (3, disk(), false, None));
        let labels =
            [("alertname", "CheckWarning"), ("severity", "warning"), ("instance", "10.0.0.0:9780"), ("check", "disk")];
        assert_eq!(read(hook(&labels)), (0, disk(), true, Some(1)));
    }

    #[test]
    fn why_there_is_no_output_is_read_where_it_is_said() {
        let said = |text: &str| slack("10.0.0.1 - UNKNOWN", "#6600CC", &format!("node-1/disk: {text}")).unwrap().reason;
        assert_eq!(said("out : 10.0.0.1 : base"), None);
        assert_eq!(said("out (1h 2s old) : 10.0.0.1"), Some("1h 2s old".to_owned()));
        let broken = said("disk is UNKNOWN (the output could not be fetched: a did not answer in time) : a : ");
        assert!(broken.unwrap().starts_with("a did not answer in time"));
        assert_eq!(
            reason("out\nThis output could not be refreshed: a is away\nThis output is 2s old\n").unwrap(),
            "a is away"
        );
        assert_eq!(reason("out\nThis output is 2s old\n\nAdmin GUI: x").unwrap(), "2s old");
    }

    #[test]
    fn what_cannot_be_read_is_told_with_its_text() {
        let fails = |message: Result<Message, String>, why: &str, text: &str| {
            let told = message.unwrap_err();
            assert!(told.contains(why) && told.contains(text), "{told}");
        };
        fails(mail("", "OK"), "no action", "goes on");
        fails(mail("ALERT - node-7/disk: CRITICAL", "CRITICAL"), "no check of a known node", "node-7");
        fails(mail("ALERT - node-1/disk", "CRITICAL"), "no check", "node-1");
        fails(mail("ALERT - node-1/disk: CRITICAL", "WARNING"), "the same status", "CRITICAL");
        fails(mail("ALERT - node-1/disk: FINE", "FINE"), "no status", "FINE");
        fails(mail("ALERT - node-1/disk: OK", "OK"), "do not belong together", "OK");
        fails(mail("RESOLVED - node-1/disk: WARNING", "WARNING"), "do not belong together", "WARNING");
        fails(slack("10.0.0.1", "#36a64f", "node-1/disk: out"), "no status", "out");
        fails(slack("10.0.0.1 - OK", "#FF0000", "node-1/disk: out"), "colour", "out");
        fails(slack("10.0.0.1 - OK", "#36a64f", "{\"attachments\":[]}"), "no check", "attachments");
        fails(hook(&[]), "unknown node", "output_detail");
        let labels = [("instance", "10.0.0.0:9780"), ("alertname", "CheckWarning"), ("severity", "critical")];
        fails(hook(&labels), "name and severity", "critical");
    }
}
