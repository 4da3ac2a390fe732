//! `rate_limit`: a token bucket for all requests of a server together, as exporter-toolkit has it.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use tokio::time::Instant;

use super::checks::Checks;
use super::raw::RawRateLimit;

/// The longest interval. Beyond it a limit is an outage, and far beyond it the clock cannot count.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

/// One token an interval, and at most `burst` of them.
pub(crate) struct RateLimit {
    interval: Duration,
    burst: u32,
    /// When the bucket is full again. Every request moves it one interval ahead, which says the same as a count of tokens
    /// and needs no fractions.
    full_at: Mutex<Option<Instant>>,
}

impl RateLimit {
    fn new(interval: Duration, burst: u32) -> Self {
        Self { interval, burst, full_at: Mutex::new(None) }
    }

    /// Whether a request may pass now.
    pub(crate) fn allows(&self, now: Instant) -> bool {
        let mut full_at = self.full_at.lock().unwrap_or_else(PoisonError::into_inner);
        let next = full_at.unwrap_or(now).max(now) + self.interval;
        let allowed = next - now <= self.interval.saturating_mul(self.burst);
        if allowed {
            *full_at = Some(next);
        }
        allowed
    }
}

/// The answer to a request that is one too many.
pub(crate) fn refusal() -> Response {
    (StatusCode::TOO_MANY_REQUESTS, "Too Many Requests\n").into_response()
}

/// The checked section. None without an interval, which means no limit.
pub(super) fn check(raw: &RawRateLimit, checks: &Checks<'_>) -> Option<RateLimit> {
    let interval = raw.interval.as_ref().filter(|text| text.value != "0")?;
    let duration = crate::flags::duration(&interval.value);
    let duration = duration.map_err(|error| checks.fail("rate_limit.interval", interval, error)).ok()?;
    if duration.is_zero() {
        return None;
    }
    if duration > LONGEST {
        checks.fail("rate_limit.interval", interval, "is longer than a day");
    }
    let burst = raw.burst.as_ref().map_or(Ok(0), |text| text.value.parse::<u32>());
    match burst {
        Ok(burst @ 1..) => Some(RateLimit::new(duration.min(LONGEST), burst)),
        _ => {
            // Go's limiter takes 0 and then refuses every request.
            let at = raw.burst.as_ref().unwrap_or(interval);
            checks.fail("rate_limit.burst", at, "an interval needs a burst, a whole number from 1 up");
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_passes_and_then_one_request_an_interval() {
        let limit = RateLimit::new(Duration::from_secs(1), 3);
        let start = Instant::now();
        let passed = |seconds| (0..5).filter(|_| limit.allows(start + Duration::from_secs(seconds))).count();
        assert_eq!(passed(0), 3);
        assert_eq!(passed(1), 1);
        assert_eq!(passed(3), 2);
        assert_eq!(passed(100), 3, "no more than the burst is saved up");
    }

    proptest::proptest! {
        #[test]
        fn no_stretch_of_time_lets_more_pass_than_burst_and_intervals(
            burst in 1_u32..5,
            waits in proptest::collection::vec(0_u64..3000, 1..50),
        ) {
            let limit = RateLimit::new(Duration::from_secs(1), burst);
            let start = Instant::now();
            let (mut elapsed, mut passed) = (0, 0);
            for wait in waits {
                elapsed += wait;
                passed += u64::from(limit.allows(start + Duration::from_millis(elapsed)));
                proptest::prop_assert!(passed <= u64::from(burst) + elapsed / 1000);
            }
        }
    }
}
