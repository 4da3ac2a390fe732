//! Who asks, what they may do, and the record of what they did.

mod rules;

use std::fmt;
use std::net::IpAddr;

use jiff::Timestamp;
use tracing::info;

pub use rules::{Access, Operators, Proxy, Stranger};

pub(crate) use rules::peer;

use crate::events::Events;

/// Somebody who asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// What they are called; none where nobody is asked for a name.
    pub name: Option<String>,
    /// What they may do.
    pub role: Role,
    /// Where they ask from; none for the program itself.
    pub address: Option<IpAddr>,
}

/// What somebody may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Look.
    ReadOnly,
    /// Change things as well.
    Operator,
}

/// Something that was changed, or could not be.
#[derive(Clone, Debug)]
pub struct Change<'a> {
    /// What was done.
    pub action: Action,
    /// Where.
    pub cluster: &'a str,
    /// The silence; empty where there is none yet.
    pub silence: &'a str,
    /// What it silences.
    pub matchers: &'a str,
    /// When it ends.
    pub ends: Option<Timestamp>,
    /// Why it could not be done.
    pub failure: Option<&'a str>,
}

/// What is done to a silence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// It is made.
    Create,
    /// It is changed, whatever of it.
    Edit,
    /// Its end is moved away.
    Extend,
    /// It is ended.
    Expire,
}

/// Writes the record of a change: a line of the log with the target `audit`, and a count.
pub fn audit(events: &Events, user: &User, change: &Change<'_>) {
    let Change { action, cluster, silence, matchers, ends, failure } = change;
    let (name, role, address) = (user.name.as_deref().unwrap_or_default(), user.role.word(), user.address);
    let (address, ends) = (address.map(|at| at.to_string()), ends.map(|at| at.to_string()));
    let (address, ends) = (address.unwrap_or_default(), ends.unwrap_or_default());
    let (result, error) = (if failure.is_none() { "done" } else { "failed" }, failure.unwrap_or_default());
    events.changed(*action, result);
    info!(
        target: "audit",
        component = "audit", user = name, role, address, action = action.word(), result, cluster, silence, matchers, ends, error,
        "{user} {change}"
    );
}

// === impl User ===

impl User {
    /// The program itself, where it changes something that was ordered before.
    pub fn program() -> Self {
        Self { name: Some("web-ui".to_owned()), role: Role::Operator, address: None }
    }

    /// Whether they may change anything.
    pub fn may_change(&self) -> bool {
        self.role == Role::Operator
    }
}

impl fmt::Display for User {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.name, self.address) {
            (Some(name), _) => f.write_str(name),
            (None, Some(address)) => write!(f, "somebody at {address}"),
            (None, None) => f.write_str("somebody"),
        }
    }
}

// === impl Role ===

impl Role {
    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::ReadOnly => "read-only",
            Self::Operator => "operator",
        }
    }
}

// === impl Change ===

impl fmt::Display for Change<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (done, wanted) = self.action.verbs();
        match self.failure {
            None => f.write_str(done)?,
            Some(_) => write!(f, "could not {wanted}")?,
        }
        match self.silence {
            "" => write!(f, " a silence in {}", self.cluster)?,
            silence => write!(f, " silence {silence} in {}", self.cluster)?,
        }
        self.failure.map_or(Ok(()), |failure| write!(f, ": {failure}"))
    }
}

// === impl Action ===

impl Action {
    /// The word for it.
    pub fn word(self) -> &'static str {
        self.verbs().1
    }

    fn verbs(self) -> (&'static str, &'static str) {
        match self {
            Self::Create => ("created", "create"),
            Self::Edit => ("edited", "edit"),
            Self::Extend => ("extended", "extend"),
            Self::Expire => ("expired", "expire"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_a_sentence() {
        let user = |name: Option<&str>| User { name: name.map(Into::into), ..User::program() };
        let (matchers, ends) = (r#"instance="web-1""#, None);
        let done = Change { action: Action::Extend, cluster: "tokyo", silence: "s1", matchers, ends, failure: None };
        assert_eq!(format!("{} {done}", user(Some("ann"))), "ann extended silence s1 in tokyo");
        let failed = Change { action: Action::Create, silence: "", failure: Some("answered 500"), ..done };
        let anybody = User { address: Some([192, 0, 2, 1].into()), ..user(None) };
        assert_eq!(
            format!("{anybody} {failed}"),
            "somebody at 192.0.2.1 could not create a silence in tokyo: answered 500"
        );
    }
}
