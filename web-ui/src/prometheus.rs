//! The part of Prometheus's HTTP API that is asked: instant queries and targets. Everything that speaks the former serves.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};

use crate::upstream::{AskError, Upstream};

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
}

#[derive(Deserialize)]
#[serde(tag = "resultType", content = "result", rename_all = "lowercase")]
enum Vector<L> {
    Vector(Vec<Sample<L>>),
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Targets {
    active_targets: Vec<Target>,
}

/// What `expression` is now.
///
/// # Errors
/// See [`AskError`].
pub async fn query<L>(server: &Upstream, expression: &str) -> Result<Vec<Sample<L>>, AskError>
where
    L: DeserializeOwned + Send + 'static,
{
    let answer: Answer<Vector<L>> = server.get("/api/v1/query", &[("query", expression)]).await?;
    let Vector::Vector(samples) = answer.data;
    Ok(samples)
}

/// Every target that is scraped.
///
/// # Errors
/// See [`AskError`]; also where the server scrapes nothing itself and has no such API (Thanos, Mimir).
pub async fn targets(server: &Upstream) -> Result<Vec<Target>, AskError> {
    let answer: Answer<Targets> = server.get("/api/v1/targets", &[("state", "active")]).await?;
    Ok(answer.data.active_targets)
}

/// `text` within quotes in an expression.
pub fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n"))
}

fn number<'de, D: Deserializer<'de>>(from: D) -> Result<f64, D::Error> {
    let (_, text) = <(f64, String)>::deserialize(from)?;
    text.parse().map_err(serde::de::Error::custom)
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
}
