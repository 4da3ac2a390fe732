//! Alertmanager's identity of an alert.

use std::fmt;

use super::Texts;

/// FNV-1a, 64 bits, over all labels sorted by name, each name and value followed by the byte 255
/// (`labelSetToFingerprint` in Prometheus's `common/model/signature.go`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Fingerprint(u64);

const OFFSET_BASIS: u64 = 0xcbf2_9ce4_8422_2325;
const PRIME: u64 = 0x0000_0100_0000_01b3;
const SEPARATOR: u8 = 255;

impl Fingerprint {
    /// The fingerprint of a set of labels.
    pub fn of(labels: &Texts) -> Self {
        let hash = labels
            .iter()
            .flat_map(|(name, value)| [name, value])
            .flat_map(|text| text.bytes().chain([SEPARATOR]))
            .fold(OFFSET_BASIS, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(PRIME));
        Self(hash)
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_alertmanager_prints_them() {
        let labels = [
            ("team", "日本"),
            ("alertname", "CheckCritical"),
            ("check", "disk"),
            ("instance", "10.0.0.1:9780"),
            ("severity", "critical"),
        ];
        // What Alertmanager 0.25 answered for these labels.
        assert_eq!(Fingerprint::of(&labels.into_iter().collect()).to_string(), "7774d8d12e9325a0");
    }
}
