//! Lists as files: what is downloaded is what the page shows.

use e2e::{Member, post_json};
use jiff::{Timestamp, ToSpan as _};
use serde_json::{Value, json};

use super::{no_complaints, world};

#[tokio::test]
async fn what_a_page_shows_can_be_downloaded() {
    let (world, browser, _data) = world().await;
    world.tokyo.set_check(0, "check_disk", 2, "CheckDisk CRITICAL: 97% full").unwrap();
    world.tokyo.set_check(1, "check_disk", 2, "CheckDisk CRITICAL: 98% full").unwrap();
    world.tokyo.set_check(1, "check_memory", 1, "CheckMemory WARNING: little").unwrap();
    world.osaka.set_check(0, "check_http", 2, "CheckHttp CRITICAL: refused").unwrap();
    for (name, comment) in [("web-1", "a new disk"), ("web-2", "moved")] {
        let (now, matcher) = (Timestamp::now(), json!({"name": "host", "value": name, "isRegex": false}));
        let silence = json!({
            "matchers": [matcher], "createdBy": "hanako", "comment": comment,
            "startsAt": now.to_string(), "endsAt": now.checked_add(1.hours()).unwrap().to_string(),
        });
        let url = format!("{}/api/v2/silences", world.tokyo.url(Member::Alertmanager(0)));
        post_json(&url, &silence).await.unwrap();
    }
    let nodes = [0, 1].map(|node| world.tokyo.instance(node));
    // Which page, where it says what its rows are, and what it shows so narrowed.
    let outputs = ["CheckDisk CRITICAL: 97% full", "CheckDisk CRITICAL: 98% full"];
    for (page, css, shown) in [
        ("/?filter=check%3D%22check_disk%22&severity=critical&sort=-node", "td.output", &outputs[..]),
        ("/nodes?state=critical&cluster=tokyo", "a.open", &[&nodes[0], &nodes[1]]),
        ("/checks?find=disk", "a.open", &["check_disk"]),
        ("/silences?find=disk", "td:nth-child(5)", &["a new disk"]),
    ] {
        browser.open(&world.page(page)).await.unwrap();
        let css = format!("#rows tbody {css}");
        for row in shown {
            browser.see(&css, row).await.unwrap();
        }
        let rows = browser.texts(&css).await.unwrap();
        assert_eq!(rows.len(), shown.len(), "{page}: {rows:?}");
        let list = page.trim_start_matches('/').split('?').next().filter(|name| !name.is_empty()).unwrap_or("alerts");

        let (name, csv) = browser.download(".exports a", "CSV").await.unwrap();
        assert!(name.starts_with(&format!("{list}-")) && name.ends_with(".csv"), "{name}");
        let lines: Vec<_> = csv.lines().skip(1).collect();
        assert!(are(&lines, &rows), "{page} shows {rows:?}; {csv}");

        let (name, text) = browser.download(".exports a", "JSON").await.unwrap();
        assert!(name.starts_with(&format!("{list}-")) && name.ends_with(".json"), "{name}");
        let json: Value = serde_json::from_str(&text).unwrap();
        let lines: Vec<_> = json["rows"].as_array().unwrap().iter().map(Value::to_string).collect();
        assert!(are(&lines, &rows) && json["total"] == rows.len(), "{page} shows {rows:?}; {text}");
    }
    no_complaints(&browser).await;
}

/// Whether each line has what its row shows, in the same order.
fn are(lines: &[impl AsRef<str>], rows: &[String]) -> bool {
    lines.len() == rows.len() && lines.iter().zip(rows).all(|(line, row)| line.as_ref().contains(row))
}
