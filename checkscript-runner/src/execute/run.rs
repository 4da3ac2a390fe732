//! One run of one check, from its definition to its result.

use std::sync::Arc;
use std::time::Duration;

use check_result::Object;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::hook::{self, Hook};
use super::process::{self, Ended, Job, Outcome};
use super::running::Guard;
use super::tokens::{self, Substituted};
use super::{Shared, family, published};
use crate::definitions::{Check, Client};
use crate::events;

/// sensu-client's status of a check whose tokens have no value: UNKNOWN.
const UNMATCHED_TOKENS: i32 = 3;

/// One run of one check.
pub(super) struct Run {
    pub(super) client: Arc<Client>,
    pub(super) check: Arc<Check>,
    /// When it was asked for, in epoch seconds.
    pub(super) issued: i64,
    pub(super) guard: Guard,
}

// === impl Run ===

impl Run {
    /// Ends when the result has been published and the system has let go of every process; until then the check counts
    /// as under way. Without a result if the executor is told to kill before
    /// the check itself has ended.
    pub(super) async fn execute(self, shared: Arc<Shared>) {
        let Substituted { definition: mut check, unmatched } =
            published::definition(&self.check, &self.client, self.issued);
        if !unmatched.is_empty() {
            check.extend(fields(json!({
                "output": unmatched_text(&unmatched), "status": UNMATCHED_TOKENS, "handle": false,
            })));
            return shared.publish(&self.client, check);
        }
        let stdin = self.check.stdin.then(|| self.input(&check));
        let (command, _) = tokens::substitute_text(&self.check.command, &self.client.attributes);
        let job = self.job(&shared, command, stdin, self.check.timeout);
        let Some(ended) = self.run(&shared, job, &check).await else { return };
        check.extend(ended.fields());
        let mut status = ended.status;
        if let Some(mapped) = self.check.extras.exit_map.get(&status).filter(|_| ended.exited) {
            check.extend(fields(json!({"status": mapped, "exit_status": status})));
            status = *mapped;
        }
        let hook = match hook::choose(&check, status) {
            Some(key) => self.hook(&shared, &mut check, &key).await,
            None => None,
        };
        shared.publish(&self.client, check);
        let remains = ended.remains.into_iter().chain(hook.and_then(|hook| hook.remains));
        for remains in remains {
            tokio::select! {
                () = remains.gone() => (),
                () = shared.ending.cancelled() => return self.guard.give_up(),
            }
        }
    }

    /// Runs the hook and records in its object what came of it. `None` if it was killed.
    async fn hook(&self, shared: &Shared, check: &mut Object, key: &str) -> Option<Ended> {
        if shared.sink.wants(check_result::log::Level::Debug) {
            shared.sink.notice(&events::executing_hook(check));
        }
        let object = hook::object(check, key)?;
        let Hook { command, stdin, timeout } = Hook::of(object)?;
        object.insert("executed".to_owned(), Timestamp::now().as_second().into());
        // The whole check's tokens have a value, so these have.
        let (command, _) = tokens::substitute_text(&command, &self.client.attributes);
        let stdin = stdin.then(|| self.input(check));
        let job = self.job(shared, command, stdin, timeout);
        let ended = self.run(shared, job, check).await;
        let object = hook::object(check, key)?;
        match &ended {
            Some(ended) => object.extend(ended.fields()),
            None => drop(object.shift_remove("executed")),
        }
        ended
    }

    /// Waits for a slot and runs the job in it. `None` if the executor is told to kill.
    async fn run(&self, shared: &Shared, job: Job, check: &Object) -> Option<Ended> {
        let slot = match shared.slots.try_take() {
            Some(slot) => slot,
            None => {
                self.guard.waiting();
                tokio::select! {
                    slot = shared.slots.take(&*shared.sink) => slot,
                    () = shared.kill.cancelled() => return None,
                }
            }
        };
        let outcome = process::run(job, &shared.children, &self.guard, &shared.kill).await;
        drop(slot);
        match outcome {
            Outcome::Ended(ended) => Some(ended),
            Outcome::Killed(left) => {
                if !left.is_empty() {
                    self.guard.give_up();
                    let name = check.get("name").cloned().unwrap_or_default();
                    shared.sink.notice(&events::left_behind(name, &family::listed(&left)));
                }
                None
            }
        }
    }

    fn job(&self, shared: &Shared, command: String, stdin: Option<Vec<u8>>, timeout: Option<f64>) -> Job {
        let own = self.check.extras.env.then(|| self.check.definition.get("env").and_then(Value::as_object)).flatten();
        let own = own.into_iter().flatten().filter_map(|(name, value)| {
            let (value, _) = tokens::substitute_text(value.as_str()?, &self.client.attributes);
            Some((name.clone(), value))
        });
        let (exports, environment) = (shared.exports(), own.collect());
        let account = self.check.extras.account.clone();
        Job { command, stdin, timeout, exports, environment, account, term_grace: shared.term_grace }
    }

    /// What a check or hook with `stdin` reads.
    fn input(&self, check: &Object) -> Vec<u8> {
        json!({"client": self.client.attributes, "check": check}).to_string().into_bytes()
    }
}

// === impl Ended ===

impl Ended {
    /// As a result says it.
    fn fields(&self) -> Object {
        fields(json!({"duration": seconds(self.duration), "output": self.output, "status": self.status}))
    }
}

fn seconds(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1000.0).round() / 1000.0
}

fn unmatched_text(tokens: &[String]) -> String {
    format!("Unmatched client token(s): {}", tokens.join(", "))
}

fn fields(value: Value) -> Object {
    let Value::Object(fields) = value else { return Object::new() };
    fields
}
