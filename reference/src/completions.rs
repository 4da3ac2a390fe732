//! Completions for bash, zsh and fish.

use std::fs;
use std::path::Path;

use anyhow::Context as _;
use clap::Command;
use clap_complete::{Generator, Shell, generate};

use crate::programs;

/// Writes `DIR/bash/NAME`, `DIR/zsh/_NAME` and `DIR/fish/NAME.fish` of every program.
pub(crate) fn write(directory: &Path) -> anyhow::Result<()> {
    for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
        let directory = directory.join(shell.to_string());
        fs::create_dir_all(&directory).with_context(|| format!("cannot make {}", directory.display()))?;
        for command in programs::all() {
            let file = directory.join(file_name(shell, command.get_name()));
            fs::write(&file, script(shell, &command)?).with_context(|| format!("cannot write {}", file.display()))?;
        }
    }
    Ok(())
}

/// The name under which the shell looks for it; bash-completion loads a file by the bare name of the program.
fn file_name(shell: Shell, program: &str) -> String {
    match shell {
        Shell::Bash => program.to_owned(),
        other => other.file_name(program),
    }
}

fn script(shell: Shell, command: &Command) -> anyhow::Result<String> {
    let (name, mut script) = (command.get_name(), Vec::new());
    generate(shell, &mut visible(command), name.to_owned(), &mut script);
    let script = String::from_utf8(script)?;
    Ok(match shell {
        // For a program with a hyphen in its name, clap_complete 4.6 writes a tool's options under one name and looks for them under
        // another, so that nothing would be completed behind the tool.
        Shell::Bash => script.replace(
            &format!("{}__subcmd__", name.replace('-', "__")),
            &format!("{}__subcmd__", name.replace('-', "__subcmd__")),
        ),
        _ => script,
    })
}

/// The command without its hidden flags, which clap completes as it does the others.
fn visible(command: &Command) -> Command {
    let shown = |argument: &&clap::Arg| !argument.is_hide_set();
    let mut visible = Command::new(for_ever(command.get_name()))
        .disable_help_subcommand(true)
        .args(command.get_arguments().filter(shown).cloned())
        .subcommands(command.get_subcommands().map(self::visible));
    if let Some(version) = command.get_version() {
        visible = visible.version(for_ever(version));
    }
    match command.get_about() {
        Some(about) => visible.about(about.clone()),
        None => visible,
    }
}

/// Clap wants its names for ever; this process ends with its last file.
fn for_ever(name: &str) -> &'static str {
    name.to_owned().leak()
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn every_shell_completes_what_help_shows_and_nothing_hidden() {
        for command in programs::all() {
            for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
                let script = script(shell, &command).unwrap();
                for argument in command.get_arguments() {
                    let Some(long) = argument.get_long() else { continue };
                    let offered = script.contains(&format!("--{long}")) || script.contains(&format!("-l {long}"));
                    assert_eq!(offered, !argument.is_hide_set(), "{shell}: {} --{long}", command.get_name());
                }
                for tool in command.get_subcommands() {
                    assert!(script.contains(tool.get_name()), "{shell}: {} {}", command.get_name(), tool.get_name());
                }
            }
        }
    }

    /// What bash offers for the last word of a command line.
    fn offered(program: &str, words: &[&str]) -> String {
        let command = programs::all().into_iter().find(|command| command.get_name() == program).unwrap();
        let script = script(Shell::Bash, &command).unwrap();
        let function = program.replace('-', "__");
        let ask = r#"COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); "_$f" "$1" "${COMP_WORDS[-1]}" "${COMP_WORDS[-2]}"; echo "${COMPREPLY[*]}""#;
        let script = format!("{script}\nf={function}\n{ask}");
        let output = Command::new("bash").args(["-c", &script, "bash", program]).args(words).output().unwrap();
        assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    #[test]
    fn bash_completes_options_tools_and_what_stands_behind_them() {
        assert_eq!(offered("checkscript-runner", &["--conf"]), "--config --config_dir");
        assert_eq!(offered("checkscript-runner", &["che"]), "check-config");
        assert_eq!(offered("checkscript-runner", &["run", "--for"]), "--format");
        assert_eq!(offered("checkscript-runner", &["check-config", "--format", ""]), "text json");
        assert_eq!(offered("pushgateway-agent", &["--push.on-stop", ""]), "push delete");
        assert_eq!(offered("web-ui", &["--log.level", "d"]), "debug");
    }

    #[test]
    fn files_have_the_names_that_the_shells_look_for() {
        let names = [Shell::Bash, Shell::Zsh, Shell::Fish].map(|shell| file_name(shell, "web-ui"));
        assert_eq!(names, ["web-ui", "_web-ui", "web-ui.fish"]);
    }
}
