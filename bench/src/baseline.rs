//! What was measured, kept: reports of many benches in one file, each as it was written by its run.
//!
//! A folder has reports of many runs, since each bench leaves its own there until it is run anew: what is kept together is told by name, or is of one
//! commit. What is published says of which.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail, ensure};
use serde::de::DeserializeOwned;

use crate::report::Report;

/// The reports of a baseline, which is a file, or of a run, which is a folder with a file for each bench; by name.
pub(crate) fn load(path: &Path) -> anyhow::Result<Vec<Report>> {
    let mut reports = if path.is_dir() { of_run(path)? } else { read(path)? };
    reports.sort_by(|a, b| a.bench.cmp(&b.bench));
    if let Some(twice) = reports.windows(2).find(|pair| pair[0].bench == pair[1].bench) {
        anyhow::bail!("{} has two reports of {}: remove one", path.display(), twice[0].bench);
    }
    Ok(reports)
}

/// Which reports of a run are kept.
#[derive(Debug, Default)]
pub(crate) struct Choice {
    /// Those of these benches; all where none is named.
    pub(crate) benches: Vec<String>,
    /// Of several commits, too.
    pub(crate) mixed: bool,
    /// For everybody: each has to say of what it is.
    pub(crate) published: bool,
}

/// Puts these reports of the run into the baseline, and leaves those of other benches as they are there. The names of those that it put there.
pub(crate) fn save(run: &Path, baseline: &Path, choice: &Choice) -> anyhow::Result<Vec<String>> {
    let measured = choice.of(load(run)?).with_context(|| format!("nothing of {} was saved", run.display()))?;
    let mut reports = match fs::exists(baseline).with_context(|| format!("cannot look for {}", baseline.display()))? {
        true => load(baseline)?,
        false => Vec::new(),
    };
    let names: Vec<String> = measured.iter().map(|report| report.bench.clone()).collect();
    reports.retain(|report| !names.contains(&report.bench));
    reports.extend(measured);
    reports.sort_by(|a, b| a.bench.cmp(&b.bench));
    let json = serde_json::to_string_pretty(&reports).context("reports are JSON")?;
    write(baseline, &(json + "\n"))?;
    Ok(names)
}

/// In one step: half of a file would have lost the other half.
pub(crate) fn write(file: &Path, text: &str) -> anyhow::Result<()> {
    let new = file.with_extension("new");
    fs::write(&new, text).with_context(|| format!("cannot write {}", new.display()))?;
    fs::rename(&new, file).with_context(|| format!("cannot write {}", file.display()))
}

// === impl Choice ===

impl Choice {
    /// Those of them, or why they cannot be kept.
    fn of(&self, mut reports: Vec<Report>) -> anyhow::Result<Vec<Report>> {
        if let Some(none) = self.benches.iter().find(|name| !reports.iter().any(|report| report.bench == **name)) {
            bail!("there is no report of {none}");
        }
        if !self.benches.is_empty() {
            reports.retain(|report| self.benches.contains(&report.bench));
        } else if !self.mixed {
            of_one_commit(&reports)?;
        }
        for report in &reports {
            let name = &report.bench;
            ensure!(!report.unfinished, "{name} has not come to its end: run it again, or name the others (--bench)");
            if self.published
                && let Some(unknown) = unknown(report)
            {
                bail!(
                    "{name} {unknown}: measure it anew after `make bench-build`, or save it for yourself in another file"
                );
            }
        }
        Ok(reports)
    }
}

fn of_one_commit(reports: &[Report]) -> anyhow::Result<()> {
    let mut commits = BTreeMap::<_, Vec<_>>::new();
    for report in reports {
        let commit = report.commit.as_deref().unwrap_or("an unknown commit");
        commits.entry(commit).or_default().push(report.bench.as_str());
    }
    let commits: Vec<_> =
        commits.iter().map(|(commit, benches)| format!("{} of {commit}", benches.join(", "))).collect();
    ensure!(
        commits.len() <= 1,
        "the reports are of several commits ({}): name some (--bench), or take all (--mixed)",
        commits.join("; ")
    );
    Ok(())
}

/// What a report does not say though others want to know it.
fn unknown(report: &Report) -> Option<&'static str> {
    match &report.commit {
        None => Some("does not say of which commit it is"),
        Some(commit) if commit.ends_with("-dirty") => Some("is of sources that no commit has"),
        Some(_) if report.debug => Some("is of a debug build"),
        Some(_) => report.machine.memory.is_none().then_some("does not say how much memory the machine has"),
    }
}

fn of_run(folder: &Path) -> anyhow::Result<Vec<Report>> {
    let entries = fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?;
    let paths = entries.map(|entry| Ok(entry?.path())).collect::<anyhow::Result<Vec<PathBuf>>>()?;
    let reports = paths.iter().filter(|path| path.extension() == Some(OsStr::new("json"))).map(|path| read(path));
    let reports = reports.collect::<anyhow::Result<Vec<_>>>()?;
    anyhow::ensure!(!reports.is_empty(), "{} has no reports: run `make bench`", folder.display());
    Ok(reports)
}

pub(crate) fn read<T: DeserializeOwned>(file: &Path) -> anyhow::Result<T> {
    let text = fs::read_to_string(file).map_err(|error| match error.kind() {
        ErrorKind::NotFound => {
            anyhow::anyhow!("{} is not there: `bench save` makes a baseline of a run", file.display())
        }
        _ => anyhow::Error::new(error).context(format!("cannot read {}", file.display())),
    })?;
    serde_json::from_str(&text).with_context(|| format!("{} has no reports of this version of bench", file.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Figure;

    fn report(bench: &str, value: f64) -> Report {
        let mut report = Report::new(bench).expect("this machine is known");
        report.add(Figure::one("a", "s", value).at_most(2.0));
        report
    }

    #[test]
    fn a_baseline_keeps_what_was_not_measured_anew() {
        let folder = tempfile::tempdir().expect("a folder");
        let (run, baseline) = (folder.path().join("run"), folder.path().join("baseline.json"));
        fs::create_dir(&run).expect("a folder");
        for (bench, value) in [("spawn", 1.0), ("memory", 2.0)] {
            report(bench, value).publish(&run).expect("it is written");
        }
        let all = Choice::default();
        assert_eq!(save(&run, &baseline, &all).expect("it is saved"), ["memory", "spawn"]);
        let (before, again) = (load(&run).expect("a run"), report("spawn", 3.0));
        assert_eq!(load(&baseline).expect("a baseline"), before);
        fs::remove_file(run.join("memory.json")).expect("it is there");
        again.publish(&run).expect("it is written");
        assert_eq!(save(&run, &baseline, &all).expect("it is saved"), ["spawn"]);
        assert_eq!(load(&baseline).expect("a baseline"), [before[0].clone(), again]);
    }

    fn of_commit(bench: &str, commit: Option<&str>) -> Report {
        Report { commit: commit.map(str::to_owned), debug: false, ..report(bench, 1.0) }
    }

    fn named(benches: &[&str]) -> Choice {
        Choice { benches: benches.iter().map(|bench| (*bench).to_owned()).collect(), ..Choice::default() }
    }

    fn chosen(choice: &Choice, reports: &[Report]) -> Result<Vec<String>, String> {
        let chosen = choice.of(reports.to_vec()).map_err(|error| error.to_string())?;
        Ok(chosen.into_iter().map(|report| report.bench).collect())
    }

    #[test]
    fn what_is_of_several_commits_is_not_kept_together_by_chance() {
        let reports = [of_commit("memory", Some("0a")), of_commit("spawn", Some("0b")), of_commit("storm", None)];
        let told = chosen(&Choice::default(), &reports).expect_err("they are of several");
        assert!(told.contains("(memory of 0a; spawn of 0b; storm of an unknown commit)"), "{told}");
        assert_eq!(chosen(&Choice { mixed: true, ..Choice::default() }, &reports).map(|all| all.len()), Ok(3));
        assert_eq!(chosen(&Choice::default(), &reports[..1]).map(|all| all.len()), Ok(1));
        let two = Ok(vec!["memory".to_owned(), "storm".to_owned()]);
        assert_eq!(chosen(&named(&["storm", "memory"]), &reports), two);
        assert_eq!(chosen(&named(&["storm", "soak"]), &reports), Err("there is no report of soak".to_owned()));
    }

    #[test]
    fn what_has_not_come_to_its_end_is_not_kept() {
        let half = Report { unfinished: true, ..of_commit("fleet", None) };
        let reports = [half, of_commit("spawn", None)];
        let told = chosen(&Choice::default(), &reports).expect_err("it is unfinished");
        assert!(told.starts_with("fleet has not come to its end: "), "{told}");
        assert_eq!(chosen(&named(&["spawn"]), &reports).map(|all| all.len()), Ok(1));
    }

    #[test]
    fn what_is_published_says_of_what_it_is() {
        let published = Choice { published: true, ..Choice::default() };
        let kept = |report: Report| chosen(&published, &[report]).map(drop);
        let mut small = of_commit("spawn", Some("0a"));
        small.machine.memory = None;
        let debug = Report { debug: true, ..of_commit("spawn", Some("0a")) };
        for report in [of_commit("spawn", None), of_commit("spawn", Some("0a-dirty")), debug, small] {
            assert_eq!(chosen(&Choice::default(), std::slice::from_ref(&report)).map(drop), Ok(()));
            let told = kept(report).expect_err("something is not known");
            assert!(told.starts_with("spawn ") && told.contains(": measure it anew"), "{told}");
        }
        assert_eq!(kept(of_commit("spawn", Some("0a"))), Ok(()));
    }

    #[test]
    fn what_is_no_report_is_told_with_its_file() {
        let folder = tempfile::tempdir().expect("a folder");
        let told = |path: &Path| format!("{:#}", load(path).expect_err("there is none"));
        assert!(told(folder.path()).contains("run `make bench`"));
        let file = folder.path().join("spawn.json");
        assert!(told(&file).contains("spawn.json is not there"));
        fs::write(&file, "{\"bench\": 1}").expect("it is written");
        assert!(told(folder.path()).contains("spawn.json has no reports"));
    }
}
