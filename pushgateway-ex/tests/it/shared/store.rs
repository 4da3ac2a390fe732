//! What the store says to who does not know it.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::http::Method;
use jiff::Timestamp;
use pushgateway_ex::groups::Group;
use pushgateway_ex::labels::{Key, Labels};
use pushgateway_ex::store::shared::{Access, Address, Login, Seen, Shared, Version, Write, encode, field};
use serde_json::Value;

use super::redis::Redis;
use crate::world::{Gateway, older_groups};

fn store(redis: &Redis) -> Shared {
    let address = Address::parse(&redis.url()).unwrap();
    let sentinel = Login::default();
    let access = Access { address, password_file: None, sentinel, tls: None, timeout: Duration::from_secs(60) };
    Shared::new(access, "pushgateway-ex")
}

fn key(number: usize) -> Key {
    Key::metrics(Labels::new([("job".to_owned(), format!("{number:05}"))]))
}

fn put(id: &str, numbers: impl IntoIterator<Item = usize>) -> Write {
    let group = |number| Group { pushed: Some(Timestamp::UNIX_EPOCH), ..Group::new(key(number)) };
    let records = numbers.into_iter().map(|number| (field(&key(number)), encode(&group(number))));
    Write { id: id.to_owned(), records: records.collect(), ..Write::default() }
}

fn made(store: &mut Shared, at: &Version, write: &Write) -> Version {
    match store.sync(at, write).unwrap() {
        Seen::Current { at, .. } => at,
        other => panic!("{other:?}"),
    }
}

#[test]
fn who_knows_an_old_version_learns_what_changed_and_changes_nothing() {
    let redis = Redis::start(&[]);
    let (mut one, mut other) = (store(&redis), store(&redis));
    let start = Version::default();
    let first = made(&mut one, &start, &put("one-1", [1, 2]));
    let records = BTreeMap::from([(field(&key(1)), Vec::new())]);
    let gone = Write { id: "one-2".to_owned(), records, ..Write::default() };
    let second = made(&mut one, &first, &gone);
    for (known, ids) in [(&start, &["one-1", "one-2"][..]), (&first, &["one-2"])] {
        let Seen::Changed(delta) = other.sync(known, &put("other-1", [3])).unwrap() else { panic!("it is old") };
        assert_eq!(
            (&delta.at, &delta.ids[..]),
            (&second, &ids.iter().map(|id| (*id).to_owned()).collect::<Vec<_>>()[..])
        );
        assert!(delta.groups[&field(&key(1))].is_none());
        assert_eq!(delta.groups.contains_key(&field(&key(2))), known == &start);
    }
    let (at, groups) = other.load().unwrap();
    assert_eq!((at, groups.len()), (second, 1));
}

#[test]
fn who_knows_another_history_or_one_that_is_forgotten_is_told() {
    let redis = Redis::start(&[]);
    let mut store = store(&redis);
    let mut at = Version::default();
    for number in 0..5 {
        at = made(&mut store, &at, &put(&format!("id-{number}"), [number]));
    }
    let told = |store: &mut Shared, revision: u64, id: &str| {
        let known = Version { revision, id: id.to_owned() };
        match store.sync(&known, &put("id-x", [7])).unwrap() {
            Seen::Forgotten { other } => Some(other),
            _ => None,
        }
    };
    assert_eq!(told(&mut store, 3, "id-x"), Some(true), "another change made revision 3");
    assert_eq!(told(&mut store, 5, "id-x"), Some(true));
    assert_eq!(told(&mut store, 9, "id-8"), Some(true), "the store went back");
    let _: () =
        redis::cmd("XTRIM").arg(&["{pushgateway-ex}:changes", "MAXLEN", "2"]).query(&mut redis.client()).unwrap();
    assert_eq!(told(&mut store, 0, ""), Some(false));
    assert_eq!(told(&mut store, 2, "id-1"), Some(false));
    assert_eq!(told(&mut store, 4, "id-3"), None, "the store remembers what came then");
    assert_eq!(store.load().unwrap().1.len(), 5);
}

#[test]
fn who_came_too_late_has_the_next_turn() {
    let redis = Redis::start(&[]);
    let (mut one, mut other) = (store(&redis), store(&redis));
    let until = |until: u64| {
        let set = ["{pushgateway-ex}:state".to_owned(), "until".to_owned(), until.to_string()];
        redis::cmd("HSET").arg(&set).query::<()>(&mut redis.client()).unwrap();
    };
    let first = made(&mut one, &Version::default(), &put("one-1", [1]));
    assert!(matches!(other.sync(&Version::default(), &put("other-1", [2])).unwrap(), Seen::Changed(_)));
    until(u64::MAX >> 12);
    assert!(matches!(one.sync(&first, &put("one-2", [1])).unwrap(), Seen::Wait));
    assert!(matches!(one.sync(&first, &Write::default()).unwrap(), Seen::Current { .. }), "to read is always possible");
    let second = made(&mut other, &first, &put("other-1", [2]));
    assert!(matches!(one.sync(&first, &put("one-2", [1])).unwrap(), Seen::Changed(_)));
    until(u64::MAX >> 12);
    // Nothing is left to change, now that the other's change is known.
    assert!(matches!(
        one.sync(&second, &Write { id: "one-2".to_owned(), ..Write::default() }).unwrap(),
        Seen::Current { .. }
    ));
    let third = made(&mut other, &second, &put("other-2", [2]));
    assert!(matches!(one.sync(&second, &put("one-3", [1])).unwrap(), Seen::Changed(_)));
    until(1);
    made(&mut other, &third, &put("other-3", [2]));
}

#[test]
fn many_changes_come_in_pages_and_one_of_too_many_groups_is_not_told() {
    let redis = Redis::start(&[]);
    let (mut one, mut other) = (store(&redis), store(&redis));
    let start = Version::default();
    let mut at = start.clone();
    for part in 0..5 {
        at = made(&mut one, &at, &put(&format!("id-{part}"), part * 1500..(part + 1) * 1500));
    }
    let Seen::Changed(delta) = other.sync(&start, &Write::default()).unwrap() else { panic!("it is old") };
    assert_eq!((delta.groups.len(), delta.ids.len(), &delta.at), (7500, 5, &at));
    let (loaded, groups) = other.load().unwrap();
    assert_eq!((groups.len(), &loaded), (7500, &at));

    let all = made(&mut one, &at, &put("id-all", 0..2500));
    assert!(matches!(other.sync(&at, &Write::default()).unwrap(), Seen::Forgotten { other: false }));
    assert!(matches!(other.sync(&all, &Write::default()).unwrap(), Seen::Current { groups: 7500, .. }));
    let none = made(&mut one, &all, &Write { wipe: true, ..put("id-wipe", [1]) });
    assert!(matches!(other.sync(&all, &Write::default()).unwrap(), Seen::Forgotten { other: false }));
    assert!(matches!(other.sync(&none, &Write::default()).unwrap(), Seen::Current { groups: 1, .. }));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_that_a_newer_version_wrote_is_left_alone_until_it_is_deleted() {
    let redis = Redis::start(&[]);
    let gateway = Gateway::start(&[&redis.flag(), "--web.enable-admin-api"]);
    assert_eq!(gateway.put("/metrics/job/00001", "m 1\n").await.0, 200);
    let (mut store, name) = (store(&redis), field(&key(2)));
    let (at, _) = store.load().unwrap();
    let newer = [b"\x09", &encode(&Group::new(key(2)))[1..]].concat();
    let records = BTreeMap::from([(name.clone(), newer.clone())]);
    made(&mut store, &at, &Write { id: "newer".to_owned(), records: records.clone(), ..Write::default() });

    for method in [Method::PUT, Method::POST] {
        let (status, words) = gateway.send(method, "/metrics/job/00002", "m 1\n").await;
        assert_eq!(status, 503);
        assert!(words.contains("{job=\"00002\"}") && words.contains("format 9"), "{words}");
    }
    assert_eq!(gateway.put("/metrics/job/00003", "m 1\n").await.0, 200);
    let page = gateway.get("/metrics").await;
    assert!(page.contains("pushgateway_store_unreadable_groups 1\n"));
    assert!(page.contains("{reason=\"lost\"} 0\n"), "it is counted");
    let kept: Option<Vec<u8>> =
        redis::cmd("HGET").arg("{pushgateway-ex}:groups").arg(&name).query(&mut redis.client()).unwrap();
    assert_eq!(kept, Some(newer), "its bytes are as they were");

    assert_eq!(gateway.send(Method::DELETE, "/metrics/job/00002", "").await.0, 202);
    assert_eq!(gateway.put("/metrics/job/00002", "m 1\n").await.0, 200);
    assert!(gateway.get("/metrics").await.contains("pushgateway_store_unreadable_groups 0\n"));

    let (at, groups) = store.load().unwrap();
    assert_eq!(groups.len(), 3);
    made(&mut store, &at, &Write { id: "newer-2".to_owned(), records, ..Write::default() });
    assert_eq!(gateway.put("/api/v1/admin/wipe", "").await.0, 202);
    assert_eq!(store.load().unwrap().1.len(), 0, "everything is everything");
    assert!(gateway.get("/metrics").await.contains("pushgateway_store_unreadable_groups 0\n"));
    gateway.stopped().await;
}

/// What an older version took, while replicas of it stand beside this one.
#[tokio::test(flavor = "multi_thread")]
async fn a_result_of_very_many_values_is_left_out_of_its_group_until_that_is_written_again() {
    let redis = Redis::start(&[]);
    let groups = older_groups(&[("a", &["kept", "many"][..]), ("b", &["many"])]);
    let records = || groups.iter().map(|group| (field(&group.key), encode(group))).collect();
    let mut older = store(&redis);
    let at = made(
        &mut older,
        &Version::default(),
        &Write { id: "older-1".to_owned(), records: records(), ..Write::default() },
    );
    let gateway = Gateway::start(&[&redis.flag()]);
    let counted = async |left_out: usize| {
        let page = gateway.get("/metrics").await;
        for line in [
            "pushgateway_store_unreadable_groups 0".to_owned(),
            "pushgateway_store_loads_total{reason=\"lost\"} 0".to_owned(),
            "pushgateway_groups 2".to_owned(),
            format!("pushgateway_store_results_left_out_total {left_out}"),
        ] {
            assert!(page.lines().any(|own| own == line), "{line}\n{page}");
        }
    };
    counted(2).await;
    made(&mut older, &at, &Write { id: "older-2".to_owned(), records: records(), ..Write::default() });
    counted(2).await;
    let names = async || {
        let checks: Value = serde_json::from_str(&gateway.get("/api/v1/checks").await).unwrap();
        let names =
            checks.as_array().unwrap().iter().map(|check| check["labels"]["check"].as_str().unwrap().to_owned());
        names.collect::<Vec<_>>()
    };
    assert_eq!(names().await, ["kept"]);

    for job in ["a", "b"] {
        let result = r#"{"name":"new","output":"","status":0}"#;
        let answer = gateway.send(Method::POST, &format!("/checks/job/{job}"), result).await;
        assert_eq!(answer, (200, String::new()));
    }
    assert_eq!(names().await, ["kept", "new", "new"]);
    let (at, kept) = older.load().unwrap();
    assert_eq!(kept.into_values().map(|kept| kept.unwrap().left_out).collect::<Vec<_>>(), [0, 0], "they are written");
    made(&mut older, &at, &Write { id: "older-3".to_owned(), records: records(), ..Write::default() });
    counted(4).await;
    gateway.stopped().await;
}
