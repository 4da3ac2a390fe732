//! Nagios performance data: the numbers behind the bar in a check's output.
//!
//! `'label'=value[unit];[warn];[crit];[min];[max]`, separated by spaces, as the monitoring-plugins guidelines describe: behind the
//! first `|` of the first line, and, where a later line has a `|`, from there to the end of the output. Real scripts bend that
//! grammar, so what can be read is read and the rest is counted.

mod range;

use std::borrow::Cow;
use std::collections::HashSet;

pub use range::Range;

/// So many values of one output are read: each is a series or seven, and an output may hold hundreds of thousands.
pub const MOST_VALUES: usize = 200;

/// The longest unit, in bytes.
const LONGEST_UNIT: usize = 16;

/// The longest label, in bytes. A quote that nobody closes must not be looked for to the end of a huge output, by each
/// word anew.
const LONGEST_LABEL: usize = 256;

/// One measured value.
#[derive(Clone, Debug, PartialEq)]
pub struct Perfdata {
    /// What was measured, as the script names it.
    pub label: String,
    /// The value, in `unit`.
    pub value: f64,
    /// The base unit: `seconds`, `bytes`, `ratio`, `total` (a counter), or empty; any other as the script writes it.
    pub unit: Cow<'static, str>,
    /// When the script warns, in `unit`.
    pub warning: Option<Range>,
    /// When the value is critical, in `unit`.
    pub critical: Option<Range>,
    /// The least value there can be, in `unit`.
    pub min: Option<f64>,
    /// The greatest value there can be, in `unit`.
    pub max: Option<f64>,
}

/// The performance data of an output.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Measured {
    /// In the order they stand, each label once a unit, at most [`MOST_VALUES`].
    pub values: Vec<Perfdata>,
    /// How many more there are: unreadable, named like another one, or too many.
    pub skipped: usize,
}

/// Every value in `output` that can be read. Units are brought to their base: `ms` to seconds, `KB` to bytes (1024, as the plugins
/// mean it), `%` to a ratio of one; others stay as they are. `U` (undetermined) and a missing value are no values; what is not finite
/// in its base unit is skipped.
pub fn parse(output: &str) -> Measured {
    let mut found = Found::default();
    let mut lines = output.lines();
    found.line(lines.next().and_then(|line| line.split_once('|')).map_or("", |(_, data)| data));
    let mut in_data = false;
    for line in lines {
        // Outputs of several plugins in one have text before each bar; it is measured only where there is no bar to tell.
        let data = after_bar(line).or(in_data.then_some(line));
        in_data |= data.is_some();
        found.line(data.unwrap_or_default());
    }
    found.measured
}

/// What was read so far.
#[derive(Default)]
struct Found {
    measured: Measured,
    /// A script that names two values alike would make a whole scrape invalid.
    seen: HashSet<(String, Cow<'static, str>)>,
}

// === impl Found ===

impl Found {
    fn line(&mut self, data: &str) {
        let mut rest = data.trim_start();
        while !rest.is_empty() {
            match label(rest) {
                Some((label, after)) => {
                    let (text, after) = item(after);
                    self.add(label, &text);
                    rest = after;
                }
                // A word that is no `label=`: step over it.
                None => {
                    let (word, after) = word(rest);
                    self.measured.skipped += usize::from(word.contains('='));
                    rest = after;
                }
            }
            rest = rest.trim_start();
        }
    }

    fn add(&mut self, label: String, text: &str) {
        if ["", "U"].contains(&text.split(';').next().unwrap_or_default()) {
            return;
        }
        let room = self.measured.values.len() < MOST_VALUES;
        match value(label, text).filter(|value| room && self.seen.insert((value.label.clone(), value.unit.clone()))) {
            Some(value) => self.measured.values.push(value),
            None => self.measured.skipped += 1,
        }
    }
}

/// What stands behind the first bar outside a quoted label.
fn after_bar(line: &str) -> Option<&str> {
    let mut quoted = false;
    let at = line.find(|c: char| {
        quoted ^= c == '\'';
        c == '|' && !quoted
    });
    at.map(|at| &line[at + 1..])
}

/// The word at the start of `text`, and what follows it.
fn word(text: &str) -> (&str, &str) {
    text.split_at(text.find(char::is_whitespace).unwrap_or(text.len()))
}

/// The value, its unit and thresholds at the start of `text`, and what follows them.
fn item(text: &str) -> (Cow<'_, str>, &str) {
    let (item, after) = word(text);
    let (next, behind) = word(after.trim_start());
    let (item, next) = (item.trim_end_matches(','), next.trim_end_matches(','));
    // `5 %` is what a person would write.
    if number(item).is_some() && (next == "%" || next.starts_with("%;")) {
        return (Cow::Owned(format!("{item}{next}")), behind);
    }
    (Cow::Borrowed(item), after)
}

/// The label at the start of `text` and what follows its `=`. In quotes a label may hold spaces and `=`; a doubled quote
/// stands for one.
fn label(text: &str) -> Option<(String, &str)> {
    let Some(quoted) = text.strip_prefix('\'') else {
        let end = text.find(|c: char| c == '=' || c.is_whitespace())?;
        let after = text[end..].strip_prefix('=')?;
        return (1..=LONGEST_LABEL).contains(&end).then(|| (text[..end].to_owned(), after));
    };
    let mut end = 0;
    loop {
        end += quoted.get(end..quoted.floor_char_boundary(LONGEST_LABEL))?.find('\'')?;
        let after = &quoted[end + 1..];
        match after.strip_prefix('=') {
            Some(after) => return (end > 0).then(|| (quoted[..end].replace("''", "'"), after)),
            None => end += if after.starts_with('\'') { 2 } else { 1 },
        }
    }
}

fn value(label: String, text: &str) -> Option<Perfdata> {
    let mut fields = text.split(';');
    let measured = fields.next()?;
    let (value, unit) = measured.split_at(number_end(measured));
    let value = number(value)?;
    let (base, times, by) = base(unit)?;
    let bound = |field: Option<&str>| field.map(|text| text.strip_suffix(unit).unwrap_or(text)).and_then(Range::parse);
    let (warning, critical) = (bound(fields.next()), bound(fields.next()));
    let mut limit = || fields.next().and_then(|text| number(text.strip_suffix(unit).unwrap_or(text)));
    let (min, max) = (limit(), limit());
    let scale = |value: f64| Some(value * times / by).filter(|value| value.is_finite());
    let scaled = |range: Range| range.try_map(scale);
    Some(Perfdata {
        label,
        value: scale(value)?,
        unit: base,
        warning: warning.and_then(scaled),
        critical: critical.and_then(scaled),
        min: min.and_then(scale),
        max: max.and_then(scale),
    })
}

/// Where the number at the start of `text` ends. `1e3` is a number, `1e` has the unit `e`.
fn number_end(text: &str) -> usize {
    let end_of = |text: &str, of: fn(char) -> bool| text.find(|c| !of(c)).unwrap_or(text.len());
    let end = end_of(text, |c| c.is_ascii_digit() || matches!(c, '+' | '-' | '.' | ','));
    let Some(exponent) = text[end..].strip_prefix(['e', 'E']) else { return end };
    let digits = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
    match end_of(digits, |c| c.is_ascii_digit()) {
        0 => end,
        length => text.len() - digits.len() + length,
    }
}

/// A finite number. Some locales print a decimal comma.
fn number(text: &str) -> Option<f64> {
    text.replace(',', ".").parse().ok().filter(|value: &f64| value.is_finite())
}

/// The base unit that `unit` belongs to, and what to multiply and to divide by: a division by 100 is exact where 0.01 is not.
fn base(unit: &str) -> Option<(Cow<'static, str>, f64, f64)> {
    const KIB: f64 = 1024.0;
    let (base, times, by) = match unit {
        "" => ("", 1.0, 1.0),
        "s" => ("seconds", 1.0, 1.0),
        "ms" => ("seconds", 1.0, 1e3),
        "us" => ("seconds", 1.0, 1e6),
        "ns" => ("seconds", 1.0, 1e9),
        "%" => ("ratio", 1.0, 100.0),
        "B" => ("bytes", 1.0, 1.0),
        "KB" | "kB" | "KiB" => ("bytes", KIB, 1.0),
        "MB" | "MiB" => ("bytes", KIB * KIB, 1.0),
        "GB" | "GiB" => ("bytes", KIB * KIB * KIB, 1.0),
        "TB" | "TiB" => ("bytes", KIB * KIB * KIB * KIB, 1.0),
        "c" => ("total", 1.0, 1.0),
        _ => return is_unit(unit).then(|| (Cow::Owned(unit.to_owned()), 1.0, 1.0)),
    };
    Some((Cow::Borrowed(base), times, by))
}

/// Whether `text` may be a unit of the script's own, as `°C`, `rpm`, `MB/s`.
fn is_unit(text: &str) -> bool {
    text.len() <= LONGEST_UNIT && text.chars().all(|c| c.is_alphabetic() || "%°/²³".contains(c))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(output: &str) -> Vec<(String, f64, Cow<'static, str>)> {
        parse(output).values.into_iter().map(|p| (p.label, p.value, p.unit)).collect()
    }

    #[test]
    fn units_thresholds_quotes_and_several_lines() {
        let output = "PROCS OK | procs=3;10;20;0 'free space'=42%;5:;@1:2\nmore text";
        assert_eq!(read(output), [("procs".into(), 3.0, "".into()), ("free space".into(), 0.42, "ratio".into())]);
        let output = "OK\nlong | 'it''s=odd'=1,5MB;; rta=12ms total=7c big=1e3B";
        assert_eq!(
            read(output),
            [
                ("it's=odd".into(), 1.5 * 1024.0 * 1024.0, "bytes".into()),
                ("rta".into(), 0.012, "seconds".into()),
                ("total".into(), 7.0, "total".into()),
                ("big".into(), 1000.0, "bytes".into()),
            ]
        );
    }

    #[test]
    fn from_a_later_bar_on_every_line_is_data() {
        let guideline = "DISK OK | /=1B\nlong text x=9\nmore | /home=2B\n/var=3B '/a|b'=4B";
        let labels = |output: &str| read(output).into_iter().map(|(label, ..)| label).collect::<Vec<_>>();
        assert_eq!(labels(guideline), ["/", "/home", "/var", "/a|b"]);
        assert_eq!(labels("a OK | a=1\nb=9 OK | b=1 | c=2\nd OK | d=1"), ["a", "b", "c", "d"]);
    }

    #[test]
    fn thresholds_and_limits_are_in_the_same_unit() {
        let [used] = &parse("x | used=50%;80%;90:;0;100").values[..] else { panic!("one value") };
        assert_eq!(used.warning, Some(Range { lower: Some(0.0), upper: Some(0.8), inside: false }));
        assert_eq!(used.critical, Some(Range { lower: Some(0.9), upper: None, inside: false }));
        assert_eq!((used.min, used.max), (Some(0.0), Some(1.0)));
        let [bare] = &parse("x | rta=1ms;;x;U").values[..] else { panic!("one value") };
        assert_eq!((bare.warning, bare.critical, bare.min, bare.max), (None, None, None, None));
    }

    #[test]
    fn what_cannot_be_read_is_counted() {
        assert_eq!(read("no bar a=1"), []);
        assert_eq!(read("x | a=U b= =3 word c=1x2 'open=1 d=2"), [("d".into(), 2.0, "".into())]);
        assert_eq!(read("x | ''=1 a=1e308GB d=2"), [("d".into(), 2.0, "".into())]);
        let label = |length| format!("x | '{}'=1", "日".repeat(length));
        assert_eq!(read(&format!("x | {}=1 a=1", "'".repeat(300))), [("a".into(), 1.0, "".into())]);
        assert_eq!((read(&label(85)).len(), read(&label(86)).len()), (1, 0), "255 bytes and 258");
        let bare = |length| parse(&format!("x | {}=1", "a".repeat(length)));
        assert_eq!((bare(256).skipped, bare(257).skipped), (0, 1));
        let skipped = |output: &str| parse(output).skipped;
        assert_eq!(skipped("x | a=U b= c=U;1;2 word 'it is'=1 | d"), 0);
        assert_eq!(skipped("x | a=1 a=2 b=1.2.3 at=12:30 =3 'open=1 c=1x2 e=1|f=2 a=3s g=1e999"), 8);
    }

    #[test]
    fn units_that_have_no_base_stay_as_they_are() {
        let output = "x | temp=45C;60;70 fan=1200rpm rate=10MB/s in=3Mb up=2d v=12V out=-4,5°C x=1e, y=2ms, z=3";
        let units: Vec<_> = read(output).into_iter().map(|(_, value, unit)| format!("{value}{unit}")).collect();
        assert_eq!(
            units,
            ["45C", "1200rpm", "10MB/s", "3Mb", "2d", "12V", "-4.5°C", "1e", "0.002seconds", "3"].map(String::from)
        );
        assert_eq!(parse(output).values[0].warning, Range::parse("60"));
        assert_eq!(parse(&format!("x | a=1{} b=1{}", "x".repeat(16), "x".repeat(17))).values.len(), 1);
    }

    #[test]
    fn a_percent_sign_of_its_own_is_the_unit_of_the_number_before_it() {
        let [util, idle, bare] = &parse("x | util=5 %;80;90 idle=95 % bare=1 word % b").values[..] else {
            panic!("three")
        };
        assert_eq!((util.value, &*util.unit), (0.05, "ratio"));
        assert_eq!(util.warning, Some(Range { lower: Some(0.0), upper: Some(0.8), inside: false }));
        assert_eq!((idle.value, &*idle.unit, bare.value, &*bare.unit), (0.95, "ratio", 1.0, ""));
    }

    #[test]
    fn an_output_of_nothing_but_values_is_bounded() {
        let output = (0..1000).map(|n| format!(" v{n}={n}")).collect::<String>();
        let Measured { values, skipped } = parse(&format!("x |{output}"));
        assert_eq!((values.len(), skipped), (MOST_VALUES, 1000 - MOST_VALUES));
    }

    proptest! {
        #[test]
        fn any_text_is_survived(output in ".*\\|.*") {
            prop_assert!(parse(&output).values.iter().all(|p| p.value.is_finite()));
        }
    }
}
