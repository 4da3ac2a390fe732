//! The files that nodes need: those of checks and clients, byte for byte where nothing else stands in them.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;
use check_result::Object;
use serde_json::Value;

use super::handlers::{Handler, Means};
use super::installation::Installation;
use crate::definitions::lenient_json;

/// What only sensu-server, its API and its dashboards read, and what sensu-client's transport needed.
const OF_THE_SERVER: [&str; 11] = [
    "handlers",
    "filters",
    "mutators",
    "extensions",
    "contacts",
    "api",
    "transport",
    "rabbitmq",
    "redis",
    "dashboard",
    "uchiwa",
];

/// A file for the nodes.
#[derive(Debug)]
pub(super) struct NodeFile {
    /// Below the installation's directory.
    pub(super) path: PathBuf,
    pub(super) content: Vec<u8>,
    /// The sections that were taken out.
    pub(super) without: Vec<String>,
}

/// The sections that nodes do not need: their secrets should not go there.
pub(super) fn sections_of_the_server(handlers: &[Handler]) -> BTreeSet<&str> {
    let settings = handlers.iter().filter_map(|handler| match &handler.means {
        Means::Mail(section) | Means::Slack(section) => Some(section.as_str()),
        Means::Other(_) => None,
    });
    // Handlers of other kinds are mostly set in a section of their own name.
    let names = handlers.iter().map(|handler| handler.name.as_str());
    let sections = OF_THE_SERVER.into_iter().chain(["mailer", "slack"]).chain(settings).chain(names);
    sections.filter(|section| !["checks", "client", "sensu"].contains(section)).collect()
}

/// The files for the nodes, in the order in which they were read. A file that cannot be parsed is not among them.
pub(super) fn node_files(installation: &Installation, of_the_server: &BTreeSet<&str>) -> anyhow::Result<Vec<NodeFile>> {
    let mut files = Vec::new();
    for file in &installation.loaded.files {
        let bytes = fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
        let path = file.strip_prefix(&installation.from).unwrap_or(file);
        files.extend(node_file(path, bytes, of_the_server));
    }
    Ok(files)
}

fn node_file(path: &Path, bytes: Vec<u8>, of_the_server: &BTreeSet<&str>) -> Option<NodeFile> {
    let Ok(Value::Object(object)) = lenient_json(&String::from_utf8_lossy(&bytes)) else { return None };
    let (out, kept): (Object, Object) =
        object.into_iter().partition(|(section, _)| of_the_server.contains(section.as_str()));
    if kept.is_empty() {
        return None;
    }
    let without: Vec<_> = out.keys().cloned().collect();
    let content = if without.is_empty() { bytes } else { format!("{:#}\n", Value::Object(kept)).into_bytes() };
    Some(NodeFile { path: path.to_owned(), content, without })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_get_what_is_theirs() {
        let file = |text: &str| {
            let file = node_file(Path::new("a.json"), text.as_bytes().to_vec(), &sections_of_the_server(&[]))?;
            Some((String::from_utf8(file.content).unwrap(), file.without))
        };
        let checks = "{\"checks\": {} /* as it is */, \"mysql\": {\"password\": \"x\"}}";
        assert_eq!(file(checks), Some((checks.to_owned(), vec![])));
        assert_eq!(file("{\"handlers\": {}, \"mailer\": {}}"), None);
        let (text, without) = file("{\"checks\": {\"a\": {}}, \"slack\": {\"webhook_url\": \"x\"}}").unwrap();
        assert!(text.contains("\"a\"") && !text.contains("webhook"), "{text}");
        assert_eq!(without, ["slack"]);
    }
}
