//! What stands between separators: numbers, escapes, text.

/// A number as Go reads it: no hexadecimal digits, no underscores, no overflow, no sign before NaN.
pub(super) fn float(token: &[u8]) -> Option<f64> {
    let token = std::str::from_utf8(token).ok()?;
    let value: f64 = token.parse().ok()?;
    let named = token.contains(['i', 'I']);
    let signed_nan = value.is_nan() && token.starts_with(['+', '-']);
    (!signed_nan && (value.is_finite() || value.is_nan() || named)).then_some(value)
}

/// Resolves `\\`, `\n` and, in label values, `\"`.
pub(super) fn unescape(raw: &[u8], quotes: bool) -> Result<Vec<u8>, String> {
    if !raw.contains(&b'\\') {
        return Ok(raw.to_vec());
    }
    let mut out = Vec::with_capacity(raw.len());
    let mut bytes = raw.iter();
    while let Some(&byte) = bytes.next() {
        if byte != b'\\' {
            out.push(byte);
            continue;
        }
        match bytes.next() {
            Some(b'\\') => out.push(b'\\'),
            Some(b'n') => out.push(b'\n'),
            Some(b'"') if quotes => out.push(b'"'),
            other => {
                let other = char::from(other.copied().unwrap_or(b'\n'));
                return Err(format!("invalid escape sequence '\\{other}'"));
            }
        }
    }
    Ok(out)
}

pub(super) fn text(bytes: Vec<u8>, what: &str) -> Result<String, String> {
    String::from_utf8(bytes).map_err(|error| format!("invalid {what} {}", quoted(error.as_bytes())))
}

pub(super) fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

pub(super) fn quoted(bytes: &[u8]) -> String {
    format!("\"{}\"", bytes.escape_ascii())
}
