//! Escapes of half a character, such as `\ud800`, in JSON.

use std::borrow::Cow;
use std::ops::RangeInclusive;

const HIGH: RangeInclusive<u16> = 0xD800..=0xDBFF;
const LOW: RangeInclusive<u16> = 0xDC00..=0xDFFF;

/// Bytes of an escape.
const LENGTH: usize = r"\ud800".len();

/// The JSON `text` with U+FFFD for each surrogate that has no other half, as Go's decoder reads it.
pub(super) fn whole(text: Cow<'_, str>) -> Cow<'_, str> {
    if ![r"\ud", r"\uD"].iter().any(|start| text.contains(start)) {
        return text;
    }
    let (mut whole, mut rest) = (String::with_capacity(text.len()), &*text);
    while let Some(at) = rest.find('\\') {
        let (before, escape) = rest.split_at(at);
        let second = escape.get(LENGTH..).and_then(unit).filter(|second| LOW.contains(second));
        let (written, length) = match unit(escape) {
            Some(first) if HIGH.contains(&first) && second.is_some() => (&escape[..2 * LENGTH], 2 * LENGTH),
            Some(half) if HIGH.contains(&half) || LOW.contains(&half) => (r"\ufffd", LENGTH),
            // What is escaped may be a backslash.
            _ => {
                let length = escape.chars().take(2).map(char::len_utf8).sum();
                (&escape[..length], length)
            }
        };
        whole.push_str(before);
        whole.push_str(written);
        rest = &escape[length..];
    }
    whole.push_str(rest);
    Cow::Owned(whole)
}

/// The number in the escape that `text` begins with.
fn unit(text: &str) -> Option<u16> {
    u16::from_str_radix(text.strip_prefix(r"\u")?.get(..4)?, 16).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn half_a_pair_is_replaced_and_nothing_else() {
        for (text, want) in [
            (r#""a\ud800b""#, r#""a\ufffdb""#),
            (r#""\uDC00\ud800""#, r#""\ufffd\ufffd""#),
            (r#""\ud83d\ude00""#, r#""\ud83d\ude00""#),
            (r#""\ud800\ud83d\ude00""#, r#""\ufffd\ud83d\ude00""#),
            (r#""\ud800\u0041""#, r#""\ufffd\u0041""#),
            (r#""\\ud800 \\\ud800""#, r#""\\ud800 \\\ufffd""#),
            (r#""\ud8"#, r#""\ud8"#),
            (r"\ud800\", r"\ufffd\"),
            (r"\ud800\é", r"\ufffd\é"),
        ] {
            assert_eq!(whole(text.into()), want);
        }
    }

    proptest! {
        #[test]
        fn what_is_whole_can_be_read(parts in prop::collection::vec(r#"\\u[dD][89a-fA-F][0-9a-fA-F]{2}|\\\\|[a-zé]"#, 0..9)) {
            let text = format!("\"{}\"", parts.concat());
            let read: Result<String, _> = serde_json::from_str(&whole(text.as_str().into()));
            prop_assert!(read.is_ok(), "{text}");
        }
    }
}
