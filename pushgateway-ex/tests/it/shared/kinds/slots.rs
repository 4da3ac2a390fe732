//! A cluster of real servers, whose slots move.

use std::collections::BTreeSet;

use redis::Connection;

use super::takes_pushes;
use crate::shared::redis::Redis;
use crate::world::Gateway;

const KEYS: [&str; 3] = ["{pushgateway-ex}:groups", "{pushgateway-ex}:state", "{pushgateway-ex}:changes"];

/// A node and its name.
struct Node {
    redis: Redis,
    client: Connection,
    id: String,
}

// === impl Node ===

impl Node {
    fn start() -> Self {
        // Else who gives its last slot away becomes a replica.
        let redis = Redis::start(&["--cluster-enabled", "yes", "--cluster-allow-replica-migration", "no"]);
        let mut client = redis.client();
        let id = redis::cmd("CLUSTER").arg("MYID").query(&mut client).unwrap();
        Self { redis, client, id }
    }

    fn ask<T: redis::FromRedisValue>(&mut self, words: &str) -> T {
        let mut words = words.split(' ');
        let mut command = redis::cmd(words.next().unwrap());
        command.arg(words.collect::<Vec<_>>());
        command.query(&mut self.client).unwrap()
    }

    fn flag(&self) -> String {
        format!("--storage=redis+cluster://127.0.0.1:{}", self.redis.port)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_keeps_everything_in_one_slot() {
    let redis = Redis::start(&["--cluster-enabled", "yes"]);
    let gateway = Gateway::start(&[&format!("--storage=redis+cluster://127.0.0.1:{}", redis.port)]);
    assert_eq!(gateway.put("/metrics/job/a", "m 1\n").await.0, 503, "nobody has its slot");
    let _: () = redis::cmd("CLUSTER").arg(&["ADDSLOTSRANGE", "0", "16383"]).query(&mut redis.client()).unwrap();
    takes_pushes(&gateway).await;
    assert_eq!(gateway.pushed().await.len(), 1);
    gateway.stopped().await;
}

/// Two nodes that know each other; the first has all slots.
fn two() -> [Node; 2] {
    let mut nodes = [Node::start(), Node::start()];
    let port = nodes[1].redis.port;
    let _: () = nodes[0].ask("CLUSTER ADDSLOTSRANGE 0 16383");
    let _: () = nodes[0].ask(&format!("CLUSTER MEET 127.0.0.1 {port}"));
    for node in &mut nodes {
        while !node.ask::<String>("CLUSTER INFO").contains("cluster_state:ok") {
            std::thread::yield_now();
        }
    }
    nodes
}

/// Pushes a group of its own until one more is acknowledged; no answer is another one than that or 503.
async fn one_more(gateway: &Gateway, taken: &mut BTreeSet<String>) {
    let job = taken.len();
    loop {
        let (status, words) = gateway.put(&format!("/metrics/job/{job}"), "m 1\n").await;
        match status {
            200 => break,
            503 => tokio::task::yield_now().await,
            _ => panic!("{status} {words}"),
        }
    }
    taken.insert(format!("m{{instance=\"\",job=\"{job}\"}} 1"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_slot_may_move_while_pushes_come() {
    let mut nodes = two();
    let gateways = [Gateway::start(&[&nodes[0].flag()]), Gateway::start(&[&nodes[1].flag()])];
    let mut taken = BTreeSet::new();
    one_more(&gateways[0], &mut taken).await;
    let slot: u16 = nodes[0].ask(&format!("CLUSTER KEYSLOT {}", KEYS[0]));
    for (from, to) in [(0, 1), (1, 0), (0, 1)] {
        let (source, target) = (nodes[from].id.clone(), nodes[to].id.clone());
        let port = nodes[to].redis.port;
        let _: () = nodes[to].ask(&format!("CLUSTER SETSLOT {slot} IMPORTING {source}"));
        let _: () = nodes[from].ask(&format!("CLUSTER SETSLOT {slot} MIGRATING {target}"));
        one_more(&gateways[0], &mut taken).await;
        for key in KEYS {
            let _: () = nodes[from].ask(&format!("MIGRATE 127.0.0.1 {port} {key} 0 60000"));
            // What a script needs is in two places, and no server takes it.
            if key != KEYS[2] {
                let (status, words) = gateways[1].put("/metrics/job/0", "m 1\n").await;
                assert!(status == 503 && words.contains("TRYAGAIN"), "{key}: {status} {words}");
            }
        }
        one_more(&gateways[0], &mut taken).await;
        for number in [to, from] {
            let _: () = nodes[number].ask(&format!("CLUSTER SETSLOT {slot} NODE {target}"));
        }
        one_more(&gateways[1], &mut taken).await;
    }
    let late = Gateway::start(&[&nodes[0].flag()]);
    takes_pushes(&late).await;
    taken.insert(r#"m{instance="",job="a"} 1"#.to_owned());
    for gateway in gateways.into_iter().chain([late]) {
        assert_eq!(gateway.pushed().await.into_iter().collect::<BTreeSet<_>>(), taken);
        assert!(gateway.get("/metrics").await.contains("{reason=\"lost\"} 0\n"));
        gateway.stopped().await;
    }
}
