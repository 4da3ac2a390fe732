//! Each check has a time of its own.

use std::collections::BTreeMap;

use axum::http::Method;
use check_result::{CheckKey, CheckResult, HistoryLimits};
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use pushgateway_ex::groups::{CheckTtl, Expired, Fates, Groups, Limits, PUSH_CHECK_EXPIRED, Results, Term};
use pushgateway_ex::labels::{Key, Labels};
use pushgateway_ex::store::{Change, Store, Sync};
use serde_json::{Value, json};

use crate::process::Process;
use crate::world::{Gateway, answer, client, until};

/// A group and a check of it.
type Name = (u8, u8);

#[derive(Clone, Debug)]
enum Step {
    /// Checks with their own `ttl`; what the header says; PUT or POST.
    Push {
        group: u8,
        checks: BTreeMap<u8, Option<f64>>,
        header: Option<i64>,
        replace: bool,
    },
    Forget(Name),
    Delete(u8),
    /// Seconds go by, or the clock is set back.
    Pass(i64),
    Restart,
}

/// What a small model knows of a check: when its time is over and whether the check itself says so; whether it is marked.
#[derive(Clone, Debug, PartialEq)]
struct Known {
    end: Option<(i64, bool)>,
    marked: bool,
}

/// The model: all checks, side by side.
#[derive(Debug)]
struct Model {
    checks: BTreeMap<Name, Known>,
    fates: Fates,
    /// What the flag says, in seconds.
    flag: i64,
    now: i64,
}

impl Model {
    fn push(&mut self, group: u8, checks: &BTreeMap<u8, Option<f64>>, (header, replace): (Option<i64>, bool)) {
        if replace {
            self.checks.retain(|(known, _), _| *known != group);
        }
        for (check, ttl) in checks {
            let ttl = ttl.filter(|ttl| *ttl > 0.0 && self.fates.own != CheckTtl::Ignore);
            let end = match (header, ttl) {
                (None, Some(ttl)) => (ttl < 1e9).then(|| (self.now + ttl as i64, true)),
                (None, None) => Some((self.now + self.flag, false)).filter(|_| self.flag > 0),
                (Some(header), _) => Some((self.now + header, false)).filter(|_| header > 0),
            };
            self.checks.insert((group, *check), Known { end, marked: false });
        }
    }

    fn pass(&mut self, seconds: i64) {
        self.now += seconds;
        let (now, fates) = (self.now, self.fates);
        self.checks.retain(|_, known| {
            let over = known.end.filter(|(at, _)| *at <= now && !known.marked);
            let deleted = over.is_some_and(|(_, own)| match own {
                true => fates.own == CheckTtl::Delete,
                false => fates.pushed == Expired::Delete,
            });
            known.marked |= over.is_some();
            !deleted
        });
    }
}

fn at(second: i64) -> Timestamp {
    Timestamp::UNIX_EPOCH + SignedDuration::from_secs(second)
}

/// Even ones are a proxy client's.
fn key(check: u8) -> CheckKey {
    let source = check.is_multiple_of(2).then(|| format!("router-{check}"));
    CheckKey { check: format!("check-{}", check / 2), source }
}

fn labels(group: u8) -> Labels {
    Labels::new([("job".to_owned(), group.to_string())])
}

fn result(check: u8, ttl: Option<f64>) -> CheckResult {
    let CheckKey { check, source } = key(check);
    let check = json!({"name": check, "source": source, "ttl": ttl, "output": "", "status": 0});
    let given = check.as_object().unwrap().clone().into_iter().filter(|(_, value)| !value.is_null());
    CheckResult::new("client", given.collect()).unwrap()
}

fn empty() -> Groups {
    Groups::new(BTreeMap::new(), Limits { groups: 100, series: 1000 })
}

/// Which checks there are, and which are marked: by their states, and by their metrics.
fn shown(groups: &Groups) -> [BTreeMap<(Labels, CheckKey), bool>; 2] {
    let (mut states, mut series) = (BTreeMap::new(), BTreeMap::new());
    for group in groups.iter() {
        let labels = &group.key.labels;
        states.extend(group.checks.iter().map(|(key, check)| ((labels.clone(), key.clone()), check.is_over())));
        for (family, over) in [("checkscript_status", false), (PUSH_CHECK_EXPIRED, true)] {
            for metric in group.families.get(family).map(|block| block.metrics()).unwrap_or_default() {
                let label =
                    |name: &str| metric.labels.iter().find(|(own, _)| own == name).map(|(_, value)| value.clone());
                let key = CheckKey { check: label("check").unwrap(), source: label("source") };
                series.insert((labels.clone(), key), over);
            }
        }
    }
    [states, series]
}

fn step() -> impl Strategy<Value = Step> {
    let ttl =
        prop::sample::select(vec![None, None, Some(1.0), Some(3.0), Some(8.0), Some(-1.0), Some(0.0), Some(1e300)]);
    let checks = prop::collection::btree_map(0..4_u8, ttl, 1..4);
    let header = prop::sample::select(vec![None, None, None, Some(0), Some(2), Some(6)]);
    prop_oneof![
        6 => (0..3_u8, checks, header, any::<bool>())
            .prop_map(|(group, checks, header, replace)| Step::Push { group, checks, header, replace }),
        4 => (-3..6_i64).prop_map(Step::Pass),
        1 => (0..3_u8, 0..4_u8).prop_map(Step::Forget),
        1 => (0..3_u8).prop_map(Step::Delete),
        1 => Just(Step::Restart),
    ]
}

fn fates() -> impl Strategy<Value = Fates> {
    let pushed = prop::sample::select(vec![Expired::Delete, Expired::Mark]);
    let own = prop::sample::select(vec![CheckTtl::Mark, CheckTtl::Delete, CheckTtl::Ignore]);
    (pushed, own).prop_map(|(pushed, own)| Fates { pushed, own })
}

fn make(step: &Step, groups: &mut Groups, model: &mut Model) {
    match step {
        Step::Push { group, checks, header, replace } => {
            model.push(*group, checks, (*header, *replace));
            let term = Term {
                at: at(model.now),
                expires: Some(header.unwrap_or(model.flag)).filter(|ttl| *ttl > 0).map(|ttl| at(model.now + ttl)),
                own: header.is_none() && model.fates.own != CheckTtl::Ignore,
            };
            let results = checks.iter().map(|(check, ttl)| result(*check, *ttl)).collect();
            let pushed = Results { labels: labels(*group), results, replace: *replace, term };
            groups.results(pushed, &HistoryLimits::default()).unwrap();
        }
        Step::Forget((group, check)) => {
            let was = model.checks.remove(&(*group, *check)).is_some();
            assert_eq!(groups.forget(labels(*group), &key(*check)).unwrap(), was);
        }
        Step::Delete(group) => {
            model.checks.retain(|(known, _), _| known != group);
            groups.delete(&Key::checks(labels(*group)));
        }
        Step::Pass(seconds) => {
            model.pass(*seconds);
            let due = groups.expires_by(at(model.now));
            assert_eq!(!groups.expire(at(model.now), model.fates).is_empty(), due);
            assert!(!groups.expires_by(at(model.now)));
        }
        Step::Restart => {
            let folder = tempfile::tempdir().unwrap();
            let open = || Store::open(&folder.path().join("store"), Sync::Always).unwrap();
            let mut store = open().0;
            store.save(groups.iter().map(|group| Change::whole(group))).unwrap();
            store.close().unwrap();
            *groups = empty();
            groups.restore(open().1);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]
    #[test]
    fn what_is_there_and_marked_is_what_a_small_model_says(
        steps in prop::collection::vec(step(), 1..25),
        fates in fates(),
        flag in prop::sample::select(vec![0, 0, 4]),
    ) {
        let (mut groups, mut model) = (empty(), Model { checks: BTreeMap::new(), fates, flag, now: 0 });
        for step in steps {
            make(&step, &mut groups, &mut model);
            let known = model.checks.iter();
            let wanted: BTreeMap<_, _> =
                known.map(|((group, check), known)| ((labels(*group), key(*check)), known.marked)).collect();
            let [states, series] = shown(&groups);
            prop_assert_eq!(&states, &wanted, "{:?}", step);
            prop_assert_eq!(&series, &wanted, "{:?}", step);
            let families = groups.iter().flat_map(|group| group.families.iter().map(|block| block.series().len()));
            prop_assert_eq!(groups.series(), families.sum::<usize>());
        }
        model.pass(1_000);
        groups.expire(at(model.now), fates);
        prop_assert!(!groups.expires_by(Timestamp::MAX), "nothing is left to wait for");
        for group in 0..3 {
            groups.delete(&Key::checks(labels(group)));
        }
        prop_assert_eq!((groups.len(), groups.series()), (0, 0));
    }
}

fn check(name: &str, ttl: u32) -> Value {
    json!({"name": name, "ttl": ttl, "issued": 1, "executed": 1_795_228_248, "output": format!("{name} out"), "status": 2})
}

async fn put(base: &str, path: &str, header: Option<&str>, body: Value) -> (u16, String) {
    let request = client().post(format!("{base}{path}")).body(body.to_string());
    let request = header.into_iter().fold(request, |request, header| request.header("Pushgateway-TTL", header));
    answer(request.send().await.unwrap()).await
}

async fn get(base: &str, path: &str) -> String {
    answer(client().get(format!("{base}{path}")).send().await.unwrap()).await.1
}

async fn marks(base: &str) -> Vec<String> {
    let page = get(base, "/metrics").await;
    page.lines().filter(|line| line.starts_with("push_check_expired{")).map(str::to_owned).collect()
}

#[tokio::test]
async fn a_check_is_marked_after_its_own_ttl_also_by_a_process_that_was_killed() {
    let folder = tempfile::tempdir().unwrap();
    let file = format!("--persistence.file={}", folder.path().join("store").display());
    let process = Process::with(&[&file], "");
    let mut router = check("disk", 1);
    router["source"] = "router-a".into();
    let all = json!([check("disk", 1), router, check("load", 3600)]);
    let path = "/checks/job/a/instance/db-1";
    assert_eq!(put(&process.base, path, None, all).await.0, 200);
    drop(process);

    let process = Process::with(&[&file], "");
    let base = &process.base;
    // A push of another check does not help.
    assert_eq!(put(base, path, None, json!([check("load", 3600)])).await.0, 200);
    let own = r#"push_check_expired{check="disk",instance="db-1",job="a"} 1"#;
    let proxied = r#"push_check_expired{check="disk",instance="db-1",job="a",source="router-a"} 1"#;
    until(async || marks(base).await == [own, proxied]).await;
    assert!(get(base, "/metrics").await.contains(r#"checkscript_status{check="disk",instance="db-1",job="a"} 2"#));
    drop(process);

    let process = Process::with(&[&file], "");
    let base = &process.base;
    assert_eq!(marks(base).await, [own, proxied], "what was marked stays so");
    let json = async |path: &str| serde_json::from_str::<Value>(&get(base, path).await).unwrap();
    let (disk, load) = (json("/api/v1/checks/disk").await, json("/api/v1/checks/load").await);
    assert_eq!((&disk["expired"], &load["expired"]), (&json!(true), &json!(false)), "{disk} {load}");
    let time = |detail: &Value| detail["expires"].as_str().unwrap().parse::<Timestamp>().unwrap();
    assert!(time(&load) > time(&disk) + SignedDuration::from_mins(30));
    assert_eq!(json(path).await[0]["expired"], true);
    let groups = json("/api/v1/metrics").await;
    assert_eq!(groups["data"][0]["push_checks"][1]["source"], "router-a");
    assert_eq!(groups["data"][0]["push_checks"][2]["expires"], load["expires"]);
    let page = get(base, "/").await;
    assert!(page.contains("2 expired</span>") && page.contains("<span class=\"faint\">until 2"), "{page}");

    // The same run again: somebody who did not hear that it was taken.
    assert_eq!(put(base, path, None, json!([check("disk", 3600)])).await.0, 200);
    assert_eq!(marks(base).await, [proxied]);
    let disk = json("/api/v1/checks/disk").await;
    assert_eq!((&disk["expired"], &disk["occurrences"]), (&json!(false), &json!(1)));
}

#[tokio::test]
async fn the_header_comes_before_the_ttl_of_a_check_and_that_before_the_flag() {
    let gateway = Gateway::start(&["--push.check-ttl=delete", "--push.ttl=1h", "--push.expired=mark"]);
    let base = &gateway.base;
    for (path, header, body) in [
        ("/checks/job/header", Some("1ms"), json!([check("disk", 3600), check("load", 3600)])),
        ("/checks/job/ever", Some("0s"), json!([check("disk", 1)])),
        ("/checks/job/own", None, json!([check("disk", 1), check("load", 7200)])),
        ("/checks/job/last", None, json!([check("disk", 1)])),
        ("/checks/job/flag", None, json!([check("disk", 0)])),
    ] {
        assert_eq!(put(base, path, header, body).await, (200, String::new()), "{path}");
    }
    let mark = |check: &str| format!(r#"push_check_expired{{check="{check}",instance="",job="header"}} 1"#);
    let all = async || {
        let all: Value = serde_json::from_str(&gateway.get("/api/v1/checks").await).unwrap();
        let label = |check: &Value, name: &str| check["labels"][name].as_str().unwrap().to_owned();
        let all = all.as_array().unwrap().iter();
        all.map(|check| (label(check, "job"), label(check, "check"), check.clone())).collect::<Vec<_>>()
    };
    until(async || marks(base).await == [mark("disk"), mark("load")] && all().await.len() == 5).await;
    let left = all().await;
    let names: Vec<_> = left.iter().map(|(job, check, _)| (job.as_str(), check.as_str())).collect();
    assert_eq!(names, [("ever", "disk"), ("flag", "disk"), ("header", "disk"), ("header", "load"), ("own", "load")]);
    assert!(left[0].2.get("expires").is_none() && left[1].2["expires"].is_string(), "{left:?}");
    let page = gateway.get("/metrics").await;
    assert!(!page.contains(r#"check="disk",instance="",job="own""#), "metrics and detail go together");
    assert!(!page.contains(r#"job="last""#), "the group goes with its last check");

    let taken = "# TYPE push_check_expired counter\npush_check_expired 7\nm 1\n";
    assert_eq!(
        gateway.put("/metrics/job/b", taken).await.0,
        200,
        "the name is the gateway's own, as that of push_time_seconds"
    );
    assert_eq!(marks(base).await.len(), 2);
    assert_eq!(put(base, "/checks/job/a", Some("soon"), json!([check("disk", 1)])).await.0, 400);
    assert_eq!(gateway.send(Method::DELETE, "/checks/job/header?check=disk", "").await.0, 202);
    assert_eq!(marks(base).await, [mark("load")], "the deletion of one does not renew the other");
    gateway.stopped().await;
}

#[tokio::test]
async fn without_a_word_of_the_ttl_the_flag_counts() {
    let gateway = Gateway::start(&["--push.check-ttl=ignore", "--push.ttl=1s"]);
    assert_eq!(put(&gateway.base, "/checks/job/a", None, json!([check("disk", 3600)])).await.0, 200);
    until(async || gateway.get("/api/v1/checks").await == "[]").await;
    assert_eq!(gateway.pushed().await, [""; 0]);
    gateway.stopped().await;
}
