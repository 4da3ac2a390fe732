//! The filters that the requests share.

use std::collections::BTreeMap;
use std::fmt;

use crate::Status;
use crate::api::detail::Labels;

/// Which checks a request is about.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Filter {
    /// Any of these statuses; empty means all.
    pub status: Vec<Status>,
    /// Labels that must be equal; an empty value also means that there is no such label.
    pub labels: BTreeMap<String, String>,
    /// How many checks of a list, or entries of a history, at most.
    pub limit: Option<usize>,
}

/// A query that cannot be a filter.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadFilter {
    /// A word in `status` that names none.
    #[error("status: {0}")]
    Status(String),
    /// A `limit` that is not a number.
    #[error("limit: `{0}` is not a whole number")]
    Limit(String),
    /// A parameter that the request does not take, and no label that a check could have.
    #[error("`{0}` is no parameter of this request, nor a label of a check")]
    Unknown(String),
}

impl Filter {
    /// Reads a query's parameters: `status` (comma-separated) and `limit`; every other one is a label.
    pub fn from_query(query: impl IntoIterator<Item = (String, String)>) -> Result<Self, BadFilter> {
        let mut filter = Self::default();
        for (name, value) in query {
            match name.as_str() {
                "status" => {
                    for word in value.split(',').filter(|word| !word.is_empty()) {
                        filter.status.push(word.parse().map_err(|error| BadFilter::Status(format!("{error}")))?);
                    }
                }
                "limit" => filter.limit = Some(value.parse().map_err(|_| BadFilter::Limit(value))?),
                _ => {
                    filter.labels.insert(name, value);
                }
            }
        }
        Ok(filter)
    }

    /// Refuses labels that are not among `labels`, if those are all that there are: a misspelt parameter would match
    /// nothing, and the answer would look as if all were well.
    #[cfg(feature = "server")]
    pub(crate) fn within(self, labels: Option<&'static [&'static str]>) -> Result<Self, BadFilter> {
        let Some(labels) = labels else { return Ok(self) };
        match self.labels.keys().find(|name| !labels.contains(&name.as_str())) {
            Some(name) => Err(BadFilter::Unknown(name.clone())),
            None => Ok(self),
        }
    }

    /// Refuses a `limit`, where there is nothing to limit.
    #[cfg(feature = "server")]
    pub(crate) fn unlimited(self) -> Result<Self, BadFilter> {
        if self.limit.is_some() { Err(BadFilter::Unknown("limit".to_owned())) } else { Ok(self) }
    }

    /// Whether a check with these labels and this status is meant.
    pub fn matches(&self, labels: &Labels, status: Status) -> bool {
        let same = |(name, want): (&String, &String)| labels.get(name).map_or("", String::as_str) == want;
        (self.status.is_empty() || self.status.contains(&status)) && self.labels.iter().all(same)
    }
}

impl fmt::Display for Filter {
    /// What must hold, as in the query: `check=disk, status=warning,critical`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let labels = self.labels.iter().map(|(name, value)| format!("{name}={value}"));
        let words: Vec<_> = self.status.iter().map(|status| status.word().to_lowercase()).collect();
        let status = (!words.is_empty()).then(|| format!("status={}", words.join(",")));
        f.write_str(&labels.chain(status).collect::<Vec<_>>().join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filter(query: &[(&str, &str)]) -> Result<Filter, BadFilter> {
        Filter::from_query(query.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())))
    }

    #[test]
    fn statuses_and_labels() {
        let labels = Labels::from([("check".into(), "disk".into()), ("source".into(), "router".into())]);
        for (query, want) in [
            (&[][..], true),
            (&[("check", "disk")], true),
            (&[("check", "mem")], false),
            (&[("source", "")], false),
            (&[("job", "")], true),
            (&[("job", "x")], false),
            (&[("status", "ok,critical")], true),
            (&[("status", "WARNING")], false),
            (&[("status", "")], true),
        ] {
            assert_eq!(filter(query).unwrap().matches(&labels, Status::Critical), want, "{query:?}");
        }
    }

    #[test]
    fn it_is_told_as_it_was_asked() {
        let asked = filter(&[("status", "Critical,ok"), ("check", "disk")]).unwrap();
        assert_eq!(asked.to_string(), "check=disk, status=critical,ok");
    }

    #[test]
    fn bad_values_say_which() {
        let error = filter(&[("status", "bad")]).unwrap_err().to_string();
        assert_eq!(error, "status: `bad` is not a status; expected ok, warning, critical or unknown");
        assert_eq!(filter(&[("limit", "-1")]).unwrap_err().to_string(), "limit: `-1` is not a whole number");
    }
}
