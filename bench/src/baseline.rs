//! What was measured, kept: reports of many benches in one file, each as it was written by its run.

use std::ffi::OsStr;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
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

/// Puts the reports of the run into the baseline, and leaves those of other benches as they are there. The names of those that it put there.
pub(crate) fn save(run: &Path, baseline: &Path) -> anyhow::Result<Vec<String>> {
    let measured = load(run)?;
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

fn of_run(folder: &Path) -> anyhow::Result<Vec<Report>> {
    let entries = fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?;
    let paths = entries.map(|entry| Ok(entry?.path())).collect::<anyhow::Result<Vec<PathBuf>>>()?;
    let reports = paths.iter().filter(|path| path.extension() == Some(OsStr::new("json"))).map(|path| read(path));
    let reports = reports.collect::<anyhow::Result<Vec<_>>>()?;
    anyhow::ensure!(!reports.is_empty(), "{} has no reports: run `make bench`", folder.display());
    Ok(reports)
}

fn read<T: DeserializeOwned>(file: &Path) -> anyhow::Result<T> {
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
        assert_eq!(save(&run, &baseline).expect("it is saved"), ["memory", "spawn"]);
        let (before, again) = (load(&run).expect("a run"), report("spawn", 3.0));
        assert_eq!(load(&baseline).expect("a baseline"), before);
        fs::remove_file(run.join("memory.json")).expect("it is there");
        again.publish(&run).expect("it is written");
        assert_eq!(save(&run, &baseline).expect("it is saved"), ["spawn"]);
        assert_eq!(load(&baseline).expect("a baseline"), [before[0].clone(), again]);
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
