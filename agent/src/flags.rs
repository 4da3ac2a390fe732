//! The command line.

mod detail;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use check_result::metrics;
use clap::Parser;

pub use self::detail::DetailFlags;
use crate::follow::LogPattern;
use crate::select::{ExitMapOf, NameRegex, Select};
use crate::store::Limits;

/// Where sensu-client and checkscript-runner log unless they are told otherwise.
const DEFAULT_LOGS: [&str; 2] = ["/var/log/sensu/sensu-client.log", "/var/log/checkscript/checkscript-runner.log"];

/// systemd's `StateDirectory=checkscript-agent`.
const STATE_DIRECTORY: &str = "/var/lib/checkscript-agent";

/// Exporter of check results: follows the log of sensu-client or checkscript-runner, serves a gauge for each check and,
/// on demand, its output.
#[derive(Clone, Debug, Parser)]
#[command(name = "checkscript-agent", version)]
pub struct Flags {
    /// Check log to follow, a file or a glob, repeatable; a file that does not exist yet is waited for
    /// [default: the logs of sensu-client and checkscript-runner]
    #[arg(long = "check.log", value_name = "FILE-OR-GLOB")]
    log: Vec<LogPattern>,

    /// Export only checks whose whole name matches
    #[arg(long = "check.include", value_name = "REGEX")]
    include: Option<NameRegex>,

    /// Do not export checks whose whole name matches
    #[arg(long = "check.exclude", value_name = "REGEX")]
    exclude: Option<NameRegex>,

    /// What the exit statuses of checks mean whose scripts use other ones, repeatable: the first one that matches the whole
    /// name counts, before the definition's `exit_map`
    #[arg(long = "check.exit-map", value_name = "NAME-REGEX=FROM:TO,...")]
    exit_map: Vec<ExitMapOf>,

    /// Where the state is kept over a restart; empty: nowhere [default: /var/lib/checkscript-agent/state if that directory
    /// exists]
    #[arg(long = "state.file", value_name = "FILE")]
    state_file: Option<OsString>,

    /// How often the state is saved while results come in; what was logged since is read again after a crash
    #[arg(long = "state.interval", value_name = "DURATION", default_value = "1m", value_parser = service::duration)]
    pub(crate) state_interval: Duration,

    /// Attributes of definitions that `checkscript_info` carries as labels
    #[arg(long = "check.info-attributes", value_name = "NAME,...", value_delimiter = ',', value_parser = metrics::info_attribute)]
    info_attributes: Vec<String>,

    /// Export the performance data of outputs as `checkscript_perfdata`
    #[arg(long = "check.perfdata")]
    perfdata: bool,

    /// How long a check that is OK may be without results, while its log is written to, before it is taken for removed (three
    /// of its intervals where those are longer; failing checks and those with a `ttl` stay)
    #[arg(long = "check.forget-after", value_name = "DURATION", default_value = "48h", value_parser = patience)]
    forget_after: Duration,

    /// The same for every check: its alerts end with it [default: never]
    #[arg(long = "check.forget-any-after", value_name = "DURATION", value_parser = patience)]
    forget_any_after: Option<Duration>,

    /// Checks known at a time, those of proxy clients included; results of others are dropped and counted
    #[arg(long = "check.limit", value_name = "N", default_value_t = 10_000)]
    limit: usize,

    /// Flags of outputs and history.
    #[command(flatten)]
    pub(crate) detail: DetailFlags,

    /// Flags of the web server.
    #[command(flatten)]
    pub web: service::WebFlags<9780>,

    /// Flags of the log.
    #[command(flatten)]
    pub logging: service::LogFlags,
}

impl Flags {
    pub(crate) fn logs(&self) -> Vec<LogPattern> {
        match self.log.is_empty() {
            true => DEFAULT_LOGS.iter().map(|path| path.parse().expect("the default paths are patterns")).collect(),
            false => self.log.clone(),
        }
    }

    pub(crate) fn select(&self) -> Select {
        Select::new(self.include.clone(), self.exclude.clone(), self.exit_map.clone())
    }

    pub(crate) fn state_file(&self) -> Option<PathBuf> {
        match &self.state_file {
            Some(file) if file.is_empty() => None,
            Some(file) => Some(file.into()),
            None => Path::new(STATE_DIRECTORY).is_dir().then(|| Path::new(STATE_DIRECTORY).join("state")),
        }
    }

    /// How much is kept, and for how long.
    pub fn limits(&self) -> Limits {
        let seconds = |duration: Duration| i64::try_from(duration.as_secs()).unwrap_or(i64::MAX);
        Limits {
            checks: self.limit,
            forget_after: seconds(self.forget_after),
            forget_any_after: self.forget_any_after.map(seconds),
            history: self.detail.history(),
            output_bytes: self.detail.total_output_bytes(),
        }
    }

    /// What is exported of a check beside the fixed gauges.
    pub fn metrics_options(&self) -> metrics::Options {
        metrics::Options { info_attributes: self.info_attributes.clone(), perfdata: self.perfdata }
    }
}

/// No time at all, by which somebody may mean "never", would drop every check at the next one's result.
fn patience(text: &str) -> Result<Duration, String> {
    let patience = service::duration(text)?;
    if patience < Duration::from_secs(1) {
        return Err("every check would be dropped at once; give a long time where none shall be".to_owned());
    }
    Ok(patience)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_state_file_is_none() {
        let state_file = |flag: &str| Flags::try_parse_from(["agent", flag]).unwrap().state_file();
        assert_eq!(state_file("--state.file="), None);
        assert_eq!(state_file("--state.file=state"), Some("state".into()));
    }

    #[test]
    fn the_unit_follows_the_logs_of_either_writer() {
        let unit = include_str!("../../packaging/debian/checkscript-agent.service");
        let command = unit.lines().find_map(|line| line.strip_prefix("ExecStart=")).unwrap();
        let flags = Flags::try_parse_from(command.split_whitespace().filter(|word| *word != "$ARGS")).unwrap();
        let logs: Vec<_> = flags.logs().iter().map(|log| log.as_path().to_owned()).collect();
        assert_eq!(logs, DEFAULT_LOGS.map(PathBuf::from));
    }
}
