//! What every server answers by itself.

use std::io::Write as _;
use std::process::{Command, Stdio};

use exposition::{Family, Kind};
use prometheus_client::metrics::counter::Counter;
use reqwest::Method;
use service::Landing;

use crate::running::{Answer, client, routes, server, start};

const TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

fn items() -> Vec<Family> {
    let mut family = Family::new("test_server_items", "Items made at the scrape", Kind::Gauge);
    family.push(vec![("item".into(), "a".into())], 7.0);
    vec![family]
}

#[tokio::test]
async fn metrics_come_in_the_format_that_is_asked_for() {
    let mut server = server(&[]).families(items);
    let answers = Counter::<u64>::default();
    server.registry().register("test_server_answers", "Answers given", answers.clone());
    answers.inc_by(3);
    let running = start(server.routes(routes()));
    running.get("/item/1").await;
    running.get("/item/2").await;
    running.get("/nowhere/1").await;
    for (accept, content_type) in [
        ("application/openmetrics-text;version=1.0.0;q=0.5,*/*;q=0.1", OPEN_METRICS),
        ("text/plain;version=0.0.4", TEXT),
        ("*/*", TEXT),
    ] {
        let response = client().get(running.url("/metrics")).header("Accept", accept).send().await.unwrap();
        let page = Answer::read(response).await;
        assert_eq!((page.status, page.header("content-type")), (200, content_type));
        assert_eq!(page.body.ends_with("# EOF\n"), content_type == OPEN_METRICS);
        for (series, value) in [
            ("test_server_answers_total", 3.0),
            ("test_server_items{item=\"a\"}", 7.0),
            ("test_server_build_info{version=\"1.2.3\",revision=\"abc\"}", 1.0),
            ("http_requests_total{handler=\"/item/{name}\",method=\"GET\",code=\"200\"}", 2.0),
            ("http_requests_total{handler=\"other\",method=\"GET\",code=\"404\"}", 1.0),
            ("http_request_duration_seconds_count{handler=\"/item/{name}\"}", 2.0),
        ] {
            assert_eq!(page.sample(series), Some(value), "{series} in {}", page.body);
        }
        for series in ["process_cpu_seconds_total", "process_resident_memory_bytes", "process_virtual_memory_bytes"] {
            assert!(page.sample(series).is_some(), "{series} in {}", page.body);
        }
        assert!(page.sample("process_open_fds") < page.sample("process_max_fds"));
        if content_type == TEXT {
            promtool(&page.body);
        }
    }
    running.stop().await;
}

/// Lets Prometheus's own linter, which knows the classic format only, read a page where it is installed.
fn promtool(page: &str) {
    let tools = concat!(env!("CARGO_MANIFEST_DIR"), "/../../target/tools/bin");
    let path = format!("{tools}:{}", std::env::var("PATH").unwrap_or_default());
    let started = Command::new("promtool")
        .env("PATH", path)
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let Ok(mut promtool) = started else {
        eprintln!("promtool is not installed; the page was not linted");
        return;
    };
    promtool.stdin.take().unwrap().write_all(page.as_bytes()).unwrap();
    let output = promtool.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.trim().is_empty(), "{said}\n{page}");
}

#[tokio::test]
async fn process_start_is_before_now_and_after_the_machine_booted() {
    let running = start(server(&[]));
    let started = running.get("/metrics").await.sample("process_start_time_seconds").unwrap();
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs_f64();
    let uptime: f64 = std::fs::read_to_string("/proc/uptime").unwrap().split(' ').next().unwrap().parse().unwrap();
    assert!(started <= now + 1.0 && started >= now - uptime - 1.0, "{started} of {now}, up for {uptime}");
    running.stop().await;
}

#[tokio::test]
async fn metrics_are_compressed_when_accepted() {
    let running = start(server(&[]));
    let response = client().get(running.url("/metrics")).header("Accept-Encoding", "gzip").send().await.unwrap();
    assert_eq!(response.headers()["content-encoding"], "gzip");
    let body = service::http::read_limited(response, 1 << 20).await.unwrap();
    assert_eq!(body[..2], [0x1f, 0x8b], "gzip's magic number");
    assert_eq!(running.get("/metrics").await.header("content-encoding"), "");
    running.stop().await;
}

#[tokio::test]
async fn health_and_readiness() {
    let running = start(server(&[]));
    let healthy = running.get("/-/healthy").await;
    assert_eq!((healthy.status, healthy.body.as_str()), (200, "OK\n"));
    assert_eq!(running.get("/-/ready").await.status, 200, "ready as soon as it serves");
    running.stop().await;

    let mut server = server(&[]);
    let readiness = server.readiness();
    let running = start(server);
    assert_eq!(running.get("/-/ready").await.status, 503);
    assert_eq!(running.get("/-/healthy").await.status, 200);
    readiness.set_ready(true);
    assert_eq!(running.get("/-/ready").await.status, 200);
    readiness.set_ready(false);
    assert_eq!(running.get("/-/ready").await.status, 503);
    running.stop().await;
}

#[tokio::test]
async fn head_has_headers_only_and_other_methods_are_405() {
    let running = start(server(&[]).landing(Landing::new("Title", "Text")).routes(routes()));
    for path in ["/", "/metrics", "/-/healthy", "/-/ready"] {
        let head = running.send(Method::HEAD, path).await;
        assert_eq!((head.status, head.body.as_str()), (200, ""), "{path}");
        assert_eq!(running.send(Method::DELETE, path).await.status, 405, "{path}");
    }
    running.send(Method::from_bytes(b"BREW").unwrap(), "/hello").await;
    running.wait_for("http_requests_total{handler=\"/hello\",method=\"other\",code=\"405\"}", 1.0).await;
    running.stop().await;
}

#[tokio::test]
async fn the_landing_page_is_exactly_the_root() {
    let running = start(server(&[]).landing(Landing::new("Title", "Text").link("/hello", "Hello")));
    let page = running.get("/").await;
    assert_eq!((page.status, page.header("content-type")), (200, "text/html; charset=utf-8"));
    assert!(
        page.body.contains("<h1>Title</h1>") && page.body.contains("<a href=\"/hello\">Hello</a>"),
        "{}",
        page.body
    );
    assert!(page.body.contains("test-server 1.2.3 abc"), "{}", page.body);
    assert_eq!(running.get("/index.html").await.status, 404);
    assert_eq!(running.get("/-/reload").await.status, 404, "nothing to reload");
    running.stop().await;
}

#[tokio::test]
async fn a_program_with_a_fallback_has_the_root_and_everything_unknown() {
    let fallback = axum::Router::new().fallback(async || "fallback");
    let running = start(server(&[]).routes(fallback));
    for path in ["/", "/api/v2/alerts"] {
        assert_eq!(running.get(path).await.body, "fallback", "{path}");
    }
    assert_eq!(running.get("/-/healthy").await.body, "OK\n");
    running.stop().await;
}

#[tokio::test]
async fn a_panic_is_a_500_and_the_server_goes_on() {
    let running = start(server(&[]).routes(routes()));
    assert_eq!(running.get("/panic").await.status, 500);
    running.wait_for("http_handler_panics_total", 1.0).await;
    running.wait_for("http_requests_total{handler=\"/panic\",method=\"GET\",code=\"500\"}", 1.0).await;
    running.stop().await;
}

#[tokio::test]
async fn several_addresses_are_served() {
    let server = server(&["--web.listen-address=127.0.0.1:0"]).routes(routes());
    let bound = server.bind().unwrap();
    let addresses = bound.addresses().to_vec();
    assert_eq!(addresses.len(), 2);
    let stop = tokio_util::sync::CancellationToken::new();
    let task = tokio::spawn(bound.run(stop.clone()));
    for address in addresses {
        let response = client().get(format!("http://{address}/hello")).send().await.unwrap();
        assert_eq!(response.status(), 200);
    }
    stop.cancel();
    task.await.unwrap().unwrap();
}
