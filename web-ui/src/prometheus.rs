//! The part of Prometheus's HTTP API that is asked: queries and targets. Everything that speaks the former serves.
//!
//! Every question is counted, with the series that it brought ([`Load`]): what web-ui costs a Prometheus has to be seen.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};

use crate::events::Tally;
use crate::load::{Load, Purpose};
use crate::upstream::{AskError, Replicas, Upstream};

/// Warnings of one server that are kept, and how much of each, in characters.
const WARNINGS: usize = 5;
const WARNING: usize = 300;

/// The Prometheus servers of a cluster, each of which knows everything.
#[derive(Debug)]
pub struct Prometheus {
    replicas: Replicas,
    tally: Arc<Tally>,
}

/// One Prometheus that is asked for something.
#[derive(Clone, Debug)]
pub struct Asking {
    server: Upstream,
    load: Load,
    warnings: Arc<Mutex<BTreeSet<String>>>,
}

/// What a Prometheus said beside its answer.
#[derive(Debug, Default)]
pub struct Aside {
    /// Who was asked before and failed.
    pub failures: Vec<AskError>,
    /// What it could not do, though it answered.
    pub warnings: Vec<String>,
}

/// A series at a moment.
#[derive(Debug, Deserialize)]
pub struct Sample<L> {
    /// Its labels, those that `L` has.
    #[serde(rename = "metric")]
    pub labels: L,
    /// Its value.
    #[serde(deserialize_with = "number")]
    pub value: f64,
}

/// A series over a time.
#[derive(Debug, Deserialize)]
pub struct Series<L> {
    /// Its labels, those that `L` has.
    #[serde(rename = "metric")]
    pub labels: L,
    /// When it was how; epoch seconds, in their order.
    #[serde(deserialize_with = "points")]
    pub values: Vec<(f64, f64)>,
}

/// From when to when, and how far apart points are, in seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Span {
    /// The first point, in epoch seconds.
    pub start: i64,
    /// The last.
    pub end: i64,
    /// Between two of them.
    pub step: i64,
}

/// A target that Prometheus scrapes.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Target {
    /// What it is known by.
    pub labels: Known,
    /// Where it is scraped.
    pub scrape_url: String,
}

/// By what a node is known.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Known {
    /// `job`
    #[serde(default)]
    pub job: String,
    /// `instance`
    #[serde(default)]
    pub instance: String,
}

#[derive(Deserialize)]
struct Answer<D> {
    data: D,
    /// What the server could not do, though it answers: a store of Thanos is away, say.
    #[serde(default)]
    warnings: Option<Vec<String>>,
}

#[derive(Deserialize)]
#[serde(tag = "resultType", content = "result", rename_all = "lowercase")]
enum Vector<L> {
    Vector(Vec<Sample<L>>),
}

#[derive(Deserialize)]
#[serde(tag = "resultType", content = "result", rename_all = "lowercase")]
enum Matrix<L> {
    Matrix(Vec<Series<L>>),
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Targets {
    active_targets: Vec<Target>,
}

// === impl Prometheus ===

impl Prometheus {
    /// Those of the cluster that is counted in `tally`, as their questions are.
    pub fn new(replicas: Replicas, tally: Arc<Tally>) -> Self {
        Self { replicas, tally }
    }

    /// The answer of the first one that gives any to all that `ask` asks it.
    ///
    /// # Errors
    /// The failures of all.
    pub async fn ask<T, F: Future<Output = Result<T, AskError>>>(
        &self,
        purpose: Purpose,
        ask: impl Fn(Asking) -> F,
    ) -> Result<(T, Aside), Vec<AskError>> {
        let load = self.tally.load(purpose);
        let warnings = Arc::<Mutex<BTreeSet<String>>>::default();
        let one = |server: &Upstream| {
            let server = purpose.patience().map_or_else(|| server.clone(), |patience| server.patient(patience));
            ask(Asking { server, load: load.clone(), warnings: Arc::clone(&warnings) })
        };
        let (answer, failures) = self.replicas.ask(one).await?;
        let warnings = std::mem::take(&mut *warnings.lock().unwrap_or_else(PoisonError::into_inner));
        Ok((answer, Aside { failures, warnings: warnings.into_iter().collect() }))
    }
}

// === impl Asking ===

impl Asking {
    /// What `expression` is now.
    ///
    /// # Errors
    /// See [`AskError`].
    pub async fn query<L>(&self, expression: &str) -> Result<Vec<Sample<L>>, AskError>
    where
        L: DeserializeOwned + Send + 'static,
    {
        let Vector::Vector(samples) = self.get("/api/v1/query", &[("query", expression)]).await?;
        self.load.brought(samples.len());
        Ok(samples)
    }

    /// What `expression` was at each point of `span`.
    ///
    /// # Errors
    /// See [`AskError`].
    pub async fn range<L>(&self, expression: &str, span: Span) -> Result<Vec<Series<L>>, AskError>
    where
        L: DeserializeOwned + Send + 'static,
    {
        let [start, end, step] = [span.start, span.end, span.step].map(|seconds| seconds.to_string());
        let query = [("query", expression), ("start", &start), ("end", &end), ("step", &step)];
        let Matrix::Matrix(series) = self.get("/api/v1/query_range", &query).await?;
        self.load.brought(series.len());
        Ok(series)
    }

    /// Every target that is scraped.
    ///
    /// # Errors
    /// See [`AskError`]; also where the server scrapes nothing itself and has no such API (Thanos, Mimir).
    pub async fn targets(&self) -> Result<Vec<Target>, AskError> {
        let targets: Targets = self.get("/api/v1/targets", &[("state", "active")]).await?;
        self.load.brought(targets.active_targets.len());
        Ok(targets.active_targets)
    }

    async fn get<D>(&self, path: &str, query: &[(&str, &str)]) -> Result<D, AskError>
    where
        D: DeserializeOwned + Send + 'static,
    {
        self.load.asked();
        let answer: Answer<D> = self.server.get(path, query).await?;
        let mut warnings = self.warnings.lock().unwrap_or_else(PoisonError::into_inner);
        for warning in answer.warnings.unwrap_or_default() {
            if warnings.len() < WARNINGS {
                warnings.insert(warning.chars().filter(|c| !c.is_control()).take(WARNING).collect());
            }
        }
        Ok(answer.data)
    }
}

/// `text` within quotes in an expression.
pub fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n"))
}

fn number<'de, D: Deserializer<'de>>(from: D) -> Result<f64, D::Error> {
    let (_, text) = <(f64, String)>::deserialize(from)?;
    text.parse().map_err(serde::de::Error::custom)
}

fn points<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<(f64, f64)>, D::Error> {
    let points = Vec::<(f64, String)>::deserialize(from)?;
    let point = |(at, text): (f64, String)| Ok((at, text.parse().map_err(serde::de::Error::custom)?));
    points.into_iter().map(point).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_read() {
        let text = r#"{"status":"success","data":{"resultType":"vector","result":[
            {"metric":{"__name__":"up","instance":"a:1","job":"node","env":"x"},"value":[1700000000.123,"1"]},
            {"metric":{},"value":[1700000000.123,"+Inf"]}]}}"#;
        let answer: Answer<Vector<Known>> = serde_json::from_str(text).unwrap();
        let Vector::Vector(samples) = answer.data;
        assert_eq!(samples[0].labels, Known { job: "node".into(), instance: "a:1".into() });
        assert_eq!(samples.iter().map(|sample| sample.value).collect::<Vec<_>>(), [1.0, f64::INFINITY]);
        let scalar = r#"{"data":{"resultType":"scalar","result":[1,"1"]}}"#;
        assert!(serde_json::from_str::<Answer<Vector<Known>>>(scalar).is_err());
    }

    #[test]
    fn an_answer_over_a_time_is_read() {
        let text = r#"{"status":"success","warnings":["a store is away"],"data":{"resultType":"matrix","result":[
            {"metric":{"job":"node"},"values":[[1700000000,"0"],[1700000300.5,"NaN"]]}]}}"#;
        let answer: Answer<Matrix<Known>> = serde_json::from_str(text).unwrap();
        assert_eq!(answer.warnings.unwrap(), ["a store is away"]);
        let Matrix::Matrix(series) = answer.data;
        assert_eq!(series[0].values[0], (1_700_000_000.0, 0.0));
        assert!(series[0].values[1].1.is_nan());
    }

    #[test]
    fn text_in_an_expression_is_quoted() {
        assert_eq!(quoted("a\"b\\c\nd"), r#""a\"b\\c\nd""#);
    }
}
