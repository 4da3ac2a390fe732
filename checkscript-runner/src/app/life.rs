//! The running runner, from the first check to the last.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use check_result::log::Level;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::manager::Manager;
use super::outlet::Outlet;
use super::pid_file::PidFile;
use super::report;
use super::signals::{Request, Signals};
use crate::console::complain;
use crate::definitions::{Definitions, LOADED_FILES_VARIABLE, Loaded, Sources, reload, write_loaded_files};
use crate::events;
use crate::execute::Executor;
use crate::execute::record::{self, IN_USE};
use crate::foreign_links::is_ours_alone;
use crate::logger::Logger;
use crate::notice::{Notice, Sink};
use crate::schedule::Scheduler;
use crate::sockets::Sockets;

/// Everything that lives as long as the process.
pub(super) struct Life {
    sources: Sources,
    /// What the configuration in use was read from.
    files: Vec<PathBuf>,
    logger: Arc<Logger>,
    /// Takes what is produced; the log among others.
    sink: Arc<dyn Sink>,
    executor: Executor,
    definitions: watch::Sender<Arc<Definitions>>,
    manager: Manager,
    settings: Settings,
    /// Keeps other runners off the log.
    _lock: Option<File>,
}

/// What the command line says of it.
pub(super) struct Settings {
    /// How long the checks under way may take when the runner stops. sensu-client waits without limit, until the
    /// service manager kills it; systemd does so after 90 s.
    pub(super) grace: Duration,
    /// Where the checks under way are recorded.
    pub(super) record: Option<PathBuf>,
    /// Where they were by the name of an earlier version.
    pub(super) former_record: Option<PathBuf>,
    /// What is locked besides.
    pub(super) lock: Option<PathBuf>,
}

// === impl Life ===

impl Life {
    pub(super) fn new(
        sources: Sources,
        logger: Arc<Logger>,
        sink: Arc<dyn Sink>,
        definitions: Definitions,
        settings: Settings,
    ) -> Self {
        logger.notice(&events::configuring_spawn(definitions.spawn_limit));
        let executor = Executor::new(definitions.spawn_limit, Arc::clone(&sink));
        let definitions = watch::Sender::new(Arc::new(definitions));
        let manager = Manager::new(logger.clone(), logger.status());
        Self { sources, files: Vec::new(), logger, sink, executor, definitions, manager, settings, _lock: None }
    }

    /// What is left to do before checks run: ends what a crash has left, and writes the PID file, which is another
    /// runner's as long as that one has the record. Must be called within a tokio runtime.
    pub(super) fn prepare(&mut self, pid_file: PidFile<'_>) -> Result<(), Notice> {
        if let Some(lock) = &self.settings.lock {
            // Where no file can be made beside the log there is none: it serves nothing else.
            self._lock = match record::lock(lock) {
                Err(error) if error.kind() == IN_USE => return Err(events::already_running(lock)),
                file => file.ok(),
            };
        }
        if let Some(record) = &self.settings.record {
            match self.recover(record) {
                Err(error) if error.kind() == IN_USE => return Err(events::already_running(record)),
                Err(error) => self.logger.notice(&events::no_record(record, &error)),
                Ok(()) => (),
            }
        }
        pid_file.write()
    }

    /// Keeps which files the configuration is from, and tells the commands.
    pub(super) fn list_files(&mut self, files: Vec<PathBuf>) {
        self.files = files;
        match write_loaded_files(&self.files) {
            Ok(list) => self.executor.export(LOADED_FILES_VARIABLE, list),
            Err(error) => self.logger.notice(&events::loaded_files_not_written(&error)),
        }
    }

    /// Runs checks until a signal ends it.
    pub(super) async fn run(mut self, mut signals: Signals, mut outlet: impl Outlet) -> ExitCode {
        if let Err(error) = self.executor.adopt_orphans() {
            self.logger.notice(&events::orphans_not_adopted(&error));
        }
        let stop = CancellationToken::new();
        let scheduler = Scheduler::new(self.executor.clone(), self.definitions.subscribe());
        tokio::spawn(self.manager.clone().follow_log());
        tokio::spawn(self.manager.clone().watchdog(scheduler.heartbeat(), stop.clone()));
        let mut scheduling = tokio::spawn(scheduler.run(stop.clone()));
        let sockets = Sockets::open(Arc::clone(&self.sink), self.definitions.subscribe()).await;
        let close = CancellationToken::new();
        let receiving = tokio::spawn(sockets.run(close.clone()));
        self.manager.ready();
        outlet.running();
        let logger = Arc::clone(&self.logger);
        let signal = tokio::select! {
            signal = self.serve(&mut signals, &mut outlet) => signal,
            _ = &mut scheduling => return self.fail(&events::scheduler_ended()).await,
            () = logger.ended() => return self.fail(&events::log_ended()).await,
        };
        self.manager.stopping();
        self.logger.notice(&events::received_signal(signal));
        self.logger.notice(&events::stopping());
        stop.cancel();
        // It ends at once; its task is over before the executor's are waited for, so that nothing is started after.
        scheduling.await.ok();
        self.complete(signals).await;
        // Only now: a check under way may push results too.
        self.logger.notice(&events::closing_sockets());
        close.cancel();
        receiving.await.ok();
        outlet.end().await;
        self.logger.notice(&events::stopped());
        ExitCode::SUCCESS
    }

    /// Ends because of what must not happen.
    async fn fail(&self, notice: &Notice) -> ExitCode {
        self.logger.notice(notice);
        complain(&notice.message);
        self.kill().await;
        ExitCode::FAILURE
    }

    /// Ends what a crash has left.
    fn recover(&self, record: &Path) -> io::Result<()> {
        // Root renames nothing for others; it would not believe it either.
        let is_taken_over = |former: &&PathBuf| is_ours_alone(record) && former.is_file() && !record.exists();
        if let Some(former) = self.settings.former_record.as_ref().filter(is_taken_over) {
            fs::rename(former, record)?;
        }
        self.executor.recover(record)
    }

    /// Does what signals ask for, until one asks to stop: that one comes through even if a reload hangs on a file.
    async fn serve(&mut self, signals: &mut Signals, outlet: &mut impl Outlet) -> &'static str {
        let mut loading = JoinSet::new();
        let mut again = false;
        loop {
            tokio::select! {
                request = signals.next() => match request {
                    Request::Stop(signal) => return signal,
                    Request::Reload if loading.is_empty() => self.load(&mut loading),
                    Request::Reload => again = true,
                    Request::Reopen => self.logger.reopen(),
                    Request::ToggleDebug => self.logger.toggle_debug(),
                },
                Some(Ok(loaded)) = loading.join_next() => {
                    self.take(loaded, outlet);
                    if std::mem::take(&mut again) {
                        self.load(&mut loading);
                    }
                }
            }
        }
    }

    /// Waits for the checks under way; kills what is left after the grace period, or at a second signal to stop.
    async fn complete(&self, mut signals: Signals) {
        self.logger.notice(&events::completing(&self.executor.in_progress()));
        let asked_again = async {
            loop {
                match signals.next().await {
                    Request::Stop(_) => return,
                    Request::Reopen => self.logger.reopen(),
                    Request::ToggleDebug => self.logger.toggle_debug(),
                    Request::Reload => (),
                }
            }
        };
        tokio::select! {
            () = self.executor.finish() => return,
            () = tokio::time::sleep(self.settings.grace) => (),
            () = asked_again => (),
        }
        self.kill().await;
    }

    async fn kill(&self) {
        self.logger.notice(&events::killing(&self.executor.in_progress()));
        self.executor.kill();
        self.executor.finish().await;
    }

    fn load(&self, loading: &mut JoinSet<Loaded>) {
        self.manager.reloading();
        self.logger.notice(&events::reloading());
        let (sources, files) = (self.sources.clone(), self.files.clone());
        loading.spawn_blocking(move || reload(&sources, &files));
    }

    /// Takes a new configuration if it is valid; else the present one stays. Nothing is touched that has not changed.
    fn take(&mut self, loaded: Loaded, outlet: &mut impl Outlet) {
        report(&loaded, &*self.logger, Level::Error);
        match loaded.definitions {
            Ok(definitions) => {
                self.logger.notice(&events::reloaded(definitions.checks.len()));
                self.list_files(loaded.files);
                let present = Arc::clone(&self.definitions.borrow());
                if definitions.spawn_limit != present.spawn_limit {
                    self.executor.set_limit(definitions.spawn_limit);
                }
                if definitions != *present {
                    outlet.reloaded(&definitions);
                    self.definitions.send_replace(Arc::new(definitions));
                }
            }
            Err(_) => self.logger.notice(&events::reload_failed()),
        }
        self.manager.ready();
    }
}
