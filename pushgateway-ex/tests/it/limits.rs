//! What is too much gets a clear answer, is counted, and leaves nothing behind.

use std::collections::BTreeMap;
use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;
use jiff::{SignedDuration, Timestamp};
use pushgateway_ex::groups::{CheckTtl, Expired, Families, Fates, Groups, Limits, Push};
use pushgateway_ex::labels::{Key, Labels};
use pushgateway_ex::store::{Change, Store, Sync};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use crate::world::{Gateway, older_groups, until};

#[tokio::test]
async fn every_limit_says_which_it_is() {
    let limits =
        ["--push.max-body-bytes=1000", "--push.max-groups=2", "--push.max-series=3", "--push.max-label-bytes=50"];
    let gateway = Gateway::start(&limits);
    for job in ["a", "b"] {
        assert_eq!(gateway.put(&format!("/metrics/job/{job}"), "m 1\nn 1\n").await.0, 200);
    }
    let before = gateway.get("/api/v1/metrics").await;
    let long = "x".repeat(60);
    for (path, body, status, says) in [
        ("/metrics/job/a", "#".repeat(1001), 413, "the body has more than the 1000 bytes of --push.max-body-bytes\n"),
        (
            "/metrics/job/c",
            "m 1\n".to_owned(),
            429,
            "there are 2 groups already, as many as --push.max-groups allows\n",
        ),
        ("/metrics/job/c", "m 1 1000\n".to_owned(), 429, "there are 2 groups already"),
        (
            "/metrics/job/a",
            "o{x=\"1\"} 1\no 1\np 1\nq 1\nwhat is behind is not read".to_owned(),
            413,
            "the body has more than the 3 series of --push.max-series",
        ),
        ("/metrics/job/a", format!("m{{x=\"{long}\"}} 1\n"), 413, "label x has 61 bytes, more than the 50"),
        (&format!("/metrics/job/a/y/{long}"), "m 1\n".to_owned(), 413, "label y has 61 bytes"),
    ] {
        let (got, text) = gateway.put(path, body).await;
        assert!(got == status && text.starts_with(says), "{path}: {got} {text}");
    }
    let more = gateway.send(axum::http::Method::POST, "/metrics/job/a", "o 1\np 1\n").await;
    assert_eq!(more, (413, "the group would have 4 series, more than the 3 of --push.max-series\n".to_owned()));
    assert_eq!(gateway.get("/api/v1/metrics").await, before);
    let page = gateway.get("/metrics").await;
    for (reason, count) in [("body_size", 1), ("groups", 2), ("series", 2), ("label_size", 2)] {
        let line = format!("pushgateway_pushes_refused_total{{reason=\"{reason}\"}} {count}");
        assert!(page.lines().any(|own| own == line), "{line}\n{page}");
    }
    gateway.stopped().await;
}

#[test]
fn a_group_of_refused_pushes_goes_with_the_time_of_the_last() {
    let at = |second: i64| Timestamp::UNIX_EPOCH + SignedDuration::from_secs(second);
    let fates = Fates { pushed: Expired::Delete, own: CheckTtl::Mark };
    let mut groups = Groups::new(BTreeMap::new(), Limits { groups: 2, series: 10 });
    let key = |job: &str| Key::metrics(Labels::new([("job".to_owned(), job.to_owned())]));
    let push = |at, expires| Push { key: key("a"), families: Families::default(), replace: false, at, expires };
    groups.push(push(at(0), Some(at(100)))).unwrap();
    groups.fail(&key("a"), at(1), Some(at(2))).unwrap();
    groups.fail(&key("b"), at(1), Some(at(5))).unwrap();
    groups.fail(&key("b"), at(3), Some(at(8))).unwrap();
    assert!(groups.fail(&key("c"), at(4), None).is_err(), "there are two already");
    assert_eq!(groups.expire(at(7), fates), []);
    assert_eq!(groups.expire(at(8), fates), [key("b")], "and not the one whose push was taken");
    groups.fail(&key("c"), at(9), None).unwrap();
    assert!(!groups.expires_by(at(99)));
}

#[tokio::test]
async fn a_check_result_has_bounds_of_its_own() {
    let limits = ["--push.max-label-bytes=50", "--detail.output-bytes=10", "--detail.max-bytes=1200"];
    let gateway = Gateway::start(&limits);
    let (long, large) = ("x".repeat(60), "x".repeat(400));
    let result = |more: Value| {
        let mut result = json!({"name": "disk", "output": large, "status": 0, "hooks": {"ok": {"output": large}}});
        result.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        result.to_string()
    };
    assert_eq!(gateway.put("/checks/job/a", result(json!({}))).await, (200, String::new()), "outputs are cut");
    let before = gateway.get("/api/v1/checks/disk").await;
    assert!(before.contains("10 of 400 bytes kept") && before.len() < 600, "{before}");
    for (more, says) in [
        (
            json!({"name": long}),
            "result 1: label check would have 65 bytes, more than the 50 of --push.max-label-bytes",
        ),
        (json!({"source": long}), "result 1: label source would have 66 bytes"),
        (json!({"handlers": [long, "b"]}), "result 1: label handlers would have 71 bytes"),
        (json!({"type": long}), "result 1: label type would have 64 bytes"),
        (json!({"notes": [{"a": large}]}), "result 1 takes "),
    ] {
        let (status, text) = gateway.put("/checks/job/a", result(more)).await;
        assert!(status == 413 && text.starts_with(says), "{status} {text}");
    }
    assert_eq!(gateway.get("/api/v1/checks/disk").await, before);
    let page = gateway.get("/metrics").await;
    for (reason, count) in [("label_size", 4), ("detail_size", 1)] {
        let line = format!("pushgateway_pushes_refused_total{{reason=\"{reason}\"}} {count}");
        assert!(page.lines().any(|own| own == line), "{line}\n{page}");
    }
    gateway.stopped().await;
}

fn packed(body: &[u8]) -> Vec<u8> {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    gzip.write_all(body).unwrap();
    gzip.finish().unwrap()
}

/// Some kilobytes that become what is a gigabyte in memory, were it read.
#[tokio::test]
async fn values_have_bounds_however_small_they_are_packed() {
    let gateway = Gateway::start(&[]);
    let lists = |count: usize| format!("[{}[0]]", "[0],".repeat(count - 1));
    let result = |name: usize, lists: &str| format!(r#"{{"name":"a{name}","output":"","status":0,"x":{lists}}}"#);
    let all = |results: Vec<String>| format!("[{}]", results.join(","));
    let (half, many) = (lists(2_400), lists(125_000));
    let bomb = all((0..32).map(|number| result(number, &many)).collect());
    for (body, status, says) in [
        (result(0, &half), 200, ""),
        (result(0, &lists(5_000)), 400, "result 1 has more than 10000 JSON values: leave out what nobody reads"),
        (all(vec![result(0, "[]"), result(1, &lists(5_000))]), 400, "result 2 has more than 10000 JSON values"),
        (all((0..20).map(|number| result(number, &half)).collect()), 200, ""),
        (
            all((0..50).map(|number| result(number, &half)).collect()),
            400,
            "the body has more than 200000 JSON values: push its results in several requests",
        ),
        (bomb, 400, "the body has more than 200000 JSON values"),
    ] {
        let (got, text) = gateway.push_packed("/checks/job/a", packed(body.as_bytes())).await;
        assert!(got == status && text.starts_with(says), "{got} {text}");
    }
    let lines = packed("a 1\n".repeat(4 << 20).as_bytes());
    let (got, says) = gateway.push_packed("/metrics/job/a", lines).await;
    assert_eq!((got, says.starts_with("the body has more than the 100000 series of --push.max-series")), (413, true));
    let page = gateway.get("/metrics").await;
    for (reason, count) in [("body", 4), ("series", 1)] {
        let line = format!("pushgateway_pushes_refused_total{{reason=\"{reason}\"}} {count}");
        assert!(page.lines().any(|own| own == line), "{line}\n{page}");
    }
    assert!(page.contains("pushgateway_groups 1\n"));
    gateway.stopped().await;
}

/// What an older version took, in a store of its time.
#[tokio::test]
async fn a_stored_result_of_very_many_values_is_deleted_at_the_start_and_told() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("store");
    let (mut store, _) = Store::open(&file, Sync::Always).unwrap();
    let groups = older_groups(&[("a", &["kept", "many"][..]), ("b", &["many"]), ("c", &["kept"])]);
    store.save(groups.iter().map(|group| Change::whole(group))).unwrap();
    store.close().unwrap();
    let flag = format!("--persistence.file={}", file.display());
    for left_out in [2, 0] {
        let gateway = Gateway::start(&[&flag]);
        let page = gateway.get("/metrics").await;
        for line in ["pushgateway_groups 2".to_owned(), format!("pushgateway_store_results_left_out_total {left_out}")]
        {
            assert!(page.lines().any(|own| own == line), "{line}\n{page}");
        }
        let checks = gateway.get("/api/v1/checks?check=many").await;
        assert_eq!((checks.as_str(), gateway.put("/checks/job/b", "[]").await.0), ("[]", 200));
        gateway.stopped().await;
    }
}

/// A client that has sent nearly all of a large body.
async fn stalled(gateway: &Gateway, bytes: usize) -> TcpStream {
    let mut stream = TcpStream::connect(gateway.base.trim_start_matches("http://")).await.unwrap();
    let head = format!("PUT /metrics/job/a HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n", bytes + 1);
    // One that finds no room is cut before it has sent everything.
    let _ = stream.write_all(&[head.into_bytes(), vec![b'#'; bytes]].concat()).await;
    stream
}

#[tokio::test]
async fn large_bodies_that_stall_have_bounded_memory_and_keep_out_no_usual_push() {
    const LARGE: usize = 1_000_000;
    let gateway = Gateway::start(&[&format!("--push.max-body-bytes={}", LARGE + 1)]);
    let large = async || gateway.put("/metrics/job/large", "#".repeat(LARGE) + "\n").await;
    assert_eq!(large().await.0, 200);
    let (mut clients, mut answer) = (Vec::new(), (200, String::new()));
    while answer.0 == 200 {
        clients.push(stalled(&gateway, LARGE).await);
        answer = large().await;
    }
    assert_eq!(answer, (503, "too many large bodies are in memory; push again later\n".to_owned()));
    assert_eq!(gateway.put("/metrics/job/small", "m 1\n").await, (200, String::new()));
    drop(clients);
    until(async || large().await.0 == 200).await;
    assert_eq!(gateway.put("/metrics/job/large", "#".repeat(LARGE + 2)).await.0, 413);
    let page = gateway.get("/metrics").await;
    assert!(
        page.contains("refused_total{reason=\"crowded\"} ") && !page.contains("{reason=\"crowded\"} 0\n"),
        "{page}"
    );
    gateway.stopped().await;
}
