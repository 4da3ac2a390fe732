//! Asking servers.

use std::sync::OnceLock;

use anyhow::{Context, ensure};
use reqwest::Client;
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

/// The text at `url`. Any status but 2xx is an error with the body's text.
pub async fn get_text(url: &str) -> anyhow::Result<String> {
    let response = client().get(url).send().await.with_context(|| format!("cannot ask {url}"))?;
    let status = response.status();
    let body = read_limited(response, LIMIT).await.with_context(|| format!("cannot read {url}"))?;
    let text = String::from_utf8_lossy(&body).into_owned();
    ensure!(status.is_success(), "{url} answered {status}: {text}");
    Ok(text)
}
