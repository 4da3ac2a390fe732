//! Which ports a source may ask.

use std::ops::RangeInclusive;

/// An allow-list of ports.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ports(Vec<RangeInclusive<u16>>);

impl Ports {
    /// Those in any of `ranges`; every port where there is none.
    pub fn new(ranges: Vec<RangeInclusive<u16>>) -> Self {
        Self(ranges)
    }

    /// Whether every port may be asked.
    pub fn are_all(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether `port` may be asked.
    pub fn allow(&self, port: u16) -> bool {
        self.are_all() || self.0.iter().any(|range| range.contains(&port))
    }
}

/// Reads `9780` or `9000-9999`.
pub(super) fn parse(text: &str) -> Result<RangeInclusive<u16>, String> {
    let port = |text: &str| text.trim().parse::<u16>().ok().filter(|port| *port > 0);
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    match (port(first), port(last)) {
        (Some(first), Some(last)) if first <= last => Ok(first..=last),
        _ => Err(format!("`{text}` is neither a port such as 9780 nor a range such as 9000-9999")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_in_and_out() {
        let ports = Ports::new(["9780", "9000-9100", "80 - 80"].map(|text| parse(text).unwrap()).to_vec());
        for (port, allowed) in [(9780, true), (9000, true), (9100, true), (80, true), (9101, false), (22, false)] {
            assert_eq!(ports.allow(port), allowed, "{port}");
        }
        assert!(Ports::default().allow(22));
        for text in ["0", "65536", "9100-9000", "http", "1-", "-1", ""] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
