//! The command line: checkscript-runner's, and where and how results are pushed.

use std::collections::HashSet;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, ValueEnum};
use exposition::is_label_name;
use service::ConfigError;

use super::config::{self, Gateway, Kind};

/// Flags of the agent's own server, which runs where one of them is given.
pub type WebFlags = service::WebFlags<9781>;

const EXAMPLES: &str = "\
Examples:
  pushgateway-agent --push.gateway=http://push.example.org:9091 -d /etc/sensu/conf.d
  pushgateway-agent --push.config.file=/etc/pushgateway-agent/push.yml --push.queue.file=/var/lib/pushgateway-agent/queue
  pushgateway-agent list                                   which checks run on this node, the next one first";

/// Runs Sensu check scripts on their schedule and pushes each result to pushgateway-ex.
///
/// It is checkscript-runner, with the same definitions, log, signals and tools, for hosts that cannot be scraped.
#[derive(Clone, Debug, Parser)]
#[command(name = "pushgateway-agent", version, infer_long_args = true, args_override_self = true)]
#[command(subcommand_help_heading = "Tools", after_help = EXAMPLES)]
pub struct Flags {
    /// Flags of the runner.
    #[command(flatten)]
    pub runner: checkscript_runner::cli::Options,

    /// Flags of pushing.
    #[command(flatten)]
    pub push: PushFlags,

    /// Flags of the server.
    #[command(flatten, next_help_heading = "Metrics of the agent itself, served where one of these is given")]
    pub web: Option<WebFlags>,
}

/// What happens at a stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum OnStop {
    /// What waits is pushed.
    Push,
    /// The gateways forget the results of this agent.
    Delete,
}

/// Where and how results are pushed.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Pushing")]
pub struct PushFlags {
    /// A pushgateway-ex that gets every result, repeatable: its base URL
    #[arg(long = "push.gateway", value_name = "URL", value_parser = service::unshown(service::http::base_url))]
    urls: Vec<url::Url>,

    /// File with the gateways that need credentials or TLS settings, in YAML
    #[arg(long = "push.config.file", value_name = "FILE")]
    config_file: Option<PathBuf>,

    /// The gateways of --push.gateway are plain Pushgateways: they get the checks' metrics, without output and history
    #[arg(long = "push.metrics-only")]
    metrics_only: bool,

    /// The label `job` of what is pushed; by the default alertmanager-proxy tells it from what is scraped
    #[arg(long = "push.job", value_name = "NAME", default_value = "checkscript-push", value_parser = job)]
    pub job: String,

    /// The label `instance` of what is pushed; empty: none [default: the client's name]
    #[arg(long = "push.instance", value_name = "NAME")]
    pub instance: Option<String>,

    /// A further label of what is pushed, repeatable
    #[arg(long = "push.label", value_name = "NAME=VALUE", value_parser = label)]
    pub labels: Vec<(String, String)>,

    /// How long results are gathered, to be pushed together
    #[arg(long = "push.interval", value_name = "DURATION", default_value = "1s", value_parser = service::duration)]
    pub interval: Duration,

    /// How long a gateway may take to answer
    #[arg(long = "push.timeout", value_name = "DURATION", default_value = "10s", value_parser = some_time)]
    pub timeout: Duration,

    /// How long a result stays in pushgateway-ex if its check is not pushed again, whatever the check's ttl is: more than the
    /// longest interval; 0s: as the check's ttl and the gateway's own --push.ttl say
    #[arg(long = "push.ttl", value_name = "DURATION", default_value = "0s", value_parser = service::duration)]
    pub ttl: Duration,

    /// Bytes of output that are pushed of a result; the rest is cut, which the output then says
    #[arg(long = "push.output-bytes", value_name = "BYTES", default_value_t = 1 << 20)]
    pub output_bytes: usize,

    /// Bytes of results that wait for one gateway; over that the oldest are dropped
    #[arg(long = "push.queue.bytes", value_name = "BYTES", default_value_t = 64 << 20, value_parser = some_bytes)]
    pub queue_bytes: usize,

    /// File that keeps what waits over a restart [default: only the memory does]
    #[arg(long = "push.queue.file", value_name = "FILE")]
    pub queue_file: Option<PathBuf>,

    /// What happens at a stop
    #[arg(long = "push.on-stop", value_name = "WHAT", value_enum, default_value_t = OnStop::Push)]
    pub on_stop: OnStop,

    /// How long that may take
    #[arg(long = "push.stop-timeout", value_name = "DURATION", default_value = "10s", value_parser = service::duration)]
    pub stop_timeout: Duration,
}

impl PushFlags {
    /// The gateways of flags and file.
    ///
    /// # Errors
    /// When there is none, or something is wrong with them, or with the labels that they get.
    pub fn gateways(&self) -> Result<Vec<Gateway>, ConfigError> {
        self.no_label_twice()?;
        let kind = if self.metrics_only { Kind::Metrics } else { Kind::Results };
        let own =
            self.urls.iter().map(|url| Gateway { url: url.clone(), kind, http: service::http::HttpConfig::default() });
        let mut all: Vec<Gateway> = Vec::new();
        let listed = self.config_file.as_deref().map(config::load).transpose()?;
        for gateway in own.chain(listed.unwrap_or_default()) {
            if all.iter().any(|known| known.url == gateway.url) {
                return Err(ConfigError::new(format_args!(
                    "{} is there twice; each gateway gets every result once",
                    gateway.url
                )));
            }
            all.push(gateway);
        }
        if all.is_empty() {
            return Err(ConfigError::new("no gateway to push to: give --push.gateway=URL or --push.config.file=FILE"));
        }
        Ok(all)
    }

    fn no_label_twice(&self) -> Result<(), ConfigError> {
        let mut seen = HashSet::new();
        match self.labels.iter().find(|(name, _)| !seen.insert(name)) {
            Some((name, _)) => Err(ConfigError::new(format_args!("--push.label={name}=… is there twice"))),
            None => Ok(()),
        }
    }
}

/// In no time no gateway answers.
fn some_time(text: &str) -> Result<Duration, String> {
    match service::duration(text)? {
        Duration::ZERO => Err("must be longer than 0s".to_owned()),
        time => Ok(time),
    }
}

/// In no bytes no result waits.
fn some_bytes(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(bytes @ 1..) => Ok(bytes),
        _ => Err("not a number from 1".to_owned()),
    }
}

fn job(text: &str) -> Result<String, String> {
    if text.is_empty() { Err("a job needs a name".to_owned()) } else { Ok(text.to_owned()) }
}

fn label(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("write it like `site=tokyo`")?;
    // `check` and `source` are the results' own.
    let taken = ["job", "instance", "check", "source"].contains(&name) || name.starts_with("__");
    match is_label_name(name) && !taken {
        true => Ok((name.to_owned(), value.to_owned())),
        false => Err(format!("`{name}` cannot be a label's name here")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flags(more: &[&str]) -> Result<Flags, String> {
        let line = ["pushgateway-agent"].iter().chain(more);
        checkscript_runner::cli::read(line).map_err(|error| error.to_string())
    }

    #[test]
    fn the_runners_command_line_is_taken_as_it_is_and_the_server_only_where_it_is_asked_for() {
        let line = [
            "-c",
            "b",
            "-c",
            "a.json",
            "-d",
            "b",
            "-l",
            "log",
            "--push.gateway=http://gw:9091/",
            "--push.gateway=http://b",
        ];
        let flags = flags(&line).unwrap();
        assert_eq!(flags.push.gateways().unwrap().len(), 2);
        assert_eq!((flags.runner.file(), flags.runner.log), (Some("a.json".into()), Some("log".into())));
        assert!(flags.web.is_none());
        assert_eq!(flags.push.gateways().unwrap()[0].url.as_str(), "http://gw:9091/");
    }

    #[test]
    fn one_flag_of_the_server_asks_for_it() {
        let web = flags(&["--web.listen-address=127.0.0.1:0"]).unwrap().web.unwrap();
        assert_eq!(web.listen_address.len(), 1);
        let web = flags(&["--web.max-connections=7"]).unwrap().web.unwrap();
        assert_eq!(web.listen_address[0].to_string(), ":9781");
    }

    #[test]
    fn mistakes_are_told() {
        let told = flags(&[]).unwrap().push.gateways().unwrap_err().to_string();
        assert!(told.starts_with("no gateway to push to"), "{told}");
        let twice = ["--push.gateway=http://a", "--push.gateway=http://a/"];
        let told = flags(&twice).unwrap().push.gateways().unwrap_err().to_string();
        assert!(told.contains("is there twice"), "{told}");
        let labels = ["--push.gateway=http://a", "--push.label=a=b", "--push.label=c=b", "--push.label=a=c"];
        let told = flags(&labels).unwrap().push.gateways().unwrap_err().to_string();
        assert_eq!(told, "--push.label=a=… is there twice");
        assert!(flags(&labels[..3]).unwrap().push.gateways().is_ok());
        for bad in ["--push.gateway=ftp://a", "--push.job=", "--push.label=job=x", "--push.label=a", "--push.label=1=x"]
        {
            assert!(flags(&[bad]).is_err(), "{bad}");
        }
        for (zero, says) in [
            ("--push.timeout=0s", "must be longer than 0s"),
            ("--push.queue.bytes=0", "not a number from 1"),
            ("--push.queue.bytes=-1", "not a number from 1"),
        ] {
            let told = flags(&[zero]).unwrap_err();
            assert!(told.contains(says), "{told}");
        }
    }
}
