//! What the pages and the API list: pure functions from views and an address to rows. Nothing here knows of HTTP.

use std::borrow::Cow;
use std::sync::Arc;

use serde::Serialize;

use crate::address::Address;
use crate::cluster::Cluster;
use crate::matcher::{BadMatcher, Labels, Matcher};
use crate::texts::{Say, Texts, fill};
use crate::view::View;

pub mod alerts;
pub mod by_state;
pub mod checks;
pub mod nodes;
pub mod one_check;
pub mod silences;

/// Rows on a page, if the address says nothing.
const ROWS: usize = 100;

/// The most rows that are given at a time.
const MOST: usize = 1_000;

/// The most rows of a list that is asked for as a whole.
pub const WHOLE: usize = 100_000;

/// All clusters at a moment.
#[derive(Clone, Debug)]
pub struct Snapshot(pub Vec<(Arc<Cluster>, Arc<View>)>);

/// Rows of a page, and where it is among all pages.
#[derive(Debug, Serialize)]
pub struct Page<R> {
    /// How many rows there are in all.
    pub total: usize,
    /// The page, counted from 1.
    pub page: usize,
    /// How many pages there are, at least one.
    pub pages: usize,
    /// The rows of this page.
    pub rows: Vec<R>,
}

/// A value that can be chosen, and how many there would be.
#[derive(Clone, Debug, Serialize, PartialEq, Eq)]
pub struct Choice {
    /// The value.
    pub value: String,
    /// How many rows have it, were it the only one that is chosen.
    pub count: usize,
    /// Whether it is.
    pub chosen: bool,
}

/// An address that cannot be understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BadAddress {
    /// The filter is no list of matchers.
    Filter(BadMatcher),
    /// A number is none.
    Number(&'static str, String),
    /// There is no such column.
    Sort(String, String),
}

/// What every list can be narrowed by.
#[derive(Debug)]
pub struct Narrowed<'a> {
    clusters: Vec<&'a str>,
    matchers: Vec<Matcher>,
    find: Vec<String>,
}

/// The order of rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sort {
    /// The column.
    pub column: &'static str,
    /// Whether the largest comes first.
    pub descending: bool,
}

// === impl BadAddress ===

impl BadAddress {
    /// The parameter that cannot be understood.
    pub fn parameter(&self) -> &'static str {
        match self {
            Self::Filter(_) => "filter",
            Self::Number(name, _) => name,
            Self::Sort(..) => "sort",
        }
    }
}

impl Say for BadAddress {
    fn say(&self, t: &Texts) -> String {
        match self {
            Self::Filter(error) => fill(t.address_filter, &[&error.say(t)]),
            Self::Number(name, text) => fill(t.address_number, &[name, text]),
            Self::Sort(name, known) => fill(t.address_sort, &[name, known]),
        }
    }
}

impl From<BadMatcher> for BadAddress {
    fn from(error: BadMatcher) -> Self {
        Self::Filter(error)
    }
}

// === impl Page ===

impl<R> Page<R> {
    /// The page of `rows` that the address asks for.
    ///
    /// # Errors
    /// When its number is none.
    pub fn cut(mut rows: Vec<R>, address: &Address) -> Result<Self, BadAddress> {
        let total = rows.len();
        if address.is_whole() {
            rows.truncate(WHOLE);
            return Ok(Self { total, page: 1, pages: 1, rows });
        }
        let limit = number(address, "limit")?.unwrap_or(ROWS).min(MOST);
        let pages = total.div_ceil(limit).max(1);
        // A list gets shorter while somebody looks at its last page.
        let page = number(address, "page")?.unwrap_or(1).min(pages);
        rows.truncate(page * limit);
        rows.drain(..(page - 1) * limit);
        Ok(Self { total, page, pages, rows })
    }
}

// === impl Narrowed ===

impl<'a> Narrowed<'a> {
    /// What the address says.
    ///
    /// # Errors
    /// When its filter cannot be understood.
    pub fn read(address: &'a Address) -> Result<Self, BadAddress> {
        let find = address.get("find").split_whitespace().map(str::to_lowercase).collect();
        Ok(Self { clusters: address.list("cluster"), matchers: Matcher::parse_all(address.get("filter"))?, find })
    }

    /// Whether a cluster is meant.
    pub fn cluster(&self, name: &str) -> bool {
        chosen(&self.clusters, name)
    }

    /// Whether something with these labels is meant, in which every word is found somewhere.
    pub fn matches<'t>(&self, labels: &Labels, texts: impl Fn() -> Vec<&'t str>) -> bool {
        self.matchers.iter().all(|matcher| matcher.matches(labels)) && self.finds(texts)
    }

    /// Whether the labels that `make` makes are meant; it makes none where no matcher asks for them.
    pub fn matches_made<'l>(&self, make: impl FnOnce() -> Cow<'l, Labels>) -> bool {
        if self.matchers.is_empty() {
            return true;
        }
        let labels = make();
        self.matchers.iter().all(|matcher| matcher.matches(&labels))
    }

    /// Whether every word is found somewhere.
    pub fn finds<'t>(&self, texts: impl Fn() -> Vec<&'t str>) -> bool {
        if self.find.is_empty() {
            return true;
        }
        let texts: Vec<_> = texts().into_iter().map(str::to_lowercase).collect();
        self.find.iter().all(|word| texts.iter().any(|text| text.contains(word)))
    }
}

// === impl Sort ===

impl Sort {
    /// The order that the address asks for; `columns` are those that there are, the first is the default.
    ///
    /// # Errors
    /// When there is no such column.
    pub fn read(address: &Address, columns: &[&'static str]) -> Result<Self, BadAddress> {
        let text = address.get("sort");
        let (descending, name) = text.strip_prefix('-').map_or((false, text), |name| (true, name));
        match columns.iter().find(|column| **column == name) {
            Some(column) => Ok(Self { column, descending }),
            None if text.is_empty() => Ok(Self { column: columns[0], descending: false }),
            None => Err(BadAddress::Sort(name.to_owned(), columns.join(", "))),
        }
    }

    /// Sorts by `compare`, which knows the column.
    pub fn apply<R>(self, rows: &mut [R], compare: impl Fn(&R, &R) -> std::cmp::Ordering) {
        rows.sort_by(|a, b| if self.descending { compare(b, a) } else { compare(a, b) });
    }
}

/// Whether a value is chosen: everything is where nothing was.
fn chosen(wanted: &[&str], value: &str) -> bool {
    wanted.is_empty() || wanted.contains(&value)
}

fn number(address: &Address, name: &'static str) -> Result<Option<usize>, BadAddress> {
    match address.get(name) {
        "" => Ok(None),
        text => match text.parse() {
            Ok(number) if number > 0 => Ok(Some(number)),
            _ => Err(BadAddress::Number(name, text.to_owned())),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(query: &[(&str, &str)]) -> Address {
        Address::default().asking(query.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect())
    }

    #[test]
    fn pages_are_cut() {
        let page = |query: &[(&str, &str)]| Page::cut((0..25).collect(), &address(query));
        let one = page(&[("limit", "10"), ("page", "3")]).unwrap();
        assert_eq!((one.total, one.page, one.pages, one.rows), (25, 3, 3, (20..25).collect()));
        assert_eq!(page(&[("limit", "10"), ("page", "9")]).unwrap().page, 3, "the list has become shorter");
        assert_eq!(Page::<u8>::cut(Vec::new(), &address(&[])).unwrap().pages, 1);
        let whole = Page::cut((0..WHOLE + 1).collect(), &address(&[("limit", "10"), ("page", "3")]).whole()).unwrap();
        assert_eq!((whole.total, whole.rows.len()), (WHOLE + 1, WHOLE));
        assert_eq!(page(&[("page", "0")]).unwrap_err().to_string(), "page: `0` is not a whole number from 1 up");
    }

    #[test]
    fn every_word_has_to_be_found() {
        let query = address(&[("find", "Disk  full"), ("filter", "env=x")]);
        let narrowed = Narrowed::read(&query).unwrap();
        let labels = Labels::from([("env".to_owned(), "x".to_owned())]);
        assert!(narrowed.matches(&labels, || vec!["check-disk", "it is FULL"]));
        assert!(!narrowed.matches(&labels, || vec!["check-disk"]));
        assert!(!narrowed.matches(&Labels::new(), || vec!["disk full"]));
    }
}
