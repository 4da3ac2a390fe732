//! All groups, as one value: what was pushed, indexed so that a push costs what it brings, not what is there.
//!
//! - A group holds a [`Block`] a family: its samples, rendered for every format when they are pushed. A scrape copies blocks.
//! - `families` has the blocks of a family together, since an exposition must, and answers which type a name has.
//! - `series` says which group has a series. With both, the [check](Groups::push) of a push looks at the push alone, where the
//!   reference gathers everything for each.
//!
//! The maps are persistent: a clone costs nothing and never changes, so that a scrape reads one while pushes make the next, and a
//! change that cannot be stored is forgotten by forgetting the clone it was made in.

mod block;
mod check;
mod expiry;
mod lookup;
mod results;

use std::collections::BTreeMap;
use std::sync::Arc;

use check_result::{CheckKey, CheckState};
use exposition::pushed::MetricType;
use imbl::{HashMap, OrdMap, OrdSet};
use jiff::Timestamp;

pub use self::block::{Block, Inconsistent, Prepared, prepare, stamps};
pub use self::check::Refused;
pub use self::expiry::Expired;
use self::lookup::Lookup;
pub use self::results::Results;
pub(crate) use self::results::made;
use crate::labels::Key;

/// The family that says when a group was last pushed with success.
pub const PUSH_TIME: &str = "push_time_seconds";
/// The family that says when a push to a group was last refused.
pub const PUSH_FAILURE_TIME: &str = "push_failure_time_seconds";
/// The family that marks a group whose time is over.
pub const PUSH_EXPIRED: &str = "push_expired";

/// Whether the gateway fills a family of this name itself.
pub fn is_stamp(name: &str) -> bool {
    [PUSH_TIME, PUSH_FAILURE_TIME, PUSH_EXPIRED].contains(&name)
}

/// How much may be kept.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Groups at a time.
    pub groups: usize,
    /// Series of one group.
    pub series: usize,
}

/// A push that is ready to be taken.
#[derive(Clone, Debug)]
pub struct Push {
    /// The group.
    pub key: Key,
    /// What to put there.
    pub families: Prepared,
    /// Whether the families that are not named go (PUT) or stay (POST).
    pub replace: bool,
    /// When it came.
    pub at: Timestamp,
    /// When the group's time is over, if it is not pushed again.
    pub expires: Option<Timestamp>,
}

/// What was pushed to one grouping key.
#[derive(Clone, Debug)]
pub struct Group {
    /// What it is.
    pub key: Key,
    /// The families by name, the two of [`stamps`] among them.
    pub families: BTreeMap<Arc<str>, Arc<Block>>,
    /// When a push was last taken.
    pub pushed: Option<Timestamp>,
    /// When a push was last refused.
    pub failed: Option<Timestamp>,
    /// When its time is over, where that was said.
    pub expires: Option<Timestamp>,
    /// Whether its time is over, and it stays.
    pub expired: bool,
    /// The check results, from which the families are made if there are any.
    pub checks: BTreeMap<CheckKey, Arc<CheckState>>,
}

/// The blocks of one name.
#[derive(Clone, Debug)]
pub struct Family {
    /// The type of all of them.
    pub kind: MetricType,
    /// By group.
    pub blocks: OrdMap<Key, Arc<Block>>,
}

/// All groups.
#[derive(Clone, Debug)]
pub struct Groups {
    groups: OrdMap<Key, Arc<Group>>,
    families: OrdMap<Arc<str>, Family>,
    series: HashMap<u64, Key>,
    /// The groups whose time ends, by when it does.
    expiring: OrdSet<(Timestamp, Key)>,
    /// The groups of check results.
    lookup: Lookup,
    /// The types of the gateway's own metrics.
    reserved: Arc<BTreeMap<String, MetricType>>,
    limits: Limits,
}

impl Group {
    /// A group that was never pushed.
    pub fn new(key: Key) -> Self {
        let (families, checks) = (BTreeMap::new(), BTreeMap::new());
        Self { key, families, pushed: None, failed: None, expires: None, expired: false, checks }
    }
}

// === impl Groups ===

impl Groups {
    /// No groups yet. A pushed family may not have another type than `reserved` says of its name.
    pub fn new(reserved: BTreeMap<String, MetricType>, limits: Limits) -> Self {
        let (groups, families, series) = (OrdMap::new(), OrdMap::new(), HashMap::new());
        let (expiring, lookup, reserved) = (OrdSet::new(), Lookup::default(), Arc::new(reserved));
        Self { groups, families, series, expiring, lookup, reserved, limits }
    }

    /// Takes a push, whole or not at all.
    ///
    /// # Errors
    /// When it contradicts itself or what is there, or goes over a limit. Nothing has changed then.
    pub fn push(&mut self, push: Push) -> Result<(), Refused> {
        self.check(&push)?;
        let Push { key, families: pushed, replace, at, expires } = push;
        let (mut families, failed) = match self.groups.get(&key) {
            Some(group) if replace => (BTreeMap::new(), group.failed),
            Some(group) => (group.families.clone(), group.failed),
            None => (BTreeMap::new(), None),
        };
        families.extend(pushed.into_inner());
        families.remove(PUSH_EXPIRED);
        self.put(Group { families, pushed: Some(at), failed, expires, ..Group::new(key) });
        Ok(())
    }

    /// Notes that a push to a group was refused, whether there is such a group or not.
    ///
    /// # Errors
    /// When there would be more groups than allowed.
    pub fn fail(&mut self, key: &Key, at: Timestamp) -> Result<(), Refused> {
        self.check_room(key)?;
        let group = self.groups.get(key).map(|group| Group::clone(group));
        let new = || Group::new(key.clone());
        self.put(Group { failed: Some(at), ..group.unwrap_or_else(new) });
        Ok(())
    }

    /// Removes a group, and says whether there was one.
    pub fn delete(&mut self, key: &Key) -> bool {
        let Some(group) = self.groups.remove(key) else { return false };
        self.no_longer_expiring(&group);
        self.lookup.forget(&group);
        for (name, block) in &group.families {
            self.unlink(name, key);
            self.forget_series(block);
        }
        true
    }

    /// Puts a group in its place, with its stamps made anew.
    pub fn put(&mut self, mut group: Group) {
        let before = self.groups.get(&group.key).map(Arc::clone);
        if let Some(before) = &before {
            self.no_longer_expiring(before);
        }
        if let Some(expires) = group.expires.filter(|_| !group.expired) {
            self.expiring.insert((expires, group.key.clone()));
        }
        self.lookup.note(&group, before.as_deref());
        let before = before.as_ref().map(|group| &group.families);
        if !group.key.checks {
            group.families.extend(stamps(&group));
        }
        for (name, old) in before.into_iter().flatten() {
            if !group.families.contains_key(name) {
                self.unlink(name, &group.key);
                self.forget_series(old);
            }
        }
        let mut linked = BTreeMap::new();
        for (name, block) in std::mem::take(&mut group.families) {
            let old = before.and_then(|families| families.get(&name));
            linked.insert(self.link(name, &group.key, (&block, old)), block);
        }
        group.families = linked;
        self.groups.insert(group.key.clone(), Arc::new(group));
    }

    /// All groups in the order of their keys.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Group>> {
        self.groups.values()
    }

    /// One group.
    pub fn get(&self, key: &Key) -> Option<&Arc<Group>> {
        self.groups.get(key)
    }

    /// How many groups there are.
    pub fn len(&self) -> usize {
        self.groups.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.groups.is_empty()
    }

    /// How many series there are, the stamps' included.
    pub fn series(&self) -> usize {
        self.series.len()
    }

    /// All families in the order of their names.
    pub fn families(&self) -> impl Iterator<Item = (&Arc<str>, &Family)> {
        self.families.iter()
    }

    /// Puts a block, in the place of an old one if there is one, and gives the name as the index has it: one copy for all groups.
    fn link(&mut self, name: Arc<str>, key: &Key, (block, old): (&Arc<Block>, Option<&Arc<Block>>)) -> Arc<str> {
        if old.is_some_and(|old| Arc::ptr_eq(old, block)) {
            return name;
        }
        if old.is_none_or(|old| old.series() != block.series()) {
            if let Some(old) = old {
                self.forget_series(old);
            }
            for &series in block.series() {
                self.series.insert(series, key.clone());
            }
        }
        let known = self.families.get_key_value(&name).map(|(known, _)| Arc::clone(known));
        let name = known.unwrap_or(name);
        let empty = || Family { kind: block.kind(), blocks: OrdMap::new() };
        let family = self.families.entry(Arc::clone(&name)).or_insert_with(empty);
        // The last owner of a name may change its type.
        family.kind = block.kind();
        family.blocks.insert(key.clone(), Arc::clone(block));
        name
    }

    fn unlink(&mut self, name: &Arc<str>, key: &Key) {
        let Some(family) = self.families.get_mut(name) else { return };
        family.blocks.remove(key);
        if family.blocks.is_empty() {
            self.families.remove(name);
        }
    }

    fn forget_series(&mut self, block: &Block) {
        for series in block.series() {
            self.series.remove(series);
        }
    }
}
