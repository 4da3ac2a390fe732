//! The page of one node: all its checks, the passing too, one of them opened beside the others.
//!
//! The checks come from the node itself while somebody looks. One that does not answer is shown as Prometheus and Alertmanager
//! know it, and why it does not.

use askama::Template;
use axum::extract::Path;
use check_result::api::{Detail, History, Summary};
use check_result::{HistoryEntry, Status, cleaned, cleaned_first_line};
use futures_util::future::{join, try_join};
use http::StatusCode;
use serde_json::Value;
use similar::{ChangeTag, TextDiff};

use super::frame::{Frame, Moment};
use super::past::Strip;
use super::{Asked, Refusal, Shown, html};
use crate::address::{Address, decoded};
use crate::alertmanager::SilenceState;
use crate::cluster::Cluster;
use crate::detail::{DetailError, Which};
use crate::lists::alerts::Row;
use crate::past::LastSaid;
use crate::prometheus::Known;
use crate::silencing::target::node_parameter;
use crate::texts::{Say as _, Texts, fill};
use crate::view::{Node, Part, Silenced, State, View};

mod history;

use history::Past;

/// Lines of a difference that are shown.
const LINES: usize = 500;

/// Bytes of an output that are compared and shown; the whole is one click away, at the node.
const OUTPUT: usize = 64 << 10;

#[derive(Template)]
#[template(path = "node.html")]
struct Page<'a> {
    frame: Frame<'a>,
    cluster: &'a str,
    /// The list of its cluster's nodes.
    all: Address,
    node: &'a Node,
    /// When a node that is down could be scraped last, where no alert says it.
    seen: Option<Moment>,
    /// Those that are not about a check.
    alerts: Vec<Row<'a>>,
    /// Those in force that mute all of it.
    silences: Vec<&'a Silenced>,
    /// Those that will.
    planned: Vec<&'a Silenced>,
    checks: Vec<Check<'a>>,
    /// Why the checks are only those that Prometheus knows.
    failure: Option<String>,
    opened: Option<Opened<'a>>,
}

/// A check in the list.
struct Check<'a> {
    name: String,
    source: String,
    status: Status,
    line: String,
    since: Option<Moment>,
    address: Address,
    is_open: bool,
    /// Silences in force that mute it.
    silences: Vec<&'a Silenced>,
}

/// The check that is open.
struct Opened<'a> {
    name: String,
    source: String,
    /// Silences in force that mute it, but not the whole node.
    silences: Vec<&'a Silenced>,
    content: Result<Box<Content>, String>,
    /// What the alert says of it, where the node says nothing.
    told: Option<String>,
    /// How it was.
    strip: Strip,
}

/// What the node says of a check.
struct Content {
    status: Status,
    output: String,
    command: String,
    last: Option<Moment>,
    since: Option<Moment>,
    facts: Vec<(&'static str, String)>,
    hooks: Vec<(String, String)>,
    history: Vec<Past>,
    difference: Vec<Line>,
}

/// A line of a difference.
struct Line {
    class: &'static str,
    sign: char,
    text: String,
}

pub(super) async fn page(Path((cluster, job, instance)): Path<(String, String, String)>, asked: Asked) -> Shown {
    let [cluster, job, instance] = [cluster, job, instance].map(|segment| decoded(&segment).to_owned());
    let id = Known { job, instance };
    let found = asked.snapshot.0.iter().find(|(known, _)| known.name == cluster);
    let node = found.and_then(|(cluster, view)| Some((cluster, view, view.metrics.said.node(&id)?)));
    let Some((cluster, view, node)) = node else { return Err(asked.refuse(Refusal::NoNode)) };
    let frame = asked.frame("nodes");
    let (said, last) = ask(cluster, node).await;
    let failure = said.as_ref().err().map(|error| fill(asked.texts.no_detail, &[&error.say(asked.texts)]));
    let mut checks = match said {
        Ok(summaries) => summaries.iter().map(|summary| Check::said(summary, &frame)).collect(),
        Err(_) => known(node, &last.said, &frame),
    };
    let seen = last.said.seen.filter(|_| node.seen.is_none()).and_then(|at| frame.clock.epoch(at));
    checks.sort_by(|a, b| State::of(b.status).cmp(&State::of(a.status)).then_with(|| a.name.cmp(&b.name)));
    for check in &mut checks {
        check.silences = view.silences_of_check(&node.id, &check.name, &check.source);
    }
    let opened = open(&mut checks, &asked, (cluster, view, node)).await;
    let others = view.alerts_of(&node.id).filter(|fired| fired.label("check").is_empty());
    let page = Page {
        alerts: others.map(|fired| Row::new(&cluster.name, view, fired)).collect(),
        silences: view.silences_of(node, SilenceState::Active).collect(),
        planned: view.silences_of(node, SilenceState::Pending).collect(),
        cluster: &cluster.name,
        all: Address::at("/nodes").with("cluster", &cluster.name),
        frame,
        node,
        seen,
        checks,
        failure,
        opened,
    };
    Ok(html(StatusCode::OK, &page))
}

/// What the node says, and what it said last where it says nothing.
async fn ask(cluster: &Cluster, node: &Node) -> (Result<Vec<Summary>, DetailError>, Part<LastSaid>) {
    let said = cluster.details.checks(cluster.prometheus(), &node.id);
    if node.up == Some(false) {
        return join(said, cluster.last_said(&node.id)).await;
    }
    match said.await {
        Ok(said) => (Ok(said), Part::default()),
        Err(error) => (Err(error), cluster.last_said(&node.id).await),
    }
}

/// The checks of a node that does not answer, the passing too where Prometheus has them.
fn known(node: &Node, last: &LastSaid, frame: &Frame<'_>) -> Vec<Check<'static>> {
    let failing = node.failing.iter().map(|failing| {
        let source = failing.source.as_deref().unwrap_or_default();
        Check::known((&failing.check, source), failing.status, frame)
    });
    let mut checks: Vec<_> = failing.collect();
    for (check, source, status) in &last.checks {
        if !checks.iter().any(|known| known.name == *check && known.source == *source) {
            checks.push(Check::known((check, source), *status, frame));
        }
    }
    checks
}

/// Opens the check that the address names, or else the worst one, if that is not OK.
async fn open<'a>(
    checks: &mut [Check<'_>],
    asked: &Asked,
    (cluster, view, node): (&Cluster, &'a View, &Node),
) -> Option<Opened<'a>> {
    let (name, source) = (asked.address.get("check"), asked.address.get("source"));
    let (name, source) = match name {
        "" => checks
            .first()
            .filter(|check| check.status != Status::Ok)
            .map(|check| (check.name.clone(), check.source.clone()))?,
        name => (name.to_owned(), source.to_owned()),
    };
    for check in checks {
        check.is_open = check.name == name && check.source == source;
    }
    let which = Which { check: &name, source: &source };
    let (details, prometheus) = (&cluster.details, cluster.prometheus());
    let frame = asked.frame("nodes");
    let said = try_join(details.check(prometheus, &node.id, which), details.history(prometheus, &node.id, which));
    let (said, strip) = join(said, Strip::ask(&frame, cluster, (&node.id, &name, &source))).await;
    let content = match said {
        Ok((detail, history)) => Ok(Box::new(Content::new(&detail, &history, &frame))),
        Err(error) => Err(fill(frame.t.no_detail, &[&error.say(frame.t)])),
    };
    let mut alerts = view.alerts_of(&node.id);
    let alert = alerts.find(|fired| fired.label("check") == name && fired.label("source") == source);
    let told =
        alert.and_then(|fired| ["output_detail", "output"].iter().find_map(|name| fired.alert.annotations.get(*name)));
    let mut silences = view.silences_of_check(&node.id, &name, &source);
    silences.retain(|silenced| !silenced.covers(&node.labels));
    Some(Opened { told: told.map(|text| shown(text, frame.t)), silences, name, source, content, strip })
}

// === impl Page ===

impl Page<'_> {
    /// The form that silences the node, or one check of it.
    fn silence(&self, check: &str) -> Address {
        let node = node_parameter(self.cluster, &self.node.id.job, &self.node.id.instance);
        Address::at("/silences/new").with("node", &node).with("check", check)
    }

    fn silenced_by(&self, Silenced { silence, .. }: &Silenced) -> String {
        let ends = self.frame.clock.show(&silence.ends_at).exact;
        fill(self.frame.t.silenced_by, &[&silence.created_by, &ends])
    }

    fn silenced_from(&self, Silenced { silence, .. }: &Silenced) -> String {
        let begins = self.frame.clock.show(&silence.starts_at).exact;
        fill(self.frame.t.silenced_from, &[&silence.created_by, &begins])
    }
}

// === impl Check ===

impl Check<'_> {
    fn said(summary: &Summary, frame: &Frame<'_>) -> Self {
        let label = |name| summary.labels.get(name).cloned().unwrap_or_default();
        let (name, source) = (label("check"), label("source"));
        Self {
            address: address(frame, &name, &source),
            status: Status::from_exit_code(summary.exit_code),
            line: cleaned_first_line(&summary.output).into_owned(),
            since: frame.clock.epoch(summary.status_changed),
            is_open: false,
            silences: Vec::new(),
            name,
            source,
        }
    }

    fn known((check, source): (&str, &str), status: Status, frame: &Frame<'_>) -> Self {
        let (address, line) = (address(frame, check, source), String::new());
        let (name, source, silences) = (check.to_owned(), source.to_owned(), Vec::new());
        Self { name, source, status, line, since: None, address, is_open: false, silences }
    }
}

// === impl Content ===

impl Content {
    fn new(detail: &Detail, history: &History, frame: &Frame<'_>) -> Self {
        let (result, t) = (&detail.result, frame.t);
        let client = |name| detail.client_attributes.get(name).map(line).unwrap_or_default();
        let attribute = |name| result.check().get(name).map(line).unwrap_or_default();
        let seconds = |text: String| text.parse().map(|seconds| t.duration(seconds)).unwrap_or(text);
        let facts = [
            (t.exit_status, result.exit_code().to_string()),
            (t.occurrences, detail.occurrences.to_string()),
            (t.duration, result.duration().map(|duration| fill(t.seconds, &[&duration])).unwrap_or_default()),
            (t.interval, seconds(attribute("interval"))),
            ("cron", attribute("cron")),
            ("ttl", seconds(attribute("ttl"))),
            (t.handlers, result.handlers().join(", ")),
            (t.client, result.client().to_owned()),
            (t.address, client("address")),
            (t.subscriptions, client("subscriptions")),
            ("notification", attribute("notification")),
            ("playbook", attribute("playbook")),
        ];
        let hooks = result.check().get("hooks").and_then(Value::as_object).into_iter().flatten();
        let hook = |(name, hook): (&String, &Value)| {
            (name.clone(), shown(hook.get("output").and_then(Value::as_str).unwrap_or_default(), t))
        };
        Self {
            status: detail.status(),
            output: shown(result.output(), t),
            command: result.text("command").unwrap_or_default().to_owned(),
            last: result.executed().and_then(|at| frame.clock.epoch(at)),
            since: frame.clock.epoch(detail.status_changed),
            facts: facts.into_iter().filter(|(_, text)| !text.is_empty()).collect(),
            hooks: hooks.map(hook).collect(),
            history: Past::all(&history.history, detail.occurrences, frame),
            difference: difference(&history.history, t),
        }
    }
}

/// What changed between the last output that was OK and the first one behind it that was not: often the reason.
fn difference(history: &[HistoryEntry], t: &Texts) -> Vec<Line> {
    let is_ok = |entry: &&HistoryEntry| Status::from_exit_code(entry.status) == Status::Ok;
    // Newest first: the failing ones at the beginning are the incident that goes on now.
    let failing = history.iter().take_while(|entry| !is_ok(entry)).count();
    let (Some(first), Some(good)) = (failing.checked_sub(1).map(|index| &history[index]), history.get(failing)) else {
        return Vec::new();
    };
    let (good, first) = (shown(&good.output, t), shown(&first.output, t));
    let difference = TextDiff::from_lines(&good, &first);
    let line = |change: similar::Change<&str>| {
        let (class, sign) = match change.tag() {
            ChangeTag::Delete => ("gone", '-'),
            ChangeTag::Insert => ("new", '+'),
            ChangeTag::Equal => ("same", ' '),
        };
        Line { class, sign, text: change.value().trim_end_matches('\n').to_owned() }
    };
    difference.iter_all_changes().take(LINES).map(line).collect()
}

/// An output as a page shows it.
fn shown(output: &str, t: &Texts) -> String {
    let cut = &output[..output.floor_char_boundary(OUTPUT)];
    let text = cleaned(cut).trim_end().to_owned();
    match output.len() - cut.len() {
        0 => text,
        more => format!("{text}\n{}", fill(t.cut_off, &[&more])),
    }
}

/// A value of a definition in a line.
fn line(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(line).collect::<Vec<_>>().join(", "),
        other => other.to_string(),
    }
}

fn address(frame: &Frame<'_>, check: &str, source: &str) -> Address {
    frame.address.with("check", check).with("source", source)
}
