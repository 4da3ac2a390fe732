//! What holds for any input. The fuzz targets assert it of what they come upon, the tests of what fuzzing began with and found.

use std::sync::{Arc, LazyLock};

use alertmanager_proxy::Config;
use alertmanager_proxy::alert::{Alert, Fingerprint, Names, Texts, read_batch};
use alertmanager_proxy::annotate::{Context, Templates, explain};
use alertmanager_proxy::config::UrlTemplate;
use check_result::api::{Detail, FetchError, History, MOST_VALUES, Summary, answer, detail, values};
use check_result::cleaned;
use http::StatusCode;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use url::Url;

/// Bytes of an annotation, and characters of a line.
const LONGEST: usize = 2_000;
const LINE: usize = 300;

static URL: LazyLock<UrlTemplate> = LazyLock::new(|| {
    UrlTemplate::new("http://{{ labels.instance }}/api/v1/checks/{{ labels.check }}").expect("the template is valid")
});
static FIXED: LazyLock<UrlTemplate> = LazyLock::new(|| {
    UrlTemplate::new("http://gateway:9091/api/v1/checks/{{ labels.check }}?instance={{ labels.instance }}")
        .expect("the template is valid")
});
static TEMPLATES: LazyLock<[Templates; 2]> = LazyLock::new(|| {
    let mut own = Templates::default();
    for (name, template) in [
        ("whole", "{{ output_detail }}{% for line in output_detail | lines %}{{ line }};{% endfor %}"),
        ("definition", "{{ check }} {{ client_attributes }} {{ labels }}"),
        ("interval", "{{ check.interval * 2 }}"),
    ] {
        own.add(name, template).expect("the template is valid");
    }
    [Templates::default(), own]
});

/// What Prometheus posts: an alert that is passed on is read as the one that was posted, with what was added and nothing else; and what
/// its labels say can choose no address but where the configuration lets them.
pub(crate) fn alerts(body: &[u8]) {
    let now = now();
    match (read_batch(body, Names::Utf8, now), read_batch(body, Names::Legacy, now)) {
        (Ok((alerts, refused)), Ok((plain, refused_more))) => {
            assert_eq!(alerts.len() + refused.len(), plain.len() + refused_more.len());
            // What the old names allow, the new ones allow as well.
            let mut all = alerts.iter().map(Alert::fingerprint);
            assert!(plain.iter().all(|alert| all.any(|one| one == alert.fingerprint())), "{plain:?}");
            alerts.iter().for_each(passed_on);
        }
        (Err(one), Err(other)) => assert_eq!(one, other),
        (one, other) => panic!("{one:?}, but {other:?}"),
    }
}

fn now() -> Timestamp {
    Timestamp::from_second(1_767_225_600).expect("2026 is a time")
}

fn passed_on(alert: &Alert) {
    let added: Arc<Texts> = Arc::new([("output", "a \"b\"\n"), ("proxy_own", "}")].into_iter().collect());
    assert_eq!(Fingerprint::of(alert.labels()), alert.fingerprint());
    let (bare, none) = (sent(alert, &Arc::default()), reread(&sent(alert, &Arc::default())));
    assert_eq!(sent(&none, &Arc::default()), bare);
    let whole = sent(alert, &added);
    let again = reread(&whole);
    for read in [&none, &again] {
        assert_eq!(read.labels(), alert.labels());
        assert_eq!((read.fingerprint(), read.is_resolved()), (alert.fingerprint(), alert.is_resolved()));
        assert_eq!((read.last_change(), read.stale_at()), (alert.last_change(), alert.stale_at()));
    }
    assert_eq!(sent(&again, &added), whole, "nothing is added twice");
    let (mut with, own) = (json(&whole), json(&bare));
    let said = |name: &str| {
        own["annotations"].get(name).map_or_else(|| added.get(name).unwrap_or_default().into(), Clone::clone)
    };
    for (name, _) in added.iter() {
        assert_eq!(with["annotations"][name], said(name));
        if own["annotations"].get(name).is_none() {
            with["annotations"].as_object_mut().expect("they are an object").shift_remove(name);
        }
    }
    let nothing = |annotations: &Value| annotations.as_object().is_none_or(serde_json::Map::is_empty);
    if nothing(&own["annotations"]) {
        assert!(nothing(&with["annotations"]));
    } else {
        assert_eq!(with["annotations"], own["annotations"]);
    }
    asked(alert.labels());
}

fn sent(alert: &Alert, added: &Arc<Texts>) -> Vec<u8> {
    let mut json = Vec::new();
    alert.clone().into_outgoing(Arc::clone(added)).write(&mut json);
    json
}

fn reread(alert: &[u8]) -> Alert {
    let batch = [b"[", alert, b"]"].concat();
    match read_batch(&batch, Names::Utf8, now()) {
        Ok((alerts, refused)) if alerts.len() == 1 && refused.is_empty() => {
            alerts.into_iter().next().expect("there is one")
        }
        other => panic!("{other:?} of {}", String::from_utf8_lossy(&batch)),
    }
}

fn json(alert: &[u8]) -> Value {
    serde_json::from_slice(alert).unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(alert)))
}

/// A label fills its place in the address and nothing else.
fn asked(labels: &Texts) {
    for (template, is_fixed) in [(&*URL, false), (&*FIXED, true)] {
        let Ok(url) = template.render(labels) else { continue };
        assert!(url.username().is_empty() && url.password().is_none() && url.fragment().is_none(), "{url}");
        let segments: Vec<_> = url.path_segments().expect("it has a path").collect();
        assert!(matches!(*segments, ["api", "v1", "checks", _]), "{url}");
        let given: Vec<_> = url.query_pairs().map(|(name, _)| name.into_owned()).collect();
        let mut expected = Vec::from(if is_fixed { &["instance"][..] } else { &[] });
        expected.extend(labels.get("source").map(|_| "source"));
        assert_eq!(given, expected, "{url}");
        if is_fixed {
            assert_eq!((url.host_str(), url.port()), (Some("gateway"), Some(9091)), "{url}");
        }
    }
}

/// What a node answers: read and written it says the same, its texts are fit for people and within bounds, and so are refusals.
pub(crate) fn details(body: &[u8]) {
    for status in [StatusCode::NOT_FOUND, StatusCode::CONFLICT, StatusCode::BAD_GATEWAY] {
        fit_for_people(&answer::<Detail>("node:9780", status, body).expect_err("it is no answer"));
    }
    written_reads_the_same::<Vec<Summary>>(body);
    written_reads_the_same::<History>(body);
    match detail("node:9780", StatusCode::OK, body) {
        Ok(read) => {
            assert!(values(body) <= MOST_VALUES);
            written_reads_the_same::<Detail>(body);
            annotated(&read);
        }
        Err(error) => fit_for_people(&error),
    }
}

fn written_reads_the_same<T: DeserializeOwned + Serialize>(body: &[u8]) {
    let read = match answer::<T>("node:9780", StatusCode::OK, body) {
        Ok(read) => read,
        Err(error) => return fit_for_people(&error),
    };
    let written = serde_json::to_vec(&read).expect("an answer is JSON");
    let again: T = answer("node:9780", StatusCode::OK, &written).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(
        serde_json::to_string(&again).expect("an answer is JSON"),
        String::from_utf8(written).expect("JSON is UTF-8")
    );
}

fn fit_for_people(error: &FetchError) {
    let said = error.to_string();
    assert!(said.chars().count() < LINE && !said.contains(char::is_control), "{said:?}");
    let line = explain(&said);
    assert!(line.chars().count() <= LINE && cleaned(&line) == line, "{line:?}");
}

fn annotated(read: &Detail) {
    let url = Url::parse("http://node:9780/api/v1/checks/disk").expect("it is an address");
    let labels: Texts = [("check", read.result.name()), ("instance", "node:9780")].into_iter().collect();
    let now = now();
    let context = Context { url: &url, zone: &TimeZone::UTC, labels: &labels, last_change: now, now };
    for templates in &*TEMPLATES {
        for (name, text) in templates.apply(read, &context).annotations {
            assert!(text.len() <= LONGEST, "{name}: {} bytes", text.len());
            assert!(cleaned(&text) == text && !text.ends_with('\n'), "{name}: {text:?}");
            assert!(name != "output" || text.chars().count() <= LINE, "{text:?}");
        }
    }
}

/// A configuration: whatever is wrong with it is told with the line on which it stands.
pub(crate) fn config(text: &[u8]) {
    let text = String::from_utf8_lossy(text);
    let Err(error) = Config::parse(&text) else { return };
    // In YAML a carriage return ends a line as well.
    let lines = text.matches(['\n', '\r']).count() + 1;
    assert!(!error.failures().is_empty());
    for failure in error.failures() {
        let line = failure.split_once(": ").and_then(|(line, _)| line.parse::<usize>().ok());
        assert!(line.is_some_and(|line| (1..=lines).contains(&line)), "{failure}");
    }
}
