//! What nodes say is anybody's: every page shows it as text, and no page gets large by it.

use serde_json::{Value, json};

use crate::pages::alert;
use crate::servers::{Servers, World};
use crate::world::WebUi;

const HOSTILE: &str = "<script>alert(1)</script>\"'&{{7*7}} \u{1b}[31mred\u{1b}[0m \u{202e}txt.exe\u{2066} nul\u{0}bell\u{7} \u{76e3}\u{8996}/../%2e%2e";

fn world() -> World {
    let (instance, check) = (format!("i{HOSTILE}"), format!("c{HOSTILE}"));
    let mut fired = alert(&instance, &check, "critical", &["s1"]);
    let long = format!("{HOSTILE}{}\n{HOSTILE}", "x".repeat(1 << 20));
    for part in ["labels", "annotations"] {
        fired[part]["summary"] = json!(HOSTILE);
    }
    fired["fingerprint"] = json!("f1");
    fired["annotations"]["output"] = json!(long);
    fired["annotations"]["output_detail"] = json!(long);
    fired["labels"][format!("l{HOSTILE}")] = json!(HOSTILE);
    let alone = {
        let mut alone = alert(&instance, "", "warning", &[]);
        alone["annotations"]["output"] = json!(long);
        alone["labels"]["alertname"] = json!(HOSTILE);
        alone["labels"]["severity"] = json!(HOSTILE);
        alone
    };
    let matcher = json!([{"name": "instance", "value": instance, "isRegex": false, "isEqual": true}]);
    let silence = json!({
        "id": "s1", "status": {"state": "active"}, "matchers": matcher, "createdBy": HOSTILE, "comment": long,
        "startsAt": "2026-11-21T00:00:00Z", "endsAt": "2026-11-21T09:00:00Z", "updatedAt": "2026-11-21T00:00:00Z",
    });
    World {
        nodes: vec![(instance.clone(), true)],
        checks: vec![(instance.clone(), check, 2), (instance, "wrong".into(), i64::MAX)],
        alerts: vec![fired, alone],
        silences: vec![silence],
        warning: Some(HOSTILE),
        ..World::default()
    }
}

#[tokio::test]
async fn whatever_nodes_say_is_text_on_every_page() {
    let servers = Servers::start(world()).await;
    let url = format!("[{{url: \"http://{}\"}}]", servers.address);
    let web_ui = WebUi::start(&format!(
        "clusters: [{{name: tokyo, prometheus: {url}, alertmanagers: {url}}}]\n\
         refresh: {{alerts: 100ms, nodes: 100ms}}\ntimeout: 60s\n"
    ));
    let nodes = web_ui.until("/nodes", |page| page.texts("tbody tr").len() == 1).await;
    web_ui.until("/", |page| page.texts("tbody tr").len() == 2).await;
    let checks = web_ui.until("/checks", |page| page.texts("tbody tr").len() == 2).await;
    let node = nodes.attribute("td.name a", "href");
    let check = checks.attribute("td.name a", "href");
    let opened = web_ui.page(&check).await.attribute("td.name a", "href");
    let find = "find=%3Cscript%3Ealert(1)%3C/script%3E%1b%e2%80%ae";
    let pages = [
        "/".to_owned(),
        format!("/?{find}"),
        format!("/?filter=%3Cscript%3E&{find}"),
        "/?group=summary".into(),
        format!("/?sort={find}"),
        "/nodes".into(),
        node.clone(),
        opened.clone(),
        format!("{node}?check=wrong&range=7d"),
        format!("{node}?check=%3Cscript%3Ealert(1)%3C/script%3E"),
        "/checks".into(),
        check.clone(),
        "/silences".into(),
        "/silences/tokyo/s1".into(),
        "/silences/new?alert=tokyo/f1".into(),
        format!("/silences/new?comment={find}&filter=a%3D%3Cscript%3E"),
        "/%3Cscript%3Ealert(1)%3C/script%3E".into(),
    ];
    for path in pages {
        let page = web_ui.page(&path).await;
        assert!(page.status.as_u16() < 500, "{path}: {}", page.status);
        assert!(page.text.len() < 600 << 10, "{path}: {} bytes", page.text.len());
        assert!(!page.text.contains("<script>alert"), "{path}");
        let bare: Vec<_> = page.text.chars().filter(|c| is_active(*c)).collect();
        assert!(bare.is_empty(), "{path}: {bare:?}");
    }
    let query = check.trim_start_matches("/checks/");
    for path in [
        "/api/v1/alerts".to_owned(),
        "/api/v1/nodes".into(),
        format!("/api/v1{node}"),
        format!("/api/v1{node}/history?check={query}"),
        "/api/v1/checks".into(),
        format!("/api/v1{check}"),
        "/api/v1/silences".into(),
        "/api/v1/clusters".into(),
    ] {
        let page = web_ui.page(&path).await;
        assert_eq!(page.status, 200, "{path}: {}", page.text);
        serde_json::from_str::<Value>(&page.text).unwrap();
    }
    assert!(web_ui.page("/metrics").await.status.is_success());
}

/// What a browser or a terminal would do something with.
fn is_active(c: char) -> bool {
    (c.is_control() && !matches!(c, '\n' | '\t' | '\r'))
        || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}
