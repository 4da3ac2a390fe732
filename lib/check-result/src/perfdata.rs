//! Nagios performance data: the numbers behind the bar in a check's output.
//!
//! `'label'=value[unit];[warn];[crit];[min];[max]`, separated by spaces, as the monitoring-plugins guidelines describe: behind the
//! first `|` of the first line, and, where a later line has a `|`, from there to the end of the output. Real scripts bend that
//! grammar, so what can be read is read and the rest is passed over.

mod range;

pub use range::Range;

/// The longest quoted label, in bytes. A quote that nobody closes must not be looked for to the end of a huge output, by each
/// word anew.
const LONGEST_LABEL: usize = 256;

/// One measured value.
#[derive(Clone, Debug, PartialEq)]
pub struct Perfdata {
    /// What was measured, as the script names it.
    pub label: String,
    /// The value, in `unit`.
    pub value: f64,
    /// The base unit: `seconds`, `bytes`, `ratio`, `total` (a counter), or empty.
    pub unit: &'static str,
    /// When the script warns, in `unit`.
    pub warning: Option<Range>,
    /// When the value is critical, in `unit`.
    pub critical: Option<Range>,
    /// The least value there can be, in `unit`.
    pub min: Option<f64>,
    /// The greatest value there can be, in `unit`.
    pub max: Option<f64>,
}

/// Every value in `output` that can be read, in the order they stand. Units are brought to their base: `ms` to seconds, `KB` to
/// bytes (1024, as the plugins mean it), `%` to a ratio of one. `U` (undetermined), unknown units and what is not finite in its
/// base unit are passed over.
pub fn parse(output: &str) -> Vec<Perfdata> {
    let mut lines = output.lines();
    let first = lines.next().and_then(|line| line.split_once('|')).map_or("", |(_, data)| data);
    let mut values = line_values(first);
    let mut in_data = false;
    for line in lines {
        // Outputs of several plugins in one have text before each bar; it is measured only where there is no bar to tell.
        let data = after_bar(line).or(in_data.then_some(line));
        in_data |= data.is_some();
        values.extend(data.map(line_values).unwrap_or_default());
    }
    values
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

fn line_values(data: &str) -> Vec<Perfdata> {
    let mut values = Vec::new();
    let mut rest = data.trim_start();
    while !rest.is_empty() {
        let (item, after) = match label(rest) {
            Some((label, after)) => {
                let end = after.find(char::is_whitespace).unwrap_or(after.len());
                (value(label, &after[..end]), &after[end..])
            }
            // A word that is no `label=`: step over it.
            None => (None, rest.find(char::is_whitespace).map_or("", |end| &rest[end..])),
        };
        values.extend(item);
        rest = after.trim_start();
    }
    values
}

/// The label at the start of `text` and what follows its `=`. In quotes a label may hold spaces and `=`; a doubled quote
/// stands for one.
fn label(text: &str) -> Option<(String, &str)> {
    let Some(quoted) = text.strip_prefix('\'') else {
        let end = text.find(|c: char| c == '=' || c.is_whitespace())?;
        let after = text[end..].strip_prefix('=')?;
        return (end > 0).then(|| (text[..end].to_owned(), after));
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
    let unit_at = measured.find(|c: char| c.is_ascii_alphabetic() || c == '%').unwrap_or(measured.len());
    // `1e3` is a number, `1e` is not a unit that anybody uses.
    let unit_at = match measured[unit_at..].strip_prefix(['e', 'E']) {
        Some(exponent) => {
            let digits = exponent.trim_start_matches(['+', '-']);
            measured.len() - digits.trim_start_matches(|c: char| c.is_ascii_digit()).len()
        }
        None => unit_at,
    };
    let (value, unit) = measured.split_at(unit_at);
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

/// A finite number. Some locales print a decimal comma.
fn number(text: &str) -> Option<f64> {
    text.replace(',', ".").parse().ok().filter(|value: &f64| value.is_finite())
}

/// The base unit that `unit` belongs to, and what to multiply and to divide by: a division by 100 is exact where 0.01 is not.
fn base(unit: &str) -> Option<(&'static str, f64, f64)> {
    const KIB: f64 = 1024.0;
    Some(match unit {
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
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(output: &str) -> Vec<(String, f64, &'static str)> {
        parse(output).into_iter().map(|p| (p.label, p.value, p.unit)).collect()
    }

    #[test]
    fn units_thresholds_quotes_and_several_lines() {
        let output = "PROCS OK | procs=3;10;20;0 'free space'=42%;5:;@1:2\nmore text";
        assert_eq!(read(output), [("procs".into(), 3.0, ""), ("free space".into(), 0.42, "ratio")]);
        let output = "OK\nlong | 'it''s=odd'=1,5MB;; rta=12ms total=7c big=1e3B";
        assert_eq!(
            read(output),
            [
                ("it's=odd".into(), 1.5 * 1024.0 * 1024.0, "bytes"),
                ("rta".into(), 0.012, "seconds"),
                ("total".into(), 7.0, "total"),
                ("big".into(), 1000.0, "bytes"),
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
        let [used] = &parse("x | used=50%;80%;90:;0;100")[..] else { panic!("one value") };
        assert_eq!(used.warning, Some(Range { lower: Some(0.0), upper: Some(0.8), inside: false }));
        assert_eq!(used.critical, Some(Range { lower: Some(0.9), upper: None, inside: false }));
        assert_eq!((used.min, used.max), (Some(0.0), Some(1.0)));
        let [bare] = &parse("x | rta=1ms;;x;U")[..] else { panic!("one value") };
        assert_eq!((bare.warning, bare.critical, bare.min, bare.max), (None, None, None, None));
    }

    #[test]
    fn what_cannot_be_read_is_passed_over() {
        assert_eq!(read("no bar a=1"), []);
        assert_eq!(read("x | a=U b= =3 word c=1parsec 'open=1 d=2"), [("d".into(), 2.0, "")]);
        assert_eq!(read("x | ''=1 a=1e308GB d=2"), [("d".into(), 2.0, "")]);
        let label = |length| format!("x | '{}'=1", "日".repeat(length));
        assert_eq!(read(&format!("x | {}=1 a=1", "'".repeat(300))), [("a".into(), 1.0, "")]);
        assert_eq!((read(&label(85)).len(), read(&label(86)).len()), (1, 0), "255 bytes and 258");
    }

    proptest! {
        #[test]
        fn any_text_is_survived(output in ".*\\|.*") {
            prop_assert!(parse(&output).iter().all(|p| p.value.is_finite()));
        }
    }
}
