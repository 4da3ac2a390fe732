//! Making JSON of lines that are nearly JSON.

use std::borrow::Cow;

use memchr::memmem;
use serde::de::IgnoredAny;

/// What every line begins with.
const LINE_HEAD: &[u8] = br#"{"timestamp":""#;

/// Bare `NaN`, `Infinity` and `-Infinity` outside strings become null: sensu-client's encoder writes them for floats that
/// came in by a socket or a definition. Borrowed where there are none.
pub(super) fn without_nan(line: &str) -> Cow<'_, str> {
    let mut out = String::new();
    let mut copied = 0;
    let (mut in_string, mut escaped) = (false, false);
    let mut skip_to = 0;
    for (index, byte) in line.bytes().enumerate() {
        if index < skip_to {
            continue;
        }
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b'N' | b'I' | b'-' if !in_string => {
                let word = ["NaN", "Infinity", "-Infinity"].into_iter().find(|word| line[index..].starts_with(word));
                if let Some(word) = word {
                    out.push_str(&line[copied..index]);
                    out.push_str("null");
                    copied = index + word.len();
                    skip_to = copied;
                }
            }
            _ => {}
        }
    }
    if copied == 0 {
        return Cow::Borrowed(line);
    }
    out.push_str(&line[copied..]);
    Cow::Owned(out)
}

/// The record that was glued behind a torn one: when a disk is full, sensu-client leaves half a line and appends the
/// next event to it. Quotes inside strings are escaped, so a line's head cannot stand within one.
pub(super) fn glued_tail(line: &[u8]) -> Option<&[u8]> {
    memmem::rfind(line, LINE_HEAD).filter(|&at| at > 0).map(|at| &line[at..])
}

/// How often a line is searched to its end for that of a record: where it is all beginnings, not from each of them.
const ATTEMPTS: usize = 8;

/// The records in a line, and what stands between: one, but where a line feed was lost, or a torn record is followed by a
/// whole one. Each piece is for [`read_line`](super::read_line) to judge.
pub fn records(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = line;
    let mut attempts = ATTEMPTS;
    std::iter::from_fn(move || {
        let skipped = usize::from(!rest.is_empty());
        let next_head = memmem::find(rest.get(skipped..)?, LINE_HEAD).map_or(rest.len(), |at| at + skipped);
        // What looks like a head may be an attribute of this record.
        let search = if attempts > 0 { rest } else { &rest[..next_head] };
        let end = whole_record(search).unwrap_or_else(|| {
            attempts = attempts.saturating_sub(1);
            next_head
        });
        let (record, after) = rest.split_at(end);
        rest = after;
        (!record.is_empty()).then_some(record)
    })
}

/// The length of the record that `piece` begins with, the space behind it included where nothing else follows.
fn whole_record(piece: &[u8]) -> Option<usize> {
    if !piece.starts_with(LINE_HEAD) {
        return None;
    }
    let mut values = serde_json::Deserializer::from_slice(piece).into_iter::<IgnoredAny>();
    values.next()?.ok()?;
    let end = values.byte_offset();
    Some(if piece[end..].trim_ascii().is_empty() { piece.len() } else { end })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nan_outside_strings_only() {
        for (line, want) in [
            (
                r#"{"a":NaN,"b":"NaN \" NaN","c":[-Infinity,Infinity]}"#,
                r#"{"a":null,"b":"NaN \" NaN","c":[null,null]}"#,
            ),
            (r#"{"a":-1}"#, r#"{"a":-1}"#),
            (r#"NaN"#, "null"),
        ] {
            assert_eq!(without_nan(line), want);
        }
    }

    #[test]
    fn only_a_record_behind_something_is_glued() {
        assert_eq!(glued_tail(br#"{"timestamp":"x"}"#), None);
        assert_eq!(glued_tail(br#"{"timest{"timestamp":"x"}"#), Some(&br#"{"timestamp":"x"}"#[..]));
        assert_eq!(glued_tail(br#"{"output":"{\"timestamp\":\"x\"}"}"#), None);
    }

    #[test]
    fn every_record_of_a_line() {
        let pieces = |line: &'static str| -> Vec<_> {
            records(line.as_bytes()).map(|piece| std::str::from_utf8(piece).unwrap()).collect()
        };
        let (one, two) = (r#"{"timestamp":"1"}"#, r#"{"timestamp":"2"}"#);
        assert_eq!(pieces(r#"{"timestamp":"1"}"#), [one]);
        assert_eq!(pieces(r#"{"timestamp":"1"}{"timestamp":"2"}"#), [one, two]);
        assert_eq!(pieces(r#"torn{"timestamp":"2"}"#), ["torn", two]);
        assert_eq!(pieces(r#"{"timestamp":"1"}torn"#), [one, "torn"]);
        assert_eq!(pieces("{\"timestamp\":\"1\"} \r"), ["{\"timestamp\":\"1\"} \r"]);
        assert_eq!(pieces("torn"), ["torn"]);
        let nested = r#"{"timestamp":"3","x":{"timestamp":"4"}}"#;
        assert_eq!(pieces(nested), [nested]);
        assert_eq!(pieces(r#"{"timestamp":"0","x":{"timestamp":"3","x":{"timestamp":"4"}}"#).last(), Some(&nested));
        let beginnings = LINE_HEAD.repeat(1 << 16);
        assert_eq!(records(&beginnings).count(), 1 << 16);
        assert!(pieces("").is_empty());
    }
}
