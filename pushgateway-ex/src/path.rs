//! The grouping key in a path: `/job/NAME{/LABEL/VALUE}`, each name perhaps with `@base64` behind it.

use base64::alphabet::URL_SAFE;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use base64::{DecodeError, Engine as _};
use exposition::is_label_name;

use crate::labels::Labels;

/// What a label's name ends with whose value is encoded.
const BASE64: &str = "@base64";

/// As Go decodes it: bits behind the last whole byte do not matter. Padding is cut off before.
const DECODER: GeneralPurpose = GeneralPurpose::new(
    &URL_SAFE,
    GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::RequireNone),
);

/// A path that names no group. The texts are those of the reference where it has one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadPath {
    /// An empty job.
    #[error("job name is required")]
    NoJob,
    /// A job that is not base64.
    #[error("invalid base64 encoding in job name {job:?}: {reason}")]
    Job {
        /// As it came.
        job: String,
        /// Go's words.
        reason: String,
    },
    /// A name without a value.
    #[error("odd number of components in label string {0:?}")]
    Odd(String),
    /// A name that no label can have, or that Prometheus keeps for itself.
    #[error("improper label name {0:?}")]
    Name(String),
    /// A value that is not base64.
    #[error("invalid base64 encoding for label {name}={value:?}: {reason}")]
    Value {
        /// The label.
        name: String,
        /// As it came.
        value: String,
        /// Go's words.
        reason: String,
    },
    /// A value that is not text. The reference takes it, and then no scrape works any more.
    #[error("the value of label {0} is not valid UTF-8")]
    NotUtf8(String),
    /// More bytes than a label may have.
    #[error("label {name} has {length} bytes, more than the {limit} of --push.max-label-bytes")]
    TooLong {
        /// The label.
        name: String,
        /// How long it is.
        length: usize,
        /// How long it may be.
        limit: usize,
    },
}

/// The key that `job` and `labels` name: `labels` is what stands behind the job, with its leading slash, or empty. Both are
/// percent-decoded already, and may be any bytes.
///
/// # Errors
/// See [`BadPath`].
pub fn grouping_key(job: &[u8], encoded: bool, labels: &[u8]) -> Result<Labels, BadPath> {
    let wrong = |reason| BadPath::Job { job: lossy(job), reason };
    let job = if encoded { decoded(job).map_err(wrong)? } else { job.to_vec() };
    let job = String::from_utf8(job).map_err(|_| BadPath::NotUtf8("job".to_owned()))?;
    if job.is_empty() {
        return Err(BadPath::NoJob);
    }
    let mut key = Vec::new();
    if labels.len() > 1 {
        let components: Vec<_> = labels[1..].split(|&byte| byte == b'/').collect();
        let (pairs, []) = components.as_chunks() else { return Err(BadPath::Odd(lossy(labels))) };
        for [name, value] in pairs {
            key.push(label(&lossy(name), value)?);
        }
    }
    key.push(("job".to_owned(), job));
    Ok(Labels::new(key))
}

fn label(name: &str, value: &[u8]) -> Result<(String, String), BadPath> {
    let bare = name.strip_suffix(BASE64).unwrap_or(name);
    if !is_label_name(bare) || bare.starts_with("__") {
        return Err(BadPath::Name(bare.to_owned()));
    }
    let wrong = |reason| BadPath::Value { name: bare.to_owned(), value: lossy(value), reason };
    let value = if bare.len() < name.len() { decoded(value).map_err(wrong)? } else { value.to_vec() };
    let value = String::from_utf8(value).map_err(|_| BadPath::NotUtf8(bare.to_owned()))?;
    Ok((bare.to_owned(), value))
}

fn decoded(value: &[u8]) -> Result<Vec<u8>, String> {
    let padding = value.iter().rev().take_while(|&&byte| byte == b'=').count();
    let bare = &value[..value.len() - padding];
    DECODER.decode(bare).map_err(|error| {
        let at = match error {
            DecodeError::InvalidByte(at, _) => at,
            _ => bare.len() - bare.len() % 4,
        };
        format!("illegal base64 data at input byte {at}")
    })
}

fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn key(job: &str, encoded: bool, labels: &str) -> Result<String, String> {
        let key = grouping_key(job.as_bytes(), encoded, labels.as_bytes());
        key.map(|key| key.to_string()).map_err(|error| error.to_string())
    }

    #[test]
    fn keys_are_sorted_and_the_job_in_front_counts() {
        assert_eq!(key("a", false, "").unwrap(), r#"{job="a"}"#);
        assert_eq!(key("a", false, "/").unwrap(), r#"{job="a"}"#);
        assert_eq!(key("a", false, "/x/1/job/b/c/2/x/3").unwrap(), r#"{c="2",job="a",x="3"}"#);
        assert_eq!(key("a", false, "/x/").unwrap(), r#"{job="a",x=""}"#);
        assert_eq!(key("dGVzdC9qb2I=", true, "/x@base64/=").unwrap(), r#"{job="test/job",x=""}"#);
        assert_eq!(key("a", false, "/x@base64/YWI====").unwrap(), r#"{job="a",x="ab"}"#);
    }

    #[test]
    fn what_is_no_key_is_told_in_the_references_words() {
        for (job, encoded, labels, says) in [
            ("", false, "", "job name is required"),
            ("=", true, "", "job name is required"),
            ("x.y", true, "", r#"invalid base64 encoding in job name "x.y": illegal base64 data at input byte 1"#),
            ("a", false, "/x", r#"odd number of components in label string "/x""#),
            ("a", false, "/x/1/", r#"odd number of components in label string "/x/1/""#),
            ("a", false, "/x-y/1", r#"improper label name "x-y""#),
            ("a", false, "/__x@base64/YQ", r#"improper label name "__x""#),
            ("a", false, "/@base64/YQ", r#"improper label name """#),
            (
                "a",
                false,
                "/x@base64/YWJjZ",
                r#"invalid base64 encoding for label x="YWJjZ": illegal base64 data at input byte 4"#,
            ),
        ] {
            assert_eq!(key(job, encoded, labels).unwrap_err(), says);
        }
        assert_eq!(grouping_key(b"a", false, b"/x/\xff"), Err(BadPath::NotUtf8("x".to_owned())));
    }

    proptest! {
        #[test]
        fn any_value_survives_its_encoding(job in "\\PC{1,20}", value in any::<String>()) {
            let encoded = base64::engine::general_purpose::URL_SAFE.encode(&value);
            let encoded = if encoded.is_empty() { "=".to_owned() } else { encoded };
            let key = grouping_key(job.as_bytes(), false, format!("/x@base64/{encoded}").as_bytes()).unwrap();
            prop_assert_eq!((key.get("job"), key.get("x")), (Some(&*job), Some(&*value)));
        }

        #[test]
        fn nothing_panics(job in any::<Vec<u8>>(), encoded in any::<bool>(), labels in any::<Vec<u8>>()) {
            let _ = grouping_key(&job, encoded, &labels);
        }
    }
}
