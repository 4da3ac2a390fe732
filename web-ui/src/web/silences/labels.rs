//! The labels of the chosen alerts, each of which may count or not.

use std::collections::{BTreeMap, BTreeSet};

use crate::silencing::draft::Form;
use crate::silencing::proposal;

/// Values of a label that are shown beside it.
const VALUES: usize = 3;

/// A label of the chosen alerts, which may count or not.
pub(super) struct Label {
    pub(super) name: String,
    pub(super) values: String,
    pub(super) counts: bool,
}

/// All of them, those first that name an alert.
pub(super) fn labels(form: &Form) -> Vec<Label> {
    let mut values: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for (name, value) in form.targets.iter().filter(|target| !target.all).flat_map(|target| &target.labels) {
        values.entry(name).or_default().insert(value);
    }
    let names = form.names();
    let label = |(name, values): (&str, BTreeSet<&str>)| {
        let more = values.len().saturating_sub(VALUES);
        let mut text = values.into_iter().take(VALUES).collect::<Vec<_>>().join(", ");
        if more > 0 {
            text.push_str(&format!(" +{more}"));
        }
        Label { counts: names.iter().any(|known| known == name), name: name.to_owned(), values: text }
    };
    let mut labels: Vec<_> = values.into_iter().map(label).collect();
    // Those that name an alert come first.
    let naming = proposal::naming(&form.targets);
    labels.sort_by_key(|label| naming.iter().position(|name| *name == label.name).unwrap_or(usize::MAX));
    labels
}
