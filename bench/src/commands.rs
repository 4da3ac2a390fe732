//! What is done with figures that were measured: kept, compared, shown.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Subcommand;

use crate::baseline;
use crate::compare::{Comparison, Form, Verdict, tell};
use crate::page;

/// The one whose figures docs/performance.md has.
const PUBLISHED: &str = "bench/baseline/published.json";
const RUN: &str = "target/bench";

/// What is done with them instead of measuring.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Keep the figures of a run as the baseline; benches that were not run stay in it as they are
    Save {
        /// Where
        #[arg(default_value = PUBLISHED)]
        baseline: PathBuf,
        /// Folder with the JSON of the run
        #[arg(default_value = RUN)]
        run: PathBuf,
    },
    /// Say what became worse and what better since the baseline was saved, worst first; exit status 1 if something became worse, 2 if nothing could be judged
    ///
    /// A figure has changed if the repeats of the two runs lie apart, lowest to highest, and the medians differ by more than a threshold, or by three times
    /// as much if there were too few repeats to say something. Between machines only ratios are judged.
    Compare {
        /// What `bench save` has kept, or a folder of another run
        #[arg(default_value = PUBLISHED)]
        baseline: PathBuf,
        /// Folder with the JSON of the run, or another baseline
        #[arg(default_value = RUN)]
        run: PathBuf,
        /// By how much medians have to differ
        #[arg(long, value_name = "PERCENT", default_value_t = 10)]
        threshold: u32,
        /// Print Markdown
        #[arg(long)]
        markdown: bool,
        /// Exit status 0 whatever became worse
        #[arg(long)]
        only_tell: bool,
    },
    /// Write the tables of a page from the baseline: what is between <!-- bench:NAME --> and <!-- /bench -->
    Docs {
        /// The page
        #[arg(default_value = "docs/performance.md")]
        page: PathBuf,
        /// What `bench save` has kept
        #[arg(default_value = PUBLISHED)]
        baseline: PathBuf,
    },
}

// === impl Command ===

impl Command {
    pub(crate) fn run(self) -> anyhow::Result<ExitCode> {
        match self {
            Self::Save { baseline, run } => {
                let saved = baseline::save(&run, &baseline)?;
                println!("{} has the figures of {}: {}", baseline.display(), run.display(), saved.join(", "));
            }
            Self::Compare { baseline, run, threshold, markdown, only_tell } => {
                let (before, after) = (baseline::load(&baseline)?, baseline::load(&run)?);
                let comparison = Comparison::of(&before, &after, f64::from(threshold) / 100.0);
                let form = if markdown { Form::Markdown } else { Form::Terminal };
                print!("{}", tell(&comparison, form));
                anyhow::ensure!(
                    comparison.has_judged(),
                    "nothing could be judged: no figure of the two can be held against each other"
                );
                if comparison.count(Verdict::Worse) > 0 && !only_tell {
                    return Ok(ExitCode::FAILURE);
                }
            }
            Self::Docs { page, baseline } => {
                let text = std::fs::read_to_string(&page).with_context(|| format!("cannot read {}", page.display()))?;
                let reports = baseline::load(&baseline)?;
                let rendered =
                    page::render(&text, &reports).with_context(|| format!("cannot write {}", page.display()))?;
                baseline::write(&page, &rendered)?;
                for report in reports.iter().filter(|report| !page::benches(&text).contains(report.bench.as_str())) {
                    eprintln!("{} has no place for the figures of {}", page.display(), report.bench);
                }
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}
