//! Basic authentication against the definition's `user` and `password`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hyper::header::HeaderValue;
use serde_json::Value;
use subtle::ConstantTimeEq;

/// Whether the header (`Basic base64(user:password)`) names the user and the password of `options`. Without them nobody
/// may, as in sensu-client.
pub(super) fn allows(options: &Value, header: Option<&HeaderValue>) -> bool {
    let (Some(user), Some(password)) = (options["user"].as_str(), options["password"].as_str()) else { return false };
    let Some(given) = header.and_then(credentials) else { return false };
    let Some(colon) = given.iter().position(|byte| *byte == b':') else { return false };
    let user = given[..colon].ct_eq(user.as_bytes());
    let password = given[colon + 1..].ct_eq(password.as_bytes());
    (user & password).into()
}

fn credentials(header: &HeaderValue) -> Option<Vec<u8>> {
    let (scheme, encoded) = header.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("basic").then(|| STANDARD.decode(encoded.trim()).ok())?
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn allowed(options: &Value, scheme: &str, credentials: &str) -> bool {
        let header = format!("{scheme} {}", STANDARD.encode(credentials));
        allows(options, Some(&header.parse().unwrap()))
    }

    #[test]
    fn user_and_password_must_both_be_right() {
        let options = json!({"user": "ops", "password": "s3:same"});
        assert!(allowed(&options, "Basic", "ops:s3:same"));
        assert!(allowed(&options, "basic", "ops:s3:same"));
        for wrong in ["ops:wrong", "root:s3:same", "ops", "ops:", ":", ""] {
            assert!(!allowed(&options, "Basic", wrong), "{wrong}");
        }
        assert!(!allowed(&options, "Bearer", "ops:s3:same"));
        assert!(!allows(&options, None));
        assert!(!allows(&options, Some(&HeaderValue::from_static("Basic *"))));
    }

    #[test]
    fn without_a_password_nobody_may() {
        for options in [Value::Null, json!({}), json!({"user": "", "password": null})] {
            assert!(!allowed(&options, "Basic", ":"), "{options}");
        }
    }
}
