//! Check results: metrics and detail appear, change and go together.

use std::io::Write as _;

use axum::http::Method;
use serde_json::{Value, json};

use crate::world::{Gateway, answer, client};

fn result(name: &str, status: i64, output: &str) -> Value {
    json!({"name": name, "interval": 60, "executed": 1_795_228_248, "output": output, "status": status})
}

async fn detail(gateway: &Gateway, path: &str) -> Value {
    serde_json::from_str(&gateway.get(path).await).unwrap()
}

#[tokio::test]
async fn metrics_and_detail_of_a_result_come_together_and_outlive_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let file = format!("--persistence.file={}", folder.path().join("store").display());
    let gateway = Gateway::start(&[&file]);
    let path = "/checks/job/backup/instance/db-1";
    let both = json!([{"client": "db-1", "check": result("disk", 2, "DISK CRITICAL\nmore")}, result("load", 0, "OK")]);
    assert_eq!(gateway.put(path, both.to_string()).await, (200, String::new()));
    let again = gateway.send(Method::POST, path, result("disk", 2, "still").to_string()).await;
    assert_eq!(again, (200, String::new()));

    let pushed = gateway.pushed().await;
    for line in [
        r#"checkscript_status{check="disk",instance="db-1",job="backup"} 2"#,
        r#"checkscript_occurrences{check="disk",instance="db-1",job="backup"} 2"#,
        r#"checkscript_status{check="load",instance="db-1",job="backup"} 0"#,
    ] {
        assert!(pushed.iter().any(|own| own == line), "{line} {pushed:?}");
    }
    let disk = detail(&gateway, "/api/v1/checks/disk?job=backup").await;
    assert_eq!((&disk["check"]["output"], &disk["client"]), (&json!("still"), &json!("db-1")));
    assert_eq!(disk["labels"], json!({"check": "disk", "instance": "db-1", "job": "backup"}));
    let history = detail(&gateway, "/api/v1/checks/disk/history").await;
    assert_eq!(history["history"][1]["output"], "DISK CRITICAL\nmore");
    gateway.stopped().await;

    let gateway = Gateway::start(&[&file]);
    assert_eq!(detail(&gateway, "/api/v1/checks/disk").await["occurrences"], 2);
    assert_eq!(gateway.put(path, json!([result("load", 1, "WARNING")]).to_string()).await.0, 200);
    assert!(gateway.get("/api/v1/checks/disk").await.contains("error"), "PUT replaces the group's results");
    assert!(!gateway.get("/metrics").await.contains("check=\"disk\""));
    assert_eq!(gateway.send(Method::DELETE, path, "").await.0, 202);
    assert_eq!(detail(&gateway, "/api/v1/checks").await, json!([]));
    assert_eq!(gateway.pushed().await, [""; 0]);
    gateway.stopped().await;
}

#[tokio::test]
async fn a_run_that_is_pushed_again_is_no_further_occurrence() {
    let gateway = Gateway::start(&[]);
    let run = |issued: i64| {
        let mut run = result("disk", 2, "DISK CRITICAL");
        run["issued"] = issued.into();
        run
    };
    for (body, occurrences) in [(json!([run(1), run(1)]), 1), (json!([run(1)]), 1), (json!([run(2), run(2)]), 2)] {
        for method in [Method::POST, Method::PUT] {
            assert_eq!(gateway.send(method, "/checks/job/a", body.to_string()).await.0, 200);
            assert_eq!(detail(&gateway, "/api/v1/checks/disk").await["occurrences"], occurrences);
        }
    }
    gateway.stopped().await;
}

#[tokio::test]
async fn an_earlier_run_does_not_undo_a_later_one() {
    let gateway = Gateway::start(&[]);
    let run = |issued: i64, status: i64| {
        let mut run = result("disk", status, "DISK");
        run["issued"] = issued.into();
        run["executed"] = (issued + status).into();
        run
    };
    let push = async |body: Value| gateway.send(Method::POST, "/checks/job/a", body.to_string()).await;
    assert_eq!(push(run(200, 2)).await.0, 200);
    assert_eq!(push(json!([run(100, 0), run(150, 1)])).await, (200, String::new()));
    assert_eq!(gateway.put("/checks/job/a", run(199, 0).to_string()).await.0, 200);
    let disk = detail(&gateway, "/api/v1/checks/disk").await;
    assert_eq!((&disk["check"]["status"], &disk["occurrences"]), (&json!(2), &json!(1)));
    // One more in the same second is one more, and the first of both told again is not.
    assert_eq!(push(run(200, 1)).await.0, 200);
    assert_eq!(push(run(200, 2)).await.0, 200);
    assert_eq!(detail(&gateway, "/api/v1/checks/disk").await["check"]["status"], 1);
    let page = gateway.get("/metrics").await;
    assert!(page.contains("\npushgateway_late_results_total 4\n"), "{page}");
    // What a clock from the future left behind holds up nothing.
    assert_eq!(push(run(99_999_999_999, 2)).await.0, 200);
    assert_eq!(push(run(201, 0)).await.0, 200);
    assert_eq!(detail(&gateway, "/api/v1/checks/disk").await["check"]["status"], 0);
    gateway.stopped().await;
}

#[tokio::test]
async fn without_the_consistency_check_results_that_do_not_fit_are_refused_all_the_same() {
    let gateway = Gateway::start(&["--push.disable-consistency-check"]);
    let taken = "# TYPE checkscript_status counter\ncheckscript_status 1\n";
    assert_eq!(gateway.put("/metrics/job/b", taken).await.0, 202);
    let (status, text) = gateway.put("/checks/job/a", result("disk", 0, "OK").to_string()).await;
    assert!(status == 400 && text.contains("checkscript_status"), "{status} {text}");
    gateway.stopped().await;
}

#[tokio::test]
async fn results_and_metrics_of_a_group_are_pushed_and_deleted_apart() {
    let gateway = Gateway::start(&[]);
    assert_eq!(gateway.put("/metrics/job/a", "m 1\n").await.0, 200);
    assert_eq!(gateway.put("/checks/job/a", result("disk", 0, "OK").to_string()).await.0, 200);
    let groups = detail(&gateway, "/api/v1/metrics").await;
    assert_eq!(groups["data"].as_array().unwrap().len(), 1, "one group to its reader");
    assert!(groups["data"][0]["m"].is_object() && groups["data"][0]["checkscript_status"].is_object());
    let page = gateway.get("/").await;
    assert!(page.contains("OK <a href=\"detail/checks/disk?job=a\">disk</a> OK"), "{page}");

    assert_eq!(gateway.put("/metrics/job/a", "n 1\n").await.0, 200);
    assert_eq!(gateway.send(Method::DELETE, "/metrics/job/a", "").await.0, 202);
    assert_eq!(detail(&gateway, "/api/v1/checks/disk").await["check"]["output"], "OK");
    gateway.stopped().await;
}

#[tokio::test]
async fn results_that_do_not_fit_leave_everything_as_it_was() {
    let gateway = Gateway::start(&[]);
    assert_eq!(gateway.put("/checks/job/a", result("disk", 0, "OK").to_string()).await.0, 200);
    let before = gateway.get("/api/v1/metrics").await;
    let taken = "# TYPE checkscript_status counter\ncheckscript_status 1\n";
    assert_eq!(gateway.put("/metrics/job/b", taken).await.0, 400);
    assert_eq!(gateway.send(Method::DELETE, "/metrics/job/b", "").await.0, 202);
    for (path, body, says) in [
        ("/checks/job/a", "{".to_owned(), "the body is not JSON"),
        ("/checks/job/a", json!([result("load", 0, "OK"), {"name": "x"}]).to_string(), "result 2: "),
        // The label of the group hides which check it is.
        (
            "/checks/job/a/check/x",
            json!([result("one", 0, ""), result("two", 0, "")]).to_string(),
            "pushed metrics are invalid or inconsistent with existing metrics: collected metric checkscript_status{",
        ),
    ] {
        let (status, text) = gateway.put(path, body).await;
        assert!(status == 400 && text.starts_with(says), "{path}: {status} {text}");
    }
    assert_eq!(gateway.get("/api/v1/metrics").await, before);
    gateway.stopped().await;
}

#[tokio::test]
async fn outputs_may_be_kept_to_some() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("web.yml");
    // htpasswd -nbBC 4: the passwords are the names.
    let hash = |name: &str| bcrypt::hash(name, 4).unwrap();
    let users = format!("basic_auth_users:\n  ops: {}\n  batch: {}\n", hash("ops"), hash("batch"));
    std::fs::write(&config, users).unwrap();
    let config = format!("--web.config.file={}", config.display());
    let gateway = Gateway::start(&[&config, "--detail.allow-users=ops"]);
    let status = async |method: Method, path: &str, user: &str| {
        let request = client().request(method, format!("{}{path}", gateway.base)).basic_auth(user, Some(user));
        request.body(result("disk", 2, "secret").to_string()).send().await.unwrap().status().as_u16()
    };
    assert_eq!(status(Method::PUT, "/checks/job/a", "nobody").await, 401);
    assert_eq!(status(Method::PUT, "/checks/job/a", "batch").await, 200);
    assert_eq!(status(Method::GET, "/metrics", "batch").await, 200);
    for path in ["/detail/", "/detail/checks/disk", "/detail/api/v1/checks"] {
        assert_eq!(status(Method::GET, path, "batch").await, 403, "{path}");
        assert_eq!(status(Method::GET, path, "ops").await, 200, "{path}");
    }
    let page = client().get(format!("{}/", gateway.base)).basic_auth("batch", Some("batch")).send().await.unwrap();
    let (_, page) = answer(page).await;
    assert!(page.contains(">disk</a>") && !page.contains("secret"), "{page}");
    assert_eq!(status(Method::GET, "/api/v1/checks/disk", "batch").await, 403);
    assert_eq!(status(Method::GET, "/api/v1/checks/disk", "ops").await, 200);
    gateway.stopped().await;
}

#[tokio::test]
async fn every_check_has_a_page_also_below_a_prefix() {
    for (flag, prefix) in [("--web.route-prefix=/", ""), ("--web.route-prefix=/push/gw", "/push/gw")] {
        let gateway = Gateway::start(&[flag]);
        let get = async |path: &str| gateway.get(&format!("{prefix}{path}")).await;
        let both = json!([result("disk", 2, "DISK <b>\nmore"), result("load", 1, "high")]).to_string();
        for (path, body) in [
            ("/checks/job/a/instance/db-1", both),
            ("/checks/job/a/instance/db-2", result("ping", 2, "away").to_string()),
            ("/checks/job/b/check/named", result("disk", 0, "fine").to_string()),
        ] {
            assert_eq!(gateway.put(&format!("{prefix}{path}"), body).await.0, 200);
        }
        let page = get("/").await;
        for (link, line) in [
            ("detail/checks/disk?instance=db%2D1&#38;job=a", "disk</a> DISK &#60;b&#62;"),
            ("detail/checks/named?job=b", "disk</a> fine"),
        ] {
            assert!(page.contains(&format!("<a href=\"{link}\">{line}</li>")), "{link}: {page}");
            let page = get(&format!("/{}", link.replace("&#38;", "&"))).await;
            assert!(page.contains("<link rel=\"stylesheet\" href=\"../style.css\">"), "{page}");
        }
        let check = get("/detail/checks/disk?instance=db-1").await;
        assert!(check.contains("DISK &#60;b&#62;\nmore"), "{check}");
        assert!(check.contains(">load</a>") && !check.contains(">ping</a>"), "its group's problems: {check}");
        assert!(get("/detail/style.css").await.contains("font"));
        assert!(get("/detail/api/v1/checks/disk?job=a").await.starts_with('{'));
        let list = get("/detail/").await;
        assert!(list.contains(">ping</a>") && list.contains("href=\"./checks/ping"), "{list}");

        let moved = async |path: &str| {
            let answer = client().get(format!("{}{prefix}{path}", gateway.base)).send().await.unwrap();
            (answer.status().as_u16(), answer.headers()["location"].to_str().unwrap().to_owned())
        };
        assert_eq!(moved("/detail").await, (302, "detail/".to_owned()));
        assert_eq!(moved("/detail/metrics").await, (302, "../metrics".to_owned()));
        let own = moved("/checks/a%20b?instance=db-1").await;
        assert_eq!(own, (302, "../detail/checks/a%20b?instance=db-1".to_owned()));
        gateway.stopped().await;
    }
}

#[tokio::test]
async fn one_check_of_a_group_is_deleted_and_the_others_stay() {
    let folder = tempfile::tempdir().unwrap();
    let file = format!("--persistence.file={}", folder.path().join("store").display());
    let gateway = Gateway::start(&[&file]);
    let path = "/checks/job/backup/instance/db-1";
    let mut router = result("disk", 2, "router full");
    router["source"] = "router a/b".into();
    let mut run = result("load", 1, "WARNING");
    run["command"] = "check-load.sh --password=x".into();
    let all = json!([result("disk", 2, "full"), router, run]).to_string();
    assert_eq!(gateway.put(path, all).await.0, 200);
    let own = json!({"check": "disk", "client": "db-1", "has_command": false});
    let load = json!({"check": "load", "client": "db-1", "has_command": true});
    let proxied = json!({"check": "disk", "source": "router a/b", "client": "db-1", "has_command": false});
    assert_eq!(detail(&gateway, path).await, json!([own, proxied, load]), "names, and no commands");
    assert_eq!(detail(&gateway, "/checks/job/none").await, json!([]));
    assert_eq!(gateway.send(Method::GET, "/metrics/job/backup", "").await.0, 405);

    let delete = async |query: &str| gateway.send(Method::DELETE, &format!("{path}?{query}"), "").await;
    for (query, says) in [
        ("chekc=disk", "query: `chekc` is no parameter of this request"),
        ("check=disk&check=load", "query: `check` needs one name"),
        ("check=", "query: `check` needs one name"),
        ("source=router", "query: `source` needs a `check` beside it"),
    ] {
        let (status, text) = delete(query).await;
        assert!(status == 400 && text.starts_with(says), "{query}: {status} {text}");
    }
    assert_eq!(delete("check=none").await.0, 202);
    assert_eq!(gateway.send(Method::DELETE, "/checks/job/none?check=disk", "").await.0, 202);
    assert_eq!(detail(&gateway, path).await.as_array().unwrap().len(), 3, "nothing was deleted yet");
    assert_eq!(delete("check=disk&source=router%20a%2Fb").await.0, 202);
    assert_eq!(detail(&gateway, path).await, json!([own, load]));
    assert!(!gateway.get("/metrics").await.contains("router"));
    assert_eq!(delete("check=disk").await.0, 202);
    gateway.stopped().await;

    let gateway = Gateway::start(&[&file]);
    assert_eq!(detail(&gateway, path).await, json!([load]));
    assert_eq!(
        gateway.get("/api/v1/checks/disk").await,
        "{\"error\":\"no result of a check with check=disk is known here\"}"
    );
    assert_eq!(gateway.send(Method::DELETE, &format!("{path}?check=load"), "").await.0, 202);
    assert_eq!(gateway.pushed().await, [""; 0], "the group went with its last check");
    assert_eq!(detail(&gateway, "/api/v1/metrics").await["data"], json!([]));
    gateway.stopped().await;
}

#[tokio::test]
async fn results_come_compressed_too() {
    let gateway = Gateway::start(&[]);
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(result("disk", 2, "packed").to_string().as_bytes()).unwrap();
    let packed = gzip.finish().unwrap();
    let url = format!("{}/checks/job/a", gateway.base);
    let push = async |body: Vec<u8>| {
        answer(client().put(&url).header("Content-Encoding", "gzip").body(body).send().await.unwrap()).await
    };
    assert_eq!(push(packed.clone()).await, (200, String::new()));
    assert_eq!(detail(&gateway, "/api/v1/checks/disk").await["check"]["output"], "packed");
    let (status, text) = push(packed[..20].to_vec()).await;
    assert!(status == 400 && text.starts_with("cannot decompress the body as gzip"), "{text}");
    gateway.stopped().await;
}

#[tokio::test]
async fn details_are_found_by_any_label_whatever_its_value() {
    let gateway = Gateway::start(&[]);
    for (path, output) in [
        ("/checks/job@base64/YS9i/path@base64/L3Zhci9sb2c/env/%E9%81%8B%E7%94%A8", "one"),
        ("/checks/job/b/empty@base64/=", "two"),
        ("/checks/job/c/U__dotted_2e_name/x/check/hides", "three"),
    ] {
        assert_eq!(gateway.put(path, result("disk", 0, output).to_string()).await.0, 200, "{path}");
    }
    for (query, output) in [
        ("disk?path=%2Fvar%2Flog", Some("one")),
        ("disk?job=a%2Fb&env=%E9%81%8B%E7%94%A8", Some("one")),
        ("disk?job=b&empty=", Some("two")),
        ("disk?empty=&path=&source=", Some("two")),
        ("hides?U__dotted_2e_name=x", Some("three")),
        ("hides", Some("three")),
        ("disk?job=c", None),
        ("disk?job=a", None),
    ] {
        let found = detail(&gateway, &format!("/api/v1/checks/{query}")).await;
        assert_eq!(found["check"]["output"].as_str(), output, "{query}: {found}");
    }
    gateway.stopped().await;
}
