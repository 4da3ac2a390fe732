//! The gateways, as flags and the file of `--push.config.file` say.
//!
//! ```yaml
//! gateways:
//!   - url: https://push.example.org
//!     metrics_only: false
//!     basic_auth: {username: node, password_file: password}   # or authorization, tls_config: Prometheus's http_config
//! ```

use std::path::Path;

use service::ConfigError;
use service::config::Place;
use service::http::{HttpConfig, base_url};
use url::Url;

/// A gateway, and how it is asked.
#[derive(Clone, Debug)]
pub struct Gateway {
    /// Its base URL.
    pub url: Url,
    /// What it takes.
    pub kind: Kind,
    /// Credentials and TLS.
    pub http: HttpConfig,
}

/// What a gateway takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Check results: a pushgateway-ex.
    Results,
    /// Metrics alone: any Pushgateway.
    Metrics,
}

/// Reads the file.
///
/// # Errors
/// All failures, each as `FILE:LINE: FIELD: what is wrong`.
pub fn load(path: &Path) -> Result<Vec<Gateway>, ConfigError> {
    let folder = path.parent().unwrap_or(Path::new(""));
    service::config::load(path, |root| read(&root, folder))
}

/// Every field that the file may have.
pub fn fields() -> Vec<service::config::Known> {
    service::config::survey(|root| drop(read(&root, Path::new(""))))
}

fn read(root: &Place<'_>, folder: &Path) -> Vec<Gateway> {
    let mut fields = root.fields();
    let places = fields.needed_list("gateways", "[{url: \"http://127.0.0.1:9091\"}]");
    fields.end();
    places.iter().filter_map(|place| gateway(place, folder)).collect()
}

fn gateway(place: &Place<'_>, folder: &Path) -> Option<Gateway> {
    let mut fields = place.fields();
    let url = fields.needed("url", "http://127.0.0.1:9091").and_then(|place| place.value(base_url));
    let kind = if fields.boolean("metrics_only").unwrap_or(false) { Kind::Metrics } else { Kind::Results };
    let http = HttpConfig::read(&mut fields, folder);
    fields.end();
    Some(Gateway { url: url?, kind, http })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_text(text: &str) -> Result<Vec<Gateway>, String> {
        service::config::parse(text, |root| read(&root, Path::new(""))).map_err(|error| error.to_string())
    }

    #[test]
    fn a_gateway_has_credentials_and_a_kind() {
        let text =
            "gateways:\n- {url: \"https://a/x/\", basic_auth: {username: u}}\n- {url: http://b, metrics_only: yes}\n";
        let gateways = read_text(text).unwrap();
        assert_eq!((gateways[0].url.as_str(), gateways[0].kind), ("https://a/x", Kind::Results));
        assert!(gateways[0].http.has_credentials());
        assert_eq!(gateways[1].kind, Kind::Metrics);
    }

    #[test]
    fn every_mistake_has_its_line() {
        let text =
            "gateways:\n- {url: gw}\n- {metrics_only: 7, url: http://a}\n- {url: http://u:secret@a}\n- {uri: b}\n";
        let told = read_text(text).unwrap_err();
        let starts = [
            "2: gateways[0].url: `gw` is not a URL",
            "3: gateways[1].metrics_only: `7`",
            "4: gateways[2].url: the URL may",
            "5: gateways[3].url: is needed",
            "5: gateways[3].uri: unknown field",
        ];
        for (line, start) in told.lines().zip(starts) {
            assert!(line.starts_with(start), "{told}");
        }
        assert!(!told.contains("secret"), "{told}");
        assert!(read_text("{}").unwrap_err().starts_with("1: gateways: is needed"));
    }
}
