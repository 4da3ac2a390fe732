//! Alertmanager's configuration, as far as a migration writes it: the words of its documentation, in its order.

use std::collections::BTreeMap;

use serde::Serialize;

use super::windows::TimeIntervals;

#[derive(Debug, Serialize)]
pub(super) struct Config {
    pub(super) templates: Vec<&'static str>,
    pub(super) route: Route,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) inhibit_rules: Vec<InhibitRule>,
    pub(super) receivers: Vec<Receiver>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) time_intervals: Vec<TimeIntervals>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub(super) struct Route {
    pub(super) receiver: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) matchers: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) group_by: Vec<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) group_wait: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) group_interval: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) repeat_interval: Option<String>,
    #[serde(rename = "continue", skip_serializing_if = "std::ops::Not::not")]
    pub(super) goes_on: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) mute_time_intervals: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) routes: Vec<Self>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct InhibitRule {
    pub(super) source_matchers: Vec<String>,
    pub(super) target_matchers: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) equal: Vec<&'static str>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub(super) struct Receiver {
    pub(super) name: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) email_configs: Vec<EmailConfig>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) slack_configs: Vec<SlackConfig>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub(super) struct EmailConfig {
    pub(super) to: String,
    pub(super) from: String,
    pub(super) smarthost: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) hello: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) auth_username: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) auth_password_file: Option<String>,
    pub(super) require_tls: bool,
    pub(super) send_resolved: bool,
    pub(super) html: &'static str,
    pub(super) text: &'static str,
    pub(super) headers: BTreeMap<&'static str, String>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub(super) struct SlackConfig {
    pub(super) api_url_file: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) channel: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) username: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) icon_emoji: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) icon_url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) http_config: Option<HttpConfig>,
    pub(super) send_resolved: bool,
    pub(super) color: &'static str,
    pub(super) title: &'static str,
    pub(super) title_link: &'static str,
    pub(super) fallback: &'static str,
    pub(super) text: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) mrkdwn_in: Vec<&'static str>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct HttpConfig {
    pub(super) proxy_url: String,
}

/// A matcher of a label that is this.
pub(super) fn equal(label: &str, value: &str) -> String {
    format!("{label} = {}", quoted(value))
}

/// A matcher of a label that is not this.
pub(super) fn not_equal(label: &str, value: &str) -> String {
    format!("{label} != {}", quoted(value))
}

/// A matcher of a label that is one of these.
pub(super) fn one_of<'a>(label: &str, values: impl IntoIterator<Item = &'a str>) -> String {
    let values: Vec<_> = values.into_iter().collect();
    match values[..] {
        [value] => equal(label, value),
        _ => format!("{label} =~ {}", quoted(&alternatives(values))),
    }
}

/// A matcher of a label that is none of these.
pub(super) fn none_of<'a>(label: &str, values: impl IntoIterator<Item = &'a str>) -> String {
    format!("{label} !~ {}", quoted(&alternatives(values)))
}

/// A matcher of Prometheus's of a label that is one of these.
pub(super) fn selector<'a>(label: &str, values: impl IntoIterator<Item = &'a str>) -> String {
    format!("{label}=~{}", quoted(&alternatives(values)))
}

/// A matcher of the label `handlers`, which has a comma on both sides of each name, or of a check that names none.
pub(super) fn handled_by<'a>(names: impl IntoIterator<Item = &'a str>, or_none: bool) -> String {
    let some = format!(".*,({}),.*", alternatives(names));
    format!("handlers =~ {}", quoted(&if or_none { format!("|{some}") } else { some }))
}

/// A regular expression of RE2 for any of these texts.
fn alternatives<'a>(texts: impl IntoIterator<Item = &'a str>) -> String {
    let escape = |text: &str| {
        let escaped = text.chars().flat_map(|c| r"\.+*?()|[]{}^$".contains(c).then_some('\\').into_iter().chain([c]));
        escaped.collect::<String>()
    };
    texts.into_iter().map(escape).collect::<Vec<_>>().join("|")
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n"))
}

/// Text that Alertmanager's templates show as it is.
pub(super) fn literal(text: &str) -> String {
    text.replace("{{", "{{ \"{{\" }}")
}

/// A duration as Prometheus writes it.
pub(super) fn duration(seconds: u64) -> String {
    match seconds {
        0 => "1s".to_owned(),
        _ if seconds.is_multiple_of(3600) => format!("{}h", seconds / 3600),
        _ if seconds.is_multiple_of(60) => format!("{}m", seconds / 60),
        _ => format!("{seconds}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn matchers_are_quoted_for_both_readers() {
        assert_eq!(one_of("check", ["a.b"]), r#"check = "a.b""#);
        assert_eq!(one_of("check", ["a.b", "c-d"]), r#"check =~ "a\\.b|c-d""#);
        assert_eq!(handled_by(["mail", "x+"], true), r#"handlers =~ "|.*,(mail|x\\+),.*""#);
    }

    #[test]
    fn durations_are_short() {
        assert_eq!([1800, 3600, 90, 0].map(duration), ["30m", "1h", "90s", "1s"]);
    }
}
