//! The body of a push: bytes to families.

use std::borrow::Cow;
use std::io::{self, Read};

use exposition::pushed::{DecodeError, MetricFamily, Most, ParseError, decode_delimited_up_to, parse_text_up_to};

/// The one media type that is read as protobuf; everything else is text, whatever it says.
const PROTOBUF: (&str, &str) = ("application/vnd.google.protobuf", "io.prometheus.client.MetricFamily");

/// A body that is no metrics.
#[derive(Debug, thiserror::Error)]
pub enum BadBody {
    /// Not what its `Content-Encoding` says.
    #[error("cannot decompress the body as {encoding}: {error}")]
    Compressed {
        /// The encoding.
        encoding: &'static str,
        /// What is wrong with it.
        error: io::Error,
    },
    /// Larger than allowed once decompressed.
    #[error("the body has more than the {0} bytes of --push.max-body-bytes")]
    TooLarge(usize),
    /// More than a group may have, and perhaps far more: the rest was not read.
    #[error("the body has more than the {0} series of --push.max-series, or more labels and buckets than so many have")]
    Series(usize),
    /// Not the text format.
    #[error(transparent)]
    Text(#[from] ParseError),
    /// Not the protobuf format.
    #[error(transparent)]
    Protobuf(#[from] DecodeError),
}

/// Reads a body that is [`unpacked`] by its `Content-Type`. It may have at most `series` metrics.
///
/// # Errors
/// See [`BadBody`].
pub fn read(body: &[u8], content_type: &str, series: usize) -> Result<Vec<MetricFamily>, BadBody> {
    let most = Most::metrics(series);
    let families = match is_protobuf(content_type) {
        true => decode_delimited_up_to(body, most)?,
        false => parse_text_up_to(body, most)?,
    };
    families.ok_or(BadBody::Series(series))
}

/// A body of at most `limit` bytes, decompressed by its `Content-Encoding`.
///
/// # Errors
/// When it is not what the encoding says, or too large.
pub fn unpacked<'a>(body: &'a [u8], encoding: &str, limit: usize) -> Result<Cow<'a, [u8]>, BadBody> {
    let unpacked = if encoding.eq_ignore_ascii_case("gzip") {
        unpack(flate2::read::MultiGzDecoder::new(body), "gzip", limit)?.into()
    } else if encoding.eq_ignore_ascii_case("snappy") {
        unpack(snap::read::FrameDecoder::new(body), "snappy", limit)?.into()
    } else {
        Cow::Borrowed(body)
    };
    if unpacked.len() > limit { Err(BadBody::TooLarge(limit)) } else { Ok(unpacked) }
}

fn unpack(packed: impl Read, encoding: &'static str, limit: usize) -> Result<Vec<u8>, BadBody> {
    let mut body = Vec::new();
    let most = limit as u64 + 1;
    packed.take(most).read_to_end(&mut body).map_err(|error| BadBody::Compressed { encoding, error })?;
    if body.len() > limit { Err(BadBody::TooLarge(limit)) } else { Ok(body) }
}

fn is_protobuf(content_type: &str) -> bool {
    let mut parts = content_type.split(';').map(str::trim);
    let media = parts.next().unwrap_or_default();
    let (mut proto, mut delimited) = (false, false);
    for part in parts {
        match part.split_once('=') {
            Some((name, value)) if name.eq_ignore_ascii_case("proto") => proto = value.trim_matches('"') == PROTOBUF.1,
            Some((name, value)) if name.eq_ignore_ascii_case("encoding") => {
                delimited = value.trim_matches('"') == "delimited";
            }
            _ => {}
        }
    }
    media.eq_ignore_ascii_case(PROTOBUF.0) && proto && delimited
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    const DELIMITED: &str =
        "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited";

    fn names(body: &[u8], content_type: &str, encoding: &str) -> Result<Vec<String>, String> {
        let families = unpacked(body, encoding, 1000).and_then(|body| read(&body, content_type, 5));
        let families = families.map_err(|error| error.to_string())?;
        Ok(families.into_iter().map(|family| family.name).collect())
    }

    #[test]
    fn a_body_is_read_by_its_headers() {
        let text = b"m 1\n";
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(text).unwrap();
        let mut snappy = snap::write::FrameEncoder::new(Vec::new());
        snappy.write_all(text).unwrap();
        for (body, encoding) in [
            (text.to_vec(), ""),
            (text.to_vec(), "br"),
            (gzip.finish().unwrap(), "GZIP"),
            (snappy.into_inner().unwrap(), "snappy"),
        ] {
            assert_eq!(names(&body, "application/openmetrics-text", encoding).unwrap(), ["m"], "{encoding}");
        }
        assert_eq!(names(b"", DELIMITED, "").unwrap(), [""; 0]);
        assert_eq!(names(text, DELIMITED, "").unwrap_err(), "unexpected EOF");
        assert!(names(b"", "", "gzip").unwrap_err().starts_with("cannot decompress the body as gzip"));
        let says =
            "the body has more than the 5 series of --push.max-series, or more labels and buckets than so many have";
        assert_eq!(names(&b"m 1\n".repeat(6), "", "").unwrap_err(), says);
        assert_eq!(names(&[12, 34, 0, 34, 0, 34, 0, 34, 0, 34, 0, 34, 0], DELIMITED, "").unwrap_err(), says);
    }

    #[test]
    fn a_bomb_is_stopped_at_the_limit() {
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        gzip.write_all(&vec![b'#'; 1 << 20]).unwrap();
        let says = "the body has more than the 1000 bytes of --push.max-body-bytes";
        assert_eq!(names(&gzip.finish().unwrap(), "", "gzip").unwrap_err(), says);
        assert_eq!(names(&[b'#'; 1001], "", "").unwrap_err(), says);
    }
}
