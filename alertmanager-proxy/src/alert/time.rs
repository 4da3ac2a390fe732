//! Times as Alertmanager reads them.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::Offset;

/// The shortest text that has a time of day: `2026-01-02T03:04`.
const SHORTEST: usize = 16;

/// What Go calls the zero time; Alertmanager takes it for "not said".
const ZERO: &str = "0001-01-01T00:00:00Z";

/// Reads a time: RFC 3339, or without an offset (then UTC), `T` or a space before the time of day. Empty and Go's zero time
/// are none; a date alone is an error (go-openapi's `strfmt.ParseDateTime`, as measured on Alertmanager 0.25).
pub(super) fn parse(text: &str) -> Result<Option<Timestamp>, String> {
    if text.is_empty() {
        return Ok(None);
    }
    let time = text
        .parse::<Timestamp>()
        .or_else(|_| text.parse::<DateTime>().and_then(|local| Offset::UTC.to_timestamp(local)))
        .ok()
        .filter(|_| text.len() >= SHORTEST)
        .ok_or_else(|| format!("{text:?} is not a time such as 2026-01-02T03:04:05Z"))?;
    let zero: Timestamp = ZERO.parse().expect("the zero time is a valid time");
    Ok((time != zero).then_some(time))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_that_alertmanager_takes() {
        for (text, want) in [
            ("2026-01-02T03:04:05.678Z", Some("2026-01-02T03:04:05.678Z")),
            ("2026-01-02T03:04:05+01:00", Some("2026-01-02T02:04:05Z")),
            ("2026-01-02 03:04:05", Some("2026-01-02T03:04:05Z")),
            ("2026-01-02T03:04:05", Some("2026-01-02T03:04:05Z")),
            ("0001-01-01T00:00:00.000Z", None),
            ("", None),
        ] {
            assert_eq!(parse(text).unwrap(), want.map(|t| t.parse().unwrap()), "{text}");
        }
        for text in ["2026-01-02", "bad", "1234", "2026-13-02T03:04:05Z"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
