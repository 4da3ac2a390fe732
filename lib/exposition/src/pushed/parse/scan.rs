//! Going on in a text: blanks, names, words, lines.

use super::{Parser, Wrong};

impl<'a> Parser<'a> {
    pub(super) fn skip_blanks(&mut self) {
        while matches!(self.input.get(self.at), Some(b' ' | b'\t')) {
            self.at += 1;
        }
    }

    pub(super) fn peek(&self) -> Result<u8, Wrong> {
        self.input.get(self.at).copied().ok_or_else(|| "unexpected end of input stream".to_owned())
    }

    /// A name as far as it goes; empty where none starts here. Only metrics' names may have colons.
    pub(super) fn name(&mut self, colons: bool) -> &'a str {
        let start = self.at;
        while let Some(&byte) = self.input.get(self.at) {
            let digit = byte.is_ascii_digit() && self.at > start;
            if !(byte.is_ascii_alphabetic() || byte == b'_' || digit || (colons && byte == b':')) {
                break;
            }
            self.at += 1;
        }
        std::str::from_utf8(&self.input[start..self.at]).expect("these are ASCII characters")
    }

    /// Everything up to a blank or the line's end, which must come.
    pub(super) fn word(&mut self) -> Result<&'a [u8], Wrong> {
        let start = self.at;
        while !matches!(self.peek()?, b' ' | b'\t' | b'\n') {
            self.at += 1;
        }
        Ok(&self.input[start..self.at])
    }

    /// The rest of the line, whose end is passed.
    pub(super) fn rest(&mut self) -> Result<&'a [u8], Wrong> {
        let start = self.at;
        while self.peek()? != b'\n' {
            self.at += 1;
        }
        self.at += 1;
        Ok(&self.input[start..self.at - 1])
    }
}
