//! What holds for any input. The fuzz targets assert it of what they come upon, the tests of what fuzzing began with and found.

// Named by their files, for the fuzz targets as well.
#[path = "properties/migrate.rs"]
mod migrate;
#[path = "properties/slots.rs"]
mod slots;
#[path = "properties/sockets.rs"]
mod sockets;
#[path = "properties/windows.rs"]
mod windows;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use check_result::Object;
use checkscript_runner::definitions::{Attribute, Features, Host, Loaded, Sources, load};
use serde_json::Value;
use tempfile::TempDir;

pub(crate) use self::migrate::migrate;
pub(crate) use self::sockets::{credentials, pushed};

/// Definition files, divided by lines of `---`: what was merged is read the same when it is written into one file, plain JSON is read as by
/// any other parser, and checks run at the slots and are subdued in the windows that another reading of their definitions gives.
pub(crate) fn definitions(files: &[u8]) {
    let folder = folder(files);
    let loaded = loaded(folder.path());
    assert!(loaded.failures().iter().all(|failure| !failure.to_string().is_empty()));
    let merged = Value::Object(loaded.settings.clone()).to_string();
    assert_eq!(reread(&merged), loaded.settings, "{merged}");
    if let Ok(plain) = pieces(files).map(serde_json::from_slice::<Object>).collect::<Result<Vec<_>, _>>() {
        let plain = plain.into_iter().map(|object| Value::Object(object).to_string()).collect::<Vec<_>>();
        assert_eq!(self::loaded(self::folder(plain.join("\n---\n").as_bytes()).path()).settings, loaded.settings);
    }
    if let Ok(definitions) = &loaded.definitions {
        assert!(definitions.keys().count() <= definitions.checks.len());
        slots::are_as_defined(definitions, &loaded.settings);
        windows::are_kept(definitions.checks.iter().map(|check| &**check));
    }
}

/// The files, each on its own, in the order of their names.
fn pieces(files: &[u8]) -> impl Iterator<Item = &[u8]> {
    const RULER: &[u8] = b"\n---\n";
    let mut rest = Some(files);
    std::iter::from_fn(move || {
        let now = rest?;
        let end = now.windows(RULER.len()).position(|window| window == RULER);
        rest = end.map(|end| &now[end + RULER.len()..]);
        Some(&now[..end.unwrap_or(now.len())])
    })
    .take(4)
}

fn folder(files: &[u8]) -> TempDir {
    let folder = tempfile::tempdir().expect("there is a place for files");
    for (index, piece) in pieces(files).enumerate() {
        fs::write(folder.path().join(format!("{index}.json")), piece).expect("a file can be written");
    }
    folder
}

fn loaded(folder: &Path) -> Loaded {
    load(&Sources {
        file: None,
        directories: vec![folder.to_owned()],
        environment: BTreeMap::new(),
        host: Host { name: "web-1".to_owned(), address: "10.0.0.1".to_owned(), spawn_limit: 12 },
        features: Features {
            standalone_only: false,
            default_timeout: Some(60.0),
            attributes: vec![Attribute::Env, Attribute::ExitMap, Attribute::Timezone],
        },
    })
}

fn reread(text: &str) -> Object {
    let folder = tempfile::tempdir().expect("there is a place for files");
    fs::write(folder.path().join("all.json"), text).expect("a file can be written");
    loaded(folder.path()).settings
}
