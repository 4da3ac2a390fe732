//! What people do with rows: choose them, silence them, take them home as a file.

use std::io::Read as _;

use flate2::read::GzDecoder;
use http::header::CONTENT_TYPE;
use http::{Method, StatusCode};
use serde_json::json;
use service::http::read_limited;

use crate::pages::{alert, config, one, world};
use crate::servers::Servers;
use crate::world::WebUi;

#[tokio::test]
async fn rows_are_chosen_in_a_form_that_needs_no_script() {
    let web_ui = one().await;
    for (path, names) in [
        ("/", vec![("alert", "tokyo/web-1disk"), ("alert", "tokyo/web-2load")]),
        ("/nodes?sort=node", vec![("node", "tokyo/checkscript/db%2F1"), ("node", "tokyo/checkscript/web-1")]),
        ("/checks", vec![("check", "disk"), ("check", "load")]),
    ] {
        let page = web_ui.page(path).await;
        let form = page.attributes("form#picking", &["method", "action"]);
        assert_eq!(form, [["post", "/silences/new"]], "{path}: what is chosen would be too long for an address");
        let boxes = page.attributes("form#picking td.pick input[type=checkbox]", &["name", "value"]);
        let boxes: Vec<_> = boxes.iter().map(|each| (&*each[0], &*each[1])).collect();
        assert_eq!(boxes[..names.len()], names[..], "{path}");
        let (name, value) = names[0];
        let link = page.attribute("tr td.act a.silence", "href");
        let asked = url::Url::parse("http://x").unwrap().join(&link).unwrap();
        assert_eq!(
            asked.query_pairs().collect::<Vec<_>>(),
            [(name.into(), value.into())],
            "one row by its link: {link}"
        );
    }
    let labels = web_ui.page("/").await.texts("td.pick label");
    assert_eq!(labels, ["Choose: tokyo, web-1, disk", "Choose: tokyo, web-2, load"], "said to a screen reader");
    let narrowed = web_ui.page("/checks?cluster=tokyo").await;
    assert_eq!(narrowed.attribute("#picking input[type=hidden]", "value"), "tokyo", "only where the page looks");
}

#[tokio::test]
async fn what_is_chosen_in_a_list_opens_the_form_however_much_it_is() {
    let web_ui = one().await;
    let node = |index: usize| format!("node=tokyo%2Fcheckscript%2Fweb-{index:03}.{}.example.org", "x".repeat(200));
    let body = (0..400).map(node).collect::<Vec<_>>().join("&") + "&cluster=tokyo";
    assert!(body.len() > 65_535, "longer than any address");
    let request =
        web_ui.request(Method::POST, "/silences/new").header(CONTENT_TYPE, "application/x-www-form-urlencoded");
    let page = web_ui.answer(request.body(body)).await;
    assert_eq!((page.status, page.attributes("input[name=target]", &["value"]).len()), (StatusCode::OK, 400));
    assert_eq!(page.attributes("form.silence input[name=cluster]", &["value"]), [["tokyo"]]);
}

#[tokio::test]
async fn everything_that_matches_can_be_silenced_where_matchers_say_what_that_is() {
    let web_ui = one().await;
    for (path, filter) in [
        ("/?filter=instance%3Dweb-1", Some("instance=web-1")),
        ("/?filter=instance%3Dweb-1&severity=critical", Some("instance=\"web-1\", severity=\"critical\"")),
        ("/?severity=critical,warning&cluster=tokyo", Some("severity=~\"critical|warning\"")),
        ("/nodes?filter=instance%3D~web.%2A", Some("instance=~web.*")),
        ("/", None),
        ("/?filter=instance%3Dweb-1&find=disk", None),
        ("/?filter=instance%3Dweb-1&told=silenced", None),
        ("/nodes?filter=instance%3Dweb-1&state=critical", None),
    ] {
        let page = web_ui.page(path).await;
        let links = page.attributes(".bulk a", &["href"]);
        let asked = |link: &str| {
            let url = url::Url::parse("http://x").unwrap().join(link).unwrap();
            url.query_pairs().find(|(name, _)| name == "filter").unwrap().1.into_owned()
        };
        let found = links.first().map(|link| asked(&link[0]));
        assert_eq!(found.as_deref(), filter, "{path}");
    }
    let page = web_ui.page("/?severity=critical,warning&cluster=tokyo").await;
    assert_eq!(page.texts(".bulk a"), ["Silence all that match (2)"]);
    assert!(page.attribute(".bulk a", "href").ends_with("&cluster=tokyo"));
}

#[tokio::test]
async fn nodes_of_one_check_are_silenced_for_that_check_alone() {
    let web_ui = one().await;
    let page =
        web_ui.until("/checks/load?filter=job%3Dcheckscript", |page| page.texts("#rows tbody tr").len() == 2).await;
    assert_eq!(page.attributes("#picking input[type=hidden]", &["name", "value"]), [["check", "load"]]);
    assert_eq!(page.attribute("td.pick input", "value"), "tokyo/checkscript/web-2");
    assert_eq!(page.attribute("td.act a", "href"), "/silences/new?node=tokyo%2Fcheckscript%2Fweb-2&check=load");
    assert_eq!(page.attribute("header a.silence", "href"), "/silences/new?check=load");
    let all = page.attribute(".bulk a", "href");
    assert_eq!(all, "/silences/new?filter=job%3D%22checkscript%22,%20check%3D%22load%22");
}

#[tokio::test]
async fn a_row_says_what_keeps_it_from_being_told() {
    let mut world = world();
    let mut inhibited = alert("web-2", "disk", "warning", &[]);
    inhibited["status"]["inhibitedBy"] = json!(["web-1disk", "gone"]);
    world.alerts.push(inhibited);
    let servers = Servers::start(world).await;
    let web_ui = WebUi::start(&config(&[("tokyo", &servers)]));
    web_ui.until("/nodes", |page| page.texts("tbody tr").len() == 3).await;
    let page = web_ui.until("/?told=inhibited", |page| page.texts("tbody tr").len() == 1).await;
    assert_eq!(page.texts("tr .told"), ["inhibited by Check web-1"]);
    assert_eq!(page.attribute("tr .told a", "href"), "/alerts/tokyo/web-1disk");
    let page = web_ui.page("/?told=silenced").await;
    assert_eq!(page.attribute("tr .told a", "href"), "/silences/tokyo/s1");
    let nodes = web_ui.page("/nodes?find=web-1").await;
    assert_eq!(nodes.attribute("tr .told a", "href"), "/silences/tokyo/s1");
}

#[tokio::test]
async fn a_list_is_a_file_with_all_rows_of_its_address() {
    let mut world = world();
    let mut formula = alert("web-3", "a\"b", "warning", &[]);
    formula["annotations"]["output"] = json!("=HYPERLINK(\"http://x\")");
    world.alerts.push(formula);
    let servers = Servers::start(world).await;
    let web_ui = WebUi::start(&config(&[("tokyo", &servers)]));
    web_ui.until("/", |page| page.texts("tbody tr").len() == 3).await;
    web_ui.until("/nodes", |page| page.texts("tbody tr").len() == 3).await;

    let shown = web_ui.page("/?severity=warning&limit=1&page=2&group=check&sort=node").await;
    assert_eq!(shown.attribute(".exports a", "href"), "/alerts.csv?severity=warning&sort=node");
    let file = web_ui.page("/alerts.csv?severity=warning&sort=node&limit=1").await;
    let header = |name: &str| file.headers[name].to_str().unwrap().to_owned();
    assert!(header("content-type").starts_with("text/csv; charset=utf-8"));
    assert!(header("content-disposition").starts_with("attachment; filename=\"alerts-20"));
    let mut reader = csv::Reader::from_reader(file.text.as_bytes());
    let columns: Vec<_> = reader.headers().unwrap().iter().map(str::to_owned).collect();
    let rows: Vec<_> = reader.records().map(Result::unwrap).collect();
    let cell = |row: usize, name: &str| rows[row][columns.iter().position(|known| known == name).unwrap()].to_owned();
    assert_eq!((rows.len(), cell(0, "node"), cell(1, "node")), (2, "web-2".into(), "web-3".into()));
    assert_eq!((cell(1, "check"), cell(1, "output")), ("a\"b".into(), "'=HYPERLINK(\"http://x\")".into()));

    for (path, total) in
        [("/alerts.json", 3), ("/nodes.json?state=down", 1), ("/checks.json", 2), ("/silences.json", 1)]
    {
        let file = web_ui.json(path).await;
        assert_eq!((&file["total"], file["rows"].as_array().unwrap().len()), (&json!(total), total), "{path}");
    }
    for (path, line) in [
        ("/nodes.csv?state=down", "tokyo,db/1,checkscript,down,2020-09-13T12:26:40Z,0,0,,0,false,"),
        ("/checks.csv", "disk,1,0,0,1,0,0"),
        (
            "/silences.csv",
            "tokyo,s1,active,\"{instance=\"\"web-1\"\"}\",2026-11-21T00:00:00Z,2026-11-21T09:00:00Z,ann,works on it,1",
        ),
    ] {
        let text = web_ui.page(path).await.text;
        assert!(text.lines().nth(1).unwrap().starts_with(line), "{path}: {text}");
    }
    let metrics = web_ui.page("/metrics").await.text;
    assert!(metrics.contains("web_ui_exports_total{list=\"alerts\",format=\"csv\"} 1"), "{metrics}");
}

/// As browsers ask for it.
#[tokio::test]
async fn a_file_arrives_compressed_too() {
    let web_ui = one().await;
    let answer = web_ui.request(Method::GET, "/alerts.csv").header("accept-encoding", "gzip").send().await.unwrap();
    assert_eq!(answer.headers()["content-encoding"], "gzip");
    let (body, mut text) = (read_limited(answer, 1 << 20).await.unwrap(), String::new());
    GzDecoder::new(&body[..]).read_to_string(&mut text).unwrap();
    assert_eq!(text, web_ui.page("/alerts.csv").await.text);
}

#[tokio::test]
async fn a_file_that_cannot_be_made_is_refused() {
    let web_ui = one().await;
    let page = web_ui.page("/alerts.csv?sort=colour").await;
    assert_eq!(page.status, StatusCode::BAD_REQUEST);
    assert!(page.texts(".nothing")[0].contains("`colour` is not a column"));
    let json = web_ui.page("/alerts.json?filter=a%3D~(").await;
    assert_eq!(json.status, StatusCode::BAD_REQUEST);
    assert!(json.text.starts_with("{\"error\":\"filter: `(` cannot be used as a regular expression"), "{}", json.text);
}

#[tokio::test]
async fn alerts_without_a_severity_can_be_chosen() {
    let mut world = world();
    let mut plain = alert("web-2", "raid", "", &[]);
    plain["labels"].as_object_mut().unwrap().remove("severity");
    world.alerts.push(plain);
    let servers = Servers::start(world).await;
    let web_ui = WebUi::start(&config(&[("tokyo", &servers)]));
    let page = web_ui.until("/", |page| page.texts("#rows tbody tr").len() == 3).await;
    let chips = ".choices[aria-label=Severity] a";
    let chip = page.texts(chips).iter().position(|chip| chip.starts_with('–')).unwrap();
    let chosen = web_ui.page(&page.attributes(chips, &["href"])[chip][0]).await;
    assert_eq!(chosen.texts("#rows tbody td.output"), ["raid <b>failed</b>"]);
    let current = ".choices[aria-label=Severity] [aria-current]";
    assert_eq!(chosen.texts(current), ["– 1"]);
    assert_eq!(chosen.attribute(current, "href"), "/", "a second click chooses it no more");
}

#[tokio::test]
async fn groups_have_pages() {
    let web_ui = one().await;
    let groups = web_ui.json("/api/v1/alerts?group=instance&limit=1&page=2").await;
    assert_eq!((&groups["total"], &groups["pages"], &groups["rows"]), (&json!(2), &json!(2), &json!([])));
    assert_eq!(groups["groups"]["rows"], json!([{"value": "web-2", "count": 1, "chosen": false}]));
    let page = web_ui.page("/?group=instance&limit=1").await;
    assert_eq!(
        (page.texts("#rows tbody tr"), page.texts(".pages span")),
        (vec!["web-1 1".into()], vec!["1 of 2 · 2 in all".into()])
    );
    let within = web_ui.page("/?group=instance&filter=%7Bcheck%3D~%22.%2B%22%7D").await;
    let one = web_ui.page(&within.attribute("#rows a", "href")).await;
    assert_eq!(one.texts("#rows tbody tr").len(), 1, "a filter in braces is added to");
}

#[tokio::test]
async fn the_script_is_there_in_all_its_parts() {
    let web_ui = one().await;
    let page = web_ui.page("/").await;
    let script = page.attribute("script", "src");
    let mut waiting = vec![script.clone()];
    let mut seen = Vec::new();
    while let Some(path) = waiting.pop() {
        let file = web_ui.page(&path).await;
        assert_eq!(file.status, StatusCode::OK, "{path}");
        assert!(file.headers["cache-control"].to_str().unwrap().contains("immutable"), "{path}");
        let folder = path.rsplit_once('/').unwrap().0;
        let imports =
            file.text.lines().filter(|line| line.starts_with("import ")).filter_map(|line| line.split("\"./").nth(1));
        let imports = imports.map(|rest| format!("{folder}/{}", rest.trim_end_matches("\";")));
        seen.push(path.clone());
        waiting.extend(imports.filter(|path| !seen.contains(path)).collect::<Vec<_>>());
    }
    assert!(seen.iter().any(|path| path.ends_with("/morph.js")), "{seen:?}");
    let other = web_ui.page("/assets/0000/app.js").await;
    assert_eq!(other.headers["cache-control"], "no-store", "the name is another version's");
}
