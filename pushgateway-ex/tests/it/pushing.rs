//! What is pushed is there, whole and in order, also after a restart.

use std::sync::Arc;

use axum::http::Method;

use pushgateway_ex::store::{Store, Sync};

use crate::world::{Gateway, answer, app, client};

#[tokio::test]
async fn pushes_outlive_a_restart_with_their_times() {
    let folder = tempfile::tempdir().unwrap();
    let file = format!("--persistence.file={}", folder.path().join("store").display());
    let gateway = Gateway::start(&[&file]);
    let histogram = "# HELP h a \\\\ help\n# TYPE h histogram\nh_bucket{le=\"0.1\"} 1\nh_sum 2.5\nh_count 4\n";
    assert_eq!(gateway.put("/metrics/job/a/x@base64/4pi6Lw", histogram).await.0, 200);
    assert_eq!(gateway.put("/metrics/job/b", "m 1\n").await.0, 200);
    assert_eq!(gateway.put("/metrics/job/b", "m 1 1000\n").await.0, 400);
    assert_eq!(gateway.put("/metrics/job/gone", "m 1\n").await.0, 200);
    assert_eq!(gateway.send(Method::DELETE, "/metrics/job/gone", "").await.0, 202);
    let before = gateway.get("/api/v1/metrics").await;
    gateway.stopped().await;

    let gateway = Gateway::start(&[&file]);
    assert_eq!(gateway.get("/api/v1/metrics").await, before);
    assert!(gateway.pushed().await.contains(&r#"h_bucket{instance="",job="a",x="☺/",le="0.1"} 1"#.to_owned()));
    assert_eq!(gateway.put("/metrics/job/c", "# TYPE m gauge\nm 1\n").await.0, 400, "types are known again");
    gateway.stopped().await;
}

#[tokio::test]
async fn a_push_is_seen_whole_by_everybody_and_the_last_one_stays() {
    let gateway = Arc::new(Gateway::start(&[]));
    let writers: Vec<_> = (0..4)
        .map(|writer| {
            let gateway = Arc::clone(&gateway);
            tokio::spawn(async move {
                for push in 0..50 {
                    let value = writer * 1000 + push;
                    let body = format!("m {value}\nn {value}\n");
                    assert_eq!(gateway.put("/metrics/job/shared", body).await.0, 200);
                    let own = format!("o {push}\n");
                    assert_eq!(gateway.put(&format!("/metrics/job/own/writer/{writer}"), own).await.0, 200);
                    let line = format!("o{{instance=\"\",job=\"own\",writer=\"{writer}\"}} {push}");
                    assert!(gateway.pushed().await.contains(&line), "who was answered sees the own push");
                }
            })
        })
        .collect();
    let value = |lines: &[String], name: &str| {
        let line = lines.iter().find(|line| line.starts_with(&format!("{name}{{")));
        line.map(|line| line.rsplit_once(' ').unwrap().1.to_owned())
    };
    while writers.iter().any(|writer| !writer.is_finished()) {
        let lines = gateway.pushed().await;
        assert_eq!(value(&lines, "m"), value(&lines, "n"), "both families of one push or neither");
    }
    for writer in writers {
        writer.await.unwrap();
    }
    let last: u64 = value(&gateway.pushed().await, "m").unwrap().parse().unwrap();
    assert_eq!(last % 1000, 49, "one of the last pushes");
}

#[tokio::test]
async fn an_empty_instance_and_none_are_not_two_groups() {
    let gateway = Gateway::start(&[]);
    for (taken, refused) in
        [("/metrics/job/a", "/metrics/job/a/instance@base64/="), ("/metrics/job/b/instance@base64/=", "/metrics/job/b")]
    {
        assert_eq!(gateway.put(taken, "m 1\n").await.0, 200);
        let (status, text) = gateway.put(refused, "n 1\n").await;
        assert!(status == 400 && text.contains("metric push_time_seconds{instance=\"\",job="), "{status} {text}");
        assert_eq!(gateway.put(refused, "n 1 1000\n").await.0, 400);
    }
    let page = gateway.get("/metrics").await;
    let mut series: Vec<_> = page.lines().filter_map(|line| line.rsplit_once(' ')).map(|(series, _)| series).collect();
    series.retain(|series| series.starts_with("push_"));
    let count = series.len();
    series.sort_unstable();
    series.dedup();
    assert_eq!((count, series.len()), (4, 4), "{page}");
    gateway.stopped().await;
}

#[tokio::test]
async fn without_the_check_the_answer_is_202_and_what_does_not_fit_is_dropped() {
    let gateway = Gateway::start(&["--push.disable-consistency-check"]);
    assert_eq!(gateway.put("/metrics/job/a", "# TYPE m gauge\nm 1\n").await.0, 202);
    assert_eq!(gateway.put("/metrics/job/b", "# TYPE m counter\nm 2\n").await.0, 202);
    assert_eq!(gateway.put("/metrics/job/b", "m").await.0, 400);
    assert_eq!(gateway.pushed().await, [r#"m{instance="",job="a"} 1"#]);
    let page = gateway.get("/metrics").await;
    assert!(page.contains(r#"pushgateway_pushes_refused_total{reason="inconsistent"} 1"#), "{page}");
    assert!(page.contains(r#"push_time_seconds{instance="",job="b"} 0"#), "{page}");
    gateway.stopped().await;
}

#[tokio::test]
async fn a_damaged_store_is_refused_and_its_copy_helps() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    let file = format!("--persistence.file={}", path.display());
    let gateway = Gateway::start(&[&file, "--persistence.interval=1s"]);
    for number in 0..50 {
        let body = format!("m{{x=\"{}\"}} 1\n", "x".repeat(1000));
        assert_eq!(gateway.put(&format!("/metrics/job/a/number/{number}"), body).await.0, 200);
    }
    let copy = folder.path().join("store.copy");
    let whole = || Store::open(&copy, Sync::Always).is_ok_and(|(_, groups)| groups.len() >= 50);
    let made = async {
        // The first copy may be of an earlier moment; a later one is made because of this push.
        while !copy.exists() || !whole() {
            gateway.put("/metrics/job/b", "n 1\n").await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(20), made).await.unwrap();
    gateway.stopped().await;

    let whole = std::fs::read(&path).unwrap();
    let error = |damage: &dyn Fn(&mut Vec<u8>)| {
        let mut bytes = whole.clone();
        damage(&mut bytes);
        std::fs::write(&path, bytes).unwrap();
        app(&[&file]).map(drop).unwrap_err().to_string()
    };
    let at = whole.windows(100).position(|bytes| bytes == [b'x'; 100]).unwrap();
    let half = whole.len() / 2;
    for says in [
        error(&|bytes| bytes[at] ^= 1),
        error(&|bytes| bytes.truncate(5000)),
        error(&|bytes| bytes.truncate(half)),
        error(&|bytes| bytes[..9].fill(0)),
    ] {
        assert!(says.contains("is damaged") && says.contains("store.copy") && says.contains("mv "), "{says}");
    }
    std::fs::rename(copy, &path).unwrap();
    let gateway = Gateway::start(&[&file]);
    assert!(gateway.pushed().await.len() >= 50);
    gateway.stopped().await;
}

#[tokio::test]
async fn a_store_has_one_gateway() {
    let folder = tempfile::tempdir().unwrap();
    let file = format!("--persistence.file={}", folder.path().join("store").display());
    let gateway = Gateway::start(&[&file]);
    let error = app(&[&file]).map(drop).unwrap_err().to_string();
    assert!(error.contains("another process has it open"), "{error}");
    gateway.stopped().await;
    let nowhere = format!("--persistence.file={}", folder.path().join("no/store").display());
    let error = app(&[&nowhere]).map(drop).unwrap_err().to_string();
    assert!(error.starts_with("cannot open the storage") && error.contains("No such file"), "{error}");
}

#[tokio::test]
async fn names_that_only_prometheus_3_knows_are_refused_and_escaped_ones_stand_as_they_are() {
    let gateway = Gateway::start(&[]);
    for (path, body, says) in [
        ("/metrics/job/a", "{\"dotted.name\"} 1\n", "text format parsing error in line 1: invalid metric name"),
        ("/metrics/job/a", "m{\"dotted.label\"=\"x\"} 1\n", "text format parsing error in line 1: invalid label name"),
        ("/metrics/job/a/dotted.label/x", "m 1\n", "improper label name \"dotted.label\""),
    ] {
        let (status, text) = gateway.put(path, body).await;
        assert!(status == 400 && text.starts_with(says), "{path} {body}: {status} {text}");
    }
    let mut message = Vec::new();
    exposition::pushed::encode_family_head("dotted.name", None, exposition::pushed::MetricType::Gauge, 4, &mut message);
    message.extend(b"\x22\x02\x12\x00");
    let url = format!("{}/metrics/job/a", gateway.base);
    let protobuf = "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited";
    let sent = client().put(url).header("Content-Type", protobuf).body(message).send().await.unwrap();
    let (status, text) = answer(sent).await;
    assert!(status == 400 && text.contains("metric named \"dotted.name\" has an invalid name"), "{status} {text}");
    assert_eq!(gateway.send(Method::DELETE, "/metrics/job/a", "").await.0, 202);
    assert_eq!(gateway.put("/metrics/job/a/U__dotted_2e_label/x", "m 1\n").await.0, 200);
    assert_eq!(gateway.pushed().await, [r#"m{U__dotted_2e_label="x",instance="",job="a"} 1"#]);
    gateway.stopped().await;
}
