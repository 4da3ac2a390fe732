//! The executor in this process: checks run when told, results come through a channel.

use std::sync::Arc;
use std::time::Duration;

use check_result::CheckResult;
use checkscript_runner::definitions::{Definitions, Features, Host, Sources, load};
use checkscript_runner::execute::Executor;
use checkscript_runner::notice::{Notice, Sink};
use serde_json::{Value, json};
use tokio::sync::mpsc::{Receiver, Sender, channel};

/// Definitions, an executor for them, and what comes out.
pub(crate) struct Bench {
    pub(crate) definitions: Definitions,
    pub(crate) executor: Executor,
    results: Receiver<CheckResult>,
    notices: Receiver<Notice>,
}

struct Channels(Sender<CheckResult>, Sender<Notice>);

impl Sink for Channels {
    fn publish(&self, result: &CheckResult) {
        self.0.try_send(result.clone()).unwrap();
    }

    fn notice(&self, notice: &Notice) {
        self.1.try_send(notice.clone()).unwrap();
    }
}

impl Bench {
    /// With these settings; checks become standalone ones, an hour apart.
    pub(crate) fn new(settings: Value) -> Self {
        Self::with(settings, Features::default())
    }

    /// The same, done differently from sensu-client.
    pub(crate) fn with(mut settings: Value, features: Features) -> Self {
        for check in settings["checks"].as_object_mut().unwrap().values_mut() {
            check["standalone"] = true.into();
            check["interval"] = 3600.into();
        }
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("config.json");
        std::fs::write(&file, settings.to_string()).unwrap();
        let environment = [("SENSU_CLIENT_NAME".to_owned(), "web-1".to_owned())].into();
        let sources = Sources { file: Some(file), directories: vec![], environment, host: Host::detect(), features };
        let definitions = load(&sources).definitions.unwrap();
        let ((publish, results), (notify, notices)) = (channel(64), channel(64));
        let executor = Executor::new(definitions.spawn_limit, Arc::new(Channels(publish, notify)));
        Self { definitions, executor, results, notices }
    }

    /// The same, for processes that ignore TERM.
    pub(crate) fn impatient(settings: Value) -> Self {
        let bench = Self::new(settings);
        let ((publish, results), (notify, notices)) = (channel(64), channel(64));
        let (limit, sink) = (bench.definitions.spawn_limit, Arc::new(Channels(publish, notify)));
        let executor = Executor::with_term_grace(limit, Duration::from_millis(200), sink);
        Self { executor, results, notices, ..bench }
    }

    /// Starts a run of the check, as its slot would.
    pub(crate) fn start(&self, name: &str) {
        let check = self.definitions.checks.iter().find(|check| check.name == name).unwrap();
        self.executor.start(&self.definitions.client, Arc::clone(check), 1_700_000_000);
    }

    /// Waits until no check is under way; after it more may be started.
    pub(crate) async fn idle(&self) {
        while !self.executor.in_progress().is_empty() {
            tokio::task::yield_now().await;
        }
    }

    /// The next result.
    pub(crate) async fn result(&mut self) -> Value {
        Value::Object(self.results.recv().await.unwrap().check().clone())
    }

    pub(crate) async fn notice(&mut self) -> Notice {
        self.notices.recv().await.unwrap()
    }
}

/// Runs one check, called `one`.
pub(crate) async fn run(definition: Value) -> Value {
    let mut bench = Bench::new(json!({"checks": {"one": definition}}));
    bench.start("one");
    bench.result().await
}
