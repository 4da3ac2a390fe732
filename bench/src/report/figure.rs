//! One figure of a report: what was found, what was wanted, and what a comparison has to know of it.

use serde::{Deserialize, Deserializer, Serialize};

use crate::stats::Samples;
use crate::table::number;

/// One figure: the median of its repeats, with the lowest and the highest. One that was not measured is NaN, in JSON `null`.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Figure {
    pub(crate) name: String,
    pub(crate) unit: String,
    #[serde(default, skip_serializing_if = "Kind::is_absolute")]
    pub(crate) kind: Kind,
    /// None says that no change of it is good or bad: it is another program's, or says how much was done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) better: Option<Better>,
    #[serde(deserialize_with = "measured")]
    pub(crate) median: f64,
    #[serde(deserialize_with = "measured")]
    pub(crate) lowest: f64,
    #[serde(deserialize_with = "measured")]
    pub(crate) highest: f64,
    pub(crate) repeats: usize,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    target: Option<Target>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) met: Option<bool>,
}

/// What the figures of two machines have to do with each other.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Kind {
    /// They are of their machines.
    #[default]
    Absolute,
    /// Both programs ran in one run on one machine, which falls out.
    Ratio,
    /// It was not measured but given: where it differs, something else was measured.
    Given,
}

/// Which of two measurements is the better one.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Better {
    Lower,
    Higher,
    /// The one that meets the target. It is for differences and for counts of what must not be: three times nearly nothing is nothing.
    Met,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Target {
    AtMost(f64),
    AtLeast(f64),
}

/// What sums of clock ticks may be off by as floating-point numbers.
const ROUNDING: f64 = 1e-9;

fn measured<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or(f64::NAN))
}

// === impl Figure ===

impl Figure {
    pub(crate) fn new(name: impl Into<String>, unit: impl Into<String>, repeats: &Samples) -> Self {
        Self {
            name: name.into(),
            unit: unit.into(),
            kind: Kind::Absolute,
            better: None,
            median: repeats.median(),
            lowest: repeats.lowest(),
            highest: repeats.highest(),
            repeats: repeats.len(),
            target: None,
            met: None,
        }
    }

    pub(crate) fn one(name: impl Into<String>, unit: impl Into<String>, value: f64) -> Self {
        Self::new(name, unit, &Samples::from_iter([value]))
    }

    /// One figure of several runs of which each found one value for it; they are of the first one's kind, and held against its target.
    pub(super) fn of_runs(runs: &[&Self]) -> Option<Self> {
        let first = (*runs.first()?).clone();
        let repeats: Samples = runs.iter().map(|figure| figure.median).collect();
        let Self { median, lowest, highest, repeats, .. } = Self::new("", "", &repeats);
        Some(Self { median, lowest, highest, repeats, ..first }.held())
    }

    /// What was put in, and not found.
    pub(crate) fn given(name: impl Into<String>, unit: impl Into<String>, value: f64) -> Self {
        Self { kind: Kind::Given, ..Self::one(name, unit, value) }
    }

    /// Of two things measured in one run.
    pub(crate) fn ratio(self) -> Self {
        Self { kind: Kind::Ratio, ..self }
    }

    pub(crate) fn lower(self) -> Self {
        Self { better: Some(Better::Lower), ..self }
    }

    pub(crate) fn higher(self) -> Self {
        Self { better: Some(Better::Higher), ..self }
    }

    /// Only whether the target is met says something.
    pub(crate) fn or_not(self) -> Self {
        Self { better: Some(Better::Met), ..self }.held()
    }

    pub(crate) fn at_most(self, bound: f64) -> Self {
        Self { target: Some(Target::AtMost(bound)), ..self.lower() }.held()
    }

    pub(crate) fn at_least(self, bound: f64) -> Self {
        Self { target: Some(Target::AtLeast(bound)), ..self.higher() }.held()
    }

    fn held(self) -> Self {
        Self { met: self.would_meet(self.decisive()), ..self }
    }

    /// The repeat that the target is held against: the median, or, of what must not be, the worst. What was lost once was lost.
    pub(crate) fn decisive(&self) -> f64 {
        match (self.better, self.target) {
            (Some(Better::Met), Some(Target::AtMost(_))) => self.highest,
            (Some(Better::Met), Some(Target::AtLeast(_))) => self.lowest,
            _ => self.median,
        }
    }

    /// Whether that value would meet the target, if there is one.
    pub(crate) fn would_meet(&self, value: f64) -> Option<bool> {
        self.target.map(|target| match target {
            Target::AtMost(bound) => value <= bound + ROUNDING,
            Target::AtLeast(bound) => value >= bound - ROUNDING,
        })
    }

    /// The median with its unit.
    pub(crate) fn value(&self) -> String {
        format!("{} {}", number(self.median), self.unit).trim_end().to_owned()
    }

    /// From where to where the repeats lie; nothing of one.
    pub(crate) fn spread(&self) -> String {
        match self.repeats {
            1 => String::new(),
            n => format!("{} to {} of {n}", number(self.lowest), number(self.highest)),
        }
    }

    /// Name, median, spread or that there is none, and what was wanted.
    pub(crate) fn row(&self) -> [String; 4] {
        let spread = match self.repeats {
            _ if self.kind == Kind::Given => "given".to_owned(),
            0 => "not measured".to_owned(),
            1 => "1 run".to_owned(),
            _ => self.spread(),
        };
        [self.name.clone(), self.value(), spread, self.wanted()]
    }

    /// Its target in words; none where there is none.
    pub(crate) fn wanted(&self) -> String {
        match self.target {
            None => String::new(),
            Some(Target::AtMost(bound)) => format!("at most {}", number(bound)),
            Some(Target::AtLeast(bound)) => format!("at least {}", number(bound)),
        }
    }
}

// === impl Kind ===

impl Kind {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
    fn is_absolute(&self) -> bool {
        *self == Self::Absolute
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_held_against_the_median() {
        let repeats = Samples::from_iter([1.0, 2.0, 9.0]);
        assert_eq!(Figure::new("a", "s", &repeats).at_most(2.0).met, Some(true));
        assert_eq!(Figure::new("a", "s", &repeats).at_least(2.1).met, Some(false));
        let row = Figure::new("a", "s", &repeats).at_most(1.5).row();
        assert_eq!(row, ["a", "2 s", "1 to 9 of 3", "at most 1.5"]);
    }

    #[test]
    fn of_what_must_not_be_the_worst_repeat_counts() {
        let lost = |count| Figure::one("lost", "", count).at_most(0.0).or_not();
        let runs = [lost(0.0), lost(3.0), lost(0.0)];
        let figure = Figure::of_runs(&runs.each_ref()).expect("there are runs");
        assert_eq!((figure.median, figure.repeats, figure.met), (0.0, 3, Some(false)));
        assert_eq!(figure.row(), ["lost", "0", "0 to 3 of 3", "at most 0"]);
        let took = [1.0, 3.0, 2.0].map(|seconds| Figure::one("a", "s", seconds).at_most(2.0));
        let figure = Figure::of_runs(&took.each_ref()).expect("there are runs");
        assert_eq!(figure, Figure::new("a", "s", &Samples::from_iter([1.0, 2.0, 3.0])).at_most(2.0));
        assert_eq!(Figure::of_runs(&[]), None);
    }

    #[test]
    fn a_row_says_where_there_is_no_spread() {
        let spread = |figure: Figure| figure.row()[2].clone();
        assert_eq!(spread(Figure::one("a", "s", 1.0)), "1 run");
        assert_eq!(spread(Figure::given("a", "s", 1.0)), "given");
        assert_eq!(spread(Figure::new("a", "s", &Samples::default())), "not measured");
    }

    #[test]
    fn what_was_not_measured_meets_no_target() {
        assert_eq!(Figure::new("a", "s", &Samples::default()).at_most(1.0).met, Some(false));
        assert_eq!(Figure::one("a", "", f64::NAN).at_least(0.0).met, Some(false));
    }

    #[test]
    fn a_target_says_which_direction_is_better_unless_it_is_all_that_counts() {
        let figure = || Figure::one("a", "s", 1.0);
        assert_eq!(figure().better, None);
        assert_eq!(figure().at_most(1.0).better, Some(Better::Lower));
        assert_eq!(figure().at_least(1.0).better, Some(Better::Higher));
        assert_eq!(figure().at_most(1.0).or_not().better, Some(Better::Met));
    }

    #[test]
    fn json_gives_the_figure_back() {
        let figure = Figure::new("a", "x", &Samples::from_iter([1.0, 2.0, 9.5])).ratio().at_most(1.5);
        let json = serde_json::to_string(&figure).expect("a figure is JSON");
        assert_eq!(serde_json::from_str::<Figure>(&json).expect("it is a figure"), figure);
        let nothing = serde_json::to_string(&Figure::one("a", "", f64::NAN)).expect("a figure is JSON");
        assert!(serde_json::from_str::<Figure>(&nothing).expect("it is a figure").median.is_nan(), "{nothing}");
    }
}
