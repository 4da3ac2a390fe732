//! Regular expressions as Alertmanager and Prometheus read them, which is as Go's `regexp` does: RE2's syntax.
//!
//! The crate `regex` has most of that syntax, but not all of it means the same: `\d`, `\w`, `\s` and `\b` are those of Unicode
//! there and of ASCII in Go, a class has operators (`&&`) and other classes in it, which are letters in Go. A preview that reads
//! them otherwise than Alertmanager tells of alerts that are not muted, or keeps still about some that are. So an expression is
//! read here first, and compiled when each of its parts
//!
//! - means the same in both,
//! - or has been written so that it does: `\d` as `[0-9]`.
//!
//! All else is refused, with what to write instead where there is such a thing: what Go refuses too, and what it reads otherwise.
//! As in Alertmanager an expression has to match a whole value, and `.` takes no line break. What letters there are depends on
//! the version of Unicode; that one difference remains.

use regex::{Regex, RegexBuilder};
use regex_syntax::ast::parse::ParserBuilder;
use regex_syntax::ast::{self, ErrorKind};

use crate::texts::{Say, Texts, fill};

mod reader;

use reader::Reader;

/// The compiled size that a regular expression may have, in bytes: one is run over every alert.
const BYTES: usize = 1 << 20;

/// The longest that one may be, in bytes: to read one takes a hundred times as much memory.
const LONGEST: usize = 32 << 10;

/// How often anything may be repeated, also by repetitions in repetitions: Go's limit.
const REPEATS: u32 = 1_000;

/// Why a regular expression cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BadRegex {
    /// It is none; in the parser's words.
    Syntax(String),
    /// A brace that repeats nothing.
    Brace,
    /// A class in a class.
    Class,
    /// An operator of classes.
    Operator(char),
    /// An escape that Alertmanager does not know, and how it knows the character.
    Escape {
        /// The escape.
        text: String,
        /// The character's number.
        code: u32,
    },
    /// A quotation.
    Quoted,
    /// A flag that Alertmanager does not know.
    Flag(String),
    /// A group with another name than Alertmanager knows.
    Name,
    /// A class of Unicode that Alertmanager does not know.
    Property(String),
    /// A repetition of a repetition.
    Twice(String),
    /// Too many repetitions.
    Repeats,
    /// It is too large.
    Large,
}

impl Say for BadRegex {
    fn say(&self, t: &Texts) -> String {
        match self {
            Self::Syntax(words) => words.clone(),
            Self::Brace => fill(t.regex_brace, &[&r"\{"]),
            Self::Class => t.regex_class.to_owned(),
            Self::Operator(sign) => fill(t.regex_operator, &[&format!("{sign}{sign}"), &format!(r"\{sign}")]),
            Self::Escape { text, code } => fill(t.regex_escape, &[text, &format!(r"\x{{{code:X}}}")]),
            Self::Quoted => t.regex_quoted.to_owned(),
            Self::Flag(flag) => fill(t.regex_flag, &[flag]),
            Self::Name => t.regex_name.to_owned(),
            Self::Property(text) => fill(t.regex_property, &[text, &r"\p{Greek}", &r"\p{Lu}"]),
            Self::Twice(text) => fill(t.regex_twice, &[text]),
            Self::Repeats => fill(t.regex_repeats, &[&REPEATS]),
            Self::Large => t.regex_large.to_owned(),
        }
    }
}

/// The regular expression that matches the values that Alertmanager takes it to match.
///
/// # Errors
/// When it is none, or none that is read as Alertmanager does.
pub(super) fn compiled(pattern: &str) -> Result<Regex, BadRegex> {
    if pattern.len() > LONGEST {
        return Err(BadRegex::Large);
    }
    let built = RegexBuilder::new(&format!("^(?:{})$", translated(pattern)?)).size_limit(BYTES).build();
    built.map_err(|error| match error {
        regex::Error::CompiledTooBig(_) => BadRegex::Large,
        // What is wrong stands in the last line, below a drawing.
        error => {
            let text = error.to_string();
            BadRegex::Syntax(text.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned())
        }
    })
}

/// The expression that means here what this one means to Go.
fn translated(pattern: &str) -> Result<String, BadRegex> {
    let read = ParserBuilder::new().octal(true).build().parse(pattern);
    let read = read.map_err(|error| syntax(pattern, &error))?;
    ast::visit(&read, Reader::new(pattern))
}

/// What is wrong, in Go's terms where it is no mistake there.
fn syntax(pattern: &str, error: &ast::Error) -> BadRegex {
    let at = &pattern[error.span().start.offset..];
    match error.kind() {
        ErrorKind::RepetitionMissing if at.starts_with('{') => BadRegex::Brace,
        ErrorKind::RepetitionCountDecimalEmpty
        | ErrorKind::RepetitionCountUnclosed
        | ErrorKind::DecimalEmpty
        | ErrorKind::DecimalInvalid
        | ErrorKind::SpecialWordBoundaryUnclosed
        | ErrorKind::SpecialWordBoundaryUnrecognized
        | ErrorKind::SpecialWordOrRepetitionUnexpectedEof => BadRegex::Brace,
        ErrorKind::ClassUnclosed if pattern.matches('[').count() > 1 => BadRegex::Class,
        ErrorKind::EscapeUnrecognized if at.starts_with("\\Q") => BadRegex::Quoted,
        kind => BadRegex::Syntax(kind.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_means_the_same_is_left_as_it_is() {
        for pattern in [
            "",
            "a|b",
            "(?i:web)-.*?",
            "(?P<n>a+)(?s).",
            "[^]a-c[:^alpha:]-]",
            r"\.\-\_\ \x41\x{e9}\a",
            r"\Aa\z",
            "(?m)^a$",
            "()||",
            "(?:a*)*",
            "(?U)a{1,2}?b{3,}",
            "é]}#& ~",
        ] {
            assert_eq!(translated(pattern).as_deref(), Ok(pattern));
            compiled(pattern).unwrap();
        }
    }

    #[test]
    fn what_means_something_else_is_written_otherwise() {
        for (pattern, want) in [
            (r"\d\D", "[0-9][^0-9]"),
            (r"é\w[\W-]", "é[0-9A-Za-z_][[^0-9A-Za-z_]-]"),
            (r"\s[^\S]", r"[\t\n\f\r ][^[^\t\n\f\r ]]"),
            (r"\bü\B", r"(?-u:\b)ü(?-u:\B)"),
            (r"\<a\>+", "<a>+"),
            (r"\101\08[\377]", r"\x{41}\x{0}8[\x{FF}]"),
            (r"\pL\P{Lu}[\p{Old_Italic}]", r"\p{L}\P{Lu}[\p{sc=Old_Italic}]"),
            (r"\p{^Greek}\P{^Thai}", r"\P{sc=Greek}\p{sc=Thai}"),
        ] {
            assert_eq!(translated(pattern).as_deref(), Ok(want), "{pattern}");
            compiled(pattern).unwrap();
        }
    }

    #[test]
    fn what_cannot_be_used_is_told_with_what_to_write() {
        let long = "a".repeat(LONGEST + 1);
        let deep = format!("{}a{}", "(".repeat(300), ")".repeat(300));
        for (pattern, says) in [
            ("a(", "unclosed group"),
            ("a)(b", "unopened group"),
            ("*", "repetition operator missing expression"),
            ("[a", "unclosed character class"),
            ("[z-a]", "invalid character class range, the start must be <= the end"),
            (r"\e", "unrecognized escape sequence"),
            ("(?=a)", "look-around, including look-ahead and look-behind, is not supported"),
            (deep.as_str(), "exceed the maximum number of nested parentheses/brackets (250)"),
            ("{", r"a brace that does not say how often something is repeated is written \{"),
            ("a{b}", r"a brace that does not say how often something is repeated is written \{"),
            ("a{ 2}", r"a brace that does not say how often something is repeated is written \{"),
            ("a{02}", r"a brace that does not say how often something is repeated is written \{"),
            ("a{,2}", r"a brace that does not say how often something is repeated is written \{"),
            (r"\b{start}", r"a brace that does not say how often something is repeated is written \{"),
            (r"\b{a}", r"a brace that does not say how often something is repeated is written \{"),
            ("[[]", r"a [ in a class is written \["),
            ("[a[b]c]", r"a [ in a class is written \["),
            ("[a-z&&b]", r"`&&` in a class is written \&"),
            ("[+--]", r"`--` in a class is written \-"),
            ("[a~~b]", r"`~~` in a class is written \~"),
            (r"\u00e9", r"Alertmanager does not know `\u00e9`; write \x{E9}"),
            (r"[a-\U000000e9]", r"Alertmanager does not know `\U000000e9`; write \x{E9}"),
            (r"(a)\1", r"Alertmanager does not know `\1`; write \x{1}"),
            (r"\Qa.b\E", r"write each character escaped instead of \Q…\E"),
            ("(?x) a", "Alertmanager does not know the flag `x`; it knows i, m, s and U"),
            ("(?i-u:a)", "Alertmanager does not know the flag `u`; it knows i, m, s and U"),
            ("(?R)a", "Alertmanager does not know the flag `R`; it knows i, m, s and U"),
            ("(?<n>a)", "a group is named as in (?P<name>…), with letters, digits and _"),
            ("(?P<é>a)", "a group is named as in (?P<name>…), with letters, digits and _"),
            ("a**", "`*` repeats what is repeated already; put that in a group"),
            ("a{1001}", "something is repeated more than 1000 times"),
            ("((a{10}){0,10}){11}", "something is repeated more than 1000 times"),
            (long.as_str(), "it is too large"),
            (r"\pL{1000}", "it is too large"),
        ] {
            assert_eq!(compiled(pattern).map_err(|error| error.to_string()).unwrap_err(), says, "{pattern}");
        }
        for pattern in [r"\p{greek}", r"\p{Grek}", r"\p{OldItalic}", r"\p{Letter}", r"\p{sc=Greek}", r"\p{Alphabetic}"]
        {
            assert_eq!(compiled(pattern).unwrap_err(), BadRegex::Property(pattern.to_owned()));
        }
    }

    #[test]
    fn a_value_is_matched_as_a_whole_and_letters_are_those_of_ascii() {
        for (pattern, value, want) in [
            ("a|b", "ab", false),
            (".*", "a\nb", false),
            ("(?s).*", "a\nb", true),
            ("[^x]*", "a\nb", true),
            (r"\d", "٣", false),
            (r"\w", "é", false),
            (r"\W", "é", true),
            (r"\s", "\u{a0}", false),
            (r"\s", "\u{b}", false),
            (r"[\S]", "\u{b}", true),
            (r"é\b.*", "éa", true),
            (r".\B.", "éé", true),
            (r"(?i)k", "\u{212a}", true),
            (r"(?i)\w", "\u{212a}", true),
        ] {
            assert_eq!(compiled(pattern).unwrap().is_match(value), want, "{pattern} {value:?}");
        }
    }

    #[test]
    fn classes_are_those_of_ascii() {
        let [digit, no_digit, word, no_word, not_word, space] =
            [r"\d", r"[\D]", r"[\w]", r"\W", r"[^\w]", r"\s"].map(|pattern| compiled(pattern).unwrap());
        for c in '\0'..='\u{ffff}' {
            let text = c.to_string();
            let is_word = c == '_' || c.is_ascii_alphanumeric();
            let found = [&word, &no_word, &not_word].map(|class| class.is_match(&text));
            assert_eq!(found, [is_word, !is_word, !is_word], "{c:?}");
            let found = [&digit, &no_digit, &space].map(|class| class.is_match(&text));
            let is_digit = c.is_ascii_digit();
            assert_eq!(found, [is_digit, !is_digit, "\t\n\u{c}\r ".contains(c)], "{c:?}");
        }
    }

    proptest! {
        #[test]
        fn no_text_is_a_surprise(pattern in r"([\\(){}\[\]|?*+^$.&~<>:,=!#-]|[abdkpsuxzBDEQSW0-9éſ ]){0,12}", value in any::<String>()) {
            if let Ok(regex) = compiled(&pattern) {
                // It takes whole values: whatever else stands behind them is another value.
                let found = regex.find(&value).is_none_or(|found| found.len() == value.len() || pattern.contains("?m"));
                prop_assert!(found, "{pattern} in {value}");
            }
        }
    }
}
