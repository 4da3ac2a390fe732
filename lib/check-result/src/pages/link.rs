//! Addresses of pages, relative to the page that links to them.

use std::fmt::Write as _;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::api::Labels;

/// What need not be encoded in a path's segment or a query's value (RFC 3986, 2.3).
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Deeper pages than we have are paths that somebody made up; theirs is the absolute root.
const DEEPEST: usize = 8;

/// The way from the page at `path` to `/`.
pub(super) fn root(path: &str) -> String {
    match path.matches('/').count() {
        0 | 1 => "./".to_owned(),
        depth @ ..=DEEPEST => "../".repeat(depth - 1),
        _ => "/".to_owned(),
    }
}

/// The page of the check with these labels.
pub(super) fn page(root: &str, labels: &Labels) -> String {
    address(&format!("{root}checks/"), labels, "")
}

/// The same check in the API.
pub(super) fn api(root: &str, labels: &Labels, more: &str) -> String {
    address(&format!("{root}api/v1/checks/"), labels, more)
}

/// What a check is called in a line of text.
pub(super) fn name(labels: &Labels) -> String {
    let others = labels.iter().filter(|(name, _)| *name != "check");
    let others: String = others.map(|(name, value)| format!(" {name}={value}")).collect();
    format!("{}{others}", labels.get("check").map_or("", String::as_str))
}

/// What says where a check runs: its labels but those by which the checks of one place are told apart.
pub(super) fn place(labels: &Labels) -> Labels {
    let place = labels.iter().filter(|(name, _)| !["check", "source"].contains(&name.as_str()));
    place.map(|(name, value)| (name.clone(), value.clone())).collect()
}

/// A query of these parameters, its question mark included; empty without any.
pub(super) fn query<'a>(parameters: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    let mut query = String::new();
    for (name, value) in parameters {
        let mark = if query.is_empty() { '?' } else { '&' };
        let (name, value) = (utf8_percent_encode(name, ENCODED), utf8_percent_encode(value, ENCODED));
        let _ = write!(query, "{mark}{name}={value}");
    }
    query
}

fn address(folder: &str, labels: &Labels, more: &str) -> String {
    let check = labels.get("check").map_or("", String::as_str);
    let others =
        labels.iter().filter(|(name, _)| *name != "check").map(|(name, value)| (name.as_str(), value.as_str()));
    format!("{folder}{}{more}{}", utf8_percent_encode(check, ENCODED), query(others))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_relative_and_name_every_label() {
        let labels: Labels = [("check", "a b"), ("source", "r/1&x=\"2\"")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into();
        assert_eq!(page("./", &labels), "./checks/a%20b?source=r%2F1%26x%3D%222%22");
        assert_eq!(api("../", &labels, "/history"), "../api/v1/checks/a%20b/history?source=r%2F1%26x%3D%222%22");
    }

    #[test]
    fn the_way_to_the_root_is_as_long_as_the_path_is_deep() {
        for (path, expected) in [("/", "./"), ("/x", "./"), ("/checks/x", "../"), ("/a/b/c/", "../../../"), ("*", "./")]
        {
            assert_eq!(root(path), expected, "{path}");
        }
        assert_eq!(root(&"/".repeat(60_000)), "/");
    }
}
