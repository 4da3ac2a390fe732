//! The check metrics (contract C2): families of gauges made from check states at scrape time.
//!
//! Labels are what the definition says, values what was measured. The text of an output never becomes a label; of performance data,
//! which is opt-in and bounded, the names and units do. Rules read the series of [`problem`], which there are of few checks; of
//! hundreds of thousands the others would take a processor longer than an evaluation may.

mod problem;

use std::borrow::Cow;

use exposition::{Family, Kind, Label, Labels, is_label_name};
use serde_json::Value;

use self::problem::Problems;
use crate::CheckState;
use crate::perfdata::{self, Measured};
use crate::result::Attributes;

/// What is exported beside the fixed gauges.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Attributes of the definition that `checkscript_info` carries as labels, see [`info_attribute`].
    pub info_attributes: Vec<String>,
    /// Whether performance data is exported as `checkscript_perfdata` and the families beside it.
    pub perfdata: bool,
}

/// When somebody reads what is made.
#[derive(Clone, Copy, Debug)]
pub enum Read {
    /// At this moment, in epoch seconds: it is the answer to a scrape.
    Now(i64),
    /// At any time until the next push of the check.
    Later,
}

/// An attribute's name that cannot be a label of `checkscript_info`.
#[derive(Debug, thiserror::Error)]
pub enum NotALabel {
    /// Prometheus does not take it, or `checkscript_info` has such a label already.
    #[error(
        "`{0}` cannot be a label: expected letters, digits and `_`, no `__` at the start, and neither check, source, handlers \
         nor type"
    )]
    Name(String),
    /// It is not the definition's: each run writes it anew, so that each would be another time series.
    #[error("`{0}` cannot be a label: it is what a run says, not an attribute of the definition")]
    OfRun(String),
}

/// What a run writes beside its definition. The text of an output never becomes a label.
const OF_RUN: [&str; 6] = ["output", "status", "exit_status", "issued", "executed", "duration"];

/// Checks a name for [`Options::info_attributes`]; for use as a flag's parser.
///
/// # Errors
/// A name that Prometheus does not take, that is taken, or that is not the definition's.
pub fn info_attribute(name: &str) -> Result<String, NotALabel> {
    let taken = ["check", "source", "handlers", "type"].contains(&name);
    // Prometheus keeps names with two underscores for itself.
    if !is_label_name(name) || name.starts_with("__") || taken {
        return Err(NotALabel::Name(name.to_owned()));
    }
    match OF_RUN.contains(&name) {
        true => Err(NotALabel::OfRun(name.to_owned())),
        false => Ok(name.to_owned()),
    }
}

/// The families of C2 for `states`. `extra` labels come first on every sample: a Pushgateway's grouping key, for example.
pub fn families<'a>(
    states: impl IntoIterator<Item = (&'a [Label], &'a CheckState)>,
    options: &Options,
    read: Read,
) -> Vec<Family> {
    let (mut gauges, mut problems) = (Gauges::new(), Problems::new());
    for (extra, state) in states {
        let seen = Seen::new(state);
        let labels: Labels = identity(extra, &seen.attributes).into();
        gauges.add(&labels, &seen, options);
        problems.add(&labels, &seen, read);
    }
    gauges.0.into_iter().chain(problems.into_families()).collect()
}

/// One check, and the attributes of its last result.
struct Seen<'a> {
    state: &'a CheckState,
    attributes: Attributes<'a>,
}

/// One family a gauge, in the order of [`GAUGES`].
struct Gauges([Family; GAUGES.len()]);

const GAUGES: [(&str, &str); 17] = [
    ("checkscript_status", "Exit status of the last result: 0 OK, 1 WARNING, 2 CRITICAL, anything else UNKNOWN"),
    ("checkscript_last_execution_timestamp_seconds", "When the last result was executed, in epoch seconds"),
    ("checkscript_duration_seconds", "How long the last run took"),
    ("checkscript_interval_seconds", "The interval of the definition"),
    ("checkscript_ttl_seconds", "The ttl of the definition: after that long without a result the check is stale"),
    ("checkscript_occurrences", "Consecutive results with the current status"),
    ("checkscript_occurrences_required", "The occurrences of the definition: results in a row before anybody is told"),
    ("checkscript_status_changed_timestamp_seconds", "When the status last changed, in epoch seconds"),
    ("checkscript_flap_ratio", "Weighted share of changes among the last 21 exit statuses, as Sensu computes it"),
    ("checkscript_flapping", "Whether the check flaps by the flap thresholds of its definition: 1 yes, 0 no"),
    ("checkscript_info", "Static attributes of the definition"),
    ("checkscript_perfdata", "Performance data of the last output, in base units"),
    ("checkscript_perfdata_warning", "Ends of the range that the script warns by, in base units"),
    ("checkscript_perfdata_critical", "Ends of the range that makes the value critical, in base units"),
    ("checkscript_perfdata_min", "Least value there can be, in base units"),
    ("checkscript_perfdata_max", "Greatest value there can be, in base units"),
    (
        "checkscript_perfdata_skipped",
        "Performance data of the last output that is not exported: unreadable, named twice, or too much",
    ),
];

// === impl Seen ===

impl<'a> Seen<'a> {
    fn new(state: &'a CheckState) -> Self {
        Self { state, attributes: state.latest().attributes() }
    }

    /// When the last result was executed, in epoch seconds; when it was logged, if it does not say that.
    fn last_run(&self) -> i64 {
        self.attributes.executed().unwrap_or_else(|| self.state.logged().as_second())
    }
}

// === impl Gauges ===

impl Gauges {
    fn new() -> Self {
        Self(GAUGES.map(|(name, help)| Family::new(name, help, Kind::Gauge)))
    }

    fn add(&mut self, labels: &Labels, seen: &Seen<'_>, options: &Options) {
        let Seen { state, attributes: result } = seen;
        let values = [
            Some(result.exit_code() as f64),
            result.executed().map(|at| at as f64),
            result.duration(),
            result.interval(),
            result.ttl(),
            Some(state.occurrences() as f64),
            Some(result.occurrences_required() as f64),
            Some(state.status_changed() as f64),
            Some(f64::from(state.flap_percent()) / 100.0),
            state.flapping().map(f64::from),
        ];
        for (family, value) in self.0.iter_mut().zip(values) {
            if let Some(value) = value {
                family.push(Labels::clone(labels), value);
            }
        }
        let [.., info, value, warning, critical, min, max, skipped] = &mut self.0;
        info.push(static_attributes(labels.to_vec(), seen, &options.info_attributes), 1.0);
        if options.perfdata {
            add_perfdata([value, warning, critical, min, max, skipped], labels, state.perfdata());
        }
    }
}

fn identity(extra: &[Label], result: &Attributes<'_>) -> Vec<Label> {
    let mut labels = extra.to_vec();
    labels.push((Cow::Borrowed("check"), result.name().to_owned()));
    labels.extend(result.source().map(|source| (Cow::Borrowed("source"), source.to_owned())));
    labels
}

fn static_attributes(mut labels: Vec<Label>, seen: &Seen<'_>, names: &[String]) -> Vec<Label> {
    labels.extend(handlers(&seen.attributes));
    labels.extend(seen.attributes.kind().map(|kind| (Cow::Borrowed("type"), kind.to_owned())));
    for name in names {
        // A label twice would make the whole scrape invalid.
        if labels.iter().any(|(label, _)| label == name) {
            continue;
        }
        if let Some(value) = seen.state.latest().check().get(name).and_then(label_value) {
            labels.push((Cow::Owned(name.clone()), value));
        }
    }
    labels
}

fn handlers(result: &Attributes<'_>) -> Option<Label> {
    let handlers = result.handlers();
    // Commas at both ends let a matcher say `handlers=~".*,mailer,.*"`.
    (!handlers.is_empty()).then(|| (Cow::Borrowed("handlers"), format!(",{},", handlers.join(","))))
}

/// Scalars as they are, arrays as `handlers`; objects are no label values.
fn label_value(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Bool(_) | Value::Number(_) => Some(value.to_string()),
        Value::Array(items) => {
            let items: Vec<_> = items.iter().filter_map(label_value).collect();
            (!items.is_empty()).then(|| format!(",{},", items.join(",")))
        }
        Value::Null | Value::Object(_) => None,
    }
}

fn add_perfdata(families: [&mut Family; 6], labels: &Labels, data: &Measured) {
    let [value, warning, critical, min, max, skipped] = families;
    if data.skipped > 0 || !data.values.is_empty() {
        skipped.push(Labels::clone(labels), data.skipped as f64);
    }
    for measured in &data.values {
        let mut labels = labels.to_vec();
        labels.push((Cow::Borrowed("label"), measured.label.clone()));
        labels.push((Cow::Borrowed("unit"), measured.unit.clone().into_owned()));
        add_range(warning, &labels, measured.warning);
        add_range(critical, &labels, measured.critical);
        let labels = Labels::from(labels);
        for (family, limit) in
            [(&mut *value, Some(measured.value)), (&mut *min, measured.min), (&mut *max, measured.max)]
        {
            if let Some(limit) = limit {
                family.push(Labels::clone(&labels), limit);
            }
        }
    }
}

/// A sample for each end of the range; an infinite end has none.
fn add_range(family: &mut Family, labels: &[Label], range: Option<perfdata::Range>) {
    let Some(range) = range else { return };
    let alert = if range.inside { "inside" } else { "outside" };
    for (bound, end) in [("lower", range.lower), ("upper", range.upper)] {
        if let Some(end) = end {
            let mut labels = labels.to_vec();
            labels.push((Cow::Borrowed("alert"), alert.to_owned()));
            labels.push((Cow::Borrowed("bound"), bound.to_owned()));
            family.push(labels, end);
        }
    }
}

#[cfg(test)]
mod tests {
    use exposition::Format;
    use serde_json::json;

    use super::*;
    use crate::log::LoggedResult;
    use crate::{CheckResult, HistoryLimits};

    fn page(check: Value, options: &Options) -> String {
        let result = CheckResult::new("web-1", check.as_object().unwrap().clone()).unwrap();
        let logged = "2026-11-21T02:30:48Z".parse().unwrap();
        let state = CheckState::new(LoggedResult { logged, result }, &HistoryLimits::default());
        let mut page = String::new();
        exposition::write(&families([(&[][..], &state)], options, Read::Later), Format::Text, &mut page);
        page.lines().filter(|line| !line.starts_with('#')).map(|line| format!("{line}\n")).collect()
    }

    #[test]
    fn every_gauge_of_a_full_definition() {
        let check = json!({"name": "disk", "source": "router-a", "interval": 60, "ttl": 180, "occurrences": 3,
            "handlers": ["mailer", "slack"], "type": "metric", "contacts": ["ops", "dev"], "team": "運用",
            "low_flap_threshold": 5, "high_flap_threshold": 25,
            "executed": 1795228248, "duration": 0.25, "output": "DISK | /=42%;80;@90:95;0;100", "status": 2});
        let options =
            Options { info_attributes: ["contacts", "team", "no", "team"].map(String::from).to_vec(), perfdata: true };
        assert_eq!(
            page(check, &options),
            r#"checkscript_status{check="disk",source="router-a"} 2
checkscript_last_execution_timestamp_seconds{check="disk",source="router-a"} 1795228248
checkscript_duration_seconds{check="disk",source="router-a"} 0.25
checkscript_interval_seconds{check="disk",source="router-a"} 60
checkscript_ttl_seconds{check="disk",source="router-a"} 180
checkscript_occurrences{check="disk",source="router-a"} 1
checkscript_occurrences_required{check="disk",source="router-a"} 3
checkscript_status_changed_timestamp_seconds{check="disk",source="router-a"} 1795228248
checkscript_flap_ratio{check="disk",source="router-a"} 0
checkscript_flapping{check="disk",source="router-a"} 0
checkscript_info{check="disk",source="router-a",handlers=",mailer,slack,",type="metric",contacts=",ops,dev,",team="運用"} 1
checkscript_perfdata{check="disk",source="router-a",label="/",unit="ratio"} 0.42
checkscript_perfdata_warning{check="disk",source="router-a",label="/",unit="ratio",alert="outside",bound="lower"} 0
checkscript_perfdata_warning{check="disk",source="router-a",label="/",unit="ratio",alert="outside",bound="upper"} 0.8
checkscript_perfdata_critical{check="disk",source="router-a",label="/",unit="ratio",alert="inside",bound="lower"} 0.9
checkscript_perfdata_critical{check="disk",source="router-a",label="/",unit="ratio",alert="inside",bound="upper"} 0.95
checkscript_perfdata_min{check="disk",source="router-a",label="/",unit="ratio"} 0
checkscript_perfdata_max{check="disk",source="router-a",label="/",unit="ratio"} 1
checkscript_perfdata_skipped{check="disk",source="router-a"} 0
checkscript_problem_status{check="disk",source="router-a",handlers=",mailer,slack,"} 2
checkscript_problem_pending{check="disk",source="router-a",handlers=",mailer,slack,"} 1
checkscript_stale_timestamp_seconds{check="disk",source="router-a",handlers=",mailer,slack,"} 1795228428
checkscript_stale_last_execution_timestamp_seconds{check="disk",source="router-a",handlers=",mailer,slack,"} 1795228248
"#
        );
    }

    #[test]
    fn what_a_definition_lacks_is_left_out_and_the_status_is_as_it_is() {
        let check = json!({"name": "a", "output": "x | v=1 v=2", "status": 127});
        assert_eq!(
            page(check, &Options::default()),
            "checkscript_status{check=\"a\"} 127\ncheckscript_occurrences{check=\"a\"} 1\n\
             checkscript_occurrences_required{check=\"a\"} 1\n\
             checkscript_status_changed_timestamp_seconds{check=\"a\"} 1795228248\ncheckscript_flap_ratio{check=\"a\"} 0\n\
             checkscript_info{check=\"a\"} 1\ncheckscript_problem_status{check=\"a\"} 127\n"
        );
    }

    #[test]
    fn labels_that_are_taken_or_malformed_are_refused() {
        assert_eq!(info_attribute("playbook").unwrap(), "playbook");
        for name in ["check", "source", "a-b", "", "__name__"] {
            assert!(matches!(info_attribute(name), Err(NotALabel::Name(_))), "{name}");
        }
        for name in ["output", "issued"] {
            assert!(matches!(info_attribute(name), Err(NotALabel::OfRun(_))), "{name}");
        }
    }
}
