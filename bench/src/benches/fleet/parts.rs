//! What each part uses: at a moment, over a window, and all the time for the plots.

use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};

use crate::program::Usage;
use crate::report::Figure;

/// Between two looks for the plots.
const EVERY: Duration = Duration::from_secs(5);

/// Processors in use below which more or less of them is a tick of the clock or two, and neither worse nor better.
const IDLE: f64 = 0.01;

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
    pub(super) parts: Parts,
    moments: Arc<Mutex<Vec<Moment>>>,
    stop: Sender<()>,
    thread: JoinHandle<anyhow::Result<()>>,
}

/// Of how many processors a part had the use.
pub(super) fn processors(name: String, value: f64) -> Figure {
    let figure = Figure::one(name, "", value);
    if value > IDLE { figure.lower() } else { figure }
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
            Ok(Used { cpu: usage.cpu()?.own, resident: memory.resident })
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
        let moments = Arc::<Mutex<Vec<Moment>>>::default();
        let (looked, seen) = (parts.clone(), Arc::clone(&moments));
        let record = move || {
            loop {
                let moment = looked.look()?;
                seen.lock().unwrap_or_else(PoisonError::into_inner).push(moment);
                if stopped.recv_timeout(EVERY) != Err(RecvTimeoutError::Timeout) {
                    return Ok(());
                }
            }
        };
        Self { parts, moments, stop, thread: thread::spawn(record) }
    }

    /// MiB that each part had resident at most since then, as far as it was looked.
    pub(super) fn most_since(&self, began: Instant) -> anyhow::Result<Vec<f64>> {
        let mut most: Vec<f64> = self.parts.look()?.used.iter().map(|used| used.resident).collect();
        let moments = self.moments.lock().unwrap_or_else(PoisonError::into_inner);
        for moment in moments.iter().filter(|moment| moment.at >= began) {
            for (most, used) in most.iter_mut().zip(&moment.used) {
                *most = most.max(used.resident);
            }
        }
        Ok(most)
    }

    /// All that was seen, and why it was not until the end.
    pub(super) fn stop(self) -> (Vec<Moment>, anyhow::Result<()>) {
        drop(self.stop);
        let ended = self.thread.join().unwrap_or_else(|_| bail!("the recorder panicked"));
        let mut moments = self.moments.lock().unwrap_or_else(PoisonError::into_inner);
        (std::mem::take(&mut *moments), ended)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Better;

    #[test]
    fn a_tick_of_an_idle_part_is_not_judged() {
        let better = |value| processors("proxy, processors".to_owned(), value).better;
        assert_eq!((better(0.0), better(0.009), better(0.02)), (None, None, Some(Better::Lower)));
    }
}
