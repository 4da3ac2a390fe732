//! The table of all checks.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use askama::Template;
use serde_json::Value;

use super::moment::Moment;
use super::{Frame, Look, link, rank};
use crate::api::refusal::Refusal;
use crate::api::{Entry, Filter};
use crate::{CheckState, Status, cleaned_first_line};

/// Rows of one page. Behind them, further pages.
const ROWS: usize = 500;

/// Clients that are named above the table.
const CLIENTS: usize = 10;

/// Seconds between two loads of a page that reloads itself, at least and at most.
const REFRESH: std::ops::RangeInclusive<u32> = 5..=3600;

/// What the page is asked for.
#[derive(Clone, Debug, Default)]
pub(super) struct ListQuery {
    pub(super) status: Vec<Status>,
    pub(super) labels: BTreeMap<String, String>,
    find: String,
    page: usize,
    refresh: Option<u32>,
}

#[derive(Template)]
#[template(path = "list.html")]
pub(super) struct ListPage<'a> {
    frame: Frame,
    query: ListQuery,
    clients: Vec<Client<'a>>,
    more_clients: usize,
    tabs: Vec<Tab>,
    rows: Vec<Row<'a>>,
    /// Whether a row has a source.
    sources: bool,
    /// Matches on all pages, and how many rows come before this page's.
    matching: usize,
    skipped: usize,
    previous: Option<String>,
    next: Option<String>,
    /// The address that (no longer) reloads itself.
    refresh: String,
}

/// Who ran the checks.
struct Client<'a> {
    name: &'a str,
    address: &'a str,
    subscriptions: String,
}

/// A choice of statuses.
struct Tab {
    class: &'static str,
    text: &'static str,
    count: usize,
    address: String,
    current: bool,
}

/// A line of the table, also of the list of problems beside a check.
pub(super) struct Row<'a> {
    pub(super) look: Look,
    pub(super) check: &'a str,
    pub(super) source: &'a str,
    /// Labels besides check and source, of servers that have them.
    pub(super) others: String,
    pub(super) address: String,
    pub(super) last: Moment,
    /// Why the last result should have been followed by another one.
    pub(super) late: Option<&'static str>,
    pub(super) since: Option<Moment>,
    pub(super) occurrences: String,
    pub(super) output: Cow<'a, str>,
}

// === impl ListQuery ===

impl ListQuery {
    /// What `query` asks for; `labels` are those that checks can have, if not any.
    pub(super) fn read(query: Vec<(String, String)>, labels: Option<&'static [&'static str]>) -> Result<Self, Refusal> {
        let mut read = Self { page: 1, ..Self::default() };
        let mut rest = Vec::new();
        for (name, value) in query {
            let number =
                || value.parse::<u32>().map_err(|_| Refusal::Malformed(format!("{name}: `{value}` is not a number")));
            match name.as_str() {
                "find" => read.find = value.trim().to_owned(),
                "page" => read.page = number()?.max(1) as usize,
                "refresh" if value.is_empty() => {}
                "refresh" => read.refresh = Some(number()?.clamp(*REFRESH.start(), *REFRESH.end())),
                _ => rest.push((name, value)),
            }
        }
        let Filter { status, labels, .. } = Filter::from_query(rest)?.within(labels)?.unlimited()?;
        Ok(Self { status, labels, ..read })
    }

    /// The address of the list for this query.
    fn address(&self, root: &str) -> String {
        let status: Vec<_> = self.status.iter().map(|status| Look::from(*status).class).collect();
        let (status, page) = (status.join(","), self.page.to_string());
        let refresh = self.refresh.map(|seconds| seconds.to_string()).unwrap_or_default();
        let own = [("status", status.as_str()), ("find", &self.find), ("refresh", &refresh)];
        let own = own.into_iter().filter(|(_, value)| !value.is_empty());
        let page = Some(("page", page.as_str())).filter(|_| self.page > 1);
        let labels = self.labels.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        format!("{root}{}", link::query(own.chain(labels).chain(page)))
    }
}

// === impl ListPage ===

impl<'a> ListPage<'a> {
    /// The page of `entries`, which have the query's labels, and any status.
    pub(super) fn new(frame: Frame, query: ListQuery, entries: &'a [Entry]) -> Self {
        let find = query.find.to_lowercase();
        let mut found: Vec<_> = entries.iter().filter(|entry| find.is_empty() || shows(entry, &find)).collect();
        let tabs = tabs(&frame.root, &query, &found);
        found.retain(|entry| query.status.is_empty() || query.status.contains(&entry.state.status()));
        found.sort_by(|a, b| (rank(a.state.status()), &a.labels).cmp(&(rank(b.state.status()), &b.labels)));
        let matching = found.len();
        let pages = matching.div_ceil(ROWS).max(1);
        let page = query.page.min(pages);
        let skipped = (page - 1) * ROWS;
        let rows: Vec<_> = found.iter().skip(skipped).take(ROWS).map(|entry| Row::new(&frame, entry)).collect();
        let go = |page: usize| Some(ListQuery { page, ..query.clone() }.address(&frame.root));
        let (previous, next) = (go(page - 1).filter(|_| page > 1), go(page + 1).filter(|_| page < pages));
        let toggled = if query.refresh.is_some() { None } else { Some(30) };
        let refresh = ListQuery { refresh: toggled, ..query.clone() }.address(&frame.root);
        let mut clients = clients(entries);
        let more_clients = clients.len().saturating_sub(CLIENTS);
        clients.truncate(CLIENTS);
        let sources = rows.iter().any(|row| !row.source.is_empty());
        Self { frame, query, clients, more_clients, tabs, rows, sources, matching, skipped, previous, next, refresh }
    }
}

/// Whether a part of what a row shows contains `text`, which is in lower case, in whatever case.
fn shows(entry: &Entry, text: &str) -> bool {
    let has = |shown: &str| shown.to_lowercase().contains(text);
    entry.labels.values().any(|value| has(value)) || has(&cleaned_first_line(entry.state.latest().output()))
}

fn tabs(root: &str, query: &ListQuery, found: &[&Entry]) -> Vec<Tab> {
    use Status::{Critical, Ok, Unknown, Warning};
    let choices: [(&'static str, &[Status]); 6] = [
        ("All", &[]),
        ("Problems", &[Critical, Warning, Unknown]),
        ("CRITICAL", &[Critical]),
        ("WARNING", &[Warning]),
        ("UNKNOWN", &[Unknown]),
        ("OK", &[Ok]),
    ];
    let tab = |(text, statuses): (&'static str, &[Status])| Tab {
        class: if let [status] = statuses { Look::from(*status).class } else { "" },
        text,
        count: found.iter().filter(|e| statuses.is_empty() || statuses.contains(&e.state.status())).count(),
        address: ListQuery { status: statuses.to_vec(), page: 1, ..query.clone() }.address(root),
        current: query.status == statuses,
    };
    choices.into_iter().map(tab).collect()
}

/// The clients of all entries, by name.
fn clients(entries: &[Entry]) -> Vec<Client<'_>> {
    let mut seen = BTreeSet::new();
    let new = entries.iter().filter(|entry| seen.insert(entry.state.latest().client()));
    let mut clients: Vec<_> = new.map(Client::new).collect();
    clients.sort_by_key(|client| client.name);
    clients
}

impl<'a> Client<'a> {
    fn new(entry: &'a Entry) -> Self {
        let attribute = |name| entry.client_attributes.as_ref().and_then(|attributes| attributes.get(name));
        Self {
            name: entry.state.latest().client(),
            address: attribute("address").and_then(Value::as_str).unwrap_or_default(),
            subscriptions: attribute("subscriptions").map(words).unwrap_or_default(),
        }
    }
}

/// A list of texts as one.
pub(super) fn words(list: &Value) -> String {
    let words = list.as_array().into_iter().flatten().filter_map(Value::as_str);
    words.collect::<Vec<_>>().join(", ")
}

// === impl Row ===

impl<'a> Row<'a> {
    pub(super) fn new(frame: &Frame, entry: &'a Entry) -> Self {
        let (state, clock) = (&*entry.state, &frame.clock);
        let result = state.latest();
        let others = entry.labels.iter().filter(|(name, _)| !["check", "source"].contains(&name.as_str()));
        Self {
            look: state.status().into(),
            check: result.name(),
            source: result.source().unwrap_or_default(),
            others: others.map(|(name, value)| format!(" {name}={value}")).collect(),
            address: link::page(&frame.root, &entry.labels),
            last: result.executed().and_then(|at| clock.epoch(at)).unwrap_or_else(|| clock.show(state.logged())),
            late: late(state, clock.age(state.logged())),
            since: clock.epoch(state.status_changed()),
            occurrences: occurrences(state),
            output: cleaned_first_line(result.output()),
        }
    }
}

/// Whether a next result is overdue, and by what it is known.
pub(super) fn late(state: &CheckState, age: i64) -> Option<&'static str> {
    let result = state.latest();
    let over = |limit: Option<f64>| limit.is_some_and(|limit| age as f64 > limit);
    if over(result.ttl()) {
        Some("older than its ttl")
    } else if over(result.interval().map(|interval| interval * 3.0)) {
        Some("older than three of its intervals")
    } else {
        None
    }
}

/// How often in a row, and how often it takes for an operator to be told.
pub(super) fn occurrences(state: &CheckState) -> String {
    let (count, required) = (state.occurrences(), state.latest().occurrences_required());
    match state.status() {
        Status::Ok => count.to_string(),
        _ if count < required => format!("{count} of {required}"),
        _ => count.to_string(),
    }
}
