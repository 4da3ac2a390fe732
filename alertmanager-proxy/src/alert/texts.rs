//! Labels and annotations, held compactly.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Serialize, Serializer};

/// Names and their texts, each name once, in the order of the names.
///
/// Tens of thousands of alerts are remembered for as long as they fire, with some twenty names each. A map of strings takes
/// several times what they say, in forty allocations; this takes two.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Texts {
    /// Name, text, name, text and so on.
    joined: Box<str>,
    /// Where each of them ends.
    ends: Box<[usize]>,
}

impl Texts {
    /// The text of `name`.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.iter().find(|(known, _)| *known == name).map(|(_, text)| text)
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        (0..self.ends.len()).step_by(2).map(|index| (self.part(index), self.part(index + 1)))
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Bytes in memory.
    pub fn size(&self) -> usize {
        self.joined.len() + size_of_val(&*self.ends)
    }

    fn part(&self, index: usize) -> &str {
        let start = index.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.joined[start..self.ends[index]]
    }
}

/// Of a name that comes twice the last text counts.
impl<N: AsRef<str> + Ord, T: AsRef<str>> FromIterator<(N, T)> for Texts {
    fn from_iter<I: IntoIterator<Item = (N, T)>>(texts: I) -> Self {
        let sorted: BTreeMap<N, T> = texts.into_iter().collect();
        let parts = || sorted.iter().flat_map(|(name, text)| [name.as_ref(), text.as_ref()]);
        let mut joined = String::with_capacity(parts().map(str::len).sum());
        let ends = parts().map(|part| {
            joined.push_str(part);
            joined.len()
        });
        let ends = ends.collect();
        Self { joined: joined.into(), ends }
    }
}

impl fmt::Debug for Texts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

/// As a map.
impl Serialize for Texts {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_map(self.iter())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn they_are_what_a_map_of_them_is(pairs in prop::collection::vec((".{0,3}", ".{0,9}"), 0..9)) {
            let (texts, map): (Texts, BTreeMap<_, _>) = (pairs.iter().cloned().collect(), pairs.into_iter().collect());
            prop_assert!(texts.iter().eq(map.iter().map(|(name, text)| (name.as_str(), text.as_str()))));
            prop_assert!(map.iter().all(|(name, text)| texts.get(name) == Some(text)));
            prop_assert_eq!((texts.get("none such"), texts.is_empty()), (None, map.is_empty()));
            prop_assert_eq!(serde_json::to_value(&texts).unwrap(), serde_json::to_value(&map).unwrap());
        }
    }
}
