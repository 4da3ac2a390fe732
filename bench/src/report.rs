//! What a bench found: a table for people, JSON for everything else.

use std::fs;
use std::path::Path;

use anyhow::Context as _;
use procfs::Current as _;
use serde::Serialize;

use crate::stats::Samples;

/// The figures of one bench.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    bench: &'static str,
    started: String,
    machine: Machine,
    figures: Vec<Figure>,
}

/// Where it was measured: figures of two machines are not comparable.
#[derive(Debug, Serialize)]
struct Machine {
    processor: String,
    processors: usize,
    kernel: String,
    /// Processes that were ready to run, mean of the minute before: above 0 somebody else was at work.
    load: f32,
}

/// One figure: the median of its repeats, with the lowest and the highest.
#[derive(Debug, Serialize)]
pub(crate) struct Figure {
    name: String,
    unit: &'static str,
    median: f64,
    lowest: f64,
    highest: f64,
    repeats: usize,
    target: Option<Target>,
    met: Option<bool>,
}

#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
enum Target {
    AtMost(f64),
    AtLeast(f64),
}

/// What sums of clock ticks may be off by as floating-point numbers.
const ROUNDING: f64 = 1e-9;

// === impl Figure ===

impl Figure {
    pub(crate) fn new(name: impl Into<String>, unit: &'static str, repeats: &Samples) -> Self {
        Self {
            name: name.into(),
            unit,
            median: repeats.median(),
            lowest: repeats.lowest(),
            highest: repeats.highest(),
            repeats: repeats.len(),
            target: None,
            met: None,
        }
    }

    pub(crate) fn one(name: impl Into<String>, unit: &'static str, value: f64) -> Self {
        Self::new(name, unit, &Samples::from_iter([value]))
    }

    pub(crate) fn at_most(self, bound: f64) -> Self {
        Self { target: Some(Target::AtMost(bound)), met: Some(self.median <= bound + ROUNDING), ..self }
    }

    pub(crate) fn at_least(self, bound: f64) -> Self {
        Self { target: Some(Target::AtLeast(bound)), met: Some(self.median >= bound - ROUNDING), ..self }
    }

    fn row(&self) -> [String; 5] {
        let spread = match self.repeats {
            1 => String::new(),
            n => format!("{} to {} of {n}", number(self.lowest), number(self.highest)),
        };
        let target = match self.target {
            None => String::new(),
            Some(Target::AtMost(bound)) => format!("at most {bound}"),
            Some(Target::AtLeast(bound)) => format!("at least {bound}"),
        };
        let verdict = match self.met {
            None => "",
            Some(true) => "met",
            Some(false) => "MISSED",
        };
        let value = format!("{} {}", number(self.median), self.unit);
        [self.name.clone(), value.trim_end().to_owned(), spread, target, verdict.to_owned()]
    }
}

/// Three digits are more than the measurements carry.
fn number(value: f64) -> String {
    match value.abs() {
        size if size >= 100.0 || value == 0.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        size if size >= 1.0 => format!("{value:.2}"),
        _ => format!("{value:.3}"),
    }
}

// === impl Machine ===

impl Machine {
    fn here() -> anyhow::Result<Self> {
        let info = fs::read_to_string("/proc/cpuinfo").context("cannot read /proc/cpuinfo")?;
        let name = info.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
        Ok(Self {
            processor: name.map_or_else(|| "unknown".to_owned(), |(_, name)| name.to_owned()),
            processors: std::thread::available_parallelism()?.get(),
            kernel: fs::read_to_string("/proc/sys/kernel/osrelease")?.trim().to_owned(),
            load: procfs::LoadAverage::current()?.one,
        })
    }
}

// === impl Report ===

impl Report {
    pub(crate) fn new(bench: &'static str) -> anyhow::Result<Self> {
        eprintln!("{bench} …");
        let started = jiff::Zoned::now().strftime("%Y-%m-%dT%H:%M:%S%z").to_string();
        Ok(Self { bench, started, machine: Machine::here()?, figures: Vec::new() })
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

    fn table(&self) -> String {
        let rows: Vec<_> = self.figures.iter().map(Figure::row).collect();
        let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
        let widths: Vec<_> = (0..5).map(width).collect();
        let mut table = format!("\n## {} ({}, load {:.1})\n", self.bench, self.started, self.machine.load);
        for row in &rows {
            let cells: Vec<_> = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}")).collect();
            table.push_str(cells.join("  ").trim_end());
            table.push('\n');
        }
        table
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_held_against_the_median() {
        let repeats = Samples::from_iter([1.0, 2.0, 9.0]);
        assert_eq!(Figure::new("a", "s", &repeats).at_most(2.0).met, Some(true));
        assert_eq!(Figure::new("a", "s", &repeats).at_least(2.1).met, Some(false));
        let row = Figure::new("a", "s", &repeats).at_most(1.5).row();
        assert_eq!(row, ["a", "2.00 s", "1.00 to 9.00 of 3", "at most 1.5", "MISSED"]);
    }

    #[test]
    fn what_was_not_measured_meets_no_target() {
        assert_eq!(Figure::new("a", "s", &Samples::default()).at_most(1.0).met, Some(false));
        assert_eq!(Figure::one("a", "", f64::NAN).at_least(0.0).met, Some(false));
    }
}
