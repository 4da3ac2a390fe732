//! The state of a check as bytes: JSON, compressed. A check says much the same time after time, and its state has up to 41 outputs.

use check_result::CheckState;
use check_result::values::{MOST_VALUES, values};
use snap::raw::{Decoder, Encoder, decompress_len};

use super::record::BadRecord;

/// The first byte. JSON, as states were kept before, does not begin with it, and no message does: who knows only those refuses it.
const MARK: u8 = 0;
/// No text becomes shorter than this part of it: 64 bytes become 3.
const MOST: usize = 22;
/// JSON values of a state at most, as [`values`] counts them: those of its last result, of which empty lists and objects count twice,
/// and those of its history.
const MOST_OF_A_STATE: usize = 2 * MOST_VALUES + 1_000;

pub(super) fn pack(state: &CheckState) -> Vec<u8> {
    let json = serde_json::to_vec(state).expect("the keys of a state are strings");
    let mut packed = vec![MARK; 1 + snap::raw::max_compress_len(json.len())];
    let length = Encoder::new().compress(&json, &mut packed[1..]).expect("there is room, and states are below 4 GB");
    packed.truncate(1 + length);
    packed.shrink_to_fit();
    packed
}

/// Whether these are the bytes of a state, and not of a group.
pub(super) fn is_packed(bytes: &[u8]) -> bool {
    bytes.first() == Some(&MARK)
}

/// The state in these bytes; none where it has more values than any result that is taken: in memory it would be a hundred times as
/// large.
pub(super) fn unpack(bytes: &[u8]) -> Result<Option<CheckState>, BadRecord> {
    let json = match bytes.split_first() {
        Some((&MARK, packed)) => &decompressed(packed)?[..],
        _ => bytes,
    };
    if values(json) > MOST_OF_A_STATE {
        return Ok(None);
    }
    serde_json::from_slice(json).map(Some).map_err(|error| BadRecord(error.to_string()))
}

fn decompressed(packed: &[u8]) -> Result<Vec<u8>, BadRecord> {
    let bad = |error: snap::Error| BadRecord(error.to_string());
    // The bytes of a shared store may be anybody's.
    let length = decompress_len(packed).map_err(bad)?;
    if length > packed.len().saturating_mul(MOST) {
        return Err(BadRecord(format!("a state that has {} bytes cannot have been {length}", packed.len())));
    }
    Decoder::new().decompress_vec(packed).map_err(bad)
}

#[cfg(test)]
mod tests {
    use check_result::log::LoggedResult;
    use check_result::{CheckResult, HistoryLimits};
    use jiff::Timestamp;
    use serde_json::json;

    use super::*;

    fn state(output: &str) -> CheckState {
        let check = json!({"name": "disk", "output": output, "status": 1, "issued": 7, "x": 1.50});
        let result = CheckResult::new("web-1", check.as_object().unwrap().clone()).unwrap();
        CheckState::new(LoggedResult { logged: Timestamp::UNIX_EPOCH, result }, &HistoryLimits::default())
    }

    #[test]
    fn what_is_packed_is_read_back_and_an_output_costs_once() {
        // Nothing but the output itself is like it.
        let noise =
            |at: u32| char::from(b'0' + (at.wrapping_mul(2_654_435_761).rotate_left(11).wrapping_mul(at) >> 26) as u8);
        let output: String = (0..2000).map(noise).collect();
        for text in ["", "x", &output, &"x".repeat(1 << 20)] {
            let state = state(text);
            let packed = pack(&state);
            assert!(is_packed(&packed));
            assert!(packed.len() < text.len() + 1000, "{} of {}", packed.len(), text.len());
            assert_eq!(unpack(&packed).unwrap(), Some(state));
        }
    }

    #[test]
    fn a_state_as_it_was_kept_before_is_read() {
        let state = state("x");
        let json = serde_json::to_vec(&state).unwrap();
        assert!(!is_packed(&json));
        assert_eq!(unpack(&json).unwrap(), Some(state));
    }

    #[test]
    fn a_state_is_read_that_has_as_many_values_as_a_result_may_have_and_none_of_more() {
        let of = |empty: usize| {
            let (lists, output) = (vec![json!([]); empty], "x".repeat(9));
            let check = json!({"name": "disk", "output": output, "status": 1, "x": lists});
            let run = |status: usize| {
                let mut check = check.as_object().unwrap().clone();
                check["status"] = status.into();
                let result = CheckResult::new("web-1", check).unwrap();
                LoggedResult { logged: Timestamp::UNIX_EPOCH, result }
            };
            let mut state = CheckState::new(run(0), &HistoryLimits::default());
            (1..99).for_each(|number| state.apply(run(number), &HistoryLimits::default()));
            state
        };
        let most = of(MOST_VALUES - 5);
        assert_eq!(unpack(&pack(&most)).unwrap(), Some(most));
        assert_eq!(unpack(&pack(&of(MOST_VALUES + 1_000))).unwrap(), None);
    }

    #[test]
    fn bytes_that_are_no_state_are_refused() {
        // A length of 4 GB, of few bytes.
        let large = [MARK, 0xff, 0xff, 0xff, 0xff, 0x0f, 0, b'x'];
        for (bytes, says) in [(&large[..], "cannot have been 4294967295"), (&[MARK], "snappy"), (b"{}", "missing")] {
            let told = unpack(bytes).unwrap_err().to_string();
            assert!(told.contains(says), "{told}");
        }
    }
}
