//! What the target `headers` reads, for the target and the tests of the crates whose properties it asserts.

use http::{HeaderMap, HeaderName, HeaderValue};

/// More lines than a request has that means anything.
const LINES: usize = 32;

/// The headers of a request, `Name: value` a line; lines that are none are left out, as no request can have them.
pub(crate) fn headers(head: &[u8]) -> HeaderMap {
    let header = |line: &[u8]| {
        let colon = line.iter().position(|byte| *byte == b':')?;
        let (name, value) = (line[..colon].trim_ascii(), line[colon + 1..].trim_ascii());
        Some((HeaderName::from_bytes(name).ok()?, HeaderValue::from_bytes(value).ok()?))
    };
    let mut headers = HeaderMap::new();
    for (name, value) in head.split(|byte| *byte == b'\n').filter_map(header).take(LINES) {
        headers.append(name, value);
    }
    headers
}
