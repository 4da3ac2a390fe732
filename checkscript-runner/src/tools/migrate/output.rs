//! Writing what a migration makes: all of it, or nothing that could be taken for all of it.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

/// A file of the result.
#[derive(Debug)]
pub(super) struct OutputFile {
    /// Below the directory.
    pub(super) path: PathBuf,
    pub(super) content: Vec<u8>,
    /// Whether only its owner may read it.
    pub(super) is_secret: bool,
}

// === impl OutputFile ===

impl OutputFile {
    pub(super) fn new(path: impl Into<PathBuf>, content: impl Into<Vec<u8>>) -> Self {
        Self { path: path.into(), content: content.into(), is_secret: false }
    }
}

/// Fails where there is something already: a mixture of two migrations would be neither.
pub(super) fn check(directory: &Path) -> anyhow::Result<()> {
    match fs::read_dir(directory) {
        Ok(mut entries) => match entries.next() {
            None => Ok(()),
            Some(_) => bail!("{} is not empty: name a new directory with --out, or empty it", directory.display()),
        },
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error).with_context(|| format!("cannot use {} for --out", directory.display())),
    }
}

/// Writes the files; the report last, so that one that is there is one of a whole.
pub(super) fn write(directory: &Path, files: &[OutputFile]) -> anyhow::Result<()> {
    for file in files {
        let path = directory.join(&file.path);
        let parent = path.parent().unwrap_or(directory);
        let modes = if file.is_secret { (0o700, 0o600) } else { (0o755, 0o644) };
        let made = DirBuilder::new().recursive(true).mode(modes.0).create(parent);
        made.with_context(|| format!("cannot make {}", parent.display()))?;
        let opened = OpenOptions::new().write(true).create_new(true).mode(modes.1).open(&path);
        let written = opened.and_then(|mut opened| opened.write_all(&file.content));
        written.with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
}
