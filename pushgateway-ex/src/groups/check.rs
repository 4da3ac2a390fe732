//! Whether a push fits what is there. Costs as much as the push is large.

use std::collections::{HashMap, HashSet};

use exposition::pushed::MetricType;

use super::prepare::shown;
use super::{Block, Families, Group, Groups, Inconsistent, PUSH_TIME, is_stamp};
use crate::labels::Key;

/// Why a push is not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// It contradicts itself or what is there. The group's failure time says so.
    #[error("pushed metrics are invalid or inconsistent with existing metrics: {0}")]
    Inconsistent(#[from] Inconsistent),
    /// A new group over the limit.
    #[error("there are {0} groups already, as many as --push.max-groups allows")]
    Groups(usize),
    /// A group over the limit.
    #[error("the group would have {series} series, more than the {limit} of --push.max-series")]
    Series {
        /// How many it would have.
        series: usize,
        /// How many it may have.
        limit: usize,
    },
}

/// The push and what is there, as it would be together.
struct After<'a> {
    groups: &'a Groups,
    pushed: HashMap<&'a str, MetricType>,
    /// What the group has, and whether that stays where the push leaves it alone.
    before: Option<&'a Families>,
    stays: bool,
}

impl Groups {
    /// Whether a push of these families fits, `before` being the group of that key.
    pub(super) fn check(&self, before: Option<&Group>, families: &Families, replace: bool) -> Result<(), Refused> {
        let before = before.map(|group| &group.families);
        self.check_size(before.filter(|_| !replace), families)?;
        // What is as it was fits what it fitted before, and what changes is looked at itself.
        let as_before = |block: &Block<'_>| {
            let old = before.and_then(|before| before.get(block.name()));
            old.is_some_and(|old| old.kind() == block.kind() && old.series() == block.series())
        };
        let mut changed = families.iter().filter(|block| !as_before(block)).peekable();
        if changed.peek().is_none() {
            return Ok(());
        }
        let pushed = families.iter().map(|block| (block.name(), block.kind())).collect();
        let after = After { groups: self, pushed, before, stays: !replace };
        changed.try_for_each(|block| after.check(block)).map_err(Refused::from)
    }

    /// Whether there may be a group of this key, `before` being the one that there is.
    pub(super) fn check_new(&self, key: &Key, before: Option<&Group>) -> Result<(), Refused> {
        if before.is_some() {
            return Ok(());
        }
        if self.groups.len() >= self.limits.groups {
            return Err(Refused::Groups(self.groups.len()));
        }
        // Its stamps would be those of the other. Checks have none but with labels of their own.
        match key.labels.twin().filter(|_| !key.checks).map(Key::metrics) {
            Some(twin) if self.groups.contains_key(&twin) => {
                Err(Inconsistent::Duplicate(shown(PUSH_TIME, &key.labels.on(&[]))).into())
            }
            _ => Ok(()),
        }
    }

    fn check_size(&self, staying: Option<&Families>, pushed: &Families) -> Result<(), Refused> {
        let others = staying.into_iter().flat_map(Families::iter);
        let others = others.filter(|block| pushed.get(block.name()).is_none() && !is_stamp(block.name()));
        let series = pushed.iter().chain(others).map(|block| block.series().len()).sum();
        let limit = self.limits.series;
        if series > limit { Err(Refused::Series { series, limit }) } else { Ok(()) }
    }
}

impl After<'_> {
    fn check(&self, block: Block<'_>) -> Result<(), Inconsistent> {
        self.check_type(block.name(), block.kind())?;
        self.check_suffixes(block.name(), block.kind())?;
        self.check_series(block)
    }

    /// All metrics of a name have one type, in all groups and in the gateway's own metrics.
    fn check_type(&self, name: &str, kind: MetricType) -> Result<(), Inconsistent> {
        let capitals = |kind: MetricType| kind.word().to_uppercase();
        if let Some(&own) = self.groups.reserved.get(name).filter(|&&own| own != kind) {
            let (name, kind, own) = (name.to_owned(), capitals(kind), capitals(own));
            return Err(Inconsistent::Reserved { name, kind, own });
        }
        match self.elsewhere(name) {
            Some(other) if other != kind => Err(Inconsistent::NotA { metric: name.to_owned(), kind: capitals(other) }),
            _ => Ok(()),
        }
    }

    /// No metric has a name that a histogram's or summary's lines have.
    fn check_suffixes(&self, name: &str, kind: MetricType) -> Result<(), Inconsistent> {
        for (suffix, of_summaries) in [("_count", true), ("_sum", true), ("_bucket", false)] {
            if let Some(base) = name.strip_suffix(suffix) {
                let word = match self.kind(base) {
                    Some(MetricType::Summary) if of_summaries => "summary",
                    Some(MetricType::Histogram) => "histogram",
                    _ => continue,
                };
                return Err(Inconsistent::Suffix { name: name.to_owned(), kind: word, other: base.to_owned() });
            }
            let needs = kind == MetricType::Histogram || (of_summaries && kind == MetricType::Summary);
            let taken = format!("{name}{suffix}");
            if needs && self.kind(&taken).is_some() {
                return Err(Inconsistent::Suffix { name: taken, kind: kind.word(), other: name.to_owned() });
            }
        }
        Ok(())
    }

    /// No series is in two groups.
    fn check_series(&self, block: Block<'_>) -> Result<(), Inconsistent> {
        let own = self.before.and_then(|before| before.get(block.name()));
        let own: HashSet<_> = own.into_iter().flat_map(|own| own.series()).collect();
        let taken = |series| self.groups.series.contains(series) && !own.contains(series);
        match block.series().iter().position(taken) {
            Some(at) => Err(Inconsistent::Duplicate(shown(block.name(), &block.metrics()[at].labels))),
            None => Ok(()),
        }
    }

    /// The type that a name will have.
    fn kind(&self, name: &str) -> Option<MetricType> {
        let own = || self.groups.reserved.get(name).copied();
        self.pushed.get(name).copied().or_else(|| self.elsewhere(name)).or_else(own).or_else(|| self.staying(name))
    }

    /// The type that a name has in other groups.
    fn elsewhere(&self, name: &str) -> Option<MetricType> {
        let family = self.groups.families.get(name)?;
        let ours = usize::from(self.before.is_some_and(|before| before.get(name).is_some()));
        (family.groups > ours).then_some(family.head.kind)
    }

    /// The type that a name has in the group itself, where the push leaves it alone.
    fn staying(&self, name: &str) -> Option<MetricType> {
        self.before.filter(|_| self.stays)?.get(name).map(|block| block.kind())
    }
}
