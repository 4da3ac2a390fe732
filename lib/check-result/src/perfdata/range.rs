//! Threshold ranges.

use super::number;

/// The range of values that a threshold is about: `10` (0 to 10), `10:`, `~:10`, `10:20`, and `@10:20` for an alert within.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Range {
    /// The least value in the range; none: negative infinity.
    pub lower: Option<f64>,
    /// The greatest value in the range; none: infinity.
    pub upper: Option<f64>,
    /// Whether the alert is for values inside the range (`@`), its ends included, and not for those outside.
    pub inside: bool,
}

// === impl Range ===

impl Range {
    /// A range; none if it is no such text, or empty.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (inside, text) = text.strip_prefix('@').map_or((false, text), |text| (true, text));
        let (lower, upper) = match text.split_once(':') {
            None => (Some(0.0), Some(number(text)?)),
            Some((lower, upper)) => (lower_end(lower)?, upper_end(upper)?),
        };
        Some(Self { lower, upper, inside })
    }

    /// The range with other ends; none if one of them cannot be.
    pub(super) fn try_map(self, scale: impl Fn(f64) -> Option<f64>) -> Option<Self> {
        let end = |end: Option<f64>| end.map_or(Some(None), |end| scale(end).map(Some));
        Some(Self { lower: end(self.lower)?, upper: end(self.upper)?, ..self })
    }
}

fn lower_end(text: &str) -> Option<Option<f64>> {
    match text {
        "~" => Some(None),
        "" => Some(Some(0.0)),
        text => number(text).map(Some),
    }
}

fn upper_end(text: &str) -> Option<Option<f64>> {
    if text.is_empty() { Some(None) } else { number(text).map(Some) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_forms_of_the_guidelines() {
        for (text, lower, upper, inside) in [
            ("10", Some(0.0), Some(10.0), false),
            ("10:", Some(10.0), None, false),
            ("~:10", None, Some(10.0), false),
            ("10:20", Some(10.0), Some(20.0), false),
            ("@10:20", Some(10.0), Some(20.0), true),
            ("-5,5:-1", Some(-5.5), Some(-1.0), false),
            ("@~:0", None, Some(0.0), true),
        ] {
            assert_eq!(Range::parse(text), Some(Range { lower, upper, inside }), "{text}");
        }
        for bad in ["", "@", "x", "1:x", "~", "U"] {
            assert_eq!(Range::parse(bad), None, "{bad}");
        }
    }
}
