//! Knowing when a JSON document that comes in pieces is complete, without reading it anew for each piece, and how many values
//! it has, without reading it at all.

/// Looks at each byte once and keeps what is open. It does not judge: what it calls complete may be no JSON.
#[derive(Debug, Default)]
pub(super) struct Scanner {
    within: Within,
    /// Brackets and braces that are open.
    depth: usize,
    /// Anything but white space and comments has come.
    begun: bool,
    /// Brackets, braces and commas: what stands before each value but the outermost.
    begins: usize,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Within {
    #[default]
    Structure,
    String,
    Escape,
    /// After a `/` that may begin a comment.
    Slash,
    LineComment,
    BlockComment,
    /// After a `*` that may end a block comment.
    Star,
}

// === impl Scanner ===

impl Scanner {
    pub(super) fn feed(&mut self, chunk: &[u8]) {
        for &byte in chunk {
            self.within = self.step(byte);
        }
    }

    /// Nothing is open any more.
    pub(super) fn is_complete(&self) -> bool {
        self.begun && self.depth == 0 && matches!(self.within, Within::Structure | Within::LineComment)
    }

    /// How many values have come, or more: empty arrays and objects count twice, as in [`check_result::values::values`].
    pub(super) fn values(&self) -> usize {
        self.begins + usize::from(self.begun)
    }

    fn step(&mut self, byte: u8) -> Within {
        match (self.within, byte) {
            (Within::Structure, _) => self.structure(byte),
            (Within::String, b'\\') => Within::Escape,
            (Within::String, b'"') => Within::Structure,
            (Within::String | Within::Escape, _) => Within::String,
            (Within::Slash, b'/') => Within::LineComment,
            (Within::Slash, b'*') => Within::BlockComment,
            (Within::Slash, _) => self.structure(byte),
            (Within::LineComment, b'\n') => Within::Structure,
            (Within::LineComment, _) => Within::LineComment,
            (Within::BlockComment | Within::Star, b'*') => Within::Star,
            (Within::Star, b'/') => Within::Structure,
            (Within::BlockComment | Within::Star, _) => Within::BlockComment,
        }
    }

    fn structure(&mut self, byte: u8) -> Within {
        match byte {
            b'/' => return Within::Slash,
            // White space; and the bytes of a byte order mark, which stand nowhere else outside of strings.
            b' ' | b'\t' | b'\r' | b'\n' | 0xef | 0xbb | 0xbf => return Within::Structure,
            b'{' | b'[' => self.depth += 1,
            b'}' | b']' => self.depth = self.depth.saturating_sub(1),
            _ => (),
        }
        self.begins += usize::from(matches!(byte, b'{' | b'[' | b','));
        self.begun = true;
        if byte == b'"' { Within::String } else { Within::Structure }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    /// After how many bytes the text is complete for the first time.
    fn completes(text: &str) -> Option<usize> {
        let mut scanner = Scanner::default();
        (0..text.len()).find(|&at| {
            scanner.feed(&text.as_bytes()[at..=at]);
            scanner.is_complete()
        })
    }

    #[test]
    fn brackets_in_strings_and_comments_do_not_count() {
        for text in [
            r#"{"a":"}"}"#,
            r#"{"a":"\"}"}"#,
            r#"[{"a":[]},{}]"#,
            "// {\n{\"a\": 1 /* } */}",
            "{\"u\":\"http://x\"/**//* **}*/}",
            "\u{feff} \n{}",
        ] {
            assert_eq!(completes(text), Some(text.len() - 1), "{text}");
        }
        for text in ["", " \n", "{", "[{}", "\"{}", "/* {} */", "{\"a\":\"}"] {
            assert_eq!(completes(text), None, "{text}");
        }
    }

    #[test]
    fn a_scalar_and_a_stray_bracket_are_complete_at_once() {
        for text in ["4", "}", "n"] {
            assert_eq!(completes(text), Some(0), "{text}");
        }
    }

    fn values(text: &str) -> usize {
        let mut scanner = Scanner::default();
        scanner.feed(text.as_bytes());
        scanner.values()
    }

    #[test]
    fn values_in_strings_and_comments_do_not_count() {
        for (text, count) in [("", 0), (" // [\n", 0), ("4", 1), ("[1,\"[,\\\",\"/* ,\" */]", 3), ("{\"a\":[{}]}", 4)] {
            assert_eq!(values(text), count, "{text}");
        }
    }

    fn value() -> impl Strategy<Value = Value> {
        let leaf =
            prop_oneof![Just(Value::Null), any::<i64>().prop_map(Value::from), any::<String>().prop_map(Value::from)];
        leaf.prop_recursive(4, 32, 5, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
                prop::collection::vec((any::<String>(), inner), 0..5)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn a_container_is_complete_at_its_last_byte_and_not_before(inner in value()) {
            let text = json!([inner]).to_string();
            prop_assert_eq!(completes(&text), Some(text.len() - 1));
            prop_assert_eq!(values(&text), check_result::values::values(text.as_bytes()));
        }
    }
}
