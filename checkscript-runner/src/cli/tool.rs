//! The tools' own command line.

use std::path::PathBuf;

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

    /// Say whether two logs give the same results, such as sensu-client's and this program's of one node
    ///
    /// Logs of the same time are compared run by run, others by what each check ever said. Exit status: 0 the same, 1 not, 2 a log
    /// cannot be read.
    #[command(after_help = "\
Examples:
  checkscript-runner compare /var/log/sensu/sensu-client.log /var/log/checkscript/checkscript-runner.log
  checkscript-runner compare --format=json old.log new.log | jq '.checks[] | select(.differences != [])'")]
    Compare {
        /// The log of before
        before: PathBuf,

        /// The log that should say the same
        after: PathBuf,

        /// For a person, or for a program
        #[arg(long, value_enum, default_value_t)]
        format: Format,
    },

    /// From a Sensu installation: definitions for the runner, rules for Prometheus, a configuration for Alertmanager
    ///
    /// REPORT.md in DIR accounts for every attribute: carried over, changed, or to be seen to and how. Passwords go into files of their own.
    /// Exit status: 0 nothing needs a decision, 1 otherwise, or nothing could be written.
    #[command(after_help = "\
Examples:
  checkscript-runner migrate --from /etc/sensu --out ./migrated
  curl -s http://sensu-api:4567/silenced > silenced.json
  checkscript-runner migrate --from ./sensu-repository --silenced silenced.json --out ./migrated")]
    Migrate {
        /// The directory with Sensu's config.json and conf.d, of a server or a client, or of both together
        #[arg(long, value_name = "DIR")]
        from: PathBuf,

        /// What Sensu's API answers to GET /silenced. Default: silenced.json of that directory, if it is there
        #[arg(long, value_name = "FILE")]
        silenced: Option<PathBuf>,

        /// Where to write; a new directory, or an empty one
        #[arg(long, value_name = "DIR")]
        out: PathBuf,
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
