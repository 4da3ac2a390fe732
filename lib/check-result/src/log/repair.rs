//! Making JSON of lines that are nearly JSON.

use std::borrow::Cow;

use memchr::memmem;

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
}
