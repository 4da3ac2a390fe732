//! Scrapes, the page, orders.

use axum::http::Method;
use exposition::pushed::{decode_delimited, parse_text};
use service::http::read_limited;

use crate::world::{Gateway, client};

const PROTOBUF: &str = "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited";

#[tokio::test]
async fn every_format_has_every_family_once() {
    let gateway = Gateway::start(&[]);
    let body = "# TYPE m counter\nm 1\n# TYPE process_open_fds gauge\nprocess_open_fds 7\n";
    for job in ["a", "b"] {
        assert_eq!(gateway.put(&format!("/metrics/job/{job}"), body).await.0, 200);
    }
    let text = gateway.get("/metrics").await;
    let families = parse_text(text.as_bytes()).unwrap();
    let messages = decode_delimited(&gateway.accepting(PROTOBUF).await).unwrap();
    let names = |families: &[exposition::pushed::MetricFamily]| -> Vec<_> {
        families.iter().map(|family| (family.name.clone(), family.kind)).collect()
    };
    assert_eq!(names(&families), names(&messages));
    let fds = families.iter().find(|family| family.name == "process_open_fds").unwrap();
    assert_eq!(fds.metrics.len(), 3, "the gateway's own and the pushed ones");
    assert_eq!(text.matches("# TYPE process_open_fds ").count(), 1);

    let open_metrics = String::from_utf8(gateway.accepting("application/openmetrics-text").await).unwrap();
    assert!(open_metrics.contains("# TYPE m counter\nm_total{instance=\"\",job=\"a\"} 1\n"), "{open_metrics}");
    assert!(open_metrics.ends_with("# EOF\n"));
    gateway.stopped().await;
}

#[tokio::test]
async fn names_of_other_servers_metrics_are_free() {
    let gateway = Gateway::start(&[]);
    let body = "# TYPE http_requests_total untyped\nhttp_requests_total 1\n# TYPE http_request_duration_seconds summary\n\
                http_request_duration_seconds_count 1\n";
    assert_eq!(gateway.put("/metrics/job/a", body).await, (200, String::new()));
    let own = gateway
        .put("/metrics/job/a", "# TYPE pushgateway_http_requests_total gauge\npushgateway_http_requests_total 1\n");
    assert_eq!(own.await.0, 400);
    gateway.stopped().await;
}

#[tokio::test]
async fn a_scrape_that_is_read_slowly_is_of_one_moment_and_holds_up_nobody() {
    let gateway = Gateway::start(&[]);
    for group in 0..20 {
        let body: String =
            (0..1000).map(|series| format!("m{{series=\"{series}-{}\"}} 1\n", "x".repeat(100))).collect();
        assert_eq!(gateway.put(&format!("/metrics/job/a/group/{group}"), body).await.0, 200);
    }
    // More than sockets and buffers take: most of the page is not written yet.
    let slow = client().get(format!("{}/metrics", gateway.base)).send().await.unwrap();
    for group in 0..20 {
        assert_eq!(gateway.put(&format!("/metrics/job/a/group/{group}"), "m 2\n").await.0, 200);
    }
    let page = String::from_utf8(read_limited(slow, 64 << 20).await.unwrap().to_vec()).unwrap();
    assert_eq!(page.lines().filter(|line| line.starts_with("m{")).count(), 20_000);
    assert_eq!(gateway.pushed().await.len(), 20);
    gateway.stopped().await;
}

#[tokio::test]
async fn the_page_finds_groups_among_many() {
    let gateway = Gateway::start(&["--web.external-url=https://example.org/push/", "--web.enable-lifecycle"]);
    for number in 0..60 {
        let body = "# HELP m <b>\nm{y=\"<script>\"} 1\n";
        assert_eq!(gateway.put(&format!("/push/metrics/job/backup/host/web-{number}"), body).await.0, 200);
    }
    let page = gateway.get("/push/").await;
    assert!(page.contains("60 groups") && page.contains("page=2") && !page.contains("<script>}"), "{page}");
    assert_eq!(page.matches("<details>").count(), 25);
    let last = gateway.get("/push/?q=&page=99").await;
    assert_eq!(last.matches("<details>").count(), 10);
    let found = gateway.get("/push/?q=host%3D%22WEB-59%22").await;
    assert!(found.contains("1 of 60 groups") && found.contains("&#60;b&#62;"), "{found}");
    let address = found.split("data-group=\"").nth(1).unwrap().split('"').next().unwrap();
    assert_eq!(gateway.send(Method::DELETE, address, "").await.0, 202);
    assert!(gateway.get("/push/?q=web-59").await.contains("No groups with that"));
    assert_eq!(gateway.send(Method::GET, "/", "").await.0, 404);
    assert_eq!(gateway.put("/push/-/quit", "").await.0, 200);
    gateway.ended().await;
}
