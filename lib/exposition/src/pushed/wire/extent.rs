//! How much is in a message, told before it is decoded: in memory an empty message takes hundreds of times its two bytes.

use prost::encoding::{DecodeContext, WireType, decode_key, decode_varint, skip_field};

use super::super::Most;

/// Messages within messages.
#[derive(Clone, Copy)]
enum Kind {
    Family,
    Metric,
    /// A summary or a histogram: what is in it has no further parts.
    Composite,
}

/// What there is in a family besides what was `read` before. Where the message ends before its time or is none, what stands before
/// that: it is all that a decoder holds before it says so.
pub(super) fn extent(family: &[u8], read: Most) -> Most {
    let mut read = Most { parts: read.parts + 1, ..read };
    add(family, Kind::Family, &mut read);
    read
}

fn add(message: &[u8], kind: Kind, read: &mut Most) {
    let mut rest = message;
    while !rest.is_empty() {
        let Ok((tag, wire)) = decode_key(&mut rest) else { return };
        let inner = match (kind, tag) {
            (Kind::Family, 4) => Some(Kind::Metric),
            (Kind::Metric, 4 | 7) => Some(Kind::Composite),
            _ => None,
        };
        read.parts += 1;
        read.metrics += usize::from(matches!(inner, Some(Kind::Metric)));
        if wire != WireType::LengthDelimited {
            if skip_field(wire, tag, &mut rest, DecodeContext::default()).is_err() {
                return;
            }
            continue;
        }
        let length = decode_varint(&mut rest).ok().and_then(|length| usize::try_from(length).ok());
        let Some((field, behind)) = length.and_then(|length| rest.split_at_checked(length)) else { return };
        match (inner, kind, tag) {
            (Some(inner), ..) => add(field, inner, read),
            // Deltas of a native histogram: a byte each, and eight in memory.
            (None, Kind::Composite, 10 | 13) => read.parts += field.len(),
            (None, ..) => {}
        }
        rest = behind;
    }
}
