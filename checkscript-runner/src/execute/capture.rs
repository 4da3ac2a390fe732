//! A command's output, bounded.

use check_result::log::LONGEST_LINE;

/// The most that is kept of one output, in bytes. sensu-client keeps all of it, in several copies.
pub(super) const LIMIT: usize = 4 * 1024 * 1024;
/// The same as the log writes it. A line holds two outputs, the check's and its hook's, and the definition.
const WRITTEN_LIMIT: usize = 6 * 1024 * 1024;
const _: () = assert!(2 * WRITTEN_LIMIT + 4 * 1024 * 1024 <= LONGEST_LINE);
/// What a byte becomes at most: `\u0000`.
const WIDEST: usize = 6;

/// What was read so far: its beginning, and how much there was in all.
pub(super) struct Capture {
    kept: Vec<u8>,
    total: u64,
    limit: usize,
}

// === impl Capture ===

impl Capture {
    pub(super) fn new(limit: usize) -> Self {
        Self { kept: Vec::new(), total: 0, limit }
    }

    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.total += bytes.len() as u64;
        let room = self.limit - self.kept.len();
        self.kept.extend_from_slice(&bytes[..bytes.len().min(room)]);
    }

    /// The text, invalid UTF-8 as U+FFFD. One that was cut ends on a whole character and a line that says so.
    pub(super) fn into_text(mut self) -> String {
        self.kept.truncate(fitting(&self.kept, WRITTEN_LIMIT));
        let is_cut = self.total > self.kept.len() as u64;
        if is_cut {
            let torn = self.kept.utf8_chunks().last().map_or(0, |chunk| chunk.invalid().len());
            self.kept.truncate(self.kept.len() - torn);
        }
        let kept = self.kept.len();
        let mut text =
            String::from_utf8(self.kept).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned());
        if is_cut {
            text.push_str(&format!("\n[output cut: {kept} of {} bytes kept]\n", self.total));
        }
        text
    }
}

/// How many of the bytes are text that takes no more than `room` bytes in the log; ends on a whole character.
fn fitting(bytes: &[u8], room: usize) -> usize {
    if bytes.len() <= room / WIDEST {
        return bytes.len();
    }
    let characters = bytes.utf8_chunks().flat_map(|chunk| {
        let invalid = (!chunk.invalid().is_empty()).then_some((chunk.invalid().len(), char::REPLACEMENT_CHARACTER));
        chunk.valid().chars().map(|character| (character.len_utf8(), character)).chain(invalid)
    });
    let (mut length, mut written) = (0, 0);
    for (bytes, character) in characters {
        written += width(character);
        if written > room {
            break;
        }
        length += bytes;
    }
    length
}

/// In the log, in bytes.
fn width(character: char) -> usize {
    match character {
        '"' | '\\' | '\u{8}' | '\t' | '\n' | '\u{c}' | '\r' => 2,
        '\0'..' ' => WIDEST,
        _ => character.len_utf8(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn text(limit: usize, bytes: &[u8]) -> String {
        let mut capture = Capture::new(limit);
        bytes.chunks(3).for_each(|chunk| capture.push(chunk));
        capture.into_text()
    }

    #[test]
    fn whole_where_it_fits_cut_between_characters_where_not() {
        assert_eq!(text(9, "日本語".as_bytes()), "日本語");
        assert_eq!(text(8, "日本語".as_bytes()), "日本\n[output cut: 6 of 9 bytes kept]\n");
        assert_eq!(text(9, b"caf\xe9 \xff"), "caf\u{fffd} \u{fffd}");
    }

    proptest! {
        #[test]
        fn what_fits_is_as_long_in_the_log_as_was_reckoned(
            bytes in prop::collection::vec(prop_oneof![any::<u8>(), 0..0x30_u8, Just(b'\\')], 0..200), room in 0..400_usize,
        ) {
            let written = |length: usize| {
                serde_json::to_string(&String::from_utf8_lossy(&bytes[..length])).unwrap().len() - 2
            };
            let length = fitting(&bytes, room);
            prop_assert!(written(length) <= room);
            prop_assert!(length == bytes.len() || written(bytes.len()) > room, "{length} of {}", bytes.len());
        }

        #[test]
        fn any_text_survives_or_is_cut_to_a_prefix(whole in ".{0,40}", limit in 0..60usize) {
            let got = text(limit, whole.as_bytes());
            if whole.len() <= limit {
                prop_assert_eq!(got, whole);
            } else {
                let (kept, _) = got.split_once("\n[output cut: ").unwrap_or_default();
                prop_assert!(whole.starts_with(kept) && kept.len() + 4 > limit);
            }
        }
    }
}
