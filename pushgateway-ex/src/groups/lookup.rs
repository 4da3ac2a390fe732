//! Finding the groups that hold a check, without looking at all of them: alertmanager-proxy asks for one check after the other when
//! many alert at once.
//!
//! The index has each label of each group of check results, the names of its checks as those of a label `check`. A question is
//! answered from the rarest of its labels. Labels are kept as hashes: what has the hash by chance is found as well, and is no match.

use std::collections::BTreeMap;
use std::hash::BuildHasher as _;
use std::ops::Bound::{Included, Unbounded};
use std::sync::Arc;

use check_result::CheckKey;
use imbl::OrdSet;

use super::families::KEY;
use super::{Check, Group, Groups};
use crate::labels::{Key, Labels};

/// The label by which checks are told from each other.
const CHECK: &str = "check";

/// The groups by the hash of each of their labels.
#[derive(Clone, Debug, Default)]
pub(super) struct Lookup(OrdSet<(u64, Key)>);

impl Groups {
    /// The groups of check results that may hold a check with these labels, in the order of their keys: all that do are among them.
    pub fn with_checks<'a>(&self, labels: impl Iterator<Item = (&'a str, &'a str)>) -> Vec<&Arc<Group>> {
        // An empty value asks for those without the label, and the sources of checks are not in the index.
        let known = labels.filter(|(name, value)| !value.is_empty() && *name != "source");
        let mut sets: Vec<_> = known.map(|(name, value)| (self.lookup.groups(name, value), Vec::new())).collect();
        if sets.is_empty() {
            return self.iter().filter(|group| group.key.checks).collect();
        }
        // All are read side by side: that costs as much as the shortest has.
        loop {
            for (groups, found) in &mut sets {
                match groups.next() {
                    Some(key) => found.extend(self.get(key)),
                    None => return std::mem::take(found),
                }
            }
        }
    }
}

impl Group {
    /// Its checks; those of one name, if one is given.
    pub fn checks_named(&self, name: Option<&str>) -> impl Iterator<Item = &Check> {
        let from = name.map_or(Unbounded, |name| Included(first(name)));
        let found = self.checks.range((from, Unbounded));
        found.take_while(move |(key, _)| name.is_none_or(|name| key.check == name)).map(|(_, check)| check)
    }

    /// The names of its checks that the index has: none where the group's own label hides them.
    fn names(&self) -> impl Iterator<Item = &str> {
        let hidden = self.key.labels.get(CHECK).is_some();
        self.checks.keys().map(|key| &*key.check).filter(move |_| !hidden)
    }
}

impl Lookup {
    /// Puts a group in, where `before` is what it was.
    pub(super) fn note(&mut self, group: &Group, before: Option<&Group>) {
        if !group.key.checks {
            return;
        }
        let gone = before.into_iter().flat_map(Group::names).filter(|name| !has(&group.checks, name));
        gone.for_each(|name| self.remove((CHECK, name), &group.key));
        let new = group.names().filter(|name| !before.is_some_and(|before| has(&before.checks, name)));
        new.for_each(|name| self.insert((CHECK, name), &group.key));
        if before.is_none() {
            group.key.labels.iter().for_each(|label| self.insert(label, &group.key));
        }
    }

    /// Takes a group out.
    pub(super) fn forget(&mut self, group: &Group) {
        if group.key.checks {
            let own = group.names().map(|name| (CHECK, name)).chain(group.key.labels.iter());
            own.for_each(|label| self.remove(label, &group.key));
        }
    }

    fn groups(&self, name: &str, value: &str) -> impl Iterator<Item = &Key> {
        let hash = KEY.hash_one((name, value));
        // No key is less than the one without labels.
        let least = (hash, Key::metrics(Labels::new([])));
        self.0.range(least..).take_while(move |(own, _)| *own == hash).map(|(_, key)| key)
    }

    fn insert(&mut self, label: (&str, &str), key: &Key) {
        self.0.insert((KEY.hash_one(label), key.clone()));
    }

    fn remove(&mut self, label: (&str, &str), key: &Key) {
        self.0.remove(&(KEY.hash_one(label), key.clone()));
    }
}

fn has(checks: &BTreeMap<CheckKey, Check>, name: &str) -> bool {
    checks.range(first(name)..).next().is_some_and(|(key, _)| key.check == name)
}

/// The first key that a check of this name can have.
fn first(name: &str) -> CheckKey {
    CheckKey { check: name.to_owned(), source: None }
}
