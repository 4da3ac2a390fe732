//! Nagios performance data: the numbers behind the bar in a check's output.
//!
//! `'label'=value[unit];[warn];[crit];[min];[max]`, separated by spaces, behind the first `|` of a line, as the
//! monitoring-plugins guidelines describe. Real scripts bend that grammar, so what can be read is read and the rest is passed over.

/// One measured value.
#[derive(Clone, Debug, PartialEq)]
pub struct Perfdata {
    /// What was measured, as the script names it.
    pub label: String,
    /// The value, in `unit`.
    pub value: f64,
    /// The base unit: `seconds`, `bytes`, `ratio`, `total` (a counter), or empty.
    pub unit: &'static str,
}

/// Every value in `output` that can be read, in the order they stand. Units are brought to their base: `ms` to seconds, `KB` to
/// bytes (1024, as the plugins mean it), `%` to a ratio of one. `U` (undetermined) and unknown units are passed over.
pub fn parse(output: &str) -> Vec<Perfdata> {
    output.lines().filter_map(|line| line.split_once('|')).flat_map(|(_, data)| line_values(data)).collect()
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
        end += quoted[end..].find('\'')?;
        let after = &quoted[end + 1..];
        match after.strip_prefix('=') {
            Some(after) => return Some((quoted[..end].replace("''", "'"), after)),
            None => end += if after.starts_with('\'') { 2 } else { 1 },
        }
    }
}

fn value(label: String, text: &str) -> Option<Perfdata> {
    let measured = text.split(';').next()?;
    let unit_at = measured.find(|c: char| c.is_ascii_alphabetic() || c == '%').unwrap_or(measured.len());
    // `1e3` is a number, `1e` is not a unit that anybody uses.
    let unit_at = match measured[unit_at..].strip_prefix(['e', 'E']) {
        Some(exponent) => {
            let digits = exponent.trim_start_matches(['+', '-']);
            measured.len() - digits.trim_start_matches(|c: char| c.is_ascii_digit()).len()
        }
        None => unit_at,
    };
    let (number, unit) = measured.split_at(unit_at);
    // Some locales print a decimal comma.
    let number: f64 = number.replace(',', ".").parse().ok()?;
    let (unit, factor) = base(unit)?;
    (number.is_finite()).then_some(Perfdata { label, value: number * factor, unit })
}

/// The base unit that `unit` belongs to, and how many of it one `unit` is.
fn base(unit: &str) -> Option<(&'static str, f64)> {
    const KIB: f64 = 1024.0;
    Some(match unit {
        "" => ("", 1.0),
        "s" => ("seconds", 1.0),
        "ms" => ("seconds", 1e-3),
        "us" => ("seconds", 1e-6),
        "ns" => ("seconds", 1e-9),
        "%" => ("ratio", 0.01),
        "B" => ("bytes", 1.0),
        "KB" | "kB" | "KiB" => ("bytes", KIB),
        "MB" | "MiB" => ("bytes", KIB * KIB),
        "GB" | "GiB" => ("bytes", KIB * KIB * KIB),
        "TB" | "TiB" => ("bytes", KIB * KIB * KIB * KIB),
        "c" => ("total", 1.0),
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
    fn what_cannot_be_read_is_passed_over() {
        assert_eq!(read("no bar a=1"), []);
        assert_eq!(read("x | a=U b= =3 word c=1parsec 'open=1 d=2"), [("d".into(), 2.0, "")]);
    }

    proptest! {
        #[test]
        fn any_text_is_survived(output in ".*\\|.*") {
            prop_assert!(parse(&output).iter().all(|p| p.value.is_finite()));
        }
    }
}
