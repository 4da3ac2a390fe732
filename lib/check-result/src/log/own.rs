//! The attributes that a run adds to its definition, scanned in the order in which sensu-client writes them.
//!
//! Quick, since it takes no more than that: whole numbers that surely fit, decimals that are exact, strings without surrogates.
//! What it takes, it reads as a JSON parser does; anything else is for one to read.

use memchr::memchr2;

/// What a run's own attributes begin with. Within a string the quotes would be escaped.
pub(super) const HEAD: &[u8] = br#","issued":"#;

/// `issued`, `executed`, `duration` (may be missing), `output` and `status`.
#[derive(Debug, PartialEq)]
pub(super) struct Own<'a> {
    pub(super) executed: i64,
    pub(super) duration: Option<f64>,
    pub(super) output: &'a str,
    pub(super) status: i64,
    /// What follows.
    pub(super) tail: &'a [u8],
}

struct Scanner<'a>(&'a [u8]);

// === impl Own ===

impl<'a> Own<'a> {
    /// Scans what begins with [`HEAD`]. An output with escapes is put together in `unescaped`.
    pub(super) fn scan(bytes: &'a [u8], unescaped: &'a mut String) -> Option<Self> {
        let mut scanner = Scanner(bytes);
        scanner.integer(HEAD)?;
        let executed = scanner.integer(br#","executed":"#)?;
        let duration = scanner.decimal(br#","duration":"#)?;
        let output = scanner.string(br#","output":""#, unescaped)?;
        let status = scanner.integer(br#","status":"#)?;
        Some(Self { executed, duration, output, status, tail: scanner.0 })
    }

    /// What follows the `issued` that `bytes` begin with.
    pub(super) fn behind_issued(bytes: &'a [u8]) -> Option<&'a [u8]> {
        let mut scanner = Scanner(bytes);
        scanner.integer(HEAD)?;
        Some(scanner.0)
    }
}

// === impl Scanner ===

impl<'a> Scanner<'a> {
    /// Passes over `literal`; none, staying where it is, where something else comes.
    fn pass(&mut self, literal: &[u8]) -> Option<()> {
        self.0 = self.0.strip_prefix(literal)?;
        Some(())
    }

    /// Takes the digits that come, at least one and as many as surely fit; the number, and how many they were.
    fn digits(&mut self) -> Option<(i64, usize)> {
        let mut number = 0;
        let mut count = 0;
        while let Some(digit @ b'0'..=b'9') = self.0.get(count) {
            if count == 18 {
                return None;
            }
            number = number * 10 + i64::from(digit - b'0');
            count += 1;
        }
        self.0 = &self.0[count..];
        (count > 0).then_some((number, count))
    }

    /// A JSON number's integer part: no zero before other digits.
    fn whole(&mut self) -> Option<(i64, usize)> {
        let zero = self.0.first() == Some(&b'0');
        self.digits().filter(|&(_, count)| count == 1 || !zero)
    }

    fn integer(&mut self, head: &[u8]) -> Option<i64> {
        self.pass(head)?;
        let negative = self.pass(b"-").is_some();
        match (self.whole()?.0, negative) {
            // A parser makes a float of it.
            (0, true) => None,
            (number, true) => Some(-number),
            (number, false) => Some(number),
        }
    }

    /// A decimal number, if `head` comes. Up to 15 digits and a power of ten up to 10^15 are exact as floats, and so their
    /// quotient is the float nearest to what is written.
    fn decimal(&mut self, head: &[u8]) -> Option<Option<f64>> {
        if self.pass(head).is_none() {
            return Some(None);
        }
        let (whole, count) = self.whole()?;
        let (fraction, decimals) = if self.pass(b".").is_some() { self.digits()? } else { (0, 0) };
        if count + decimals > 15 {
            return None;
        }
        let scale = 10_i64.pow(u32::try_from(decimals).ok()?);
        Some(Some((whole * scale + fraction) as f64 / scale as f64))
    }

    /// A string whose opening quote `head` ends with.
    fn string(&mut self, head: &[u8], unescaped: &'a mut String) -> Option<&'a str> {
        self.pass(head)?;
        let end = memchr2(b'"', b'\\', self.0)?;
        if self.0[end] == b'"' {
            let text = plain(&self.0[..end])?;
            self.0 = &self.0[end + 1..];
            return Some(text);
        }
        unescaped.clear();
        loop {
            let end = memchr2(b'"', b'\\', self.0)?;
            let (text, rest) = self.0.split_at(end);
            unescaped.push_str(plain(text)?);
            self.0 = &rest[1..];
            if rest[0] == b'"' {
                return Some(unescaped);
            }
            unescaped.push(self.escaped()?);
        }
    }

    /// The character that an escape stands for, its backslash passed.
    fn escaped(&mut self) -> Option<char> {
        let (&letter, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(match letter {
            b'n' => '\n',
            b't' => '\t',
            b'"' | b'\\' | b'/' => char::from(letter),
            b'r' => '\r',
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'u' => {
                let (hex, rest) = self.0.split_at_checked(4)?;
                self.0 = rest;
                // A sign is no digit; half of a surrogate pair is no character.
                let hex = std::str::from_utf8(hex).ok().filter(|hex| !hex.starts_with('+'))?;
                char::from_u32(u32::from_str_radix(hex, 16).ok()?)?
            }
            _ => return None,
        })
    }
}

/// Text of a string between escapes: UTF-8 without control characters.
fn plain(bytes: &[u8]) -> Option<&str> {
    // Without a way out of the loop, it is done for many bytes at once.
    let control = bytes.iter().fold(false, |found, byte| found | (*byte < 0x20));
    if control { None } else { std::str::from_utf8(bytes).ok() }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde::Deserialize;

    use super::*;

    /// What a parser makes of the attributes; the line is closed behind them.
    #[derive(Deserialize)]
    struct Parsed {
        issued: i64,
        executed: i64,
        duration: Option<f64>,
        output: String,
        status: i64,
    }

    /// Whether it was scanned; then it is what a parser says.
    fn agrees(own: &str) -> bool {
        let mut unescaped = String::new();
        let Some(own_scanned) = Own::scan(own.as_bytes(), &mut unescaped) else { return false };
        let object = format!("{{{}", own.strip_prefix(',').unwrap());
        let parsed: Parsed = serde_json::from_str(&object).unwrap();
        let Parsed { executed, duration, output, status, .. } = parsed;
        assert_eq!(
            own_scanned,
            Own { executed, duration, output: &output, status, tail: b"}" },
            "{own} {}",
            parsed.issued
        );
        true
    }

    fn own(numbers: [&str; 4], output: &str) -> String {
        let [issued, executed, duration, status] = numbers;
        format!(
            r#","issued":{issued},"executed":{executed},"duration":{duration},"output":"{output}","status":{status}}}"#
        )
    }

    #[test]
    fn what_is_scanned_is_what_a_parser_says() {
        for numbers in [["0", "0", "0", "0"], ["1795228252", "-7", "0.002", "127"], ["7", "8", "12.345", "-1"]] {
            assert!(agrees(&own(numbers, "")), "{numbers:?}");
        }
        assert!(agrees(r#","issued":1,"executed":2,"output":"x","status":3}"#));
        for output in ["x", r#"\"\\\/\n\t\r\b\f"#, r"日本\u001b[0m\u00E9", r"x\n", r"\n"] {
            assert!(agrees(&own(["1", "2", "0.5", "0"], output)), "{output}");
        }
    }

    #[test]
    fn what_is_not_plain_is_left_to_a_parser() {
        for numbers in [
            ["01", "1", "1", "1"],
            ["1", "-0", "1", "1"],
            ["1", "1.0", "1", "1"],
            ["1", "1", "1e3", "1"],
            ["1", "1", "-1", "1"],
            ["1", "1", "1.", "1"],
            ["1", "1", "0.1234567890123456", "1"],
            ["1", "1", "1", "1234567890123456789"],
            ["1", "1", "1", ""],
            ["1", "1", "1", "-"],
        ] {
            assert!(Own::scan(own(numbers, "").as_bytes(), &mut String::new()).is_none(), "{numbers:?}");
        }
        for output in [r"\ud83d\ude00", r"\u+123", r"\u12", r"\x", "\n", "\\", "\u{1f}"] {
            let own = own(["1", "2", "0.5", "0"], output);
            assert!(Own::scan(own.as_bytes(), &mut String::new()).is_none(), "{output}");
        }
        assert!(
            Own::scan(b",\"issued\":1,\"executed\":2,\"output\":\"\xff\",\"status\":0}", &mut String::new()).is_none()
        );
    }

    proptest! {
        #[test]
        fn decimals_are_the_nearest_floats(duration in "(0|[1-9][0-9]{0,7})(\\.[0-9]{1,7})?", status in any::<i32>()) {
            prop_assert!(agrees(&own(["1", "2", &duration, &status.to_string()], "")));
        }

        #[test]
        fn any_text_is_read_as_it_was_written(output in any::<String>()) {
            let written = serde_json::to_string(&output).unwrap();
            prop_assert!(agrees(&own(["1", "2", "0.5", "0"], &written[1..written.len() - 1])));
        }
    }
}
