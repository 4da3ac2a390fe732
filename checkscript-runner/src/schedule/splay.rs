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
    use super::*;

    /// Upstream's own vectors (sensu `spec/client/process_spec.rb` 560, A29): client `i-424242`, check `test`, now 1414213569.032.
    #[test]
    fn the_wait_is_sensu_clients() {
        let now = 1_414_213_569_032;
        for (interval, wait) in [(60_000, 3_321), (3_600_000, 783_321)] {
            assert_eq!((now + wait) % interval, phase("i-424242", "test", interval));
        }
    }
}
