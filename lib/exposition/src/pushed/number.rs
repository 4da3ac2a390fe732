//! Numbers as Go prints them.

use std::fmt::Write as _;

/// `value` in the shortest form that reads back as the same number, as Go's `strconv` writes it with format `g`: with an exponent
/// below 0.0001 and from one million on.
pub fn go_float(value: f64) -> String {
    let mut text = String::new();
    write_go_float(value, &mut text);
    text
}

/// Appends what [`go_float`] gives.
pub(super) fn write_go_float(value: f64, out: &mut String) {
    if value.is_nan() {
        return out.push_str("NaN");
    }
    if value.is_infinite() {
        return out.push_str(if value > 0.0 { "+Inf" } else { "-Inf" });
    }
    if value == 0.0 || (1e-4..1e6).contains(&value.abs()) {
        let _ = write!(out, "{value}");
        return;
    }
    let scientific = format!("{value:e}");
    let (digits, exponent) = scientific.split_once('e').expect("the format has an exponent");
    let exponent: i32 = exponent.parse().expect("the exponent is a number");
    let sign = if exponent < 0 { '-' } else { '+' };
    let _ = write!(out, "{digits}e{sign}{:02}", exponent.abs());
}

#[cfg(test)]
mod tests {
    use super::go_float;

    #[test]
    fn numbers_look_as_the_reference_prints_them() {
        for (value, text) in [
            (0.0, "0"),
            (-0.0, "-0"),
            (1.5, "1.5"),
            (100_000.0, "100000"),
            (999_999.5, "999999.5"),
            (1_000_000.0, "1e+06"),
            (123_456_789_012_345_678.0, "1.2345678901234568e+17"),
            (0.0001, "0.0001"),
            (0.000_012, "1.2e-05"),
            (0.000_1_f64.next_down(), "9.999999999999999e-05"),
            (1_000_000_f64.next_down(), "999999.9999999999"),
            (f64::MAX, "1.7976931348623157e+308"),
            (5e-324, "5e-324"),
            (f64::NEG_INFINITY, "-Inf"),
            (f64::NAN, "NaN"),
        ] {
            assert_eq!(go_float(value), text);
        }
    }
}
