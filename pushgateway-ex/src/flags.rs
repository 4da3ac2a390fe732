//! The command line: the reference's flags, and those of what it does not have.

mod shared;

use std::ffi::OsString;
use std::path::Path;
use std::time::Duration;

use clap::{Args, Parser, ValueEnum};

use service::Allowed;

pub use self::shared::SharedFlags;
use crate::groups::{CheckTtl, Expired, Fates, Limits};
use crate::store::Sync;
use crate::web::route::is_taken;

/// The Prometheus Pushgateway's API on an incremental, durable store.
#[derive(Clone, Debug, Parser)]
#[command(name = "pushgateway-ex", version)]
pub struct Flags {
    /// Path under which to expose metrics
    #[arg(long = "web.telemetry-path", value_name = "PATH", default_value = "/metrics", value_parser = telemetry_path)]
    pub(crate) telemetry_path: String,

    /// The URL under which the gateway is reached from outside, for redirects and links; its path is the default of
    /// --web.route-prefix
    #[arg(long = "web.external-url", value_name = "URL", value_parser = service::unshown(url))]
    external_url: Option<String>,

    /// Prefix of all paths [default: the path of --web.external-url]
    #[arg(long = "web.route-prefix", value_name = "PATH", value_parser = prefix)]
    route_prefix: Option<String>,

    /// Let PUT and POST /-/quit stop the gateway
    #[arg(long = "web.enable-lifecycle")]
    pub(crate) enable_lifecycle: bool,

    /// Let PUT /api/v1/admin/wipe delete all groups
    #[arg(long = "web.enable-admin-api")]
    pub(crate) enable_admin_api: bool,

    /// Answer pushes with 202, whether they fit what is there or not; one that does not is dropped, and
    /// push_failure_time_seconds tells
    #[arg(long = "push.disable-consistency-check")]
    pub(crate) disable_consistency_check: bool,

    /// How long a group, or a check's result, stays that is not pushed again, where neither the header Pushgateway-TTL nor the
    /// check's own ttl says it; 0s: for ever
    #[arg(long = "push.ttl", value_name = "DURATION", default_value = "0s", value_parser = service::duration)]
    pub(crate) ttl: Duration,

    /// What becomes of it when its time is over by the header or --push.ttl
    #[arg(long = "push.expired", value_name = "HOW", value_enum, default_value_t = Expired::Delete)]
    expired: Expired,

    /// What becomes of a check's result that is not pushed again within the check's own ttl
    #[arg(long = "push.check-ttl", value_name = "HOW", value_enum, default_value_t = CheckTtl::Mark)]
    pub(crate) check_ttl: CheckTtl,

    /// Flags that the reference's start scripts may have.
    #[command(flatten)]
    _reference: ReferenceFlags,

    /// Flags of what may be pushed.
    #[command(flatten)]
    pub(crate) limits: LimitFlags,

    /// Flags of check results.
    #[command(flatten)]
    pub(crate) detail: DetailFlags,

    /// Flags of the storage.
    #[command(flatten)]
    pub(crate) storage: StorageFlags,

    /// Flags of the web server.
    #[command(flatten)]
    pub web: service::WebFlags<9091>,

    /// Flags of the log.
    #[command(flatten)]
    pub logging: service::LogFlags,
}

/// What the reference takes besides: each switch can be turned off again, and Debian's binary is told where its page is. They are taken,
/// and say nothing that is not so without them.
#[derive(Clone, Debug, Args)]
pub struct ReferenceFlags {
    #[arg(long = "no-web.enable-lifecycle", hide = true, overrides_with = "enable_lifecycle")]
    _no_lifecycle: bool,

    #[arg(long = "no-web.enable-admin-api", hide = true, overrides_with = "enable_admin_api")]
    _no_admin_api: bool,

    #[arg(long = "no-push.disable-consistency-check", hide = true, overrides_with = "disable_consistency_check")]
    _no_disabled_check: bool,

    #[arg(long = "web.local-assets", value_name = "DIRECTORY", hide = true)]
    _local_assets: Option<OsString>,
}

/// How much may be pushed.
#[derive(Clone, Debug, Args)]
pub struct LimitFlags {
    /// Bytes of a push, decompressed; a larger one gets 413
    #[arg(long = "push.max-body-bytes", value_name = "BYTES", default_value_t = 16 << 20)]
    pub(crate) max_body: usize,

    /// Groups that are kept; a push that would make another gets 429
    #[arg(long = "push.max-groups", value_name = "N", default_value_t = 1_000_000)]
    max_groups: usize,

    /// Series of one group; a push that would make more gets 413
    #[arg(long = "push.max-series", value_name = "N", default_value_t = 100_000)]
    pub(crate) max_series: usize,

    /// Bytes of one label's name and value; a push with a longer one gets 413
    #[arg(long = "push.max-label-bytes", value_name = "BYTES", default_value_t = 64 << 10)]
    pub(crate) max_label: usize,
}

/// What is kept of check results, and who may read it.
#[derive(Clone, Debug, Args)]
pub struct DetailFlags {
    /// Bytes of output kept of each check's last result
    #[arg(long = "detail.output-bytes", value_name = "BYTES", default_value_t = 1 << 20)]
    pub(crate) output: usize,

    /// Bytes that a check result takes in memory, its outputs cut; a larger one gets 413
    #[arg(long = "detail.max-bytes", value_name = "BYTES", default_value_t = 4 << 20)]
    pub(crate) most: usize,

    /// Users of the web config that may read the detail API, and nobody else but --detail.allow-client-names [default: everybody
    /// whom the web config lets in]
    #[arg(long = "detail.allow-users", value_name = "NAME,...", value_delimiter = ',', value_parser = name)]
    users: Vec<String>,

    /// Names in client certificates (common name, DNS name, IP address, URI, e-mail address) whose holders may read the detail API,
    /// without a password, and nobody else but --detail.allow-users
    #[arg(long = "detail.allow-client-names", value_name = "NAME,...", value_delimiter = ',', value_parser = name)]
    client_names: Vec<String>,

    /// Requests of the detail API, its pages and the page of groups answered at a time; further ones get 503
    #[arg(long = "web.max-requests", value_name = "N", default_value_t = 40, value_parser = clap::value_parser!(u16).range(1..))]
    max_requests: u16,
}

/// Where pushes are kept.
#[derive(Clone, Debug, Args)]
pub struct StorageFlags {
    /// File that keeps what was pushed over a restart; empty: nothing is kept
    #[arg(long = "persistence.file", value_name = "FILE", default_value = "")]
    file: OsString,

    /// How often the file is copied to FILE.copy while pushes come in, and with --storage.sync=interval how old a push may become
    /// before it is on the disk
    #[arg(long = "persistence.interval", value_name = "DURATION", default_value = "5m", value_parser = service::duration)]
    pub(crate) interval: Duration,

    /// When a push is on the disk: before it is answered, or at the latest after --persistence.interval
    #[arg(long = "storage.sync", value_name = "WHEN", value_enum, default_value_t = SyncFlag::Always, requires = "file")]
    sync: SyncFlag,

    /// Flags of a store for several gateways.
    #[command(flatten)]
    pub(crate) shared: SharedFlags,
}

/// The words of `--storage.sync`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum SyncFlag {
    /// Before the answer.
    Always,
    /// After the interval.
    Interval,
}

impl Flags {
    /// What stands before every path: empty, or `/…` without a slash at its end.
    pub(crate) fn prefix(&self) -> String {
        let from_url = || {
            let url = self.external_url.as_deref()?;
            let (_, rest) = url.split_once("://")?;
            rest.split_once('/').map(|(_, path)| path.to_owned())
        };
        let prefix = self.route_prefix.clone().or_else(from_url).unwrap_or_default();
        let prefix = prefix.trim_matches('/');
        if prefix.is_empty() { String::new() } else { format!("/{prefix}") }
    }

    /// Host and port of the gateway as browsers know it, where that is said.
    pub(crate) fn external_host(&self) -> Option<String> {
        let (_, rest) = self.external_url.as_deref()?.split_once("://")?;
        rest.split('/').next().map(str::to_owned)
    }

    pub(crate) fn fates(&self) -> Fates {
        Fates { pushed: self.expired, own: self.check_ttl }
    }

    /// Names and values as `/api/v1/status` shows them.
    pub(crate) fn shown(&self) -> Vec<(&'static str, String)> {
        let storage = &self.storage;
        vec![
            ("web.telemetry-path", self.telemetry_path.clone()),
            ("web.external-url", self.external_url.clone().unwrap_or_default()),
            ("web.route-prefix", self.prefix()),
            ("web.max-requests", self.detail.max_requests.to_string()),
            ("web.enable-lifecycle", self.enable_lifecycle.to_string()),
            ("web.enable-admin-api", self.enable_admin_api.to_string()),
            ("push.disable-consistency-check", self.disable_consistency_check.to_string()),
            ("push.ttl", format!("{:?}", self.ttl)),
            ("push.expired", format!("{:?}", self.expired).to_lowercase()),
            ("push.check-ttl", format!("{:?}", self.check_ttl).to_lowercase()),
            ("push.max-body-bytes", self.limits.max_body.to_string()),
            ("push.max-groups", self.limits.max_groups.to_string()),
            ("push.max-series", self.limits.max_series.to_string()),
            ("push.max-label-bytes", self.limits.max_label.to_string()),
            ("detail.output-bytes", self.detail.output.to_string()),
            ("detail.max-bytes", self.detail.most.to_string()),
            ("persistence.file", storage.file.display().to_string()),
            ("persistence.interval", format!("{:?}", storage.interval)),
            ("storage.sync", format!("{:?}", storage.sync).to_lowercase()),
            ("storage", storage.shared.shown()),
        ]
    }
}

impl LimitFlags {
    pub(crate) fn kept(&self) -> Limits {
        Limits { groups: self.max_groups, series: self.max_series }
    }
}

impl DetailFlags {
    pub(crate) fn max_requests(&self) -> usize {
        usize::from(self.max_requests)
    }

    pub(crate) fn allowed(&self) -> Allowed {
        Allowed { users: self.users.clone(), client_names: self.client_names.clone() }
    }
}

impl StorageFlags {
    pub(crate) fn file(&self) -> Option<&Path> {
        (!self.file.is_empty()).then(|| Path::new(&self.file))
    }

    pub(crate) fn sync(&self) -> Sync {
        match self.sync {
            SyncFlag::Always => Sync::Always,
            SyncFlag::Interval => Sync::Interval(self.interval),
        }
    }
}

/// An empty name would be the name of nobody, or of everybody, by whom it is read.
fn name(name: &str) -> Result<String, String> {
    if name.is_empty() { Err("a name is empty".to_owned()) } else { Ok(name.to_owned()) }
}

/// The path of scrapes, which is nothing else's.
fn telemetry_path(path: &str) -> Result<String, String> {
    match path.strip_prefix('/') {
        Some(rest) if !rest.is_empty() && !rest.ends_with('/') => check_path(rest)?,
        _ => return Err("not a path such as /metrics".to_owned()),
    }
    if is_taken(path) { Err("the gateway answers something else there".to_owned()) } else { Ok(path.to_owned()) }
}

fn prefix(prefix: &str) -> Result<String, String> {
    check_path(prefix.trim_matches('/'))?;
    Ok(prefix.to_owned())
}

fn url(url: &str) -> Result<String, String> {
    match url.split_once("://") {
        Some(("http" | "https", rest)) => {
            let path = rest.split_once('/').map_or("", |(_, path)| path);
            check_path(path.trim_matches('/'))?;
            Ok(url.to_owned())
        }
        _ => Err("not a URL such as https://push.example.org/gateway/".to_owned()),
    }
}

/// Whether the router takes a path, without the slashes at its ends, as it stands, and requests for it come as it stands.
fn check_path(path: &str) -> Result<(), String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/-._~!$&'()+,;=@".contains(c);
    if let Some(other) = path.chars().find(|&c| !plain(c)) {
        return Err(format!("a path cannot have {other:?} here"));
    }
    let parts = path.split('/').filter(|_| !path.is_empty());
    match parts.into_iter().find(|part| ["", ".", ".."].contains(part)) {
        Some("") => Err("a path cannot have `//`".to_owned()),
        Some(part) => Err(format!("a path cannot have a part `{part}`")),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(flags: &[&str]) -> Result<Flags, String> {
        Flags::try_parse_from(["pushgateway-ex"].iter().chain(flags)).map_err(|error| error.to_string())
    }

    #[test]
    fn paths_that_the_router_would_not_take_or_that_are_taken_are_refused() {
        for flag in [
            "--web.telemetry-path=/{x",
            "--web.telemetry-path=/:x",
            "--web.telemetry-path=/*x",
            "--web.telemetry-path=/a//b",
            "--web.telemetry-path=/a b",
            "--web.telemetry-path=metrics",
            "--web.telemetry-path=/",
            "--web.telemetry-path=/a/",
            "--web.telemetry-path=/a/../b",
            "--web.telemetry-path=/api/v1/checks",
            "--web.telemetry-path=/api/v1/checks/x/history",
            "--web.telemetry-path=/api/v1/metrics",
            "--web.telemetry-path=/metrics/job/x",
            "--web.telemetry-path=/-/ready",
            "--web.route-prefix=/{x",
            "--web.route-prefix=/a//b",
            "--web.route-prefix=/a?b",
            "--web.external-url=http://h/{x",
            "--web.external-url=http://h/a//b/",
            "--web.external-url=ftp://h/",
        ] {
            let error = parsed(&[flag]).expect_err(flag);
            assert!(error.contains("invalid value"), "{flag}: {error}");
        }
        for (flag, prefix, telemetry) in [
            ("--web.telemetry-path=/metrics/own", "", "/metrics/own"),
            ("--web.telemetry-path=/a-b/c.d", "", "/a-b/c.d"),
            ("--web.route-prefix=/", "", "/metrics"),
            ("--web.route-prefix=a/b/", "/a/b", "/metrics"),
            ("--web.external-url=https://h:9091", "", "/metrics"),
            ("--web.external-url=https://h:9091/push/gw/", "/push/gw", "/metrics"),
        ] {
            let flags = parsed(&[flag]).expect(flag);
            assert_eq!((&*flags.prefix(), &*flags.telemetry_path), (prefix, telemetry), "{flag}");
        }
    }

    #[test]
    fn a_store_that_is_none_cannot_be_synced() {
        let error = parsed(&["--storage.sync=interval"]).unwrap_err();
        assert!(error.contains("--persistence.file"), "{error}");
        assert!(parsed(&["--storage.sync=interval", "--persistence.file=f"]).is_ok());
    }

    #[test]
    fn the_references_other_flags_are_taken() {
        let on = |flags: &[&str]| {
            let flags = parsed(flags).unwrap();
            (flags.enable_lifecycle, flags.enable_admin_api, flags.disable_consistency_check)
        };
        let no = ["--no-web.enable-lifecycle", "--no-web.enable-admin-api", "--no-push.disable-consistency-check"];
        let yes = ["--web.enable-lifecycle", "--web.enable-admin-api", "--push.disable-consistency-check"];
        assert_eq!(on(&no), (false, false, false));
        assert_eq!(on(&[yes, no].concat()), (false, false, false));
        assert_eq!(on(&[no, yes].concat()), (true, true, true));
        assert_eq!(on(&["--web.local-assets=/usr/share/prometheus/pushgateway"]), (false, false, false));
    }
}
