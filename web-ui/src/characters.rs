//! Characters that are no text: a browser, a terminal or a reader of the log would act on them.

/// Whether a character controls something, or turns the direction of text beyond itself; line breaks and tabs do not.
pub(crate) fn acts(c: char) -> bool {
    let is_control = c.is_control() && !matches!(c, '\n' | '\r' | '\t');
    is_control || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}
