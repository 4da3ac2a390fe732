//! The page of one alert: everything that is known of it. Alerts that are about no check have no other.

use askama::Template;
use axum::extract::Path;
use check_result::cleaned;
use http::StatusCode;
use url::Url;

use super::frame::Frame;
use super::{Asked, Refusal, Shown, html};
use crate::address::decoded;
use crate::lists::alerts::{Row, all};
use crate::matcher::Labels;
use crate::texts::fill;

/// How much of a value is shown, in bytes. Outputs are shorter, as alertmanager-proxy cuts them.
const LONGEST: usize = 16 << 10;

#[derive(Template)]
#[template(path = "alert.html")]
struct Page<'a> {
    frame: Frame<'a>,
    row: Row<'a>,
}

/// A label, an annotation, or where an alert comes from.
struct Said<'a> {
    name: &'a str,
    text: String,
    /// Where the value is an address of the web.
    link: Option<&'a str>,
}

pub(super) async fn page(Path((cluster, fingerprint)): Path<(String, String)>, asked: Asked) -> Shown {
    let is_it =
        |row: &Row<'_>| row.cluster == decoded(&cluster) && row.fired.alert.fingerprint == decoded(&fingerprint);
    let found = all(&asked.snapshot).find(is_it);
    let page = found.map(|row| html(StatusCode::OK, &Page { frame: asked.frame("alerts"), row }));
    page.ok_or_else(|| asked.refuse(Refusal::NoAlert))
}

// === impl Page ===

impl<'a> Page<'a> {
    fn title(&self) -> String {
        let labels = ["alertname", "check", "instance", "source"].map(|name| self.row.fired.label(name));
        labels.into_iter().filter(|label| !label.is_empty()).collect::<Vec<_>>().join(" · ")
    }

    fn labels(&self) -> Vec<Said<'a>> {
        self.said(&self.row.fired.alert.labels)
    }

    fn annotations(&self) -> Vec<Said<'a>> {
        self.said(&self.row.fired.alert.annotations)
    }

    fn receivers(&self) -> String {
        let receivers = &self.row.fired.alert.receivers;
        receivers.iter().map(|receiver| receiver.name.as_str()).collect::<Vec<_>>().join(", ")
    }

    /// The rule's expression in Prometheus.
    fn generator(&self) -> Said<'a> {
        self.value("", &self.row.fired.alert.generator_url)
    }

    fn said(&self, labels: &'a Labels) -> Vec<Said<'a>> {
        labels.iter().map(|(name, value)| self.value(name, value)).collect()
    }

    fn value(&self, name: &'a str, value: &'a str) -> Said<'a> {
        let shown = &value[..value.floor_char_boundary(LONGEST)];
        let rest = value.len() - shown.len();
        let mut text = cleaned(shown).into_owned();
        if rest > 0 {
            text = format!("{text}\n{}", fill(self.frame.t.cut_off, &[&rest.to_string()]));
        }
        Said { name, text, link: Some(value).filter(|value| rest == 0 && is_web(value)) }
    }
}

/// Whether it may become a link: nothing else that a browser would do something with.
fn is_web(value: &str) -> bool {
    let is_plain = !value.contains(|c: char| c.is_whitespace() || c.is_control());
    is_plain && Url::parse(value).is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_of_the_web_are_links() {
        for value in ["https://wiki.example.com/a?b=c#d", "http://10.0.0.1:9090/graph?g0.expr=up"] {
            assert!(is_web(value), "{value}");
        }
        for value in [
            "",
            "wiki",
            "javascript:alert(1)",
            "data:text/html,x",
            "see https://x.example",
            "https://",
            "//x",
            "https://a b",
        ] {
            assert!(!is_web(value), "{value}");
        }
    }
}
