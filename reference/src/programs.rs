//! The programs, each with the command line that it parses.

use checkscript_agent::push;
use clap::{Command, CommandFactory as _};

/// What the programs are together, as man pages and titles say it.
pub(crate) const PROJECT: &str = "Ogi";

/// Every program, in the order in which data takes its way through them.
pub(crate) fn all() -> [Command; 6] {
    [
        checkscript_runner::cli::Options::command(),
        checkscript_agent::flags::Flags::command(),
        push::flags::Flags::command(),
        alertmanager_proxy::Flags::command(),
        pushgateway_ex::flags::Flags::command(),
        web_ui::Flags::command(),
    ]
    .map(|command| command.disable_help_subcommand(true))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_is_said_of_a_wrong_flag_shows_the_password_of_a_url() {
        let mut tried = Vec::new();
        for program in all() {
            let is_url =
                |flag: &&clap::Arg| flag.get_value_names().is_some_and(|names| names.iter().any(|name| name == "URL"));
            for flag in program.get_arguments().filter(is_url).filter_map(clap::Arg::get_long) {
                for url in [
                    "http://u:hunter2@gw",
                    "gopher://u:hunter2@gw",
                    "http://u:hunter2@gw:99999",
                    "u:hunter2@gw",
                    "http://u:hunter2@gw/{a}",
                ] {
                    let line = [program.get_name().to_owned(), format!("--{flag}={url}")];
                    let said = program.clone().try_get_matches_from(line).err().map(|error| error.to_string());
                    assert!(!said.as_ref().is_some_and(|said| said.contains("hunter2")), "{said:?}");
                }
                tried.push(flag.to_owned());
            }
        }
        assert_eq!(tried, ["push.gateway", "web.external-url", "storage"]);
    }

    #[test]
    fn every_program_has_a_name_a_purpose_and_a_version() {
        let names = all().map(|command| {
            assert!(command.get_about().is_some() && command.get_version().is_some(), "{}", command.get_name());
            command.get_name().to_owned()
        });
        assert_eq!(
            names,
            [
                "checkscript-runner",
                "checkscript-agent",
                "pushgateway-agent",
                "alertmanager-proxy",
                "pushgateway-ex",
                "web-ui"
            ]
        );
    }
}
