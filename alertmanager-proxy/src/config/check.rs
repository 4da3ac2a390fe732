//! From the file as written to a configuration that can be used: every failure, not only the first.

use std::collections::BTreeMap;
use std::time::Duration;

use regex::Regex;
use serde_saphyr::Spanned;
use service::ConfigError;
use url::Url;

use super::raw::{Number, Raw, RawFetch, RawForward, RawLimits, RawSource, Text};
use super::{Config, Fetch, Forward, Limits, Source, UrlTemplate, networks};
use crate::alert::Names;

const HOLD: Duration = Duration::from_secs(3);

/// The longest wait that may be configured: beyond it Prometheus resends and Alertmanager resolves.
const LONGEST: Duration = Duration::from_secs(3600);

/// A bound far above any use, so that sums and allocations cannot overflow.
const LARGEST: i64 = 1 << 40;

/// Failures so far, each as `LINE: FIELD: what is wrong`.
#[derive(Default)]
struct Failures(Vec<String>);

pub(super) fn check(raw: Raw) -> Result<Config, ConfigError> {
    let mut failures = Failures::default();
    if raw.alertmanagers.is_empty() {
        failures.0.push("1: alertmanagers: at least one is needed, as `- url: http://127.0.0.1:9093`".to_owned());
    }
    let urls = raw.alertmanagers.iter().enumerate();
    let config = Config {
        alertmanagers: urls
            .filter_map(|(i, am)| failures.take(&format!("alertmanagers[{i}].url"), &am.url, base_url))
            .collect(),
        sources: raw.sources.iter().enumerate().filter_map(|(i, raw)| source(i, raw, &mut failures)).collect(),
        hold: failures.duration("hold", raw.hold.as_ref(), HOLD),
        fetch: fetch(&raw.fetch, &mut failures),
        forward: forward(&raw.forward, &mut failures),
        limits: limits(&raw.limits, &mut failures),
        names: raw
            .name_validation_scheme
            .and_then(|scheme| failures.take("name_validation_scheme", &scheme, names))
            .unwrap_or(Names::Utf8),
    };
    if failures.0.is_empty() { Ok(config) } else { Err(ConfigError::all(failures.0)) }
}

fn source(index: usize, raw: &Spanned<RawSource>, failures: &mut Failures) -> Option<Source> {
    let (field, line) = (format!("sources[{index}]"), raw.referenced.line());
    let raw = &raw.value;
    if raw.allow.is_empty() {
        failures.add(line, &format!("{field}.allow"), "is needed: the networks that may be asked, as [\"10.0.0.0/8\"]");
    }
    if raw.matchers.is_empty() {
        failures.add(line, &format!("{field}.match"), "is needed: labels and their regex, as {check: \".+\"}");
    }
    if raw.url.is_none() {
        let example = "is needed, as \"http://{{ labels.instance }}/api/v1/checks/{{ labels.check }}\"";
        failures.add(line, &format!("{field}.url"), example);
    }
    let matchers = matchers(&field, &raw.matchers, failures);
    let allow = raw.allow.iter().enumerate();
    let allow = allow
        .filter_map(|(i, network)| failures.take(&format!("{field}.allow[{i}]"), network, networks::parse))
        .collect();
    let url = failures.take(&format!("{field}.url"), raw.url.as_ref()?, |text| {
        UrlTemplate::new(text).map_err(|error| error.to_string())
    })?;
    Some(Source { matchers, url, allow })
}

fn matchers(field: &str, raw: &BTreeMap<String, Text>, failures: &mut Failures) -> Vec<(String, Regex)> {
    let matcher = |(name, regex): (&String, &Text)| {
        let regex = failures.take(&format!("{field}.match.{name}"), regex, anchored)?;
        Some((name.clone(), regex))
    };
    raw.iter().filter_map(matcher).collect()
}

fn fetch(raw: &RawFetch, failures: &mut Failures) -> Fetch {
    let default = Fetch::default();
    Fetch {
        timeout: failures.duration("fetch.timeout", raw.timeout.as_ref(), default.timeout),
        cache: failures.duration("fetch.cache", raw.cache.as_ref(), default.cache),
        failure_cache: failures.duration("fetch.failure_cache", raw.failure_cache.as_ref(), default.failure_cache),
        concurrency: failures.number("fetch.concurrency", raw.concurrency.as_ref(), default.concurrency),
        concurrency_per_node: failures.number(
            "fetch.concurrency_per_node",
            raw.concurrency_per_node.as_ref(),
            default.concurrency_per_node,
        ),
        max_response_bytes: failures.number(
            "fetch.max_response_bytes",
            raw.max_response_bytes.as_ref(),
            default.max_response_bytes,
        ),
    }
}

fn forward(raw: &RawForward, failures: &mut Failures) -> Forward {
    let default = Forward::default();
    Forward {
        timeout: failures.duration("forward.timeout", raw.timeout.as_ref(), default.timeout),
        unreachable_after: failures.duration(
            "forward.unreachable_after",
            raw.unreachable_after.as_ref(),
            default.unreachable_after,
        ),
    }
}

fn limits(raw: &RawLimits, failures: &mut Failures) -> Limits {
    let default = Limits::default();
    Limits {
        max_body_bytes: failures.number("limits.max_body_bytes", raw.max_body_bytes.as_ref(), default.max_body_bytes),
        held_alerts: failures.number("limits.held_alerts", raw.held_alerts.as_ref(), default.held_alerts),
        pending_alerts: failures.number("limits.pending_alerts", raw.pending_alerts.as_ref(), default.pending_alerts),
        memory_bytes: failures.number("limits.memory_bytes", raw.memory_bytes.as_ref(), default.memory_bytes),
    }
}

/// A regex that must match a label's whole value, as in Prometheus: `.` matches line breaks as well.
fn anchored(text: &str) -> Result<Regex, String> {
    Regex::new(text).map_err(|error| error.to_string())?;
    Regex::new(&format!("^(?s:{text})$")).map_err(|error| error.to_string())
}

fn base_url(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|error| format!("`{text}` is not a URL: {error}"))?;
    if !matches!(url.scheme(), "http" | "https") || url.host().is_none() {
        return Err(format!("`{text}` must begin with http:// or https:// and name a host"));
    }
    if !url.username().is_empty() || url.password().is_some() || url.query().is_some() || url.fragment().is_some() {
        return Err(format!("`{text}` may have no user name, password, query or fragment"));
    }
    Ok(url)
}

fn names(text: &str) -> Result<Names, String> {
    match text {
        "utf8" => Ok(Names::Utf8),
        "legacy" => Ok(Names::Legacy),
        _ => Err(format!("`{text}` is neither `utf8` nor `legacy`")),
    }
}

// === impl Failures ===

impl Failures {
    fn add(&mut self, line: u64, field: &str, what: &str) {
        self.0.push(format!("{line}: {field}: {what}"));
    }

    /// The checked value, or none and a failure more.
    fn take<T>(&mut self, field: &str, text: &Text, check: impl FnOnce(&str) -> Result<T, String>) -> Option<T> {
        check(&text.value).map_err(|what| self.add(text.referenced.line(), field, &what)).ok()
    }

    fn duration(&mut self, field: &str, text: Option<&Text>, default: Duration) -> Duration {
        let checked = text.and_then(|text| {
            self.take(field, text, |text| match service::duration(text) {
                Ok(duration) if duration.is_zero() || duration > LONGEST => {
                    Err(format!("`{text}` is not between 1ms and 1h"))
                }
                other => other.map_err(|error| format!("`{text}`: {error}")),
            })
        });
        checked.unwrap_or(default)
    }

    fn number<T: TryFrom<i64>>(&mut self, field: &str, number: Option<&Number>, default: T) -> T {
        let Some(number) = number else { return default };
        match T::try_from(number.value) {
            Ok(checked) if (1..=LARGEST).contains(&number.value) => checked,
            _ => {
                self.add(number.referenced.line(), field, &format!("{} is not between 1 and {LARGEST}", number.value));
                default
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failures(text: &str) -> Vec<String> {
        Config::parse(text).unwrap_err().failures().to_vec()
    }

    #[test]
    fn the_smallest_config_takes_every_default() {
        let config = Config::parse(
            r#"
alertmanagers:
  - url: http://127.0.0.1:9093
sources:
  - match: {check: ".+"}
    url: "http://{{ labels.instance }}/api/v1/checks/{{ labels.check }}"
    allow: ["10.0.0.0/8", "127.0.0.0/8"]
"#,
        )
        .unwrap();
        assert_eq!(config.alertmanagers[0].as_str(), "http://127.0.0.1:9093/");
        assert_eq!((config.hold, config.names), (Duration::from_secs(3), Names::Utf8));
        assert_eq!((config.fetch, config.forward), (Fetch::default(), Forward::default()));
        assert_eq!(config.limits, Limits::default());
    }

    #[test]
    fn an_alert_takes_the_first_source_whose_matchers_all_match_whole_values() {
        let config = Config::parse(
            r#"
alertmanagers: [{url: "http://a"}]
sources:
  - {match: {check: "disk|mem", job: "agent"}, url: "http://a", allow: ["10.0.0.1"]}
  - {match: {check: ".+", source: ""}, url: "http://b", allow: ["10.0.0.1"]}
"#,
        )
        .unwrap();
        for (labels, want) in [
            (vec![("check", "disk"), ("job", "agent")], Some(0)),
            (vec![("check", "disk2"), ("job", "agent")], Some(1)),
            (vec![("check", "disk\nx")], Some(1)),
            (vec![("check", "x"), ("source", "y")], None),
            (vec![("alertname", "NodeDown")], None),
        ] {
            let labels = labels.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
            assert_eq!(config.source_for(&labels).map(|(index, _)| index), want, "{labels:?}");
        }
    }

    #[test]
    fn every_failure_is_told_at_once_with_its_line_and_field() {
        let told = failures(
            r#"alertmanagers:
  - url: "127.0.0.1:9093"
  - url: http://user:secret@am
sources:
  - match: {check: "("}
    url: "http://{{ instance }}"
    allow: [ten]
  - url: "{{ labels.x }}"
hold: 3
fetch:
  timeout: 0s
  concurrency: 0
forward: {timeout: 2h}
limits: {held_alerts: -1}
name_validation_scheme: ascii
"#,
        );
        for (line, field) in [
            (2, "alertmanagers[0].url"),
            (3, "alertmanagers[1].url"),
            (5, "sources[0].match.check"),
            (6, "sources[0].url"),
            (7, "sources[0].allow[0]"),
            (8, "sources[1].allow"),
            (8, "sources[1].match"),
            (8, "sources[1].url"),
            (9, "hold"),
            (11, "fetch.timeout"),
            (12, "fetch.concurrency"),
            (13, "forward.timeout"),
            (14, "limits.held_alerts"),
            (15, "name_validation_scheme"),
        ] {
            let start = format!("{line}: {field}: ");
            assert!(told.iter().any(|failure| failure.starts_with(&start)), "{start} not in {told:#?}");
        }
        assert_eq!(told.len(), 14, "{told:#?}");
    }

    #[test]
    fn what_is_no_config_is_told_with_its_line() {
        assert!(failures("")[0].starts_with("1: alertmanagers: at least one is needed"));
        let unknown = failures("alertmanagers: [{url: \"http://a\"}]\nholdd: 3s\n");
        assert!(unknown[0].starts_with("2: ") && unknown[0].contains("holdd"), "{unknown:?}");
        let twice = failures("hold: 3s\nhold: 4s\n");
        assert!(twice[0].starts_with("2: ") && twice[0].contains("hold"), "{twice:?}");
        assert!(failures("alertmanagers: [")[0].starts_with("1: "), "{:?}", failures("alertmanagers: ["));
    }
}
