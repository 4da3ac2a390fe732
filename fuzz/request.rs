//! What the targets `proxy_requests` and `web_ui_requests` read, for the targets and the tests of the crates whose properties they assert.

use http::header::{CONTENT_LENGTH, TRANSFER_ENCODING};
use http::{Method, Request, Uri};

use crate::head::headers;

/// A request: `METHOD URI` and a header each line, an empty line, a body of its own length. None where HTTP knows no such request.
pub(crate) fn request(input: &[u8]) -> Option<Request<Vec<u8>>> {
    let end = input.windows(2).position(|two| two == b"\n\n");
    let (head, body) = end.map_or((input, &b""[..]), |end| (&input[..end], &input[end + 2..]));
    let (first, rest) = halves(head, b'\n').unwrap_or((head, b""));
    let (method, uri) = halves(first, b' ')?;
    let mut request = Request::new(body.to_vec());
    *request.method_mut() = Method::from_bytes(method).ok()?;
    *request.uri_mut() = Uri::try_from(uri).ok()?;
    *request.headers_mut() = headers(rest);
    // A server has read the body by then, as long as they said.
    request.headers_mut().remove(TRANSFER_ENCODING);
    request.headers_mut().remove(CONTENT_LENGTH);
    if !body.is_empty() {
        request.headers_mut().insert(CONTENT_LENGTH, body.len().into());
    }
    Some(request)
}

/// What stands before and behind a byte.
pub(crate) fn halves(text: &[u8], byte: u8) -> Option<(&[u8], &[u8])> {
    let at = text.iter().position(|one| *one == byte)?;
    Some((&text[..at], &text[at + 1..]))
}
