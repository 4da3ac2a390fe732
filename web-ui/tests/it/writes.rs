//! Changes of silences to the end: whoever asked goes away, servers take nothing, and what is recorded is what was written.

use std::io::Write;
use std::sync::{Arc, LazyLock, Mutex};

use http::{Method, StatusCode};
use jiff::{SignedDuration, Timestamp};
use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;
use serde_json::{Value, json};
use service::http::ClientOptions;
use tempfile::TempDir;
use tokio::time::timeout;
use tracing_subscriber::fmt::MakeWriter;
use web_ui::access::User;
use web_ui::matcher::Matcher;
use web_ui::silencing::desk::{Act, Item};
use web_ui::silencing::{Draft, Plan};
use web_ui::{App, Config};

use crate::gossip::{Gossip, Mode};
use crate::silences::{GOOD, call, location, one, send};
use crate::world::PATIENCE;

/// What all tests of this process log: whether a line of the program is logged at all is decided once, for all of them, by whoever
/// comes to it first, so that none of them can have a log of its own.
static LOG: LazyLock<Log> = LazyLock::new(|| {
    let log = Log::default();
    let lines = tracing_subscriber::fmt().json().flatten_event(true).with_writer(log.clone()).finish();
    tracing::subscriber::set_global_default(lines).unwrap();
    tracing::callsite::rebuild_interest_cache();
    log
});

/// A log that can be read.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

impl Log {
    /// The record of a kind of change in a cluster.
    fn records(&self, cluster: &str, action: &str) -> Vec<Value> {
        let text = String::from_utf8(self.0.lock().unwrap().clone()).unwrap();
        let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let wanted = [("component", "audit"), ("cluster", cluster), ("action", action)];
        lines.filter(|line| wanted.iter().all(|(field, value)| line[field] == *value)).collect()
    }
}

fn app(cluster: &str, gossip: &Gossip, registry: &mut Registry) -> Arc<App> {
    let directory = TempDir::new().unwrap();
    let file = directory.path().join("web-ui.yml");
    std::fs::write(&file, format!("clusters:\n{}timeout: 60s\n", gossip.config(cluster))).unwrap();
    App::start(&Config::load(&file).unwrap(), ClientOptions::new(service::build_info!()), registry).unwrap()
}

fn plan(cluster: &str, filters: &[&str]) -> Plan {
    let draft = |filter: &&str| Draft { matchers: Matcher::parse_all(filter).unwrap(), clusters: vec![cluster.into()] };
    Plan {
        drafts: filters.iter().map(draft).collect(),
        begins: None,
        ends: Timestamp::now() + SignedDuration::from_hours(2),
        comment: "new disk".into(),
        author: "ann".into(),
        until_resolved: false,
    }
}

#[tokio::test]
async fn a_change_is_made_and_recorded_though_whoever_asked_goes_away() {
    let gossip = Gossip::start(1).await;
    gossip.members[0].be(Mode::Holds);
    let mut registry = Registry::default();
    let app = app("tokyo", &gossip, &mut registry);
    let (desk, plan) = (app.desk(User::program(), app.snapshot()), plan("tokyo", &["check=disk", "check=load"]));
    tokio::select! {
        outcomes = desk.make(&plan) => unreachable!("the server holds it: {outcomes:?}"),
        () = gossip.members[0].is_told() => {}
    }
    gossip.members[0].let_go();
    timeout(PATIENCE, app.finish()).await.unwrap();
    let mut metrics = String::new();
    encode(&mut metrics, &registry).unwrap();
    assert!(metrics.contains("web_ui_changes_total{action=\"create\",result=\"done\"} 2\n"), "{metrics}");
    assert_eq!(gossip.made(), 2);
}

#[tokio::test]
async fn what_is_recorded_is_what_was_written() {
    // No other test has clusters of these names.
    let (log, here, nowhere) = (&*LOG, "recorded", "recorded-nowhere");
    let gossip = Gossip::start(1).await;
    let app = app(here, &gossip, &mut Registry::default());
    let desk = app.desk(User { name: None, ..User::program() }, app.snapshot());
    desk.make(&plan(here, &["check=disk"])).await;
    let made = &log.records(here, "create")[0];
    assert_eq!((&made["user"], &made["author"]), (&json!(""), &json!("ann")), "nobody signs in, ann is what was typed");
    // Of what somebody else makes of it nothing is known here.
    let ends = Timestamp::now() + SignedDuration::from_hours(5);
    gossip.change(|silence| silence["endsAt"] = json!(ends));
    let item = |cluster: &str| Item { cluster: cluster.into(), id: "s1".into(), updated: None };
    let hour = std::time::Duration::from_secs(3600);
    desk.act(&[item(here)], Act::ExtendBy(hour)).await;
    let extended = log.records(here, "extend");
    assert_eq!(extended[0]["ends"], json!(ends + SignedDuration::from_hours(1)));
    assert_eq!(extended[0]["matchers"], r#"check="disk""#);
    assert!(desk.edit(&item(nowhere), &plan(nowhere, &["check=disk"])).await.is_err());
    assert_eq!(
        log.records(nowhere, "edit")[0]["result"],
        "failed",
        "there is no such cluster, which is recorded as well"
    );
    let id = desk.edit(&item(here), &plan(here, &["check=load"])).await.unwrap();
    let edited = &log.records(here, "edit")[0];
    assert_eq!((id.as_str(), &edited["silence"], &edited["author"]), ("s3", &json!("s3"), &json!("ann")));
}

#[tokio::test]
async fn one_that_takes_no_change_is_told_one_only() {
    let (web_ui, gossip) = one().await;
    gossip.members[0].be(Mode::TakesNothing);
    let target = |instance: &str, check: &str| json!({"cluster": "tokyo", "labels": {"job": "checkscript", "instance": instance, "check": check}});
    let body = json!({
        "targets": [target("web-1", "disk"), target("web-2", "load"), target("web-3", "ntp")],
        "clusters": ["tokyo"], "duration": "2h", "comment": "c", "author": "ann",
    });
    let (status, made) = call(&web_ui, Method::POST, "/api/v1/silences", &body).await;
    assert_eq!((status, made["silences"].as_array().unwrap().len()), (StatusCode::CREATED, 3), "{made}");
    assert_eq!((gossip.members[0].told(), gossip.made()), (1, 3));
}

#[tokio::test]
async fn a_beginning_is_moved_as_long_as_it_has_not_come() {
    let (web_ui, gossip) = one().await;
    let (begins, later) =
        (Timestamp::now() + SignedDuration::from_hours(2), Timestamp::now() + SignedDuration::from_mins(125));
    let mut body = json!({
        "filter": "check=\"disk\"", "clusters": ["tokyo"], "begins": begins, "ends": begins + SignedDuration::from_hours(2),
        "comment": "c", "author": "ann",
    });
    assert_eq!(call(&web_ui, Method::POST, "/api/v1/silences", &body).await.0, StatusCode::CREATED);
    let path = "/api/v1/silences/tokyo/s1";
    let (status, told) = call(&web_ui, Method::PUT, path, &body).await;
    assert_eq!((status, &told["errors"][0]["field"]), (StatusCode::UNPROCESSABLE_ENTITY, &json!("clusters")), "{told}");
    body.as_object_mut().unwrap().remove("clusters");
    body["targets"] = json!([{"labels": {"check": "disk"}}]);
    let (status, told) = call(&web_ui, Method::PUT, path, &body).await;
    assert_eq!((status, &told["errors"][0]["field"]), (StatusCode::UNPROCESSABLE_ENTITY, &json!("targets")), "{told}");
    body.as_object_mut().unwrap().remove("targets");

    // The first does not take it, and that it is there as it was does not mean that it was moved.
    gossip.members[0].be(Mode::TakesNothing);
    body["begins"] = json!(later);
    assert_eq!(call(&web_ui, Method::PUT, path, &body).await.0, StatusCode::OK);
    assert_eq!((gossip.made(), &gossip.silences()[0]["startsAt"]), (2, &json!(later)));

    send(&web_ui, "/silences", GOOD).await;
    let (status, told) = call(&web_ui, Method::PUT, "/api/v1/silences/tokyo/s3", &body).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "it has begun");
    assert!(told["error"].as_str().unwrap().contains("its beginning cannot be moved"), "{told}");
    assert_eq!(gossip.made(), 3);
}

#[tokio::test]
async fn a_double_click_on_a_change_makes_it_once() {
    let (web_ui, gossip) = one().await;
    assert_eq!(send(&web_ui, "/silences", GOOD).await.status, StatusCode::SEE_OTHER);
    let form = async |id: &str, filter: &str, comment: &str| {
        let edit = web_ui.page(&format!("/silences/tokyo/{id}/edit")).await;
        let (item, ends) = (edit.attribute("input[name=edit]", "value"), edit.attribute("input[name=ends]", "value"));
        format!("do=create&edit={}&filter={filter}&ends={ends}&comment={comment}&author=ann", item.replace(':', "%3A"))
    };
    for (id, filter, comment, changed) in
        [("s1", "instance%3Dweb-1", "new+disk", "s2"), ("s2", "instance%3Dweb-1", "newer+disk", "s2")]
    {
        let (form, before) = (form(id, filter, comment).await, gossip.made());
        let (one, other) = tokio::join!(send(&web_ui, "/silences", &form), send(&web_ui, "/silences", &form));
        for page in [one, other] {
            assert_eq!(page.status, StatusCode::SEE_OTHER, "{comment}: {}", page.text);
            assert_eq!(location(&page), format!("/silences/tokyo/{changed}?done=changed"));
        }
        assert_eq!(gossip.made(), before + 1);
        // What differs from what there is now is in somebody's way still.
        let other = send(&web_ui, "/silences", &form.replace("disk", "fan")).await;
        assert_eq!((other.status, gossip.made()), (StatusCode::CONFLICT, before + 1));
    }
    let metrics = web_ui.page("/metrics").await.text;
    assert!(
        metrics.contains("web_ui_changes_total{action=\"edit\",result=\"done\"} 2\n"),
        "each is counted once: {metrics}"
    );
}

#[tokio::test]
async fn who_does_not_tell_its_version_is_told_of_no_opposites() {
    let (web_ui, gossip) = one().await;
    let negative = GOOD.replace("check%3D", "check!%3D");
    gossip.members[0].version("");
    assert_eq!(send(&web_ui, "/silences", &negative).await.status, StatusCode::SEE_OTHER);
    assert_eq!([0, 1].map(|index| gossip.members[index].told()), [0, 1]);
    gossip.members[1].version("");
    let page = send(&web_ui, "/silences", &negative.replace("disk", "load")).await;
    assert_eq!(page.status, StatusCode::BAD_GATEWAY);
    assert!(page.texts(".outcomes")[0].contains("no Alertmanager answers"), "{:?}", page.texts(".outcomes"));
    // What has none is understood by every version.
    assert_eq!(send(&web_ui, "/silences", GOOD).await.status, StatusCode::SEE_OTHER);
    assert_eq!([0, 1].map(|index| gossip.members[index].told()), [1, 1]);
}
