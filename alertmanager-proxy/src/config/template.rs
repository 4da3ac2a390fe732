//! The URL of an alert's detail: a template over the alert's labels.
//!
//! A label's value is text from outside. Whatever it holds, it can only fill the place where it is inserted: all but
//! unreserved characters and `:`, `[`, `]` (an `instance` is `host:port` or `[v6]:port`) is percent-encoded, so that no
//! value can add user information, a path, a query or a fragment, and a path that would climb by `..` is refused.

use std::collections::BTreeMap;

use minijinja::{Environment, ErrorKind, UndefinedBehavior, Value, context};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use url::Url;

use crate::alert::Texts;

const ENCODED: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b':').remove(b'[').remove(b']');

/// The only template of an environment.
const NAME: &str = "url";

/// A checked template of a URL.
#[derive(Clone, Debug)]
pub struct UrlTemplate {
    environment: Environment<'static>,
    labels: Vec<String>,
}

/// Why a template is not one.
#[derive(Debug, thiserror::Error)]
pub enum InvalidTemplate {
    /// It is not valid template syntax.
    #[error("not a template: {0}")]
    Syntax(String),
    /// It uses something that is not a label.
    #[error("`{0}` is unknown; a template knows `labels` alone, such as labels.instance")]
    Variable(String),
    /// It does not begin with a scheme.
    #[error("must begin with http:// or https://")]
    Scheme,
    /// It has a user name or password. Not shown: what is asked is told in annotations and on pages.
    #[error("may have no user name or password; give them as `basic_auth`")]
    Credentials,
}

/// Why an alert's labels give no URL.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RenderError {
    /// The alert lacks labels that the template needs.
    #[error("the alert has no label {0}, which the detail's URL needs")]
    MissingLabels(String),
    /// The template failed otherwise.
    #[error("the template of the detail's URL fails: {0}")]
    Template(String),
    /// What came out is no URL that may be asked.
    #[error("the alert's labels give the URL {url:?}, which cannot be asked: {reason}")]
    Url {
        /// What the template gave.
        url: String,
        /// What is wrong with it.
        reason: String,
    },
}

// === impl UrlTemplate ===

impl UrlTemplate {
    /// Compiles `text`.
    pub fn new(text: &str) -> Result<Self, InvalidTemplate> {
        if !["http://", "https://"].iter().any(|scheme| text.starts_with(scheme)) {
            return Err(InvalidTemplate::Scheme);
        }
        if has_user_info(text) {
            return Err(InvalidTemplate::Credentials);
        }
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        environment.set_formatter(|out, _, value| {
            let text = value.to_string();
            out.write_str(&utf8_percent_encode(&text, ENCODED).to_string()).map_err(Into::into)
        });
        environment
            .add_template_owned(NAME, text.to_owned())
            .map_err(|error| InvalidTemplate::Syntax(error.detail().unwrap_or("it cannot be parsed").to_owned()))?;
        let used = environment.get_template(NAME).expect("it was just added").undeclared_variables(true);
        if let Some(other) = used.iter().find(|name| *name != "labels" && !name.starts_with("labels.")) {
            return Err(InvalidTemplate::Variable(other.clone()));
        }
        let labels = used.iter().filter_map(|name| name.strip_prefix("labels.")).map(str::to_owned).collect();
        Ok(Self { environment, labels })
    }

    /// The URL for an alert with `labels`. A `source` label goes along as the query parameter of that name.
    pub fn render(&self, labels: &Texts) -> Result<Url, RenderError> {
        let map: BTreeMap<_, _> = labels.iter().map(|(name, value)| (name.to_owned(), Value::from(value))).collect();
        let context = context! { labels => Value::from(map) };
        let template = self.environment.get_template(NAME).expect("every template's environment has one");
        let text = template.render(context).map_err(|error| self.explain(&error, labels))?;
        let mut url = parse(&text).map_err(|reason| RenderError::Url { url: text, reason })?;
        if let Some(source) = labels.get("source") {
            url.query_pairs_mut().append_pair("source", source);
        }
        Ok(url)
    }

    /// Whether labels decide which port is asked; also said of a template that no sample suits.
    pub fn leaves_port_to_labels(&self) -> bool {
        let urls: Vec<_> = ["host:1", "1", "::1"].into_iter().filter_map(|value| self.sample(value)).collect();
        urls.is_empty() || urls.iter().any(|url| url.port() == Some(1))
    }

    /// Whether labels decide which host is asked; also said of a template that no sample suits.
    pub fn leaves_host_to_labels(&self) -> bool {
        let host = |value| self.sample(value).and_then(|url| url.host_str().map(str::to_owned));
        // The last two are for brackets around an IPv6 address.
        let hosts = [("one", "two"), ("1", "2"), ("::1", "::2")].map(|(one, other)| (host(one), host(other)));
        hosts.iter().any(|(one, other)| one != other) || hosts.iter().all(|(one, _)| one.is_none())
    }

    /// The URL where all labels have this value; none if it would be no URL.
    fn sample(&self, value: &str) -> Option<Url> {
        self.render(&self.labels.iter().map(|name| (name.as_str(), value)).collect()).ok()
    }

    fn explain(&self, error: &minijinja::Error, labels: &Texts) -> RenderError {
        let mut missing: Vec<_> = self.labels.iter().filter(|name| labels.get(name).is_none()).cloned().collect();
        if error.kind() != ErrorKind::UndefinedError || missing.is_empty() {
            return RenderError::Template(error.to_string());
        }
        missing.sort();
        RenderError::MissingLabels(missing.join(", "))
    }
}

/// Whether the text itself, not a label in it, has an `@` before the path.
fn has_user_info(text: &str) -> bool {
    let (mut rest, mut literal) = (text.split_once("://").map_or("", |(_, rest)| rest), String::new());
    while let Some((before, tag)) = rest.split_once('{') {
        literal.push_str(before);
        let end = match tag.chars().next() {
            Some('{') => "}}",
            Some('%') => "%}",
            Some('#') => "#}",
            _ => "",
        };
        rest = tag.split_once(end).map_or("", |(_, after)| after);
    }
    literal.push_str(rest);
    literal.split(['/', '\\', '?', '#']).next().is_some_and(|authority| authority.contains('@'))
}

fn parse(text: &str) -> Result<Url, String> {
    if text.split(['/', '?', '#']).any(|segment| matches!(segment, "." | "..")) {
        return Err("its path climbs by `.` or `..`".to_owned());
    }
    // The parser would skip slashes and take the path's first segment for the host.
    if text.split_once("://").is_none_or(|(_, rest)| rest.starts_with(['/', '\\', '?', '#'])) {
        return Err("it has no host".to_owned());
    }
    let url = Url::parse(text).map_err(|error| error.to_string())?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err("only http and https are asked".to_owned());
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("it has a user name or password".to_owned());
    }
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEMPLATE: &str = "http://{{ labels.instance }}/api/v1/checks/{{ labels.check }}";

    fn render(template: &str, labels: &[(&str, &str)]) -> Result<String, RenderError> {
        let labels = labels.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect();
        UrlTemplate::new(template).unwrap().render(&labels).map(String::from)
    }

    #[test]
    fn labels_fill_their_places() {
        for (instance, check, want) in [
            ("10.0.0.1:9780", "disk", "http://10.0.0.1:9780/api/v1/checks/disk"),
            ("[2001:db8::1]:9780", "a b/c", "http://[2001:db8::1]:9780/api/v1/checks/a%20b%2Fc"),
            ("node", "日本?x=1#y", "http://node/api/v1/checks/%E6%97%A5%E6%9C%AC%3Fx%3D1%23y"),
            ("node", "%2f..%2F", "http://node/api/v1/checks/%252f..%252F"),
            ("node", "..\\..\\x", "http://node/api/v1/checks/..%5C..%5Cx"),
        ] {
            assert_eq!(render(TEMPLATE, &[("instance", instance), ("check", check)]).unwrap(), want);
        }
        assert_eq!(
            render(TEMPLATE, &[("instance", "n:1"), ("check", "c"), ("source", "a&b=c")]).unwrap(),
            "http://n:1/api/v1/checks/c?source=a%26b%3Dc"
        );
    }

    #[test]
    fn labels_may_decide_the_port() {
        for (template, free) in [
            (TEMPLATE, true),
            ("http://{{ labels.host }}:{{ labels.port }}/", true),
            ("http://{{ labels.host }}:9780/{{ labels.check }}", false),
            ("https://push/api?a={{ labels.instance }}", false),
            ("http://[{{ labels.ip6 }}]:9780/", false),
            ("http://[{{ labels.ip6 }}]:{{ labels.port }}/", true),
        ] {
            assert_eq!(UrlTemplate::new(template).unwrap().leaves_port_to_labels(), free, "{template}");
        }
    }

    #[test]
    fn who_decides_the_host_is_told() {
        for (template, free) in [
            (TEMPLATE, true),
            ("http://{{ labels.host }}:9780/{{ labels.check }}", true),
            ("http://10.0.0.{{ labels.x }}/", true),
            ("http://[{{ labels.ip6 }}]:9780/{{ labels.check }}", true),
            ("http://[{{ labels.ip6 }}]:{{ labels.port }}/", true),
            ("http://[::1]:9780/{{ labels.check }}", false),
            ("http://node:{{ labels.port }}/", false),
            ("https://push/{{ labels.instance }}?a={{ labels.instance }}", false),
        ] {
            assert_eq!(UrlTemplate::new(template).unwrap().leaves_host_to_labels(), free, "{template}");
        }
    }

    #[test]
    fn no_label_changes_what_is_asked() {
        for (instance, check) in [
            ("user@169.254.169.254", "x"),
            ("user:pass@host", "x"),
            ("10.0.0.1/latest", "x"),
            ("10.0.0.1?x", "x"),
            ("10.0.0.1#", "x"),
            ("10.0.0.1\\@evil", "x"),
            ("10.0.0.1%2f", "x"),
            ("", "x"),
            ("a:b:c", "x"),
            ("[::1", "x"),
            ("host:99999", "x"),
            ("node", ".."),
            ("node", "."),
        ] {
            let error = render(TEMPLATE, &[("instance", instance), ("check", check)]).unwrap_err();
            assert!(matches!(error, RenderError::Url { .. }), "{instance} {check}: {error}");
        }
        let two = render("http://h/{{ labels.a }}{{ labels.b }}/x", &[("a", "."), ("b", ".")]);
        assert!(matches!(two, Err(RenderError::Url { .. })), "{two:?}");
    }

    #[test]
    fn a_missing_label_is_named() {
        assert_eq!(
            render(TEMPLATE, &[("check", "x")]).unwrap_err().to_string(),
            "the alert has no label instance, which the detail's URL needs"
        );
        let optional = "http://h/{% if labels.a is defined %}{{ labels.a }}{% endif %}";
        assert_eq!(render(optional, &[]).unwrap(), "http://h/");
    }

    #[test]
    fn templates_are_checked_when_they_are_read() {
        for (template, want) in [
            ("http://{{ labels.x", "not a template"),
            ("http://{{ instance }}/", "`instance` is unknown"),
            ("{{ labels.url }}", "must begin with http://"),
            ("file:///etc/passwd", "must begin with http://"),
            ("http://me:hunter2@{{ labels.instance }}/", "may have no user name"),
            ("http://{{ labels.x|replace('/', '') }}{% if labels.y %}:hunter2@{% endif %}h/", "may have no user name"),
        ] {
            let error = UrlTemplate::new(template).unwrap_err().to_string();
            assert!(error.contains(want) && !error.contains("hunter2"), "{template}: {error}");
        }
        assert!(UrlTemplate::new("http://{{ labels.instance }}/@{{ labels.check }}").is_ok());
    }
}
