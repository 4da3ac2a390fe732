//! What a page of another site can make a browser inside do.

use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use crate::alertmanager::Alertmanager;
use crate::world::{Proxy, config, read};

const KARMA: &str = "http://karma.example.org:8080";

/// What changes something, with a body.
const CHANGES: [(Method, &str); 6] = [
    (Method::POST, "/api/v2/alerts"),
    (Method::POST, "/alertmanager/api/v2/alerts/"),
    (Method::POST, "/api/v2/silences"),
    (Method::DELETE, "/api/v2/silence/x"),
    (Method::POST, "/alertmanager/-/reload"),
    (Method::POST, "/-/reload"),
];

fn change(proxy: &Proxy, (method, path): &(Method, &str)) -> RequestBuilder {
    proxy.client.request(method.clone(), proxy.url(path)).json(&json!([{"labels": {"alertname": "Watchdog"}}]))
}

#[tokio::test]
async fn another_site_changes_nothing_and_is_told_so() {
    let alertmanager = Alertmanager::start().await;
    let proxy = Proxy::start(&config(&[alertmanager.address], ""));
    for (name, value) in [("origin", "http://evil.example.org"), ("origin", "null"), ("sec-fetch-site", "same-site")] {
        for asked in &CHANGES {
            let response = change(&proxy, asked).header(name, value).send().await.unwrap();
            let allowed = response.headers().get("access-control-allow-origin").cloned();
            let (status, text) = read(response).await;
            assert_eq!(status, 403, "{name}: {value}, {asked:?}: {text}");
            if asked.1 == "/-/reload" {
                assert!(text.contains("nothing was reloaded"), "{text}");
                continue;
            }
            let told: Value = serde_json::from_str(&text).unwrap();
            let message = told["message"].as_str().unwrap();
            assert_eq!(told["code"], 403);
            assert!(message.contains("nothing was changed") && message.contains("`allowed_origins`"), "{message}");
            assert_eq!(message.contains("evil.example.org"), value.contains("evil"), "{message}");
            assert_eq!(allowed.is_some(), name == "origin", "a dashboard has to be able to show why");
        }
    }
    assert_eq!(alertmanager.posts(), 0);
    assert_eq!(proxy.metric("alertmanager_proxy_cross_site_requests_refused_total").await, Some(15.0));
    assert_eq!(proxy.metric("alertmanager_proxy_alerts_received_total").await, Some(0.0));
}

#[tokio::test]
async fn its_own_pages_and_programs_go_on() {
    let mut alertmanager = Alertmanager::start().await;
    let proxy = Proxy::start(&config(&[alertmanager.address], ""));
    let own = proxy.url("");
    for (name, value) in [("origin", &*own), ("sec-fetch-site", "same-origin"), ("accept", "*/*")] {
        let changed = change(&proxy, &CHANGES[2]).header(name, value).send().await.unwrap();
        assert_eq!(changed.status(), 418, "{name}: Alertmanager is asked");
        let taken = change(&proxy, &CHANGES[0]).header(name, value).send().await.unwrap();
        assert_eq!(taken.status(), 200, "{name}");
        alertmanager.next().await;
        assert_eq!(change(&proxy, &CHANGES[5]).header(name, value).send().await.unwrap().status(), 200, "{name}");
    }
    let read = proxy.client.get(proxy.url("/api/v2/silences")).header("origin", "http://evil.example.org");
    assert_eq!(read.send().await.unwrap().status(), 418, "who may read is as with Alertmanager");
}

#[tokio::test]
async fn a_site_that_is_listed_changes_silences() {
    let alertmanager = Alertmanager::start().await;
    let listed = config(&[alertmanager.address], &format!("allowed_origins: [{KARMA:?}]"));
    let proxy = Proxy::start(&listed);
    for (origin, status) in [(KARMA, 418), ("http://karma.example.org", 403), ("https://karma.example.org:8080", 403)] {
        let request = change(&proxy, &CHANGES[2]).header("origin", origin).header("sec-fetch-site", "cross-site");
        assert_eq!(request.send().await.unwrap().status(), status, "{origin}");
    }
    proxy.configure(&config(&[alertmanager.address], ""));
    assert_eq!(change(&proxy, &CHANGES[5]).send().await.unwrap().status(), 200);
    let request = change(&proxy, &CHANGES[2]).header("origin", KARMA);
    assert_eq!(request.send().await.unwrap().status(), 403, "it is listed no more");
}
