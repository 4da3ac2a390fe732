//! Man pages, shell completions and reference pages, made from the programs themselves: their command lines are the very
//! [`clap::Command`]s that they parse with, so that what is written cannot differ from what is done.

mod completions;
mod docs;
mod man;
mod programs;

use std::path::PathBuf;

use clap::{Parser, Subcommand};

/// Makes man pages and shell completions from the programs' own command lines.
#[derive(Parser)]
#[command(name = "reference", version)]
struct Flags {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// Write a man page for each program and each of its tools: DIR/checkscript-runner.8, …
    Man {
        /// Where to write; made if it is not there
        #[arg(long, value_name = "DIR")]
        out: PathBuf,
    },
    /// Write shell completions under the names that Debian's shells look for: DIR/bash/NAME, DIR/zsh/_NAME, DIR/fish/NAME.fish
    Completions {
        /// Where to write; made if it is not there
        #[arg(long, value_name = "DIR")]
        out: PathBuf,
    },
    /// Write the pages of the documentation's reference
    Docs {
        /// Write nothing; fail, and show the difference, where the pages are not those of the code
        #[arg(long)]
        check: bool,
        /// Where the pages are
        #[arg(long, value_name = "DIR", default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/reference"))]
        out: PathBuf,
    },
}

fn main() -> anyhow::Result<()> {
    match Flags::parse().what {
        What::Man { out } => man::write(&out),
        What::Completions { out } => completions::write(&out),
        What::Docs { check: true, out } => docs::check(&out),
        What::Docs { check: false, out } => docs::write(&out),
    }
}
