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
