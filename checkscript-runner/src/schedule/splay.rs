//! sensu-client's splay: checks of one interval are spread over it by a hash, the same after every restart.

use md5::{Digest, Md5};

/// When in its interval a check runs, in milliseconds from a multiple of the interval since the epoch.
///
/// The hash is the first eight bytes of `MD5("CLIENT:CHECK")` as a little-endian number (sensu
/// `lib/sensu/client/process.rb`, `calculate_check_execution_splay`).
pub(super) fn phase(client: &str, check: &str, interval: u64) -> u64 {
    let digest = Md5::digest(format!("{client}:{check}"));
    let mut first = [0; 8];
    first.copy_from_slice(&digest[..8]);
    u64::from_le_bytes(first) % interval
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::schedule::Timetable;

    /// Upstream's own vectors (sensu `spec/client/process_spec.rb` 560, A29): client `i-424242`, check `test`, now 1414213569.032.
    #[test]
    fn the_wait_is_sensu_clients() {
        let now = 1_414_213_569_032;
        for (interval, wait) in [(60_000, 3_321), (3_600_000, 783_321)] {
            assert_eq!((now + wait) % interval, phase("i-424242", "test", interval));
        }
    }

    proptest! {
        /// A runner that is restarted at any time, weeks later too, finds the phase that it had.
        #[test]
        fn the_phase_is_the_same_for_weeks_and_over_restarts(
            client in "[a-z0-9.-]{1,12}", check in "[a-z0-9_.-]{1,12}", seconds in 1..100_000u64,
            first in 1_700_000_000_000..1_800_000_000_000i64, later in 0..6 * 7 * 86_400_000i64,
        ) {
            let definition = json!({"interval": seconds});
            let table = || Timetable::of(&client, &check, definition.as_object().unwrap()).unwrap();
            let interval = i64::try_from(seconds * 1000).unwrap();
            let slot = table().at_or_after(first).unwrap();
            let phase = i64::try_from(phase(&client, &check, seconds * 1000)).unwrap();
            prop_assert_eq!(slot.rem_euclid(interval), phase);
            let restarted = table().at_or_after(first + later).unwrap();
            prop_assert_eq!((restarted - slot).rem_euclid(interval), 0);
            prop_assert!((first + later..first + later + interval).contains(&restarted));
        }
    }
}
