//! When the reader looked at the logs last: an agent that no longer reads goes on showing states that are long over.

use std::sync::atomic::AtomicI64;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

/// The reader looks at least once a second. A disk that is busy, or a slow file server, holds it up for some seconds;
/// after so long it hangs.
const STALLED: Duration = Duration::from_secs(60);

/// When the logs were looked at last. Clones share it.
#[derive(Clone, Debug)]
pub struct LastLook {
    at: Arc<Mutex<Instant>>,
    gauge: Gauge<i64, AtomicI64>,
}

// === impl LastLook ===

impl LastLook {
    /// Now, shown by `registry` as soon as there was a look.
    pub fn new(registry: &mut Registry) -> Self {
        let look = Self { at: Arc::new(Mutex::new(Instant::now())), gauge: Gauge::default() };
        let help = "When the logs were looked at last, in epoch seconds";
        registry.register("checkscript_agent_last_look_timestamp_seconds", help, look.gauge.clone());
        look
    }

    /// The logs were looked at.
    pub fn note(&self) {
        *self.at.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
        self.gauge.set(Timestamp::now().as_second());
    }

    /// The reason why the agent is not healthy at `now`, if it is not.
    pub(crate) fn check(&self, now: Instant) -> Result<(), String> {
        let silent = now.saturating_duration_since(*self.at.lock().unwrap_or_else(PoisonError::into_inner));
        match silent > STALLED {
            true => Err(format!("the logs were looked at {} s ago; the reader hangs", silent.as_secs())),
            false => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reader_that_hangs_is_not_healthy_until_it_looks_again() {
        let mut registry = Registry::default();
        let look = LastLook::new(&mut registry);
        let started = Instant::now();
        assert_eq!(look.check(started + STALLED / 2), Ok(()));
        let reason = look.check(started + 2 * STALLED).unwrap_err();
        assert!(reason.starts_with("the logs were looked at 1"), "{reason}");
        // As if time had passed until this look.
        *look.at.lock().unwrap() = started.checked_sub(2 * STALLED).unwrap_or(started);
        look.note();
        assert_eq!(look.check(Instant::now()), Ok(()));
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
        let shown = text.lines().find_map(|line| line.strip_prefix("checkscript_agent_last_look_timestamp_seconds "));
        assert!(shown.unwrap().parse::<i64>().unwrap() > 0, "{text}");
    }
}
