//! sensu-client's command line, and the tools beside it.

mod record;
mod tool;

use std::ffi::OsString;
use std::io;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf, absolute};
use std::time::Duration;

use check_result::log::Level;
use clap::error::ErrorKind;
use clap::parser::ValueSource;
use clap::{ArgMatches, Parser};

pub use self::tool::{Format, Tool};

use crate::definitions::{Attribute, Features};
use crate::logger::Rotation;

const DEFAULT_FILE: &str = "/etc/sensu/config.json";
const DEFAULT_DIRECTORY: &str = "/etc/sensu/conf.d";

/// A reader that looks at the log five times a second must not find it rotated twice.
const SMALLEST_LOG: u64 = 64 << 10;

/// Runs Sensu check scripts on their schedule and logs each result as sensu-client does.
///
/// Without a command it does what sensu-client does: it runs the checks until a signal stops it.
#[derive(Clone, Debug, Parser)]
#[command(version, infer_long_args = true, args_override_self = true)]
#[command(subcommand_help_heading = "Tools", after_help = tool::EXAMPLES)]
pub struct Options {
    /// Sensu JSON config FILE. Default: /etc/sensu/config.json (if exists)
    #[arg(short, long, value_name = "FILE", global = true)]
    config: Option<PathBuf>,

    /// DIR or comma-delimited DIR list for Sensu JSON config files. Default: /etc/sensu/conf.d (if exists)
    #[arg(short = 'd', long = "config_dir", value_name = "DIR[,DIR]", global = true)]
    config_dir: Option<String>,

    /// Validate the compiled configuration and exit
    #[arg(long = "validate_config")]
    pub validate_config: bool,

    /// Print the compiled configuration, secrets hidden, and exit
    #[arg(short = 'P', long = "print_config")]
    pub print_config: bool,

    /// Taken for compatibility, no effect: extensions are Ruby code
    #[arg(short, long = "extension_dir", value_name = "DIR")]
    pub extension_dir: Option<PathBuf>,

    /// Log to a given FILE. Default: STDOUT
    #[arg(short, long, value_name = "FILE")]
    pub log: Option<PathBuf>,

    /// Log severity LEVEL: debug, info, warn, error or fatal
    #[arg(short = 'L', long = "log_level", value_name = "LEVEL", overrides_with = "verbose")]
    log_level: Option<String>,

    /// Enable verbose logging
    #[arg(short, long, overrides_with = "log_level")]
    verbose: bool,

    /// Rotate the log before it is longer than SIZE bytes (or 512K, 100M, 1G). Default: never
    #[arg(long = "log_rotate_size", value_name = "SIZE", value_parser = rotate_size)]
    log_rotate_size: Option<u64>,

    /// How many rotated logs are kept: FILE.1, the newest, to FILE.N
    #[arg(long = "log_rotate_count", value_name = "N", default_value = "7")]
    log_rotate_count: NonZeroU32,

    /// Fork into the background
    #[arg(short = 'b', long = "background")]
    pub background: bool,

    /// Write the PID to a given FILE
    #[arg(short, long = "pid_file", value_name = "FILE")]
    pub pid_file: Option<PathBuf>,

    /// How many seconds the checks under way may take at a stop before they are killed
    #[arg(long = "grace_period", value_name = "SECONDS", default_value_t = 10)]
    grace_period: u32,

    /// Run the standalone checks only, not those of the client's subscriptions
    #[arg(long = "standalone_only", global = true)]
    standalone_only: bool,

    /// Timeout of checks that have none. Default: unlimited
    #[arg(long = "default_timeout", value_name = "SECONDS", value_parser = positive, global = true)]
    default_timeout: Option<f64>,

    /// Check attributes to honour that sensu-client does not know
    #[arg(long = "enable_attributes", value_name = "NAME[,NAME]", value_delimiter = ',', global = true)]
    enable_attributes: Vec<Attribute>,

    /// What to do instead of running the checks.
    #[command(subcommand)]
    pub tool: Option<Tool>,
}

// === impl Options ===

/// Reads a command line, program name first: [`Options`], or those of a program that has more besides. Options that only the
/// running runner has are refused beside a tool.
pub fn read<P: Parser>(line: impl IntoIterator<Item = impl Into<OsString> + Clone>) -> Result<P, clap::Error> {
    let mut command = P::command();
    let matches = command.try_get_matches_from_mut(line)?;
    if let Some(tool) = matches.subcommand_name()
        && let Some(option) = stray_option(&command, &matches)
    {
        let text = format!("{option} is an option of the running runner, {tool} does not take it");
        return Err(command.error(ErrorKind::ArgumentConflict, text));
    }
    P::from_arg_matches(&matches).map_err(|error| error.format(&mut command))
}

impl Options {
    /// The `-c` file, or the default one if it is there.
    pub fn file(&self) -> Option<PathBuf> {
        self.config.clone().or_else(|| existing(DEFAULT_FILE))
    }

    /// The `-d` directories, or the default one if it is there.
    pub fn directories(&self) -> Vec<PathBuf> {
        match &self.config_dir {
            Some(list) => listed(list).map(PathBuf::from).collect(),
            None => existing(DEFAULT_DIRECTORY).into_iter().collect(),
        }
    }

    /// With every path made absolute, for a process that leaves its working directory.
    pub fn absolute(mut self) -> io::Result<Self> {
        for path in [&mut self.config, &mut self.log, &mut self.pid_file, &mut self.extension_dir].into_iter().flatten()
        {
            *path = absolute(&*path)?;
        }
        if let Some(list) = &self.config_dir {
            let directories: io::Result<Vec<_>> = listed(list).map(absolute).collect();
            let directories = directories?.into_iter().map(|directory| directory.to_string_lossy().into_owned());
            self.config_dir = Some(directories.collect::<Vec<_>>().join(","));
        }
        Ok(self)
    }

    /// The log's own rotation, if it is asked for.
    pub fn rotation(&self) -> Option<Rotation> {
        self.log_rotate_size.map(|size| Rotation::new(size, self.log_rotate_count))
    }

    /// How long the checks under way may take at a stop.
    pub fn grace(&self) -> Duration {
        Duration::from_secs(self.grace_period.into())
    }

    /// What is done differently from sensu-client.
    pub fn features(&self) -> Features {
        Features {
            standalone_only: self.standalone_only,
            default_timeout: self.default_timeout,
            attributes: self.enable_attributes.clone(),
        }
    }

    /// The level of `-v` or `-L`, whichever comes last, info without; an error is sensu-client's text.
    pub fn level(&self) -> Result<Level, String> {
        match &self.log_level {
            Some(word) => word.parse().map_err(|_| format!("Unknown log level: {word}")),
            None if self.verbose => Ok(Level::Debug),
            None => Ok(Level::Info),
        }
    }
}

/// The items of a comma-delimited list; what ends in a comma has no empty one there, as Ruby splits.
fn listed(list: &str) -> impl Iterator<Item = &str> {
    list.trim_end_matches(',').split_terminator(',')
}

/// A number of bytes, with a binary unit.
fn rotate_size(text: &str) -> Result<u64, String> {
    let digits = text.trim_end_matches(|letter: char| letter.is_ascii_alphabetic());
    let unit: u64 = match &text[digits.len()..] {
        "" => 1,
        "k" | "K" => 1 << 10,
        "m" | "M" => 1 << 20,
        "g" | "G" => 1 << 30,
        unit => return Err(format!("unknown unit {unit}, known are K, M and G")),
    };
    let number: u64 = digits.parse().map_err(|error| format!("{error}"))?;
    let size = number.checked_mul(unit).ok_or("too large")?;
    if size < SMALLEST_LOG { Err(format!("less than {SMALLEST_LOG} bytes")) } else { Ok(size) }
}

/// An option before a tool's name that is not the tool's.
fn stray_option(command: &clap::Command, matches: &ArgMatches) -> Option<String> {
    let given = |id: &str| matches.value_source(id) == Some(ValueSource::CommandLine);
    let mut arguments = command.get_arguments().filter(|argument| !argument.is_global_set());
    let stray = arguments.find(|argument| given(argument.get_id().as_str()))?;
    Some(stray.get_long().map_or_else(|| stray.get_id().to_string(), |long| format!("--{long}")))
}

fn existing(path: &str) -> Option<PathBuf> {
    Path::new(path).exists().then(|| path.into())
}

fn positive(text: &str) -> Result<f64, String> {
    let seconds = text.parse::<f64>().ok().filter(|seconds| seconds.is_finite() && *seconds > 0.0);
    seconds.ok_or_else(|| "must be a number of seconds greater than 0".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(line: &str) -> Options {
        read(line.split(' ')).unwrap()
    }

    /// A47.
    #[test]
    fn as_the_packaged_service_calls_sensu_client() {
        let line = "sensu-client -c /etc/sensu/config.json -d /etc/sensu/conf.d,/srv/d -e /etc/sensu/extensions \
                    -p /var/run/sensu/sensu-client.pid -l /var/log/sensu/sensu-client.log -L WARN";
        let options = options(line);
        assert_eq!(options.file(), Some("/etc/sensu/config.json".into()));
        assert_eq!(options.directories(), [PathBuf::from("/etc/sensu/conf.d"), "/srv/d".into()]);
        assert_eq!(options.level().unwrap(), Level::Warn);
        assert_eq!(options.pid_file, Some("/var/run/sensu/sensu-client.pid".into()));
    }

    /// A47.
    #[test]
    fn a_list_of_directories_may_end_in_a_comma() {
        let directories =
            |list: &str| Options::try_parse_from(["r", "-d", list]).unwrap().absolute().unwrap().directories();
        assert_eq!(directories("/a,/b,"), [PathBuf::from("/a"), "/b".into()]);
        for list in ["", ",,"] {
            assert!(directories(list).is_empty(), "{list}");
        }
    }

    #[test]
    fn features_are_off_unless_asked_for() {
        assert_eq!(options("r").features(), Features::default());
        let given = options("r --standalone_only --default_timeout 2.5 --enable_attributes env,exit_map").features();
        let attributes = vec![Attribute::Env, Attribute::ExitMap];
        assert_eq!(given, Features { standalone_only: true, default_timeout: Some(2.5), attributes });
        for line in ["r --default_timeout 0", "r --default_timeout inf", "r --enable_attributes umask"] {
            assert!(Options::try_parse_from(line.split(' ')).is_err(), "{line}");
        }
    }

    #[test]
    fn sizes_have_units_and_a_lower_bound() {
        let sizes = ["65536", "64K", "100M", "1g"].map(|text| rotate_size(text).unwrap());
        assert_eq!(sizes, [65_536, 65_536, 104_857_600, 1_073_741_824]);
        for bad in ["", "M", "1T", "1KB", "-1M", "63K", "0", "99999999999G"] {
            assert!(rotate_size(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn absolute_paths_survive_a_change_of_directory() {
        let here = std::env::current_dir().unwrap();
        let options = options("r -c c.json -d a,/b -l log -p pid").absolute().unwrap();
        assert_eq!(options.file(), Some(here.join("c.json")));
        assert_eq!(options.directories(), [here.join("a"), "/b".into()]);
        assert_eq!((options.log, options.pid_file), (Some(here.join("log")), Some(here.join("pid"))));
    }

    /// A47.
    #[test]
    fn without_paths_there_are_sensus_own_where_they_exist() {
        let given = options("r");
        let is_there = |path: &str| Path::new(path).exists().then(|| PathBuf::from(path));
        assert_eq!(given.file(), is_there("/etc/sensu/config.json"));
        assert_eq!(given.directories(), Vec::from_iter(is_there("/etc/sensu/conf.d")));
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().to_str().unwrap();
        assert_eq!(existing(path), Some(path.into()));
        assert_eq!(existing(&format!("{path}/missing")), None);
    }

    /// A47.
    #[test]
    fn levels_have_sensu_clients_names_in_any_case() {
        let levels = ["debug", "INFO", "Warn", "error", "FATAL"].map(|name| options(&format!("r -L {name}")).level());
        let want = [Level::Debug, Level::Info, Level::Warn, Level::Error, Level::Fatal].map(Ok);
        assert_eq!(levels, want);
    }

    /// A47.
    #[test]
    fn long_names_repetition_and_levels() {
        let given = options("r --config a --config b --config_dir x --validate --print_config --log l");
        assert_eq!(given.file(), Some("b".into()));
        assert!(given.validate_config && given.print_config);
        assert_eq!(given.level().unwrap(), Level::Info);
        let levels = ["r -v", "r -L warn -v", "r -v -L warn"].map(|line| options(line).level());
        assert_eq!(levels, [Level::Debug, Level::Debug, Level::Warn].map(Ok), "the last one holds");
        assert!(options("r -b").background && options("r --background").background);
        assert!(given.tool.is_none());
        assert_eq!(options("r -L chatty").level().unwrap_err(), "Unknown log level: chatty");
    }

    #[test]
    fn tools_take_the_configuration_before_and_after_their_name_and_nothing_else_of_the_runner() {
        for line in ["r -c a -d x list", "r list -c a -d x", "r -c a list -d x"] {
            let options = options(line);
            assert!(matches!(options.tool, Some(Tool::List { format: Format::Text })), "{line}");
            assert_eq!((options.file(), options.directories()), (Some("a".into()), vec!["x".into()]), "{line}");
        }
        let refusal = read::<Options>(["r", "-l", "log", "list"]).unwrap_err().to_string();
        assert!(refusal.contains("--log is an option of the running runner, list does not take it"), "{refusal}");
    }
}
