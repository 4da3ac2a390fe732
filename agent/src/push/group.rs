//! Where in a gateway results go: the grouping key.

use std::fmt::Display;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// What stands for itself in a path (RFC 3986's unreserved characters).
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// The labels of a group, `job` first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group(Vec<(String, String)>);

impl Group {
    /// The group of a job and an instance, and of labels besides; an empty instance is none.
    pub fn new(job: &str, instance: &str, labels: &[(String, String)]) -> Self {
        let own = [("job", job), ("instance", instance)].into_iter().filter(|(_, value)| !value.is_empty());
        let own = own.map(|(name, value)| (name.to_owned(), value.to_owned()));
        Self(own.chain(labels.iter().cloned()).collect())
    }

    /// The same with one more label.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.0.push((name.to_owned(), value.to_owned()));
        self
    }

    /// As a path: `/job/NAME{/LABEL/VALUE}`.
    pub fn path(&self) -> String {
        self.0.iter().map(|(name, value)| component(name, value)).collect()
    }
}

/// A label as the Pushgateway's API writes it. A value that a path cannot hold (empty, with a slash, or one that would be taken for
/// a step up) is encoded.
fn component(name: &str, value: &str) -> String {
    match value {
        "" => format!("/{name}@base64/="),
        "." | ".." => format!("/{name}@base64/{}", BASE64_URL_SAFE_NO_PAD.encode(value)),
        _ if value.contains('/') => format!("/{name}@base64/{}", BASE64_URL_SAFE_NO_PAD.encode(value)),
        _ => format!("/{name}/{}", escaped(value)),
    }
}

/// A value in a path or a query.
pub fn escaped(value: &str) -> impl Display {
    utf8_percent_encode(value, ESCAPED)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_has_a_path() {
        let labels = [("a", "x/y"), ("b", ""), ("c", ".."), ("d", "日本 %?#"), ("e", "web-1.example")];
        let labels = labels.map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(
            Group::new("j", "i", &labels).with("f", "z").path(),
            "/job/j/instance/i/a@base64/eC95/b@base64/=/c@base64/Li4/d/%E6%97%A5%E6%9C%AC%20%25%3F%23/e/web-1.example/f/z"
        );
        assert_eq!(Group::new("j", "", &[]).path(), "/job/j");
    }
}
