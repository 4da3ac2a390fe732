//! The pages over a real socket, read back by an HTML parser.

use std::sync::Arc;

use check_result::api::{Entry, Labels};
use check_result::log::LoggedResult;
use check_result::pages::{Site, router};
use check_result::{CheckResult, CheckState, HistoryLimits};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use reqwest::StatusCode;
use scraper::{Html, Selector};
use serde_json::{Value, json};

use crate::api::{Server, Store, client, entry, object};

/// Text that ends every context of HTML that an output could stand in, if it got there unescaped.
const HOSTILE: &str = "\"'><script>alert(1)</script><img src=x onerror=alert(2)>&lt;</pre></title>{{7*7}}";

async fn serve(checks: Vec<Entry>) -> Server {
    let site = Site { name: "checkscript-agent", version: "1.2.3", time_zone: TimeZone::UTC };
    Server::start(router(Arc::new(Store(checks)), site)).await
}

fn some() -> Vec<Entry> {
    vec![
        entry("disk", None, &[(0, "DISK OK\n"), (2, "DISK CRITICAL: / 99%\nmore\n"), (2, "DISK CRITICAL: / 100%\n")]),
        entry("aaa", None, &[(0, "fine")]),
        entry("ping", Some("router-a"), &[(1, "PING WARNING\n")]),
        entry("bgp", Some("router-a"), &[(0, "")]),
        entry("bgp", Some("router-b"), &[(127, "sh: not found")]),
    ]
}

/// A check whose last result, logged now, has these attributes.
fn with(attributes: Value) -> Entry {
    let mut check =
        object(json!({"name": "disk", "output": "x", "status": 1, "executed": Timestamp::now().as_second()}));
    check.extend(object(attributes));
    let result = CheckResult::new("web-1", check).unwrap();
    let labels = Labels::from([("check".to_owned(), result.name().to_owned())]);
    let state = CheckState::new(LoggedResult { logged: Timestamp::now(), result }, &HistoryLimits::default());
    Entry { labels, state: Arc::new(state), client_attributes: None, expiry: None }
}

struct Page(Html);

impl Page {
    async fn get(server: &Server, path: &str) -> Self {
        let (status, body) = server.get(path, "text/html").await;
        assert_eq!(status, StatusCode::OK, "{path}: {body}");
        Self::parse(&body)
    }

    fn parse(body: &str) -> Self {
        let html = Html::parse_document(body);
        assert_eq!(html.errors, Vec::<String>::new(), "{body}");
        Self(html)
    }

    /// The texts of what the selector finds, each with its white space squeezed.
    fn texts(&self, selector: &str) -> Vec<String> {
        let selector = Selector::parse(selector).unwrap();
        let text = |element: scraper::ElementRef<'_>| element.text().collect::<String>();
        self.0.select(&selector).map(|e| text(e).split_whitespace().collect::<Vec<_>>().join(" ")).collect()
    }

    fn attributes(&self, selector: &str, name: &str) -> Vec<String> {
        let selector = Selector::parse(selector).unwrap();
        self.0.select(&selector).filter_map(|element| element.attr(name).map(str::to_owned)).collect()
    }
}

#[tokio::test]
async fn the_list_shows_the_worst_first_with_word_and_sign() {
    let server = serve(some()).await;
    let page = Page::get(&server, "/").await;
    assert_eq!(page.texts("td.status"), ["× CRITICAL", "! WARNING", "? UNKNOWN", "✓ OK", "✓ OK"]);
    assert_eq!(page.texts("td.check"), ["disk", "ping", "bgp", "aaa", "bgp"]);
    assert_eq!(page.texts("td.source"), ["", "router-a", "router-b", "", "router-a"]);
    assert_eq!(page.texts("td.output")[0], "DISK CRITICAL: / 100%");
    assert_eq!(page.texts("td.count"), ["2", "1", "1", "1", "1"]);
    assert_eq!(page.texts(".tab"), ["All 5", "Problems 3", "CRITICAL 1", "WARNING 1", "UNKNOWN 1", "OK 2"]);
    assert_eq!(page.attributes("td.since time", "datetime")[0], "1970-01-01T00:01:41Z");
    assert_eq!((page.texts("h1"), page.texts(".client")), (vec!["web-1".to_owned()], vec!["10.0.0.1".to_owned()]));
    assert_eq!(page.texts("title"), ["web-1: checks"]);
}

#[tokio::test]
async fn filters_are_links_and_keep_each_other() {
    let server = serve(some()).await;
    let page = Page::get(&server, "/?status=ok&find=BG&source=router-a&refresh=1").await;
    assert_eq!(page.texts("td.check"), ["bgp"]);
    assert_eq!(page.texts(".tab"), ["All 1", "Problems 0", "CRITICAL 0", "WARNING 0", "UNKNOWN 0", "OK 1"]);
    assert_eq!(page.texts("[aria-current]"), ["OK 1"]);
    assert_eq!(page.attributes(".tab", "href")[2], "./?status=critical&find=BG&refresh=5&source=router-a");
    assert_eq!(page.attributes("meta[http-equiv=refresh]", "content"), ["5"], "no faster than that");
    assert_eq!(page.attributes(".refresh", "href"), ["./?status=ok&find=BG&source=router-a"]);
    assert_eq!(page.attributes("input", "value"), ["OK", "router-a", "5", "BG"], "{:?}", page.texts("form"));
    for (query, checks) in [
        ("?status=warning,critical", &["disk", "ping"][..]),
        ("?find=not%20FOUND", &["bgp"]),
        ("?find=router-a&status=ok", &["bgp"]),
        ("?source=", &["disk", "aaa"]),
        ("?find=nothing-like-it", &[]),
        ("?page=7", &["disk", "ping", "bgp", "aaa", "bgp"]),
    ] {
        assert_eq!(Page::get(&server, &format!("/{query}")).await.texts("td.check"), checks, "{query}");
    }
    for bad in ["?status=bad", "?page=x", "?refresh=-1"] {
        assert_eq!(server.get(&format!("/{bad}"), "text/html").await.0, StatusCode::BAD_REQUEST, "{bad}");
    }
}

#[tokio::test]
async fn every_link_of_the_list_leads_to_its_check() {
    let server = serve(some()).await;
    let page = Page::get(&server, "/").await;
    let links = page.attributes("td.check a", "href");
    for (link, title) in
        links.iter().zip(["CRITICAL: disk", "WARNING: ping of router-a", "UNKNOWN: bgp of router-b", "OK: aaa"])
    {
        let path = link.strip_prefix('.').unwrap();
        assert_eq!(Page::get(&server, path).await.texts("title"), [title], "{link}");
    }
}

#[tokio::test]
async fn a_thousand_checks_are_two_pages() {
    let checks = (0..1000).map(|n| entry(&format!("check-{n:03}"), None, &[(0, "fine")])).collect();
    let server = serve(checks).await;
    let first = Page::get(&server, "/").await;
    assert_eq!((first.texts("tbody tr").len(), first.texts(".pages span")), (500, vec!["1 to 500 of 1000".to_owned()]));
    let next = first.attributes("a[rel=next]", "href");
    let second = Page::get(&server, next[0].strip_prefix('.').unwrap()).await;
    assert_eq!((second.texts("td.check").len(), second.texts("td.check")[0].as_str()), (500, "check-500"));
    assert_eq!(
        (second.attributes("a[rel=next]", "href").len(), second.attributes("a[rel=prev]", "href").len()),
        (0, 1)
    );
}

#[tokio::test]
async fn a_check_shows_output_definition_hooks_history_and_its_neighbours() {
    let mut checks = some();
    checks.push(with(json!({"name": "full", "command": "check-disk -w 80", "interval": 60, "ttl": 180, "occurrences": 3,
        "handlers": ["mailer", "slack"], "output": "first\nsecond\n", "custom": {"nested": [1, {"a": null}]},
        "list": ["a", "b"], "playbook": "https://wiki/x?a=1&b=2", "trap": "javascript:alert(1)", "number": 1.5,
        "hooks": {"critical": {"command": "df -h", "output": "Filesystem\n/dev/sda1\n", "status": 0}, "ok": {"command": "true"}}})));
    let server = serve(checks).await;
    let page = Page::get(&server, "/checks/full").await;
    assert_eq!(page.texts(".now pre"), ["first second"]);
    assert_eq!(page.texts("pre.command"), ["check-disk -w 80"]);
    assert_eq!(page.texts(".hook h3"), ["critical df -h exit status 0", "ok true not run with this result"]);
    assert_eq!(page.texts(".hook pre"), ["Filesystem /dev/sda1"]);
    let (names, values) = (page.texts("dt"), page.texts("dd"));
    let value = |name: &str| values[names.iter().position(|known| known == name).unwrap()].as_str();
    for (name, expected) in [
        ("Occurrences", "1 of 3 (alerts from 3)"),
        ("Interval", "60 s"),
        ("TTL", "180 s"),
        ("Handlers", "mailer, slack"),
        ("Client", "web-1"),
        ("custom", "{ \"nested\": [ 1, { \"a\": null } ] }"),
        ("list", "a, b"),
        ("number", "1.5"),
    ] {
        assert_eq!(value(name), expected, "{name}");
    }
    assert_eq!(page.attributes("dd a", "href"), ["https://wiki/x?a=1&b=2"], "no other scheme is followed");
    assert_eq!(page.texts(".neighbours a"), ["disk", "router-a/ping", "router-b/bgp"]);
    assert_eq!(page.attributes("aside p a", "href"), ["../api/v1/checks/full", "../api/v1/checks/full/history"]);
}

#[tokio::test]
async fn history_shows_the_course_of_the_output() {
    let course = [(0, "OK\n"), (0, "OK\n"), (1, "80%\n"), (2, "90%\nwhy\n"), (2, "95%\nwhy\n"), (127, "")];
    let server = serve(vec![entry("disk", None, &course)]).await;
    let page = Page::get(&server, "/checks/disk").await;
    let badges = ["? UNKNOWN", "× CRITICAL", "× CRITICAL", "! WARNING", "✓ OK", "✓ OK"];
    assert_eq!(page.texts(".history .badge"), badges);
    assert_eq!(page.texts(".history .line"), ["", "95%", "90%", "80%", "same output", "OK"]);
    assert_eq!(page.texts(".history details pre"), ["95% why", "90% why"], "what one line says needs no opening");
    assert_eq!(page.texts(".history li.changed").len(), 4);
}

#[tokio::test]
async fn a_check_without_news_is_late() {
    let old = Timestamp::now() - jiff::SignedDuration::from_secs(200);
    let late = |attributes| {
        let mut entry = with(attributes);
        let result = entry.state.latest().clone();
        entry.state = Arc::new(CheckState::new(LoggedResult { logged: old, result }, &HistoryLimits::default()));
        entry
    };
    let checks = vec![
        late(json!({"name": "a-interval", "interval": 60})),
        late(json!({"name": "b-ttl", "interval": 3600, "ttl": 180})),
        late(json!({"name": "c-slow", "interval": 120})),
        with(json!({"name": "d-new", "interval": 60, "ttl": 180})),
    ];
    let server = serve(checks).await;
    let page = Page::get(&server, "/").await;
    assert_eq!(page.attributes("td .late", "title"), ["older than three of its intervals", "older than its ttl"]);
    assert_eq!(Page::get(&server, "/checks/b-ttl").await.texts(".late"), ["late: older than its ttl"]);
    assert_eq!(Page::get(&server, "/checks/d-new").await.texts(".late"), Vec::<String>::new());
}

#[tokio::test]
async fn nothing_that_a_result_says_becomes_markup() {
    let mut hostile = with(json!({"name": HOSTILE, "output": HOSTILE, "command": HOSTILE, "source": HOSTILE,
        "handlers": [HOSTILE], "type": HOSTILE, HOSTILE: HOSTILE, "nested": {HOSTILE: [HOSTILE]},
        "hooks": {HOSTILE: {"command": HOSTILE, "output": HOSTILE}}}));
    hostile.labels.insert("source".to_owned(), HOSTILE.to_owned());
    hostile.labels.insert("job".to_owned(), HOSTILE.to_owned());
    hostile.client_attributes =
        Some(Arc::new(object(json!({"address": HOSTILE, "subscriptions": [HOSTILE, HOSTILE]}))));
    let server = serve(vec![hostile]).await;
    let list = Page::get(&server, "/").await;
    let squeezed = HOSTILE.split_whitespace().collect::<Vec<_>>().join(" ");
    assert_eq!((list.texts("td.output"), list.texts("td.source")), (vec![squeezed.clone()], vec![squeezed.clone()]));
    let link = list.attributes("td.check a", "href").remove(0);
    let check = Page::get(&server, link.strip_prefix('.').unwrap()).await;
    assert_eq!((check.texts(".now pre"), check.texts(".hook pre")), (vec![squeezed.clone()], vec![squeezed]));
    let encoded: String = HOSTILE.bytes().map(|byte| format!("%{byte:02x}")).collect();
    let mut pages = vec![list, check];
    for path in
        [format!("/?find={encoded}&x={encoded}"), format!("/checks/{encoded}?x={encoded}"), format!("/{encoded}")]
    {
        pages.push(Page::parse(&server.get(&path, "text/html").await.1));
    }
    for page in pages {
        for tag in ["script", "img", "[onerror]", "iframe", "style", "object"] {
            assert_eq!(page.texts(tag), Vec::<String>::new(), "{tag}");
        }
    }
}

#[tokio::test]
async fn outputs_are_shown_without_what_a_terminal_does_and_without_text_in_another_direction() {
    const DIRTY: &str = "\u{1b}[31mfull\u{1b}[0m\u{7} \u{202e}txt.exe\nmore\u{2066}\n";
    let checks = vec![
        with(json!({"output": DIRTY, "command": DIRTY, "notes": DIRTY, "list": [DIRTY], "nested": {"x": {"y": DIRTY}},
            "hooks": {"ok": {"command": DIRTY, "output": DIRTY}}})),
        entry("load", None, &[(0, "x"), (2, DIRTY)]),
    ];
    let server = serve(checks).await;
    for (path, times) in [("/", 2), ("/checks/disk", 7), ("/checks/load", 3)] {
        let (status, body) = server.get(path, "text/html").await;
        assert_eq!(
            (status, body.contains(['\u{1b}', '\u{7}', '\u{202e}', '\u{2066}'])),
            (StatusCode::OK, false),
            "{body}"
        );
        assert!(body.matches("full txt.exe").count() >= times, "{path}: {body}");
    }
}

#[tokio::test]
async fn the_first_line_is_the_first_that_is_seen() {
    let course = [(0, "OK\n"), (2, "\u{1b}[0m\nCRITICAL full\nwhy\n")];
    let server = serve(vec![entry("disk", None, &course)]).await;
    for path in ["/", "/?find=critical+full"] {
        let list = Page::get(&server, path).await;
        assert!(list.texts("td.output") == ["CRITICAL full"], "{path}");
    }
    let page = Page::get(&server, "/checks/disk").await;
    assert_eq!(page.texts(".history .line"), ["CRITICAL full", "OK"]);
}

#[tokio::test]
async fn refusals_are_pages_for_browsers_and_json_for_others() {
    let server = serve(some()).await;
    for (path, status, says) in [
        ("/checks/none", StatusCode::NOT_FOUND, "no result of a check with check=none is known here"),
        ("/checks/bgp", StatusCode::CONFLICT, "2 checks match"),
        ("/checks/%ff", StatusCode::BAD_REQUEST, "UTF-8"),
        ("/checks/down", StatusCode::SERVICE_UNAVAILABLE, "the store is away"),
        ("/nowhere/at/all", StatusCode::NOT_FOUND, "there is no such page"),
        ("/checks/..%2f..%2fetc%2fpasswd", StatusCode::NOT_FOUND, "no result of a check"),
    ] {
        let (got, body) = server.get(path, "text/html,*/*;q=0.8").await;
        let page = Page::parse(&body);
        assert_eq!(got, status, "{path}");
        assert!(page.texts(".note")[0].contains(says), "{path}: {body}");
        let (got, body) = server.get(path, "*/*").await;
        assert_eq!(got, status, "{path}");
        assert!(serde_json::from_str::<Value>(&body).unwrap()["error"].as_str().unwrap().contains(says), "{path}");
    }
    let conflict = Page::parse(&server.get("/checks/bgp", "text/html").await.1);
    assert_eq!(conflict.attributes("li a", "href"), ["../checks/bgp?source=router-a", "../checks/bgp?source=router-b"]);
}

#[tokio::test]
async fn pages_load_nothing_but_their_own_style() {
    let server = serve(some()).await;
    for path in ["/", "/checks/disk", "/nowhere"] {
        let response = client().get(server.url(path)).header("Accept", "text/html").send().await.unwrap();
        let policy = response.headers()["content-security-policy"].to_str().unwrap();
        assert!(policy.starts_with("default-src 'none'; style-src 'self';") && !policy.contains("unsafe"), "{policy}");
        assert_eq!(response.headers()["x-content-type-options"], "nosniff");
        assert_eq!(response.headers()["cache-control"], "no-cache");
    }
    let page = Page::get(&server, "/checks/disk").await;
    assert_eq!(page.attributes("link", "href"), ["../style.css"]);
    assert_eq!(page.attributes("[style]", "style"), Vec::<String>::new());
    let style = client().get(server.url("/style.css")).send().await.unwrap();
    assert_eq!(style.headers()["content-type"], "text/css; charset=utf-8");
    let known = client().get(server.url("/style.css")).header("If-None-Match", style.headers()["etag"].clone());
    assert_eq!(known.send().await.unwrap().status(), StatusCode::NOT_MODIFIED);
}

#[tokio::test]
async fn a_node_without_results_says_so() {
    let server = serve(Vec::new()).await;
    let page = Page::get(&server, "/").await;
    assert_eq!(page.texts(".nothing"), ["No result has been seen yet."]);
}
