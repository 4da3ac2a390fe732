//! Scripts whose exit statuses mean something else than Nagios's.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};

/// Which exit status stands for which: the definition attribute `exit_map`, `{"1": 2}`, or `1:2,3:0` on a command line.
/// Statuses that it does not name stay.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExitMap(BTreeMap<i64, i64>);

/// What reads the attribute of a definition.
struct Attribute;

/// A key of the attribute: an exit status as checkscript-runner takes it (`1`, not `01`), or nothing that a command ends with.
struct Key(Option<i64>);

/// A text that is no exit map.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` maps no exit status; expected FROM:TO,… such as 1:2,3:0")]
pub struct BadExitMap(String);

// === impl ExitMap ===

impl ExitMap {
    /// What `status` stands for.
    pub fn apply(&self, status: i64) -> i64 {
        self.0.get(&status).copied().unwrap_or(status)
    }
}

impl<'de> Deserialize<'de> for ExitMap {
    /// The attribute of a definition, an object of integers. A key that is no exit status, 0 to 255, is passed over: whoever may
    /// push results may name any number of them.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Attribute)
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

// === impl Attribute ===

impl<'de> Visitor<'de> for Attribute {
    type Value = ExitMap;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of integers")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut attribute: A) -> Result<ExitMap, A::Error> {
        let mut map = BTreeMap::new();
        while let Some((Key(from), to)) = attribute.next_entry()? {
            if let Some(from) = from {
                map.insert(from, to);
            }
        }
        Ok(ExitMap(map))
    }
}

// === impl Key ===

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(Self(None))
    }
}

impl Visitor<'_> for Key {
    type Value = Self;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E>(self, key: &str) -> Result<Self, E> {
        let is_plain = key == "0" || !key.starts_with(['0', '+']);
        Ok(Self(key.parse::<u8>().ok().filter(|_| is_plain).map(i64::from)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn named_statuses_are_mapped_and_others_stay() {
        let map: ExitMap = "1:2, 3:0".parse().unwrap();
        assert_eq!([0, 1, 2, 3, 127].map(|status| map.apply(status)), [0, 2, 2, 0, 127]);
        for bad in ["", "1", "1:x", "1:2,"] {
            assert!(bad.parse::<ExitMap>().is_err(), "{bad}");
        }
    }

    #[test]
    fn of_an_attribute_only_exit_statuses_are_kept_however_many_keys_it_has() {
        let read = |text: &str| serde_json::from_str::<ExitMap>(text);
        let odd = r#"{"1":2,"x":9,"01":9,"+1":9,"-1":9,"256":9,"":9,"\u0034":-5,"0":3,"1":8}"#;
        assert_eq!(read(odd).unwrap(), "1:8,4:-5,0:3".parse().unwrap());
        let many = (0..100_000).map(|key| format!("\"{key}\":{key}")).collect::<Vec<_>>().join(",");
        let map = read(&format!("{{{many}}}")).unwrap();
        assert_eq!((map.0.len(), map.apply(255), map.apply(256)), (256, 255, 256));
        for bad in ["[1]", "{\"1\":\"2\"}", "{\"x\":null}", "{\"x\":1.5}", "1"] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }
}
