//! The tools' own command line.

use clap::{Subcommand, ValueEnum};

pub(super) const EXAMPLES: &str = "\
Examples:
  checkscript-runner -c /etc/sensu/config.json -d /etc/sensu/conf.d -l /var/log/checkscript/checkscript-runner.log
  checkscript-runner check-config -d /etc/sensu/conf.d     what changes for each check if this replaces sensu-client
  checkscript-runner list                                  which checks run on this node, the next one first
  checkscript-runner run check-disk                        runs one check now and exits with its status";

/// A command that a person gives.
#[derive(Clone, Debug, Subcommand)]
pub enum Tool {
    /// Say, check by check, what is honoured, changed or without effect here, and why
    ///
    /// Exit status: 0 the configuration would run and nothing in it needs attention, 1 otherwise.
    #[command(after_help = "\
Examples:
  checkscript-runner check-config
  checkscript-runner check-config -c /etc/sensu/config.json -d /etc/sensu/conf.d,/srv/checks
  checkscript-runner check-config --format=json | jq '.subjects[] | select(.worst == \"attention\") | .name'")]
    CheckConfig {
        /// For a person, or for a program
        #[arg(long, value_enum, default_value_t)]
        format: Format,
    },

    /// List the checks that run on this node, the next one first
    ///
    /// Exit status: 0, or 2 if the configuration is invalid.
    #[command(after_help = "\
Examples:
  checkscript-runner list
  checkscript-runner list --format=json | jq -r '.[] | select(.timeout == null) | .name'")]
    List {
        /// For a person, or for a program
        #[arg(long, value_enum, default_value_t)]
        format: Format,
    },

    /// Run one check now, as its schedule would, print its output and exit with its status
    ///
    /// Nothing is written to the log, so nobody is alerted. Exit status: the check's; 2 if it timed out; 3 (UNKNOWN) if there is
    /// no such check, or the configuration is invalid.
    #[command(after_help = "\
Examples:
  checkscript-runner run check-disk
  checkscript-runner run router-a:ping       the check ping of the proxy client router-a
  checkscript-runner run check-disk --format=json | jq .check.duration")]
    Run {
        /// The check's name; SOURCE:NAME where several proxy clients have one of this name
        name: String,

        /// The output as the script wrote it, or the result as it would be logged
        #[arg(long, value_enum, default_value_t)]
        format: Format,
    },
}

/// How a tool prints.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people.
    #[default]
    Text,
    /// For programs.
    Json,
}
