//! Silences that are made, changed and ended, where servers fail and people are in each other's way.

use http::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::gossip::{Gossip, Mode, Prometheus};
use crate::world::{PATIENCE, Page, WebUi};

pub(crate) const GOOD: &str = "do=create&filter=job%3Dcheckscript,instance%3Dweb-1,check%3Ddisk&cluster=tokyo&duration=2h&comment=new+disk&author=ann";

pub(crate) fn start(clusters: &[(&str, &Gossip)]) -> WebUi {
    let clusters: String = clusters.iter().map(|(name, gossip)| gossip.config(name)).collect();
    WebUi::start(&format!(
        "clusters:\n{clusters}refresh: {{alerts: 100ms, nodes: 100ms}}\ntimeout: 2s\nsilences: {{evaluation_interval: 100ms}}\n"
    ))
}

/// One cluster of two Alertmanagers in which an alert fires.
pub(crate) async fn one() -> (WebUi, Gossip) {
    let gossip = Gossip::start(2).await;
    gossip.fire(&[("web-1", "disk")]);
    let web_ui = start(&[("tokyo", &gossip)]);
    web_ui.until("/", |page| page.texts("tbody tr").len() == 1).await;
    (web_ui, gossip)
}

pub(crate) async fn send(web_ui: &WebUi, path: &str, form: &str) -> Page {
    let request = web_ui.request(Method::POST, path).header("content-type", "application/x-www-form-urlencoded");
    web_ui.answer(request.body(form.to_owned())).await
}

pub(crate) async fn call(web_ui: &WebUi, method: Method, path: &str, body: &Value) -> (StatusCode, Value) {
    let answer = web_ui.answer(web_ui.request(method, path).json(body)).await;
    (answer.status, serde_json::from_str(&answer.text).unwrap())
}

pub(crate) fn location(page: &Page) -> &str {
    page.headers["location"].to_str().unwrap()
}

#[tokio::test]
async fn a_silence_is_made_shown_extended_edited_and_ended() {
    let (web_ui, gossip) = one().await;
    let form = web_ui.page("/silences/new?alert=tokyo/web-1-disk").await;
    assert!(form.texts(".sentence")[0].starts_with("Mute disk on web-1 in tokyo for 2 h, from now until "));
    assert_eq!(form.texts("#preview .matchers"), ["job=\"checkscript\" instance=\"web-1\" check=\"disk\" tokyo"]);
    assert!(form.texts(".preview p")[0].contains("Alerts now: 1"), "{:?}", form.texts(".preview p"));

    let target = form.attribute("input[name=target]", "value");
    let target: String = url::form_urlencoded::byte_serialize(target.as_bytes()).collect();
    let body = format!("do=create&target={target}&cluster=tokyo&duration=2h&comment=new+disk&author=ann");
    let made = send(&web_ui, "/silences", &body).await;
    assert_eq!((made.status, location(&made)), (StatusCode::SEE_OTHER, "/silences/tokyo/s1?done=made&count=1"));
    assert!(
        made.headers["set-cookie"].to_str().unwrap().contains("author=ann; Path=/; Max-Age=31536000; SameSite=Strict")
    );
    let silence = &gossip.silences()[0];
    assert_eq!((&silence["createdBy"], &silence["comment"]), (&json!("ann"), &json!("new disk")));

    // No waiting: the page behind the change shows it.
    let page = web_ui.page(location(&made)).await;
    assert_eq!(page.texts("p.done"), ["Silences made: 1"]);
    assert!(page.texts("h1")[0].starts_with("active disk on web-1"), "{:?}", page.texts("h1"));
    let again = web_ui.page("/silences/new?alert=tokyo/web-1-disk").await;
    assert!(again.texts(".preview p")[0].contains("Silenced already: 1"), "{:?}", again.texts(".preview p"));

    let item = page.attribute("form input[name=item]", "value");
    let extended = send(&web_ui, "/silences/act", &format!("item={item}&by=4h")).await;
    assert_eq!(extended.status, StatusCode::SEE_OTHER);
    let stale = send(&web_ui, "/silences/act", &format!("item={item}&by=4h")).await;
    assert_eq!(stale.status, StatusCode::CONFLICT, "a second click extends nothing");
    assert!(stale.texts(".outcomes")[0].contains("somebody has changed the silence meanwhile"));

    let edit = web_ui.page("/silences/tokyo/s1/edit").await;
    let (item, ends) = (edit.attribute("input[name=edit]", "value"), edit.attribute("input[name=ends]", "value"));
    let body = format!("do=create&edit={item}&filter=instance%3Dweb-1&ends={ends}&comment=other&author=bob&resolved=1");
    let edited = send(&web_ui, "/silences", &body).await;
    assert_eq!((edited.status, location(&edited)), (StatusCode::SEE_OTHER, "/silences/tokyo/s3?done=changed"));
    let page = web_ui.page("/silences/tokyo/s3").await;
    assert!(page.texts("h1")[0].contains("until resolved") && page.text.contains("other"));

    let item = page.attribute("form input[name=item]", "value");
    let ended = send(&web_ui, "/silences/act", &format!("item={item}&act=expire")).await;
    assert_eq!(ended.status, StatusCode::SEE_OTHER);
    let page = web_ui.page("/silences/tokyo/s3").await;
    let again = web_ui.page(&page.attribute(".buttons a", "href")).await;
    assert_eq!(again.attribute("#filter", "value"), "instance=\"web-1\"", "it can be made again");
    assert_eq!(web_ui.page("/silences/tokyo/none").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn each_field_for_a_time_says_its_zone() {
    let (web_ui, _gossip) = one().await;
    send(&web_ui, "/silences", GOOD).await;
    let zone = jiff::Zoned::now().strftime("%z").to_string();
    for (path, label) in [
        ("/silences", "label:has(input[name=until])"),
        ("/silences/tokyo/s1", "label:has(input[name=until])"),
        ("/silences/tokyo/s1/edit", "fieldset:has(input[name=ends])"),
    ] {
        let said = web_ui.page(path).await.texts(label);
        let is_said = |said: &String| said.contains("times in ") && said.contains(&zone);
        assert!(said.iter().all(is_said) && said.len() == 1, "{zone}: {path}: {said:?}");
    }
}

#[tokio::test]
async fn an_alertmanager_that_is_away_does_not_matter_and_none_is_told() {
    let (web_ui, gossip) = one().await;
    gossip.members[0].be(Mode::Down);
    assert_eq!(send(&web_ui, "/silences", GOOD).await.status, StatusCode::SEE_OTHER);
    assert_eq!(gossip.made(), 1);
    gossip.members[1].be(Mode::Down);
    let page = send(&web_ui, "/silences", &GOOD.replace("disk", "load")).await;
    assert_eq!(page.status, StatusCode::BAD_GATEWAY);
    assert!(page.texts(".outcomes")[0].contains("no Alertmanager answers"), "{:?}", page.texts(".outcomes"));
    assert_eq!(page.texts("#comment"), ["new load"], "what was typed is there still");
}

#[tokio::test]
async fn a_silence_whose_answer_is_lost_is_not_made_twice() {
    let (web_ui, gossip) = one().await;
    gossip.members[0].be(Mode::SaysNothing);
    assert_eq!(send(&web_ui, "/silences", GOOD).await.status, StatusCode::SEE_OTHER);
    assert_eq!(gossip.made(), 1, "the other knew of it");
    let edit = web_ui.page("/silences/tokyo/s1/edit").await;
    let (item, ends) = (edit.attribute("input[name=edit]", "value"), edit.attribute("input[name=ends]", "value"));
    let body = format!("do=create&edit={item}&filter=instance%3Dweb-1&ends={ends}&comment=new+disk&author=ann");
    assert_eq!(send(&web_ui, "/silences", &body).await.status, StatusCode::SEE_OTHER);
    assert_eq!(gossip.made(), 2, "nor is it changed twice");
    let item = async || web_ui.page("/silences/tokyo/s2").await.attribute("form input[name=item]", "value");
    let extend = format!("item={}&by=5m", item().await);
    assert_eq!(send(&web_ui, "/silences/act", &extend).await.status, StatusCode::SEE_OTHER);
    assert_eq!(gossip.made(), 3, "nor is its end moved twice");
    let expire = format!("item={}&act=expire", item().await);
    assert_eq!(send(&web_ui, "/silences/act", &expire).await.status, StatusCode::SEE_OTHER, "it has ended");
    assert_eq!(gossip.members[1].told(), 0);
}

#[tokio::test]
async fn a_double_click_makes_one() {
    let (web_ui, gossip) = one().await;
    let (one, other) = tokio::join!(send(&web_ui, "/silences", GOOD), send(&web_ui, "/silences", GOOD));
    assert_eq!((one.status, other.status), (StatusCode::SEE_OTHER, StatusCode::SEE_OTHER));
    assert_eq!(gossip.made(), 1);
    let mut told = [location(&one), location(&other)];
    told.sort_unstable();
    let known = "/silences/tokyo/s1?done=made&count=0&known=1";
    assert_eq!(told, [known, "/silences/tokyo/s1?done=made&count=1"]);
    assert_eq!(web_ui.page(known).await.texts("p.done"), ["Silences that were there already: 1"]);
    send(&web_ui, "/silences", &GOOD.replace("ann", "bob")).await;
    assert_eq!(gossip.made(), 2, "what somebody else makes is another one");
    send(&web_ui, "/silences", &GOOD.replace("duration=2h", "duration=121m")).await;
    assert_eq!(gossip.made(), 3, "and so is one that ends a minute later");
}

#[tokio::test]
async fn of_several_clusters_those_that_failed_are_tried_again() {
    let (tokyo, osaka) = (Gossip::start(1).await, Gossip::start(1).await);
    tokyo.fire(&[("web-1", "disk")]);
    let web_ui = start(&[("tokyo", &tokyo), ("osaka", &osaka)]);
    web_ui.until("/", |page| page.texts("tbody tr").len() == 1).await;
    osaka.members[0].be(Mode::Refuses);
    let both = format!("{GOOD}&cluster=osaka");
    let page = send(&web_ui, "/silences", &both).await;
    assert_eq!(page.status, StatusCode::BAD_GATEWAY);
    let told = page.texts(".outcomes p");
    assert!(
        told[0].starts_with("osaka") && told[0].contains("silence invalid: no") && told[1].contains("done"),
        "{told:?}"
    );
    assert_eq!(page.attribute("input[name=cluster][checked]", "value"), "osaka");
    osaka.members[0].be(Mode::Good);
    assert_eq!(send(&web_ui, "/silences", &both).await.status, StatusCode::SEE_OTHER);
    assert_eq!((tokyo.made(), osaka.made()), (1, 1));

    // Both at once, one of them changed by somebody else.
    let list = web_ui.page("/silences").await;
    let items: Vec<_> =
        ["osaka/", "tokyo/"].map(|name| list.attribute(&format!("input[name=item][value^='{name}']"), "value")).into();
    tokyo.change(|silence| silence["comment"] = json!("mine"));
    let page = send(&web_ui, "/silences/act", &format!("act=expire&item={}&item={}", items[0], items[1])).await;
    assert_eq!(page.status, StatusCode::CONFLICT);
    assert!(!osaka.has_active() && tokyo.has_active());
    let nothing = send(&web_ui, "/silences/act", "act=expire").await;
    assert_eq!(nothing.status, StatusCode::UNPROCESSABLE_ENTITY);
}

#[tokio::test]
async fn two_who_edit_one_silence_see_each_other() {
    let (web_ui, gossip) = one().await;
    send(&web_ui, "/silences", GOOD).await;
    let edit = web_ui.page("/silences/tokyo/s1/edit").await;
    let (item, ends) = (edit.attribute("input[name=edit]", "value"), edit.attribute("input[name=ends]", "value"));
    let body =
        |item: &str| format!("do=create&edit={item}&filter=instance%3Dweb-1&ends={ends}&comment=mine&author=bob");
    gossip.change(|silence| {
        silence["comment"] = json!("theirs");
        silence["createdBy"] = json!("cat");
    });
    let page = send(&web_ui, "/silences", &body(&item)).await;
    assert_eq!(page.status, StatusCode::CONFLICT);
    assert!(page.texts(".theirs")[0].contains("theirs") && page.texts(".theirs")[0].contains("cat"));
    assert_eq!(
        (page.texts("#comment"), gossip.silences()[0]["comment"].clone()),
        (vec!["mine".into()], json!("theirs"))
    );
    // Who has seen it may go on.
    let seen = page.attribute("input[name=edit]", "value");
    assert_ne!(seen, item);
    assert_eq!(send(&web_ui, "/silences", &body(&seen)).await.status, StatusCode::SEE_OTHER);
    gossip.change(|silence| silence["status"] = json!({"state": "expired"}));
    let page = send(&web_ui, "/silences", &body(&seen)).await;
    assert_eq!(page.status, StatusCode::CONFLICT);
    assert!(page.texts(".theirs")[0].contains("has ended meanwhile") && !page.text.contains("name=\"edit\""));
}

#[tokio::test]
async fn mistakes_are_told_beside_their_fields() {
    let (web_ui, gossip) = one().await;
    let page = send(&web_ui, "/silences", "do=create&filter=a%3D~%22.*%22&cluster=tokyo&duration=99d").await;
    assert_eq!(page.status, StatusCode::UNPROCESSABLE_ENTITY);
    let told = page.texts("form .problem").join("|");
    for says in ["must not match an empty value", "the longest silence is 30 d", "say why", "say who you are"] {
        assert!(told.contains(says), "{says}: {told}");
    }
    let waits = send(
        &web_ui,
        "/silences",
        &GOOD.replace("disk,", "").replace("web-1", "web-9").replace("do=create", "do=create&resolved=1"),
    )
    .await;
    assert!(waits.texts("form .problem")[0].contains("nothing fires that it matches"), "{:?}", waits.texts(".problem"));
    gossip.members[1].version("0.21.0");
    let old = send(&web_ui, "/silences", &GOOD.replace("check%3D", "check!%3D")).await;
    assert!(old.texts(".outcomes")[0].contains("is Alertmanager 0.21.0, which knows no != and !~"), "{}", old.text);
    assert_eq!(gossip.made(), 0, "nothing was made of any of these");
    let fragment = send(&web_ui, "/silences", "do=fragment&filter=check%3Ddisk&cluster=tokyo&duration=1h").await;
    assert!(
        fragment.texts(".sentence")[0].starts_with("Mute disk on every node in tokyo")
            && !fragment.text.contains("<html")
    );
    let broad =
        send(&web_ui, "/silences", "do=preview&filter=check%3Dother&cluster=tokyo&duration=1h&comment=c&author=a")
            .await;
    assert!(broad.texts(".preview p")[0].contains("Mutes nothing that fires now"));
}

#[tokio::test]
async fn programs_do_the_same() {
    let (web_ui, gossip) = one().await;
    let body = json!({"filter": "instance=\"web-1\"", "clusters": ["tokyo"], "duration": "2h", "comment": "c", "author": "ann"});
    let (status, preview) = call(&web_ui, Method::POST, "/api/v1/silences/preview", &body).await;
    assert_eq!((status, &preview["clusters"][0]["alerts"], gossip.made()), (StatusCode::OK, &json!(1), 0));
    let (status, made) = call(&web_ui, Method::POST, "/api/v1/silences", &body).await;
    assert_eq!((status, &made["silences"][0]["id"]), (StatusCode::CREATED, &json!("s1")));
    let silence = web_ui.json("/api/v1/silences/tokyo/s1").await;
    assert_eq!((&silence["mutes"], &silence["comment"]), (&json!(1), &json!("c")));
    let (status, error) =
        call(&web_ui, Method::POST, "/api/v1/silences", &json!({"filter": "a=b", "clusters": ["kyoto"]})).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(error["errors"][0]["field"], "cluster");
    let (status, error) = call(&web_ui, Method::POST, "/api/v1/silences", &json!({"colour": 1})).await;
    assert!(status == StatusCode::UNPROCESSABLE_ENTITY && error["error"].as_str().unwrap().contains("colour"));

    let mut change = json!({"filter": "instance=\"web-1\"", "duration": "3h", "comment": "d", "author": "ann", "updated_at": "2020-01-01T00:00:00Z"});
    let (status, conflict) = call(&web_ui, Method::PUT, "/api/v1/silences/tokyo/s1", &change).await;
    assert_eq!((status, &conflict["silence"]["comment"]), (StatusCode::CONFLICT, &json!("c")));
    change["updated_at"] = conflict["silence"]["updated_at"].clone();
    assert_eq!(call(&web_ui, Method::PUT, "/api/v1/silences/tokyo/s1", &change).await.0, StatusCode::OK);
    let items = json!({"items": [{"cluster": "tokyo", "id": "s1"}], "by": "31d"});
    let (status, told) = call(&web_ui, Method::POST, "/api/v1/silences/extend", &items).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(told["silences"][0]["error"].as_str().unwrap().contains("the longest silence is 30 d"), "{told}");
    assert_eq!(call(&web_ui, Method::DELETE, "/api/v1/silences/tokyo/s1", &Value::Null).await.0, StatusCode::OK);
    let (status, _) =
        call(&web_ui, Method::POST, "/api/v1/silences/expire", &json!({"items": [{"cluster": "tokyo", "id": "s1"}]}))
            .await;
    assert_eq!(status, StatusCode::CONFLICT, "it has ended");
    let request = web_ui.request(Method::POST, "/api/v1/silences").header("sec-fetch-site", "cross-site");
    assert_eq!(web_ui.answer(request.body("{}")).await.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn a_silence_ends_with_its_alert_and_with_nothing_else() {
    let (web_ui, gossip) = one().await;
    let [first, second] = &*gossip.members else { unreachable!("there are two") };
    assert_eq!(send(&web_ui, "/silences", &format!("{GOOD}&resolved=1")).await.status, StatusCode::SEE_OTHER);
    assert_eq!(gossip.silences()[0]["comment"], "new disk [until resolved]");
    let waiting = async {
        first.is_asked(20).await;
        assert!(gossip.has_active(), "the alert fires");
        // The alert is gone, but whether it is well is not known; each in turn.
        first.prometheus(Prometheus { fires: true, ..Prometheus::default() });
        gossip.fire(&[]);
        first.is_doubted(6).await;
        assert!(gossip.has_active(), "it fires in Prometheus");
        for prometheus in [
            Prometheus { node_is_down: true, ..Prometheus::default() },
            Prometheus { series_is_gone: true, ..Prometheus::default() },
        ] {
            first.prometheus(prometheus);
            first.is_doubted(6).await;
            assert!(gossip.has_active(), "{prometheus:?}");
        }
        first.prometheus(Prometheus { is_down: true, ..Prometheus::default() });
        first.is_asked(20).await;
        assert!(gossip.has_active(), "Prometheus does not answer");
        second.be(Mode::Down);
        first.prometheus(Prometheus::default());
        first.is_asked(20).await;
        assert!(gossip.has_active(), "one Alertmanager does not answer");
        second.be(Mode::Deaf);
        first.is_doubted(6).await;
        assert!(gossip.has_active(), "one Alertmanager does not know the silence");
        second.be(Mode::Good);
        web_ui.until("/silences?state=expired", |page| page.texts("tbody tr").len() == 1).await;
    };
    timeout(PATIENCE, waiting).await.unwrap();
    let metrics = web_ui.page("/metrics").await.text;
    assert!(metrics.contains("web_ui_silences_resolved_total{cluster=\"tokyo\"} 1"), "{metrics}");
    assert!(metrics.contains("web_ui_silences_doubtful_total{cluster=\"tokyo\",reason=\"stale\"} "), "{metrics}");
}

#[tokio::test]
async fn each_silence_that_is_to_wait_has_something_to_wait_for() {
    let (web_ui, gossip) = one().await;
    gossip.members[0].prometheus(Prometheus { fires: true, ..Prometheus::default() });
    let of = |instance: &str, check: &str| json!({"labels": {"instance": instance, "check": check}, "all": true});
    let body = json!({"targets": [of("web-1", "disk"), of("web-9", "load")], "clusters": ["tokyo"], "duration": "1h",
        "comment": "c", "author": "ann", "until_resolved": true});
    let (status, told) = call(&web_ui, Method::POST, "/api/v1/silences", &body).await;
    assert_eq!((status, &told["errors"][0]["field"]), (StatusCode::UNPROCESSABLE_ENTITY, &json!("resolved")), "{told}");
    let error = told["errors"].to_string();
    assert!(error.contains("tokyo: ") && error.contains("web-9") && !error.contains("web-1"), "{error}");
    assert_eq!(gossip.made(), 0, "neither of them");

    assert_eq!(send(&web_ui, "/silences", &format!("{GOOD}&resolved=1")).await.status, StatusCode::SEE_OTHER);
    gossip.fire(&[]);
    web_ui.until("/", |page| page.texts("tbody tr").is_empty()).await;
    let item = web_ui.page("/silences/tokyo/s1/edit").await.attribute("input[name=edit]", "value").to_owned();
    let edit = GOOD.replace("new+disk", "newer+disk");
    let edited = send(&web_ui, "/silences", &format!("{edit}&resolved=1&edit={}", item.replace(':', "%3A"))).await;
    assert_eq!(edited.status, StatusCode::SEE_OTHER, "it waits already: {}", edited.text);
}

#[tokio::test]
async fn what_only_alertmanager_understands_is_shown_and_said() {
    let (web_ui, gossip) = one().await;
    assert_eq!(send(&web_ui, "/silences", &format!("{GOOD}&resolved=1")).await.status, StatusCode::SEE_OTHER);
    let item = web_ui.page("/silences/tokyo/s1/edit").await.attribute("input[name=edit]", "value").replace(':', "%3A");
    let matchers = json!([{"name": "instance", "value": "web-[1&&2]", "isRegex": true, "isEqual": true}]);
    gossip.change(|silence| silence["matchers"] = matchers.clone());
    let what = r#"every alert where instance=~"web-[1&&2]""#;
    let list = web_ui.until("/silences", |page| page.texts("tbody .output a") == [what]).await;
    assert!(list.texts("tbody .output")[0].contains("One of its matchers cannot be used here"), "{}", list.text);
    let page = web_ui.page("/silences/tokyo/s1").await;
    assert!(page.texts(".sentence")[0].starts_with(&format!("Mute {what} in tokyo")), "{:?}", page.texts(".sentence"));
    assert!(page.texts(".nothing")[0].contains("One of its matchers cannot be used here"), "{}", page.text);
    assert_eq!(web_ui.json("/api/v1/silences/tokyo/s1").await["understood"], false);

    // Nor is it told as another one to who changes it, and it does not end because nothing would match it.
    let conflict = send(&web_ui, "/silences", &format!("{GOOD}&edit={item}")).await;
    assert_eq!(conflict.status, StatusCode::CONFLICT);
    assert!(conflict.texts(".theirs .sentence")[0].contains(what), "{:?}", conflict.texts(".theirs"));
    let doubt = "web_ui_silences_doubtful_total{cluster=\"tokyo\",reason=\"unread\"} ";
    let metrics = web_ui.until("/metrics", |page| page.text.contains(doubt)).await.text;
    assert!(metrics.contains("web_ui_silences_unread{cluster=\"tokyo\"} 1\n"), "{metrics}");
    assert!(gossip.has_active());
}

#[tokio::test]
async fn enter_in_the_field_of_an_end_is_that_end() {
    let (web_ui, _gossip) = one().await;
    assert_eq!(send(&web_ui, "/silences", GOOD).await.status, StatusCode::SEE_OTHER);
    for path in ["/silences/tokyo/s1", "/silences"] {
        let page = web_ui.page(path).await;
        // A browser sends the first button of a form.
        assert_eq!(page.attribute("form[action='/silences/act'] button", "value"), "extend", "{path}");
    }
    let both = send(&web_ui, "/silences/act", "item=tokyo/s1&by=1h&until=2099-01-01T00:00").await;
    assert_eq!(both.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(both.text.contains("either a length or an end, not both"), "{}", both.text);
    let both = json!({"items": [{"cluster": "tokyo", "id": "s1"}], "by": "1h", "until": "2099-01-01T00:00:00Z"});
    let (status, told) = call(&web_ui, Method::POST, "/api/v1/silences/extend", &both).await;
    assert_eq!((status, &told["errors"][0]["field"]), (StatusCode::UNPROCESSABLE_ENTITY, &json!("until")));
}
