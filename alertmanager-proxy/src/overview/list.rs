//! Filtering, sorting and paging.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::{Serialize, Serializer};

use crate::alert::{Fingerprint, Texts};

/// Alerts of a page where nobody says another number, and at most.
const PAGE: usize = 100;
const LARGEST_PAGE: usize = 1_000;

/// How it stands with the detail of an alert; what needs a look comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// There is none.
    Failed,
    /// There is one, but when the node was last asked it gave none.
    Outdated,
    /// A template failed on it.
    Incomplete,
    /// The alert is held for it.
    Waiting,
    /// It is there.
    Enriched,
}

/// An alert.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    /// Alertmanager's identity of it.
    #[serde(serialize_with = "shown")]
    pub fingerprint: Fingerprint,
    /// Its labels.
    pub labels: Arc<Texts>,
    /// Host and port that were asked; empty where the labels give none.
    pub node: Arc<str>,
    /// How it stands.
    pub state: State,
    /// Why there is no detail, or not all of it.
    pub error: Option<String>,
    /// The first line of the check's output.
    pub output: Option<String>,
    /// Whether it is resolved.
    pub resolved: bool,
    /// When it last changed.
    pub changed: Timestamp,
    /// When the node was last asked.
    pub asked: Option<Timestamp>,
    /// How often.
    pub attempts: u32,
}

/// What somebody wants to see.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Wanted {
    /// Any where there is none.
    pub(super) states: Vec<State>,
    /// What a label, the node, the error or the output holds, in lower case.
    pub(super) find: String,
    /// Counted from 1.
    pub(super) page: usize,
    limit: Option<usize>,
}

/// A page of alerts.
#[derive(Debug, Serialize)]
pub(super) struct Listed {
    /// How many alerts there are in each state, of all.
    pub(super) states: BTreeMap<State, usize>,
    /// How many are wanted.
    pub(super) total: usize,
    pub(super) page: usize,
    pub(super) pages: usize,
    pub(super) alerts: Vec<Row>,
}

// === impl State ===

impl State {
    const ALL: [Self; 5] = [Self::Failed, Self::Outdated, Self::Incomplete, Self::Waiting, Self::Enriched];

    /// Its name.
    pub fn word(self) -> &'static str {
        match self {
            Self::Failed => "failed",
            Self::Outdated => "outdated",
            Self::Incomplete => "incomplete",
            Self::Waiting => "waiting",
            Self::Enriched => "enriched",
        }
    }
}

// === impl Row ===

impl Row {
    /// A label's value; empty where there is none.
    pub fn label(&self, name: &str) -> &str {
        self.labels.get(name).unwrap_or_default()
    }

    /// What there is to read: the error where there is one.
    pub fn text(&self) -> &str {
        self.error.as_deref().or(self.output.as_deref()).unwrap_or_default()
    }

    fn has(&self, text: &str) -> bool {
        let labels = self.labels.iter().map(|(_, value)| value);
        let mut texts = labels.chain([&*self.node, self.text()]).chain(self.output.as_deref());
        text.is_empty() || texts.any(|have| have.to_lowercase().contains(text))
    }
}

fn shown<S: Serializer>(fingerprint: &Fingerprint, to: S) -> Result<S::Ok, S::Error> {
    to.collect_str(fingerprint)
}

// === impl Wanted ===

impl Wanted {
    /// Reads a query.
    pub(super) fn read(query: Vec<(String, String)>) -> Result<Self, String> {
        let mut wanted = Self { page: 1, ..Self::default() };
        for (name, value) in query {
            match name.as_str() {
                "state" => wanted.states = states(&value)?,
                "find" => wanted.find = value.trim().to_lowercase(),
                "page" => wanted.page = number(&name, &value, usize::MAX)?,
                "limit" => wanted.limit = Some(number(&name, &value, LARGEST_PAGE)?),
                _ => return Err(format!("`{name}` is unknown; known are state, find, page, limit")),
            }
        }
        Ok(wanted)
    }

    /// Whether exactly these are wanted.
    pub(super) fn is(&self, states: &[State]) -> bool {
        self.states == states
    }

    /// The address of another page or state, relative to this one.
    pub(super) fn address(&self, states: &[State], page: usize) -> String {
        let states = states.iter().map(|state| state.word()).collect::<Vec<_>>().join(",");
        format!("?state={states}&find={}&page={page}", utf8_percent_encode(&self.find, NON_ALPHANUMERIC))
    }
}

fn states(text: &str) -> Result<Vec<State>, String> {
    let known = |word: &str| {
        let all = || State::ALL.map(State::word).join(", ");
        State::ALL
            .into_iter()
            .find(|state| state.word() == word)
            .ok_or_else(|| format!("`{word}` is none of {}", all()))
    };
    text.split(',').map(str::trim).filter(|word| !word.is_empty()).map(known).collect()
}

fn number(name: &str, text: &str, most: usize) -> Result<usize, String> {
    let number = text.parse().ok().filter(|number| (1..=most).contains(number));
    number.ok_or_else(|| format!("`{text}` is no {name}: a whole number from 1 to {most}"))
}

// === impl Listed ===

impl Listed {
    /// The page of `rows` that is wanted.
    pub(super) fn of(rows: Vec<Row>, wanted: &Wanted) -> Self {
        let mut states: BTreeMap<_, _> = State::ALL.into_iter().map(|state| (state, 0)).collect();
        rows.iter().for_each(|row| *states.entry(row.state).or_default() += 1);
        let is_wanted =
            |row: &Row| (wanted.states.is_empty() || wanted.states.contains(&row.state)) && row.has(&wanted.find);
        let mut rows: Vec<_> = rows.into_iter().filter(is_wanted).collect();
        rows.sort_by_cached_key(|row| (row.state, std::cmp::Reverse(row.changed), row.fingerprint.to_string()));
        let (limit, total) = (wanted.limit.unwrap_or(PAGE), rows.len());
        let alerts = rows.into_iter().skip((wanted.page - 1).saturating_mul(limit)).take(limit).collect();
        Self { states, total, page: wanted.page, pages: total.div_ceil(limit).max(1), alerts }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(check: &str, state: State, changed: i64) -> Row {
        let labels: Texts = [("check", check)].into_iter().collect();
        Row {
            fingerprint: Fingerprint::of(&labels),
            labels: Arc::new(labels),
            node: "10.0.0.1:9780".into(),
            state,
            error: (state == State::Failed).then(|| "connection refused".into()),
            output: None,
            resolved: false,
            changed: Timestamp::from_second(changed).unwrap(),
            asked: None,
            attempts: 1,
        }
    }

    fn wanted(query: &[(&str, &str)]) -> Result<Wanted, String> {
        Wanted::read(query.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect())
    }

    fn checks(query: &[(&str, &str)]) -> (Vec<String>, usize, usize) {
        let rows = [
            row("a", State::Enriched, 9),
            row("b", State::Failed, 1),
            row("c", State::Failed, 2),
            row("d", State::Waiting, 3),
        ];
        let listed = Listed::of(rows.to_vec(), &wanted(query).unwrap());
        assert_eq!((listed.states[&State::Failed], listed.states[&State::Outdated]), (2, 0));
        (listed.alerts.iter().map(|row| row.label("check").to_owned()).collect(), listed.total, listed.pages)
    }

    #[test]
    fn what_needs_a_look_comes_first_and_the_newest_of_it() {
        assert_eq!(checks(&[]), (["c", "b", "d", "a"].map(str::to_owned).to_vec(), 4, 1));
        assert_eq!(checks(&[("limit", "3"), ("page", "2")]), (vec!["a".to_owned()], 4, 2));
        assert_eq!(checks(&[("page", "18446744073709551615")]), (vec![], 4, 1));
        assert_eq!(checks(&[("state", "waiting,enriched")]).0, ["d", "a"]);
        assert_eq!(checks(&[("find", " REFUSED ")]).0, ["c", "b"]);
        assert_eq!(checks(&[("find", "10.0.0.1"), ("state", "waiting")]).0, ["d"]);
        assert_eq!(checks(&[("find", "nothing")]), (vec![], 0, 1));
    }

    #[test]
    fn what_cannot_be_wanted_is_told() {
        for (name, value, says) in [
            ("state", "bad", "`bad` is none of failed, outdated, "),
            ("page", "0", "`0` is no page"),
            ("limit", "1001", "from 1 to 1000"),
            ("sort", "x", "`sort` is unknown"),
        ] {
            let error = wanted(&[(name, value)]).unwrap_err();
            assert!(error.contains(says), "{error}");
        }
    }
}
