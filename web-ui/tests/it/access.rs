//! Who gets in, as what, and what another site can make a browser do.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::world::WebUi;

/// A cluster that never answers: who gets in does not depend on it.
const CONFIG: &str = "clusters: [{name: tokyo, prometheus: [{url: \"http://127.0.0.1:9\"}]}]\n";

fn users() -> String {
    let hash = bcrypt::hash("secret", 4).unwrap();
    format!("basic_auth_users: {{ann: {hash}, bob: {hash}}}\n")
}

#[tokio::test]
async fn who_signs_in_is_named_on_the_page() {
    let web_ui = WebUi::start_for(CONFIG, Some(&users()));
    let nobody = web_ui.page("/").await;
    assert_eq!(
        (nobody.status, &nobody.headers["www-authenticate"]),
        (StatusCode::UNAUTHORIZED, &"Basic".parse().unwrap())
    );
    let ann = web_ui.answer(web_ui.request(Method::GET, "/").basic_auth("ann", Some("secret"))).await;
    assert_eq!((ann.status, ann.texts(".user")), (StatusCode::OK, vec!["Signed in as ann".into()]));

    let open = WebUi::start(CONFIG);
    assert!(open.page("/").await.texts(".user").is_empty(), "nobody was asked for a name");
}

#[tokio::test]
async fn what_another_site_makes_a_browser_send_is_refused() {
    let web_ui = WebUi::start(CONFIG);
    let own = web_ui.url("").trim_end_matches('/').to_owned();
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
