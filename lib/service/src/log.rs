//! The log: lines on the standard error, as logfmt or JSON.

mod json;
mod logfmt;

use tracing::level_filters::LevelFilter;
use tracing_subscriber::Layer as _;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::flags::{LogFlags, LogFormat, LogLevel};

/// Libraries that describe their inner life below INFO; an operator who asks for `debug` wants ours.
const QUIET: [&str; 5] = ["h2", "hyper", "hyper_util", "reqwest", "rustls"];

/// The target of records of who changed what. An operator who wants to hear of troubles alone still wants those.
const AUDIT: &str = "audit";

/// Sets the log up for the process. A second call (tests run servers side by side) leaves the first one's settings.
pub(crate) fn init(flags: &LogFlags) {
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    let layer = match flags.format {
        LogFormat::Logfmt => lines.event_format(logfmt::Logfmt).boxed(),
        LogFormat::Json => lines.json().flatten_event(true).map_event_format(json::Json).boxed(),
    };
    let set = tracing_subscriber::registry().with(layer.with_filter(targets(flags.level))).try_init();
    if set.is_err() {
        tracing::debug!("The log was set up before; its settings stay");
    }
}

fn targets(level: LogLevel) -> Targets {
    let level = match level {
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Error => LevelFilter::ERROR,
    };
    let own = Targets::new().with_default(level).with_target(AUDIT, level.max(LevelFilter::INFO));
    QUIET.iter().fold(own, |targets, library| targets.with_target(*library, level.min(LevelFilter::INFO)))
}

#[cfg(test)]
mod tests {
    use tracing::Level;

    use super::*;

    #[test]
    fn debug_is_ours_and_not_the_libraries() {
        let targets = targets(LogLevel::Debug);
        assert!(targets.would_enable("service::serve", &Level::DEBUG));
        assert!(!targets.would_enable("hyper::proto", &Level::DEBUG));
        assert!(targets.would_enable("rustls::server", &Level::INFO));
    }

    #[test]
    fn a_level_holds_for_libraries_as_well() {
        let targets = targets(LogLevel::Error);
        assert!(!targets.would_enable("hyper::proto", &Level::INFO));
        assert!(targets.would_enable("hyper::proto", &Level::ERROR));
    }

    #[test]
    fn records_of_changes_are_written_at_any_level() {
        let targets = targets(LogLevel::Error);
        assert!(targets.would_enable("audit", &Level::INFO) && !targets.would_enable("web_ui", &Level::INFO));
    }
}
