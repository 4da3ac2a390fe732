//! Scripts whose exit statuses mean something else than Nagios's.

use std::collections::BTreeMap;
use std::str::FromStr;

/// Which exit status stands for which: the definition attribute `exit_map`, `{"1": 2}`, or `1:2,3:0` on a command line.
/// Statuses that it does not name stay.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExitMap(BTreeMap<i64, i64>);

/// A text that is no exit map.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` maps no exit status; expected FROM:TO,… such as 1:2,3:0")]
pub struct BadExitMap(String);

// === impl ExitMap ===

impl ExitMap {
    /// The attribute of a definition. A key that is no integer names no status and is passed over.
    pub(crate) fn from_attribute(attribute: BTreeMap<String, i64>) -> Self {
        Self(attribute.into_iter().filter_map(|(from, to)| Some((from.parse().ok()?, to))).collect())
    }

    /// What `status` stands for.
    pub fn apply(&self, status: i64) -> i64 {
        self.0.get(&status).copied().unwrap_or(status)
    }
}

impl FromStr for ExitMap {
    type Err = BadExitMap;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let pair = |pair: &str| {
            let (from, to) = pair.split_once(':')?;
            Some((from.trim().parse().ok()?, to.trim().parse().ok()?))
        };
        let pairs: Option<BTreeMap<_, _>> = text.split(',').map(pair).collect();
        pairs.map(Self).ok_or_else(|| BadExitMap(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn named_statuses_are_mapped_and_others_stay() {
        let map: ExitMap = "1:2, 3:0".parse().unwrap();
        assert_eq!([0, 1, 2, 3, 127].map(|status| map.apply(status)), [0, 2, 2, 0, 127]);
        let attribute = BTreeMap::from([("1".to_owned(), 2), ("x".to_owned(), 9)]);
        assert_eq!(ExitMap::from_attribute(attribute), "1:2".parse().unwrap());
        for bad in ["", "1", "1:x", "1:2,"] {
            assert!(bad.parse::<ExitMap>().is_err(), "{bad}");
        }
    }
}
