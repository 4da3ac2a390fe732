//! For tests: an intake whose sink keeps what it is given.

use std::sync::{Arc, Mutex, MutexGuard};

use check_result::CheckResult;
use check_result::log::Level;
use serde_json::{Value, json};
use tokio::sync::watch;

use super::intake::Intake;
use crate::definitions::{Client, Definitions};
use crate::notice::{Notice, Sink};

#[derive(Default)]
pub(super) struct Recorder {
    results: Mutex<Vec<CheckResult>>,
    notices: Mutex<Vec<Notice>>,
}

impl Sink for Recorder {
    fn publish(&self, result: &CheckResult) {
        self.results().push(result.clone());
    }

    fn notice(&self, notice: &Notice) {
        self.notices().push(notice.clone());
    }

    fn wants(&self, _level: Level) -> bool {
        true
    }
}

impl Recorder {
    /// With an intake of the client `web-1`.
    pub(super) fn intake() -> (Arc<Self>, Intake) {
        let recorder = Arc::new(Self::default());
        let client = Arc::new(Client { name: "web-1".to_owned(), attributes: check_result::Object::new() });
        let definitions = Definitions { client, checks: Vec::new(), spawn_limit: 1, settings: None };
        let (_, definitions) = watch::channel(Arc::new(definitions));
        let intake = Intake::new(recorder.clone(), definitions);
        (recorder, intake)
    }

    pub(super) fn results(&self) -> MutexGuard<'_, Vec<CheckResult>> {
        self.results.lock().unwrap()
    }

    pub(super) fn notices(&self) -> MutexGuard<'_, Vec<Notice>> {
        self.notices.lock().unwrap()
    }

    /// The names of the results so far.
    pub(super) fn names(&self) -> Vec<String> {
        self.results().iter().map(|result| result.name().to_owned()).collect()
    }

    /// The notices so far above level debug, without what their lines have in common.
    pub(super) fn told(&self) -> Vec<(String, Value)> {
        let notices = self.notices();
        let above = notices.iter().filter(|notice| notice.level > Level::Debug);
        above.map(|notice| (notice.message.to_string(), json!(notice.fields))).collect()
    }
}
