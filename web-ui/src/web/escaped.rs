//! How values become text of a page: escaped, of bounded length, and without characters that a browser or a terminal would act on.
//!
//! Outputs are cleaned where they are taken over ([`check_result::cleaned`]); names and labels are not, since they are keys, so
//! a label could turn the direction of what stands behind it. Addresses are percent-encoded and keep every character.

use std::fmt::{Result, Write};

use askama::filters::{Escaper, Html};

use crate::characters::acts;

/// The longest text of one value, in bytes: an output and what is said of its cut. No name, reason or label comes near.
const LONGEST: usize = 66 << 10;

/// The escaper of all templates.
#[derive(Clone, Copy)]
pub(crate) struct Escaped;

impl Escaper for Escaped {
    fn write_escaped_str<W: Write>(&self, mut to: W, text: &str) -> Result {
        let shown = &text[..text.floor_char_boundary(LONGEST)];
        match shown.contains(acts) {
            true => Html.write_escaped_str(&mut to, &shown.replace(acts, "\u{fffd}"))?,
            false => Html.write_escaped_str(&mut to, shown)?,
        }
        match text.len() - shown.len() {
            0 => Ok(()),
            more => write!(to, "[... {more} bytes more ...]"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_acts_and_all_is_there() {
        let mut shown = String::new();
        Escaped.write_escaped_str(&mut shown, "a<b>\"\u{1b}[31m\u{202e}x\u{0}\n監視 \u{5d0}").unwrap();
        let mut long = String::new();
        Escaped.write_escaped_str(&mut long, &"監".repeat(LONGEST)).unwrap();
        assert!(
            long.len() < LONGEST + 64 && long.ends_with("監[... 135168 bytes more ...]"),
            "{}",
            &long[LONGEST - 8..]
        );
        assert_eq!(shown, "a&#60;b&#62;&#34;\u{fffd}[31m\u{fffd}x\u{fffd}\n監視 \u{5d0}");
    }
}
