//! The time stamp of a line, read quickly.

use jiff::Timestamp;

/// How long a time stamp is: `2026-08-18T06:04:05.123456+0900`.
pub(super) const LEN: usize = 31;

const FORM: &[u8; LEN] = b"0000-00-00T00:00:00.000000+0000";
/// What comes before the seconds, up to the minute.
const MINUTE: usize = 16;
/// Where the offset begins.
const OFFSET: usize = 26;

/// Reads time stamps of that form, one after the other: the lines of a minute differ only in their seconds.
#[derive(Debug, Default)]
pub(super) struct Stamps {
    last: Option<Minute>,
}

#[derive(Debug)]
struct Minute {
    text: [u8; MINUTE],
    offset: [u8; LEN - OFFSET],
    /// In microseconds since the epoch.
    begins: i64,
}

// === impl Stamps ===

impl Stamps {
    /// The same as `parse` makes of it; none where it has another form, or is no time.
    pub(super) fn read(&mut self, stamp: &[u8]) -> Option<Timestamp> {
        if stamp.len() != LEN || !(stamp[MINUTE] == b':' && stamp[19] == b'.') {
            return None;
        }
        let (second, micros) = (digits(&stamp[17..19])?, digits(&stamp[20..OFFSET])?);
        // A leap second is for `parse` to judge.
        if second > 59 {
            return None;
        }
        let within = second * 1_000_000 + micros;
        let (text, offset) = (&stamp[..MINUTE], &stamp[OFFSET..]);
        let begins = match &self.last {
            Some(last) if last.text == *text && last.offset == *offset => last.begins,
            _ => {
                let begins = parsed(stamp)? - within;
                let (text, offset) = (text.try_into().ok()?, offset.try_into().ok()?);
                self.last.insert(Minute { text, offset, begins }).begins
            }
        };
        Timestamp::from_microsecond(begins + within).ok()
    }
}

fn parsed(stamp: &[u8]) -> Option<i64> {
    let fits = |(&byte, &form): (&u8, &u8)| match form {
        b'0' => byte.is_ascii_digit(),
        b'+' => matches!(byte, b'+' | b'-'),
        _ => byte == form,
    };
    let text = stamp.iter().zip(FORM).all(fits).then(|| std::str::from_utf8(stamp).ok())??;
    text.parse::<Timestamp>().ok().map(Timestamp::as_microsecond)
}

fn digits(bytes: &[u8]) -> Option<i64> {
    bytes.iter().try_fold(0, |number, byte| byte.is_ascii_digit().then(|| number * 10 + i64::from(byte - b'0')))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parse(text: &str) -> Option<Timestamp> {
        text.parse().ok()
    }

    #[test]
    fn other_forms_and_impossible_times_are_not_read() {
        let mut stamps = Stamps::default();
        let good = "2026-11-21T02:30:48.072590+0900";
        assert_eq!(stamps.read(good.as_bytes()), parse(good));
        for other in [
            "",
            "2026-11-21T02:30:48.072590Z",
            "2026-11-21T02:30:60.072590+0900",
            "2026-11-21T02:30:4x.072590+0900",
            "2026-11-21T02:30:48,072590+0900",
            "2026-02-30T02:30:48.072590+0900",
            "2026-11-21 02:30:48.072590+0900",
            "2026-11-21T02:30:48.072590 0900",
            "9999-12-31T23:59:59.999999-2300",
            "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0:48.072590\0\0\0\0\0",
        ] {
            assert_eq!(Stamps::default().read(other.as_bytes()), None, "{other}");
            assert_eq!(stamps.read(other.as_bytes()), None, "{other}");
            assert_eq!(stamps.read(good.as_bytes()), parse(good), "behind {other}");
        }
    }

    proptest! {
        #[test]
        fn a_stamp_is_what_parse_says(
            stamps in prop::collection::vec("20[0-9]{2}-[01][0-9]-[0-3][0-9]T2[0-5]:5[0-9]:[0-6][0-9]\\.[0-9]{6}[+-]0[0-9]00", 1..20)
        ) {
            let mut quick = Stamps::default();
            for stamp in stamps {
                if let Some(read) = quick.read(stamp.as_bytes()) {
                    prop_assert_eq!(Some(read), parse(&stamp), "{}", stamp);
                } else {
                    prop_assert!(parse(&stamp).is_none() || stamp[17..].starts_with('6'), "{}", stamp);
                }
            }
        }
    }
}
