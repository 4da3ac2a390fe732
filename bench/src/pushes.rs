//! pushgateway-ex and Debian's Pushgateway, and a client that pushes to them.

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use reqwest::Client;
use service::http::{ClientOptions, read_limited, upstream_client};
use tokio::runtime::Runtime;

use crate::Settings;
use crate::program::{Program, beside, ending_with_us, existing};
use crate::server::{Patience, free_address};

/// Connections that push at a time.
const CONNECTIONS: usize = 16;
/// For a gateway to come up, which is timed.
const PATIENCE: Patience = Patience { look: Duration::from_millis(10), most: Duration::from_secs(60) };
/// Bytes of an answer to a push.
const ANSWER: usize = 1 << 16;

/// A gateway under measurement.
#[derive(Debug)]
pub(crate) struct Gateway {
    pub(crate) program: Program,
    pub(crate) base: String,
    /// From its start until it was ready.
    pub(crate) ready: Duration,
}

/// What is pushed: a body for each group, and where.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Push {
    /// Ten gauges with help and type, about 1 kB.
    Metrics,
    /// A check result with 2 KB of output.
    Result,
}

/// How pushes went.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pushed {
    pub(crate) count: usize,
    pub(crate) took: Duration,
}

/// A client with a runtime of its own.
#[derive(Debug)]
pub(crate) struct Pusher {
    client: Client,
    runtime: Runtime,
}

// === impl Gateway ===

impl Gateway {
    /// Ours, with these flags; its store, if it has one, in `store`.
    pub(crate) fn ours(store: Option<&Path>, flags: &[&str], pusher: &Pusher) -> anyhow::Result<Self> {
        Self::ours_at(&free_address()?, store, flags, pusher)
    }

    /// Ours at that address, where one was before.
    pub(crate) fn ours_at(
        address: &str,
        store: Option<&Path>,
        flags: &[&str],
        pusher: &Pusher,
    ) -> anyhow::Result<Self> {
        Self::start(ending_with_us(beside("pushgateway-ex")?), address, (store, flags), pusher)
    }

    /// Debian's.
    pub(crate) fn theirs(
        settings: &Settings,
        store: Option<&Path>,
        flags: &[&str],
        pusher: &Pusher,
    ) -> anyhow::Result<Self> {
        let command = ending_with_us(existing(&settings.tools.join("bin/pushgateway"))?);
        Self::start(command, &free_address()?, (store, flags), pusher)
    }

    fn start(
        mut command: Command,
        address: &str,
        (store, flags): (Option<&Path>, &[&str]),
        pusher: &Pusher,
    ) -> anyhow::Result<Self> {
        command.arg(format!("--web.listen-address={address}")).args(flags);
        command.arg(format!("--persistence.file={}", store.map_or(String::new(), |file| file.display().to_string())));
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let (base, started) = (format!("http://{address}"), Instant::now());
        let program = Program::start(&mut command)?;
        let ready = format!("{base}/-/ready");
        PATIENCE.until(&format!("{base} is ready"), || Ok(pusher.is_ready(&ready)))?;
        Ok(Self { program, base, ready: started.elapsed() })
    }

    /// Asks it to stop, and waits until it has.
    pub(crate) fn stop(self) -> anyhow::Result<()> {
        self.program.stop()
    }
}

// === impl Push ===

impl Push {
    fn request(self, group: usize, round: usize) -> (String, String) {
        match self {
            Self::Metrics => {
                let family = |metric: usize| {
                    let name = format!("bench_metric_{metric}");
                    let head = format!("# HELP {name} A metric of the bench\n# TYPE {name} gauge\n");
                    format!("{head}{name}{{kind=\"gauge\"}} {}.5\n", round + metric)
                };
                let lines = (0..10).map(family);
                (format!("/metrics/job/bench/instance/node-{group}.example.org:9100"), lines.collect())
            }
            Self::Result => {
                let output = format!("DISK OK: run {round}\n{}", file_systems(group, round));
                let body = serde_json::json!({
                    "name": "disk", "command": "check-disk.sh -w 80 -c 90", "interval": 60, "handlers": ["mail"],
                    "issued": 1_795_228_248 + round, "executed": 1_795_228_248 + round, "duration": 0.012, "output": output, "status": 0,
                });
                (format!("/checks/job/bench/instance/node-{group}.example.org"), body.to_string())
            }
        }
    }
}

/// A table as `df` prints it, 2 kB with other numbers for each group and round: one that compresses as outputs do.
fn file_systems(group: usize, round: usize) -> String {
    let mut state = (group as u64) << 32 | round as u64 | 1;
    let mut number = |below: u64| {
        // Knuth's multiplier; the high bits are the good ones.
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % below
    };
    let mut table = String::with_capacity(2_100);
    while table.len() < 2_000 {
        let (disk, size, used) = (number(26), number(900_000_000), number(100));
        let (left, folder) = (size / 100 * (100 - used), number(100_000));
        table.push_str(&format!("/dev/vd{disk:<4} {size:>10} {left:>10} {used:>3}% /srv/data-{folder}\n"));
    }
    table
}

// === impl Pushed ===

impl Pushed {
    pub(crate) fn rate(self) -> f64 {
        self.count as f64 / self.took.as_secs_f64()
    }
}

// === impl Pusher ===

impl Pusher {
    pub(crate) fn new() -> anyhow::Result<Self> {
        let options = ClientOptions { timeout: Duration::from_secs(600), ..ClientOptions::new(service::build_info!()) };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        Ok(Self { client: upstream_client(&options)?, runtime })
    }

    fn is_ready(&self, url: &str) -> bool {
        let answer = self.runtime.block_on(async { self.client.get(url).send().await });
        answer.is_ok_and(|answer| answer.status().is_success())
    }

    /// Puts each of the first `groups` groups once, over 16 connections, for at most `limit`.
    pub(crate) fn put(
        &self,
        base: &str,
        push: Push,
        (groups, round): (usize, usize),
        limit: Duration,
    ) -> anyhow::Result<Pushed> {
        let next = Arc::new(AtomicUsize::new(0));
        let failure = Arc::new(Mutex::new(None));
        let (started, done) = (Instant::now(), Arc::new(AtomicUsize::new(0)));
        self.runtime.block_on(async {
            let mut all = tokio::task::JoinSet::new();
            for _ in 0..CONNECTIONS.min(groups) {
                let (client, base, next, done, failure) =
                    (self.client.clone(), base.to_owned(), Arc::clone(&next), Arc::clone(&done), Arc::clone(&failure));
                all.spawn(async move {
                    while started.elapsed() < limit {
                        let group = next.fetch_add(1, Ordering::Relaxed);
                        if group >= groups {
                            return;
                        }
                        let (path, body) = push.request(group, round);
                        if let Err(error) = put(&client, format!("{base}{path}"), body).await {
                            failure.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
                            return;
                        }
                        done.fetch_add(1, Ordering::Relaxed);
                    }
                });
            }
            while all.join_next().await.is_some() {}
        });
        let took = started.elapsed();
        match failure.lock().unwrap_or_else(PoisonError::into_inner).take() {
            Some(error) => Err(error),
            None => Ok(Pushed { count: done.load(Ordering::Relaxed), took }),
        }
    }
}

async fn put(client: &Client, url: String, body: String) -> anyhow::Result<()> {
    let answer = client.put(&url).body(body).send().await.with_context(|| format!("cannot push to {url}"))?;
    let status = answer.status();
    let body = read_limited(answer, ANSWER).await.with_context(|| format!("cannot read {url}"))?;
    anyhow::ensure!(status.is_success(), "{url} answered {status}: {}", String::from_utf8_lossy(&body));
    Ok(())
}
