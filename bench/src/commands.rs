//! What is done with figures that were measured: kept, compared, shown.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Subcommand;

use crate::baseline::{self, Choice};
use crate::compare::{Comparison, Form, Verdict, measured_anew, tell};
use crate::page;
use crate::pictures;
use crate::report::Report;

/// The one whose figures docs/performance.md has.
const PUBLISHED: &str = "bench/baseline/published.json";
const RUN: &str = "target/bench";

/// What is done with them instead of measuring.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Keep the figures of a run as the baseline; benches that were not run stay in it as they are
    ///
    /// What is saved where the documentation takes it from says of which commit it is, and of what machine; a file of your own takes any.
    Save {
        /// Where
        #[arg(default_value = PUBLISHED)]
        baseline: PathBuf,
        /// Folder with the JSON of the run
        #[arg(default_value = RUN)]
        run: PathBuf,
        /// Keep those of these benches alone
        #[arg(long = "bench", value_name = "NAME", value_delimiter = ',')]
        benches: Vec<String>,
        /// Keep all, though they are of several commits
        #[arg(long, conflicts_with = "benches")]
        mixed: bool,
    },
    /// Say what became worse and what better since the baseline was saved, worst first; exit status 1 if something became worse, 2 if nothing could be judged
    ///
    /// A figure has changed if the repeats of the two runs lie apart, lowest to highest, and the medians differ by more than a threshold, or by three times
    /// as much if there were too few repeats to say something. Between machines only ratios are judged. Benches that were not run since are only named.
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
    ///
    /// The pictures of these benches are copied into images/ beside the page, where the run still is the one that was saved.
    Docs {
        /// The page
        #[arg(default_value = "docs/performance.md")]
        page: PathBuf,
        /// What `bench save` has kept
        #[arg(default_value = PUBLISHED)]
        baseline: PathBuf,
        /// Folder with the pictures of the run
        #[arg(default_value = RUN)]
        run: PathBuf,
    },
}

// === impl Command ===

impl Command {
    pub(crate) fn run(self) -> anyhow::Result<ExitCode> {
        match self {
            Self::Save { baseline, run, benches, mixed } => {
                let published = baseline == Path::new(PUBLISHED);
                let saved = baseline::save(&run, &baseline, &Choice { benches, mixed, published })?;
                println!("{} has the figures of {}: {}", baseline.display(), run.display(), saved.join(", "));
            }
            Self::Compare { baseline, run, threshold, markdown, only_tell } => {
                let before = baseline::load(&baseline)?;
                let after = measured_anew(&before, baseline::load(&run)?);
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
            Self::Docs { page, baseline, run } => write_page(&page, &baseline::load(&baseline)?, &run)?,
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// Its tables, and the pictures of what it shows.
fn write_page(page: &Path, reports: &[Report], run: &Path) -> anyhow::Result<()> {
    let text = std::fs::read_to_string(page).with_context(|| format!("cannot read {}", page.display()))?;
    let rendered = page::render(&text, reports).with_context(|| format!("cannot write {}", page.display()))?;
    baseline::write(page, &rendered)?;
    let shown = page::benches(&text);
    for report in reports {
        if shown.contains(report.bench.as_str()) {
            pictures::copy(report, run, page)?;
        } else {
            eprintln!("{} has no place for the figures of {}", page.display(), report.bench);
        }
    }
    for picture in pictures::missing(page, &rendered) {
        eprintln!("{} names {picture}, which is not there", page.display());
    }
    Ok(())
}
