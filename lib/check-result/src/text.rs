//! Output as people read it.

use std::borrow::Cow;

use anstream::adapter::strip_str;

use crate::first_line;

/// Output made fit for people: without terminal escapes, control characters and text-direction overrides; line breaks and
/// tabs stay.
pub fn cleaned(text: &str) -> Cow<'_, str> {
    // Most outputs are plain, and what is done to the others takes three copies.
    if text.bytes().all(|byte| matches!(byte, b'\n' | b'\t' | b' '..=b'~')) {
        return Cow::Borrowed(text);
    }
    let lines = text.replace("\r\n", "\n").replace('\r', "\n");
    let plain = strip_str(&lines).to_string();
    let kept = |c: &char| matches!(c, '\n' | '\t') || !(c.is_control() || is_direction_override(*c));
    Cow::Owned(plain.chars().filter(kept).collect())
}

/// The [`first_line`] of an output, made fit for people: of what is left of it then. An output may begin with what only a terminal
/// sees, and there a carriage return ends a line as well.
pub fn cleaned_first_line(output: &str) -> Cow<'_, str> {
    match cleaned(output) {
        Cow::Borrowed(text) => Cow::Borrowed(first_line(text)),
        Cow::Owned(text) => Cow::Owned(first_line(&text).to_owned()),
    }
}

/// A right-to-left override lets an output show another text than it has.
pub(crate) fn is_direction_override(c: char) -> bool {
    matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn terminal_escapes_and_control_characters_go() {
        for (dirty, want) in [
            ("\x1b[1;31mCRITICAL\x1b[0m: disk\r\n\tfull\n", "CRITICAL: disk\n\tfull\n"),
            ("a\x1b]0;title\x07b\x1b]8;;http://x\x1b\\c", "abc"),
            ("10%\r20%\r", "10%\n20%\n"),
            ("nul\0 bell\x07 del\x7f c1\u{85} 日本語 é", "nul bell del c1 日本語 é"),
            ("txt.\u{202e}exe\u{2066}", "txt.exe"),
            ("broken \u{fffd} stays", "broken \u{fffd} stays"),
            ("plain\ttext, all of it: ~!\n", "plain\ttext, all of it: ~!\n"),
        ] {
            assert_eq!(cleaned(dirty), want, "{dirty:?}");
        }
    }

    #[test]
    fn the_first_line_is_that_of_the_clean_text() {
        for (output, want) in [
            ("\x1b[0m\nCRITICAL\nmore", "CRITICAL"),
            ("\u{202e}\n\x1b[1m \n  full \x07\n", "full"),
            ("10%\r20%", "10%"),
            (" plain \nmore", "plain"),
            ("\x1b[0m", ""),
        ] {
            assert_eq!(cleaned_first_line(output), want, "{output:?}");
        }
        let painted = format!("{}CRITICAL", "\x1b[38;5;196m".repeat(100));
        assert_eq!(cleaned_first_line(&painted), "CRITICAL");
    }

    proptest! {
        #[test]
        fn what_is_clean_has_no_control_characters(text in any::<String>()) {
            prop_assert!(cleaned(&text).chars().all(|c| c == '\n' || c == '\t' || !c.is_control()));
        }
    }
}
