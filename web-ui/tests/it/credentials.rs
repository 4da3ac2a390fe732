//! Who gets the credentials of nodes.

use crate::pages::{self, world};
use crate::servers::{Servers, World};
use crate::world::WebUi;

/// A cluster whose only targets are of the job `shop`, and have series as nodes have.
async fn shop(more: &str) -> (Servers, WebUi) {
    let servers = Servers::start(World { job: Some("shop"), ..world() }).await;
    let more = more.replace("GATEWAY", &format!("http://{}", servers.address));
    let config = pages::config(&[("tokyo", &servers)]).replacen("}]}\n", &format!("}}], {more}}}\n"), 1);
    let web_ui = WebUi::start(&config);
    web_ui.until("/nodes", |page| page.texts("tbody tr").len() == 3).await;
    (servers, web_ui)
}

#[tokio::test]
async fn what_is_scraped_and_is_no_node_gets_none_whatever_its_series_say() {
    let (servers, web_ui) = shop("detail: {basic_auth: {username: ui, password: secret}}").await;
    for path in ["/nodes/tokyo/shop/web-1", "/nodes/tokyo/shop/web-1?check=disk"] {
        let page = web_ui.page(path).await;
        assert!(page.text.contains("target of the job shop") && page.text.contains("`node_jobs`"), "{}", page.text);
        assert!(page.text.contains("(checkscript.*)") && page.text.contains("disk"), "{}", page.text);
    }
    assert_eq!(servers.credentials(), Vec::<String>::new(), "nobody was asked");
}

#[tokio::test]
async fn nodes_of_another_job_are_asked_where_the_configuration_names_it() {
    let detail = "detail: {basic_auth: {username: ui, password: secret}}";
    let (servers, web_ui) = shop(&format!("node_jobs: checkscript|shop, {detail}")).await;
    let page = web_ui.page("/nodes/tokyo/shop/web-1?check=disk").await;
    assert!(page.text.contains("same line"), "{}", page.text);
    let given = servers.credentials();
    assert!(!given.is_empty() && given.iter().all(|given| given == "Basic dWk6c2VjcmV0"), "{given:?}");
}

#[tokio::test]
async fn the_gateway_of_the_configuration_is_asked_whatever_its_job() {
    let (servers, web_ui) = shop("detail: {pushgateway: \"GATEWAY\"}").await;
    let page = web_ui.page("/nodes/tokyo/shop/web-1?check=disk").await;
    assert!(page.text.contains("same line") && !servers.credentials().is_empty(), "{}", page.text);
}
