//! From the file as written to a configuration that can be used: every failure, not only the first.

use std::ops::RangeInclusive;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use regex::Regex;
use service::config::{Fields, Place};
use service::http::HttpConfig;

use super::{
    Breaker, Config, Fetch, Forward, Limits, Ports, Source, UrlTemplate, alertmanagers, networks, origins, ports,
    pushed,
};
use crate::alert::Names;
use crate::annotate::Templates;

const HOLD: Duration = Duration::from_secs(3);

/// Waits that may be configured: long before the longest Prometheus resends and Alertmanager resolves.
const WAITS: RangeInclusive<Duration> = Duration::from_millis(1)..=Duration::from_secs(3600);

pub(super) fn config(root: &Place<'_>, folder: &Path) -> Config {
    let mut fields = root.fields();
    let alertmanagers = fields.needed_list("alertmanagers", "`- url: http://127.0.0.1:9093`");
    let sources = fields.list("sources");
    let nameservers = fields.list("nameservers");
    let annotations = Arc::new(annotations(fields.place("annotations"), Templates::default()));
    let shared = Shared { folder, annotations };
    let config = Config {
        alertmanagers: alertmanagers
            .iter()
            .fold(Vec::new(), |known, place| alertmanagers::alertmanager(place, known, folder)),
        nameservers: nameservers.iter().filter_map(|place| place.value(alertmanagers::name_server)).collect(),
        sources: sources.iter().filter_map(|place| source(place, &shared)).collect(),
        hold: fields.duration("hold", WAITS, HOLD),
        fetch: fetch(fields.section("fetch")),
        forward: forward(fields.section("forward")),
        limits: limits(fields.section("limits")),
        names: fields.place("name_validation_scheme").and_then(|place| place.value(names)).unwrap_or(Names::Utf8),
        origins: fields.list("allowed_origins").iter().filter_map(|place| place.value(origins::parse)).collect(),
    };
    fields.end();
    config
}

/// What stands in `place` beside the templates that hold `everywhere`, which it replaces where the name is the same.
fn annotations(place: Option<Place<'_>>, everywhere: Templates) -> Templates {
    let entries = place.map(|place| place.fields().all().collect::<Vec<_>>()).unwrap_or_default();
    entries.into_iter().fold(everywhere, |mut templates, (name, place)| {
        place.value(|text| templates.add(name, text).map_err(|error| error.to_string()));
        templates
    })
}

/// What the whole file says to its sources.
struct Shared<'a> {
    folder: &'a Path,
    annotations: Arc<Templates>,
}

fn source(place: &Place<'_>, shared: &Shared<'_>) -> Option<Source> {
    let mut fields = place.fields();
    let pushed = fields.place("pushgateway");
    let target = match &pushed {
        Some(_) => (fields.place("match"), None, fields.list("allow")),
        None => (
            fields.needed("match", "{check: \".+\"}"),
            fields.needed("url", "\"http://{{ labels.instance }}/api/v1/checks/{{ labels.check }}\""),
            fields.needed_list("allow", "[\"10.0.0.0/8\"], the networks that may be asked"),
        ),
    };
    let (matchers, url, allow) = target;
    let allow_ports = fields.list("allow_ports");
    let http = HttpConfig::read(&mut fields, shared.folder);
    let annotations = match fields.place("annotations") {
        None => Arc::clone(&shared.annotations),
        own => Arc::new(annotations(own, Templates::clone(&shared.annotations))),
    };
    fields.end();
    let matcher = |(name, place): (&str, Place<'_>)| Some((name.to_owned(), place.value(anchored)?));
    let matchers = match (matchers, &pushed) {
        (Some(place), _) => place.fields().all().filter_map(matcher).collect(),
        (None, Some(_)) => pushed::matchers(),
        (None, None) => Vec::new(),
    };
    let allow = match (allow.is_empty(), &pushed) {
        (true, Some(_)) => pushed::everybody().into_iter().collect(),
        _ => allow.iter().filter_map(|place| place.value(networks::parse)).collect(),
    };
    let ports: Vec<_> = allow_ports.iter().filter_map(|place| place.value(ports::parse)).collect();
    let template = |text: &str| UrlTemplate::new(text).map_err(|error| error.to_string());
    let url = match pushed {
        Some(place) => pushed::url(&place)?,
        None => url?.value(template)?,
    };
    Some(Source { matchers, url, allow, ports: Ports::new(ports), http, annotations })
}

fn fetch(mut fields: Fields<'_>) -> Fetch {
    let default = Fetch::default();
    let fetch = Fetch {
        timeout: fields.duration("timeout", WAITS, default.timeout),
        cache: fields.duration("cache", WAITS, default.cache),
        failure_cache: fields.duration("failure_cache", WAITS, default.failure_cache),
        concurrency: fields.number("concurrency", default.concurrency),
        concurrency_per_node: fields.number("concurrency_per_node", default.concurrency_per_node),
        max_response_bytes: fields.number("max_response_bytes", default.max_response_bytes),
        breaker: breaker(fields.section("breaker")),
    };
    fields.end();
    fetch
}

fn breaker(mut fields: Fields<'_>) -> Breaker {
    let default = Fetch::default().breaker;
    let breaker = Breaker {
        failures: fields.number("failures", default.failures),
        rest: fields.duration("rest", WAITS, default.rest),
    };
    fields.end();
    breaker
}

fn forward(mut fields: Fields<'_>) -> Forward {
    let default = Forward::default();
    let forward = Forward {
        timeout: fields.duration("timeout", WAITS, default.timeout),
        unreachable_after: fields.duration("unreachable_after", WAITS, default.unreachable_after),
    };
    fields.end();
    forward
}

fn limits(mut fields: Fields<'_>) -> Limits {
    let default = Limits::default();
    let limits = Limits {
        max_body_bytes: fields.number("max_body_bytes", default.max_body_bytes),
        held_alerts: fields.number("held_alerts", default.held_alerts),
        pending_alerts: fields.number("pending_alerts", default.pending_alerts),
        answer_bytes: fields.number("answer_bytes", default.answer_bytes),
        memory_bytes: fields.number("memory_bytes", default.memory_bytes),
    };
    fields.end();
    limits
}

/// A regex that must match a label's whole value, as in Prometheus: `.` matches line breaks as well.
pub(super) fn anchored(text: &str) -> Result<Regex, String> {
    // The library draws a picture of the place; its last line says what is wrong.
    let told = |error: regex::Error| {
        let error = error.to_string();
        let reason = error.lines().last().unwrap_or_default().trim_start_matches("error: ");
        format!("`{text}` is not a regex: {reason}")
    };
    Regex::new(text).map_err(told)?;
    Regex::new(&format!("^(?s:{text})$")).map_err(told)
}

fn names(text: &str) -> Result<Names, String> {
    match text {
        "utf8" => Ok(Names::Utf8),
        "legacy" => Ok(Names::Legacy),
        _ => Err(format!("`{text}` is neither `utf8` nor `legacy`")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Targets;

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
        let Targets::Url(url) = &config.alertmanagers[0].targets else { panic!("a URL") };
        assert_eq!(url.as_str(), "http://127.0.0.1:9093/");
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
    annotations: {run-book: x, a: "{{ ouput }}", detail_error: x}
  - url: "{{ labels.x }}"
hold: 3
fetch:
  timeout: 0s
  concurrency: 0
forward: {timeout: 2h, retries: 3}
limits: {held_alerts: many}
name_validation_scheme: [ascii]
sourcess: []
allowed_origins: [karma, "https://karma/x"]
annotations: {b: "{{ output|shout }}"}
"#,
        );
        for (line, field) in [
            (2, "alertmanagers[0].url"),
            (3, "alertmanagers[1].url"),
            (5, "sources[0].match.check"),
            (6, "sources[0].url"),
            (7, "sources[0].allow[0]"),
            (8, "sources[0].annotations.run-book"),
            (8, "sources[0].annotations.a"),
            (8, "sources[0].annotations.detail_error"),
            (9, "sources[1].allow"),
            (9, "sources[1].match"),
            (9, "sources[1].url"),
            (10, "hold"),
            (12, "fetch.timeout"),
            (13, "fetch.concurrency"),
            (14, "forward.timeout"),
            (14, "forward.retries"),
            (15, "limits.held_alerts"),
            (16, "name_validation_scheme"),
            (17, "sourcess"),
            (18, "allowed_origins[0]"),
            (18, "allowed_origins[1]"),
            (19, "annotations.b"),
        ] {
            let start = format!("{line}: {field}: ");
            assert!(told.iter().any(|failure| failure.starts_with(&start)), "{start} not in {told:#?}");
        }
        assert_eq!(told.len(), 22, "{told:#?}");
    }

    #[test]
    fn an_alertmanager_is_listed_once() {
        let told =
            failures("alertmanagers:\n- url: http://a:80/x\n- url: http://b\n- url: http://A/x/\n- url: http://b:80\n");
        let places: Vec<_> = told.iter().map(|failure| failure.split(": `").next().unwrap()).collect();
        assert_eq!(places, ["4: alertmanagers[2].url", "5: alertmanagers[3].url"], "{told:?}");
        assert!(told[0].ends_with("`http://A/x/` is there already; each gets every alert once"), "{told:?}");
    }

    #[test]
    fn what_is_no_config_is_told_with_its_line() {
        for (text, says) in [
            ("", "1: alertmanagers: is needed, as `- url: http://127.0.0.1:9093`"),
            ("- a", "1: a mapping is expected, not a list"),
            ("alertmanagers: {url: x}", "1: alertmanagers: a list is expected, not a mapping"),
            ("alertmanagers: [http://a]", "1: alertmanagers[0]: a mapping is expected, not a single value"),
            ("alertmanagers: [{url: \"http://a\"}]\nholdd: 3s", "2: holdd: unknown field; known here: alertmanagers, "),
        ] {
            let told = failures(text);
            assert!(told[0].starts_with(says), "{text}: {told:?}");
        }
    }
}
