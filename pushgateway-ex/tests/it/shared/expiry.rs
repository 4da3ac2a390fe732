//! The time of a check ends once for all gateways, and not for one that another renewed.

use std::collections::BTreeMap;
use std::thread::JoinHandle;
use std::time::Duration;

use check_result::{CheckResult, HistoryLimits};
use jiff::{SignedDuration, Timestamp};
use prometheus_client::registry::Registry;
use pushgateway_ex::events::Events;
use pushgateway_ex::events::shared::SharedEvents;
use pushgateway_ex::groups::{CheckTtl, Expired, Fates, Groups, Limits, Results, Term};
use pushgateway_ex::keeper::{Change, Keeper};
use pushgateway_ex::labels::{Key, Labels};
use pushgateway_ex::store::shared::{Access, Address, Login, Shared};
use serde_json::json;

use super::redis::Redis;
use crate::world::{Gateway, until};

/// A replica to which nobody looks whether something is over.
fn keeper(redis: &Redis) -> (Keeper, JoinHandle<()>) {
    let address = Address::parse(&redis.url()).unwrap();
    let sentinel = Login::default();
    let access = Access { address, password_file: None, sentinel, tls: None, timeout: Duration::from_secs(60) };
    let registry = &mut Registry::default();
    let events = (Events::new(registry), SharedEvents::new(registry));
    let groups = Groups::new(BTreeMap::new(), Limits { groups: 100, series: 100 });
    Keeper::share(groups, Shared::new(access, "pushgateway-ex"), events).unwrap()
}

fn at(second: i64) -> Timestamp {
    Timestamp::UNIX_EPOCH + SignedDuration::from_secs(second)
}

fn labels() -> Labels {
    Labels::new([("job".to_owned(), "a".to_owned())])
}

fn push(names: &[&str], second: i64) -> Change {
    let result = |name: &&str| {
        let check = json!({"name": name, "ttl": 10, "output": "", "status": 0});
        CheckResult::new("client", check.as_object().unwrap().clone()).unwrap()
    };
    let term = Term { at: at(second), expires: None, own: true };
    let results = names.iter().map(result).collect();
    Change::Results(Results { labels: labels(), results, replace: false, term }, HistoryLimits::default())
}

fn known(groups: &Groups) -> Vec<(String, bool)> {
    let group = groups.get(&Key::checks(labels())).unwrap();
    group.checks.iter().map(|(key, check)| (key.check.clone(), check.is_over())).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_renewed_does_not_expire_at_another_that_has_not_heard_of_it() {
    let redis = Redis::start(&[]);
    for (own, left) in
        [(CheckTtl::Delete, &[("load", false)][..]), (CheckTtl::Mark, &[("disk", true), ("load", false)])]
    {
        let ((one, thread), (other, other_thread)) = (keeper(&redis), keeper(&redis));
        one.change(push(&["disk", "load"], 0)).await.unwrap();
        assert_eq!(known(&other.current().await.unwrap()).len(), 2);
        one.change(push(&["load"], 5)).await.unwrap();
        // By what this one knows both are over.
        assert!(other.groups().expires_by(at(12)));
        let fates = Fates { pushed: Expired::Delete, own };
        other.change(Change::Expire(at(12), fates)).await.unwrap();
        for keeper in [&one, &other] {
            let left: Vec<_> = left.iter().map(|(name, over)| ((*name).to_owned(), *over)).collect();
            assert_eq!(known(&keeper.current().await.unwrap()), left);
        }
        drop((one, other));
        thread.join().unwrap();
        other_thread.join().unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mark_is_seen_at_every_gateway_and_goes_with_a_push_to_any() {
    let redis = Redis::start(&[]);
    let gateways = [Gateway::start(&[&redis.flag()]), Gateway::start(&[&redis.flag()])];
    let disk = |ttl: u32| json!({"name": "disk", "ttl": ttl, "output": "", "status": 0}).to_string();
    assert_eq!(gateways[0].put("/checks/job/a", disk(1)).await.0, 200);
    let mark = "push_check_expired{check=\"disk\",instance=\"\",job=\"a\"} 1\n";
    for gateway in &gateways {
        until(async || gateway.get("/metrics").await.contains(mark)).await;
    }
    let revision: u64 =
        redis::cmd("HGET").arg("{pushgateway-ex}:state").arg("revision").query(&mut redis.client()).unwrap();
    assert_eq!(revision, 2, "the push and its end");
    assert_eq!(gateways[1].put("/checks/job/a", disk(3600)).await.0, 200);
    for gateway in &gateways {
        assert!(!gateway.get("/metrics").await.contains(mark));
    }
    for gateway in gateways {
        gateway.stopped().await;
    }
}
