//! Which jobs' targets are nodes.

use std::fmt;

use regex::Regex;

/// Those of the rules.
const DEFAULT: &str = "checkscript.*";

/// A regular expression of jobs, which has to match a whole name, as in Prometheus.
#[derive(Clone, Debug)]
pub struct Jobs {
    text: String,
    whole: Regex,
}

impl Jobs {
    /// Reads one.
    pub(super) fn new(text: &str) -> Result<Self, String> {
        let whole = Regex::new(text).and_then(|_| Regex::new(&format!("^(?s:{text})$")));
        let whole = whole.map_err(|_| format!("`{text}` is not a regular expression"))?;
        Ok(Self { text: text.to_owned(), whole })
    }

    /// Whether the targets of this job are nodes.
    pub fn have(&self, job: &str) -> bool {
        self.whole.is_match(job)
    }

    /// The expression, as Prometheus is asked with it.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl Default for Jobs {
    fn default() -> Self {
        Self::new(DEFAULT).expect("it is a regular expression")
    }
}

impl fmt::Display for Jobs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_is_one_of_them_as_a_whole() {
        let jobs = Jobs::default();
        assert!(jobs.have("checkscript") && jobs.have("checkscript-agent"));
        assert!(!jobs.have("shop") && !jobs.have("") && !jobs.have("not-checkscript"));
        let either = Jobs::new("agent|node").unwrap();
        assert!(either.have("agent") && either.have("node") && !either.have("agents") && !either.have("x-node"));
        for text in ["(", "a)(b", "(?x)a # b"] {
            assert!(Jobs::new(text).is_err(), "{text}");
        }
    }
}
