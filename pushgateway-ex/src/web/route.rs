//! Which request is meant: the reference's router with all its habits, as one function.
//!
//! ```text
//! GET     /metrics (--web.telemetry-path)
//! PUT     POST  DELETE  /metrics/job/NAME{/LABEL/VALUE}   and  /metrics/job@base64/…
//! GET     PUT   POST  DELETE  /checks/job/NAME{/LABEL/VALUE}   and  /checks/job@base64/…
//! GET     /   /status   /assets/groups.css   /assets/groups.js   /-/healthy   /-/ready   /api/v1/status   /api/v1/metrics
//! PUT     POST  /-/quit
//! PUT     /api/v1/admin/wipe         with --web.enable-admin-api
//! OPTIONS of each of them: 200 and `Allow`; of all below /api/v1/: 200 for browsers
//! ```
//!
//! Paths are matched percent-decoded. A path with `//`, `.` or `..` is redirected to the one without; one that is right but for a slash
//! at its end or for the case of its fixed parts, to the right one.

use axum::http::Method;
use percent_encoding::{AsciiSet, CONTROLS, percent_decode_str, percent_encode};

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// All metrics.
    Scrape,
    /// Something of a group.
    Group(GroupPath),
    /// The page of groups.
    Page,
    /// Its style sheet.
    Style,
    /// Its script.
    Script,
    /// Whether it works.
    Healthy,
    /// Whether it is ready.
    Ready,
    /// The order to stop.
    Quit,
    /// What this is.
    Status,
    /// All groups.
    Metrics,
    /// The order to delete everything.
    Wipe,
    /// A browser's question before a request.
    Preflight,
}

/// A path below `/metrics/job` or `/checks/job`, decoded, its key not read yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupPath {
    /// Whether it is below `/checks`.
    pub checks: bool,
    /// The job.
    pub job: Vec<u8>,
    /// Whether the job is base64.
    pub encoded: bool,
    /// What stands behind the job, with its slash.
    pub labels: Vec<u8>,
}

/// What to do with a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Route {
    /// Answer it.
    To(Target),
    /// Send the client there, by 301 if it cleans the path or asks with GET, by 307 otherwise.
    Redirect {
        /// The path.
        to: String,
        /// Whether the method may change.
        moved: bool,
    },
    /// The path is right, the method is not.
    Allow(&'static str),
    /// OPTIONS: what there is.
    Options(&'static str),
    /// A path that cannot be decoded.
    BadPath,
    /// No such path.
    NotFound,
}

/// What was chosen by flags.
#[derive(Clone, Debug)]
pub struct Paths {
    /// Before every path; empty or `/…` without a slash at its end.
    pub prefix: String,
    /// Of scrapes.
    pub telemetry: String,
    /// Whether everything may be wiped.
    pub admin: bool,
}

const GROUP: &str = "DELETE, OPTIONS, POST, PUT";
const CHECKS: &str = "DELETE, GET, OPTIONS, POST, PUT";
const GET: &str = "GET, OPTIONS";
const QUIT: &str = "GET, OPTIONS, POST, PUT";
const WIPE: &str = "OPTIONS, PUT";

/// What a redirect's address must not hold as it is.
const UNSAFE: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'<')
    .add(b'>')
    .add(b'`')
    .add(b'#')
    .add(b'?')
    .add(b'%')
    .add(b'\\')
    .add(b'^')
    .add(b'{')
    .add(b'|')
    .add(b'}');

/// The fixed paths.
const FIXED: [(&str, Target, &str); 10] = [
    ("/", Target::Page, GET),
    ("/status", Target::Page, GET),
    ("/assets/groups.css", Target::Style, GET),
    ("/assets/groups.js", Target::Script, GET),
    ("/-/healthy", Target::Healthy, GET),
    ("/-/ready", Target::Ready, GET),
    ("/-/quit", Target::Quit, QUIT),
    ("/api/v1/status", Target::Status, GET),
    ("/api/v1/metrics", Target::Metrics, GET),
    ("/api/v1/admin/wipe", Target::Wipe, WIPE),
];

/// What other routers answer, and what begins the path of a group.
const TAKEN: [&str; 6] =
    ["/api/v1/checks", "/checks", "/detail", "/metrics/job", "/metrics/job@base64", "/api/v1/admin"];

/// Whether a path that is not the one of scrapes may have an answer.
pub fn is_taken(path: &str) -> bool {
    let below = |taken: &str| path.strip_prefix(taken).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    FIXED.iter().any(|(fixed, ..)| *fixed == path) || TAKEN.into_iter().any(below)
}

/// Finds the route of a request by its raw path.
pub fn route(paths: &Paths, method: &Method, raw: &str) -> Route {
    let Some(decoded) = decode(raw) else { return Route::BadPath };
    let clean = clean(&decoded);
    if clean != decoded {
        return Route::Redirect { to: encode(&clean), moved: true };
    }
    let Some(path) = within(paths, &decoded) else { return Route::NotFound };
    let is_exact = decoded.starts_with(paths.prefix.as_bytes()) && !path.is_empty();
    let found = find(paths, path).filter(|_| is_exact);
    let method_fits = |allowed: &str| allowed.split(", ").any(|allowed| allowed == method.as_str());
    match found {
        Some((target, allowed)) if method_fits(allowed) && *method != Method::OPTIONS => return Route::To(target),
        _ => {}
    }
    // The path of an empty job is redirected as well, to where there is nothing.
    let leads = |to: &Vec<u8>| method_fits(find(paths, to).map_or(GROUP, |(_, allowed)| allowed));
    let as_it_is = || (!is_exact && find(paths, path).is_some()).then(|| path.to_vec());
    // The reference's API has a router of its own, which does not see the prefix.
    let is_there = |to: &Vec<u8>| is_exact || (find(paths, to).is_some() && !to.starts_with(b"/api/"));
    let may_move = *method != Method::OPTIONS;
    if let Some(to) = mended(paths, path).or_else(as_it_is).filter(|to| may_move && leads(to) && is_there(to)) {
        let to = format!("{}{}", paths.prefix, encode(&to));
        return Route::Redirect { to, moved: *method == Method::GET };
    }
    match found {
        _ if !is_exact => Route::NotFound,
        _ if *method == Method::OPTIONS && path.starts_with(b"/api/v1/") => Route::To(Target::Preflight),
        Some((_, allowed)) if *method == Method::OPTIONS => Route::Options(allowed),
        Some((_, allowed)) => Route::Allow(allowed),
        None => Route::NotFound,
    }
}

/// What follows the prefix, which may be in other letters: small ones for capitals.
fn within<'a>(paths: &Paths, path: &'a [u8]) -> Option<&'a [u8]> {
    let (prefix, rest) = path.split_at_checked(paths.prefix.len())?;
    let is_whole = rest.is_empty() || rest.starts_with(b"/");
    (is_whole && prefix.eq_ignore_ascii_case(paths.prefix.as_bytes())).then_some(rest)
}

/// The target of a path that is exactly right, and its methods.
fn find(paths: &Paths, path: &[u8]) -> Option<(Target, &'static str)> {
    if path == paths.telemetry.as_bytes() {
        return Some((Target::Scrape, GET));
    }
    let fixed = FIXED.into_iter().find(|(fixed, ..)| fixed.as_bytes() == path);
    if let Some((_, target, allowed)) = fixed {
        return (target != Target::Wipe || paths.admin).then_some((target, allowed));
    }
    let (checks, rest) = match path.strip_prefix(b"/metrics/") {
        Some(rest) => (false, rest),
        None => (true, path.strip_prefix(b"/checks/")?),
    };
    let (encoded, rest) = match rest.strip_prefix(b"job/") {
        Some(rest) => (false, rest),
        None => (true, rest.strip_prefix(b"job@base64/")?),
    };
    let end = rest.iter().position(|&byte| byte == b'/').unwrap_or(rest.len());
    let (job, labels) = rest.split_at(end);
    let group = GroupPath { checks, job: job.to_vec(), encoded, labels: labels.to_vec() };
    (!job.is_empty()).then_some((Target::Group(group), if checks { CHECKS } else { GROUP }))
}

/// The path without a slash at its end, or with its fixed part as it should be, if that changes it.
fn mended(paths: &Paths, path: &[u8]) -> Option<Vec<u8>> {
    for head in ["/metrics/job/", "/metrics/job@base64/", "/checks/job/", "/checks/job@base64/"] {
        if let Some((own, rest)) = path.split_at_checked(head.len())
            && own.eq_ignore_ascii_case(head.as_bytes())
        {
            // Only the slash behind the job's place is one too many.
            let without = || path[..path.len() - 1].to_vec();
            return if rest.is_empty() { Some(without()) } else { Some([head.as_bytes(), rest].concat()) };
        }
    }
    if path.is_empty() {
        return Some(b"/".to_vec());
    }
    let bare = path.strip_suffix(b"/").unwrap_or(path);
    let known = FIXED.iter().map(|(fixed, ..)| *fixed).chain([&*paths.telemetry]);
    known.map(str::as_bytes).find(|known| known.eq_ignore_ascii_case(bare) && *known != path).map(<[u8]>::to_vec)
}

fn decode(raw: &str) -> Option<Vec<u8>> {
    let bytes = raw.as_bytes();
    let bad = |at: usize| {
        let digits = bytes.get(at + 1..at + 3);
        !digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
    };
    if bytes.iter().enumerate().any(|(at, &byte)| byte == b'%' && bad(at)) {
        return None;
    }
    Some(percent_decode_str(raw).collect())
}

fn encode(path: &[u8]) -> String {
    percent_encode(path, UNSAFE).to_string()
}

/// The path without `//`, `.` and `..`; a slash at the end stays.
fn clean(path: &[u8]) -> Vec<u8> {
    let mut kept: Vec<&[u8]> = Vec::new();
    for part in path.split(|&byte| byte == b'/') {
        match part {
            b"" | b"." => {}
            b".." => drop(kept.pop()),
            part => kept.push(part),
        }
    }
    let mut clean = [&b"/"[..], &kept.join(&b'/')].concat();
    if path.ends_with(b"/") && clean.len() > 1 {
        clean.push(b'/');
    }
    clean
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What Debian's Pushgateway 1.5.1 answers with `--web.route-prefix=/Push/gw`.
    #[test]
    fn the_prefix_is_mended_as_the_reference_does() {
        let paths = Paths { prefix: "/Push/gw".to_owned(), telemetry: "/metrics".to_owned(), admin: false };
        let to = |to: &str, moved| Some(Route::Redirect { to: to.to_owned(), moved });
        for (method, path, redirect) in [
            (Method::GET, "/Push/gw", to("/Push/gw/", true)),
            (Method::GET, "/push/gw", to("/Push/gw/", true)),
            (Method::GET, "/push/GW/", to("/Push/gw/", true)),
            (Method::GET, "/push/gw/metrics", to("/Push/gw/metrics", true)),
            (Method::GET, "/Push/gw/METRICS", to("/Push/gw/metrics", true)),
            (Method::GET, "/push/gw/status/", to("/Push/gw/status", true)),
            (Method::PUT, "/push/gw/metrics/job/A", to("/Push/gw/metrics/job/A", false)),
            (Method::DELETE, "/PUSH/gw/Metrics/job/A/x/Y", to("/Push/gw/metrics/job/A/x/Y", false)),
            (Method::GET, "/push/gw/metrics/job/A", None),
            (Method::GET, "/push/gw/api/v1/status", None),
            (Method::GET, "/Push/gwx", None),
            (Method::GET, "/push", None),
            (Method::GET, "/push/gw/nothing", None),
            (Method::HEAD, "/Push/gw", None),
            (Method::PUT, "/push/gw", None),
            (Method::POST, "/push/gw/metrics", None),
            (Method::PUT, "/push/gw/metrics/job/", None),
            (Method::PUT, "/Push/gw/metrics/job/", to("/Push/gw/metrics/job", false)),
            (Method::OPTIONS, "/push/GW/", None),
            (Method::OPTIONS, "/Push/gw/METRICS", None),
            (Method::OPTIONS, "/push/gw/api/v1/status", None),
        ] {
            assert_eq!(route(&paths, &method, path), redirect.unwrap_or(Route::NotFound), "{method} {path}");
        }
        assert_eq!(route(&paths, &Method::GET, "//a/%c2"), to("/a/%C2", true).expect("it is one"));
        assert_eq!(route(&paths, &Method::GET, "/Push/gw/"), Route::To(Target::Page));
        assert_eq!(route(&paths, &Method::PUT, "/Push/gw/metrics"), Route::Allow(GET));
        assert_eq!(route(&paths, &Method::OPTIONS, "/Push/gw/metrics/job/A"), Route::Options(GROUP));
    }
}
