//! What an alert is told about its check: the annotations of contract C4, from the check's detail.
//!
//! The texts are made for people and for `examples/alertmanager/sensu.tmpl`, which turns them into the mail and the
//! Slack message that Sensu sent. They say what the check says now, which may be more recent than the alert. Every text
//! is bounded: annotations travel with each resend, and Alertmanager has no limit of its own. A configuration may
//! replace them and add others by templates, whose parts they are: see `annotate/template.rs`.

use std::borrow::Cow;

use check_result::api::Detail;
use check_result::{CheckResult, Object};
use indexmap::IndexMap;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use url::Url;

use crate::alert::Texts;

mod template;
mod text;

pub use template::{InvalidAnnotation, Templates};

/// The annotation that says why there is no detail, or not all of it.
pub const ERROR: &str = "detail_error";

/// The annotation that says how old the detail is.
pub const AGE: &str = "detail_age";

/// The default annotations (contract C4).
const NAMES: [&str; 17] = [
    "output",
    "output_detail",
    "client",
    "address",
    "command",
    "status_word",
    "exit_code",
    "occurrences",
    "duration",
    "issued",
    "issued_unix",
    "subscriptions",
    "notification",
    "playbook",
    "hook_output",
    "detail_url",
    AGE,
];

/// Bytes of every text but `output`.
const TEXT: usize = 2_000;

/// The address of a client that exists only as the `source` of results, as Sensu's server fills it in.
const NO_ADDRESS: &str = "unknown";

/// How much older than the alert's last change a result may be beyond its interval, for scrape and rule evaluation lie
/// between the two.
const LAG: SignedDuration = SignedDuration::from_secs(60);

/// What is known besides the detail itself.
#[derive(Debug)]
pub struct Context<'a> {
    /// Where the detail came from.
    pub url: &'a Url,
    /// The zone of `issued`.
    pub zone: &'a TimeZone,
    /// The alert's labels.
    pub labels: &'a Texts,
    /// When the alert last changed.
    pub last_change: Timestamp,
    /// The time to count ages from.
    pub now: Timestamp,
}

/// Names and texts that the proxy adds to an alert, while they are made. Most names are the defaults, which take no memory.
pub type Annotations = IndexMap<Cow<'static, str>, String>;

/// What a detail became.
#[derive(Debug)]
pub struct Annotated {
    /// The annotations.
    pub annotations: Annotations,
    /// Why some of them could not be made.
    pub error: Option<String>,
}

/// The default annotations for `detail`; those that it has nothing for are left out.
fn annotate(detail: &Detail, context: &Context<'_>) -> Annotations {
    let result = &detail.result;
    let texts = [
        Some(text::first_line(result.output())),
        Some(fit(result.output())),
        Some(fit(result.source().unwrap_or(result.client()))),
        address(detail),
        result.text("command").map(fit),
        Some(result.status().to_string()),
        Some(result.exit_code().to_string()),
        Some(detail.occurrences.to_string()),
        result.duration().map(|seconds| seconds.to_string()),
        result.issued().and_then(|issued| sensu_time(issued, context.zone)),
        result.issued().map(|issued| issued.to_string()),
        subscriptions(detail),
        result.text("notification").map(fit),
        result.text("playbook").map(fit),
        hook_output(result),
        Some(context.url.to_string()),
        old(result, context),
    ];
    NAMES.into_iter().zip(texts).filter_map(|(name, text)| Some((name.into(), text?))).collect()
}

/// The text of `detail_error`: parts of it may come from the node.
pub fn explain(error: &str) -> String {
    text::first_line(error)
}

/// The text of `detail_age`, for a result from `executed`.
pub fn age(executed: Timestamp, now: Timestamp) -> String {
    let age = SignedDuration::from_secs(now.duration_since(executed).as_secs());
    format!("{age:#} old")
}

/// Any text, fit for people.
fn fit(raw: &str) -> String {
    text::fit(raw, TEXT)
}

/// A client that exists only as a `source` has no address of its own; that of the client which ran the check would
/// mislead.
fn address(detail: &Detail) -> Option<String> {
    match detail.result.source() {
        Some(_) => Some(NO_ADDRESS.to_owned()),
        None => detail.client_attributes.get("address").and_then(Value::as_str).map(fit),
    }
}

/// The client's subscriptions, or those that the check is for where the client's are not known.
fn subscriptions(detail: &Detail) -> Option<String> {
    let list = |object: &Object, name: &str| match object.get(name) {
        Some(Value::Array(names)) => Some(names.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(",")),
        _ => None,
    };
    let own = list(&detail.client_attributes, "subscriptions").filter(|_| detail.result.source().is_none());
    let names = own.or_else(|| list(detail.result.check(), "subscribers"))?;
    (!names.is_empty()).then(|| fit(&names))
}

/// What the check's hooks printed (`{"hooks": {"critical": {"output": …}}}`).
fn hook_output(result: &CheckResult) -> Option<String> {
    let hooks = result.check().get("hooks").and_then(Value::as_object)?;
    let outputs: Vec<_> = hooks
        .values()
        .filter_map(|hook| hook.get("output").and_then(Value::as_str))
        .map(|output| output.trim_end_matches('\n'))
        .filter(|output| !output.is_empty())
        .collect();
    (!outputs.is_empty()).then(|| fit(&outputs.join("\n")))
}

/// `2026-08-18 06:04:05 +0900`: how Ruby, and so Sensu's mail, prints a time.
fn sensu_time(seconds: i64, zone: &TimeZone) -> Option<String> {
    let time = Timestamp::from_second(seconds).ok()?;
    Some(time.to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M:%S %z").to_string())
}

/// How old the result is, where it is older than a result that made the alert change can be.
fn old(result: &CheckResult, context: &Context<'_>) -> Option<String> {
    let executed = Timestamp::from_second(result.executed()?).ok()?;
    let interval = SignedDuration::try_from_secs_f64(result.interval().unwrap_or_default()).ok()?;
    let fresh_from = context.last_change.checked_sub(interval.checked_add(LAG)?).ok()?;
    (executed < fresh_from).then(|| age(executed, context.now))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn detail(check: &Value, attributes: &Value) -> Detail {
        serde_json::from_value(json!({
            "labels": {"check": "disk"}, "client": "web-1", "client_attributes": attributes, "check": check,
            "occurrences": 4, "status_changed": 1_787_000_000
        }))
        .unwrap()
    }

    fn annotations(detail: &Detail, last_change: i64) -> Vec<(String, String)> {
        let context = Context {
            url: &"http://10.0.0.1:9780/api/v1/checks/disk".parse().unwrap(),
            zone: &TimeZone::fixed(jiff::tz::offset(9)),
            labels: &Texts::default(),
            last_change: Timestamp::from_second(last_change).unwrap(),
            now: Timestamp::from_second(last_change + 1).unwrap(),
        };
        let annotated = Templates::default().apply(detail, &context);
        assert_eq!(annotated.error, None);
        annotated.annotations.into_iter().map(|(name, text)| (name.into_owned(), text)).collect()
    }

    fn of<'a>(annotations: &'a [(String, String)], name: &str) -> Option<&'a str> {
        annotations.iter().find(|(other, _)| other == name).map(|(_, text)| text.as_str())
    }

    #[test]
    fn a_detail_becomes_the_annotations_of_the_contract() {
        let detail = detail(
            &json!({"name": "disk", "command": "check-disk -w 80 -p hunter2", "interval": 60, "handlers": ["mail"],
                "notification": "Disk is full", "playbook": "https://wiki/disk", "subscribers": ["base"],
                "hooks": {"critical": {"command": "df", "output": "/ 93%\n"}}, "issued": 1_787_000_645,
                "executed": 1_787_000_645, "duration": 0.012, "status": 2,
                "output": "\u{1b}[31mCRITICAL\u{1b}[0m: / 93%\nmysql -psecret\n"}),
            &json!({"address": "10.0.0.1", "subscriptions": ["base", "web"]}),
        );
        let want = [
            ("output", "CRITICAL: / 93%"),
            ("output_detail", "CRITICAL: / 93%\nmysql -p <password omitted>"),
            ("client", "web-1"),
            ("address", "10.0.0.1"),
            ("command", "check-disk -w 80 -p <password omitted>"),
            ("status_word", "CRITICAL"),
            ("exit_code", "2"),
            ("occurrences", "4"),
            ("duration", "0.012"),
            ("issued", "2026-08-18 06:04:05 +0900"),
            ("issued_unix", "1787000645"),
            ("subscriptions", "base,web"),
            ("notification", "Disk is full"),
            ("playbook", "https://wiki/disk"),
            ("hook_output", "/ 93%"),
            ("detail_url", "http://10.0.0.1:9780/api/v1/checks/disk"),
        ];
        let got = annotations(&detail, 1_787_000_700);
        assert_eq!(got.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect::<Vec<_>>(), want);
    }

    #[test]
    fn what_a_result_lacks_is_left_out() {
        let got = annotations(&detail(&json!({"name": "x", "output": "", "status": 127}), &json!({})), 0);
        let names: Vec<_> = got.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(
            names,
            ["output", "output_detail", "client", "status_word", "exit_code", "occurrences", "detail_url"]
        );
        assert_eq!(of(&got, "status_word"), Some("UNKNOWN"));
    }

    #[test]
    fn a_proxy_client_is_told_by_its_own_name() {
        let detail = detail(
            &json!({"name": "ping", "source": "router", "subscribers": ["net"], "output": "x", "status": 1}),
            &json!({"address": "10.0.0.1", "subscriptions": ["base"]}),
        );
        let got = annotations(&detail, 0);
        assert_eq!((of(&got, "client"), of(&got, "address")), (Some("router"), Some("unknown")));
        assert_eq!(of(&got, "subscriptions"), Some("net"));
    }

    #[test]
    fn long_texts_are_cut_and_errors_are_one_line() {
        let output = format!("first {}\n{}", "語".repeat(400), "x".repeat(1 << 20));
        let got = annotations(&detail(&json!({"name": "x", "output": output, "status": 2}), &json!({})), 0);
        assert_eq!(of(&got, "output").unwrap().chars().count(), 300);
        assert!(of(&got, "output_detail").unwrap().len() <= 2_000);
        assert_eq!(explain("refused\x1b[1m \nmore"), "refused");
    }

    #[test]
    fn only_a_result_from_before_the_alert_has_an_age() {
        let at = |executed: i64| {
            detail(&json!({"name": "x", "interval": 60, "executed": executed, "output": "", "status": 2}), &json!({}))
        };
        for (executed, age) in [
            (1_000_000, None),
            (999_880, None),
            (999_879, Some("2m 2s old")),
            (1_000_100, None),
            (992_800, Some("2h 1s old")),
        ] {
            assert_eq!(of(&annotations(&at(executed), 1_000_000), "detail_age"), age, "{executed}");
        }
    }
}
