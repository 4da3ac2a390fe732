//! The format of a scrape.

use axum::http::HeaderMap;
use axum::http::header::ACCEPT;

/// A format that is spoken here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    /// The classic text format.
    Text,
    /// Prometheus's protobuf messages, each after its length.
    Protobuf,
    /// OpenMetrics 1.0.
    OpenMetrics,
}

impl Format {
    /// The format that the request likes best; the classic text format where it names none.
    ///
    /// OpenMetrics only for who does not name `text/plain`: it renames what was pushed (`x` becomes `x_total`), and the reference
    /// never gives it, so that who can read both gets the names that were pushed.
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let header: Vec<_> = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok()).collect();
        let header = header.join(",");
        let named: Vec<_> = header.split(',').filter_map(range).collect();
        let text = named.iter().any(|(format, quality)| *format == Self::Text && *quality > 0.0);
        let mut best = (Self::Text, 0.0);
        for (format, quality) in named {
            if quality > best.1 && !(text && format == Self::OpenMetrics) {
                best = (format, quality);
            }
        }
        best.0
    }

    pub(super) fn content_type(self) -> &'static str {
        match self {
            Self::Text => "text/plain; version=0.0.4; charset=utf-8",
            Self::Protobuf => {
                "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited"
            }
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }
}

/// What one element of the header names, with its weight.
fn range(range: &str) -> Option<(Format, f64)> {
    let range = range.to_ascii_lowercase();
    let mut parts = range.split(';').map(str::trim);
    let media = parts.next()?;
    let (mut version, mut proto, mut encoding, mut quality) = (None, None, None, 1.0);
    for (name, value) in parts.filter_map(|part| part.split_once('=')) {
        match name {
            "version" => version = Some(value),
            "proto" => proto = Some(value),
            "encoding" => encoding = Some(value),
            "q" => quality = value.parse().ok().filter(|quality| (0.0..=1.0).contains(quality))?,
            _ => {}
        }
    }
    let format = match (media, version) {
        ("text/plain", None | Some("0.0.4")) => Format::Text,
        ("application/openmetrics-text", None | Some("1.0.0")) => Format::OpenMetrics,
        ("application/vnd.google.protobuf", _)
            if proto == Some("io.prometheus.client.metricfamily") && encoding == Some("delimited") =>
        {
            Format::Protobuf
        }
        _ => return None,
    };
    Some((format, quality))
}

#[cfg(test)]
mod tests {
    use super::Format::{self, OpenMetrics, Protobuf, Text};
    use super::*;

    #[test]
    fn prometheus_gets_what_the_reference_gives_it() {
        const DELIMITED: &str =
            "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited";
        let both = "application/openmetrics-text;version=1.0.0;q=0.6,text/plain;version=0.0.4;q=0.3,*/*;q=0.2";
        for (accept, format) in [
            ("", Text),
            ("*/*", Text),
            ("application/x-nope", Text),
            (both, Text),
            ("application/openmetrics-text;version=1.0.0;q=0.6,*/*;q=0.2", OpenMetrics),
            ("application/openmetrics-text;q=0,*/*", Text),
            ("application/openmetrics-text;Q=0", Text),
            (DELIMITED, Protobuf),
            (&format!("{DELIMITED};q=0.6,{both}"), Protobuf),
            (&format!("{DELIMITED};q=0.1,{both}"), Text),
            ("application/vnd.google.protobuf", Text),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(ACCEPT, accept.parse().unwrap());
            assert_eq!(Format::of(&headers), format, "{accept}");
        }
    }
}
