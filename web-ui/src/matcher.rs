//! Label matchers as Prometheus and Alertmanager write them: `severity="critical",instance=~"web.*"`.

use std::collections::BTreeMap;
use std::fmt;

use ::regex::Regex;

use crate::texts::{Say, Texts, fill};

mod regex;

pub use regex::BadRegex;

/// Labels by name.
pub type Labels = BTreeMap<String, String>;

/// What a label's value must be like.
#[derive(Clone, Debug)]
pub struct Matcher {
    /// The label; one that is not there counts as empty.
    pub name: String,
    /// How it is compared.
    pub op: Op,
    /// With what.
    pub value: String,
    /// The value as a regular expression that the whole label must match.
    regex: Option<Regex>,
}

/// How a label is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Op {
    /// `=`
    Equal,
    /// `!=`
    NotEqual,
    /// `=~`
    Match,
    /// `!~`
    NoMatch,
}

/// Why a text is no list of matchers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BadMatcher {
    /// Nothing stands where a name should.
    Name(String),
    /// None of the four operators.
    Operator(String),
    /// A quoted text without its end.
    Quote(String),
    /// Something stands behind a matcher.
    Comma(String),
    /// A regular expression that cannot be used.
    Regex {
        /// The text.
        pattern: String,
        /// What is wrong with it.
        reason: BadRegex,
    },
}

// === impl Matcher ===

impl Matcher {
    /// A matcher of these parts.
    ///
    /// # Errors
    /// When the value has to be a regular expression and is none.
    pub fn new(name: impl Into<String>, op: Op, value: impl Into<String>) -> Result<Self, BadMatcher> {
        let (name, value) = (name.into(), value.into());
        let regex = match op {
            Op::Equal | Op::NotEqual => None,
            Op::Match | Op::NoMatch => {
                let compiled = regex::compiled(&value);
                Some(compiled.map_err(|reason| BadMatcher::Regex { pattern: value.clone(), reason })?)
            }
        };
        Ok(Self { name, op, value, regex })
    }

    /// A matcher of a label that is this.
    pub fn equal(name: impl Into<String>, value: impl Into<String>) -> Self {
        Self { name: name.into(), op: Op::Equal, value: value.into(), regex: None }
    }

    /// Whether the labels are so.
    pub fn matches(&self, labels: &Labels) -> bool {
        let value = labels.get(&self.name).map_or("", String::as_str);
        let is_like = match &self.regex {
            None => value == self.value,
            Some(regex) => regex.is_match(value),
        };
        is_like == matches!(self.op, Op::Equal | Op::Match)
    }

    /// The matchers of a text, in braces or not; none where it is blank.
    ///
    /// # Errors
    /// See [`BadMatcher`].
    pub fn parse_all(text: &str) -> Result<Vec<Self>, BadMatcher> {
        let text = text.trim();
        let inner = text.strip_prefix('{').and_then(|text| text.strip_suffix('}')).unwrap_or(text);
        let (mut rest, mut all) = (inner.trim_start(), Vec::new());
        while !rest.is_empty() {
            let matcher;
            (matcher, rest) = Self::parse(rest)?;
            all.push(matcher);
            rest = match rest.strip_prefix(',') {
                Some(behind) => behind.trim_start(),
                None if rest.is_empty() => rest,
                None => return Err(BadMatcher::Comma(shown(rest))),
            };
        }
        Ok(all)
    }

    /// A list of matchers with one more; one that cannot be understood is left as it is, so that its mistake is told.
    #[must_use]
    pub fn added(list: &str, matcher: &Self) -> String {
        match Self::parse_all(list) {
            Ok(mut all) => {
                all.push(matcher.clone());
                all.iter().map(Self::to_string).collect::<Vec<_>>().join(", ")
            }
            Err(_) => list.to_owned(),
        }
    }

    fn parse(text: &str) -> Result<(Self, &str), BadMatcher> {
        let (name, rest) = match text.starts_with('"') {
            true => quoted(text)?,
            false => bare(text, |c| c.is_whitespace() || "=!~,{}\"".contains(c)),
        };
        if name.is_empty() {
            return Err(BadMatcher::Name(shown(text)));
        }
        let rest = rest.trim_start();
        let known = [("=~", Op::Match), ("!~", Op::NoMatch), ("!=", Op::NotEqual), ("=", Op::Equal)];
        let found = known.into_iter().find_map(|(sign, op)| Some((op, rest.strip_prefix(sign)?)));
        let (op, rest) = found.ok_or(BadMatcher::Operator(name.clone()))?;
        let rest = rest.trim_start();
        let (value, rest) = match rest.starts_with('"') {
            true => quoted(rest)?,
            false => bare(rest, |c| c == ','),
        };
        Ok((Self::new(name, op, value)?, rest.trim_start()))
    }
}

impl PartialEq for Matcher {
    fn eq(&self, other: &Self) -> bool {
        (&self.name, self.op, &self.value) == (&other.name, other.op, &other.value)
    }
}

impl fmt::Display for Matcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write(f, &self.name, self.op, &self.value)
    }
}

// === impl Op ===

impl Op {
    /// As it is written.
    pub fn sign(self) -> &'static str {
        match self {
            Self::Equal => "=",
            Self::NotEqual => "!=",
            Self::Match => "=~",
            Self::NoMatch => "!~",
        }
    }
}

// === impl BadMatcher ===

impl Say for BadMatcher {
    fn say(&self, t: &Texts) -> String {
        match self {
            Self::Name(at) => fill(t.matcher_name, &[at]),
            Self::Operator(name) => fill(t.matcher_operator, &[name]),
            Self::Quote(at) => fill(t.matcher_quote, &[at]),
            Self::Comma(at) => fill(t.matcher_comma, &[at]),
            Self::Regex { pattern, reason } => fill(t.matcher_regex, &[pattern, &reason.say(t)]),
        }
    }
}

/// The quoted text at the beginning, and what stands behind it.
fn quoted(text: &str) -> Result<(String, &str), BadMatcher> {
    let mut value = String::new();
    let mut chars = text.char_indices().skip(1);
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Ok((value, &text[at + 1..])),
            '\\' => match chars.next() {
                Some((_, 'n')) => value.push('\n'),
                Some((_, escaped @ ('"' | '\\'))) => value.push(escaped),
                // As in Alertmanager: what is no escape stays, so that `\d` needs no second backslash.
                Some((_, other)) => value.extend(['\\', other]),
                None => break,
            },
            other => value.push(other),
        }
    }
    Err(BadMatcher::Quote(shown(text)))
}

/// The text up to where `ends` says, without blanks at its end, and the rest.
fn bare(text: &str, ends: impl Fn(char) -> bool) -> (String, &str) {
    let end = text.find(ends).unwrap_or(text.len());
    (text[..end].trim_end().to_owned(), &text[end..])
}

/// Writes a matcher, its name in quotes where that is no plain one.
pub(crate) fn write(f: &mut fmt::Formatter<'_>, name: &str, op: Op, value: &str) -> fmt::Result {
    let plain = |c: char| c == '_' || c == ':' || c.is_ascii_alphanumeric();
    match name.chars().all(plain) {
        true => f.write_str(name)?,
        false => write_quoted(f, name)?,
    }
    f.write_str(op.sign())?;
    write_quoted(f, value)
}

fn write_quoted(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    let escaped = text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
    write!(f, "\"{escaped}\"")
}

fn shown(text: &str) -> String {
    text.chars().take(40).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(pairs: &[(&str, &str)]) -> Labels {
        pairs.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect()
    }

    #[test]
    fn labels_match_as_in_prometheus() {
        let node = labels(&[("instance", "web-1"), ("job", "a\"b")]);
        for (text, want) in [
            ("", true),
            (" { } ", true),
            ("instance=web-1", true),
            ("instance = web-1 , job!=x", true),
            ("{instance=~\"web-.\"}", true),
            ("instance=~\"web\"", false),
            ("instance!~\"db.*\", gone=\"\"", true),
            ("gone=~\".+\"", false),
            ("job=\"a\\\"b\"", true),
            ("instance=~web-\\d", true),
            ("instance=~\"web-\\d\"", true),
            ("\"instance\"=\"web-1\",", true),
        ] {
            let all = Matcher::parse_all(text).unwrap();
            assert_eq!(all.iter().all(|matcher| matcher.matches(&node)), want, "{text}");
        }
    }

    #[test]
    fn what_is_written_is_read_again() {
        for (name, op, value) in [
            ("a", Op::Equal, "b\\\"\n,"),
            ("été", Op::NotEqual, ""),
            ("a b", Op::Match, "\\d+"),
            ("a", Op::NoMatch, "="),
        ] {
            let matcher = Matcher::new(name, op, value).unwrap();
            assert_eq!(Matcher::parse_all(&matcher.to_string()).unwrap(), [matcher]);
        }
    }

    #[test]
    fn a_matcher_is_added_to_a_list() {
        let matcher = Matcher::new("a", Op::Equal, "b").unwrap();
        for (list, want) in [("", "a=\"b\""), (" {c=d} ", "c=\"d\", a=\"b\""), ("c=~(", "c=~(")] {
            assert_eq!(Matcher::added(list, &matcher), want);
        }
    }

    #[test]
    fn mistakes_are_told() {
        for (text, says) in [
            ("=b", "a label's name is expected at `=b`"),
            ("a", "one of =, !=, =~, !~ is expected behind `a`"),
            ("a=\"b", "the quote at `\"b` has no end"),
            ("a=\"b\" c=d", "a comma is expected at `c=d`"),
            ("a=~\"(\"", "`(` cannot be used as a regular expression: unclosed group"),
        ] {
            assert_eq!(Matcher::parse_all(text).unwrap_err().to_string(), says, "{text}");
        }
    }
}
