//! sensu-client's command line.

use std::path::{Path, PathBuf};

use check_result::log::Level;
use clap::Parser;

const DEFAULT_FILE: &str = "/etc/sensu/config.json";
const DEFAULT_DIRECTORY: &str = "/etc/sensu/conf.d";

/// Runs Sensu check scripts on their schedule and logs each result as sensu-client does.
#[derive(Clone, Debug, Parser)]
#[command(version, infer_long_args = true, args_override_self = true)]
pub struct Options {
    /// Sensu JSON config FILE. Default: /etc/sensu/config.json (if exists)
    #[arg(short, long, value_name = "FILE")]
    config: Option<PathBuf>,

    /// DIR or comma-delimited DIR list for Sensu JSON config files. Default: /etc/sensu/conf.d (if exists)
    #[arg(short = 'd', long = "config_dir", value_name = "DIR[,DIR]")]
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
    #[arg(short = 'L', long = "log_level", value_name = "LEVEL")]
    log_level: Option<String>,

    /// Enable verbose logging
    #[arg(short, long)]
    verbose: bool,

    /// Write the PID to a given FILE
    #[arg(short, long = "pid_file", value_name = "FILE")]
    pub pid_file: Option<PathBuf>,
}

// === impl Options ===

impl Options {
    /// The `-c` file, or the default one if it is there.
    pub fn file(&self) -> Option<PathBuf> {
        self.config.clone().or_else(|| existing(DEFAULT_FILE))
    }

    /// The `-d` directories, or the default one if it is there.
    pub fn directories(&self) -> Vec<PathBuf> {
        match &self.config_dir {
            Some(list) => list.split(',').map(PathBuf::from).collect(),
            None => existing(DEFAULT_DIRECTORY).into_iter().collect(),
        }
    }

    /// The level of `-v` and `-L`, info without; an error is sensu-client's text.
    pub fn level(&self) -> Result<Level, String> {
        match &self.log_level {
            Some(word) => word.parse().map_err(|_| format!("Unknown log level: {word}")),
            None if self.verbose => Ok(Level::Debug),
            None => Ok(Level::Info),
        }
    }
}

fn existing(path: &str) -> Option<PathBuf> {
    Path::new(path).exists().then(|| path.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(line: &str) -> Options {
        Options::try_parse_from(line.split(' ')).unwrap()
    }

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

    #[test]
    fn long_names_repetition_and_levels() {
        let given = options("r --config a --config b --config_dir x --validate --print_config --log l");
        assert_eq!(given.file(), Some("b".into()));
        assert!(given.validate_config && given.print_config);
        assert_eq!(given.level().unwrap(), Level::Info);
        assert_eq!(options("r -v").level().unwrap(), Level::Debug);
        assert_eq!(options("r -L chatty").level().unwrap_err(), "Unknown log level: chatty");
    }
}
