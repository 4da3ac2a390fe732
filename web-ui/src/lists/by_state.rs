//! Rows that have states, counted by state and by cluster: nodes, and the nodes of a check.

use serde::Serialize;

use super::{BadAddress, Choice, Page, Sort, chosen};
use crate::address::Address;

/// The rows that an address asks for.
#[derive(Debug, Serialize)]
pub struct ByState<R> {
    /// The rows.
    #[serde(flatten)]
    pub page: Page<R>,
    /// How many there are of each state.
    pub states: Vec<Choice>,
    /// How many there are in each cluster.
    pub clusters: Vec<Choice>,
    /// The order.
    #[serde(skip)]
    pub sort: Sort,
}

/// Rows that are looked at, cluster by cluster. Each choice counts what there would be if it alone were made anew.
pub(super) struct Counting<'a, R> {
    address: &'a Address,
    rows: Vec<R>,
    states: Vec<Choice>,
    clusters: Vec<Choice>,
}

impl<'a, R> Counting<'a, R> {
    /// None yet; `states` are the words for those that there are.
    pub(super) fn new(address: &'a Address, states: impl IntoIterator<Item = &'static str>) -> Self {
        let wanted = address.list("state");
        let choice = |word: &str| Choice { value: word.to_owned(), count: 0, chosen: wanted.contains(&word) };
        Self { address, rows: Vec::new(), states: states.into_iter().map(choice).collect(), clusters: Vec::new() }
    }

    /// The rows of a cluster; `states_of` says which states a row is in.
    pub(super) fn add<const N: usize>(
        &mut self,
        cluster: &str,
        rows: impl Iterator<Item = R>,
        states_of: impl Fn(&R) -> [Option<&'static str>; N],
    ) {
        let (states, clusters) = (self.address.list("state"), self.address.list("cluster"));
        let is_meant = chosen(&clusters, cluster);
        let mut here = 0;
        for row in rows {
            let words = states_of(&row);
            let fits = words.iter().flatten().any(|word| chosen(&states, word));
            here += usize::from(fits);
            if !is_meant {
                continue;
            }
            for state in &mut self.states {
                state.count += usize::from(words.contains(&Some(state.value.as_str())));
            }
            if fits {
                self.rows.push(row);
            }
        }
        let chosen = clusters.contains(&cluster);
        self.clusters.push(Choice { value: cluster.to_owned(), count: here, chosen });
    }

    /// The page of them.
    ///
    /// # Errors
    /// When the address cannot be understood.
    pub(super) fn sorted(
        mut self,
        sort: Sort,
        compare: impl Fn(&R, &R) -> std::cmp::Ordering,
    ) -> Result<ByState<R>, BadAddress> {
        sort.apply(&mut self.rows, compare);
        let page = Page::cut(self.rows, self.address)?;
        Ok(ByState { page, states: self.states, clusters: self.clusters, sort })
    }
}
