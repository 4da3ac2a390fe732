//! Who asks, what they may do, and the record of what they did.

mod rules;

use std::fmt;
use std::net::IpAddr;

use jiff::Timestamp;
use tracing::info;

pub use rules::{Access, Operators, Proxy, Stranger};

pub(crate) use rules::{asked_name, peer};

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
    /// The name that it is written under, which nobody vouches for where nobody signs in; empty where none is asked for.
    pub author: &'a str,
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
    let Change { action, cluster, silence, author, matchers, ends, failure } = change;
    let (name, role, address) = (user.name.as_deref().unwrap_or_default(), user.role.word(), user.address);
    let (address, ends) = (address.map(|at| at.to_string()), ends.map(|at| at.to_string()));
    let (address, ends) = (address.unwrap_or_default(), ends.unwrap_or_default());
    let (result, error) = (if failure.is_none() { "done" } else { "failed" }, failure.unwrap_or_default());
    events.changed(*action, result);
    info!(
        target: "audit",
        component = "audit", user = name, role, address, action = action.word(), result, cluster, silence, author, matchers,
        ends, error,
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
    use std::io::Write;
    use std::sync::{Arc, Mutex};

    use prometheus_client::encoding::text::encode;
    use prometheus_client::registry::Registry;
    use serde_json::{Value, json};
    use tracing_subscriber::fmt::MakeWriter;

    use super::*;

    /// A log that can be read.
    #[derive(Clone, Default)]
    struct Log(Arc<Mutex<Vec<u8>>>);

    impl Write for Log {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    impl<'a> MakeWriter<'a> for Log {
        type Writer = Self;

        fn make_writer(&'a self) -> Self {
            self.clone()
        }
    }

    #[test]
    fn each_change_is_a_line_and_counts() {
        let (mut registry, log) = (Registry::default(), Log::default());
        let events = Events::new(&mut registry);
        let lines = tracing_subscriber::fmt().json().flatten_event(true).with_writer(log.clone()).finish();
        let ann = User { name: Some("ann".into()), role: Role::Operator, address: Some([192, 0, 2, 1].into()) };
        let ends = Some(Timestamp::from_second(1_795_305_600).unwrap());
        let (cluster, matchers) = ("tokyo", r#"instance="web-1""#);
        let done =
            Change { action: Action::Create, cluster, silence: "s1", author: "ann", matchers, ends, failure: None };
        let failed = Change { action: Action::Expire, author: "", failure: Some("a: answered 500"), ..done.clone() };
        tracing::subscriber::with_default(lines, || {
            audit(&events, &ann, &done);
            audit(&events, &User::program(), &failed);
        });
        let text = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
        let mut lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let mut line = || {
            let mut line = lines.next().unwrap();
            line.as_object_mut().unwrap().remove("timestamp");
            line
        };
        assert_eq!(
            line(),
            json!({
                "level": "INFO", "target": "audit", "component": "audit", "message": "ann created silence s1 in tokyo",
                "user": "ann", "role": "operator", "address": "192.0.2.1", "action": "create", "result": "done",
                "cluster": "tokyo", "silence": "s1", "author": "ann", "matchers": matchers, "ends": "2026-11-22T00:00:00Z", "error": "",
            })
        );
        let failed = line();
        assert_eq!(failed["message"], "web-ui could not expire silence s1 in tokyo: a: answered 500");
        assert_eq!(
            (&failed["result"], &failed["error"], &failed["address"]),
            (&json!("failed"), &json!("a: answered 500"), &json!(""))
        );
        let mut metrics = String::new();
        encode(&mut metrics, &registry).unwrap();
        for series in [r#"action="create",result="done"} 1"#, r#"action="expire",result="failed"} 1"#] {
            assert!(metrics.contains(&format!("web_ui_changes_total{{{series}\n")), "{series} is not in {metrics}");
        }
    }

    #[test]
    fn a_change_is_a_sentence() {
        let user = |name: Option<&str>| User { name: name.map(Into::into), ..User::program() };
        let (matchers, ends) = (r#"instance="web-1""#, None);
        let done = Change {
            action: Action::Extend,
            cluster: "tokyo",
            silence: "s1",
            author: "",
            matchers,
            ends,
            failure: None,
        };
        assert_eq!(format!("{} {done}", user(Some("ann"))), "ann extended silence s1 in tokyo");
        let failed = Change { action: Action::Create, silence: "", failure: Some("answered 500"), ..done };
        let anybody = User { address: Some([192, 0, 2, 1].into()), ..user(None) };
        assert_eq!(
            format!("{anybody} {failed}"),
            "somebody at 192.0.2.1 could not create a silence in tokyo: answered 500"
        );
    }
}
