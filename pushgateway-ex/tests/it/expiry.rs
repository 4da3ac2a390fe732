//! Groups that are not pushed again within their time.

use std::collections::BTreeMap;

use axum::http::Method;
use jiff::{SignedDuration, Timestamp};
use pushgateway_ex::groups::{CheckTtl, Expired, Families, Fates, Groups, Limits, PUSH_EXPIRED, Push};
use pushgateway_ex::labels::{Key, Labels};

use crate::world::{Gateway, answer, client, until};

fn at(second: i64) -> Timestamp {
    Timestamp::UNIX_EPOCH + SignedDuration::from_secs(second)
}

fn pushed(groups: &mut Groups, job: &str, second: i64, expires: Option<i64>) -> Key {
    let key = Key::metrics(Labels::new([("job".to_owned(), job.to_owned())]));
    let families = Families::default();
    groups.push(Push { key: key.clone(), families, replace: false, at: at(second), expires: expires.map(at) }).unwrap();
    key
}

#[test]
fn the_last_push_says_when_the_time_is_over() {
    for how in [Expired::Delete, Expired::Mark] {
        let fates = Fates { pushed: how, own: CheckTtl::Mark };
        let mut groups = Groups::new(BTreeMap::new(), Limits { groups: 10, series: 10 });
        let (short, longer) = (pushed(&mut groups, "short", 0, Some(10)), pushed(&mut groups, "longer", 0, Some(10)));
        let ever = pushed(&mut groups, "ever", 0, Some(10));
        pushed(&mut groups, "longer", 5, Some(15));
        pushed(&mut groups, "ever", 5, None);
        assert!(!groups.expires_by(at(9)) && groups.expires_by(at(10)));
        assert_eq!(groups.expire(at(14), fates), std::slice::from_ref(&short));
        assert_eq!(groups.get(&short).is_some(), how == Expired::Mark);
        assert_eq!(groups.expire(at(15), fates), [longer]);
        assert!(!groups.expires_by(at(1_000_000)), "once is enough");
        assert!(groups.get(&ever).is_some_and(|group| !group.expired));
        if how == Expired::Mark {
            assert!(groups.get(&short).unwrap().families.get(PUSH_EXPIRED).is_some());
            pushed(&mut groups, "short", 20, Some(30));
            assert!(groups.get(&short).unwrap().families.get(PUSH_EXPIRED).is_none(), "it lives again");
            assert!(groups.delete(&short) && !groups.expires_by(at(30)));
        }
    }
}

#[test]
fn what_is_over_at_once_goes_in_parts_that_keep_nobody_waiting() {
    let fates = Fates { pushed: Expired::Mark, own: CheckTtl::Mark };
    let mut groups = Groups::new(BTreeMap::new(), Limits { groups: 2_000, series: 10 });
    for job in 0..1_200 {
        pushed(&mut groups, &job.to_string(), 0, Some(10));
    }
    let parts: Vec<_> =
        std::iter::from_fn(|| groups.expires_by(at(10)).then(|| groups.expire(at(10), fates).len())).collect();
    assert!(parts.len() > 1 && parts.iter().sum::<usize>() == 1_200, "{parts:?}");
    assert!(groups.iter().all(|group| group.expired));
}

async fn put(gateway: &Gateway, path: &str, ttl: &str, body: &'static str) -> (u16, String) {
    let request = client().request(Method::PUT, format!("{}{path}", gateway.base));
    answer(request.header("Pushgateway-TTL", ttl).body(body).send().await.unwrap()).await
}

#[tokio::test]
async fn a_group_goes_with_its_time_also_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let file = format!("--persistence.file={}", folder.path().join("store").display());
    let gateway = Gateway::start(&[&file, "--push.ttl=1ms"]);
    assert_eq!(put(&gateway, "/metrics/job/stays", "0s", "m 1\n").await.0, 200);
    assert_eq!(put(&gateway, "/metrics/job/goes", "1s", "m 1\n").await.0, 200);
    let disk = r#"{"name":"disk","output":"OK","status":0}"#;
    assert_eq!(put(&gateway, "/checks/job/goes", "1s", disk).await.0, 200);
    let bad = put(&gateway, "/metrics/job/bad", "soon", "m 1\n").await;
    assert!(bad.0 == 400 && bad.1.starts_with("header pushgateway-ttl: not a duration"), "{bad:?}");
    gateway.stopped().await;

    let gateway = Gateway::start(&[&file, "--push.ttl=1ms"]);
    assert_eq!(gateway.put("/metrics/job/default", "m 1\n").await.0, 200);
    until(async || gateway.pushed().await == [r#"m{instance="",job="stays"} 1"#]).await;
    assert_eq!(gateway.get("/api/v1/checks").await, "[]");
    gateway.stopped().await;
}

#[tokio::test]
async fn check_results_whose_time_is_over_are_marked_until_they_are_pushed_again() {
    let folder = tempfile::tempdir().unwrap();
    let file = format!("--persistence.file={}", folder.path().join("store").display());
    let flags = [&*file, "--push.expired=mark"];
    let gateway = Gateway::start(&flags);
    let disk = r#"{"name":"disk","output":"full","status":2}"#;
    // Metrics of the same grouping key have a time of their own.
    assert_eq!(put(&gateway, "/metrics/job/a", "1s", "m 1\n").await.0, 200);
    assert_eq!(put(&gateway, "/checks/job/a", "1s", disk).await.0, 200);
    let marks = [r#"push_check_expired{check="disk",instance="",job="a"} 1"#, r#"push_expired{instance="",job="a"} 1"#];
    let marked = async |gateway: &Gateway| {
        let page = gateway.get("/metrics").await;
        marks.map(|mark| page.lines().any(|line| line == mark))
    };
    until(async || marked(&gateway).await == [true, true]).await;
    gateway.stopped().await;
    let gateway = Gateway::start(&flags);
    assert_eq!(marked(&gateway).await, [true, true], "also after a restart");
    assert!(gateway.get("/api/v1/checks/disk").await.contains("full"), "the detail stays");
    assert_eq!(put(&gateway, "/checks/job/a", "1h", disk).await.0, 200);
    assert_eq!(marked(&gateway).await, [false, true]);
    assert_eq!(gateway.send(Method::DELETE, "/checks/job/a", "").await.0, 202);
    gateway.stopped().await;
}
