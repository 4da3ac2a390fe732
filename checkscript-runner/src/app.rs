//! The program: from the command line to the exit status.
//!
//! Exit status 0 is a clean stop or a valid configuration, 1 a bad log level or a machine that refuses, 2 a command
//! line, configuration or PID file that cannot be used. Everything is read and judged before anything is run.

mod daemon;
mod life;
mod manager;
mod outlet;
mod pid_file;
mod signals;

use std::fmt::Display;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context;
use check_result::Object;
use check_result::log::Level;
use serde_json::{Value, json};

use self::life::{Life, Settings};
pub use self::outlet::{LogOnly, Outlet};
use self::pid_file::PidFile;
use self::signals::Signals;
use crate::cli::Options;
use crate::console::{complain, print_raw};
use crate::definitions::{Host, Loaded, Sources, load};
use crate::events;
use crate::execute::record::is_in_use;
use crate::logger::Logger;
use crate::notice::{Notice, Sink};
use crate::{pretty, tools};

const INVALID: u8 = 2;

/// Does what the command line says; results go to the log and to `outlet`. Must be called before there are threads: with `-b`
/// the process forks.
pub fn run(options: Options, outlet: impl Outlet) -> anyhow::Result<ExitCode> {
    let level = match options.level() {
        Ok(level) => level,
        Err(text) => {
            print_raw(format!("{text}\n").as_bytes())?;
            return Ok(ExitCode::FAILURE);
        }
    };
    let options = if options.background { options.absolute().context("no working directory")? } else { options };
    let sources = sources(&options);
    if let Some(tool) = &options.tool {
        return tools::run(tool, &sources);
    }
    if options.validate_config {
        return print_validity(load(&sources));
    }
    start(&options, sources, level, outlet)
}

/// Runs the checks, or says why not; with `-P` prints the settings instead.
fn start(options: &Options, sources: Sources, level: Level, mut outlet: impl Outlet) -> anyhow::Result<ExitCode> {
    let loaded = load(&sources);
    let runs = loaded.definitions.is_ok() && !options.print_config;
    let pid_file = if runs { check(options) } else { Ok(PidFile::default()) };
    let is_daemon = options.background && runs && pid_file.is_ok();
    if is_daemon {
        daemon::detach().context("cannot go into the background")?;
    }
    // One thread does: the work is the children's.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.context("cannot start the async runtime")?;
    let signals = runtime.block_on(async { Signals::listen() }).context("cannot listen for signals")?;
    let logger = Logger::open(options.log.clone(), options.rotation(), level).context("cannot start the log")?;
    let logger = Arc::new(logger);
    let is_elsewhere = !logger.status().borrow().stream.is_standard_output();
    if is_daemon && is_elsewhere {
        daemon::leave_outputs().context("cannot leave standard output and error")?;
    }
    report(&loaded, &*logger, Level::Fatal);
    // Who has started the runner sees no log that is a file.
    let tell = |reason: &dyn Display| {
        if is_elsewhere {
            complain(&reason.to_string());
        }
    };
    loaded.failures().iter().for_each(|failure| tell(failure));
    if options.print_config {
        logger.notice(&events::printing_settings());
        logger.close();
        print_raw(format!("{}\n", pretty::text(&Value::Object(loaded.settings))).as_bytes())?;
        return Ok(if loaded.definitions.is_ok() { ExitCode::SUCCESS } else { INVALID.into() });
    }
    let status = match loaded.definitions {
        Ok(definitions) => {
            let begun = runtime.block_on(async { outlet.begin(logger.clone(), &definitions) });
            let started = begun.and_then(|sink| {
                let mut life = Life::new(sources, Arc::clone(&logger), sink, definitions, settings(options, &*logger));
                pid_file.and_then(|pid_file| runtime.block_on(async { life.prepare(pid_file) }))?;
                life.list_files(loaded.files);
                Ok(life)
            });
            let started = started.inspect_err(|notice| {
                logger.notice(notice);
                tell(notice);
            });
            started.ok().map(|life| runtime.block_on(life.run(signals, outlet)))
        }
        Err(_) => None,
    };
    let status = status.unwrap_or_else(|| {
        logger.notice(&events::not_running());
        INVALID.into()
    });
    logger.close();
    // A file that a reload hangs on is not waited for.
    runtime.shutdown_background();
    Ok(status)
}

fn sources(options: &Options) -> Sources {
    let environment = std::env::vars_os();
    Sources {
        file: options.file(),
        directories: options.directories(),
        environment: environment
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect(),
        host: Host::detect(),
        features: options.features(),
    }
}

/// Logs what was found while loading; failures at `level`.
fn report(loaded: &Loaded, sink: &dyn Sink, level: Level) {
    loaded.notices.iter().for_each(|notice| sink.notice(notice));
    loaded.failures().iter().for_each(|failure| sink.notice(&failure.notice(level)));
}

/// Fails if another runner runs the same checks, or the PID file cannot be written. Nothing is changed yet.
fn check(options: &Options) -> Result<PidFile<'_>, Notice> {
    match options.record().into_iter().chain(options.lock()).find(|file| is_in_use(file)) {
        Some(file) => Err(events::already_running(&file)),
        None => PidFile::check(options.pid_file.as_deref()),
    }
}

fn settings(options: &Options, sink: &dyn Sink) -> Settings {
    if let Some(directory) = &options.extension_dir {
        sink.notice(&events::extension_directory(directory));
    }
    let (record, former_record, lock) = (options.record(), options.former_record(), options.lock());
    Settings { grace: options.grace(), record, former_record, lock }
}

/// `--validate_config`: a word, and all failures as JSON.
fn print_validity(loaded: Loaded) -> anyhow::Result<ExitCode> {
    let (text, status) = match loaded.definitions {
        Ok(_) => ("configuration is valid\n".to_owned(), ExitCode::SUCCESS),
        Err(failures) => {
            let errors: Vec<Object> = failures.iter().map(|failure| failure.report()).collect();
            let errors = pretty::text(&json!({"errors": errors}));
            (format!("configuration is invalid\n{errors}\n"), INVALID.into())
        }
    };
    print_raw(text.as_bytes())?;
    Ok(status)
}
