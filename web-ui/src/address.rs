//! The address of a page: everything that decides what it shows stands in it, so that it can be sent to a colleague.

use std::fmt;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

/// What may stand in a segment of a path, or in a query, as it is.
const PLAIN: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~').remove(b':').remove(b',');

/// The word of a list that stands for a value that is empty, as matchers write one: alerts without a severity can be chosen as others are.
const EMPTY: &str = "\"\"";

/// A path and the parameters behind it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Address {
    path: String,
    query: Vec<(String, String)>,
    /// Whether everything is meant, and not a page of it.
    whole: bool,
}

// === impl Address ===

impl Address {
    /// The path with these segments.
    pub fn of<'a>(segments: impl IntoIterator<Item = &'a str>) -> Self {
        let path = segments.into_iter().fold(String::new(), |path, segment| format!("{path}/{}", encoded(segment)));
        Self { path, ..Self::default() }
    }

    /// What a parameter says that names something by its parts: the path with these segments, without the slash before it.
    pub fn key<'a>(parts: impl IntoIterator<Item = &'a str>) -> String {
        Self::of(parts).path.split_off(1)
    }

    /// A path as it stands in a request; the first page's where a link to it would lead to another host.
    pub fn at(path: &str) -> Self {
        Self { path: if is_own(path) { path } else { "/" }.to_owned(), ..Self::default() }
    }

    /// The same query behind another path.
    #[must_use]
    pub fn to(&self, path: &str) -> Self {
        Self { path: path.to_owned(), ..self.clone() }
    }

    /// The same, but everything that it lists instead of a page.
    #[must_use]
    pub fn whole(mut self) -> Self {
        self.whole = true;
        self
    }

    /// Whether everything is meant, and not a page of it.
    pub fn is_whole(&self) -> bool {
        self.whole
    }

    /// The same path with these parameters; those without a value say nothing.
    #[must_use]
    pub fn asking(mut self, query: Vec<(String, String)>) -> Self {
        self.query = query;
        self.query.retain(|(_, value)| !value.is_empty());
        self
    }

    /// A parameter; empty where it is not there.
    pub fn get(&self, name: &str) -> &str {
        self.query.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value)
    }

    /// All values of a parameter.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.query.iter().filter(move |(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The words of a parameter that is a list; `""` is the empty one.
    pub fn list(&self, name: &str) -> Vec<&str> {
        let words = self.get(name).split(',').filter(|word| !word.is_empty());
        words.map(|word| if word == EMPTY { "" } else { word }).collect()
    }

    /// All parameters but `name`, as a form has to repeat them.
    pub fn others<'a>(&'a self, names: &'a [&str]) -> impl Iterator<Item = &'a (String, String)> {
        self.query.iter().filter(|(name, _)| !names.contains(&name.as_str()))
    }

    /// The same with another value, or without it. Whatever changes, the first page is shown again.
    #[must_use]
    pub fn with(&self, name: &str, value: &str) -> Self {
        let mut query: Vec<_> =
            self.query.iter().filter(|(known, _)| known != name && known != "page").cloned().collect();
        if !value.is_empty() {
            query.push((name.to_owned(), value.to_owned()));
        }
        Self { query, ..self.clone() }
    }

    /// The same with `word` in a list, or without it where it is there.
    #[must_use]
    pub fn toggled(&self, name: &str, word: &str) -> Self {
        let mut words = self.list(name);
        match words.iter().position(|known| *known == word) {
            Some(at) => drop(words.remove(at)),
            None => words.push(word),
        }
        let words: Vec<_> = words.into_iter().map(|word| if word.is_empty() { EMPTY } else { word }).collect();
        self.with(name, &words.join(","))
    }

    /// The same path without any parameter.
    #[must_use]
    pub fn plain(&self) -> Self {
        Self::at(&self.path)
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.path.is_empty() { "/" } else { &self.path })?;
        for (index, (name, value)) in self.query.iter().enumerate() {
            let plain = |text| utf8_percent_encode(text, PLAIN);
            write!(f, "{}{}={}", if index == 0 { '?' } else { '&' }, plain(name), plain(value))?;
        }
        Ok(())
    }
}

/// Whether an address is one of ours to a browser, which takes `//host` and `/\host` for other hosts.
pub(crate) fn is_own(address: &str) -> bool {
    address.strip_prefix('/').is_some_and(|rest| !rest.starts_with(['/', '\\']))
}

/// A segment of a path.
fn encoded(text: &str) -> String {
    match is_folder(text) {
        // A browser takes these for the folder itself and the one above, encoded or not.
        true => format!("{text}~"),
        false => utf8_percent_encode(text, PLAIN).to_string(),
    }
}

/// What stood in a segment of a path before it was encoded; percent signs are the server's to decode.
pub fn decoded(segment: &str) -> &str {
    match segment.strip_suffix('~') {
        Some(text) if is_folder(text) => text,
        _ => segment,
    }
}

/// What stood in a part of a parameter that is written as a path is.
pub fn plain(part: &str) -> String {
    decoded(&percent_decode_str(part).decode_utf8_lossy()).to_owned()
}

/// `.` and `..`, and what they are encoded as.
fn is_folder(text: &str) -> bool {
    matches!(text.trim_end_matches('~'), "." | "..")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(query: &[(&str, &str)]) -> Address {
        let query = query.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect();
        Address::of(["nodes", "a/b ?"]).asking(query)
    }

    #[test]
    fn a_click_changes_one_thing() {
        let here = address(&[("find", "a&b=ü"), ("severity", "critical,warning"), ("page", "7"), ("sort", "")]);
        assert_eq!(here.to_string(), "/nodes/a%2Fb%20%3F?find=a%26b%3D%C3%BC&severity=critical,warning&page=7");
        assert_eq!(here.with("find", "").to_string(), "/nodes/a%2Fb%20%3F?severity=critical,warning");
        assert_eq!(here.toggled("severity", "critical").get("severity"), "warning");
        assert_eq!(here.toggled("severity", "unknown").get("severity"), "critical,warning,unknown");
        let empty = here.toggled("severity", "");
        assert_eq!(empty.list("severity"), ["critical", "warning", ""]);
        assert_eq!(empty.toggled("severity", "").get("severity"), "critical,warning");
        assert_eq!(here.with("page", "8").get("page"), "8");
        assert_eq!(here.plain().to_string(), "/nodes/a%2Fb%20%3F");
        assert_eq!(
            here.to("/nodes.csv").to_string(),
            "/nodes.csv?find=a%26b%3D%C3%BC&severity=critical,warning&page=7"
        );
        assert_eq!(Address::at("/").asking(vec![("find".to_owned(), "..".to_owned())]).to_string(), "/?find=..");
        assert_eq!(Address::default().to_string(), "/");
        assert_eq!(
            ["//evil.example/a", "/\\evil.example", "/a//b"].map(|path| Address::at(path).to_string()),
            ["/", "/", "/a//b"]
        );
        assert_eq!(Address::key(["to/kyo", "a b"]), "to%2Fkyo/a%20b");
    }

    #[test]
    fn any_name_is_a_segment_and_comes_back() {
        for (name, path) in
            [(".", "/.~"), ("..", "/..~"), ("..~", "/..~~"), ("a~", "/a~"), ("a/%2F ü", "/a%2F%252F%20%C3%BC")]
        {
            assert_eq!(Address::of([name]).to_string(), path);
            let segment = percent_encoding::percent_decode_str(&path[1..]).decode_utf8().unwrap();
            assert_eq!(decoded(&segment), name);
        }
    }
}
