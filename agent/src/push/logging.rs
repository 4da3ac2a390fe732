//! Into the runner's log goes, besides its own lines, what the parts that push and serve tell with `tracing`.

use std::fmt;
use std::sync::Arc;

use check_result::log::Level;
use checkscript_runner::notice::{Notice, Sink};
use serde_json::Value;
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::{Context, SubscriberExt as _};
use tracing_subscriber::util::SubscriberInitExt as _;

/// Whose INFO and DEBUG is of interest.
const OURS: [&str; 2] = ["checkscript_agent", "service"];

/// Sends what is told to `log`, for the whole process; a second call leaves the first one's.
pub fn init(log: Arc<dyn Sink>) {
    if tracing_subscriber::registry().with(ToLog(log)).try_init().is_err() {
        tracing::debug!("The log was set up before; it stays");
    }
}

struct ToLog(Arc<dyn Sink>);

impl<S: Subscriber> Layer<S> for ToLog {
    fn on_event(&self, event: &Event<'_>, _context: Context<'_, S>) {
        let metadata = event.metadata();
        let level = level(*metadata.level());
        let ours = OURS.iter().any(|name| metadata.target().split("::").next() == Some(name));
        if level < Level::Warn && !ours || !self.0.wants(level) {
            return;
        }
        let mut notice = Told(Notice::new(level, ""));
        event.record(&mut notice);
        self.0.notice(&notice.0);
    }
}

fn level(level: tracing::Level) -> Level {
    match level {
        tracing::Level::ERROR => Level::Error,
        tracing::Level::WARN => Level::Warn,
        tracing::Level::INFO => Level::Info,
        _ => Level::Debug,
    }
}

struct Told(Notice);

impl Told {
    fn set(&mut self, field: &Field, value: Value) {
        match (field.name(), value) {
            ("message", Value::String(message)) => self.0.message = message.into(),
            (name, value) => drop(self.0.fields.insert(name.to_owned(), value)),
        }
    }
}

impl Visit for Told {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.set(field, format!("{value:?}").into());
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.set(field, value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.set(field, value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.set(field, value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.set(field, value.into());
    }
}
