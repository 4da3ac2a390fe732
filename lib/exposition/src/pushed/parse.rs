//! Reading the classic text format as Prometheus's Go parser does: what it takes, what it refuses, and in which words.

mod composite;
mod scan;
mod token;

use std::collections::{HashMap, HashSet};

use self::composite::{add_to_histogram, add_to_summary};
use self::token::{float, lossy, quoted, text, unescape};
use super::{Metric, MetricFamily, MetricType, Most, Summary, Value};

/// What is wrong with a text, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("text format parsing error in line {line}: {message}")]
pub struct ParseError {
    /// The line, counted from 1.
    pub line: usize,
    /// What is wrong with it.
    pub message: String,
}

/// Reads a text into families, in the order in which they first appear; a family may come in pieces. Those without metrics are left
/// out.
///
/// # Errors
/// At the first thing that the format does not allow: see [`ParseError`].
pub fn parse_text(input: &[u8]) -> Result<Vec<MetricFamily>, ParseError> {
    Ok(parse_text_up_to(input, Most::ANY)?.unwrap_or_default())
}

/// Reads a text, as long as there is no more in it than `most`; none where there is, of which nothing more is read or held.
///
/// # Errors
/// As [`parse_text`].
pub fn parse_text_up_to(input: &[u8], most: Most) -> Result<Option<Vec<MetricFamily>>, ParseError> {
    let mut parser = Parser {
        input,
        at: 0,
        read: Most::NONE,
        most,
        families: Vec::new(),
        by_name: HashMap::new(),
        composites: HashMap::new(),
        names: HashSet::new(),
    };
    let mut line = 0;
    loop {
        line += 1;
        match parser.line() {
            _ if parser.read.is_over(&most) => return Ok(None),
            Ok(true) => {}
            Ok(false) => break,
            Err(message) => return Err(ParseError { line, message }),
        }
    }
    let families = parser.families.into_iter().filter(|family| !family.metrics.is_empty());
    Ok(Some(families.map(Pending::settle).collect()))
}

/// Labels of a sample up to which their names are compared with each other; those of more are looked up.
const FEW: usize = 32;

/// A failure in words, without its line.
type Wrong = String;

struct Parser<'a> {
    input: &'a [u8],
    at: usize,
    /// How much has been read, and may be.
    read: Most,
    most: Most,
    families: Vec<Pending>,
    by_name: HashMap<&'a str, usize>,
    /// Which metric of a family the lines of a summary or histogram with these labels belong to.
    composites: HashMap<(usize, Vec<(String, String)>), usize>,
    /// The label names of the present sample, where it has more than a few.
    names: HashSet<String>,
}

/// A family whose type may still be told.
struct Pending {
    name: String,
    help: Option<String>,
    kind: Option<MetricType>,
    metrics: Vec<Metric>,
}

/// Which part of its family a line is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Plain,
    Sum,
    Count,
}

/// One sample line, before its value.
struct Sample {
    family: usize,
    part: Part,
    labels: Vec<(String, String)>,
    /// The `le` of a histogram's line or the `quantile` of a summary's.
    bound: Option<f64>,
}

impl Pending {
    fn settle(self) -> MetricFamily {
        let kind = self.kind.unwrap_or(MetricType::Untyped);
        MetricFamily { name: self.name, help: self.help, kind, metrics: self.metrics }
    }
}

impl<'a> Parser<'a> {
    /// Reads a line; false at the end of the input.
    fn line(&mut self) -> Result<bool, Wrong> {
        self.skip_blanks();
        match self.input.get(self.at) {
            None => return Ok(false),
            Some(b'\n') => self.at += 1,
            Some(b'#') => self.comment()?,
            Some(_) => self.sample()?,
        }
        Ok(true)
    }

    fn comment(&mut self) -> Result<(), Wrong> {
        self.at += 1;
        self.skip_blanks();
        let keyword = self.word()?;
        if keyword != b"HELP" && keyword != b"TYPE" {
            return self.rest().map(drop);
        }
        self.skip_blanks();
        if self.peek()? == b'\n' {
            self.at += 1;
            return Ok(());
        }
        let name = self.name(true);
        match self.peek()? {
            b'\n' => {
                self.at += 1;
                return Ok(());
            }
            b' ' | b'\t' => {}
            _ => return Err("invalid metric name in comment".to_owned()),
        }
        let (family, _) = self.family(name);
        self.skip_blanks();
        if self.peek()? == b'\n' {
            self.at += 1;
            return Ok(());
        }
        if keyword == b"HELP" { self.help(family) } else { self.kind(family) }
    }

    fn help(&mut self, family: usize) -> Result<(), Wrong> {
        if self.families[family].help.is_some() {
            return Err(format!("second HELP line for metric name {:?}", self.families[family].name));
        }
        let help = unescape(self.rest()?, false)?;
        self.families[family].help = Some(text(help, "help text")?);
        Ok(())
    }

    fn kind(&mut self, family: usize) -> Result<(), Wrong> {
        let word = self.rest()?;
        let pending = &mut self.families[family];
        if pending.kind.is_some() {
            let name = &pending.name;
            return Err(format!("second TYPE line for metric name {name:?}, or TYPE reported after samples"));
        }
        let kind = MetricType::ALL.into_iter().find(|kind| kind.word().as_bytes().eq_ignore_ascii_case(word));
        pending.kind = Some(kind.ok_or_else(|| format!("unknown metric type {:?}", lossy(word)))?);
        Ok(())
    }

    fn sample(&mut self) -> Result<(), Wrong> {
        let name = self.name(true);
        if name.is_empty() {
            return Err("invalid metric name".to_owned());
        }
        let (family, part) = self.family(name);
        self.families[family].kind.get_or_insert(MetricType::Untyped);
        self.skip_blanks();
        let mut sample = Sample { family, part, labels: Vec::new(), bound: None };
        if self.peek()? == b'{' {
            self.at += 1;
            self.labels(&mut sample)?;
        }
        let token = self.word()?;
        let value = float(token).ok_or_else(|| format!("expected float as value, got {}", quoted(token)))?;
        let metric = self.put(sample, value);
        if self.peek()? == b'\n' {
            self.at += 1;
            return Ok(());
        }
        let timestamp = self.timestamp()?;
        let (family, metric) = metric;
        self.families[family].metrics[metric].timestamp_ms = Some(timestamp);
        Ok(())
    }

    fn labels(&mut self, sample: &mut Sample) -> Result<(), Wrong> {
        let bounding = match self.families[sample.family].kind {
            Some(MetricType::Summary) => "quantile",
            Some(MetricType::Histogram) => "le",
            _ => "",
        };
        loop {
            self.skip_blanks();
            if self.peek()? == b'}' {
                break;
            }
            let name = self.name(false);
            if name.is_empty() {
                return Err(format!("invalid label name for metric {:?}", self.families[sample.family].name));
            }
            let value = self.label_value(name, sample)?;
            if name == bounding {
                let bound = float(value.as_bytes());
                let wrong = || format!("expected float as value for '{bounding}' label, got {value:?}");
                sample.bound = Some(bound.ok_or_else(wrong)?);
            }
            self.skip_blanks();
            let next = self.peek()?;
            if !matches!(next, b',' | b'}') {
                return Err(format!("unexpected end of label value {value:?}"));
            }
            if name != bounding {
                sample.labels.push((name.to_owned(), value));
            }
            self.read.parts += 1;
            if self.read.is_over(&self.most) {
                return Err("too many labels".to_owned());
            }
            if next == b'}' {
                break;
            }
            self.at += 1;
        }
        self.at += 1;
        self.skip_blanks();
        Ok(())
    }

    /// Whether a label of that name came before. To compare each with all others would take minutes for as many as a body can hold.
    fn is_repeated(&mut self, name: &str, before: &[(String, String)]) -> bool {
        if before.len() < FEW {
            return before.iter().any(|(before, _)| before == name);
        }
        if before.len() == FEW {
            self.names = before.iter().map(|(before, _)| before.clone()).collect();
        }
        !self.names.insert(name.to_owned())
    }

    /// What stands behind a label's name.
    fn label_value(&mut self, name: &str, sample: &Sample) -> Result<String, Wrong> {
        self.skip_blanks();
        let found = self.peek()?;
        if found != b'=' {
            return Err(format!("expected '=' after label name, found {:?}", char::from(found)));
        }
        if name == "__name__" {
            return Err(format!("label name {name:?} is reserved"));
        }
        if self.is_repeated(name, &sample.labels) {
            return Err(format!("duplicate label names for metric {:?}", self.families[sample.family].name));
        }
        self.at += 1;
        self.skip_blanks();
        let found = self.peek()?;
        if found != b'"' {
            return Err(format!("expected '\"' at start of label value, found {:?}", char::from(found)));
        }
        self.at += 1;
        let start = self.at;
        loop {
            match self.peek()? {
                b'"' => break,
                b'\\' => self.at += 1,
                b'\n' => {
                    let value = lossy(&self.input[start..self.at]);
                    return Err(format!("label value {value:?} contains unescaped new-line"));
                }
                _ => {}
            }
            self.peek()?;
            self.at += 1;
        }
        let value = unescape(&self.input[start..self.at], true)?;
        self.at += 1;
        text(value, "label value")
    }

    /// Puts a value in its place: a metric of its own, or a part of the summary or histogram with these labels.
    fn put(&mut self, sample: Sample, value: f64) -> (usize, usize) {
        let Sample { family, part, mut labels, bound } = sample;
        let kind = self.families[family].kind;
        self.read.parts += 1;
        if !matches!(kind, Some(MetricType::Summary | MetricType::Histogram)) {
            let value = Some(Value::Number(value));
            self.read.metrics += 1;
            self.families[family].metrics.push(Metric { labels, value, timestamp_ms: None });
            return (family, self.families[family].metrics.len() - 1);
        }
        let (metrics, read) = (&mut self.families[family].metrics, &mut self.read.metrics);
        let as_written = labels.clone();
        labels.sort();
        let metric = *self.composites.entry((family, labels)).or_insert_with(|| {
            let value = match kind {
                Some(MetricType::Summary) => Value::Summary(Summary::default()),
                _ => Value::Histogram(Box::default()),
            };
            metrics.push(Metric { labels: as_written, value: Some(value), timestamp_ms: None });
            *read += 1;
            metrics.len() - 1
        });
        match &mut metrics[metric].value {
            Some(Value::Summary(summary)) => add_to_summary(summary, part, bound, value),
            Some(Value::Histogram(histogram)) => add_to_histogram(histogram, part, bound, value),
            _ => {}
        }
        (family, metric)
    }

    fn timestamp(&mut self) -> Result<i64, Wrong> {
        self.skip_blanks();
        let token = self.word()?;
        let parsed = std::str::from_utf8(token).ok().and_then(|token| token.parse().ok());
        let timestamp = parsed.ok_or_else(|| format!("expected integer as timestamp, got {}", quoted(token)))?;
        let rest = self.rest()?;
        match rest {
            [] => Ok(timestamp),
            rest => Err(format!("spurious string after timestamp: {}", quoted(rest))),
        }
    }

    /// The family that a line of this name belongs to: its own, or the summary or histogram whose sum, count or bucket it is.
    fn family(&mut self, name: &'a str) -> (usize, Part) {
        if let Some(last) = self.families.len().checked_sub(1).filter(|&last| self.families[last].name == name) {
            return (last, Part::Plain);
        }
        if let Some(&family) = self.by_name.get(name) {
            return (family, Part::Plain);
        }
        let composite = |base: &str, kind| {
            self.by_name.get(base).copied().filter(|&family| self.families[family].kind == Some(kind))
        };
        for (suffix, part) in [("_count", Part::Count), ("_sum", Part::Sum), ("_bucket", Part::Plain)] {
            let Some(base) = name.strip_suffix(suffix).filter(|base| !base.is_empty()) else { continue };
            let summary = composite(base, MetricType::Summary).filter(|_| suffix != "_bucket");
            if let Some(family) = summary.or_else(|| composite(base, MetricType::Histogram)) {
                return (family, part);
            }
        }
        let family = self.families.len();
        self.read.parts += 1;
        self.families.push(Pending { name: name.to_owned(), help: None, kind: None, metrics: Vec::new() });
        self.by_name.insert(name, family);
        (family, Part::Plain)
    }
}
