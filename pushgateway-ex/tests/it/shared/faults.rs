//! A store that goes, comes back, forgets, refuses, or loses an answer.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::http::Method;
use pushgateway_ex::flags::Flags;
use serde_json::{Value, json};

use super::redis::Redis;
use crate::world::{Gateway, app};

/// Asks until the gateway is as it should be; the test's own time limit ends the wait for one that never is.
async fn until_ready(gateway: &Gateway, wanted: u16) -> String {
    loop {
        let (status, words) = gateway.send(Method::GET, "/-/ready", "").await;
        if status == wanted {
            return words;
        }
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_store_everything_is_503_and_all_is_there_when_it_is_back() {
    let mut redis = Redis::start(&[]);
    let gateways = [Gateway::start(&[&redis.flag()]), Gateway::start(&[&redis.flag()])];
    for job in ["a", "b"] {
        assert_eq!(gateways[0].put(&format!("/metrics/job/{job}"), "m 1\n").await.0, 200);
    }
    redis.kill();
    for gateway in &gateways {
        let (status, words) = gateway.put("/metrics/job/c", "m 1\n").await;
        assert_eq!(status, 503);
        assert!(words.contains("Connection refused"), "{words}");
        for path in ["/metrics", "/", "/api/v1/metrics", "/api/v1/checks", "/-/ready"] {
            assert_eq!(gateway.send(Method::GET, path, "").await.0, 503, "{path}");
        }
        assert_eq!(gateway.send(Method::DELETE, "/metrics/job/a", "").await.0, 503);
        assert_eq!(gateway.send(Method::GET, "/-/healthy", "").await.0, 200);
        assert_eq!(gateway.send(Method::GET, "/api/v1/status", "").await.0, 200);
    }
    redis.restart();
    for gateway in &gateways {
        until_ready(gateway, 200).await;
        assert_eq!(gateway.pushed().await.len(), 2);
        let page = gateway.get("/metrics").await;
        assert!(page.contains("pushgateway_store_up 1\n") && page.contains("{reason=\"lost\"} 0\n"), "{page}");
        assert!(!page.contains("pushgateway_store_failures_total 0\n"));
    }
    assert_eq!(gateways[1].put("/metrics/job/c", "m 1\n").await.0, 200);
    for gateway in gateways {
        gateway.stopped().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_hangs_is_away_after_the_time_it_has() {
    let redis = Redis::start(&[]);
    let gateway = Gateway::start(&[&redis.flag(), "--storage.redis-timeout=1s"]);
    until_ready(&gateway, 200).await;
    redis.signal("STOP");
    let words = until_ready(&gateway, 503).await;
    assert!(words.contains("within 1s"), "{words}");
    assert_eq!(gateway.put("/metrics/job/a", "m 1\n").await.0, 503);
    assert_eq!(gateway.send(Method::GET, "/-/healthy", "").await.0, 200);
    redis.signal("CONT");
    until_ready(&gateway, 200).await;
    gateway.stopped().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_waits_for_a_store_that_is_not_there_yet() {
    let mut redis = Redis::start(&[]);
    redis.kill();
    let gateway = Gateway::start(&[&redis.flag()]);
    until_ready(&gateway, 503).await;
    redis.restart();
    until_ready(&gateway, 200).await;
    assert_eq!(gateway.put("/metrics/job/a", "m 1\n").await.0, 200);
    gateway.stopped().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_was_emptied_is_told_also_when_it_has_counted_on() {
    let redis = Redis::start(&[]);
    let gateways = [Gateway::start(&[&redis.flag()]), Gateway::start(&[&redis.flag()])];
    for job in ["a", "b"] {
        assert_eq!(gateways[0].put(&format!("/metrics/job/{job}"), "m 1\n").await.0, 200);
    }
    assert_eq!(gateways[1].pushed().await.len(), 2);
    let _: () = redis::cmd("FLUSHALL").query(&mut redis.client()).unwrap();
    for job in ["c", "d", "e", "f"] {
        assert_eq!(gateways[0].put(&format!("/metrics/job/{job}"), "m 1\n").await.0, 200);
    }
    for gateway in gateways {
        assert_eq!(gateway.pushed().await.len(), 4);
        let page = gateway.get("/metrics").await;
        assert!(page.contains("pushgateway_store_loads_total{reason=\"lost\"} 1\n"), "{page}");
        gateway.stopped().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_that_was_taken_from_the_store_is_missed() {
    let redis = Redis::start(&[]);
    let gateway = Gateway::start(&[&redis.flag()]);
    for job in ["a", "b"] {
        assert_eq!(gateway.put(&format!("/metrics/job/{job}"), "m 1\n").await.0, 200);
    }
    let mut client = redis.client();
    let fields: Vec<Vec<u8>> = redis::cmd("HKEYS").arg("{pushgateway-ex}:groups").query(&mut client).unwrap();
    let _: () = redis::cmd("HDEL").arg("{pushgateway-ex}:groups").arg(&fields[0]).query(&mut client).unwrap();
    assert_eq!(gateway.pushed().await.len(), 1);
    assert!(gateway.get("/metrics").await.contains("{reason=\"lost\"} 1\n"));
    gateway.stopped().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_store_that_lost_a_part_the_rest_is_used() {
    let redis = Redis::start(&[]);
    let gateway = Gateway::start(&[&redis.flag()]);
    for key in ["state", "changes", "groups"] {
        for job in ["a", "b"] {
            assert_eq!(gateway.put(&format!("/metrics/job/{job}"), "m 1\n").await, (200, String::new()), "{key}");
        }
        let _: () = redis::cmd("DEL").arg(format!("{{pushgateway-ex}}:{key}")).query(&mut redis.client()).unwrap();
        assert_eq!(gateway.pushed().await.len(), if key == "groups" { 0 } else { 2 }, "{key}");
    }
    gateway.stopped().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_store_refuses_pushes_and_is_read_and_emptied() {
    let redis = Redis::start(&["--maxmemory-policy", "noeviction"]);
    let gateway = Gateway::start(&[&redis.flag()]);
    assert_eq!(gateway.put("/metrics/job/a", "m 1\n").await.0, 200);
    let mut client = redis.client();
    let _: () = redis::cmd("CONFIG").arg(&["SET", "maxmemory", "1"]).query(&mut client).unwrap();
    let (status, words) = gateway.put("/metrics/job/b", "m 1\n").await;
    assert_eq!(status, 507, "{words}");
    assert_eq!(gateway.pushed().await, [r#"m{instance="",job="a"} 1"#]);
    assert_eq!(gateway.send(Method::DELETE, "/metrics/job/a", "").await.0, 202);
    let _: () = redis::cmd("CONFIG").arg(&["SET", "maxmemory", "0"]).query(&mut client).unwrap();
    assert_eq!(gateway.put("/metrics/job/b", "m 1\n").await.0, 200);
    gateway.stopped().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_with_the_rights_that_are_said_is_enough() {
    let redis = Redis::start(&[]);
    let docs = include_str!("../../../../docs/pushgateway-ex.md");
    let rights = docs.split("The user of an ACL needs `").nth(1).unwrap().split('`').next().unwrap();
    let mut client = redis.client();
    let user = ["SETUSER", "gateway", "on", ">password"].into_iter().chain(rights.split(' ')).collect::<Vec<_>>();
    let _: () = redis::cmd("ACL").arg(&user).query(&mut client).unwrap();
    let url = format!("--storage=redis://gateway:password@127.0.0.1:{}", redis.port);
    let gateways = [Gateway::start(&[&url, "--web.enable-admin-api"]), Gateway::start(&[&url])];
    for gateway in [0, 1, 0, 1] {
        assert_eq!(gateways[gateway].put("/metrics/job/a", "m 1\n").await, (200, String::new()));
    }
    assert_eq!(gateways[1].send(Method::DELETE, "/metrics/job/a", "").await.0, 202);
    assert_eq!(gateways[0].put("/api/v1/admin/wipe", "").await, (202, String::new()));
    for gateway in gateways {
        gateway.stopped().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn passwords_are_needed_read_anew_and_shown_nowhere() {
    let redis = Redis::start(&["--requirepass", "s@cret"]);
    let file = redis.folder().join("password");
    std::fs::write(&file, "wrong-s@cret\n").unwrap();
    let password = format!("--storage.redis-password-file={}", file.display());
    let gateway = Gateway::start(&[&redis.flag(), &password]);
    let words = until_ready(&gateway, 503).await;
    assert!(words.contains("authentication") && !words.contains("cret"), "{words}");
    std::fs::write(&file, "s@cret\n").unwrap();
    until_ready(&gateway, 200).await;
    gateway.stopped().await;

    let url = format!("--storage=redis://:s%40cret@127.0.0.1:{}", redis.port);
    let gateway = Gateway::start(&[&url]);
    until_ready(&gateway, 200).await;
    assert_eq!(gateway.put("/metrics/job/a", "m 1\n").await.0, 200);
    let status = gateway.get("/api/v1/status").await;
    assert!(status.contains("redis://:***@127.0.0.1") && !status.contains("cret"), "{status}");
    assert!(!gateway.get("/").await.contains("cret"));
    gateway.stopped().await;
    let flags = <Flags as clap::Parser>::try_parse_from(["pushgateway-ex", &url]).unwrap();
    assert!(!format!("{flags:?}").contains("cret"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_redis_is_said_to_be_none() {
    let other = TcpListener::bind("127.0.0.1:0").unwrap();
    let flag = format!("--storage=redis://{}", other.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in other.incoming() {
            let _ = stream.unwrap().write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
        }
    });
    let gateway = Gateway::start(&[&flag]);
    let words = until_ready(&gateway, 503).await;
    assert!(words.contains("not available"), "{words}");
    gateway.stopped().await;
}

#[test]
fn flags_that_contradict_each_other_are_refused() {
    for (flags, says) in [
        (&["--storage=redis://h", "--persistence.file=f"][..], "cannot be used with"),
        (&["--storage=redis://h", "--storage.sync=always"], "cannot be used with"),
        (&["--storage.redis-ca-file=f"], "--storage <URL>"),
        (&["--storage=rediss://h", "--storage.redis-cert-file=f"], "--storage.redis-key-file"),
        (&["--storage=http://h:secret"], "unknown scheme"),
        (&["--storage=rediss://h", "--storage.redis-ca-file=/dev/null"], "no certificate"),
        (&["--storage=redis://h", "--storage.redis-password-file=/nowhere"], "/nowhere"),
        (&["--storage=redis://u:secret@h", "--storage.redis-password-file=/dev/null"], "has a password"),
    ] {
        let error = app(flags).err().expect("these flags are wrong").to_string();
        assert!(error.contains(says) && !error.contains("secret"), "{flags:?}: {error}");
    }
}

/// Between a gateway and its store; loses the answer to a change when it is told to, the connection with it.
fn losing(redis: &Redis) -> (u16, Arc<AtomicBool>) {
    let (listener, lose) = (TcpListener::bind("127.0.0.1:0").unwrap(), Arc::new(AtomicBool::new(false)));
    let (port, to, losing) = (listener.local_addr().unwrap().port(), redis.port, Arc::clone(&lose));
    std::thread::spawn(move || {
        for client in listener.incoming() {
            let (client, server) = (client.unwrap(), TcpStream::connect(("127.0.0.1", to)).unwrap());
            let (from, into) = (client.try_clone().unwrap(), server.try_clone().unwrap());
            let changes = Arc::new(AtomicBool::new(false));
            let (noted, losing) = (Arc::clone(&changes), Arc::clone(&losing));
            std::thread::spawn(move || {
                relay(from, into, |bytes| {
                    noted.fetch_or(bytes.windows(4).any(|part| part == b"disk"), Ordering::SeqCst);
                    true
                });
            });
            std::thread::spawn(move || {
                relay(server, client, |_| {
                    !(changes.swap(false, Ordering::SeqCst) && losing.swap(false, Ordering::SeqCst))
                });
            });
        }
    });
    (port, lose)
}

fn relay(mut from: TcpStream, mut to: TcpStream, mut passes: impl FnMut(&[u8]) -> bool) {
    let mut bytes = [0; 64 << 10];
    while let Ok(length @ 1..) = from.read(&mut bytes) {
        if !passes(&bytes[..length]) || to.write_all(&bytes[..length]).is_err() {
            break;
        }
    }
    let _ = from.shutdown(std::net::Shutdown::Both);
    let _ = to.shutdown(std::net::Shutdown::Both);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_whose_answer_was_lost_is_made_once() {
    let redis = Redis::start(&[]);
    let (port, lose) = losing(&redis);
    let gateway = Gateway::start(&[&format!("--storage=redis://127.0.0.1:{port}")]);
    until_ready(&gateway, 200).await;
    // Results that do not say when they ran are each another's: made twice they would count twice.
    let result = json!({"name": "disk", "executed": 2, "output": "DISK OK", "status": 0}).to_string();
    for occurrences in 1..=3 {
        lose.store(occurrences == 2, Ordering::SeqCst);
        assert_eq!(gateway.send(Method::POST, "/checks/job/a", result.clone()).await, (200, String::new()));
        assert!(!lose.load(Ordering::SeqCst), "an answer was lost");
        let detail: Value = serde_json::from_str(&gateway.get("/api/v1/checks/disk").await).unwrap();
        assert_eq!(detail["occurrences"], occurrences);
    }
    gateway.stopped().await;
}
