//! A running web-ui.

use std::net::SocketAddr;
use std::time::Duration;

use clap::Parser as _;
use reqwest::{Client, StatusCode};
use scraper::{Html, Selector};
use serde_json::Value;
use service::http::{ClientOptions, read_limited, upstream_client};
use tempfile::TempDir;
use tokio::time::timeout;
use tokio_util::sync::{CancellationToken, DropGuard};
use web_ui::{Flags, Program};

/// How long anything may take that happens at once on a quiet machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// A web-ui on a port of its own.
pub(crate) struct WebUi {
    address: SocketAddr,
    client: Client,
    _directory: TempDir,
    _stop: DropGuard,
}

/// A page, as a browser has it.
pub(crate) struct Page {
    pub(crate) status: StatusCode,
    pub(crate) text: String,
    html: Html,
}

impl WebUi {
    pub(crate) fn start(config: &str) -> Self {
        let directory = TempDir::new().unwrap();
        let file = directory.path().join("web-ui.yml");
        std::fs::write(&file, config).unwrap();
        let flag = format!("--config.file={}", file.display());
        let flags = Flags::parse_from(["web-ui", &flag, "--web.listen-address=127.0.0.1:0"]);
        let program = Program::start(service::build_info!(), &flags).unwrap();
        let (address, stop) = (program.addresses()[0], CancellationToken::new());
        tokio::spawn(program.run(stop.clone()));
        let client = upstream_client(&ClientOptions::new(service::build_info!())).unwrap();
        Self { address, client, _directory: directory, _stop: stop.drop_guard() }
    }

    pub(crate) async fn page(&self, path: &str) -> Page {
        self.page_in(path, "en").await
    }

    pub(crate) async fn page_in(&self, path: &str, language: &str) -> Page {
        let request = self.client.get(format!("http://{}{path}", self.address));
        let response = request.header("accept-language", language).send().await.unwrap();
        let status = response.status();
        let body = read_limited(response, 16 << 20).await.unwrap();
        let text = String::from_utf8(body.to_vec()).unwrap();
        Page { status, html: Html::parse_document(&text), text }
    }

    pub(crate) async fn json(&self, path: &str) -> Value {
        serde_json::from_str(&self.page(path).await.text).unwrap()
    }

    /// Waits until `path` shows what is wanted; asked again at each event, as a browser does.
    pub(crate) async fn until(&self, path: &str, is_so: impl Fn(&Page) -> bool) -> Page {
        let waiting = async {
            let events = self.client.get(format!("http://{}/events", self.address)).timeout(PATIENCE);
            let mut events = events.send().await.unwrap();
            loop {
                let page = self.page(path).await;
                if is_so(&page) {
                    return page;
                }
                events.chunk().await.unwrap().expect("the stream of events goes on");
            }
        };
        timeout(PATIENCE, waiting).await.unwrap_or_else(|_| panic!("{path} does not show what is wanted"))
    }
}

impl Page {
    /// The texts of all elements that `selector` finds.
    pub(crate) fn texts(&self, selector: &str) -> Vec<String> {
        let found = Selector::parse(selector).unwrap();
        let words = |texts: Vec<&str>| texts.join(" ").split_whitespace().collect::<Vec<_>>().join(" ");
        self.html.select(&found).map(|element| words(element.text().collect())).collect()
    }

    /// An attribute of the first element that `selector` finds.
    pub(crate) fn attribute(&self, selector: &str, name: &str) -> String {
        let found = Selector::parse(selector).unwrap();
        let element =
            self.html.select(&found).next().unwrap_or_else(|| panic!("{selector} is not there: {}", self.text));
        element.value().attr(name).unwrap_or_default().to_owned()
    }
}
