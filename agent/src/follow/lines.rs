//! Bytes to lines of bounded length.

use check_result::log::LONGEST_LINE;
use memchr::memchr;

/// What there was to read.
pub(super) enum Piece<'a> {
    /// A whole line without its line feed.
    Line(&'a [u8]),
    /// A line longer than [`LONGEST_LINE`], passed over.
    TooLong,
    /// Where reading stopped last could not be found: what follows may hold lines that were read before.
    Gap,
}

/// Collects bytes until their line feed comes.
#[derive(Debug, Default)]
pub(super) struct Lines {
    partial: Vec<u8>,
    /// Bytes since the last line feed, those passed over included.
    pending: u64,
    /// The rest of a line that is too long is thrown away up to its line feed.
    skipping: bool,
}

impl Lines {
    /// Bytes taken whose line is not complete yet.
    pub(super) fn pending(&self) -> u64 {
        self.pending
    }

    /// Takes the next bytes and hands out every line that they complete.
    pub(super) fn push(&mut self, mut bytes: &[u8], out: &mut dyn FnMut(Piece<'_>)) {
        while let Some(end) = memchr(b'\n', bytes) {
            self.end_line(&bytes[..end], out);
            bytes = &bytes[end + 1..];
        }
        self.pending += bytes.len() as u64;
        let bytes = self.without_hole(bytes);
        if self.partial.len() + bytes.len() > LONGEST_LINE {
            self.skipping = true;
            self.partial = Vec::new();
        }
        if !self.skipping {
            self.partial.extend_from_slice(bytes);
        }
    }

    /// A writer that does not append leaves a hole where its log was truncated: zero bytes before its next line.
    fn without_hole<'a>(&self, bytes: &'a [u8]) -> &'a [u8] {
        let zeros = bytes.iter().take_while(|&&byte| byte == 0).count();
        if self.partial.is_empty() { &bytes[zeros..] } else { bytes }
    }

    fn end_line(&mut self, rest: &[u8], out: &mut dyn FnMut(Piece<'_>)) {
        self.pending = 0;
        let rest = self.without_hole(rest);
        if std::mem::take(&mut self.skipping) || self.partial.len() + rest.len() > LONGEST_LINE {
            self.partial = Vec::new();
            return out(Piece::TooLong);
        }
        if self.partial.is_empty() {
            return out(Piece::Line(rest));
        }
        self.partial.extend_from_slice(rest);
        out(Piece::Line(&self.partial));
        // One huge line must not hold its memory for ever.
        self.partial.clear();
        self.partial.shrink_to(64 << 10);
    }

    /// Hands out the bytes whose line feed will not come any more: their file was truncated or is gone.
    pub(super) fn flush(&mut self, out: &mut dyn FnMut(Piece<'_>)) {
        if self.skipping || !self.partial.is_empty() {
            self.end_line(&[], out);
        }
        self.pending = 0;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn cut(chunks: &[&[u8]]) -> Vec<Option<Vec<u8>>> {
        let mut lines = Lines::default();
        let mut out = Vec::new();
        for chunk in chunks {
            lines.push(chunk, &mut |piece| match piece {
                Piece::Line(line) => out.push(Some(line.to_vec())),
                Piece::TooLong | Piece::Gap => out.push(None),
            });
        }
        out
    }

    #[test]
    fn a_line_too_long_is_passed_over_and_the_next_is_read() {
        let long = vec![b'x'; LONGEST_LINE / 2 + 1];
        assert_eq!(cut(&[&long, &long, b"tail\nnext\n"]), [None, Some(b"next".to_vec())]);
        let most = vec![b'x'; LONGEST_LINE];
        assert_eq!(cut(&[&most, b"\nnext\n"]).len(), 2);
        assert_eq!(cut(&[&most, b"y\nnext\n"]), [None, Some(b"next".to_vec())]);
    }

    #[test]
    fn a_hole_of_zeros_before_a_line_is_no_part_of_it() {
        let hole = vec![0; LONGEST_LINE + 1];
        assert_eq!(cut(&[&hole, b"\0line\n\0"]), [Some(b"line".to_vec())]);
        assert_eq!(cut(&[b"a\0", b"\0b\n"]), [Some(b"a\0\0b".to_vec())]);
    }

    #[test]
    fn an_unfinished_line_is_flushed_when_it_will_not_be_finished() {
        let mut lines = Lines::default();
        let mut out = Vec::new();
        lines.push(b"half", &mut |_| panic!("no line yet"));
        lines.flush(&mut |piece| out.push(matches!(piece, Piece::Line(b"half"))));
        lines.flush(&mut |_| panic!("nothing left"));
        assert_eq!(out, [true]);
    }

    proptest! {
        #[test]
        fn lines_do_not_depend_on_how_the_bytes_come(text in "[ab\n]{0,60}", cuts in prop::collection::vec(0_usize..61, 0..6)) {
            let mut cuts: Vec<_> = cuts.into_iter().map(|at| at.min(text.len())).collect();
            cuts.sort_unstable();
            let bytes = text.as_bytes();
            let mut chunks = Vec::new();
            let mut from = 0;
            for at in cuts {
                chunks.push(&bytes[from..at]);
                from = at;
            }
            chunks.push(&bytes[from..]);
            let mut want: Vec<_> = text.split('\n').map(|line| Some(line.as_bytes().to_vec())).collect();
            want.pop();
            prop_assert_eq!(cut(&chunks), want);
        }
    }
}
