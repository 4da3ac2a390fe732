//! When to look: inotify on the directories of the logs, polling where that cannot be had.
//!
//! Events only say that a look is worth while; what has happened, the look finds out by itself. So an event that is lost costs
//! time and nothing else, and a slow heartbeat bounds that time. A heartbeat that finds lines of which no event told
//! (a network file system with writers on other machines) turns polling on.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::io::{self, ErrorKind};
use std::path::PathBuf;
use std::time::Duration;

use futures_util::{FutureExt as _, StreamExt as _};
use inotify::{Event, EventMask, EventStream, Inotify, WatchMask, Watches};

/// How long a result may take to be seen where every look is made by the clock.
const POLL: Duration = Duration::from_millis(200);
/// How often there is a look although nothing was told.
const HEARTBEAT: Duration = Duration::from_secs(1);
/// What is written in a burst is read in one look.
const GATHER: Duration = Duration::from_millis(10);

/// Waits for something to read.
pub(crate) struct Watch {
    /// None: the logs are polled.
    kernel: Option<Kernel>,
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
    /// Waits for the kernel to tell; must be called within a runtime.
    pub(crate) fn inotify() -> io::Result<Self> {
        let inotify = Inotify::init()?;
        let watches = inotify.watches();
        let events = inotify.into_event_stream([0; 4096])?;
        Ok(Self { kernel: Some(Kernel { events, watches, watched: BTreeSet::new(), blind: true }) })
    }

    /// Waits for the clock.
    pub(crate) fn polling() -> Self {
        Self { kernel: None }
    }

    /// Watches `directories`, also those that were made anew under the same name; those that do not exist are for the heartbeat.
    pub(crate) fn directories(&mut self, directories: BTreeSet<PathBuf>) -> io::Result<()> {
        self.kernel.as_mut().map_or(Ok(()), |kernel| kernel.watch(directories))
    }

    /// Waits until there may be something to read. `concerns` says whether the name of a file that was changed matters.
    pub(crate) async fn wait(&mut self, concerns: impl Fn(&str) -> bool) -> Reason {
        let Some(kernel) = &mut self.kernel else {
            tokio::time::sleep(POLL).await;
            return Reason::Time;
        };
        let told = async {
            kernel.tells(&concerns).await;
            tokio::time::sleep(GATHER).await;
            kernel.drain();
        };
        match tokio::time::timeout(HEARTBEAT, told).await {
            Ok(()) => Reason::Told,
            Err(_) => Reason::Time,
        }
    }

    /// Whether the kernel fails to tell of what a heartbeat has found. Its word may come a moment after the line.
    pub(crate) async fn is_deaf(&mut self, concerns: impl Fn(&str) -> bool) -> bool {
        match &mut self.kernel {
            Some(kernel) if !kernel.blind => tokio::time::timeout(HEARTBEAT, kernel.tells(&concerns)).await.is_err(),
            _ => false,
        }
    }
}

// === impl Kernel ===

impl Kernel {
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
