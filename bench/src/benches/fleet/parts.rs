//! What each part uses: at a moment, over a window, and all the time for the plots.

use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::Context as _;

use crate::program::Usage;

/// Between two looks for the plots.
const EVERY: Duration = Duration::from_secs(5);

/// The parts by their names.
#[derive(Clone)]
pub(super) struct Parts(Arc<Vec<(String, Usage)>>);

/// What one part had used at a moment.
#[derive(Clone, Copy, Debug)]
pub(super) struct Used {
    /// Seconds of a processor so far.
    pub(super) cpu: f64,
    /// MiB resident.
    pub(super) resident: f64,
    /// MiB resident at most so far.
    pub(super) peak: f64,
}

/// What all parts had used at a moment.
#[derive(Clone, Debug)]
pub(super) struct Moment {
    /// Since the parts were known.
    pub(super) at: Instant,
    /// In the order of the parts.
    pub(super) used: Vec<Used>,
}

/// Looks at the parts again and again, until it is stopped.
pub(super) struct Recorder {
    stop: Sender<()>,
    thread: JoinHandle<anyhow::Result<Vec<Moment>>>,
}

// === impl Parts ===

impl Parts {
    pub(super) fn new(parts: Vec<(String, Usage)>) -> Self {
        Self(Arc::new(parts))
    }

    pub(super) fn names(&self) -> Vec<String> {
        self.0.iter().map(|(name, _)| name.clone()).collect()
    }

    pub(super) fn look(&self) -> anyhow::Result<Moment> {
        let used = self.0.iter().map(|(name, usage)| {
            let memory = usage.memory().with_context(|| format!("{name} has ended"))?;
            Ok(Used { cpu: usage.cpu()?.own, resident: memory.resident, peak: memory.peak })
        });
        Ok(Moment { at: Instant::now(), used: used.collect::<anyhow::Result<_>>()? })
    }
}

// === impl Moment ===

impl Moment {
    /// Of how many processors each part had the use since `earlier`.
    pub(super) fn processors_since(&self, earlier: &Self) -> Vec<f64> {
        let took = (self.at - earlier.at).as_secs_f64();
        self.used.iter().zip(&earlier.used).map(|(now, then)| (now.cpu - then.cpu) / took).collect()
    }
}

// === impl Recorder ===

impl Recorder {
    pub(super) fn start(parts: Parts) -> Self {
        let (stop, stopped) = channel();
        let record = move || {
            let mut moments = vec![parts.look()?];
            while stopped.recv_timeout(EVERY) == Err(RecvTimeoutError::Timeout) {
                moments.push(parts.look()?);
            }
            Ok(moments)
        };
        Self { stop, thread: thread::spawn(record) }
    }

    /// All that was seen.
    pub(super) fn stop(self) -> anyhow::Result<Vec<Moment>> {
        drop(self.stop);
        self.thread.join().ok().context("the recorder panicked")?
    }
}
