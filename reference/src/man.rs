//! Man pages: what clap knows of a program, and what a command line does not say (files, signals, exit status), from [`more`].
//!
//! All are of section 8: daemons and tools of the one who administers the node.

mod more;

use std::fs;
use std::path::Path;

use anyhow::Context as _;
use clap::Command;
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};

use crate::programs::{self, PROJECT};

const SECTION: &str = "8";

/// Writes `DIR/NAME.8` of every program, and `DIR/NAME-TOOL.8` of every tool of it.
pub(crate) fn write(directory: &Path) -> anyhow::Result<()> {
    fs::create_dir_all(directory).with_context(|| format!("cannot make {}", directory.display()))?;
    for (name, page) in pages()? {
        let file = directory.join(name);
        fs::write(&file, page).with_context(|| format!("cannot write {}", file.display()))?;
    }
    Ok(())
}

/// Every page with its file name.
fn pages() -> anyhow::Result<Vec<(String, Vec<u8>)>> {
    let mut pages = Vec::new();
    for mut program in programs::all() {
        program.build();
        let version = program.get_version().unwrap_or_default().to_owned();
        let name = program.get_name().to_owned();
        let tools: Vec<_> = program.get_subcommands().cloned().collect();
        let names: Vec<_> = tools.iter().map(|tool| format!("{name}-{}", tool.get_name())).collect();
        for (tool, page) in tools.into_iter().zip(&names) {
            let related = names.iter().filter(|other| *other != page).chain([&name]).cloned().collect();
            pages.push((
                file_name(page),
                Page { command: tool, version: &version, related, has_tools: false }.render()?,
            ));
        }
        let others =
            programs::all().map(|other| other.get_name().to_owned()).into_iter().filter(|other| *other != name);
        let related = names.into_iter().chain(others).collect();
        let has_tools = program.has_subcommands();
        pages.push((file_name(&name), Page { command: program, version: &version, related, has_tools }.render()?));
    }
    Ok(pages)
}

fn file_name(page: &str) -> String {
    format!("{page}.{SECTION}")
}

/// A page of a program, or of one of its tools.
struct Page<'a> {
    command: Command,
    version: &'a str,
    related: Vec<String>,
    has_tools: bool,
}

impl Page<'_> {
    fn render(mut self) -> anyhow::Result<Vec<u8>> {
        let name = self.command.get_display_name().unwrap_or_else(|| self.command.get_name()).to_owned();
        let examples = self.command.get_after_help().map(ToString::to_string);
        // The usage as --help has it: of thirty flags a synopsis with each of them says nothing.
        let usage = self.command.render_usage().to_string();
        let usage = usage.trim_start_matches("Usage:").trim().to_owned();
        let man = Man::new(self.command.override_usage(usage).subcommand_help_heading("TOOLS"))
            .title(name.to_uppercase())
            .section(SECTION)
            .source(format!("{PROJECT} {}", self.version))
            .manual(PROJECT);
        let mut page = Vec::new();
        man.render_title(&mut page)?;
        man.render_name_section(&mut page)?;
        man.render_synopsis_section(&mut page)?;
        man.render_description_section(&mut page)?;
        man.render_options_section(&mut page)?;
        if self.has_tools {
            man.render_subcommands_section(&mut page)?;
        }
        let mut roff = Roff::new();
        if let Some(text) = examples {
            verbatim(&mut roff, &text);
        }
        for section in more::sections(&name) {
            list(&mut roff, section);
        }
        see_also(&mut roff, &self.related);
        roff.to_writer(&mut page)?;
        Ok(page)
    }
}

/// Examples as they stand in --help: a heading, and lines whose breaks and spaces stay.
fn verbatim(roff: &mut Roff, text: &str) {
    let (heading, lines) = text.split_once(":\n").unwrap_or(("Examples", text));
    roff.control("SH", [heading.to_uppercase().as_str()]).control("nf", []);
    for line in lines.lines() {
        roff.text([roman(line.trim_start())]);
    }
    roff.control("fi", []);
}

fn list(roff: &mut Roff, section: &more::Section) {
    roff.control("SH", [section.heading]);
    for (term, meaning) in section.entries {
        roff.control("TP", []).text([bold(*term)]).text([roman(*meaning)]);
    }
}

fn see_also(roff: &mut Roff, pages: &[String]) {
    roff.control("SH", ["SEE ALSO"]);
    let mut line = Vec::new();
    for page in pages {
        if !line.is_empty() {
            line.push(roman(", "));
        }
        line.extend([bold(page.as_str()), roman(format!("({SECTION})"))]);
    }
    roff.text(line);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(name: &str) -> String {
        let (_, page) = pages().unwrap().into_iter().find(|(file, _)| file == name).unwrap();
        String::from_utf8(page).unwrap()
    }

    #[test]
    fn programs_and_their_tools_have_a_page_each() {
        let names: Vec<_> = pages().unwrap().into_iter().map(|(name, _)| name).collect();
        for program in programs::all() {
            assert!(names.contains(&format!("{}.8", program.get_name())), "{}", program.get_name());
        }
        for tool in ["checkscript-runner-migrate.8", "pushgateway-agent-run.8", "alertmanager-proxy-check-config.8"] {
            assert!(names.iter().any(|name| name == tool), "{tool}");
        }
    }

    #[test]
    fn every_page_that_is_named_is_there() {
        let pages = pages().unwrap();
        for (name, page) in &pages {
            let (_, named) = std::str::from_utf8(page).unwrap().split_once(".SH \"SEE ALSO\"\n").unwrap();
            for other in named.split(", ") {
                let other = other.trim().replace("\\fB", "").replace("\\fR(8)", ".8").replace("\\-", "-");
                assert!(pages.iter().any(|(page, _)| *page == other), "{name} names {other}");
            }
        }
    }

    #[test]
    fn a_page_has_what_a_command_line_does_not_say() {
        let page = page("checkscript-runner.8");
        for part in [".SH EXAMPLES", ".SH SIGNALS", "SIGUSR2", ".SH \"EXIT STATUS\"", "/etc/sensu/conf.d", "config_dir"]
        {
            assert!(page.contains(part), "{part}: {page}");
        }
        assert!(!page.contains("extension_dir|"), "the synopsis is that of --help");
    }
}
