//! What is too much gets a clear answer, is counted, and leaves nothing behind.

use crate::world::Gateway;

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
        ("/metrics/job/a", "o{x=\"1\"} 1\no 1\np 1\nq 1\n".to_owned(), 413, "the group would have 4 series"),
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
