//! Who gets in, as what, and what another site can make a browser do.

use reqwest::{Method, RequestBuilder, StatusCode};
use serde_json::{Value, json};

use crate::gossip::Gossip;
use crate::pages;
use crate::servers::Servers;
use crate::world::{Page, WebUi};

/// A cluster that never answers: who gets in does not depend on it.
const CONFIG: &str = "clusters: [{name: tokyo, prometheus: [{url: \"http://127.0.0.1:9\"}]}]\n";

/// The configuration with this section.
fn with(access: &str) -> String {
    format!("{CONFIG}access: {access}\n")
}

fn users() -> String {
    let hash = bcrypt::hash("secret", 4).unwrap();
    format!("basic_auth_users: {{ann: {hash}, bob: {hash}}}\n")
}

/// What is answered to a GET of the first page that `add` adds to.
async fn ask(web_ui: &WebUi, add: impl FnOnce(RequestBuilder) -> RequestBuilder) -> Page {
    web_ui.answer(add(web_ui.request(Method::GET, "/"))).await
}

fn user(page: &Page) -> String {
    page.texts(".user").join("; ")
}

#[tokio::test]
async fn who_signs_in_is_named_on_the_page_with_what_they_may() {
    let web_ui = WebUi::start_for(CONFIG, Some(&users()));
    let nobody = web_ui.page("/").await;
    assert_eq!(
        (nobody.status, &nobody.headers["www-authenticate"]),
        (StatusCode::UNAUTHORIZED, &"Basic".parse().unwrap())
    );
    let signed_in = async |name: &str| user(&ask(&web_ui, |request| request.basic_auth(name, Some("secret"))).await);
    assert_eq!(signed_in("ann").await, "Signed in as ann");

    web_ui.reload(&with("{operators: {users: [ann]}}")).await;
    assert_eq!(
        (signed_in("ann").await, signed_in("bob").await),
        ("Signed in as ann".into(), "Signed in as bob read only".into())
    );
    web_ui.reload(&with("{read_only: true}")).await;
    assert_eq!(signed_in("ann").await, "Signed in as ann read only");

    let open = WebUi::start(CONFIG);
    assert_eq!(user(&open.page("/").await), "", "nobody was asked for a name");
    open.reload(&with("{read_only: true}")).await;
    assert_eq!(user(&open.page_in("/", "ja").await), "閲覧のみ");
}

#[tokio::test]
async fn a_proxy_says_who_somebody_is() {
    let proxy = "{user_header: X-Forwarded-User, groups_header: X-Forwarded-Groups}";
    let web_ui = WebUi::start(&with(&format!("{{proxy: {proxy}, operators: {{groups: [ops]}}}}")));
    let ann =
        ask(&web_ui, |request| request.header("x-forwarded-user", "ann").header("x-forwarded-groups", "staff,ops"))
            .await;
    assert_eq!(user(&ann), "Signed in as ann");
    assert_eq!(
        user(&ask(&web_ui, |request| request.header("x-forwarded-user", "bob")).await),
        "Signed in as bob read only"
    );
    let nobody = web_ui.page("/").await;
    assert_eq!(nobody.status, StatusCode::FORBIDDEN);
    assert!(
        nobody.text.contains("The proxy did not say who you are") && !nobody.text.contains("tokyo"),
        "{}",
        nobody.text
    );
    let told: Value = web_ui.json("/api/v1/clusters").await;
    assert!(told["error"].as_str().unwrap().starts_with("The proxy did not say who you are"));
}

#[tokio::test]
async fn nobody_but_the_proxy_is_believed() {
    let access = with("{proxy: {user_header: X-Forwarded-User, from: [192.0.2.1]}, operators: {users: [ann]}}");
    let web_ui = WebUi::start(&access);
    let claims = ask(&web_ui, |request| request.header("x-forwarded-user", "ann")).await;
    assert_eq!(claims.status, StatusCode::FORBIDDEN);
    assert!(claims.text.contains("Ask through the proxy"), "{}", claims.text);
    let metrics = web_ui.page("/metrics").await.text;
    assert!(metrics.contains("\nweb_ui_proxy_headers_ignored_total 1\n"), "{metrics}");

    let web_ui = WebUi::start_for(&access, Some(&users()));
    let claims = |name: &'static str| {
        ask(&web_ui, move |request| request.basic_auth(name, Some("secret")).header("x-forwarded-user", "ann"))
    };
    assert_eq!(user(&claims("bob").await), "Signed in as bob read only", "the password says who it is");
    assert_eq!(user(&claims("ann").await), "Signed in as ann");
}

#[tokio::test]
async fn a_proxy_that_signs_in_itself_says_for_whom() {
    let web_ui = WebUi::start_for(&with("{proxy: {user_header: X-Forwarded-User}}"), Some(&users()));
    let ask = async |add: fn(RequestBuilder) -> RequestBuilder| {
        ask(&web_ui, |request| add(request.basic_auth("bob", Some("secret")))).await
    };
    assert_eq!(user(&ask(|request| request.header("x-forwarded-user", "carol")).await), "Signed in as carol");
    assert_eq!(ask(|request| request).await.status, StatusCode::FORBIDDEN, "its own name is nobody's");
    let twice = ask(|request| request.header("x-forwarded-user", "carol").header("x-forwarded-user", "ann")).await;
    assert_eq!(twice.status, StatusCode::FORBIDDEN, "one of them may be the client's");
}

#[tokio::test]
async fn a_name_that_leads_here_from_elsewhere_is_not_answered() {
    let web_ui = WebUi::start(CONFIG);
    let named = async |host: &'static str| ask(&web_ui, |request| request.header("host", host)).await;
    for host in ["localhost:9796", "127.0.0.1", "[::1]:9796"] {
        assert_eq!(named(host).await.status, StatusCode::OK, "{host}");
    }
    let rebound = named("ui.example.org:9796").await;
    assert_eq!(rebound.status, StatusCode::MISDIRECTED_REQUEST);
    assert!(rebound.text.contains("does not know ui.example.org as") && rebound.text.contains("`access.hosts`"));
    assert!(!rebound.text.contains("tokyo"), "{}", rebound.text);
    for path in ["/api/v1/clusters", "/events", "/assets/0/app.js"] {
        let request = web_ui.request(Method::GET, path).header("host", "ui.example.org");
        assert_eq!(web_ui.answer(request).await.status, StatusCode::MISDIRECTED_REQUEST, "{path}");
    }
    web_ui.reload(&with("{hosts: [ui.example.org]}")).await;
    assert_eq!(named("ui.example.org:9796").await.status, StatusCode::OK);

    let web_ui = WebUi::start_for(CONFIG, Some(&users()));
    let request = |request: RequestBuilder| request.header("host", "ui.example.org").basic_auth("ann", Some("secret"));
    assert_eq!(ask(&web_ui, request).await.status, StatusCode::OK, "a browser keeps a password to its site");
}

#[tokio::test]
async fn what_another_site_makes_a_browser_send_is_refused() {
    let web_ui = WebUi::start(CONFIG);
    let own = web_ui.url("");
    for (name, value, is_ours) in [
        ("sec-fetch-site", "cross-site", false),
        ("sec-fetch-site", "same-site", false),
        ("origin", "https://evil.example.org", false),
        ("origin", "null", false),
        ("sec-fetch-site", "same-origin", true),
        ("origin", &own, true),
        ("accept", "text/html", true),
    ] {
        for method in [Method::POST, Method::PUT, Method::DELETE] {
            let ask = |path| web_ui.answer(web_ui.request(method.clone(), path).header(name, value));
            let (page, api) = (ask("/nowhere").await, ask("/api/v1/nowhere").await);
            if is_ours {
                assert_eq!(
                    (page.status, api.status),
                    (StatusCode::NOT_FOUND, StatusCode::NOT_FOUND),
                    "{name}: {value}"
                );
                continue;
            }
            assert_eq!((page.status, api.status), (StatusCode::FORBIDDEN, StatusCode::FORBIDDEN), "{name}: {value}");
            assert!(page.texts(".nothing")[0].starts_with("Another site has sent this"), "{}", page.text);
            let told: Value = serde_json::from_str(&api.text).unwrap();
            assert_eq!(told, json!({"error": "Another site has sent this in your name; nothing was changed."}));
        }
        let looks = web_ui.answer(web_ui.request(Method::GET, "/").header(name, value)).await;
        assert_eq!(looks.status, StatusCode::OK, "a link on another site may lead here");
    }
}

#[tokio::test]
async fn behind_a_proxy_the_host_that_it_was_asked_for_counts() {
    let posts = async |from: &str| {
        let web_ui =
            WebUi::start_for(&with(&format!("{{proxy: {{user_header: X-User, from: [{from}]}}}}")), Some(&users()));
        let request =
            web_ui.request(Method::POST, "/nowhere").basic_auth("ann", Some("secret")).header("x-user", "ann");
        let request = request.header("origin", "https://ui.example.org").header("x-forwarded-host", "ui.example.org");
        web_ui.answer(request).await.status
    };
    assert_eq!(posts("127.0.0.1").await, StatusCode::NOT_FOUND);
    assert_eq!(posts("192.0.2.1").await, StatusCode::FORBIDDEN, "anybody may say so, but only the proxy is believed");
}

#[tokio::test]
async fn every_answer_says_what_a_browser_may_do_with_it() {
    let web_ui = WebUi::start_for(CONFIG, Some(&users()));
    let paths = [
        ("/", 200),
        ("/nodes", 200),
        ("/nodes/tokyo/checkscript/web-1", 404),
        ("/checks", 200),
        ("/silences", 200),
        ("/checks/disk", 200),
        ("/alerts.csv", 200),
        ("/nodes.json", 200),
        ("/silences.csv?sort=colour", 400),
        ("/events", 200),
        ("/assets/0/app.js", 200),
        ("/assets/0/style.css", 200),
        ("/assets/0/nothing", 404),
        ("/nowhere", 404),
        ("/?sort=colour", 400),
        ("/api/v1/alerts", 200),
        ("/api/v1/nodes?page=x", 400),
        ("/api/v1/nowhere", 404),
        ("/metrics", 200),
        ("/-/healthy", 200),
        ("/-/reload", 405),
    ];
    let mut answers = vec![(401, web_ui.request(Method::GET, "/"))];
    for (path, status) in paths {
        answers.push((status, web_ui.request(Method::GET, path).basic_auth("ann", Some("secret"))));
    }
    for (status, request) in answers {
        let answer = request.send().await.unwrap();
        let (url, header) =
            (answer.url(), |name| answer.headers().get(name).map_or("", |value| value.to_str().unwrap()));
        assert_eq!(answer.status(), status, "{url}");
        let policy = header("content-security-policy");
        assert!(
            policy.starts_with("default-src 'none'; ") && policy.contains("frame-ancestors 'none'"),
            "{url}: {policy}"
        );
        assert!(!policy.contains("unsafe") && !policy.contains('*'), "{url}: {policy}");
        assert_eq!((header("x-content-type-options"), header("x-frame-options")), ("nosniff", "deny"), "{url}");
        let origins = (header("referrer-policy"), header("cross-origin-resource-policy"));
        assert_eq!(origins, ("same-origin", "same-origin"), "{url}");
    }
}

#[tokio::test]
async fn a_language_is_chosen_without_a_script() {
    let web_ui = WebUi::start(CONFIG);
    let page = web_ui.page("/nodes?find=a%26b").await;
    let request = web_ui.request(Method::POST, &page.attribute("footer form", "action"));
    let chosen = web_ui.answer(request).await;
    assert_eq!(
        (chosen.status, &chosen.headers["location"]),
        (StatusCode::SEE_OTHER, &"/nodes?find=a%26b".parse().unwrap())
    );
    let cookie = chosen.headers["set-cookie"].to_str().unwrap();
    assert!(cookie.contains("; SameSite=Strict; HttpOnly"), "{cookie}");
    let japanese = ask(&web_ui, |request| request.header("cookie", cookie.split(';').next().unwrap())).await;
    assert_eq!(japanese.attribute("html", "lang"), "ja");
    let unknown = web_ui.answer(web_ui.request(Method::POST, "/language?lang=xx")).await;
    assert_eq!(unknown.status, StatusCode::NOT_FOUND);
}

/// A silence of the alert that fires, made by `author`, as the form sends it.
fn form(author: &str) -> String {
    format!("do=create&filter=instance%3Dweb-1&cluster=tokyo&duration=2h&comment=new+disk&author={author}")
}

/// The same as the API takes it.
fn body(author: &str) -> Value {
    json!({"filter": "instance=web-1", "clusters": ["tokyo"], "duration": "2h", "comment": "new disk", "author": author})
}

/// A cluster in which an alert fires, and its configuration with this section.
async fn firing(access: &str) -> (Gossip, String) {
    let gossip = Gossip::start(1).await;
    gossip.fire(&[("web-1", "disk")]);
    let config =
        format!("clusters:\n{}refresh: {{alerts: 100ms, nodes: 100ms}}\naccess: {access}\n", gossip.config("tokyo"));
    (gossip, config)
}

#[tokio::test]
async fn who_may_only_look_is_offered_nothing_else() {
    let servers = Servers::start(pages::world()).await;
    let config = pages::config(&[("tokyo", &servers)]);
    let (operator, looks) = (WebUi::start(&config), WebUi::start(&format!("{config}access: {{read_only: true}}\n")));
    let offers = |page: &Page| {
        let changing = "form[method=post]:not([action^='/language'])";
        page.texts(&format!("a[href^='/silences/new'], a[href$='/edit'], table input, {changing}")).len()
    };
    for path in ["/", "/nodes", "/checks/disk", "/silences", "/silences/tokyo/s1", "/nodes/tokyo/checkscript/web-1"] {
        let is_there = |page: &Page| page.status == StatusCode::OK && page.texts("#live").join("").contains("web-1");
        let (offered, page) = (operator.until(path, is_there).await, looks.until(path, is_there).await);
        assert_eq!(offers(&page), 0, "{path}: {}", page.text);
        assert!(offers(&offered) > 0, "{path}: {}", offered.text);
    }
}

#[tokio::test]
async fn who_may_only_look_can_do_nothing_else() {
    let (gossip, config) = firing("{read_only: true}").await;
    let operator = WebUi::start(&config.replace("read_only: true", "read_only: false"));
    let made = operator.answer(operator.request(Method::POST, "/silences").body(form("ann"))).await;
    assert_eq!(made.status, StatusCode::SEE_OTHER, "{}", made.text);
    let (before, looks) = (gossip.silences(), WebUi::start(&config));
    for (method, path) in [
        (Method::GET, "/silences/new"),
        (Method::GET, "/silences/tokyo/s1/edit"),
        (Method::POST, "/silences"),
        (Method::POST, "/silences/act"),
    ] {
        let refused = looks.answer(looks.request(method, path).body(form("ann"))).await;
        assert_eq!(
            (refused.status, &*refused.texts(".nothing")[0]),
            (StatusCode::FORBIDDEN, "You may look, but not change anything. Show all"),
            "{path}"
        );
    }
    for (method, path) in [
        (Method::POST, ""),
        (Method::POST, "/preview"),
        (Method::POST, "/expire"),
        (Method::POST, "/extend"),
        (Method::PUT, "/tokyo/s1"),
        (Method::DELETE, "/tokyo/s1"),
    ] {
        let request = looks.request(method, &format!("/api/v1/silences{path}")).json(&body("ann"));
        let refused = looks.answer(request).await;
        let told: Value = serde_json::from_str(&refused.text).unwrap();
        assert_eq!(
            (refused.status, &told["error"]),
            (StatusCode::FORBIDDEN, &json!("You may look, but not change anything.")),
            "{path}"
        );
    }
    assert_eq!(gossip.silences(), before);
}

#[tokio::test]
async fn a_silence_is_made_by_who_has_signed_in() {
    let (gossip, config) = firing("{operators: {users: [ann]}}").await;
    let web_ui = WebUi::start_for(&config, Some(&users()));
    let send = async |path: &str, user: &str| {
        let request = web_ui.request(Method::POST, path).basic_auth(user, Some("secret"));
        let is_form = !path.starts_with("/api");
        web_ui.answer(if is_form { request.body(form("carol")) } else { request.json(&body("carol")) }).await
    };
    assert_eq!(send("/silences", "bob").await.status, StatusCode::FORBIDDEN);
    assert_eq!(send("/api/v1/silences", "bob").await.status, StatusCode::FORBIDDEN);
    assert_eq!(gossip.made(), 0);
    let made = send("/silences", "ann").await;
    assert_eq!(made.status, StatusCode::SEE_OTHER, "{}", made.text);
    assert!(!made.headers.contains_key("set-cookie"), "a name that is known is not remembered");
    assert_eq!(gossip.silences()[0]["createdBy"], "ann");
    let metrics = web_ui.answer(web_ui.request(Method::GET, "/metrics").basic_auth("bob", Some("secret"))).await.text;
    let counted = "\nweb_ui_changes_total{action=\"create\",result=\"done\"} 1\n";
    assert!(metrics.contains(counted), "{metrics}");
}
