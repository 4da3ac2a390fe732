//! What a client is told by one gateway holds at all of them.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::http::Method;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::redis::Redis;
use crate::process::Process;
use crate::world::{Gateway, client};

fn replicas(redis: &Redis, count: usize) -> Vec<Arc<Gateway>> {
    (0..count).map(|_| Arc::new(Gateway::start(&[&redis.flag()]))).collect()
}

async fn stop(replicas: Vec<Arc<Gateway>>) {
    for replica in replicas {
        Arc::into_inner(replica).unwrap().stopped().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_push_to_one_is_seen_at_once_at_the_other_and_outlives_both() {
    let redis = Redis::start(&[]);
    let gateways = replicas(&redis, 2);
    for round in 0..20 {
        let (one, other) = (&gateways[round % 2], &gateways[(round + 1) % 2]);
        assert_eq!(one.put("/metrics/job/a", format!("m {round}\n")).await, (200, String::new()));
        assert_eq!(other.pushed().await, [format!("m{{instance=\"\",job=\"a\"}} {round}")]);
        assert!(other.get("/api/v1/metrics").await.contains(&format!(r#""value":"{round}""#)));
        assert!(other.get("/").await.contains(&format!("job=&#34;a&#34;}} {round}")));
    }
    let result = json!({"name": "disk", "issued": 1, "executed": 2, "output": "DISK OK", "status": 0});
    for gateway in &gateways {
        assert_eq!(gateway.put("/checks/job/a", result.to_string()).await.0, 200);
        let detail: Value = serde_json::from_str(&gateway.get("/api/v1/checks/disk").await).unwrap();
        assert_eq!(detail["occurrences"], 1, "one run counts once, wherever it is pushed");
    }
    stop(gateways).await;
    let gateways = replicas(&redis, 1);
    let pushed = gateways[0].pushed().await;
    assert!(pushed.contains(&r#"m{instance="",job="a"} 19"#.to_owned()), "{pushed:?}");
    assert_eq!(gateways[0].send(Method::DELETE, "/metrics/job/a", "").await.0, 202);
    assert_eq!(gateways[0].send(Method::DELETE, "/checks/job/a", "").await.0, 202);
    assert_eq!(gateways[0].pushed().await, [""; 0]);
    stop(gateways).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn families_that_are_added_to_a_group_at_once_are_all_there() {
    let redis = Redis::start(&[]);
    let gateways = replicas(&redis, 3);
    let mut pushing = JoinSet::new();
    for (number, gateway) in gateways.iter().enumerate() {
        for family in 0..20 {
            let gateway = Arc::clone(gateway);
            pushing.spawn(async move {
                let body = format!("m_{number}_{family} 1\n");
                assert_eq!(gateway.send(Method::POST, "/metrics/job/a", body).await, (200, String::new()));
            });
        }
    }
    pushing.join_all().await;
    for gateway in &gateways {
        assert_eq!(gateway.pushed().await.len(), 60);
    }
    stop(gateways).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_types_that_contradict_each_other_exactly_one_is_taken() {
    let redis = Redis::start(&[]);
    let gateways = replicas(&redis, 3);
    for round in 0..15 {
        let mut pushing = JoinSet::new();
        for (gateway, kind) in gateways.iter().zip(["counter", "gauge", "untyped"]) {
            let gateway = Arc::clone(gateway);
            pushing.spawn(async move {
                let path = format!("/metrics/job/{kind}/round/{round}");
                gateway.put(&path, format!("# TYPE m_{round} {kind}\nm_{round} 1\n")).await.0
            });
        }
        let mut told = pushing.join_all().await;
        told.sort_unstable();
        assert_eq!(told, [200, 400, 400], "round {round}");
    }
    let pages: BTreeSet<_> =
        [gateways[0].pushed().await, gateways[1].pushed().await, gateways[2].pushed().await].into();
    assert_eq!(pages.len(), 1);
    assert_eq!(pages.first().unwrap().len(), 15);
    stop(gateways).await;
}

/// Rounds of changes of the same group at all gateways at once. Whatever their order was, everybody sees the same after each, it is what
/// one of them made, and who was told sees that or what came with it.
#[tokio::test(flavor = "multi_thread")]
async fn changes_of_a_group_have_one_order() {
    let redis = Redis::start(&[]);
    let gateways = replicas(&redis, 3);
    let mut groups = JoinSet::new();
    for group in 0..6 {
        let gateways = gateways.clone();
        groups.spawn(async move {
            for round in 0..12 {
                one_round(&gateways, group, round).await;
            }
        });
    }
    groups.join_all().await;
    stop(gateways).await;
}

async fn one_round(gateways: &[Arc<Gateway>], group: usize, round: usize) {
    let path = format!("/metrics/job/a/group/{group}");
    let value = |number: usize| round * 10 + number;
    // In each round another gateway deletes, or none.
    let deletes = |number: usize| (group + round) % 4 == number;
    let of_round = |seen: &Option<usize>| match seen {
        Some(seen) => (0..3).any(|number| !deletes(number) && value(number) == *seen),
        None => (0..3).any(deletes),
    };
    let mut changing = JoinSet::new();
    for (number, gateway) in gateways.iter().enumerate() {
        let (gateway, path, deletes) = (Arc::clone(gateway), path.clone(), deletes(number));
        let body = format!("m {}\n", value(number));
        changing.spawn(async move {
            let told =
                if deletes { gateway.send(Method::DELETE, &path, "").await } else { gateway.put(&path, body).await };
            assert_eq!(told.0, if deletes { 202 } else { 200 }, "{}", told.1);
            seen(&gateway, group).await
        });
    }
    for seen in changing.join_all().await {
        assert!(of_round(&seen), "group {group}, round {round}: {seen:?}");
    }
    let first = seen(&gateways[0], group).await;
    assert!(of_round(&first), "group {group}, round {round}: {first:?}");
    for gateway in gateways {
        assert_eq!(seen(gateway, group).await, first, "group {group}, round {round}");
    }
}

async fn seen(gateway: &Gateway, group: usize) -> Option<usize> {
    let start = format!("m{{group=\"{group}\",instance=\"\",job=\"a\"}} ");
    let page = gateway.pushed().await;
    page.iter().find_map(|line| line.strip_prefix(&start)).map(|value| value.parse().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_acknowledged_before_it_was_killed_is_at_the_other() {
    let redis = Redis::start(&[]);
    let other = Gateway::start(&[&redis.flag()]);
    let process = Arc::new(std::sync::Mutex::new(Some(Process::run(&redis.flag(), ""))));
    let base = process.lock().unwrap().as_ref().unwrap().base.clone();
    let mut pushing = JoinSet::new();
    for writer in 0..4 {
        let (base, process, client) = (base.clone(), Arc::clone(&process), client());
        pushing.spawn(async move {
            let mut told = 0;
            for push in 1..1000 {
                let url = format!("{base}/metrics/job/a/group/{writer}");
                match client.put(url).body(format!("m {push}\n")).send().await {
                    Ok(response) if response.status() == 200 => told = push,
                    _ => break,
                }
                // In the middle of everybody's pushes.
                if writer == 0 && push == 25 {
                    drop(process.lock().unwrap().take());
                }
            }
            (writer, told)
        });
    }
    for (writer, told) in pushing.join_all().await {
        // The next one, on its way when the process was killed, may have been taken.
        let seen = seen(&other, writer).await.unwrap_or(0);
        assert!(seen == told || seen == told + 1, "writer {writer}: {told} acknowledged, {seen} seen");
        assert!(writer != 0 || told == 25);
    }
    other.stopped().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_whose_time_is_over_is_deleted_once() {
    let redis = Redis::start(&[]);
    let gateways: Vec<_> = (0..3).map(|_| Arc::new(Gateway::start(&[&redis.flag(), "--push.ttl=1s"]))).collect();
    assert_eq!(gateways[0].put("/metrics/job/a", "m 1\n").await.0, 200);
    for gateway in &gateways {
        while !gateway.pushed().await.is_empty() {
            tokio::task::yield_now().await;
        }
    }
    let revision: u64 =
        redis::cmd("HGET").arg("{pushgateway-ex}:state").arg("revision").query(&mut redis.client()).unwrap();
    assert_eq!(revision, 2, "the push and its end");
    stop(gateways).await;
}
