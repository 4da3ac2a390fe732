//! Leading zeros of numbers, which JSON does not allow and Oj reads over.

/// The text with the leading zeros of its numbers as blanks, everything else where it was: `-007` becomes `  -7`.
pub(super) fn blank(text: String) -> String {
    let mut bytes = text.into_bytes();
    let mut at = 0;
    while at < bytes.len() {
        at = match bytes[at] {
            b'"' => end_of_string(&bytes, at),
            b'/' => end_of_comment(&bytes, at),
            b'-' | b'0'..=b'9' => number(&mut bytes, at),
            _ => at + 1,
        };
    }
    String::from_utf8(bytes).expect("blanks for ASCII leave UTF-8 valid")
}

/// Blanks the zeros of the number, or whatever it is, that begins here; returns its end.
fn number(bytes: &mut [u8], start: usize) -> usize {
    let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'+' | b'.');
    let end = start + bytes[start..].iter().take_while(|byte| is_part(byte)).count();
    let digits = start + usize::from(bytes[start] == b'-');
    // The last digit before whatever comes next is the number, be it 0.
    let zeros = bytes[digits..end].windows(2).take_while(|pair| pair[0] == b'0' && pair[1].is_ascii_digit()).count();
    if zeros > 0 {
        bytes[start..digits + zeros].fill(b' ');
        if digits > start {
            bytes[digits + zeros - 1] = b'-';
        }
    }
    end
}

fn end_of_string(bytes: &[u8], start: usize) -> usize {
    let mut at = start + 1;
    while at < bytes.len() && bytes[at] != b'"' {
        at += if bytes[at] == b'\\' { 2 } else { 1 };
    }
    at + 1
}

fn end_of_comment(bytes: &[u8], start: usize) -> usize {
    let rest = &bytes[start..];
    let length = if rest.starts_with(b"//") {
        rest.iter().position(|byte| *byte == b'\n')
    } else if rest.starts_with(b"/*") {
        rest.windows(2).skip(2).position(|pair| pair == b"*/").map(|before| before + 4)
    } else {
        Some(1)
    };
    start + length.unwrap_or(rest.len())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn only_leading_zeros_of_numbers_become_blanks() {
        for (text, want) in [
            ("[007,0,00,0.5,00.5,-012,100]", "[  7,0, 0,0.5, 0.5, -12,100]"),
            (r#"{"a 007": "\" 008 //", "b": 01}"#, r#"{"a 007": "\" 008 //", "b":  1}"#),
            ("/* 007 */ 01 // 02\n03", "/* 007 */  1 // 02\n 3"),
            ("/*/ 01 */ 1e-07", "/*/ 01 */ 1e-07"),
            ("/ 01", "/  1"),
        ] {
            assert_eq!(blank(text.to_owned()), want);
        }
    }

    proptest! {
        #[test]
        fn whatever_the_text_only_zeros_and_signs_change(text in "[\"/*\\\\0-9a. \n\u{e9}-]{0,30}") {
            let blanked = blank(text.clone());
            prop_assert_eq!(blanked.len(), text.len());
            let changed = text.bytes().zip(blanked.bytes()).filter(|(old, new)| old != new);
            for (old, new) in changed {
                prop_assert!(matches!(old, b'0' | b'-') && matches!(new, b' ' | b'-'));
            }
        }
    }
}
