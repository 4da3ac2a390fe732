//! The stream of events.

use reqwest::Method;

use crate::servers::{Servers, World};
use crate::world::WebUi;

#[tokio::test]
async fn an_open_stream_ends_with_the_program_and_is_not_cut() {
    let tokyo = Servers::start(World::default()).await;
    let web_ui =
        WebUi::start(&format!("clusters: [{{name: tokyo, prometheus: [{{url: \"http://{}\"}}]}}]", tokyo.address));
    let mut events = web_ui.request(Method::GET, "/events").send().await.unwrap();
    drop(web_ui);
    // What is cut, since it did not end in time, is an error here.
    while events.chunk().await.unwrap().is_some() {}
}
