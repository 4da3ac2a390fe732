//! Whether a push fits what is there. Costs as much as the push is large.

use std::collections::HashMap;

use exposition::pushed::MetricType;

use super::block::shown;
use super::{Block, Groups, Inconsistent, Push, is_stamp};
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
    push: &'a Push,
    pushed: HashMap<&'a str, MetricType>,
}

impl Groups {
    pub(super) fn check(&self, push: &Push) -> Result<(), Refused> {
        self.check_room(&push.key)?;
        self.check_size(push)?;
        let pushed = push.families.iter().map(|(name, block)| (&**name, block.kind())).collect();
        let after = After { groups: self, push, pushed };
        for (name, block) in push.families.iter() {
            after.check_type(name, block.kind())?;
            after.check_suffixes(name, block.kind())?;
            after.check_series(name, block)?;
        }
        Ok(())
    }

    pub(super) fn check_room(&self, key: &Key) -> Result<(), Refused> {
        let full = self.groups.len() >= self.limits.groups && !self.groups.contains_key(key);
        if full { Err(Refused::Groups(self.groups.len())) } else { Ok(()) }
    }

    fn check_size(&self, push: &Push) -> Result<(), Refused> {
        let pushed: usize = push.families.iter().map(|(_, block)| block.series().len()).sum();
        let staying = self.groups.get(&push.key).filter(|_| !push.replace).map_or(0, |group| {
            let named = |name: &str| push.families.iter().any(|(pushed, _)| **pushed == *name);
            let others = group.families.iter().filter(|(name, _)| !named(name) && !is_stamp(name));
            others.map(|(_, block)| block.series().len()).sum()
        });
        let (series, limit) = (pushed + staying, self.limits.series);
        if series > limit { Err(Refused::Series { series, limit }) } else { Ok(()) }
    }
}

impl After<'_> {
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
    fn check_series(&self, name: &str, block: &Block) -> Result<(), Inconsistent> {
        let taken = |series| self.groups.series.get(series).is_some_and(|owner| *owner != self.push.key);
        match block.series().iter().position(taken) {
            Some(at) => Err(Inconsistent::Duplicate(shown(name, &block.metrics(name)[at].labels))),
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
        let ours = usize::from(family.blocks.contains_key(&self.push.key));
        (family.blocks.len() > ours).then_some(family.kind)
    }

    /// The type that a name has in the group itself, where the push leaves it alone.
    fn staying(&self, name: &str) -> Option<MetricType> {
        let group = self.groups.groups.get(&self.push.key).filter(|_| !self.push.replace)?;
        group.families.get(name).map(|block| block.kind())
    }
}
