//! The running runner, from the first check to the last.

use std::sync::Arc;
use std::time::Duration;

use check_result::log::Level;
use sd_notify::NotifyState;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::report;
use super::signals::{Request, Signals};
use crate::definitions::{Definitions, Sources, load};
use crate::events;
use crate::execute::Executor;
use crate::logger::Logger;
use crate::notice::Sink;
use crate::schedule::Scheduler;

/// How long the checks under way may take when the runner stops. sensu-client waits without limit, until the service
/// manager kills it; systemd does so after 90 s.
const STOP_GRACE: Duration = Duration::from_secs(10);

/// Everything that lives as long as the process.
pub(super) struct Life {
    sources: Sources,
    logger: Arc<Logger>,
    executor: Executor,
    definitions: watch::Sender<Arc<Definitions>>,
}

// === impl Life ===

impl Life {
    pub(super) fn new(sources: Sources, logger: Arc<Logger>, definitions: Definitions) -> Self {
        logger.notice(&events::configuring_spawn(definitions.spawn_limit));
        let sink: Arc<dyn Sink> = logger.clone();
        let executor = Executor::new(definitions.spawn_limit, sink);
        Self { sources, logger, executor, definitions: watch::Sender::new(Arc::new(definitions)) }
    }

    /// Runs checks until a signal ends it.
    pub(super) async fn run(self, mut signals: Signals) {
        let stop = CancellationToken::new();
        let scheduler = Scheduler::new(self.executor.clone(), self.definitions.subscribe());
        let scheduling = tokio::spawn(scheduler.run(stop.clone()));
        self.tell_manager(&[NotifyState::Ready]);
        let signal = loop {
            match signals.next().await {
                Request::Stop(signal) => break signal,
                Request::Reload => self.reload().await,
                Request::Reopen => self.logger.reopen(),
            }
        };
        self.tell_manager(&[NotifyState::Stopping]);
        self.logger.notice(&events::received_signal(signal));
        self.logger.notice(&events::stopping());
        stop.cancel();
        // It ends at once; its task is over before the executor's are waited for, so that nothing is started after.
        scheduling.await.ok();
        self.complete(signals).await;
        self.logger.notice(&events::stopped());
    }

    /// Waits for the checks under way; kills what is left after the grace period, or at a second signal to stop.
    async fn complete(&self, mut signals: Signals) {
        self.logger.notice(&events::completing(&self.executor.in_progress()));
        let asked_again = async {
            loop {
                match signals.next().await {
                    Request::Stop(_) => return,
                    Request::Reopen => self.logger.reopen(),
                    Request::Reload => (),
                }
            }
        };
        tokio::select! {
            () = self.executor.finish() => return,
            () = tokio::time::sleep(STOP_GRACE) => (),
            () = asked_again => (),
        }
        self.logger.notice(&events::killing(&self.executor.in_progress()));
        self.executor.kill();
        self.executor.finish().await;
    }

    /// Takes a new configuration if it is valid; else the present one stays.
    async fn reload(&self) {
        self.logger.notice(&events::reloading());
        let sources = self.sources.clone();
        let Ok(loaded) = tokio::task::spawn_blocking(move || load(&sources)).await else { return };
        report(&loaded, &*self.logger, Level::Error);
        match loaded.definitions {
            Ok(definitions) => {
                self.logger.notice(&events::reloaded(definitions.checks.len()));
                self.executor.set_limit(definitions.spawn_limit);
                self.definitions.send_replace(Arc::new(definitions));
            }
            Err(_) => self.logger.notice(&events::reload_failed()),
        }
    }

    fn tell_manager(&self, state: &[NotifyState<'_>]) {
        if let Err(error) = sd_notify::notify(state) {
            self.logger.notice(&events::manager_not_told(&error));
        }
    }
}
