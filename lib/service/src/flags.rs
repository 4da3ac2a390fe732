//! The flags that every server takes, for `#[command(flatten)]`.
//!
//! Their identifiers are the whole names, so that a program may have fields of the same short name.

use std::ffi::OsStr;
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::TypedValueParser;
use clap::error::ErrorKind;
use clap::{Arg, Args, Command, ValueEnum};
use jiff::{Span, SpanRelativeTo};

use crate::listen::ListenAddress;

/// Flags of the web server. `PORT` is the default port of the program, which listens on it on every interface, or, where
/// whoever reaches it could do harm, on the `LOOPBACK` one.
#[derive(Debug, Clone, Args)]
pub struct WebFlags<const PORT: u16, const LOOPBACK: bool = false> {
    /// Address to listen on, repeatable; `:PORT` is every interface, IPv4 and IPv6
    #[arg(id = "web.listen-address", long = "web.listen-address", value_name = "ADDRESS", default_value = usual(PORT, LOOPBACK))]
    pub listen_address: Vec<ListenAddress>,

    /// Take the listening sockets from systemd (socket activation) instead of the listen addresses
    #[arg(id = "web.systemd-socket", long = "web.systemd-socket")]
    pub systemd_socket: bool,

    /// File with TLS, client certificates, basic authentication and response headers (exporter-toolkit's format)
    #[arg(id = "web.config.file", long = "web.config.file", value_name = "FILE")]
    pub config_file: Option<PathBuf>,

    /// Connections served at a time; further ones wait
    #[arg(id = "web.max-connections", long = "web.max-connections", value_name = "N", default_value_t = 512, value_parser = connections)]
    pub max_connections: usize,

    /// Answer `/metrics` without asking for a user, where the web config has basic_auth_users
    #[arg(id = "web.unauthenticated-metrics", long = "web.unauthenticated-metrics")]
    pub unauthenticated_metrics: bool,

    /// How long requests may go on after the signal to stop, before they are cut
    #[arg(id = "web.shutdown-timeout", long = "web.shutdown-timeout", value_name = "DURATION", default_value = "10s", value_parser = duration)]
    pub shutdown_timeout: Duration,
}

/// Flags of the log, which goes to the standard error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Args)]
pub struct LogFlags {
    /// Least severe messages that are logged
    #[arg(id = "log.level", long = "log.level", value_name = "LEVEL", value_enum, default_value_t = LogLevel::Info)]
    pub level: LogLevel,

    /// Form of a log line
    #[arg(id = "log.format", long = "log.format", value_name = "FORMAT", value_enum, default_value_t = LogFormat::Logfmt)]
    pub format: LogFormat,
}

/// Severity of log messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogLevel {
    /// Everything, single requests and connections included.
    Debug,
    /// What an operator wants to know of a healthy program.
    Info,
    /// Went on without loss.
    Warn,
    /// Data was lost or an operator must act.
    Error,
}

/// Form of a log line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// `time=… level=info msg="…" key=value`
    Logfmt,
    /// One JSON object a line.
    Json,
}

/// The default address as text, which clap wants for ever: a program has one. Clap's own way, `default_values_t`, keeps one for
/// all ports, that of the flags which are looked at first in a process.
fn usual(port: u16, loopback: bool) -> &'static str {
    ListenAddress::usual(port, loopback).to_string().leak()
}

/// Parses a duration as `10s`, `1m30s`, `500ms` or `2d`, for `value_parser`. A day has 24 hours and a week 7 days, as in
/// Prometheus.
///
/// # Errors
/// When the text is not a duration, or a negative one.
pub fn duration(text: &str) -> Result<Duration, String> {
    let span = text.parse::<Span>().and_then(|span| span.to_duration(SpanRelativeTo::days_are_24_hours()));
    let signed = span.map_err(|_| "not a duration; write it like `10s`, `1m30s`, `500ms` or `2d`".to_owned())?;
    Duration::try_from(signed).map_err(|_| "a duration cannot be negative".to_owned())
}

/// For `value_parser` of a flag whose value may hold a password, as a URL may: what is said of a wrong one has the reason, and
/// not the value, as clap has it by itself.
pub fn unshown<T: Clone + Send + Sync + 'static>(
    parse: fn(&str) -> Result<T, String>,
) -> impl TypedValueParser<Value = T> {
    Unshown(parse)
}

#[derive(Clone)]
struct Unshown<T>(fn(&str) -> Result<T, String>);

impl<T: Clone + Send + Sync + 'static> TypedValueParser for Unshown<T> {
    type Value = T;

    fn parse_ref(&self, command: &Command, flag: Option<&Arg>, value: &OsStr) -> Result<T, clap::Error> {
        let parsed = value.to_str().ok_or_else(|| "not UTF-8".to_owned()).and_then(self.0);
        parsed.map_err(|reason| {
            let flag = flag.map(|flag| format!(" for '{flag}'")).unwrap_or_default();
            command.clone().error(ErrorKind::ValueValidation, format!("invalid value{flag}: {reason}"))
        })
    }
}

/// The semaphore behind the limit holds at most `usize::MAX >> 3`; a million connections is beyond any file limit.
fn connections(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(number @ 1..=1_000_000) => Ok(number),
        _ => Err("not a number from 1 to 1000000".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, clap::Parser)]
    struct Flags {
        #[command(flatten)]
        web: WebFlags<9095>,
        #[command(flatten)]
        log: LogFlags,
    }

    fn parse(arguments: &[&str]) -> Result<Flags, String> {
        let arguments = std::iter::once("program").chain(arguments.iter().copied());
        <Flags as clap::Parser>::try_parse_from(arguments).map_err(|error| error.to_string())
    }

    #[test]
    fn defaults_are_the_programs_port_and_prometheus_levels() {
        let flags = parse(&[]).unwrap();
        assert_eq!(flags.web.listen_address, [ListenAddress::any(9095)]);
        assert_eq!((flags.web.max_connections, flags.web.shutdown_timeout), (512, Duration::from_secs(10)));
        assert_eq!(flags.log, LogFlags { level: LogLevel::Info, format: LogFormat::Logfmt });
    }

    #[test]
    fn each_program_has_a_port_of_its_own_in_one_process() {
        let usual = |command: clap::Command| {
            command
                .get_arguments()
                .find(|one| one.get_id() == "web.listen-address")
                .map(|one| one.get_default_values().to_vec())
        };
        let one = usual(WebFlags::<9095>::augment_args(clap::Command::new("one"))).unwrap();
        let other = usual(WebFlags::<9796, true>::augment_args(clap::Command::new("other"))).unwrap();
        assert_eq!((one[0].to_str(), other[0].to_str()), (Some(":9095"), Some("127.0.0.1:9796")));
    }

    #[test]
    fn a_program_may_listen_on_loopback_alone() {
        #[derive(clap::Parser)]
        struct Flags {
            #[command(flatten)]
            web: WebFlags<9796, true>,
        }
        let given =
            |arguments: &[&str]| <Flags as clap::Parser>::parse_from(arguments).web.listen_address[0].to_string();
        assert_eq!(given(&["program"]), "127.0.0.1:9796");
        assert_eq!(given(&["program", "--web.listen-address=:9796"]), ":9796");
    }

    #[test]
    fn an_address_given_replaces_the_default_and_repeats() {
        let flags = parse(&["--web.listen-address=127.0.0.1:1", "--web.listen-address", "[::1]:2"]).unwrap();
        let shown: Vec<_> = flags.web.listen_address.iter().map(ToString::to_string).collect();
        assert_eq!(shown, ["127.0.0.1:1", "[::1]:2"]);
    }

    #[test]
    fn durations_as_prometheus_writes_them() {
        for (text, seconds) in [
            ("1m30s", 90.0),
            ("500ms", 0.5),
            ("1.5h", 5400.0),
            ("0s", 0.0),
            ("2d", 172_800.0),
            ("1w", 604_800.0),
            ("1d12h", 129_600.0),
        ] {
            assert_eq!(duration(text).map(|duration| duration.as_secs_f64()), Ok(seconds), "{text}");
        }
        for text in ["", "5", "1mo", "1y", "soon", "99999999999999w"] {
            assert!(duration(text).unwrap_err().starts_with("not a duration"), "{text}");
        }
    }

    #[test]
    fn bad_values_name_the_flag() {
        for (argument, says) in [
            ("--web.listen-address=9095", "no port"),
            ("--web.max-connections=0", "not a number from 1 to 1000000"),
            ("--web.shutdown-timeout=soon", "not a duration"),
            ("--web.shutdown-timeout=-1s", "cannot be negative"),
            ("--log.level=loud", "possible values: debug, info, warn, error"),
        ] {
            let message = parse(&[argument]).unwrap_err();
            let flag = argument.split('=').next().unwrap();
            assert!(message.contains(flag) && message.contains(says), "{argument}: {message}");
        }
    }
}
