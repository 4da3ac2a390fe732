//! The pictures of a report, and those that a page names.

use std::fs;
use std::path::Path;

use anyhow::Context as _;

use crate::baseline;
use crate::benches::fleet::plot;
use crate::report::Report;

/// Where they are, beside the page.
const FOLDER: &str = "images/";

/// Copies those of the report beside the page, where the run's are of this report and not of a later one.
pub(crate) fn copy(report: &Report, run: &Path, page: &Path) -> anyhow::Result<()> {
    let of = run.join(format!("{}.json", report.bench));
    if !of.exists() || baseline::read::<Report>(&of)?.started != report.started {
        return Ok(());
    }
    let folder = page.with_file_name(FOLDER);
    for picture in plot::pictures(&report.bench).map(|file| run.join(file)).iter().filter(|file| file.exists()) {
        fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        let to = folder.join(picture.file_name().unwrap_or_default());
        fs::copy(picture, &to).with_context(|| format!("cannot copy {} to {}", picture.display(), to.display()))?;
    }
    Ok(())
}

/// Those that the page names, which has this text, and that are not there.
pub(crate) fn missing<'a>(page: &Path, text: &'a str) -> Vec<&'a str> {
    let named = text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    named.filter(|name| name.starts_with(FOLDER) && !page.with_file_name(name).exists()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_of_the_report_that_is_shown_are_copied_and_no_others() {
        let folder = tempfile::tempdir().expect("a folder");
        let (run, page) = (folder.path().join("run"), folder.path().join("docs/page.md"));
        fs::create_dir_all(&run).expect("a folder");
        let report = Report::new("fleet").expect("this machine is known");
        report.publish(&run).expect("it is written");
        for file in ["fleet-memory.svg", "fleet-whole-memory.svg"] {
            fs::write(run.join(file), "<svg/>").expect("it is written");
        }
        let text = "![a](images/fleet-memory.svg) [b](c.md) ![d](images/fleet-whole-memory.svg)";
        assert_eq!(missing(&page, text).len(), 2);
        let later = Report { started: "later".to_owned(), ..report.clone() };
        copy(&later, &run, &page).expect("nothing is copied");
        assert_eq!(missing(&page, text).len(), 2);
        copy(&report, &run, &page).expect("it is copied");
        assert_eq!(missing(&page, text), ["images/fleet-whole-memory.svg"]);
        copy(&Report { bench: "spawn".to_owned(), ..report }, &run, &page).expect("it was not run");
    }
}
