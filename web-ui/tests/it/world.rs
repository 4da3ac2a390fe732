//! A running web-ui.

use std::net::SocketAddr;
use std::time::Duration;

use clap::Parser as _;
use reqwest::header::HeaderMap;
use reqwest::{Client, Method, RequestBuilder, StatusCode};
use scraper::{Html, Selector};
use serde_json::Value;
use service::http::{ClientOptions, read_limited, upstream_client};
use tempfile::TempDir;
use tokio::time::timeout;
use tokio_util::sync::{CancellationToken, DropGuard};
use web_ui::{Flags, Program};

use crate::openapi;

/// How long anything may take that happens at once on a quiet machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A web-ui on a port of its own.
pub(crate) struct WebUi {
    address: SocketAddr,
    client: Client,
    directory: TempDir,
    _stop: DropGuard,
}

/// A page, as a browser has it.
pub(crate) struct Page {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
    html: Html,
}

impl WebUi {
    pub(crate) fn start(config: &str) -> Self {
        Self::start_for(config, None)
    }

    /// The same with a web config, which says who gets in.
    pub(crate) fn start_for(config: &str, web_config: Option<&str>) -> Self {
        let directory = TempDir::new().unwrap();
        let write = |name: &str, text: &str| {
            let file = directory.path().join(name);
            std::fs::write(&file, text).unwrap();
            file.display().to_string()
        };
        let mut flags = vec!["web-ui".to_owned(), "--web.listen-address=127.0.0.1:0".to_owned()];
        flags.push(format!("--config.file={}", write("web-ui.yml", config)));
        flags.extend(web_config.map(|text| format!("--web.config.file={}", write("web.yml", text))));
        let flags = Flags::parse_from(flags);
        let program = Program::start(service::build_info!(), &flags).unwrap();
        let (address, stop) = (program.addresses()[0], CancellationToken::new());
        tokio::spawn(program.run(stop.clone()));
        let options = ClientOptions { timeout: PATIENCE, ..ClientOptions::new(service::build_info!()) };
        let client = upstream_client(&options).unwrap();
        Self { address, client, directory, _stop: stop.drop_guard() }
    }

    pub(crate) async fn page(&self, path: &str) -> Page {
        self.page_in(path, "en").await
    }

    pub(crate) async fn page_in(&self, path: &str, language: &str) -> Page {
        self.answer(self.request(Method::GET, path).header("accept-language", language)).await
    }

    /// Takes another configuration over; by ann, where users are asked.
    pub(crate) async fn reload(&self, config: &str) {
        std::fs::write(self.directory.path().join("web-ui.yml"), config).unwrap();
        let answer = self.answer(self.request(Method::POST, "/-/reload").basic_auth("ann", Some("secret"))).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    }

    /// The address of a path.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// A request that a test adds to.
    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, self.url(path))
    }

    pub(crate) async fn answer(&self, request: RequestBuilder) -> Page {
        let request = request.build().unwrap();
        let (method, path) = (request.method().clone(), request.url().path().to_owned());
        let response = self.client.execute(request).await.unwrap();
        let (status, headers) = (response.status(), response.headers().clone());
        let body = read_limited(response, 16 << 20).await.unwrap();
        let text = String::from_utf8(body.to_vec()).unwrap();
        openapi::check(&method, &path, status, &headers, &text);
        Page { status, headers, html: Html::parse_document(&text), text }
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

    /// Attributes of all elements that `selector` finds.
    pub(crate) fn attributes(&self, selector: &str, names: &[&str]) -> Vec<Vec<String>> {
        let found = Selector::parse(selector).unwrap();
        let said = |element: scraper::ElementRef<'_>| {
            names.iter().map(|name| element.value().attr(name).unwrap_or_default().to_owned()).collect()
        };
        self.html.select(&found).map(said).collect()
    }

    /// An attribute of the first element that `selector` finds.
    pub(crate) fn attribute(&self, selector: &str, name: &str) -> String {
        let found = Selector::parse(selector).unwrap();
        let element =
            self.html.select(&found).next().unwrap_or_else(|| panic!("{selector} is not there: {}", self.text));
        element.value().attr(name).unwrap_or_default().to_owned()
    }
}
