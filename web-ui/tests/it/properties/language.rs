//! What headers say of the language that somebody reads.

use http::HeaderMap;
use http::header::{ACCEPT_LANGUAGE, COOKIE};
use web_ui::texts::Texts;

/// `Accept-Language` and the cookie `lang`: the language that was chosen, or else one that is liked at least as well as the other, or else
/// English.
pub(crate) fn language(headers: &HeaderMap) {
    let spoken = Texts::of(headers).code;
    let words = |name, separator: char| {
        let values = headers.get_all(name).into_iter().filter_map(|value| value.to_str().ok());
        values.flat_map(move |value| value.split(separator)).map(str::trim)
    };
    let mut cookies = words(COOKIE, ';').filter_map(|cookie| cookie.strip_prefix("lang="));
    if let Some(chosen) = cookies.find(|code| ["en", "ja"].contains(code)) {
        return assert_eq!(spoken, chosen, "{headers:?}");
    }
    let best = |code: &str| {
        let wanted = words(ACCEPT_LANGUAGE, ',').filter(|range| liked(range) == code).map(weight);
        wanted.fold(0.0, f32::max)
    };
    let (english, japanese) = (best("en"), best("ja"));
    if english == japanese && english > 0.0 {
        let mut ranges = words(ACCEPT_LANGUAGE, ',').filter(|range| weight(range) == english).map(liked);
        assert_eq!(ranges.find(|code| !code.is_empty()), Some(spoken), "{headers:?}");
    } else {
        assert_eq!(spoken, if japanese > english { "ja" } else { "en" }, "{headers:?}");
    }
}

/// The language of ours that a range names; empty where it names none.
fn liked(range: &str) -> &'static str {
    let name = range.split(';').next().unwrap_or_default().trim().split('-').next().unwrap_or_default();
    ["en", "ja"].into_iter().find(|code| name.eq_ignore_ascii_case(code)).unwrap_or_default()
}

/// How well it is liked; not at all where it does not say that well.
fn weight(range: &str) -> f32 {
    let mut parameters = range.split(';').skip(1).map(str::trim);
    let weight = parameters.find(|parameter| parameter.get(..2).is_some_and(|name| name.eq_ignore_ascii_case("q=")));
    let weight = weight.map_or(Ok(1.0), |weight| weight[2..].parse());
    weight.ok().filter(|weight| (0.0..=1.0).contains(weight)).unwrap_or(0.0)
}
