//! What the pages show, and where their links lead.

use http::StatusCode;
use serde_json::{Value, json};

use crate::servers::{Servers, World};
use crate::world::{Page, WebUi};

pub(crate) fn alert(instance: &str, check: &str, severity: &str, silenced_by: &[&str]) -> Value {
    json!({
        "fingerprint": format!("{instance}{check}"),
        "labels": {"alertname": "Check", "job": "checkscript", "instance": instance, "check": check, "severity": severity},
        "annotations": {"output": format!("{check} <b>failed</b>"), "output_detail": "a\nb"},
        "startsAt": "2026-11-21T01:00:00.000Z", "updatedAt": "2026-11-21T01:01:00.000Z", "endsAt": "2026-11-21T01:05:00Z",
        "status": {"state": "active", "silencedBy": silenced_by, "inhibitedBy": [], "mutedBy": []},
        "receivers": [{"name": "mail"}], "generatorURL": "http://p/graph",
    })
}

fn silence(id: &str, state: &str, matchers: &Value) -> Value {
    json!({
        "id": id, "status": {"state": state}, "matchers": matchers, "createdBy": "ann", "comment": "works on it",
        "startsAt": "2026-11-21T00:00:00Z", "endsAt": "2026-11-21T09:00:00Z", "updatedAt": "2026-11-21T00:00:00Z",
    })
}

pub(crate) fn world() -> World {
    let web_1 = json!([{"name": "instance", "value": "web-1", "isRegex": false, "isEqual": true}]);
    World {
        nodes: vec![("web-1".into(), true), ("web-2".into(), true), ("db/1".into(), false)],
        checks: vec![
            ("web-1".into(), "disk".into(), 2),
            ("web-1".into(), "load".into(), 0),
            ("web-2".into(), "load".into(), 1),
        ],
        alerts: vec![alert("web-1", "disk", "critical", &["s1"]), alert("web-2", "load", "warning", &[])],
        silences: vec![silence("s1", "active", &web_1), silence("s2", "expired", &web_1)],
        ..World::default()
    }
}

pub(crate) fn config(clusters: &[(&str, &Servers)]) -> String {
    let cluster = |(name, servers): &(&str, &Servers)| {
        let url = format!("[{{url: \"http://{}\"}}]", servers.address);
        format!("- {{name: {name}, prometheus: {url}, alertmanagers: {url}}}\n")
    };
    let clusters: String = clusters.iter().map(cluster).collect();
    format!("clusters:\n{clusters}refresh: {{alerts: 100ms, nodes: 100ms}}\ntimeout: 1s\n")
}

/// One cluster that has been heard of.
pub(crate) async fn one() -> WebUi {
    let servers = Servers::start(world()).await;
    let web_ui = WebUi::start(&config(&[("tokyo", &servers)]));
    web_ui.until("/nodes", |page| page.texts("tbody tr").len() == 3).await;
    web_ui.until("/", |page| page.texts("tbody tr").len() == 2).await;
    web_ui
}

#[tokio::test]
async fn an_alert_leads_to_its_node_with_the_check_opened() {
    let web_ui = one().await;
    let alerts = web_ui.page("/").await;
    let rows = alerts.texts("tbody tr");
    assert!(
        rows[0].starts_with("Choose: tokyo, web-1, disk critical silenced tokyo web-1 disk disk <b>failed</b>"),
        "{rows:?}"
    );
    assert!(rows[1].contains(" warning tokyo web-2 load"), "{rows:?}");
    let node = web_ui.page(&alerts.attribute("tbody tr a.open", "href")).await;
    assert_eq!(node.texts("h1"), ["critical web-1 checkscript"]);
    let checks = node.texts(".checks li");
    assert!(checks[0].starts_with("CRITICAL disk") && checks[1].starts_with("OK load"), "the passing too: {checks:?}");
    assert_eq!(node.texts("pre.now"), ["CRITICAL: <script>alert(1)</script> same line"]);
    assert_eq!(node.texts(".difference .gone"), ["-OK: all fine"]);
    assert_eq!(node.texts(".difference .new"), ["+CRITICAL: <script>alert(1)</script>"]);
    assert!(node.texts(".history li")[1].contains("OK: all fine"));
    assert!(!node.text.contains("<script>alert") && !node.text.contains(['\u{1b}', '\u{202e}']));
    assert!(node.texts("p.note")[0].contains("Silenced by ann") && node.texts("p.note")[0].contains("works on it"));
}

/// An alert that is about no check leads to a page of its own, with all that Alertmanager knows of it.
#[tokio::test]
async fn an_alert_has_a_page_with_all_its_labels_and_annotations() {
    let mut other = alert("web-1", "", "page", &["s1"]);
    other["labels"]["team"] = json!("<i>db</i>");
    other["annotations"] = json!({
        "description": "one\n\u{1b}[31mtwo", "runbook_url": "https://wiki.example.com/db?a=1", "odd": "javascript:alert(1)",
        "long": "x".repeat(20_000),
    });
    let mut world = world();
    world.alerts.push(other);
    let servers = Servers::start(world).await;
    let web_ui = WebUi::start(&config(&[("tokyo", &servers)]));
    let list = web_ui.until("/", |page| page.texts("tbody tr").len() == 3).await;
    let links = list.attributes("td.name:nth-child(5) a, td.name:nth-child(6) a", &["href"]);
    assert!(links.iter().flatten().any(|link| link == "/alerts/tokyo/web-1"), "{links:?}");

    let page = web_ui.page("/alerts/tokyo/web-1").await;
    let values = page.texts("dd .said");
    assert!(values.contains(&"<i>db</i>".to_owned()) && values.contains(&"one two".to_owned()), "{values:?}");
    assert!(values.iter().any(|value| value.ends_with("[... 3616 bytes more ...]")), "{values:?}");
    let links = page.attributes("a.said", &["href", "rel"]);
    let web = |link: &str| vec![link.to_owned(), "noreferrer".to_owned()];
    assert_eq!(links, [web("https://wiki.example.com/db?a=1"), web("http://p/graph")]);
    assert_eq!(page.texts("header h1 .badge.critical"), ["page"]);
    assert!(page.texts(".told a")[0].starts_with("silenced by ann"), "{:?}", page.texts(".told a"));
    assert_eq!(web_ui.page("/alerts/tokyo/gone").await.status, StatusCode::NOT_FOUND);
}

/// Any label can be grouped by: those that there are are offered.
#[tokio::test]
async fn alerts_are_grouped_by_any_label() {
    let web_ui = one().await;
    let page = web_ui.page("/?severity=warning").await;
    let offered = page.attributes("datalist#labels option", &["value"]);
    assert_eq!(offered.concat(), ["alertname", "check", "instance", "job", "severity"]);
    let kept = page.attributes(".groupby form input[type=hidden]", &["name", "value"]);
    assert_eq!(kept, [["severity", "warning"]]);
    let page = web_ui.page("/?group=team").await;
    assert_eq!(page.attribute(".groupby input[name=group]", "value"), "team");
}

#[tokio::test]
async fn every_check_of_a_node_can_be_opened_and_one_that_fails_is() {
    let web_ui = one().await;
    let node = web_ui.page("/nodes/tokyo/checkscript/web-1").await;
    assert_eq!(node.texts("h2.opened"), ["disk"], "the worst");
    assert!(node.texts("dd").contains(&"5 min".to_owned()), "its interval: {:?}", node.texts("dd"));
    let load = web_ui.page(&node.attribute(".checks li.ok a", "href")).await;
    assert_eq!((load.texts("h2.opened"), load.texts("pre.now")), (vec!["load".into()], vec!["load is 0.1".into()]));
}

#[tokio::test]
async fn nodes_are_listed_by_their_worst_and_found() {
    let web_ui = one().await;
    let names = |page: &crate::world::Page| page.texts("td.name");
    let all = web_ui.page("/nodes").await;
    assert_eq!(names(&all), ["db/1", "web-1", "web-2"], "down, critical, warning");
    assert!(all.texts("tbody tr")[1].contains("silenced") && !all.texts("tbody tr")[2].contains("silenced"));
    assert_eq!(names(&web_ui.page("/nodes?sort=-node").await), ["web-2", "web-1", "db/1"]);
    assert_eq!(names(&web_ui.page("/nodes?filter=instance%3D~%22web.*%22&state=warning").await), ["web-2"]);
    assert_eq!(names(&web_ui.page("/nodes?find=DB").await), ["db/1"]);
    let second = web_ui.page("/nodes?limit=2&page=2").await;
    assert_eq!((names(&second), second.texts(".pages span")), (vec!["web-2".into()], vec!["2 of 2 · 3 in all".into()]));
    let down = web_ui.page(&all.attribute("tbody tr a.open", "href")).await;
    assert!(down.texts(".when")[0].starts_with("is down since 2020-09-13"), "{:?}", down.texts(".when"));
}

#[tokio::test]
async fn choices_count_what_they_would_show() {
    let web_ui = one().await;
    let page = web_ui.page("/?severity=critical&told=silenced").await;
    assert_eq!(page.texts("tbody tr").len(), 1);
    let choices = page.texts(".choice");
    for want in ["critical 1", "warning 0", "active 0", "silenced 1"] {
        assert!(choices.contains(&want.to_owned()), "{want}: {choices:?}");
    }
    let groups = web_ui.page("/?group=instance").await;
    assert_eq!(groups.texts("tbody tr"), ["web-1 1", "web-2 1"]);
    let one = web_ui.page(&groups.attribute("tbody tr a", "href")).await;
    assert_eq!(one.texts("tbody tr").len(), 1);
}

#[tokio::test]
async fn checks_and_silences_are_listed() {
    let web_ui = one().await;
    let counts = web_ui.page("/checks").await.texts("tbody tr td.number");
    assert_eq!(counts[..5], ["CRITICAL 1", "UNKNOWN 0", "WARNING 0", "OK 0", "stale 0"]);
    assert_eq!(counts[5..], ["CRITICAL 0", "UNKNOWN 0", "WARNING 1", "OK 0", "stale 0"]);
    let silences = web_ui.page("/silences").await;
    let rows = silences.texts("tbody tr");
    assert!(
        rows.len() == 1
            && rows[0].contains("active tokyo everything on web-1 instance=\"web-1\" works on it ann Mutes 1"),
        "{rows:?}"
    );
    assert_eq!(web_ui.page("/silences?state=expired").await.texts("tbody tr").len(), 1);
}

#[tokio::test]
async fn a_severity_is_painted_by_what_it_means_and_is_never_a_class_itself() {
    let colored = {
        let mut alert = alert("web-1", "disk", "page", &[]);
        alert["annotations"]["output"] = json!("\u{1b}[31mred\u{1b}[0m alert");
        alert
    };
    let servers = Servers::start(World {
        alerts: vec![colored, alert("web-1", "", "hidden phone", &[]), alert("db-/1.example.org", "load", "none", &[])],
        silences: vec![],
        ..world()
    });
    let servers = servers.await;
    let web_ui = WebUi::start(&config(&[("tokyo", &servers), ("hidden", &servers)]));
    let is_whole = |page: &Page| (page.texts("tbody tr").len(), page.texts("td.name a.open").len()) == (3, 2);
    let page = web_ui.until("/?cluster=tokyo&sort=severity", is_whole).await;
    let classes = |selector| page.attributes(selector, &["class"]).concat();
    assert_eq!(classes("tbody tr"), ["critical active", "other active", "other active"]);
    assert_eq!(classes("tbody .badge"), ["badge critical", "badge other", "badge other"]);
    for class in classes(".choice") {
        assert!(!["hidden", "phone", "none"].iter().any(|word| class.split(' ').any(|one| one == *word)), "{class}");
    }
    assert_eq!(
        page.texts("td.output")[0],
        "red alert",
        "what only a terminal reads is gone, and no trace of it is there"
    );
    assert_eq!(page.texts("td.name > span:first-child"), ["db-/1.example.org"], "a name without a page, too");
    let node = web_ui.until("/nodes/tokyo/checkscript/web-1", |page| page.texts(".checks .badge").len() == 3).await;
    assert_eq!(node.attributes(".checks ul + h2 + ul li", &["class"]).concat(), ["other"]);
}

#[tokio::test]
async fn programs_are_given_the_same() {
    let web_ui = one().await;
    let alerts = web_ui.json("/api/v1/alerts?severity=critical").await;
    assert_eq!((&alerts["total"], &alerts["rows"][0]["told"]), (&json!(1), &json!("silenced")));
    let node = web_ui.json("/api/v1/nodes/tokyo/checkscript/web-1").await;
    assert_eq!(node["node"]["state"], "critical");
    assert_eq!(node["checks"].as_array().unwrap().len(), 2);
    let refused = web_ui.page("/api/v1/nodes?page=x").await;
    assert_eq!(
        (refused.status, refused.text.as_str()),
        (StatusCode::BAD_REQUEST, "{\"error\":\"page: `x` is not a whole number from 1 up\"}")
    );
}

#[tokio::test]
async fn what_cannot_be_understood_is_told_beside_its_field() {
    let web_ui = one().await;
    for (path, says, field) in [
        ("/?sort=colour&find=a", "sort: `colour` is not a column", "search"),
        ("/?limit=x&find=a", "limit: `x` is not a whole number", "search"),
        ("/?filter=a%3D~(&find=a&severity=critical", "filter: `(` cannot be used as a regular expression", "filter"),
        ("/?group=job&filter=a%3D~(&find=a", "filter: `(` cannot be used as a regular expression", "filter"),
        ("/nodes?filter=a%3D~(&find=a", "filter: `(` cannot be used as a regular expression", "filter"),
        ("/checks?filter=a%3D~(&find=a", "filter: `(` cannot be used as a regular expression", "filter"),
        ("/checks/disk?filter=a%3D~(&find=a", "filter: `(` cannot be used as a regular expression", "filter"),
        ("/silences?filter=a%3D~(&find=a", "filter: `(` cannot be used as a regular expression", "search"),
    ] {
        let page = web_ui.page(path).await;
        assert_eq!(page.status, StatusCode::BAD_REQUEST, "{path}");
        assert!(page.texts("#wrong")[0].contains(says), "{path}: {:?}", page.texts("#wrong"));
        assert_eq!(page.attribute("input[name=find]", "value"), "a", "what was typed is still there");
        assert!(page.texts("#rows, .exports").is_empty(), "nobody takes other rows for those that were asked for");
        if field == "filter" {
            let input = "input[name=filter][aria-invalid=true][aria-describedby=wrong]";
            assert_eq!(page.attribute(input, "value"), "a=~(", "{path}");
        }
        assert!(page.texts("input[type=hidden][name=sort]").is_empty() || !says.starts_with("sort"), "{path}");
    }
    let page = web_ui.page("/?filter=a%3D~(&severity=critical").await;
    assert_eq!(page.texts(".choices[aria-label=Severity] [aria-current]").len(), 1, "what was chosen still is");
}

#[tokio::test]
async fn what_is_not_there_is_said() {
    let web_ui = one().await;
    for (path, status, says) in [
        ("/nowhere", StatusCode::NOT_FOUND, "There is no such page."),
        ("/nodes/tokyo/checkscript/gone", StatusCode::NOT_FOUND, "No such node"),
        ("/nodes/kyoto/checkscript/web-1", StatusCode::NOT_FOUND, "No such node"),
    ] {
        let page = web_ui.page(path).await;
        assert_eq!(page.status, status, "{path}");
        assert!(page.texts(".nothing")[0].contains(says), "{path}: {:?}", page.texts(".nothing"));
    }
    let nothing = web_ui.page_in("/?find=nothing%20at%20all", "ja,en").await;
    assert!(nothing.texts(".nothing")[0].starts_with("該当するものはありません。"));
}
