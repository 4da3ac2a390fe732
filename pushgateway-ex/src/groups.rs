//! All groups, as one value: what was pushed, indexed so that a push costs what it brings, not what is there.
//!
//! - A group holds its [`Families`], rendered when they are pushed. A scrape puts the parts of one name together, from all groups.
//! - `families` says which type a name has, and in how many groups it is.
//! - `series` are those that there are. With both, the [check](Groups::push) of a push looks at the push alone, where the reference
//!   gathers everything for each.
//!
//! The usual push has the series that its group had before, with new values: it is known to fit, and changes nothing of the indexes.
//!
//! The maps are persistent: a clone costs nothing and never changes, so that a scrape reads one while pushes make the next, and a
//! change that cannot be stored is forgotten by forgetting the clone it was made in.

mod check;
mod expiry;
mod families;
mod lookup;
mod prepare;
mod remade;
mod results;

use std::collections::BTreeMap;
use std::sync::Arc;

use check_result::CheckKey;
use exposition::pushed::MetricType;
use imbl::{OrdMap, OrdSet};
use jiff::Timestamp;

pub use self::check::Refused;
pub use self::expiry::{Check, CheckTtl, End, Expired, Fates, Term};
pub(crate) use self::families::Renderer;
pub use self::families::{Block, Families, Head};
use self::lookup::Lookup;
pub(crate) use self::prepare::check_names;
pub use self::prepare::{Inconsistent, prepare, stamps};
pub use self::results::Results;
pub(crate) use self::results::made;
use crate::labels::Key;

/// The family that says when a group was last pushed with success.
pub const PUSH_TIME: &str = "push_time_seconds";
/// The family that says when a push to a group was last refused.
pub const PUSH_FAILURE_TIME: &str = "push_failure_time_seconds";
/// The family that marks a group whose time is over.
pub const PUSH_EXPIRED: &str = "push_expired";
/// The family that marks each check whose time is over.
pub const PUSH_CHECK_EXPIRED: &str = "push_check_expired";

/// Whether the gateway fills a family of this name itself.
pub fn is_stamp(name: &str) -> bool {
    [PUSH_TIME, PUSH_FAILURE_TIME, PUSH_EXPIRED, PUSH_CHECK_EXPIRED].contains(&name)
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
    pub families: Families,
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
    /// The families, the two of [`stamps`] among them.
    pub families: Families,
    /// When a push was last taken.
    pub pushed: Option<Timestamp>,
    /// When a push was last refused.
    pub failed: Option<Timestamp>,
    /// When its time is over, where that was said. Checks have times of their own.
    pub expires: Option<Timestamp>,
    /// Whether its time is over, and it stays.
    pub expired: bool,
    /// The check results, from which the families are made if there are any.
    pub checks: BTreeMap<CheckKey, Check>,
}

/// A family as all groups together have it.
#[derive(Clone, Debug)]
pub struct Family {
    /// The type, and what it is in the group that was last to say something else.
    pub head: Arc<Head>,
    /// In how many groups it is.
    pub groups: usize,
}

/// All groups.
#[derive(Clone, Debug)]
pub struct Groups {
    groups: OrdMap<Key, Arc<Group>>,
    families: OrdMap<Arc<str>, Family>,
    /// Their hashes.
    series: OrdSet<u64>,
    /// The groups in which the time of something ends, by when the first does.
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
        let (families, checks) = (Families::default(), BTreeMap::new());
        Self { key, families, pushed: None, failed: None, expires: None, expired: false, checks }
    }
}

// === impl Groups ===

impl Groups {
    /// No groups yet. A pushed family may not have another type than `reserved` says of its name.
    pub fn new(reserved: BTreeMap<String, MetricType>, limits: Limits) -> Self {
        let (groups, families, series) = (OrdMap::new(), OrdMap::new(), OrdSet::new());
        let (expiring, lookup, reserved) = (OrdSet::new(), Lookup::default(), Arc::new(reserved));
        Self { groups, families, series, expiring, lookup, reserved, limits }
    }

    /// Takes a push, whole or not at all.
    ///
    /// # Errors
    /// When it contradicts itself or what is there, or goes over a limit. Nothing has changed then.
    pub fn push(&mut self, push: Push) -> Result<(), Refused> {
        let before = self.groups.get(&push.key).map(|group| &**group);
        self.check_new(&push.key, before)?;
        self.check(before, &push.families, push.replace)?;
        let failed = before.and_then(|group| group.failed);
        let kept = before.filter(|_| !push.replace).map(|group| &group.families);
        let Push { key, families: pushed, at, expires, .. } = push;
        let families = match kept {
            Some(kept) => kept.iter().filter(|block| block.name() != PUSH_EXPIRED).chain(pushed.iter()).collect(),
            None => pushed,
        };
        self.put(Group { families, pushed: Some(at), failed, expires, ..Group::new(key) });
        Ok(())
    }

    /// Notes that a push to a group was refused, whether there is such a group or not. One that has nothing but refused pushes stays
    /// until `expires`, as the last of them would have.
    ///
    /// # Errors
    /// When there would be more groups than allowed, or the same stamps twice.
    pub fn fail(&mut self, key: &Key, at: Timestamp, expires: Option<Timestamp>) -> Result<(), Refused> {
        let before = self.groups.get(key).map(|group| &**group);
        self.check_new(key, before)?;
        let failed = Some(at);
        self.put(match before.filter(|group| group.pushed.is_some()) {
            Some(group) => Group { failed, ..group.clone() },
            None => Group { failed, expires, ..Group::new(key.clone()) },
        });
        Ok(())
    }

    /// Removes a group, and says whether there was one.
    pub fn delete(&mut self, key: &Key) -> bool {
        let Some(group) = self.groups.remove(key) else { return false };
        self.no_longer_expiring(&group);
        self.lookup.forget(&group);
        for block in group.families.iter() {
            self.unlink(block);
        }
        true
    }

    /// Puts a group in its place, with its stamps made anew.
    pub fn put(&mut self, group: Group) {
        let (before, group) = self.place(group);
        self.index(before.as_ref().map(|before| &before.families), &group.families);
    }

    /// Puts what was kept over a restart where there is nothing yet.
    pub fn restore(&mut self, mut kept: Vec<Group>) {
        // In their order, one is put beside the other: a map is filled faster so, the larger the more.
        kept.sort_unstable_by(|one, other| one.key.cmp(&other.key));
        let mut series = Vec::new();
        for group in kept {
            let (_, group) = self.place(group);
            for block in group.families.iter() {
                self.link_family(block);
                series.extend_from_slice(block.series());
            }
        }
        series.sort_unstable();
        self.series = series.into_iter().collect();
    }

    /// Puts a group in its place, but for the indexes of families and series. Gives what was there, and what is there.
    fn place(&mut self, mut group: Group) -> (Option<Arc<Group>>, Arc<Group>) {
        let before = self.groups.get(&group.key).map(Arc::clone);
        if let Some(before) = &before {
            self.no_longer_expiring(before);
        }
        self.expiring(&group);
        self.lookup.note(&group, before.as_deref());
        if !group.key.checks || group.checks.values().any(Check::is_over) {
            let own = group.families.iter().filter(|block| !is_stamp(block.name()));
            group.families = own.chain(stamps(&group).iter()).collect();
        }
        let known = before.as_ref().map(|group| &group.families);
        group.families.share(|head| {
            let own = known.and_then(|known| known.get(&head.name)).map(|block| block.head());
            own.filter(|own| ***own == *head).or_else(|| self.head(&head.name))
        });
        let group = Arc::new(group);
        self.groups.insert(group.key.clone(), Arc::clone(&group));
        (before, group)
    }

    /// All groups in the order of their keys.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &Arc<Group>> {
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
    pub fn families(&self) -> impl ExactSizeIterator<Item = (&Arc<str>, &Family)> {
        self.families.iter()
    }

    /// Gives up what families have for themselves of what groups share. A push that did so costs the thread less that takes it.
    pub fn share(&self, families: &mut Families) {
        families.share(|head| self.head(&head.name));
    }

    fn head(&self, name: &str) -> Option<&Arc<Head>> {
        self.families.get(name).map(|family| &family.head)
    }

    /// Brings the indexes from what a group had to what it has.
    fn index(&mut self, before: Option<&Families>, after: &Families) {
        for old in before.into_iter().flat_map(Families::iter) {
            if after.get(old.name()).is_none() {
                self.unlink(old);
            }
        }
        for block in after.iter() {
            match before.and_then(|before| before.get(block.name())) {
                Some(old) => self.relink(old, block),
                None => self.link(block),
            }
        }
    }

    fn link(&mut self, block: Block<'_>) {
        self.series.extend(block.series().iter().copied());
        self.link_family(block);
    }

    fn link_family(&mut self, block: Block<'_>) {
        let new = || Family { head: Arc::clone(block.head()), groups: 0 };
        let family = self.families.entry(Arc::clone(&block.head().name)).or_insert_with(new);
        family.head = Arc::clone(block.head());
        family.groups += 1;
    }

    /// Links a block in the place of an old one of its group.
    fn relink(&mut self, old: Block<'_>, block: Block<'_>) {
        if old.series() != block.series() {
            self.forget_series(old);
            self.series.extend(block.series().iter().copied());
        }
        // The last owner of a name may change its type.
        if !Arc::ptr_eq(old.head(), block.head())
            && let Some(family) = self.families.get_mut(block.name())
        {
            family.head = Arc::clone(block.head());
        }
    }

    fn unlink(&mut self, block: Block<'_>) {
        self.forget_series(block);
        let Some(family) = self.families.get_mut(block.name()) else { return };
        family.groups -= 1;
        if family.groups == 0 {
            self.families.remove(block.name());
        }
    }

    fn forget_series(&mut self, block: Block<'_>) {
        for series in block.series() {
            self.series.remove(series);
        }
    }
}
