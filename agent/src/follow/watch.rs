//! When to look: inotify on the directories of the logs, polling where that cannot be had.
//!
//! Events only say that a look is worth while; what has happened, the look finds out by itself. So an event that is lost costs
//! time and nothing else, and a slow heartbeat bounds that time. Several heartbeats in a row that find lines of which no event
//! tells (a network file system with writers on other machines) turn polling on. What was the matter may pass: inotify is tried
//! again after a while.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::io::{self, ErrorKind};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use futures_util::{FutureExt as _, StreamExt as _};
use inotify::{Event, EventMask, EventStream, Inotify, WatchMask, Watches};
use tokio::time::{sleep, timeout};

use crate::events::Events;

/// How long a result may take to be seen where every look is made by the clock.
const POLL: Duration = Duration::from_millis(200);
/// How often there is a look although nothing was told.
const HEARTBEAT: Duration = Duration::from_secs(1);
/// What is written in a burst is read in one look.
const GATHER: Duration = Duration::from_millis(10);
/// Of so many heartbeats in a row that found lines no event told, before inotify is taken for deaf: one may be chance.
const UNHEARD: u32 = 3;
/// How long the logs are polled before inotify is tried again, the first time; twice as long each time, up to [`LONGEST_POLLING`].
const POLLING: Duration = Duration::from_secs(600);
const LONGEST_POLLING: Duration = Duration::from_secs(24 * 3600);

/// Waits for something to read.
pub(crate) struct Watch {
    how: How,
    /// How many heartbeats in a row found lines of which no event told.
    unheard: u32,
    /// [`HEARTBEAT`].
    heartbeat: Duration,
    /// How long the logs will be polled next time.
    polling: Duration,
    events: Events,
}

enum How {
    Kernel(Box<Kernel>),
    /// Polling until then.
    Polling(Instant),
}

struct Kernel {
    events: EventStream<[u8; 4096]>,
    watches: Watches,
    watched: BTreeSet<PathBuf>,
    /// Whether lines may come of which no event can tell: a directory is missing, or watched only just now.
    blind: bool,
}

/// Why there is another look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reason {
    /// The kernel told of a change.
    Told,
    /// Time went by.
    Time,
}

/// Why the logs are polled.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Polling {
    #[error("inotify cannot be had: {0}")]
    Unavailable(io::Error),
    #[error("inotify cannot watch the logs' directories: {0}")]
    Unwatchable(io::Error),
    #[error("lines came of which inotify did not tell, as on network file systems")]
    Deaf,
}

// === impl Polling ===

impl Polling {
    /// The value of the label `reason`.
    pub(crate) fn label(&self) -> &'static str {
        match self {
            Self::Unavailable(_) => "unavailable",
            Self::Unwatchable(_) => "unwatchable",
            Self::Deaf => "deaf",
        }
    }
}

// === impl Watch ===

impl Watch {
    /// Waits for the kernel to tell, if it will; must be called within a runtime.
    pub(crate) fn new(events: Events) -> Self {
        let how = How::Polling(Instant::now());
        let mut watch = Self { how, unheard: 0, heartbeat: HEARTBEAT, polling: POLLING, events };
        watch.turn_to(Kernel::new());
        watch
    }

    /// Watches `directories`, also those that were made anew under the same name; those that do not exist are for the heartbeat.
    /// Must be called within a runtime.
    pub(crate) fn directories(&mut self, directories: BTreeSet<PathBuf>) {
        if matches!(self.how, How::Polling(until) if until <= Instant::now()) {
            self.turn_to(Kernel::new());
        }
        if let How::Kernel(kernel) = &mut self.how
            && let Err(error) = kernel.watch(directories)
        {
            self.poll(Polling::Unwatchable(error));
        }
    }

    /// Waits until there may be something to read. `concerns` says whether the name of a file that was changed matters.
    pub(crate) async fn wait(&mut self, concerns: impl Fn(&str) -> bool) -> Reason {
        let How::Kernel(kernel) = &mut self.how else {
            sleep(POLL).await;
            return Reason::Time;
        };
        if timeout(self.heartbeat, kernel.tells(&concerns)).await.is_err() {
            return Reason::Time;
        }
        // What was told is told, however late in the heartbeat: it is not taken back by the time that gathering takes.
        sleep(GATHER).await;
        kernel.drain();
        self.unheard = 0;
        Reason::Told
    }

    /// A heartbeat has found lines: listens whether the kernel tells of them, a moment late, and polls once it does so no more.
    /// It may have told of newer ones as well: another look is due.
    pub(crate) async fn listen(&mut self, concerns: impl Fn(&str) -> bool) {
        let How::Kernel(kernel) = &mut self.how else { return };
        if kernel.blind {
            return;
        }
        let told = timeout(self.heartbeat, kernel.tells(&concerns)).await.is_ok();
        self.unheard = if told { 0 } else { self.unheard + 1 };
        if self.unheard == UNHEARD {
            self.poll(Polling::Deaf);
        }
    }

    fn turn_to(&mut self, kernel: io::Result<Kernel>) {
        match kernel {
            Ok(kernel) => {
                (self.how, self.unheard) = (How::Kernel(Box::new(kernel)), 0);
                self.events.watching();
            }
            Err(error) => self.poll(Polling::Unavailable(error)),
        }
    }

    fn poll(&mut self, why: Polling) {
        self.how = How::Polling(Instant::now() + self.polling);
        self.polling = LONGEST_POLLING.min(self.polling * 2);
        self.events.polling(why);
    }
}

// === impl Kernel ===

impl Kernel {
    fn new() -> io::Result<Self> {
        let inotify = Inotify::init()?;
        let watches = inotify.watches();
        let events = inotify.into_event_stream([0; 4096])?;
        Ok(Self { events, watches, watched: BTreeSet::new(), blind: true })
    }

    fn watch(&mut self, directories: BTreeSet<PathBuf>) -> io::Result<()> {
        let files = WatchMask::MODIFY | WatchMask::CREATE | WatchMask::MOVED_TO | WatchMask::DELETE | WatchMask::ATTRIB;
        let mask = files | WatchMask::ONLYDIR | WatchMask::DELETE_SELF | WatchMask::MOVE_SELF;
        self.blind = directories != self.watched;
        for directory in &directories {
            match self.watches.add(directory, mask) {
                Err(error) if is_absent(&error) => self.blind = true,
                added => drop(added?),
            }
        }
        self.watched = directories;
        Ok(())
    }

    /// Waits for an event that matters.
    async fn tells(&mut self, concerns: &impl Fn(&str) -> bool) {
        loop {
            match self.events.next().await {
                Some(Ok(event)) if matters(&event, concerns) => return,
                Some(Ok(_)) => {}
                // The heartbeat goes on.
                Some(Err(_)) | None => std::future::pending().await,
            }
        }
    }

    /// Throws away what has been told by now: the look that follows sees all of it.
    fn drain(&mut self) {
        while let Some(Some(Ok(_))) = self.events.next().now_or_never() {}
    }
}

fn matters<S: AsRef<OsStr>>(event: &Event<S>, concerns: &impl Fn(&str) -> bool) -> bool {
    let name = event.name.as_ref().and_then(|name| name.as_ref().to_str());
    event.mask.contains(EventMask::Q_OVERFLOW) || name.is_none_or(concerns)
}

fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory | ErrorKind::PermissionDenied)
}

#[cfg(test)]
mod tests {
    use prometheus_client::registry::Registry;
    use tempfile::TempDir;

    use super::*;

    struct World {
        folder: TempDir,
        registry: Registry,
        watch: Watch,
    }

    impl World {
        /// Two rounds of the reader: what is watched is known to be watched.
        fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            let mut registry = Registry::default();
            let mut watch = Watch::new(Events::new(&mut registry));
            watch.heartbeat = GATHER / 10;
            let mut world = Self { folder, registry, watch };
            world.round();
            world.round();
            world
        }

        /// What the reader does before each wait.
        fn round(&mut self) {
            self.watch.directories([self.folder.path().to_owned()].into());
        }

        fn write(&self) {
            std::fs::write(self.folder.path().join("log"), "line").unwrap();
        }

        fn shows(&self, line: &str) -> bool {
            let mut text = String::new();
            prometheus_client::encoding::text::encode(&mut text, &self.registry).unwrap();
            text.contains(&format!("checkscript_agent_{line}\n"))
        }

        /// A heartbeat that has found a line of which no event tells.
        async fn unheard(&mut self) {
            self.round();
            assert_eq!(self.watch.wait(|_| true).await, Reason::Time);
            self.watch.listen(|_| true).await;
        }
    }

    #[tokio::test]
    async fn an_event_is_told_although_the_heartbeat_ends_while_more_are_gathered() {
        let mut world = World::new();
        world.write();
        assert_eq!(world.watch.wait(|_| true).await, Reason::Told);
    }

    #[tokio::test]
    async fn heartbeats_that_were_not_told_of_their_lines_are_deafness_only_in_a_row() {
        let mut world = World::new();
        for _ in 0..3 {
            for _ in 1..UNHEARD {
                world.unheard().await;
            }
            world.write();
            world.watch.listen(|_| true).await;
            // What was told of the same write is not told again.
            while world.watch.wait(|_| true).await == Reason::Told {}
            assert!(world.shows("log_watched 1"));
        }
        for _ in 0..UNHEARD {
            world.unheard().await;
        }
        assert!(world.shows("log_watched 0") && world.shows(r#"log_polling_total{reason="deaf"} 1"#));
    }

    #[tokio::test]
    async fn inotify_is_tried_again_later_each_time() {
        let mut world = World::new();
        world.watch.turn_to(Err(io::Error::other("too many open files")));
        world.round();
        assert!(world.shows("log_watched 0"), "ten minutes are not over");
        assert_eq!(world.watch.polling, 2 * POLLING);
        world.watch.polling = Duration::ZERO;
        world.watch.poll(Polling::Deaf);
        world.round();
        assert!(world.shows("log_watched 1") && world.shows(r#"log_polling_total{reason="unavailable"} 1"#));
    }
}
