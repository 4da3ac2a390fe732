//! What a bench found: a table for people, JSON for everything else.

mod figure;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::Context as _;
use procfs::{Current as _, Meminfo};
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
    /// Of the sources that it was built from, the programs of this workspace too; with `-dirty` where they had been changed since.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) commit: Option<String>,
    /// Not built as programs are that are installed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) debug: bool,
    /// Its bench has not come to its end, or had not when this was written.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) unfinished: bool,
    /// Of the programs that took part, by name, as each says itself.
    pub(crate) versions: BTreeMap<String, String>,
    pub(crate) figures: Vec<Figure>,
    #[serde(skip)]
    pub(crate) programs: &'static [&'static str],
}

/// The part by which the memories of two machines of one kind may differ: a fiftieth.
const MEMORIES: u64 = 50;

/// Where it was measured: absolute figures of two machines are not comparable.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Machine {
    pub(crate) processor: String,
    pub(crate) processors: usize,
    /// Its version, without what a distribution adds.
    pub(crate) kernel: String,
    /// MiB in all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) memory: Option<u64>,
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
            memory: Some(Meminfo::current()?.mem_total >> 20),
            load: Some(procfs::LoadAverage::current()?.one),
        })
    }

    /// Whether much else was under way: more than a bench leaves to the next one.
    pub(crate) fn is_busy(&self) -> bool {
        self.load.is_some_and(|load| load > 2.0 * self.processors as f32)
    }

    /// Processor, their number, kernel, and memory where it is known.
    pub(crate) fn class(&self) -> String {
        let memory = self.memory.map_or_else(String::new, |memory| format!(", {:.1} GiB", memory as f64 / 1024.0));
        format!("{} × {}, Linux {}{memory}", self.processors, self.processor, self.kernel)
    }

    /// Whether the figures of the two can be held against each other. Two machines of one kind differ by some MiB, and older reports do not say it.
    pub(crate) fn is_alike(&self, other: &Self) -> bool {
        let same_memory = self.memory.zip(other.memory).is_none_or(|(a, b)| a.abs_diff(b) * MEMORIES < a.max(b));
        same_memory
            && (&self.processor, self.processors, &self.kernel) == (&other.processor, other.processors, &other.kernel)
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
            commit: Some(service::build_info!().revision.to_owned()).filter(|commit| !commit.is_empty()),
            debug: cfg!(debug_assertions),
            unfinished: false,
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

    /// The same figures of several runs, each with one value of a run.
    pub(crate) fn add_runs(&mut self, runs: &[Vec<Figure>]) {
        let figures = runs.iter().map(Vec::len).min().unwrap_or_default();
        let of_runs = |at: usize| Figure::of_runs(&runs.iter().map(|run| &run[at]).collect::<Vec<_>>());
        self.figures.extend((0..figures).filter_map(of_runs));
    }

    /// The figures that miss their targets, in words.
    pub(crate) fn missed(&self) -> impl Iterator<Item = String> {
        let missed = self.figures.iter().filter(|figure| figure.met == Some(false));
        missed.map(|figure| {
            let [name, value, spread, wanted] = figure.row();
            format!("{}: {name}: {value} ({spread}), wanted {wanted}", self.bench)
        })
    }

    /// Prints the table and writes `FOLDER/BENCH.json`.
    pub(crate) fn publish(&self, folder: &Path) -> anyhow::Result<()> {
        println!("{}", self.table());
        self.write(folder)
    }

    /// Writes `FOLDER/BENCH.json`.
    fn write(&self, folder: &Path) -> anyhow::Result<()> {
        let file = folder.join(format!("{}.json", self.bench));
        let json = serde_json::to_string_pretty(self).context("a report is JSON")?;
        fs::write(&file, json + "\n").with_context(|| format!("cannot write {}", file.display()))
    }

    /// Writes what there is so far.
    pub(crate) fn write_unfinished(&self, folder: &Path) -> anyhow::Result<()> {
        Self { unfinished: true, ..self.clone() }.write(folder)
    }

    /// When and on what it was measured.
    pub(crate) fn circumstances(&self) -> String {
        let load = self.machine.load.map_or_else(String::new, |load| format!(", load {load:.1} at the start"));
        let commit = self.commit.as_ref().map_or_else(String::new, |commit| format!(", commit {commit}"));
        let build = if self.debug { ", debug build" } else { "" };
        let end = if self.unfinished { ", unfinished" } else { "" };
        let date = self.started.split('T').next().unwrap_or_default();
        format!("{date}, {}{load}{commit}{build}{end}", self.machine.class())
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

#[cfg(test)]
mod tests {
    use super::*;

    fn lost(count: f64) -> Figure {
        Figure::one("lost", "", count).at_most(0.0).or_not()
    }

    #[test]
    fn the_circumstances_are_those_that_are_known() {
        let json = r#"{"bench": "a", "started": "2026-11-21T10:00:00+0000", "versions": {}, "figures": [],
            "machine": {"processor": "P", "processors": 2, "kernel": "6.18"}}"#;
        let old: Report = serde_json::from_str(json).expect("an older report can be read");
        assert_eq!(old.circumstances(), "2026-11-21, 2 × P, Linux 6.18");
        let machine = Machine { memory: Some(23_910), load: Some(0.26), ..old.machine.clone() };
        let new = Report { machine, commit: Some("0a1b2c-dirty".to_owned()), ..old };
        let said = "2026-11-21, 2 × P, Linux 6.18, 23.3 GiB, load 0.3 at the start, commit 0a1b2c-dirty";
        assert_eq!(new.circumstances(), said);
    }

    #[test]
    fn runs_are_repeats_of_their_figures_and_what_is_missed_has_words() {
        let mut report = Report::new("b").expect("this machine is known");
        let run = |count, took| vec![lost(count), Figure::one("took", "s", took).lower()];
        report.add_runs(&[run(0.0, 1.0), run(2.0, 3.0)]);
        let figures: Vec<_> = report.figures.iter().map(|figure| (figure.median, figure.repeats)).collect();
        assert_eq!(figures, [(1.0, 2), (2.0, 2)]);
        assert_eq!(report.missed().collect::<Vec<_>>(), ["b: lost: 1 (0 to 2 of 2), wanted at most 0"]);
    }
}
