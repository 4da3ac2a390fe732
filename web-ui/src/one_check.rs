//! One check on all nodes of a cluster, the passing too: asked for while somebody looks at its page.

use std::collections::HashMap;

use check_result::Status;
use futures_util::future::try_join4;
use serde::Deserialize;

use crate::prometheus::{Asking, Known, Sample, quoted};
use crate::recent::Size;
use crate::upstream::AskError;
use crate::view::status;

/// A check on all nodes of a cluster.
#[derive(Debug, Default)]
pub struct OneCheck(pub Vec<Of>);

/// The check of one node.
#[derive(Clone, Debug)]
pub struct Of {
    /// The node.
    pub node: Known,
    /// Whose it is, where that is not the node; empty else.
    pub source: Box<str>,
    /// How it is.
    pub status: Status,
    /// When it was last executed, in epoch seconds.
    pub last: Option<i64>,
    /// Since when it is so, in epoch seconds.
    pub since: Option<i64>,
    /// Whether it has not run for too long.
    pub is_stale: bool,
}

#[derive(Debug, Default, Deserialize, PartialEq, Eq, Hash)]
struct Labels {
    #[serde(default)]
    job: String,
    #[serde(default)]
    instance: String,
    #[serde(default)]
    source: Box<str>,
}

struct Answers {
    status: Vec<Sample<Labels>>,
    last: Vec<Sample<Labels>>,
    since: Vec<Sample<Labels>>,
    stale: Vec<Sample<Labels>>,
}

/// Asks for the check `name`.
///
/// # Errors
/// See [`AskError`].
pub async fn ask(asking: Asking, name: &str) -> Result<OneCheck, AskError> {
    let of = |family: &str| format!("checkscript_{family}{{check={}}}", quoted(name));
    let last = of("last_execution_timestamp_seconds");
    // As the sums have it.
    let stale = format!("{last} < (time() - ({} or 3 * {}))", of("ttl_seconds"), of("interval_seconds"));
    let (status, since) = (of("status"), of("status_changed_timestamp_seconds"));
    let asked = try_join4(asking.query(&status), asking.query(&last), asking.query(&since), asking.query(&stale));
    let (status, last, since, stale) = asked.await?;
    let answers = Answers { status, last, since, stale };
    // A hundred thousand samples would keep requests waiting.
    Ok(tokio::task::spawn_blocking(|| answers.into()).await.expect("samples are put together without a panic"))
}

// === impl OneCheck ===

impl From<Answers> for OneCheck {
    fn from(answers: Answers) -> Self {
        let mut all: HashMap<Labels, Of> = HashMap::with_capacity(answers.status.len());
        for Sample { labels, value } in answers.status {
            let node = Known { job: labels.job.clone(), instance: labels.instance.clone() };
            let source = labels.source.clone();
            let of = Of { node, source, status: status(value), last: None, since: None, is_stale: false };
            all.insert(labels, of);
        }
        let whole = |value: f64| value.is_finite().then_some(value as i64);
        for Sample { labels, value } in answers.last {
            all.entry(labels).and_modify(|of| of.last = whole(value));
        }
        for Sample { labels, value } in answers.since {
            all.entry(labels).and_modify(|of| of.since = whole(value));
        }
        for Sample { labels, .. } in answers.stale {
            all.entry(labels).and_modify(|of| of.is_stale = true);
        }
        let mut all: Vec<_> = all.into_values().collect();
        all.sort_unstable_by(|a, b| (&a.node.instance, &a.source).cmp(&(&b.node.instance, &b.source)));
        Self(all)
    }
}

impl Size for OneCheck {
    fn bytes(&self) -> usize {
        let texts = |of: &Of| of.node.job.len() + of.node.instance.len() + of.source.len();
        self.0.iter().map(|of| size_of::<Of>() + texts(of)).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(instance: &str, value: f64) -> Sample<Labels> {
        Sample { labels: Labels { job: "j".into(), instance: instance.into(), source: "".into() }, value }
    }

    #[test]
    fn answers_become_rows() {
        let one: OneCheck = Answers {
            status: vec![sample("b", f64::NAN), sample("a", 2.0), sample("c", 1e300)],
            last: vec![sample("a", 1_700_000_000.9), sample("gone", 1.0), sample("b", f64::INFINITY)],
            since: vec![sample("a", 1_600_000_000.0)],
            stale: vec![sample("a", 1_700_000_000.9)],
        }
        .into();
        let shown = |of: &Of| (of.node.instance.clone(), of.status, of.last, of.since, of.is_stale);
        assert_eq!(
            one.0.iter().map(shown).collect::<Vec<_>>(),
            [
                ("a".into(), Status::Critical, Some(1_700_000_000), Some(1_600_000_000), true),
                ("b".into(), Status::Unknown, None, None, false),
                ("c".into(), Status::Unknown, None, None, false),
            ]
        );
        assert!(one.bytes() >= 3 * size_of::<Of>());
    }
}
