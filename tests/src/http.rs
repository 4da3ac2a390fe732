//! Asking servers.

use std::sync::OnceLock;

use anyhow::{Context, ensure};
use reqwest::{Client, Response};
use serde_json::Value;
use service::http::{ClientOptions, read_limited, upstream_client};

const LIMIT: usize = 16 << 20;

fn client() -> &'static Client {
    static CLIENT: OnceLock<Client> = OnceLock::new();
    CLIENT.get_or_init(|| upstream_client(&ClientOptions::new(service::build_info!())).expect("no files are named"))
}

/// The JSON at `url`. Any status but 2xx is an error with the body's text.
pub async fn get_json(url: &str) -> anyhow::Result<Value> {
    let text = get_text(url).await?;
    serde_json::from_str(&text).with_context(|| format!("{url} answered with something else than JSON: {text}"))
}

/// Sends JSON and gives the JSON that is answered. Any status but 2xx is an error with the body's text.
pub async fn post_json(url: &str, body: &Value) -> anyhow::Result<Value> {
    let response = client().post(url).json(body).send().await.with_context(|| format!("cannot ask {url}"))?;
    let text = read_text(url, response).await?;
    serde_json::from_str(&text).with_context(|| format!("{url} answered with something else than JSON: {text}"))
}

/// The text at `url`. Any status but 2xx is an error with the body's text.
pub async fn get_text(url: &str) -> anyhow::Result<String> {
    let response = client().get(url).send().await.with_context(|| format!("cannot ask {url}"))?;
    read_text(url, response).await
}

async fn read_text(url: &str, response: Response) -> anyhow::Result<String> {
    let status = response.status();
    let body = read_limited(response, LIMIT).await.with_context(|| format!("cannot read {url}"))?;
    let text = String::from_utf8_lossy(&body).into_owned();
    ensure!(status.is_success(), "{url} answered {status}: {text}");
    Ok(text)
}
