//! Statistics of repeated measurements.

/// Measurements of one thing, in ascending order.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Samples(Vec<f64>);

// === impl Samples ===

impl FromIterator<f64> for Samples {
    fn from_iter<I: IntoIterator<Item = f64>>(values: I) -> Self {
        let mut values: Vec<f64> = values.into_iter().collect();
        values.sort_by(f64::total_cmp);
        Self(values)
    }
}

impl From<&[f64]> for Samples {
    fn from(values: &[f64]) -> Self {
        values.iter().copied().collect()
    }
}

impl Samples {
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// The smallest value that at least the share `q` (0 to 1) of all values does not exceed; NaN of none.
    pub(crate) fn quantile(&self, q: f64) -> f64 {
        let rank = (q * self.0.len() as f64).ceil() as usize;
        self.0.get(rank.saturating_sub(1)).copied().unwrap_or(f64::NAN)
    }

    /// The middle value, or the mean of the two in the middle; NaN of none.
    pub(crate) fn median(&self) -> f64 {
        match self.0.len() {
            0 => f64::NAN,
            n if n % 2 == 1 => self.0[n / 2],
            n => f64::midpoint(self.0[n / 2 - 1], self.0[n / 2]),
        }
    }

    pub(crate) fn lowest(&self) -> f64 {
        self.quantile(0.0)
    }

    pub(crate) fn highest(&self) -> f64 {
        self.quantile(1.0)
    }
}

/// Within each repeat: what else the machine did meanwhile falls on both.
pub(crate) fn ratio(of: &[f64], to: &[f64]) -> Vec<f64> {
    of.iter().zip(to).map(|(of, to)| of / to).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle_whatever_the_order() {
        assert_eq!(Samples::from([9.0, 1.0, 5.0].as_slice()).median(), 5.0);
        assert_eq!(Samples::from([4.0, 1.0, 2.0, 9.0].as_slice()).median(), 3.0);
        assert!(Samples::default().median().is_nan());
    }

    #[test]
    fn quantiles_are_values_that_were_measured() {
        let hundred: Samples = (1..=100).map(f64::from).collect();
        assert_eq!((hundred.quantile(0.5), hundred.quantile(0.99), hundred.quantile(1.0)), (50.0, 99.0, 100.0));
        assert_eq!((hundred.lowest(), hundred.highest(), hundred.len()), (1.0, 100.0, 100));
        assert_eq!(Samples::from([7.0].as_slice()).quantile(0.99), 7.0);
        assert!(Samples::default().quantile(0.5).is_nan());
    }
}
