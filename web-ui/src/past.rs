//! What was, as Prometheus knows it, asked for while somebody looks: how a check was over a day or a week, and what was said last
//! by a node that says nothing now.
//!
//! The node's own history is the first source, with its outputs; but it is not there when the node is down, which is when it matters.

use check_result::Status;
use futures_util::future::try_join;
use serde::Deserialize;

use crate::prometheus::{Asking, Known, Sample, Series, Span, quoted};
use crate::recent::Size;
use crate::upstream::AskError;
use crate::view::status;

/// Points of a strip.
pub const POINTS: i64 = 288;

/// How long a time a strip shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Period {
    /// 24 hours, in steps of 5 minutes.
    Day,
    /// 7 days, in steps of 35 minutes.
    Week,
}

/// Which check of which node, and how long.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Asked {
    /// The node.
    pub node: Known,
    /// The check's name.
    pub check: String,
    /// Whose it is; empty for the node's own.
    pub source: String,
    /// How long.
    pub period: Period,
}

/// How a check was.
#[derive(Debug, Default)]
pub struct Strip {
    /// From the oldest to the newest, without gaps; the last ends now.
    pub runs: Vec<Run>,
    /// How exact they are, in seconds.
    pub step: i64,
    /// How often each of its alerts began within 7 days.
    pub fired: Vec<(String, u32)>,
}

/// A time in which nothing changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Run {
    /// When it began, in epoch seconds.
    pub from: i64,
    /// When it was over.
    pub to: i64,
    /// How the check was; none where Prometheus has nothing. Of several statuses within a step the largest.
    pub status: Option<Status>,
}

/// What a node said last.
#[derive(Debug, Default)]
pub struct LastSaid {
    /// Its checks, their sources, and how they were.
    pub checks: Vec<(String, String, Status)>,
    /// When it could be scraped last, in epoch seconds, to 5 minutes; within 7 days.
    pub seen: Option<i64>,
}

/// The labels of a check of a known node.
#[derive(Debug, Deserialize)]
struct Named {
    #[serde(default)]
    check: String,
    #[serde(default)]
    source: String,
}

#[derive(Debug, Deserialize)]
struct Alert {
    #[serde(default)]
    alertname: String,
}

#[derive(Debug, Deserialize)]
struct Nothing {}

/// Asks how a check was, until `now` in epoch seconds.
///
/// # Errors
/// See [`AskError`].
pub async fn strip(asking: Asking, asked: &Asked, now: i64) -> Result<Strip, AskError> {
    let labels = format!("{},check={},source={}", selector(&asked.node), quoted(&asked.check), quoted(&asked.source));
    let span = asked.period.until(now);
    let statuses = format!("max_over_time(checkscript_status{{{labels}}}[{}s])", span.step);
    // Its value is when the alert began: it changes whenever it begins anew. vmalert may keep none.
    let fired = format!("sum by (alertname) (changes(ALERTS_FOR_STATE{{{labels}}}[7d]) + 1)");
    let (series, fired) = try_join(asking.range::<Nothing>(&statuses, span), asking.query::<Alert>(&fired)).await?;
    let mut fired: Vec<_> =
        fired.into_iter().map(|Sample { labels, value }| (labels.alertname, value.max(0.0) as u32)).collect();
    fired.sort();
    let mut runs = runs(&series, span);
    if let Some(last) = runs.last_mut() {
        last.to = last.to.min(now);
    }
    Ok(Strip { runs, step: span.step, fired })
}

/// Asks what a node said last.
///
/// # Errors
/// See [`AskError`].
pub async fn last_said(asking: Asking, node: &Known) -> Result<LastSaid, AskError> {
    let labels = selector(node);
    let checks = format!("last_over_time(checkscript_status{{{labels}}}[1d])");
    let seen = format!("max_over_time(timestamp(up{{{labels}}} == 1)[7d:5m])");
    let (checks, seen) = try_join(asking.query::<Named>(&checks), asking.query::<Nothing>(&seen)).await?;
    let checks = checks.into_iter().map(|Sample { labels, value }| (labels.check, labels.source, status(value)));
    let seen = seen.first().filter(|sample| sample.value.is_finite()).map(|sample| sample.value as i64);
    Ok(LastSaid { checks: checks.collect(), seen })
}

fn selector(node: &Known) -> String {
    format!("job={},instance={}", quoted(&node.job), quoted(&node.instance))
}

/// What the points of `series` say, each about the step before it: all of `span` in its order, whose step is not 0.
pub fn runs<L>(series: &[Series<L>], span: Span) -> Vec<Run> {
    let mut statuses = vec![None; usize::try_from((span.end - span.start) / span.step + 1).unwrap_or_default()];
    for (at, value) in series.iter().flat_map(|series| &series.values) {
        let index = (*at as i64).saturating_sub(span.start).div_euclid(span.step);
        let known = usize::try_from(index).ok().and_then(|index| statuses.get_mut(index));
        if let Some(known) = known {
            // Several series only where a Prometheus has others within it.
            *known = known.filter(|known| rank(*known) > rank(status(*value))).or(Some(status(*value)));
        }
    }
    let mut runs: Vec<Run> = Vec::new();
    for (status, to) in statuses.into_iter().zip((span.start..).step_by(usize::try_from(span.step).unwrap_or(1))) {
        match runs.last_mut() {
            Some(last) if last.status == status => last.to = to,
            _ => runs.push(Run { from: to - span.step, to, status }),
        }
    }
    runs
}

fn rank(status: Status) -> u8 {
    match status {
        Status::Ok => 0,
        Status::Warning => 1,
        Status::Unknown => 2,
        Status::Critical => 3,
    }
}

// === impl Period ===

impl Period {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Day, Self::Week];

    /// The one that an address names; a day where it names none.
    pub fn read(text: &str) -> Self {
        if text == Self::Week.word() { Self::Week } else { Self::Day }
    }

    /// The word for it in addresses.
    pub fn word(self) -> &'static str {
        match self {
            Self::Day => "24h",
            Self::Week => "7d",
        }
    }

    /// The last step is the one that goes on now: its point is to come.
    fn until(self, now: i64) -> Span {
        let step = match self {
            Self::Day => 300,
            Self::Week => 2_100,
        };
        let end = now - now.rem_euclid(step) + step;
        Span { start: end - (POINTS - 1) * step, end, step }
    }
}

// === impl Size ===

impl Size for Asked {
    fn bytes(&self) -> usize {
        self.node.bytes() + self.check.len() + self.source.len()
    }
}

impl Size for Known {
    fn bytes(&self) -> usize {
        self.job.len() + self.instance.len()
    }
}

impl Size for Strip {
    fn bytes(&self) -> usize {
        let fired: usize = self.fired.iter().map(|(name, _)| name.len() + size_of::<(String, u32)>()).sum();
        self.runs.len() * size_of::<Run>() + fired
    }
}

impl Size for LastSaid {
    fn bytes(&self) -> usize {
        let check = |(check, source, _): &(String, String, Status)| check.len() + source.len() + 56;
        self.checks.iter().map(check).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_and_a_week_are_as_many_points() {
        for period in Period::ALL {
            let span = period.until(1_700_000_123);
            assert_eq!((span.end - span.start) / span.step + 1, POINTS);
            assert!(span.end % span.step == 0 && span.end > 1_700_000_123 && span.end - span.step <= 1_700_000_123);
            assert_eq!(Period::read(period.word()), period);
        }
        assert_eq!(Period::read("x"), Period::Day);
    }

    #[test]
    fn points_become_runs_and_gaps_stay() {
        let span = Span { start: 300, end: 2_100, step: 300 };
        let series = |values: &[(f64, f64)]| Series { labels: Nothing {}, values: values.to_vec() };
        let one =
            series(&[(300.0, 0.0), (600.0, 0.0), (1_200.0, 2.0), (1_500.0, 2.0), (1_800.0, f64::NAN), (9e18, 2.0)]);
        let run = |from, to, status| Run { from, to, status };
        assert_eq!(
            runs(&[one, series(&[(300.0, 1.0), (-5.0, 0.0), (100.0, 2.0)])], span),
            [
                run(0, 300, Some(Status::Warning)),
                run(300, 600, Some(Status::Ok)),
                run(600, 900, None),
                run(900, 1_500, Some(Status::Critical)),
                run(1_500, 1_800, Some(Status::Unknown)),
                run(1_800, 2_100, None),
            ]
        );
    }
}
