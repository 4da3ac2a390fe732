//! What holds for any input. The fuzz target `headers` asserts it of what it comes upon, the tests of what fuzzing began with and found.

use exposition::Format;
use http::HeaderMap;
use http::header::ACCEPT;

/// The `Accept` of a scrape: OpenMetrics is given to who takes it and likes nothing better that is spoken here, the classic format to everybody
/// else.
pub(crate) fn negotiated(headers: &HeaderMap) {
    let accept: Vec<_> = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok()).collect();
    let accept = accept.join(",");
    let ranges: Vec<_> = accept.split(',').filter_map(range).collect();
    let most = ranges.iter().map(|(_, weight)| *weight).fold(0.0, f64::max);
    // The first of those that are liked best.
    let best = ranges.iter().find(|(_, weight)| *weight > 0.0 && *weight == most);
    let wanted = best.map_or(Format::Text, |(format, _)| *format);
    assert_eq!(Format::negotiate(Some(&accept)), wanted, "{accept}");
}

/// A range of media that is spoken here and its weight, by RFC 9110 (8.3.1, 12.4.2): names in any case, a weight from 0 to 1.
fn range(range: &str) -> Option<(Format, f64)> {
    let lower = range.to_ascii_lowercase();
    let parameters: Vec<_> =
        lower.split(';').skip(1).filter_map(|parameter| parameter.trim().split_once('=')).collect();
    let parameter = |name: &str| parameters.iter().rev().find(|(known, _)| *known == name).map(|(_, value)| *value);
    let weights = parameters.iter().filter(|(name, _)| *name == "q").map(|(_, value)| value.parse::<f64>().ok());
    let weights: Vec<_> = weights.collect::<Option<_>>()?;
    let format = match (lower.split(';').next()?.trim(), parameter("version")) {
        ("application/openmetrics-text", None | Some("1.0.0")) => Format::OpenMetrics,
        ("text/plain", None | Some("0.0.4")) | ("text/*" | "*/*", None) => Format::Text,
        _ => return None,
    };
    let weight = weights.last().copied().unwrap_or(1.0);
    (0.0..=1.0).contains(&weight).then_some((format, weight))
}
