//! A command line: its flags in tables, by heading, and its tools.

use clap::{Arg, Command};

use super::markdown::{code, table, text};

/// Everything below the heading `Command line` of a program.
pub(super) fn section(command: &mut Command) -> String {
    let mut section = usage(command);
    section += &tables(command);
    for tool in command.get_subcommands().cloned().collect::<Vec<_>>() {
        section += &self::tool(tool);
    }
    section
}

fn usage(command: &mut Command) -> String {
    let usage = command.render_usage().to_string();
    format!("```text\n{}\n```\n\n", usage.trim_start_matches("Usage:").trim())
}

fn tool(mut tool: Command) -> String {
    let about = tool.get_long_about().or(tool.get_about()).map(ToString::to_string).unwrap_or_default();
    let about: Vec<_> = about.split("\n\n").map(text).collect();
    let usage = usage(&mut tool);
    let mut section = format!("### {}\n\n{}\n\n{usage}{}", tool.get_name(), about.join("\n\n"), tables(&tool));
    let inherited: Vec<_> = tool.get_arguments().filter(|argument| argument.is_global_set()).map(name).collect();
    if !inherited.is_empty() {
        section += &format!("As above: {}.\n\n", inherited.join("; "));
    }
    section
}

/// A table for each heading of the help, in its order; what has no heading comes first.
fn tables(command: &Command) -> String {
    // Those that a tool has of its program are told there.
    let is_own = |argument: &&Arg| command.get_version().is_some() || !argument.is_global_set();
    let shown: Vec<_> = command.get_arguments().filter(|argument| !argument.is_hide_set()).filter(is_own).collect();
    let mut headings: Vec<Option<&str>> = vec![None];
    for argument in &shown {
        let heading = argument.get_help_heading();
        if !headings.contains(&heading) {
            headings.push(heading);
        }
    }
    let mut tables = String::new();
    for heading in headings {
        let rows: Vec<_> = shown.iter().filter(|one| one.get_help_heading() == heading).map(|one| row(one)).collect();
        if rows.is_empty() {
            continue;
        }
        if let Some(heading) = heading {
            tables += &format!("**{heading}**\n\n");
        }
        tables += &table(&["flag", "meaning", "default"], rows);
        tables.push('\n');
    }
    tables
}

fn row(argument: &Arg) -> Vec<String> {
    let help = argument.get_long_help().or(argument.get_help()).map(ToString::to_string).unwrap_or_default();
    let (meaning, told) = split_default(&help);
    let values: Vec<_> =
        argument.get_possible_values().iter().filter(|value| !value.is_hide_set()).map(value).collect();
    let mut meaning = text(meaning);
    // A switch has the values of a boolean, which say nothing.
    if argument.get_action().takes_values() && !values.is_empty() {
        meaning += &format!("<br>{}", values.join("<br>"));
    }
    vec![name(argument), meaning, default(argument, told)]
}

/// `-l, --log <FILE>`, or a positional's name.
fn name(argument: &Arg) -> String {
    let value = match argument.get_value_names() {
        Some(names) if argument.get_action().takes_values() => names.join(" "),
        _ => String::new(),
    };
    let long = argument.get_long().map(|long| match (value.as_str(), long.contains('.')) {
        ("", _) => code(&format!("--{long}")),
        // As the field's programs write it, those of Sensu as Sensu did.
        (value, true) => code(&format!("--{long}={value}")),
        (value, false) => code(&format!("--{long} {value}")),
    });
    let short = argument.get_short().map(|short| code(&format!("-{short}")));
    let names: Vec<_> = short.into_iter().chain(long).collect();
    if names.is_empty() { code(&value) } else { names.join(", ") }
}

fn value(value: &clap::builder::PossibleValue) -> String {
    match value.get_help() {
        Some(help) => format!("{}: {}", code(value.get_name()), text(help.to_string().trim_end_matches('.'))),
        None => code(value.get_name()),
    }
}

/// The default, which some helps tell in words: where it depends on something.
fn default(argument: &Arg, told: Option<&str>) -> String {
    let values = argument.get_default_values();
    if let Some(told) = told {
        return text(told);
    }
    if !argument.get_action().takes_values() || values.is_empty() {
        return String::new();
    }
    let values: Vec<_> = values.iter().map(|value| value.to_string_lossy()).filter(|value| !value.is_empty()).collect();
    code(&values.join(","))
}

/// A help text, and the default that it tells at its end.
fn split_default(help: &str) -> (&str, Option<&str>) {
    if let Some((meaning, rest)) = help.rsplit_once("[default: ")
        && let Some(told) = rest.trim_end().strip_suffix(']')
    {
        return (meaning.trim_end(), Some(told));
    }
    match help.rsplit_once(". Default: ") {
        Some((meaning, told)) => (meaning, Some(told)),
        None => (help, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::programs;

    fn section_of(program: &str) -> String {
        let mut command = programs::all().into_iter().find(|command| command.get_name() == program).unwrap();
        command.build();
        section(&mut command)
    }

    #[test]
    fn every_flag_has_a_row_with_its_meaning_and_default() {
        for program in programs::all() {
            let section = section_of(program.get_name());
            for argument in program.get_arguments().filter(|argument| !argument.is_hide_set()) {
                let row = row(argument);
                assert!(!row[1].is_empty(), "{} {}: no meaning", program.get_name(), row[0]);
                assert!(section.contains(table(&[], [row.clone()]).lines().last().unwrap_or_default()), "{row:?}");
            }
        }
    }

    #[test]
    fn rows_are_as_people_write_flags() {
        let runner = section_of("checkscript-runner");
        for row in [
            "| `-l`, `--log FILE` | Log to a given FILE | STDOUT |",
            "| `--grace_period SECONDS` | How many seconds the checks under way may take at a stop before they are killed | `10` |",
            "### migrate\n",
        ] {
            assert!(runner.contains(row), "{row}: {runner}");
        }
        let web_ui = section_of("web-ui");
        assert!(web_ui.contains("| `--log.format=FORMAT` | Form of a log line<br>`logfmt`: "), "{web_ui}");
        assert!(!section_of("pushgateway-ex").contains("web.local-assets"), "hidden");
    }
}
