//! Silences of all clusters, narrowed and sorted.

use std::cmp::Ordering;

use serde::{Serialize, Serializer};

use super::{BadAddress, Choice, Narrowed, Page, Snapshot, Sort, chosen};
use crate::address::Address;
use crate::alertmanager::{RawMatcher, SilenceState};
use crate::view::{Silenced, View};

/// Columns that silences can be sorted by.
pub const COLUMNS: [&str; 4] = ["ends", "begins", "cluster", "author"];

/// The silences that an address asks for.
#[derive(Debug, Serialize)]
pub struct Silences<'a> {
    /// The silences.
    #[serde(flatten)]
    pub page: Page<Row<'a>>,
    /// How many there are of each state.
    pub states: Vec<Choice>,
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
    let (mut rows, mut states) = (Vec::new(), SilenceState::ALL.map(|state| (state, 0)));
    for (cluster, view) in snapshot.0.iter().filter(|(cluster, _)| narrowed.cluster(&cluster.name)) {
        for silenced in view.silences.said.iter().filter(|silenced| narrowed.finds(|| texts(silenced))) {
            let state = silenced.silence.status.state;
            for (known, count) in &mut states {
                *count += usize::from(*known == state);
            }
            if chosen(&wanted, state.word()) {
                rows.push(Row { cluster: &cluster.name, silenced, mutes: mutes(view, silenced) });
            }
        }
    }
    sort.apply(&mut rows, |a, b| a.compare(b, sort.column));
    let choice = |(state, count): (SilenceState, usize)| {
        let value = state.word().to_owned();
        Choice { chosen: wanted.contains(&state.word()), value, count }
    };
    Ok(Silences { page: Page::cut(rows, address)?, states: states.map(choice).into(), sort })
}

fn texts(silenced: &Silenced) -> Vec<&str> {
    let silence = &silenced.silence;
    let matchers = silence.matchers.iter().flat_map(|matcher| [matcher.name.as_str(), matcher.value.as_str()]);
    [silence.comment.as_str(), &silence.created_by, &silence.id].into_iter().chain(matchers).collect()
}

/// As Alertmanager says, which knows whether a silence was there in time.
fn mutes(view: &View, silenced: &Silenced) -> usize {
    let id = &silenced.silence.id;
    view.alerts.said.iter().filter(|fired| fired.alert.status.silenced_by.contains(id)).count()
}

// === impl Row ===

impl Row<'_> {
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
        };
        body.serialize(to)
    }
}
