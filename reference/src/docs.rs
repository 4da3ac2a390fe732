//! The pages of `docs/reference/`, and whether those that are committed are the ones that the code would give.

mod fields;
mod flags;
mod markdown;

use std::fs;
use std::path::Path;

use anyhow::{Context as _, bail};
use clap::Command;
use similar::TextDiff;

use crate::programs;

/// What mends pages that are not up to date.
const MEND: &str = "cargo run -p reference -- docs";

const MARK: &str = "<!-- Made by `cargo run -p reference -- docs` from the code. Edits here are lost. -->\n\n";

/// A file below `docs/reference/`.
struct Page {
    name: String,
    text: String,
}

/// Writes every page into `directory`, and takes away those that are none any more.
pub(crate) fn write(directory: &Path) -> anyhow::Result<()> {
    fs::create_dir_all(directory).with_context(|| format!("cannot make {}", directory.display()))?;
    let pages = pages()?;
    for stale in stale(directory, &pages)? {
        fs::remove_file(directory.join(&stale)).with_context(|| format!("cannot remove {stale}"))?;
    }
    for page in pages {
        let file = directory.join(page.name);
        fs::write(&file, page.text).with_context(|| format!("cannot write {}", file.display()))?;
    }
    Ok(())
}

/// Fails with what is different where the pages in `directory` are not those that [`write()`] would write.
pub(crate) fn check(directory: &Path) -> anyhow::Result<()> {
    let pages = pages()?;
    let mut wrong = 0;
    for stale in stale(directory, &pages)? {
        wrong += 1;
        eprintln!("{}: nothing makes this page any more", directory.join(stale).display());
    }
    for page in pages {
        let file = directory.join(&page.name);
        let old = fs::read_to_string(&file).unwrap_or_default();
        if old != page.text {
            wrong += 1;
            let name = file.display().to_string();
            eprint!("{}", TextDiff::from_lines(&old, &page.text).unified_diff().header(&name, "made from the code"));
        }
    }
    if wrong > 0 {
        bail!(
            "the reference is not that of the code ({wrong} pages, see above): run `{MEND}` and commit what it writes"
        );
    }
    Ok(())
}

/// Pages of the directory that were made by this once. What else lies there is somebody's, and left alone.
fn stale(directory: &Path, pages: &[Page]) -> anyhow::Result<Vec<String>> {
    let files = fs::read_dir(directory).with_context(|| format!("cannot read {}", directory.display()))?;
    let names = files.map(|file| Ok(file?.file_name().to_string_lossy().into_owned()));
    let names: Vec<String> = names.collect::<std::io::Result<_>>()?;
    let is_made = |name: &str| fs::read_to_string(directory.join(name)).is_ok_and(|text| text.starts_with(MARK));
    Ok(names.into_iter().filter(|name| is_made(name) && pages.iter().all(|page| page.name != *name)).collect())
}

fn pages() -> anyhow::Result<Vec<Page>> {
    let programs = programs::all();
    let mut pages = vec![index(&programs), web_config()?, http_client()?];
    for command in programs {
        pages.push(program(command)?);
    }
    Ok(pages)
}

fn web_config() -> anyhow::Result<Page> {
    let fields = fields::fields(&fields::web_config())?;
    let text = format!(
        "{MARK}# The web configuration\n\nThe file of `--web.config.file`, which every server takes: \
         [what differs from exporter-toolkit](../servers.md#web-config).\n\n{fields}"
    );
    Ok(Page { name: "web-config.md".to_owned(), text })
}

fn http_client() -> anyhow::Result<Page> {
    let fields = fields::fields(&fields::http_client())?;
    let text = format!(
        "{MARK}# How servers are asked\n\nWherever a configuration names a server, these say with which credentials, \
         certificates and headers it is asked, in the words of Prometheus's `http_config`. Files are relative to the \
         configuration, and read when it is.\n\n{fields}"
    );
    Ok(Page { name: "http-client.md".to_owned(), text })
}

fn index(programs: &[Command]) -> Page {
    let rows = programs.iter().map(|program| {
        let (name, about) = (program.get_name(), program.get_about().map(ToString::to_string).unwrap_or_default());
        vec![format!("[{name}]({name}.md)"), markdown::text(&about)]
    });
    let table = markdown::table(&["program", "what it does"], rows);
    let text = format!(
        "{MARK}# Reference\n\nEvery flag of every program and every field of its configuration, made from the code that reads them: what \
         a program takes is here, and what is here it takes. The flags are in the man pages (`man checkscript-runner`) and in `--help` too. \
         [The web configuration](web-config.md) and [how servers are asked](http-client.md) are the same for all programs.\n\n{table}"
    );
    Page { name: "README.md".to_owned(), text }
}

fn program(mut command: Command) -> anyhow::Result<Page> {
    command.build();
    let name = command.get_name().to_owned();
    let mut text = format!(
        "{MARK}# {name}: reference\n\n[What it is and how it is used](../{name}.md)\n\n## Command line\n\n{}",
        flags::section(&mut command)
    );
    if let Some(file) = fields::file(&name) {
        text += &format!("## Configuration file\n\n{}\n", fields::fields(&file)?);
    }
    let elsewhere = elsewhere(&name);
    if !elsewhere.is_empty() {
        text += "## Endpoints and metrics\n\n";
        text.extend(elsewhere.iter().map(|(title, link)| format!("- [{title}](../{link})\n")));
    }
    Ok(Page { name: format!("{name}.md"), text: format!("{}\n", text.trim_end()) })
}

/// Where the pages of a program say what it answers and measures.
fn elsewhere(program: &str) -> &'static [(&'static str, &'static str)] {
    const EVERY: (&str, &str) = ("endpoints of every server", "servers.md#endpoints");
    const MEASURES: (&str, &str) = ("metrics of every server", "servers.md#metrics");
    match program {
        "checkscript-agent" => &[
            ("what it answers", "checkscript-agent.md#what-it-answers"),
            EVERY,
            ("metrics of checks", "../ARCHITECTURE.md#c2-check-metrics"),
            ("its own metrics", "checkscript-agent.md#its-own-metrics"),
            MEASURES,
        ],
        "pushgateway-agent" => &[("its metrics", "pushgateway-agent.md#metrics"), EVERY, MEASURES],
        "alertmanager-proxy" => &[("its metrics", "alertmanager-proxy.md#metrics"), EVERY, MEASURES],
        "pushgateway-ex" => {
            &[("the API", "pushgateway-ex.md#the-api"), EVERY, ("its metrics", "pushgateway-ex.md#metrics"), MEASURES]
        }
        "web-ui" => &[
            ("pages and their parameters", "web-ui.md#what-it-shows"),
            EVERY,
            ("its metrics", "web-ui.md#for-programs"),
            MEASURES,
        ],
        _ => &[],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_up_to_date_and_what_was_changed_or_is_in_excess_is_not() {
        let directory = tempfile::tempdir().unwrap();
        write(directory.path()).unwrap();
        check(directory.path()).unwrap();
        let page = directory.path().join("web-ui.md");
        let text = fs::read_to_string(&page).unwrap();
        fs::write(&page, text.replace("--config.file", "--config")).unwrap();
        fs::write(directory.path().join("gone.md"), MARK).unwrap();
        fs::write(directory.path().join("notes.md"), "mine").unwrap();
        let told = check(directory.path()).unwrap_err().to_string();
        assert!(told.contains("2 pages") && told.contains(MEND), "{told}");
        write(directory.path()).unwrap();
        check(directory.path()).unwrap();
        assert!(!directory.path().join("gone.md").exists());
        assert_eq!(fs::read_to_string(directory.path().join("notes.md")).unwrap(), "mine");
    }
}
