//! Reading: defaults, environment, the `-c` file, the directories, the client overrides; later ones win.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use check_result::Object;
use check_result::log::Level;
use nix::unistd::{AccessFlags, access};
use serde_json::{Value, json};

use super::document::Document;
use super::environment::{API, TRANSPORT, Variable};
use super::merge::{changes, merge, unique};
use super::tree::Tree;
use super::{Definitions, Failure, Features, Host, Redaction, validate, without_effect};
use crate::notice::Notice;

/// Where a configuration comes from.
#[derive(Clone, Debug)]
pub struct Sources {
    /// The `-c` file. Its absence is only a warning, as that of a directory's file that cannot be read is.
    pub file: Option<PathBuf>,
    /// The `-d` directories in the order given. One that cannot be read is a failure; of one below it there is a warning.
    pub directories: Vec<PathBuf>,
    /// The environment; only sensu-client's variables are looked at.
    pub environment: BTreeMap<String, String>,
    /// The machine's own defaults.
    pub host: Host,
    /// What is done differently from sensu-client.
    pub features: Features,
}

/// What came of it.
#[derive(Debug)]
pub struct Loaded {
    /// What sensu-client logs while it loads.
    pub notices: Vec<Notice>,
    /// The merged settings, valid or not, secrets hidden.
    pub settings: Object,
    /// The files that were read, in their order.
    pub files: Vec<PathBuf>,
    /// The checked configuration, or everything that is wrong.
    pub definitions: Result<Definitions, Vec<Failure>>,
}

// === impl Loaded ===

impl Loaded {
    /// Everything that is wrong.
    pub fn failures(&self) -> &[Failure] {
        self.definitions.as_ref().err().map_or(&[], Vec::as_slice)
    }
}

/// Loads and validates. A file that cannot be used does not keep the others from being examined.
pub fn load(sources: &Sources) -> Loaded {
    load_tree(sources).0
}

/// As [`load()`], for a configuration that is in use and was read from the files `present`: one of these that cannot be
/// read now is a failure. A `-c` file that is being replaced would take the client's name with it. A file that is gone
/// from a directory was taken away.
pub fn reload(sources: &Sources, present: &[PathBuf]) -> Loaded {
    read_sources(sources, present).0
}

/// As [`load()`], with what was read.
pub(crate) fn load_tree(sources: &Sources) -> (Loaded, Tree) {
    read_sources(sources, &[])
}

fn read_sources(sources: &Sources, present: &[PathBuf]) -> (Loaded, Tree) {
    let mut loader = Loader::new(&sources.host, present);
    loader.environment(&sources.environment);
    if let Some(file) = &sources.file {
        loader.file(file);
    }
    for directory in &sources.directories {
        loader.directory(directory);
    }
    loader.client_overrides();
    loader.finish(&sources.features)
}

pub(crate) const FILE_MISSING: &str = "config file does not exist or is not readable";
pub(crate) const DIRECTORY_UNREADABLE: &str = "config directory is not readable, ignoring its files";
pub(crate) const FILE_NOT_UTF8: &str = "config file is not valid UTF-8, its bad bytes become U+FFFD";

/// What it has to tell holds secrets until [`Loader::finish`].
struct Loader<'a> {
    /// The files that must not be missing.
    present: &'a [PathBuf],
    settings: Object,
    documents: Vec<(PathBuf, Document)>,
    notices: Vec<Notice>,
    failures: Vec<Failure>,
}

// === impl Loader ===

impl<'a> Loader<'a> {
    fn new(host: &Host, present: &'a [PathBuf]) -> Self {
        let defaults = json!({
            "client": {"name": host.name, "address": host.address},
            "sensu": {
                "spawn": {"limit": host.spawn_limit},
                "keepalives": {"thresholds": {"warning": 120, "critical": 180}},
            },
            "transport": {"name": "rabbitmq", "reconnect_on_error": true},
            "checks": {}, "filters": {}, "mutators": {}, "handlers": {}, "extensions": {},
        });
        let settings = defaults.as_object().cloned().unwrap_or_default();
        Self { present, settings, documents: Vec::new(), notices: Vec::new(), failures: Vec::new() }
    }

    fn environment(&mut self, environment: &BTreeMap<String, String>) {
        TRANSPORT.iter().for_each(|variable| self.variable(variable, environment));
        self.client_variables(environment);
        self.variable(&API, environment);
    }

    fn variable(&mut self, variable: &Variable, environment: &BTreeMap<String, String>) {
        if let Some(settings) = variable.settings(environment) {
            merge(&mut self.settings, &settings);
            let fields = variable.shown(&self.settings);
            self.notices.push(Notice { fields, ..Notice::new(Level::Warn, variable.message) });
        }
    }

    fn client_variables(&mut self, environment: &BTreeMap<String, String>) {
        let mut client = Object::new();
        for (variable, attribute) in [("SENSU_CLIENT_NAME", "name"), ("SENSU_CLIENT_ADDRESS", "address")] {
            if let Some(value) = environment.get(variable) {
                client.insert(attribute.to_owned(), value.as_str().into());
            }
        }
        if let Some(list) = environment.get("SENSU_CLIENT_SUBSCRIPTIONS") {
            let subscriptions: Vec<_> = list.split(',').filter(|item| !item.is_empty()).collect();
            client.insert("subscriptions".to_owned(), json!(subscriptions));
        }
        merge(&mut self.settings, &Object::from_iter([("client".to_owned(), client.into())]));
        if environment.keys().any(|variable| variable.starts_with("SENSU_CLIENT")) {
            let notice = self.about_client(Notice::new(Level::Warn, "using sensu client environment variables"));
            self.notices.push(notice);
        }
    }

    fn directory(&mut self, directory: &Path) {
        self.warn("loading config files from directory", "directory", directory);
        let mut found = Found::default();
        // Without leave to search it no file can be looked at: all would be left out.
        let searchable = access(directory, AccessFlags::R_OK | AccessFlags::X_OK).map_err(io::Error::from);
        if let Err(error) = searchable.and_then(|()| found.search(directory, FOLLOWED_LINKS)) {
            self.failures.push(forbidden(directory, &error));
        }
        for (directory, error) in found.unreadable {
            if self.present.iter().any(|present| present.starts_with(&directory)) {
                self.failures.push(forbidden(&directory, &error));
            } else {
                self.warn(DIRECTORY_UNREADABLE, "directory", &directory);
            }
        }
        found.files.sort_by(|one, other| one.as_os_str().cmp(other.as_os_str()));
        for file in found.files {
            self.file(&file);
        }
    }

    fn file(&mut self, file: &Path) {
        let open = match open(file) {
            Ok(open) => open,
            Err(error) if self.present.iter().any(|present| present == file) => {
                return self.failures.push(unreadable(file, &error));
            }
            Err(_) => {
                return [FILE_MISSING, "ignoring config file"].iter().for_each(|text| self.warn(text, "file", file));
            }
        };
        self.warn("loading config file", "file", file);
        let mut bytes = Vec::new();
        if let Err(error) = (&open).read_to_end(&mut bytes) {
            return self.failures.push(unreadable(file, &error));
        }
        let text = String::from_utf8(bytes).unwrap_or_else(|error| {
            self.warn(FILE_NOT_UTF8, "file", file);
            String::from_utf8_lossy(error.as_bytes()).into_owned()
        });
        match Document::parse(text) {
            Ok(document) => self.apply(file, document),
            Err(error) => {
                let failure = Failure::load("config file must be valid json")
                    .with("file", shown(file))
                    .with("error", error.to_string())
                    .with("line", error.line)
                    .with("column", error.column);
                self.failures.push(Failure { place: Some((file.to_owned(), error.line)), ..failure });
            }
        }
    }

    fn apply(&mut self, file: &Path, document: Document) {
        let before = self.settings.clone();
        merge(&mut self.settings, document.object());
        if !self.documents.is_empty() {
            let changes = changes(&before, &self.settings);
            let notice = Notice::new(Level::Warn, "config file applied changes").with("file", shown(file));
            self.notices.push(notice.with("changes", changes));
        }
        self.documents.push((file.to_owned(), document));
    }

    fn client_overrides(&mut self) {
        let Some(Value::Object(client)) = self.settings.get_mut("client") else { return };
        let own = json!(format!("client:{}", client.get("name").and_then(Value::as_str).unwrap_or_default()));
        let subscriptions = client.entry("subscriptions").or_insert(Value::Null);
        if matches!(subscriptions, Value::Null | Value::Bool(false)) {
            *subscriptions = json!([]);
        }
        let applied = if let Value::Array(items) = subscriptions {
            items.push(own);
            *items = unique(std::mem::take(items));
            Notice::new(Level::Warn, "applied sensu client overrides")
        } else {
            Notice::new(Level::Warn, "unable to apply sensu client overrides")
                .with("reason", "client subscriptions is not an array")
        };
        let notice = self.about_client(applied);
        self.notices.push(notice);
    }

    fn finish(mut self, features: &Features) -> (Loaded, Tree) {
        for mut failure in validate::validate(&self.settings, features) {
            failure.place_in(&self.documents);
            self.failures.push(failure);
        }
        let definitions = if self.failures.is_empty() {
            self.notices.extend(without_effect::warnings(&self.settings, features, &self.documents));
            Ok(Definitions::from_valid(&self.settings, features))
        } else {
            Err(self.failures)
        };
        // Not before all is read: the last file may say what is secret in the first.
        let redaction = Redaction::of(&self.settings);
        self.notices.iter_mut().for_each(|notice| notice.fields = redaction.object(&notice.fields));
        let hide = |failures: Vec<Failure>| failures.into_iter().map(|failure| failure.hide(&redaction)).collect();
        let definitions = definitions.map_err(hide);
        let settings = redaction.object(&self.settings);
        let files = self.documents.iter().map(|(file, _)| file.clone()).collect();
        let loaded = Loaded { notices: self.notices, settings, files, definitions };
        (loaded, Tree::new(self.settings, self.documents, features.clone()))
    }

    fn warn(&mut self, message: &'static str, key: &str, path: &Path) {
        self.notices.push(Notice::new(Level::Warn, message).with(key, shown(path)));
    }

    fn about_client(&self, notice: Notice) -> Notice {
        let client = Object::from_iter(self.settings.get("client").map(|client| ("client".to_owned(), client.clone())));
        Notice { fields: notice.fields.into_iter().chain(client).collect(), ..notice }
    }
}

// === files ===

/// How many symbolic links to directories a path may go through: sensu-client's glob `DIR/**{,/*/**}/*.json` takes one.
const FOLLOWED_LINKS: usize = 1;

fn open(file: &Path) -> io::Result<File> {
    // Anything else, a pipe say, may never end.
    if fs::metadata(file)?.is_file() { File::open(file) } else { Err(io::Error::other("not a regular file")) }
}

fn unreadable(file: &Path, error: &io::Error) -> Failure {
    Failure::load(FILE_MISSING).with("file", shown(file)).with("error", error.to_string())
}

fn forbidden(directory: &Path, error: &io::Error) -> Failure {
    let failure = Failure::load("insufficient permissions for loading").with("directory", shown(directory));
    failure.with("error", error.to_string())
}

/// Every `*.json` under a directory; hidden files and directories are left out.
#[derive(Default)]
struct Found {
    files: Vec<PathBuf>,
    /// Directories under the one that was searched. sensu-client's glob passes over them without a word.
    unreadable: Vec<(PathBuf, io::Error)>,
}

// === impl Found ===

impl Found {
    fn search(&mut self, directory: &Path, links: usize) -> io::Result<()> {
        for entry in fs::read_dir(directory)? {
            let entry = entry?;
            let path = entry.path();
            if entry.file_name().as_encoded_bytes().starts_with(b".") {
                continue;
            }
            if path.is_dir() {
                let Some(links) = links.checked_sub(usize::from(entry.file_type()?.is_symlink())) else { continue };
                if let Err(error) = self.search(&path, links) {
                    self.unreadable.push((path, error));
                }
            } else if path.extension().is_some_and(|extension| extension == "json") {
                self.files.push(path);
            }
        }
        Ok(())
    }
}

fn shown(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}
