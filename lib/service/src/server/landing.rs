//! The page at `/`: what this server is, and where its parts are.
//!
//! - `GET /` (exactly): the page

use std::fmt::Write as _;

use axum::Router;
use axum::response::Html;
use axum::routing::get;

use crate::info::BuildInfo;

/// A landing page.
#[derive(Debug, Clone)]
pub struct Landing {
    title: String,
    description: String,
    /// Address and text.
    links: Vec<(String, String)>,
}

impl Landing {
    /// A page with links to `/metrics` and the health endpoints.
    #[must_use]
    pub fn new(title: impl Into<String>, description: impl Into<String>) -> Self {
        let links = [("/metrics", "Metrics"), ("/-/healthy", "Health"), ("/-/ready", "Readiness")];
        Self {
            title: title.into(),
            description: description.into(),
            links: links.map(|(address, text)| (address.to_owned(), text.to_owned())).to_vec(),
        }
    }

    /// Adds a link.
    #[must_use]
    pub fn link(mut self, address: impl Into<String>, text: impl Into<String>) -> Self {
        self.links.push((address.into(), text.into()));
        self
    }

    pub(super) fn routes(&self, info: BuildInfo) -> Router {
        let page = self.page(info);
        Router::new().route("/", get(async || Html(page)))
    }

    fn page(&self, info: BuildInfo) -> String {
        let (title, description) = (escaped(&self.title), escaped(&self.description));
        let links = self.links.iter().fold(String::new(), |mut list, (address, text)| {
            writeln!(list, "<li><a href=\"{}\">{}</a></li>", escaped(address), escaped(text))
                .expect("writing to a String cannot fail");
            list
        });
        let version = escaped(&format!("{} {} {}", info.name, info.version, info.revision));
        format!(
            "<!DOCTYPE html>\n<html lang=\"en\">\n<head><meta charset=\"utf-8\"><title>{title}</title></head>\n<body>\n\
             <h1>{title}</h1>\n<p>{description}</p>\n<ul>\n{links}</ul>\n<p>{}</p>\n</body>\n</html>\n",
            version.trim_end()
        )
    }
}

/// Text for HTML, in element content and in quoted attributes.
fn escaped(text: &str) -> String {
    text.chars().fold(String::with_capacity(text.len()), |mut out, c| {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            other => out.push(other),
        }
        out
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_escapes_everything_it_is_given() {
        let info = BuildInfo { name: "agent", version: "1.2.3", revision: "" };
        let page = Landing::new("A & B", "<script>").link("/x?a=1&b=\"2\"", "it's").page(info);
        assert!(page.contains("<h1>A &amp; B</h1>\n<p>&lt;script&gt;</p>"), "{page}");
        assert!(page.contains("<a href=\"/x?a=1&amp;b=&quot;2&quot;\">it&#39;s</a>"), "{page}");
        assert!(page.contains("<a href=\"/metrics\">Metrics</a>") && page.contains("<p>agent 1.2.3</p>"), "{page}");
    }
}
