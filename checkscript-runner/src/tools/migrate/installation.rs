//! Reading a Sensu installation: its files as both sensu-client and sensu-server read them, and what was silenced.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use check_result::Object;
use serde::Deserialize;
use serde_json::Value;

use crate::definitions::{Features, Host, Loaded, Origins, Sources, Tree, load_tree};

/// Everything that is known of an installation.
#[derive(Debug)]
pub(super) struct Installation {
    /// Its directory.
    pub(super) from: PathBuf,
    pub(super) tree: Tree,
    pub(super) origins: Origins,
    /// Validation, and the files that were read.
    pub(super) loaded: Loaded,
    /// What was silenced, where an export of it was given.
    pub(super) silenced: Vec<Silenced>,
}

/// An entry of Sensu's registry of silences, as its API's `GET /silenced` tells it (sensu `lib/sensu/api/routes/silenced.rb`).
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Silenced {
    /// `SUBSCRIPTION:CHECK`, `*` for all of either.
    pub(super) id: String,
    pub(super) subscription: Option<String>,
    pub(super) check: Option<String>,
    /// For how many seconds from the export on; below 0 for ever.
    pub(super) expire: Option<i64>,
    #[serde(default)]
    pub(super) expire_on_resolve: bool,
    /// When it begins, if not at once: epoch seconds.
    pub(super) begin: Option<i64>,
    pub(super) creator: Option<String>,
    pub(super) reason: Option<String>,
}

// === impl Installation ===

impl Installation {
    /// Reads `config.json` and `conf.d` of the directory, and the export of silences, by default its `silenced.json`.
    ///
    /// # Errors
    /// When the directory has neither, or the export cannot be used. Files with mistakes are no error: they are part of what is reported.
    pub(super) fn read(from: &Path, silenced: Option<&Path>) -> anyhow::Result<Self> {
        let (file, directory) = (from.join("config.json"), from.join("conf.d"));
        ensure!(
            file.is_file() || directory.is_dir(),
            "{} has neither config.json nor conf.d: --from wants a directory such as /etc/sensu",
            from.display()
        );
        let export =
            silenced.map(Path::to_owned).or_else(|| Some(from.join("silenced.json")).filter(|file| file.is_file()));
        let silenced = export.map_or_else(|| Ok(Vec::new()), |file| read_silenced(&file))?;
        let mut sources = Sources {
            file: file.is_file().then_some(file),
            directories: directory.is_dir().then_some(directory).into_iter().collect(),
            // Whatever this machine's environment says, it is not that of the installation.
            environment: BTreeMap::new(),
            host: Host { name: "migration".to_owned(), ..Host::detect() },
            features: Features::default(),
        };
        let (_, first) = load_tree(&sources);
        // Of a client that subscribes to everything every check is judged as one that runs.
        sources.environment.insert("SENSU_CLIENT_SUBSCRIPTIONS".to_owned(), all_subscribers(&first).join(","));
        let (loaded, tree) = load_tree(&sources);
        let origins = tree.origins();
        Ok(Self { from: from.to_owned(), tree, origins, loaded, silenced })
    }

    /// The objects of a top-level section.
    pub(super) fn objects<'a>(&'a self, section: &str) -> impl Iterator<Item = (&'a str, &'a Object)> {
        let members = self.tree.object(section).into_iter().flatten();
        members.filter_map(|(name, object)| Some((name.as_str(), object.as_object()?)))
    }
}

fn all_subscribers(tree: &Tree) -> Vec<String> {
    let checks = tree.object("checks").into_iter().flatten();
    let lists = checks.filter_map(|(_, check)| check.get("subscribers")?.as_array());
    let names: BTreeSet<_> = lists.flatten().filter_map(Value::as_str).map(str::to_owned).collect();
    names.into_iter().collect()
}

fn read_silenced(file: &Path) -> anyhow::Result<Vec<Silenced>> {
    let text = fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    serde_json::from_str(&text).with_context(|| {
        format!("{} is not what GET /silenced of Sensu's API answers, a JSON array of silences", file.display())
    })
}
