//! What a bench found: a table for people, JSON for everything else.

mod figure;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::Context as _;
use procfs::Current as _;
use serde::{Deserialize, Serialize};

use crate::table::plain;

pub(crate) use figure::{Better, Figure, Kind};

/// The figures of one bench.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Report {
    pub(crate) bench: String,
    /// Begins with the date.
    pub(crate) started: String,
    pub(crate) machine: Machine,
    /// Not built as programs are that are installed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) debug: bool,
    /// Of the programs that took part, by name, as each says itself.
    pub(crate) versions: BTreeMap<String, String>,
    pub(crate) figures: Vec<Figure>,
    #[serde(skip)]
    programs: &'static [&'static str],
}

/// Where it was measured: absolute figures of two machines are not comparable.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Machine {
    pub(crate) processor: String,
    pub(crate) processors: usize,
    /// Its version, without what a distribution adds.
    pub(crate) kernel: String,
    /// Processes that were ready to run, mean of the minute before: above 0 somebody else was at work.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) load: Option<f32>,
}

// === impl Machine ===

impl Machine {
    fn here() -> anyhow::Result<Self> {
        let info = fs::read_to_string("/proc/cpuinfo").context("cannot read /proc/cpuinfo")?;
        let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").context("cannot read the kernel's version")?;
        let name = info.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
        Ok(Self {
            processor: name.map_or_else(|| "unknown".to_owned(), |(_, name)| name.to_owned()),
            processors: std::thread::available_parallelism()?.get(),
            kernel: kernel.trim().split('-').next().unwrap_or_default().to_owned(),
            load: Some(procfs::LoadAverage::current()?.one),
        })
    }

    /// Whether much else was under way: more than a bench leaves to the next one.
    pub(crate) fn is_busy(&self) -> bool {
        self.load.is_some_and(|load| load > 2.0 * self.processors as f32)
    }

    /// Processor, their number, and kernel.
    pub(crate) fn class(&self) -> String {
        format!("{} × {}, Linux {}", self.processors, self.processor, self.kernel)
    }
}

// === impl Report ===

impl Report {
    pub(crate) fn new(bench: &str) -> anyhow::Result<Self> {
        eprintln!("{bench} …");
        Ok(Self {
            bench: bench.to_owned(),
            started: jiff::Zoned::now().strftime("%Y-%m-%dT%H:%M:%S%z").to_string(),
            machine: Machine::here()?,
            debug: cfg!(debug_assertions),
            versions: BTreeMap::new(),
            figures: Vec::new(),
            programs: &[],
        })
    }

    /// The programs that take part, ours and others'.
    pub(crate) fn of(self, programs: &'static [&'static str]) -> Self {
        Self { programs, ..self }
    }

    /// Of all programs that there are, those that take part.
    pub(crate) fn with_versions(mut self, all: &BTreeMap<String, String>) -> Self {
        let version = |name: &&str| Some(((*name).to_owned(), all.get(*name)?.clone()));
        self.versions = self.programs.iter().filter_map(version).collect();
        self
    }

    pub(crate) fn add(&mut self, figure: Figure) {
        self.figures.push(figure);
    }

    /// Whether every figure with a target meets it.
    pub(crate) fn is_met(&self) -> bool {
        self.figures.iter().all(|figure| figure.met != Some(false))
    }

    /// Prints the table and writes `FOLDER/BENCH.json`.
    pub(crate) fn publish(&self, folder: &Path) -> anyhow::Result<()> {
        println!("{}", self.table());
        let file = folder.join(format!("{}.json", self.bench));
        let json = serde_json::to_string_pretty(self).context("a report is JSON")?;
        fs::write(&file, json + "\n").with_context(|| format!("cannot write {}", file.display()))
    }

    /// When and on what it was measured.
    pub(crate) fn circumstances(&self) -> String {
        let load = self.machine.load.map_or_else(String::new, |load| format!(", load {load:.1} at the start"));
        let build = if self.debug { ", debug build" } else { "" };
        format!("{}, {}{load}{build}", self.started.split('T').next().unwrap_or_default(), self.machine.class())
    }

    fn table(&self) -> String {
        let row = |figure: &Figure| {
            let [name, value, spread, target] = figure.row();
            let verdict = match figure.met {
                None => "",
                Some(true) => "met",
                Some(false) => "MISSED",
            };
            [name, value, spread, target, verdict.to_owned()]
        };
        let rows: Vec<_> = self.figures.iter().map(row).collect();
        format!("\n## {} ({})\n{}", self.bench, self.circumstances(), plain(&rows))
    }
}
