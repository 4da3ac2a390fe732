//! Numbers as sensu-client's JSON encoder (Oj) prints them.

/// The text of a JSON number in Oj's form: integers of any size as they are, floats with 15 significant digits, `.0` behind
/// whole ones, a signed exponent of at least two digits from 1e16 up and below 1e-4 (`1e+100`, `1e-07`), no negative zero.
/// One that is too large for a double is `null`, as NaN is: there are readers that refuse the whole line for it.
pub(super) fn oj(number: &str) -> String {
    if !number.contains(['.', 'e', 'E']) {
        return number.to_owned();
    }
    match number.parse::<f64>() {
        Ok(value) if value.is_finite() => float(value),
        _ => "null".to_owned(),
    }
}

fn float(value: f64) -> String {
    if value == 0.0 {
        return "0.0".to_owned();
    }
    if value.fract() == 0.0 && value.abs() < 1e16 {
        return format!("{value:.1}");
    }
    // C's `%.15g`: fixed notation while the exponent is within [-4, 15), else scientific; trailing zeros go.
    let scientific = format!("{value:.14e}");
    let (mantissa, exponent) = scientific.split_once('e').expect("`e` formatting has an exponent");
    let exponent: i32 = exponent.parse().expect("`e` formatting has an integer exponent");
    if (-4..15).contains(&exponent) {
        let decimals = usize::try_from(14 - exponent).expect("the exponent is below 15");
        return trim(&format!("{value:.decimals$}")).to_owned();
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{}e{sign}{:02}", trim(mantissa), exponent.abs())
}

fn trim(digits: &str) -> &str {
    if digits.contains('.') { digits.trim_end_matches('0').trim_end_matches('.') } else { digits }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn as_oj_prints_them() {
        for (number, want) in [
            ("0", "0"),
            ("-3", "-3"),
            ("12345678901234567890123", "12345678901234567890123"),
            ("0.002", "0.002"),
            ("1.0", "1.0"),
            ("1.50", "1.5"),
            ("12.345", "12.345"),
            ("0.1234567890123456", "0.123456789012346"),
            ("1e100", "1e+100"),
            ("1E-7", "1e-07"),
            ("0.00001", "1e-05"),
            ("0.0001", "0.0001"),
            ("1e15", "1000000000000000.0"),
            ("1e16", "1e+16"),
            ("-0.0", "0.0"),
            ("1e999", "null"),
            ("-1e+99999", "null"),
        ] {
            assert_eq!(oj(number), want, "{number}");
        }
    }

    proptest! {
        #[test]
        fn fifteen_digits_survive(value in any::<f64>().prop_filter("finite", |v| v.is_finite())) {
            let printed: f64 = oj(&format!("{value:e}")).parse().unwrap();
            prop_assert!((printed - value).abs() <= value.abs() * 1e-14, "{value} {printed}");
        }
    }
}
