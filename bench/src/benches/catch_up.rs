//! How quickly the agent reads a large log, beside serde_json's borrowed parse of the same lines and Debian's mtail.
//!
//! The parse takes what the agent needs of a line (`timestamp`, `message`, and of the check its name, status, times and output) and
//! throws it away; both read the file from the page cache. mtail extracts the status alone, once.

use std::borrow::Cow;
use std::fs::{self, File};
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::Stdio;
use std::time::Instant;

use anyhow::Context as _;
use serde::Deserialize;

use crate::Settings;
use crate::agent::Agent;
use crate::http::Fetcher;
use crate::log_lines::{Log, LogLines};
use crate::program::{Cpu, ending_with_us};
use crate::report::{Figure, Report};
use crate::stats::{Samples, ratio};

const LINES: LogLines = LogLines { checks: 200, runs_a_status: 30 };
const REPEATS: usize = 3;
/// Memory must be the same after this as after the whole log, but for a tenth that an allocator may be off by.
const SMALL: u64 = 100_000_000;
const FLAT: f64 = 1.1;
const MTAIL: &str = r#"gauge checkscript_status by check
/"message":"publishing check result".*"name":"(?P<name>[^"]+)","issued".*"status":(?P<status>\d+)\}/ {
  checkscript_status[$name] = $status
}
"#;

pub(crate) fn run(settings: &Settings) -> anyhow::Result<Report> {
    let mut report = Report::new("catch-up")?.of(&["checkscript-agent", "mtail"]);
    let log = LINES.write(settings.out.join("catch-up.log"), settings.log_bytes)?;
    let small = LINES.write(settings.out.join("catch-up-small.log"), SMALL.min(settings.log_bytes))?;
    let mut found = Found::default();
    for _ in 0..REPEATS.min(settings.repeats) {
        found.turn(&log)?;
    }
    report.add(Figure::given("log", "MB", log.megabytes));
    let wall = ratio(&found.agent, &found.parse);
    let typical = Samples::from_iter(found.agent.iter().copied()).median();
    report.add(figure("agent", "MB/s", found.agent).higher());
    report.add(figure("serde_json, borrowed", "MB/s", found.parse));
    report.add(figure("agent to serde_json", "x", wall).ratio().at_least(1.0));
    report.add(figure("agent, a second of CPU", "MB/s", found.agent_cpu).higher());
    report.add(figure("serde_json, a second of CPU", "MB/s", found.parse_cpu));
    match mtail(&settings.tools, &log)? {
        Some(rate) => {
            report.add(Figure::one("mtail", "MB/s", rate));
            report.add(Figure::one("agent to mtail", "x", typical / rate).ratio().at_least(20.0));
        }
        None => eprintln!("mtail is not in target/tools: not measured"),
    }
    let (_, _, small_peak) = agent(&small)?;
    report.add(Figure::one(format!("agent, peak after {:.0} MB", small.megabytes), "MiB", small_peak).lower());
    let growth = found.peak.iter().map(|peak| peak / small_peak).collect();
    report.add(figure("agent, peak after the whole log", "MiB", found.peak).lower());
    report.add(figure("agent, peak of the whole log to that", "x", growth).ratio().at_most(FLAT));
    Ok(report)
}

#[derive(Default)]
struct Found {
    agent: Vec<f64>,
    agent_cpu: Vec<f64>,
    parse: Vec<f64>,
    parse_cpu: Vec<f64>,
    peak: Vec<f64>,
}

// === impl Found ===

impl Found {
    fn turn(&mut self, log: &Log) -> anyhow::Result<()> {
        let (wall, cpu) = parse(log)?;
        self.parse.push(wall);
        self.parse_cpu.push(cpu);
        let (wall, cpu, peak) = agent(log)?;
        self.agent.push(wall);
        self.agent_cpu.push(cpu);
        self.peak.push(peak);
        Ok(())
    }
}

fn figure(name: &str, unit: &'static str, values: Vec<f64>) -> Figure {
    Figure::new(name, unit, &Samples::from_iter(values))
}

/// Megabytes a second, megabytes a second of CPU, and the most memory in MiB, from an agent's start until it has read all.
fn agent(log: &Log) -> anyhow::Result<(f64, f64, f64)> {
    let agent = Agent::start(&log.path)?;
    let took = agent.wait_for_lines(&Fetcher::new()?, log.lines)?;
    let cpu = agent.program.cpu()?.own;
    Ok((log.megabytes / took.as_secs_f64(), log.megabytes / cpu, agent.program.memory()?.peak))
}

#[derive(Deserialize)]
#[expect(dead_code, reason = "what is parsed is thrown away")]
struct Event<'a> {
    #[serde(borrow)]
    timestamp: Cow<'a, str>,
    #[serde(borrow)]
    message: Cow<'a, str>,
    #[serde(borrow)]
    payload: Option<Payload<'a>>,
}

#[derive(Deserialize)]
#[expect(dead_code, reason = "what is parsed is thrown away")]
struct Payload<'a> {
    #[serde(borrow)]
    client: Cow<'a, str>,
    #[serde(borrow)]
    check: Check<'a>,
}

#[derive(Deserialize)]
#[expect(dead_code, reason = "what is parsed is thrown away")]
struct Check<'a> {
    #[serde(borrow)]
    name: Cow<'a, str>,
    status: i64,
    executed: Option<i64>,
    duration: Option<f64>,
    #[serde(borrow)]
    output: Cow<'a, str>,
}

/// Megabytes a second, and a second of CPU.
fn parse(log: &Log) -> anyhow::Result<(f64, f64)> {
    let (started, before) = (Instant::now(), Cpu::here()?);
    let mut reader = BufReader::with_capacity(1 << 20, File::open(&log.path)?);
    let (mut line, mut lines) = (Vec::new(), 0);
    while reader.read_until(b'\n', &mut line)? > 0 {
        let event: Event<'_> = serde_json::from_slice(&line).context("a line of the log is JSON")?;
        std::hint::black_box(&event);
        line.clear();
        lines += 1;
    }
    anyhow::ensure!(lines == log.lines, "{lines} of {} lines were parsed", log.lines);
    let cpu = (Cpu::here()? - before).own;
    Ok((log.megabytes / started.elapsed().as_secs_f64(), log.megabytes / cpu))
}

/// Megabytes a second; `None` where there is no mtail.
fn mtail(tools: &Path, log: &Log) -> anyhow::Result<Option<f64>> {
    let mtail = tools.join("root/usr/bin/mtail");
    if !mtail.exists() {
        return Ok(None);
    }
    let folder = tempfile::tempdir()?;
    let program = folder.path().join("status.mtail");
    fs::write(&program, MTAIL)?;
    let mut command = ending_with_us(mtail);
    command.arg("--one_shot").arg("--one_shot_format=prometheus").arg("--log_dir").arg(folder.path());
    command.arg("--progs").arg(&program).arg("--logs").arg(&log.path).stderr(Stdio::null());
    let started = Instant::now();
    let output = command.output().context("cannot start mtail")?;
    let took = started.elapsed().as_secs_f64();
    let found = String::from_utf8_lossy(&output.stdout).matches("checkscript_status{").count() as u64;
    anyhow::ensure!(output.status.success() && found == LINES.checks, "mtail found {found} of {} checks", LINES.checks);
    Ok(Some(log.megabytes / took))
}
