//! The page of one check.

use std::borrow::Cow;

use askama::Template;
use serde_json::Value;

use super::list::{Row, late, occurrences, words};
use super::moment::Moment;
use super::{Frame, Look, link, rank};
use crate::api::Entry;
use crate::{CheckResult, CheckState, HistoryEntry, Status, cleaned};

/// Problems of the same node that are listed beside a check.
const NEIGHBOURS: usize = 20;

/// Attributes that have a place of their own on the page.
const SHOWN: [&str; 16] = [
    "name",
    "source",
    "output",
    "status",
    "executed",
    "duration",
    "interval",
    "cron",
    "ttl",
    "timeout",
    "occurrences",
    "handler",
    "handlers",
    "type",
    "command",
    "hooks",
];

#[derive(Template)]
#[template(path = "check.html")]
pub(super) struct CheckPage<'a> {
    frame: Frame,
    look: Look,
    result: &'a CheckResult,
    output: Cow<'a, str>,
    source: &'a str,
    /// The query of the list of the checks of the same place.
    place: String,
    /// Further parameters of that.
    place_and: String,
    /// The query of the list of the source's checks.
    source_address: String,
    late: Option<&'static str>,
    facts: Vec<(&'static str, String)>,
    last: Moment,
    since: Option<Moment>,
    command: Cow<'a, str>,
    hooks: Vec<Hook<'a>>,
    history: Vec<Past<'a>>,
    attributes: Vec<(&'a str, Text)>,
    neighbours: Vec<Row<'a>>,
    more_neighbours: usize,
    /// The same in the API.
    api: String,
    api_history: String,
}

/// What a hook of the check said.
struct Hook<'a> {
    name: &'a str,
    command: Cow<'a, str>,
    status: Option<i64>,
    output: Cow<'a, str>,
}

/// One past result.
struct Past<'a> {
    look: Look,
    /// The exit status, where the word does not say it.
    code: Option<i64>,
    at: Moment,
    duration: Option<String>,
    changed: bool,
    first_line: String,
    /// The whole output, where it is more than its first line and not the one of the result before.
    output: Option<Cow<'a, str>>,
    repeats: bool,
}

/// An attribute's value: in the line, or a block of several lines or pretty JSON.
enum Text {
    Line(String),
    /// An address of the web: a playbook, a dashboard.
    Link(String),
    Block(String),
}

impl<'a> CheckPage<'a> {
    /// The page of `entry`, with the `problems` of the node beside it.
    pub(super) fn new(frame: Frame, entry: &'a Entry, problems: &'a [Entry]) -> Self {
        let (state, clock) = (&*entry.state, &frame.clock);
        let result = state.latest();
        let place = link::place(&entry.labels);
        let of_place = || place.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let mut others: Vec<_> = problems.iter().filter(|problem| problem.labels != entry.labels).collect();
        others.sort_by(|a, b| (rank(a.state.status()), &a.labels).cmp(&(rank(b.state.status()), &b.labels)));
        Self {
            look: state.status().into(),
            result,
            output: cleaned(result.output()),
            source: result.source().unwrap_or_default(),
            place: link::query(of_place()),
            place_and: link::query(of_place()).replacen('?', "&", 1),
            source_address: link::query(of_place().chain(result.source().map(|source| ("source", source)))),
            late: late(state, clock.age(state.logged())),
            facts: facts(entry),
            last: result.executed().and_then(|at| clock.epoch(at)).unwrap_or_else(|| clock.show(state.logged())),
            since: clock.epoch(state.status_changed()),
            command: cleaned(result.text("command").unwrap_or_default()),
            hooks: hooks(result),
            history: history(&frame, state),
            attributes: attributes(result),
            neighbours: others.iter().take(NEIGHBOURS).map(|problem| Row::new(&frame, problem)).collect(),
            more_neighbours: others.len().saturating_sub(NEIGHBOURS),
            api: link::api(&frame.root, &entry.labels, ""),
            api_history: link::api(&frame.root, &entry.labels, "/history"),
            frame,
        }
    }
}

/// What there is to know besides status and times, in the order it is looked for.
fn facts(entry: &Entry) -> Vec<(&'static str, String)> {
    let (state, result) = (&*entry.state, entry.state.latest());
    let client = |name| entry.client_attributes.as_ref().and_then(|attributes| attributes.get(name));
    let required = match result.occurrences_required() {
        1 => String::new(),
        required => format!(" (alerts from {required})"),
    };
    let seconds = |name| result.check().get(name).map(|value| format!("{} s", line(value)));
    let facts = [
        ("Exit status", Some(result.exit_code().to_string())),
        ("Occurrences", Some(format!("{}{required}", occurrences(state)))),
        ("Duration", result.duration().map(|duration| format!("{duration} s"))),
        ("Interval", seconds("interval")),
        ("Cron", result.text("cron").map(str::to_owned)),
        ("TTL", seconds("ttl")),
        ("Timeout", seconds("timeout")),
        ("Type", result.text("type").map(str::to_owned)),
        ("Handlers", Some(result.handlers().join(", "))),
        ("Client", Some(result.client().to_owned())),
        ("Address", client("address").and_then(Value::as_str).map(str::to_owned)),
        ("Subscriptions", client("subscriptions").map(words)),
    ];
    let labels = entry.labels.iter().filter(|(name, _)| !["check", "source"].contains(&name.as_str()));
    let labels = labels.map(|(name, value)| ("Label", format!("{name}={value}")));
    let given = facts.into_iter().filter_map(|(name, value)| Some((name, value.filter(|value| !value.is_empty())?)));
    given.chain(labels).collect()
}

fn hooks(result: &CheckResult) -> Vec<Hook<'_>> {
    let hooks = result.check().get("hooks").and_then(Value::as_object);
    hooks
        .into_iter()
        .flatten()
        .map(|(name, hook)| Hook {
            name,
            command: text(hook.get("command")),
            status: hook.get("status").and_then(Value::as_i64),
            output: text(hook.get("output")),
        })
        .collect()
}

fn text(value: Option<&Value>) -> Cow<'_, str> {
    cleaned(value.and_then(Value::as_str).unwrap_or_default())
}

fn history<'a>(frame: &Frame, state: &'a CheckState) -> Vec<Past<'a>> {
    let entries: Vec<_> = state.history().collect();
    let before = entries.iter().skip(1).map(|entry| Some(*entry)).chain([None]);
    entries.iter().zip(before).map(|(entry, before)| Past::new(frame, entry, before)).collect()
}

impl<'a> Past<'a> {
    fn new(frame: &Frame, entry: &'a HistoryEntry, before: Option<&HistoryEntry>) -> Self {
        let status = Status::from_exit_code(entry.status);
        let repeats = before.is_some_and(|before| before.output == entry.output);
        let whole = trimmed(cleaned(&entry.output));
        let first_line = whole.lines().next().unwrap_or_default().to_owned();
        Self {
            look: status.into(),
            code: Some(entry.status).filter(|code| status == Status::Unknown && *code != 3),
            at: entry.executed.and_then(|at| frame.clock.epoch(at)).unwrap_or_else(|| frame.clock.show(entry.logged)),
            duration: entry.duration.map(|duration| format!("{duration} s")),
            changed: entry.changed,
            output: Some(whole).filter(|whole| !repeats && **whole != *first_line),
            first_line,
            repeats,
        }
    }
}

/// Without the space around it: what is left may begin with some only once it is clean.
fn trimmed(text: Cow<'_, str>) -> Cow<'_, str> {
    match text {
        Cow::Borrowed(text) => Cow::Borrowed(text.trim()),
        Cow::Owned(text) => Cow::Owned(text.trim().to_owned()),
    }
}

/// Every attribute of the definition that has no place of its own.
fn attributes(result: &CheckResult) -> Vec<(&str, Text)> {
    let others = result.check().iter().filter(|(name, _)| !SHOWN.contains(&name.as_str()));
    others.map(|(name, value)| (name.as_str(), Text::from(value))).collect()
}

impl From<&Value> for Text {
    fn from(value: &Value) -> Self {
        let flat = |value: &Value| !value.is_array() && !value.is_object();
        match value {
            Value::Array(items) if items.iter().all(flat) => {
                Self::Line(items.iter().map(line).collect::<Vec<_>>().join(", "))
            }
            Value::Array(_) | Value::Object(_) => Self::Block(cleaned(&format!("{value:#}")).into_owned()),
            Value::String(text) => match cleaned(text).into_owned() {
                text if is_address(&text) => Self::Link(text),
                text if text.contains('\n') => Self::Block(text),
                text => Self::Line(text),
            },
            flat => Self::Line(line(flat)),
        }
    }
}

/// Whether the text is an address that is safe to follow: another scheme may run a script.
fn is_address(text: &str) -> bool {
    (text.starts_with("https://") || text.starts_with("http://")) && !text.contains(|c: char| c.is_whitespace())
}

/// A value that is not nested, a text without its quotes.
fn line(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), |text| cleaned(text).into_owned())
}
