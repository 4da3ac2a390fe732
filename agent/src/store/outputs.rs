//! How much the outputs of all checks hold together, and what gives way where that is too much: the longest.

use std::collections::BTreeMap;
use std::sync::Arc;

use check_result::{CheckKey, HistoryLimits};

use super::Tracked;

/// Cuts the longest outputs until all hold `most` bytes at most: none is longer than the first number then, and the second one
/// says of how many checks some were.
pub(super) fn cut(checks: &mut BTreeMap<CheckKey, Tracked>, most: usize, limits: &HistoryLimits) -> (usize, usize) {
    let held = |longest: usize| checks.values().map(|tracked| tracked.state.output_bytes(longest)).sum::<usize>();
    let mut longest = limits.latest_output_bytes.max(limits.output_bytes);
    while longest > 0 && held(longest) > most {
        longest /= 2;
    }
    let limits = HistoryLimits {
        output_bytes: limits.output_bytes.min(longest),
        latest_output_bytes: limits.latest_output_bytes.min(longest),
        ..*limits
    };
    let too_long =
        |tracked: &&mut Tracked| tracked.state.output_bytes(usize::MAX) > tracked.state.output_bytes(longest);
    let cut =
        checks.values_mut().filter(too_long).map(|tracked| Arc::make_mut(&mut tracked.state).bound(&limits)).count();
    (longest, cut)
}
