//! Checks by name, over all nodes of all clusters.

use std::cmp::{Ordering, Reverse};
use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Serialize, Serializer};

use super::{BadAddress, Narrowed, Page, Snapshot, Sort};
use crate::address::Address;
use crate::matcher::Labels;
use crate::view::Checks;

/// Columns that checks can be sorted by.
pub const COLUMNS: [&str; 7] = ["state", "check", "ok", "warning", "critical", "unknown", "stale"];

/// The checks that an address asks for.
#[derive(Debug, Serialize)]
pub struct Names {
    /// The checks.
    #[serde(flatten)]
    pub page: Page<Row>,
    /// The order.
    #[serde(skip)]
    pub sort: Sort,
}

/// A check.
#[derive(Clone, Debug)]
pub struct Row {
    /// Its name.
    pub check: Arc<str>,
    /// How many there are of each status.
    pub counts: Checks,
}

#[derive(Serialize)]
struct Body<'a> {
    check: &'a str,
    total: u32,
    ok: u32,
    warning: u32,
    critical: u32,
    unknown: u32,
    stale: u32,
}

/// Lists checks by name.
///
/// # Errors
/// When the address cannot be understood.
pub fn list(snapshot: &Snapshot, address: &Address) -> Result<Names, BadAddress> {
    let narrowed = Narrowed::read(address)?;
    let sort = Sort::read(address, &COLUMNS)?;
    let mut sums: BTreeMap<&Arc<str>, Checks> = BTreeMap::new();
    for (_, view) in snapshot.0.iter().filter(|(cluster, _)| narrowed.cluster(&cluster.name)) {
        for (check, counts) in &view.metrics.said.checks {
            let labels = Labels::from([("check".to_owned(), check.to_string())]);
            if narrowed.matches(&labels, || vec![check]) {
                sums.entry(check).or_default().add(counts);
            }
        }
    }
    let mut rows: Vec<_> = sums.into_iter().map(|(check, counts)| Row { check: Arc::clone(check), counts }).collect();
    sort.apply(&mut rows, |a, b| a.compare(b, sort.column));
    Ok(Names { page: Page::cut(rows, address)?, sort })
}

// === impl Row ===

impl Row {
    /// Its alerts on all nodes.
    pub fn address(&self) -> Address {
        Address::of(["checks", &self.check])
    }

    fn compare(&self, other: &Self, column: &str) -> Ordering {
        let by = |key: fn(&Checks) -> u32| Reverse(key(&self.counts)).cmp(&Reverse(key(&other.counts)));
        let first = match column {
            "check" => Ordering::Equal,
            "ok" => by(Checks::ok),
            "warning" => by(|counts| counts.warning),
            "critical" => by(|counts| counts.critical),
            "unknown" => by(|counts| counts.unknown),
            "stale" => by(|counts| counts.stale),
            _ => by(|counts| counts.critical).then(by(|counts| counts.unknown)).then(by(|counts| counts.warning)),
        };
        first.then_with(|| self.check.cmp(&other.check))
    }
}

impl Serialize for Row {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let Checks { total, warning, critical, unknown, stale } = self.counts;
        Body { check: &self.check, total, ok: self.counts.ok(), warning, critical, unknown, stale }.serialize(to)
    }
}
