//! The choice of a language, which a cookie keeps: a form that works without the script.

use axum::response::{IntoResponse as _, Redirect, Response};
use http::header::SET_COOKIE;

use super::{Asked, Refusal, Shown};
use crate::address::is_own;
use crate::texts::Texts;

/// A year, in seconds.
const KEPT: u32 = 31_536_000;

/// Keeps `lang`, and leads back to the page `to`.
pub(super) async fn choose(asked: Asked) -> Shown {
    let Some(texts) = Texts::by_code(asked.address.get("lang")) else { return Err(asked.refuse(Refusal::NoPage)) };
    let cookie = format!("lang={}; Path=/; Max-Age={KEPT}; SameSite=Strict; HttpOnly", texts.code);
    let back = Redirect::to(own(asked.address.get("to")));
    Ok(([(SET_COOKIE, cookie)], back).into_response() as Response)
}

/// A page of ours, in characters that a header can have.
fn own(to: &str) -> &str {
    if is_own(to) && to.bytes().all(|byte| byte.is_ascii_graphic()) { to } else { "/" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_led_elsewhere() {
        for (to, want) in [
            ("/nodes/a%2Fb?find=%C3%BC&page=2", "/nodes/a%2Fb?find=%C3%BC&page=2"),
            ("", "/"),
            ("//evil.example.org", "/"),
            ("/\\evil.example.org", "/"),
            ("https://evil.example.org/", "/"),
            ("/a\r\nSet-Cookie: b", "/"),
            ("/a#\r\nSet-Cookie: b", "/"),
            ("/a#\u{fc}", "/"),
            ("/\t/evil.example.org", "/"),
        ] {
            assert_eq!(own(to), want);
        }
    }
}
