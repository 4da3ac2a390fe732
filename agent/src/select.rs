//! Which checks are exported, and what their exit statuses mean: the flags `--check.include`, `--check.exclude`,
//! `--check.exit-map`.

use std::str::FromStr;

use check_result::ExitMap;
use regex::Regex;

/// A regular expression that a check's whole name has to match.
#[derive(Clone, Debug)]
pub struct NameRegex(Regex);

/// The meaning of the exit statuses of some checks.
#[derive(Clone, Debug)]
pub struct ExitMapOf {
    checks: NameRegex,
    map: ExitMap,
}

/// A flag's value that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum BadSelection {
    /// Not a regular expression.
    #[error("not a regular expression: {0}")]
    Regex(#[from] regex::Error),
    /// No `=` between names and statuses.
    #[error("expected NAME-REGEX=FROM:TO,… such as check_backup.*=1:2,3:0")]
    NoMap,
    /// No exit map behind the `=`.
    #[error(transparent)]
    Map(#[from] check_result::BadExitMap),
}

/// What to do with a result, by its check's name.
#[derive(Clone, Debug, Default)]
pub struct Select {
    include: Option<NameRegex>,
    exclude: Option<NameRegex>,
    exit_maps: Vec<ExitMapOf>,
}

// === impl NameRegex ===

impl FromStr for NameRegex {
    type Err = BadSelection;

    fn from_str(pattern: &str) -> Result<Self, Self::Err> {
        Ok(Self(Regex::new(&format!("^(?:{pattern})$"))?))
    }
}

impl NameRegex {
    fn matches(&self, name: &str) -> bool {
        self.0.is_match(name)
    }
}

// === impl ExitMapOf ===

impl FromStr for ExitMapOf {
    type Err = BadSelection;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        // A regular expression may hold `=`, a map cannot.
        let (checks, map) = text.rsplit_once('=').ok_or(BadSelection::NoMap)?;
        Ok(Self { checks: checks.parse()?, map: map.parse()? })
    }
}

// === impl Select ===

impl Select {
    /// Takes what `include` matches and `exclude` does not; without them everything.
    pub fn new(include: Option<NameRegex>, exclude: Option<NameRegex>, exit_maps: Vec<ExitMapOf>) -> Self {
        Self { include, exclude, exit_maps }
    }

    /// Whether the check `name` is exported.
    pub fn takes(&self, name: &str) -> bool {
        self.include.as_ref().is_none_or(|regex| regex.matches(name))
            && !self.exclude.as_ref().is_some_and(|regex| regex.matches(name))
    }

    /// What `status` of the check `name` stands for: by the first flag that matches, else by its definition's `exit_map`.
    pub fn status(&self, name: &str, exit_map: Option<&ExitMap>, status: i64) -> i64 {
        let flag = self.exit_maps.iter().find(|of| of.checks.matches(name)).map(|of| &of.map);
        flag.or(exit_map).map_or(status, |map| map.apply(status))
    }

    #[cfg(test)]
    pub(crate) fn for_tests(include: Option<&str>, exclude: Option<&str>, exit_maps: &[&str]) -> Self {
        let regex = |pattern: &str| pattern.parse().expect("a regular expression");
        let exit_maps = exit_maps.iter().map(|map| map.parse().expect("an exit map"));
        Self::new(include.map(regex), exclude.map(regex), exit_maps.collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_names_and_the_first_map_count() {
        let select = Select::for_tests(Some("disk.*|cpu"), Some("disk_tmp"), &["disk=1:2", ".*=1:0"]);
        let taken = ["disk", "disk_tmp", "disk_root", "cpu", "cpus", "my_disk"].map(|name| select.takes(name));
        assert_eq!(taken, [true, false, true, true, false, false]);
        let own = "1:3".parse().unwrap();
        assert_eq!(["disk", "cpu"].map(|name| select.status(name, Some(&own), 1)), [2, 0]);
        assert_eq!(Select::default().status("cpu", Some(&own), 1), 3);
        for bad in ["disk", "disk=", "disk=1", "(=1:2"] {
            assert!(bad.parse::<ExitMapOf>().is_err(), "{bad}");
        }
    }
}
