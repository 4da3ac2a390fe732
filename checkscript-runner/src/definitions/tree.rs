//! What was read, valid or not, and where each part of it stands: for tools that explain a configuration.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use check_result::Object;
use serde_json::Value;

use super::check::{Absence, absence};
use super::document::Document;
use super::{Check, Client, Features, Redaction};

/// The merged settings and the files that they come from.
#[derive(Debug)]
pub(crate) struct Tree {
    /// With the defaults, the environment and the client overrides; secrets are open.
    settings: Object,
    /// In the order of loading.
    documents: Vec<(PathBuf, Document)>,
    features: Features,
    client: Client,
}

/// Which files say something about each path of keys.
#[derive(Debug, Default)]
pub(crate) struct Origins(HashMap<Vec<String>, Vec<Origin>>);

/// One file's word on one path.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Origin {
    pub(crate) file: Arc<Path>,
    /// From 1.
    pub(crate) line: usize,
    pub(crate) value: Value,
    /// The line of a member before it, in the same object, with the same key: it says nothing.
    pub(crate) hidden: Option<usize>,
}

// === impl Tree ===

impl Tree {
    pub(super) fn new(settings: Object, documents: Vec<(PathBuf, Document)>, features: Features) -> Self {
        let client = Client::new(super::object(settings.get("client")));
        Self { settings, documents, features, client }
    }

    /// The merged settings. Secrets are open.
    pub(crate) fn settings(&self) -> &Object {
        &self.settings
    }

    /// The merged object under a top-level key; none if it is no object.
    pub(crate) fn object(&self, key: &str) -> Option<&Object> {
        self.settings.get(key).and_then(Value::as_object)
    }

    /// What is done differently from sensu-client.
    pub(crate) fn features(&self) -> &Features {
        &self.features
    }

    /// The client; without a name where its definition is not valid.
    pub(crate) fn client(&self) -> &Client {
        &self.client
    }

    /// The check under `key` as this client runs it; `None` if it does not, or the definition is not valid.
    pub(crate) fn check(&self, key: &str) -> Option<Check> {
        Check::scheduled(&self.client, key, self.object("checks")?.get(key)?.as_object()?, &self.features)
    }

    /// Why this client does not run the check of this definition.
    pub(crate) fn absence(&self, definition: &Object) -> Option<Absence> {
        absence(&self.client, definition, &self.features)
    }

    /// Where everything stands.
    pub(crate) fn origins(&self) -> Origins {
        let mut origins = Origins::default();
        for (file, document) in &self.documents {
            let file: Arc<Path> = file.as_path().into();
            for member in document.members() {
                let (line, value, hidden) = (member.line, member.value, member.hidden);
                let origin = Origin { file: Arc::clone(&file), line, value, hidden };
                origins.0.entry(member.path).or_default().push(origin);
            }
        }
        origins
    }
}

// === impl Origins ===

impl Origins {
    /// Every file that speaks of the path, in the order of loading.
    pub(crate) fn of(&self, path: &[String]) -> &[Origin] {
        self.0.get(path).map_or(&[], Vec::as_slice)
    }

    /// The file that has the last word on the path.
    pub(crate) fn last(&self, path: &[String]) -> Option<&Origin> {
        self.of(path).last()
    }

    /// All paths with their origins, in no particular order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&[String], &[Origin])> {
        self.0.iter().map(|(path, origins)| (path.as_slice(), origins.as_slice()))
    }
}

// === impl Origin ===

impl Origin {
    /// The value as compact JSON, hidden where a key of the path that leads to it is a secret's.
    pub(crate) fn shown(&self, path: &[String], redaction: &Redaction) -> String {
        if path.iter().any(|key| redaction.is_secret(key)) {
            return "REDACTED".to_owned();
        }
        let key = path.last().cloned().unwrap_or_default();
        redaction.object(&Object::from_iter([(key.clone(), self.value.clone())]))[&key].to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(files: &[(&str, &str)]) -> Tree {
        let document =
            |(file, text): &(&str, &str)| (PathBuf::from(file), Document::parse((*text).to_owned()).unwrap());
        Tree::new(Object::new(), files.iter().map(document).collect(), Features::default())
    }

    #[test]
    fn every_file_that_speaks_of_a_path_is_known_and_the_last_one_wins() {
        let tree =
            tree(&[("a.json", "{\"checks\":\n{\"x\": {\"interval\": 1}}}"), ("b.json", "{\"checks\": {\"x\": {}}}")]);
        let origins = tree.origins();
        let path = |keys: &[&str]| keys.iter().map(|&key| key.to_owned()).collect::<Vec<_>>();
        let lines: Vec<_> =
            origins.of(&path(&["checks", "x"])).iter().map(|origin| (&*origin.file, origin.line)).collect();
        assert_eq!(lines, [(Path::new("a.json"), 2), (Path::new("b.json"), 1)]);
        assert_eq!(origins.last(&path(&["checks", "x", "interval"])).map(|origin| origin.line), Some(2));
        assert_eq!(origins.last(&path(&["checks", "y"])), None);
    }

    #[test]
    fn secrets_are_not_shown() {
        let origin = Origin { file: Path::new("a").into(), line: 1, value: "hunter2".into(), hidden: None };
        let redaction = Redaction::default();
        let shown = |path: [&str; 2]| origin.shown(&path.map(str::to_owned), &redaction);
        assert_eq!(shown(["password", "x"]), "REDACTED");
        assert_eq!(shown(["client", "x"]), "\"hunter2\"");
        let above = Origin { value: serde_json::json!({"password": "hunter2"}), ..origin };
        assert_eq!(above.shown(&["client".to_owned()], &redaction), "{\"password\":\"REDACTED\"}");
    }
}
