//! The state of a check as bytes: JSON, compressed. A check says much the same time after time, and its state has up to 41 outputs.

use check_result::CheckState;
use snap::raw::{Decoder, Encoder, decompress_len};

use super::record::BadRecord;

/// The first byte. JSON, as states were kept before, does not begin with it, and no message does: who knows only those refuses it.
const MARK: u8 = 0;
/// No text becomes shorter than this part of it: 64 bytes become 3.
const MOST: usize = 22;

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

pub(super) fn unpack(bytes: &[u8]) -> Result<CheckState, BadRecord> {
    let json = match bytes.split_first() {
        Some((&MARK, packed)) => &decompressed(packed)?[..],
        _ => bytes,
    };
    serde_json::from_slice(json).map_err(|error| BadRecord(error.to_string()))
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
            assert_eq!(unpack(&packed).unwrap(), state);
        }
    }

    #[test]
    fn a_state_as_it_was_kept_before_is_read() {
        let state = state("x");
        let json = serde_json::to_vec(&state).unwrap();
        assert!(!is_packed(&json));
        assert_eq!(unpack(&json).unwrap(), state);
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
