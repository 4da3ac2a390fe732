//! What the flag `--check.log` says: a path, or a glob.

use std::path::{Path, PathBuf};

use glob::MatchOptions;

use super::directory;

/// A path or a glob that says which logs to follow.
#[derive(Clone, Debug)]
pub struct LogPattern(String);

/// A pattern that cannot be one.
#[derive(Debug, thiserror::Error)]
#[error("`{pattern}` is no file or glob: {reason}")]
pub struct BadPattern {
    pattern: String,
    reason: String,
}

// === impl LogPattern ===

impl std::str::FromStr for LogPattern {
    type Err = BadPattern;

    fn from_str(pattern: &str) -> Result<Self, Self::Err> {
        let bad = |reason: String| BadPattern { pattern: pattern.to_owned(), reason };
        if pattern.is_empty() {
            return Err(bad("it is empty".to_owned()));
        }
        glob::Pattern::new(pattern).map_err(|error| bad(error.to_string()))?;
        Ok(Self(pattern.to_owned()))
    }
}

impl LogPattern {
    pub(super) fn is_glob(&self) -> bool {
        self.0.contains(['*', '?', '['])
    }

    pub(crate) fn as_path(&self) -> &Path {
        Path::new(&self.0)
    }

    /// Where its files are: of a glob, the deepest directory that has no wildcard.
    pub(super) fn directory(&self) -> PathBuf {
        let plain = Path::new(&self.0)
            .components()
            .take_while(|part| !part.as_os_str().to_string_lossy().contains(['*', '?', '[']));
        let plain: PathBuf = plain.collect();
        match (self.is_glob(), plain.as_os_str().is_empty()) {
            (false, _) => directory(&plain),
            (true, true) => PathBuf::from("."),
            (true, false) => plain,
        }
    }

    /// The files meant now. A plain path is meant whether it exists or not: it is waited for.
    pub(super) fn files(&self) -> Vec<PathBuf> {
        if !self.is_glob() {
            return vec![PathBuf::from(&self.0)];
        }
        let found = glob::glob(&self.0).into_iter().flatten();
        found.filter_map(Result::ok).filter(|path| path.is_file()).collect()
    }

    /// Whether it is `path` itself.
    pub(super) fn names(&self, path: &Path) -> bool {
        !self.is_glob() && self.as_path() == path
    }

    /// Whether it means `path`, which need not exist.
    pub(super) fn matches(&self, path: &Path) -> bool {
        let walk = MatchOptions { require_literal_separator: true, ..MatchOptions::new() };
        match self.is_glob() {
            true => glob::Pattern::new(&self.0).is_ok_and(|pattern| pattern.matches_path_with(path, walk)),
            false => self.names(path),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_glob_means_what_it_would_find() {
        let pattern = |pattern: &str| pattern.parse::<LogPattern>().unwrap();
        for (text, means, not) in [
            ("/a/*.log", "/a/b.log", "/a/c/b.log"),
            ("/a/**/b", "/a/c/d/b", "/a/c/d"),
            ("/a/b.log", "/a/b.log", "/a/b.log.1"),
            ("*.log", "b.log", "a/b.log"),
        ] {
            let pattern = pattern(text);
            assert!(pattern.matches(Path::new(means)) && !pattern.matches(Path::new(not)), "{text}");
        }
    }
}
