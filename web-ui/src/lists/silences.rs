//! Silences of all clusters, narrowed and sorted.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Serialize, Serializer};

use super::{BadAddress, Choice, Narrowed, Page, Snapshot, Sort, chosen};
use crate::address::Address;
use crate::alertmanager::{RawMatcher, SilenceState};
use crate::cluster::Cluster;
use crate::silencing::mark;
use crate::view::{Silenced, View};

/// Columns that silences can be sorted by.
pub const COLUMNS: [&str; 4] = ["ends", "begins", "cluster", "author"];

/// Authors that are offered.
const AUTHORS: usize = 8;

/// The silences that an address asks for.
#[derive(Debug, Serialize)]
pub struct Silences<'a> {
    /// The silences.
    #[serde(flatten)]
    pub page: Page<Row<'a>>,
    /// How many there are of each state.
    pub states: Vec<Choice>,
    /// How many there are in each cluster.
    pub clusters: Vec<Choice>,
    /// Who made them, those with the most first.
    pub authors: Vec<Choice>,
    /// The order.
    #[serde(skip)]
    pub sort: Sort,
}

/// A silence.
#[derive(Clone, Copy, Debug)]
pub struct Row<'a> {
    /// Its cluster.
    pub cluster: &'a str,
    /// What is known of it.
    pub silenced: &'a Silenced,
    /// How many alerts it keeps from being told now.
    pub mutes: usize,
}

#[derive(Serialize)]
struct Body<'a> {
    cluster: &'a str,
    id: &'a str,
    state: SilenceState,
    matchers: &'a [RawMatcher],
    starts_at: jiff::Timestamp,
    ends_at: jiff::Timestamp,
    created_by: &'a str,
    comment: &'a str,
    mutes: usize,
    updated_at: jiff::Timestamp,
    until_resolved: bool,
    understood: bool,
}

/// Lists silences: those that have ended only where the address asks for them.
///
/// # Errors
/// When the address cannot be understood.
pub fn list<'a>(snapshot: &'a Snapshot, address: &Address) -> Result<Silences<'a>, BadAddress> {
    let narrowed = Narrowed::read(address)?;
    let sort = Sort::read(address, &COLUMNS)?;
    let wanted = match address.list("state") {
        none if none.is_empty() => vec!["active", "pending"],
        some => some,
    };
    let authors = address.list("author");
    let (mut rows, mut counts) = (Vec::new(), [(); 3].map(|()| BTreeMap::<&str, usize>::new()));
    for (cluster, view) in &snapshot.0 {
        for silenced in view.silences.said.iter().filter(|silenced| narrowed.finds(|| texts(silenced))) {
            let silence = &silenced.silence;
            let values = [silence.status.state.word(), &cluster.name, &silence.created_by];
            let fits = [chosen(&wanted, values[0]), narrowed.cluster(values[1]), chosen(&authors, values[2])];
            // Each choice counts what there would be if it alone were made anew.
            let misses = fits.iter().filter(|fits| !**fits).count();
            for (index, value) in values.into_iter().enumerate() {
                if misses == 0 || (misses == 1 && !fits[index]) {
                    *counts[index].entry(value).or_default() += 1;
                }
            }
            if misses == 0 {
                rows.push(Row { cluster: &cluster.name, silenced, mutes: view.muted_by(&silenced.silence.id) });
            }
        }
    }
    sort.apply(&mut rows, |a, b| a.compare(b, sort.column));
    let choice = |value: &str, count, wanted: &[&str]| Choice {
        value: value.to_owned(),
        count,
        chosen: wanted.contains(&value),
    };
    let [by_state, by_cluster, by_author] = counts;
    let count = |counts: &BTreeMap<&str, usize>, value: &str| counts.get(value).copied().unwrap_or_default();
    let states = SilenceState::ALL.map(|state| choice(state.word(), count(&by_state, state.word()), &wanted)).into();
    let named = address.list("cluster");
    let of =
        |(cluster, _): &(Arc<Cluster>, Arc<View>)| choice(&cluster.name, count(&by_cluster, &cluster.name), &named);
    let clusters = snapshot.0.iter().map(of).collect();
    let mut by_author: Vec<_> = by_author.into_iter().map(|(name, count)| choice(name, count, &authors)).collect();
    by_author.sort_by_key(|choice| (!choice.chosen, std::cmp::Reverse(choice.count)));
    by_author.truncate(AUTHORS);
    Ok(Silences { page: Page::cut(rows, address)?, states, clusters, authors: by_author, sort })
}

fn texts(silenced: &Silenced) -> Vec<&str> {
    let silence = &silenced.silence;
    let matchers = silence.matchers.iter().flat_map(|matcher| [matcher.name.as_str(), matcher.value.as_str()]);
    [silence.comment.as_str(), &silence.created_by, &silence.id].into_iter().chain(matchers).collect()
}

// === impl Row ===

impl<'a> Row<'a> {
    /// A silence of a cluster.
    pub fn find(snapshot: &'a Snapshot, cluster: &str, id: &str) -> Option<Self> {
        let (cluster, view) = snapshot.0.iter().find(|(known, _)| known.name == cluster)?;
        let silenced = view.silences.said.iter().find(|silenced| silenced.silence.id == id)?;
        Some(Self { cluster: &cluster.name, silenced, mutes: view.muted_by(&silenced.silence.id) })
    }

    fn compare(&self, other: &Self, column: &str) -> Ordering {
        let (this, that) = (&self.silenced.silence, &other.silenced.silence);
        let first = match column {
            "begins" => that.starts_at.cmp(&this.starts_at),
            "cluster" => self.cluster.cmp(other.cluster),
            "author" => this.created_by.cmp(&that.created_by),
            _ => Ordering::Equal,
        };
        // What has ended last is the most interesting of what has ended.
        let ends = match (this.status.state, that.status.state) {
            (SilenceState::Expired, SilenceState::Expired) => that.ends_at.cmp(&this.ends_at),
            (one, other) => one.cmp(&other).then(this.ends_at.cmp(&that.ends_at)),
        };
        first.then(ends).then_with(|| this.id.cmp(&that.id))
    }
}

impl Serialize for Row<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let silence = &self.silenced.silence;
        let body = Body {
            cluster: self.cluster,
            id: &silence.id,
            state: silence.status.state,
            matchers: &silence.matchers,
            starts_at: silence.starts_at,
            ends_at: silence.ends_at,
            created_by: &silence.created_by,
            comment: &silence.comment,
            mutes: self.mutes,
            updated_at: silence.updated_at,
            until_resolved: mark::read(&silence.comment).1,
            understood: self.silenced.is_understood(),
        };
        body.serialize(to)
    }
}
