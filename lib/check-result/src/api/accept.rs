//! Which of several forms of an answer a request prefers (RFC 9110, 12.5.1).

use axum::http::{HeaderMap, header};

/// A form that an answer can have, by its media type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    Json,
    Text,
    #[cfg(any(feature = "pages", test))]
    Html,
}

impl Form {
    fn media(self) -> (&'static str, &'static str) {
        match self {
            Self::Json => ("application", "json"),
            Self::Text => ("text", "plain"),
            #[cfg(any(feature = "pages", test))]
            Self::Html => ("text", "html"),
        }
    }
}

/// The form of `offers` that is accepted with the highest quality; of equals the one that the header names first, then the one
/// that is offered first. A header that accepts none of them is treated as none at all.
pub(crate) fn preferred<const N: usize>(headers: &HeaderMap, offers: [Form; N]) -> Form {
    let header: Vec<_> = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok()).collect();
    let header = header.join(",");
    let ranges: Vec<Range<'_>> = header.split(',').enumerate().filter_map(Range::read).collect();
    let mut best = (offers[0], 0, usize::MAX);
    for offer in offers {
        let fits = ranges.iter().filter_map(|range| Some((range.fit(offer)?, range)));
        let Some((_, range)) = fits.max_by_key(|(specific, range)| (*specific, std::cmp::Reverse(range.position)))
        else {
            continue;
        };
        if range.quality > best.1 || (range.quality == best.1 && range.position < best.2) {
            best = (offer, range.quality, range.position);
        }
    }
    best.0
}

/// One element of the header.
struct Range<'a> {
    position: usize,
    media: (&'a str, &'a str),
    /// In thousandths.
    quality: u16,
}

impl<'a> Range<'a> {
    fn read((position, text): (usize, &'a str)) -> Option<Self> {
        let mut parts = text.split(';').map(str::trim);
        let media = parts.next()?.split_once('/')?;
        let quality = parts.find_map(|part| part.strip_prefix("q=").or(part.strip_prefix("Q=")));
        let quality = quality.map_or(Some(1.0), |quality| quality.parse().ok())?;
        (quality > 0.0).then_some(Self { position, media, quality: (f32::min(quality, 1.0) * 1000.0) as u16 })
    }

    /// How specifically the range names `form`, if it does.
    fn fit(&self, form: Form) -> Option<u8> {
        let (kind, subtype) = form.media();
        match self.media {
            ("*", "*") => Some(0),
            (own, "*") if own.eq_ignore_ascii_case(kind) => Some(1),
            (own, sub) if own.eq_ignore_ascii_case(kind) && sub.eq_ignore_ascii_case(subtype) => Some(2),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_liked_form_is_chosen() {
        use Form::{Html, Json, Text};
        const BROWSER: &str = "text/html,application/xhtml+xml,application/xml;q=0.9,image/webp,*/*;q=0.8";
        for (accept, api, page) in [
            (None, Json, Html),
            (Some("*/*"), Json, Html),
            (Some("text/plain"), Text, Html),
            (Some("text/plain, application/json"), Text, Json),
            (Some("application/json, text/plain"), Json, Json),
            (Some("text/*"), Text, Html),
            (Some("TEXT/PLAIN;q=0.4, application/json;q=0.3"), Text, Json),
            (Some("text/plain;q=0, */*"), Json, Html),
            (Some("application/json;q=0.1, */*"), Text, Html),
            (Some("image/png"), Json, Html),
            (Some("text/plain;q=x, ;;,/"), Json, Html),
            (Some(BROWSER), Json, Html),
        ] {
            let mut headers = HeaderMap::new();
            headers.extend(accept.map(|accept| (header::ACCEPT, accept.parse().unwrap())));
            assert_eq!(preferred(&headers, [Json, Text]), api, "{accept:?}");
            assert_eq!(preferred(&headers, [Html, Json]), page, "{accept:?}");
        }
    }
}
