//! Writing families in either text format.

use std::fmt::Write;
use std::ops::Range;

use crate::{Family, Format, Kind, Label, Sample};

/// Below this a float is every whole number: 2^53.
const WHOLE: u64 = 1 << f64::MANTISSA_DIGITS;

/// More than nearly all values take, with what stands around them.
const VALUE_BYTES: usize = 20;

/// What is written without exponent everywhere.
const PLAIN: Range<f64> = 1e-4..1e15;

/// Appends `families`; those without samples are left out.
pub fn write(families: &[Family], format: Format, out: &mut String) {
    // A page that grows piece by piece is copied a dozen times.
    out.reserve(families.iter().map(most_bytes).sum());
    for family in families.iter().filter(|family| !family.samples.is_empty()) {
        write_family(family, format, out);
    }
}

/// Ends a page: OpenMetrics wants `# EOF` as its last line.
pub fn finish(format: Format, out: &mut String) {
    if format == Format::OpenMetrics {
        out.push_str("# EOF\n");
    }
}

/// Whether `name` is a label name of the classic data model (`[a-zA-Z_][a-zA-Z0-9_]*`), the one that every Prometheus
/// and Alertmanager accepts.
pub fn is_label_name(name: &str) -> bool {
    let mut chars = name.chars();
    chars.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_')
        && chars.all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// About the most bytes that it takes.
fn most_bytes(family: &Family) -> usize {
    let name = family.name.len();
    let samples = family.samples.iter().map(|sample| name + sample.labels.text().len() + VALUE_BYTES);
    3 * name + family.help.len() + samples.sum::<usize>()
}

fn write_family(family: &Family, format: Format, out: &mut String) {
    let name = &family.name;
    let (kind, sample_suffix) = match family.kind {
        Kind::Gauge => ("gauge", ""),
        Kind::Counter => ("counter", "_total"),
    };
    // The classic format declares a counter under the name of its samples, OpenMetrics under that of its family.
    let suffix = if format == Format::Text { sample_suffix } else { "" };
    let _ = write!(out, "# HELP {name}{suffix} ");
    escape(&family.help, format == Format::OpenMetrics, out);
    let _ = writeln!(out, "\n# TYPE {name}{suffix} {kind}");
    for sample in &family.samples {
        out.push_str(name);
        out.push_str(sample_suffix);
        write_sample(sample, out);
    }
}

fn write_sample(sample: &Sample, out: &mut String) {
    out.push_str(sample.labels.text());
    out.push(' ');
    write_value(sample.value, out);
    out.push('\n');
}

/// Labels as both formats have them.
pub(crate) fn labels(labels: &[Label]) -> String {
    let mut out =
        String::with_capacity(2 + labels.iter().map(|(name, value)| name.len() + value.len() + 4).sum::<usize>());
    for (index, (name, value)) in labels.iter().enumerate() {
        out.push(if index == 0 { '{' } else { ',' });
        out.push_str(name);
        out.push_str("=\"");
        escape(value, true, &mut out);
        out.push('"');
    }
    if !labels.is_empty() {
        out.push('}');
    }
    out
}

fn write_value(value: f64, out: &mut String) {
    let whole = value as i64;
    let _ = if value.is_nan() {
        write!(out, "NaN")
    } else if value.is_infinite() {
        write!(out, "{}Inf", if value > 0.0 { '+' } else { '-' })
    } else if whole.unsigned_abs() < WHOLE && (whole as f64).to_bits() == value.to_bits() {
        // Most values are whole, and those are written in a fraction of the time that a float takes.
        write!(out, "{whole}")
    } else if PLAIN.contains(&value.abs()) {
        // The same digits, sooner. Greater and smaller ones would get an exponent.
        out.write_str(zmij::Buffer::new().format_finite(value))
    } else {
        write!(out, "{value}")
    };
}

/// Escapes backslash and line feed, and the double quote where the format wants it (label values; help in OpenMetrics).
pub(crate) fn escape(text: &str, quotes: bool, out: &mut String) {
    if !text.contains(['\\', '\n', '"']) {
        out.push_str(text);
        return;
    }
    for c in text.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '"' if quotes => out.push_str("\\\""),
            c => out.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(family: Family, format: Format) -> String {
        let mut out = String::new();
        write(&[family], format, &mut out);
        finish(format, &mut out);
        out
    }

    #[test]
    fn a_counter_is_named_as_each_format_wants_it() {
        let mut lines = Family::new("agent_lines", "Lines of the \"log\"", Kind::Counter);
        lines.push(vec![], 3.0);
        assert_eq!(
            page(lines.clone(), Format::Text),
            "# HELP agent_lines_total Lines of the \"log\"\n# TYPE agent_lines_total counter\nagent_lines_total 3\n"
        );
        assert_eq!(
            page(lines, Format::OpenMetrics),
            "# HELP agent_lines Lines of the \\\"log\\\"\n# TYPE agent_lines counter\nagent_lines_total 3\n# EOF\n"
        );
    }

    #[test]
    fn label_values_are_escaped_and_special_values_spelt() {
        let mut family = Family::new("m", "h", Kind::Gauge);
        family.push(vec![("path".into(), "C:\\日本\n\"x\"".into()), ("b".into(), String::new())], f64::NAN);
        family.push(vec![("path".into(), "inf".into())], f64::INFINITY);
        family.push(vec![("path".into(), "big".into())], 1_795_228_432.5);
        assert_eq!(
            page(family, Format::Text),
            "# HELP m h\n# TYPE m gauge\nm{path=\"C:\\\\日本\\n\\\"x\\\"\",b=\"\"} NaN\nm{path=\"inf\"} +Inf\n\
             m{path=\"big\"} 1795228432.5\n"
        );
    }

    #[test]
    fn values_are_written_as_floats_are() {
        let edge = WHOLE as f64;
        let values =
            [0.0, -0.0, 1.0, -17.0, 0.1, -2.5, 1e15, edge, edge - 1.0, -edge, 1e22, 1e300, f64::MAX, f64::MIN_POSITIVE];
        values.into_iter().for_each(is_written_as_floats_are);
    }

    fn is_written_as_floats_are(value: f64) {
        let mut out = String::new();
        write_value(value, &mut out);
        assert_eq!(out, value.to_string());
    }

    proptest::proptest! {
        #[test]
        fn any_finite_value_is_written_as_floats_are(value in proptest::num::f64::NORMAL) {
            is_written_as_floats_are(value);
        }

        #[test]
        fn any_measured_value_is_written_as_floats_are(units in -1_000_000_000_000_i64..1_000_000_000_000, scale in 0..12) {
            is_written_as_floats_are(units as f64 / 10_f64.powi(scale));
        }
    }

    #[test]
    fn a_family_without_samples_is_not_written() {
        assert_eq!(page(Family::new("m", "h", Kind::Gauge), Format::Text), "");
    }

    #[test]
    fn label_names_are_the_classic_ones() {
        assert!(is_label_name("_playbook2") && is_label_name("A"));
        assert!(!is_label_name("") && !is_label_name("2x") && !is_label_name("a-b") && !is_label_name("é"));
    }
}
