//! Answers that serve further alerts for a while.

use std::time::{Duration, Instant};

use moka::Expiry;
use moka::future::Cache;
use moka::policy::EvictionPolicy;

use super::failure::OPEN;
use super::{Answer, Target};
use crate::config::Fetch;

/// Answers kept in the cache, in bytes of memory. It only has to last from one alert of a check to the next, which come
/// together; what the alerts themselves need for longer is remembered elsewhere, cut to size.
pub(super) const BYTES: u64 = 16 << 20;

/// So many bytes of one answer are large.
const LARGE: u32 = 256 << 10;

/// What an answer takes beside what it says, in bytes, roughly.
const OVERHEAD: usize = 2_048;

/// An answer serves longer than a failure.
#[derive(Debug)]
struct Lifetime {
    answer: Duration,
    failure: Duration,
}

/// An empty one.
pub(super) fn new(limits: &Fetch) -> Cache<Target, Answer> {
    Cache::builder()
        .max_capacity(BYTES)
        .weigher(weigh)
        // What came last is what the next alert asks for.
        .eviction_policy(EvictionPolicy::lru())
        .expire_after(Lifetime { answer: limits.cache, failure: limits.failure_cache })
        .build()
}

/// Whether an answer that there may be no room for should go at once, and not when the cache next sees to that.
pub(super) fn is_large(target: &Target, answer: &Answer) -> bool {
    weigh(target, answer) >= LARGE
}

/// Bytes of an answer in memory, roughly.
fn weigh(target: &Target, answer: &Answer) -> u32 {
    let own = answer.as_ref().map_or_else(|failure| failure.reason.len(), |fetched| fetched.size);
    u32::try_from(own.saturating_add(OVERHEAD + target.url.as_str().len())).unwrap_or(u32::MAX)
}

// === impl Lifetime ===

impl Lifetime {
    fn of(&self, answer: &Answer) -> Option<Duration> {
        Some(match answer {
            Ok(_) => self.answer,
            // The breaker remembers it, and knows when the node may be asked again.
            Err(failure) if failure.kind == OPEN => Duration::ZERO,
            Err(_) => self.failure,
        })
    }
}

impl Expiry<Target, Answer> for Lifetime {
    fn expire_after_create(&self, _: &Target, answer: &Answer, _: Instant) -> Option<Duration> {
        self.of(answer)
    }

    fn expire_after_update(&self, _: &Target, answer: &Answer, _: Instant, _: Option<Duration>) -> Option<Duration> {
        self.of(answer)
    }
}
