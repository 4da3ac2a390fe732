//! Pages in Japanese: whatever goes wrong, no English stands on them but names, notations and what other programs say.

use http::{Method, StatusCode};
use scraper::{ElementRef, Html, Selector};

use crate::gossip::Mode;
use crate::pages::{alert, config, world};
use crate::servers::{Fault, Servers, World};
use crate::silences::{GOOD, one};
use crate::world::{Page, WebUi};

/// Names and notations.
const NAMES: &str = "Ogi Prometheus Alertmanager Thanos Mimir VictoriaMetrics API Metrics CSV JSON ID English IP \
                     OK WARNING CRITICAL UNKNOWN critical warning unknown ok cron ttl job instance targets";

/// What the servers of the tests know.
const DATA: &str = "tokyo osaka web db disk load ann checkscript Check CheckCritical alertname instance check cluster \
                    job severity works on it new failed env";

/// What servers, parsers and the system say of what is wrong; what was wrong a moment ago may stand on a page still.
const PARSERS: &str = "Service Unavailable no EOF while parsing string at line column invalid type map expected sequence api \
                       end of file before message length reached connection closed completed";

/// Whose text is data: outputs, matchers, keys.
const DATA_IN: &str =
    "code, pre, kbd, script, style, textarea, .chip-box, .groupby, .line, .said, .zone, td.output, .muted .faint";

/// Attributes that are read or heard.
const READ: [&str; 10] = [
    "aria-label",
    "title",
    "alt",
    "data-text",
    "data-off",
    "data-on",
    "data-other",
    "data-refused",
    "data-one",
    "data-many",
];

/// The texts of a page that are its own, those of attributes too.
fn texts(page: &Page) -> Vec<String> {
    let (html, data) = (Html::parse_document(&page.text), Selector::parse(DATA_IN).unwrap());
    let is_data = |element: ElementRef<'_>| {
        let mut whole = std::iter::once(element).chain(element.ancestors().filter_map(ElementRef::wrap));
        whole.any(|element| data.matches(&element))
    };
    let every = Selector::parse("html *").unwrap();
    let mut texts = Vec::new();
    for element in html.select(&every).filter(|element| !is_data(*element)) {
        texts.extend(element.children().filter_map(|child| Some(child.value().as_text()?.to_string())));
        texts.extend(READ.iter().filter_map(|name| element.value().attr(name)).map(str::to_owned));
    }
    texts
}

/// Fails where a page says anything in English; what other programs `say` may stand on it.
fn assert_japanese(page: &Page, what: &str, say: &str) {
    assert!(page.text.contains("lang=\"ja\""), "{what}: {}", page.text);
    let known: Vec<_> = [NAMES, DATA, say].iter().flat_map(|words| words.split_whitespace()).collect();
    for text in texts(page) {
        let words = text.split(|c: char| !c.is_ascii_alphabetic()).filter(|word| word.len() > 1);
        let strange: Vec<_> = words.filter(|word| !known.contains(word)).collect();
        assert!(strange.is_empty(), "{what}: {strange:?} in {text:?}");
    }
}

async fn send(web_ui: &WebUi, path: &str, form: &str) -> Page {
    let request = web_ui.request(Method::POST, path).header("accept-language", "ja");
    let request = request.header("content-type", "application/x-www-form-urlencoded");
    web_ui.answer(request.body(form.to_owned())).await
}

#[tokio::test]
async fn every_page_is_in_japanese() {
    let mut inhibited = alert("web-2", "disk", "warning", &[]);
    inhibited["status"]["inhibitedBy"] = serde_json::json!(["web-1disk"]);
    let mut world = world();
    world.alerts.push(inhibited);
    let (tokyo, osaka) = (Servers::start(world).await, Servers::start(World::default()).await);
    let web_ui = WebUi::start(&config(&[("tokyo", &tokyo), ("osaka", &osaka)]));
    web_ui.until("/nodes", |page| page.texts("tbody tr").len() == 3).await;
    web_ui.until("/", |page| page.texts("tbody tr").len() == 3).await;
    let pages = "/ /alerts/tokyo/web-1disk /alerts/tokyo/web-2load /?group=instance /?find=nothing /?limit=1&page=2 /nodes /nodes?limit=1 /nodes/tokyo/checkscript/web-1 \
                 /nodes/tokyo/checkscript/web-1?check=load&range=7d /nodes/tokyo/checkscript/db%2F1 /checks /checks/disk \
                 /checks/load /silences /silences?state=active,expired /silences/tokyo/s1 /silences/tokyo/s2 \
                 /silences/tokyo/s1/edit /silences/new /silences/new?again=tokyo/s2 /silences/new?alert=tokyo/web-1disk \
                 /silences/new?node=tokyo/checkscript/web-1 /silences/new?check=disk /silences/new?filter=instance%3D~web.* \
                 /silences?done=made&count=2&known=1 /silences?done=extended /silences?done=expired";
    for path in pages.split_whitespace() {
        let page = web_ui.page_in(path, "ja").await;
        assert_eq!(page.status, StatusCode::OK, "{path}");
        assert_japanese(&page, path, "");
    }
}

#[tokio::test]
async fn what_is_not_there_is_said_in_japanese() {
    let servers = Servers::start(world()).await;
    let web_ui = WebUi::start(&config(&[("tokyo", &servers)]));
    web_ui.until("/checks", |page| page.texts("tbody tr").len() == 2).await;
    web_ui.until("/", |page| page.texts("tbody tr").len() == 2).await;
    for (path, say) in [
        ("/nowhere", ""),
        ("/nodes/tokyo/checkscript/gone", ""),
        ("/checks/gone", ""),
        ("/alerts/tokyo/gone", ""),
        ("/silences/tokyo/gone", ""),
        ("/?sort=colour", "sort colour since node alert"),
        ("/?page=x", "page"),
        ("/?filter==b", "filter"),
        ("/?filter=env", "filter"),
        ("/?filter=env%3D%22b", "filter"),
        ("/?filter=env%3D%22b%22+job", "filter"),
        ("/?filter=env%3D~(", "filter unclosed group"),
        ("/?filter=env%3D~[a%26%26b]", "filter"),
    ] {
        let page = web_ui.page_in(path, "ja").await;
        assert!(page.status.is_client_error(), "{path}: {}", page.status);
        assert_japanese(&page, path, say);
    }
    let foreign = web_ui.request(Method::POST, "/silences").header("sec-fetch-site", "cross-site");
    let refused = web_ui.answer(foreign.header("accept-language", "ja")).await;
    assert_japanese(&refused, "another site", "");
    let stranger = web_ui.request(Method::GET, "/").header("host", "evil.example").header("accept-language", "ja");
    assert_japanese(&web_ui.answer(stranger).await, "another name", "evil example access hosts");
}

#[tokio::test]
async fn troubles_are_told_in_japanese() {
    let (tokyo, good) = (Servers::start(world()).await, Servers::start(World { secretive: true, ..world() }).await);
    let pair = format!("[{{url: \"http://{}\"}}, {{url: \"http://{}\"}}]", tokyo.address, good.address);
    let alone = format!("[{{url: \"http://{}\"}}]", tokyo.address);
    let web_ui = WebUi::start(&format!(
        "clusters:\n- {{name: tokyo, prometheus: {alone}, alertmanagers: {alone}}}\n- {{name: osaka, prometheus: {pair}, \
         alertmanagers: {pair}}}\nrefresh: {{alerts: 100ms, nodes: 100ms}}\ntimeout: 500ms\n"
    ));
    web_ui.until("/nodes", |page| page.texts("tbody tr").len() == 6).await;
    for (fault, says) in [
        (Fault::Status(503), "answered 503"),
        (Fault::Half, "expected"),
        (Fault::Hangs, "in time"),
        (Fault::Stalls, "did not arrive"),
        (Fault::Breaks, "connection failed"),
    ] {
        tokyo.change(|world| world.fault = Some(fault));
        let told = |text: &String| text.starts_with("Prometheus, tokyo") && text.contains(says);
        web_ui.until("/nodes", |page| page.texts(".trouble.old").iter().any(told)).await;
        assert_japanese(&web_ui.page_in("/nodes", "ja").await, &format!("{fault:?}"), PARSERS);
    }
    tokyo.change(|world| world.fault = Some(Fault::Status(503)));
    for path in ["/nodes/tokyo/checkscript/web-2?check=load", "/nodes/osaka/checkscript/web-2", "/checks/disk"] {
        assert_japanese(&web_ui.page_in(path, "ja").await, path, PARSERS);
    }
    tokyo.change(|world| (world.fault, world.warning) = (None, Some("a store is away")));
    let told = |text: &String| text.contains("a store is away");
    // What was wrong before is said until that, too, is asked again.
    let only_told = |page: &Page| page.texts(".trouble").iter().any(told) && page.texts(".trouble.old").is_empty();
    web_ui.until("/nodes", only_told).await;
    assert_japanese(&web_ui.page_in("/nodes", "ja").await, "a warning", &format!("store is away {PARSERS}"));
}

#[tokio::test]
async fn refused_silences_are_told_in_japanese() {
    let (web_ui, gossip) = one().await;
    for (form, say) in [
        ("do=create", ""),
        (
            "do=create&target=%7B&filter=env&cluster=kyoto&duration=2&author=&comment=",
            "kyoto EOF while parsing an object at line column",
        ),
        ("do=preview&filter=env%3D~(&cluster=tokyo&begins=x&ends=y", "unclosed group"),
        ("do=preview&filter=env%3D~.*&cluster=tokyo&duration=99w", "silences longest"),
        ("do=create&filter=env%3Dprod&cluster=tokyo&duration=2h&comment=a&author=ann&resolved=1", "prod"),
        ("do=create&filter=env%3Dprod&cluster=tokyo&begins=2000-01-01T00:00&ends=2000-01-01T00:00", ""),
    ] {
        assert_japanese(&send(&web_ui, "/silences", form).await, form, say);
    }
    for form in ["", "item=tokyo/gone&by=x", "item=tokyo/gone&by=1h&until=2030-01-01T00:00", "item=tokyo/gone&by=1h"] {
        assert_japanese(&send(&web_ui, "/silences/act", form).await, form, "");
    }
    assert_eq!(send(&web_ui, "/silences", GOOD).await.status, StatusCode::SEE_OTHER);
    let act = "item=tokyo/s1/2000-01-01T00:00:00Z&act=expire";
    assert_japanese(&send(&web_ui, "/silences/act", act).await, act, "");
    let edit = format!("{}&edit=tokyo/s1/2000-01-01T00:00:00Z", GOOD.replace("duration=2h", "duration=4h"));
    assert_japanese(&send(&web_ui, "/silences", &edit).await, "edited meanwhile", "");
    let other = GOOD.replace("disk", "load");
    for (mode, say) in [(Mode::Refuses, "Bad Request silence invalid no"), (Mode::Down, "Service Unavailable away")] {
        gossip.members.iter().for_each(|member| member.be(mode));
        assert_japanese(&send(&web_ui, "/silences", &other).await, &format!("{mode:?}"), say);
    }
    gossip.members.iter().for_each(|member| {
        member.be(Mode::Good);
        member.version("0.21.0");
    });
    let page = send(&web_ui, "/silences", &other.replace("instance%3D", "instance!%3D")).await;
    assert!(page.texts(".outcomes")[0].contains("（0.22 以降が必要です）"), "{:?}", page.texts(".outcomes"));
    // At its head still: what was wrong before.
    assert_japanese(&page, "too old", "Service Unavailable away");
}
