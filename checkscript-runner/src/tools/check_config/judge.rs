//! What is legal in a check that runs here, and yet should be looked at, or behaves better than it did.

use std::env;

use check_result::Object;
use serde_json::Value;

use super::program;
use super::report::Verdict;
use super::subject::Builder;
use crate::execute::tokens::{has_token, substitute_text};
use crate::schedule::{Cron, InvalidCron, Subdue};

const SHORT_INTERVAL: f64 = 5.0;
const LONG_INTERVAL: f64 = 86_400.0;

pub(super) struct Judge<'a> {
    pub(super) definition: &'a Object,
    pub(super) client: &'a Object,
}

// === impl Judge ===

impl Judge<'_> {
    pub(super) fn judge(&self, subject: &mut Builder<'_>) {
        self.schedule(subject);
        self.timeout(subject);
        self.ttl(subject);
        for time in self.definition.get("subdue").map(Subdue::not_understood).unwrap_or_default() {
            let text = format!("{time} is no time that is understood here: its window has no effect");
            subject.add(Verdict::Attention, &["subdue"], text);
        }
        for (attribute, value) in self.definition {
            self.strings(&mut vec![attribute], value, subject);
        }
    }

    fn number(&self, attribute: &str) -> Option<f64> {
        self.definition.get(attribute).and_then(Value::as_f64)
    }

    /// The seconds between two runs; none if `cron` decides.
    fn interval(&self) -> Option<f64> {
        self.number("interval").filter(|_| !self.definition.contains_key("cron"))
    }

    fn schedule(&self, subject: &mut Builder<'_>) {
        if let Some(Err(InvalidCron::Never(_))) =
            self.definition.get("cron").and_then(Value::as_str).map(str::parse::<Cron>)
        {
            subject.add(Verdict::Invalid, &["cron"], "there is no such time, so the check would never run".to_owned());
        }
        let Some(interval) = self.interval() else { return };
        if interval > 0.0 && interval < SHORT_INTERVAL {
            let text = format!("a run every {interval} s is unusually often: is it meant in seconds?");
            subject.add(Verdict::Attention, &["interval"], text);
        } else if interval > LONG_INTERVAL {
            let text = format!("{interval} s is more than a day: is it meant in seconds?");
            subject.add(Verdict::Attention, &["interval"], text);
        }
    }

    fn timeout(&self, subject: &mut Builder<'_>) {
        let Some(timeout) = self.number("timeout") else { return };
        let text = match self.interval() {
            _ if timeout < 0.0 => "negative: every run fails with `time interval must be positive`".to_owned(),
            _ if timeout == 0.0 => "0 means no timeout: a run that hangs is never stopped".to_owned(),
            Some(interval) if timeout >= interval => {
                format!("not below the interval of {interval} s: while a run hangs, later ones are dropped")
            }
            _ => return,
        };
        subject.add(Verdict::Attention, &["timeout"], text);
    }

    fn ttl(&self, subject: &mut Builder<'_>) {
        if let (Some(ttl), Some(interval)) = (self.number("ttl"), self.interval())
            && ttl <= interval
        {
            let text = format!("not above the interval of {interval} s: the check is stale before its next run");
            subject.add(Verdict::Attention, &["ttl"], text);
        }
    }

    /// Tokens, text that is not ASCII and commands, at any depth; `path` leads to the value.
    fn strings<'a>(&self, path: &mut Vec<&'a str>, value: &'a Value, subject: &mut Builder<'_>) {
        match value {
            Value::String(text) => self.string(path, text, subject),
            Value::Array(values) => values.iter().for_each(|value| self.strings(path, value, subject)),
            Value::Object(object) => {
                for (key, value) in object {
                    path.push(key);
                    self.strings(path, value, subject);
                    path.pop();
                }
            }
            _ => (),
        }
    }

    fn string(&self, path: &[&str], text: &str, subject: &mut Builder<'_>) {
        let (replaced, unmatched) = substitute_text(text, self.client);
        let is_command = is_command(path);
        if !unmatched.is_empty() {
            let list = unmatched.join(", ");
            let text =
                format!("the client has no {list}: no run, but UNKNOWN with `Unmatched client token(s): {list}`");
            subject.add(Verdict::Attention, path, text);
        } else if let (true, Some(problem)) = (is_command, program::problem(&replaced, env::var_os("PATH"))) {
            subject.add(Verdict::Attention, path, problem);
        }
        // The first level is not remembered by sensu-client, arrays and objects are.
        if has_token(text) && (path.len() > 1 || self.definition[path[0]].is_array()) {
            let text = if is_command {
                "sensu-client replaced these tokens once and for ever and published what they stand for; here neither"
            } else {
                "sensu-client replaced these tokens at the first run once and for ever; here each run does"
            };
            subject.add(Verdict::Changed, path, text.to_owned());
        }
        if !text.is_ascii() {
            let text = if is_command {
                "sensu-client ran it without its characters that are not ASCII; here they stay"
            } else {
                "sensu-client's results had lost its characters that are not ASCII; here they stay"
            };
            subject.add(Verdict::Changed, path, text.to_owned());
        }
    }
}

/// The check's own command, or a hook's.
fn is_command(path: &[&str]) -> bool {
    matches!(path, ["command"] | ["hooks", _, "command"])
}
