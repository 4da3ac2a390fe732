//! The rotated siblings of a log, newest first.
//!
//! `LOG.1`, `LOG.2.gz`, `LOG-20261121`, `LOG-20261121-1795228248.gz`, with an extension kept at the end as well
//! (`LOG-20261121.log`): what logrotate's options and most other rotators make. A number behind `-` or `_` that is no
//! date tells another log: `web-2.log` is none of `web.log`. Names say the order where they can; times of modification
//! decide only between files of two naming schemes.

use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use jiff::civil::Date;

/// How many siblings are looked at; a node that keeps more has not been read for that many rotations.
const MAX: usize = 100;

/// What rotated names end in when they are compressed. Only gzip is read; the others are named so that they are told.
pub(super) const COMPRESSED: [&str; 4] = [".gz", ".xz", ".bz2", ".zst"];

/// What a rotated name adds to the log's.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Suffix {
    /// `.1` is the newest.
    Number(u32),
    /// A date: the greatest is the newest, as all are of one form.
    Date(String),
}

/// The rotated siblings of `log` that exist, newest first.
pub(super) fn newest_first(log: &Path) -> io::Result<Vec<PathBuf>> {
    let (Some(folder), Some(base)) = (log.parent(), log.file_name().and_then(|name| name.to_str())) else {
        return Ok(Vec::new());
    };
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let (mut numbers, mut dates) = (Vec::new(), Vec::new());
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let Some(name) = entry.file_name().to_str().map(str::to_owned) else { continue };
        match suffix(&name, base) {
            Some(Suffix::Number(number)) => numbers.push((number, name)),
            Some(Suffix::Date(date)) => dates.push((date, name)),
            None => {}
        }
    }
    numbers.sort();
    dates.sort_by(|a, b| b.cmp(a));
    let numbers = names(folder, numbers);
    let dates = names(folder, dates);
    let mut groups = [numbers, dates];
    groups.sort_by_key(|group| std::cmp::Reverse(group.first().map_or(SystemTime::UNIX_EPOCH, |path| modified(path))));
    Ok(groups.into_iter().flatten().take(MAX).collect())
}

/// Whether `name` is a rotated sibling of the log `base`.
pub(super) fn is_sibling(name: &str, base: &str) -> bool {
    suffix(name, base).is_some()
}

/// The number at the end of what may be a rotated file: of two of one moment, the one with the greater number is older.
pub(super) fn number(path: &Path) -> Option<u32> {
    plain(path.file_name()?.to_str()?).rsplit_once('.')?.1.parse().ok()
}

/// The paths, without compressed files whose origin is still there: they are being written.
fn names<K>(folder: &Path, sorted: Vec<(K, String)>) -> Vec<PathBuf> {
    let names: Vec<_> = sorted.into_iter().map(|(_, name)| name).collect();
    let unfinished =
        |name: &String| names.iter().any(|other| other.len() < name.len() && plain(name) == other.as_str());
    names.iter().filter(|name| !unfinished(name)).map(|name| folder.join(name)).collect()
}

fn plain(name: &str) -> &str {
    COMPRESSED.iter().find_map(|end| name.strip_suffix(end)).unwrap_or(name)
}

fn suffix(name: &str, base: &str) -> Option<Suffix> {
    let name = plain(name);
    let kept_extension = base
        .rsplit_once('.')
        .and_then(|(stem, extension)| name.strip_prefix(stem)?.strip_suffix(extension)?.strip_suffix('.'));
    name.strip_prefix(base).and_then(parse).or_else(|| kept_extension.and_then(parse))
}

fn parse(added: &str) -> Option<Suffix> {
    let rest = added.strip_prefix(['.', '-', '_'])?;
    let dated = |c: char| c.is_ascii_digit() || "-_.:T+Z".contains(c);
    if !rest.starts_with(|c: char| c.is_ascii_digit()) || !rest.chars().all(dated) {
        return None;
    }
    match rest.parse() {
        Ok(number) if added.starts_with('.') && rest.len() <= 5 => Some(Suffix::Number(number)),
        _ => is_dated(rest).then(|| Suffix::Date(rest.to_owned())),
    }
}

/// Whether `text` begins with a year, a month and a day, or is an epoch in seconds or milliseconds.
fn is_dated(text: &str) -> bool {
    let is_epoch = matches!(text.len(), 10 | 13) && text.bytes().all(|byte| byte.is_ascii_digit());
    is_epoch || year_month_day(text).is_some_and(|date| Date::new(date.0, date.1, date.2).is_ok())
}

fn year_month_day(text: &str) -> Option<(i16, i8, i8)> {
    let apart = |text| str::strip_prefix(text, ['-', '_', '.']).unwrap_or(text);
    let (year, rest) = text.split_at_checked(4)?;
    let (month, rest) = apart(rest).split_at_checked(2)?;
    let (day, _) = apart(rest).split_at_checked(2)?;
    let year = year.parse().ok().filter(|year| (1970..3000).contains(year))?;
    Some((year, month.parse().ok()?, day.parse().ok()?))
}

fn modified(path: &Path) -> SystemTime {
    path.metadata().and_then(|metadata| metadata.modified()).unwrap_or(SystemTime::UNIX_EPOCH)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rotated_names_and_others() {
        let number = |number| Some(Suffix::Number(number));
        let date = |date: &str| Some(Suffix::Date(date.to_owned()));
        for (name, want) in [
            ("c.log.1", number(1)),
            ("c.log.12.gz", number(12)),
            ("c.1.log", number(1)),
            ("c.log-20261121", date("20261121")),
            ("c-20261121-1795228248.log.xz", date("20261121-1795228248")),
            ("c.log.20261121", date("20261121")),
            ("c.log.2026-11-21_12-00-00", date("2026-11-21_12-00-00")),
            ("c-2026.11.21T12Z.log.gz", date("2026.11.21T12Z")),
            ("c.log-1795228248", date("1795228248")),
            ("c_1795228248123.log", date("1795228248123")),
            ("c-2.log", None),
            ("c_10.log", None),
            ("c.log-2", None),
            ("c-2-20261121.log", None),
            ("c-10.20.30.40.log", None),
            ("c-20261321.log", None),
            ("c-20260230.log", None),
            ("c-12345678.log", None),
            ("c.log", None),
            ("c.log.gz", None),
            ("c.log.bak", None),
            ("c.log.1.tmp", None),
            ("d.log.1", None),
            ("c.logs.1", None),
        ] {
            assert_eq!(suffix(name, "c.log"), want, "{name}");
        }
    }

    #[test]
    fn the_newest_comes_first_and_what_is_being_compressed_is_left_out() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["log", "log.10.gz", "log.2", "log.2.gz", "log.1", "other.1", "log-20261120", "log-20261121.gz"] {
            std::fs::write(folder.path().join(name), "x").unwrap();
        }
        let old = SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1);
        for name in ["log-20261120", "log-20261121.gz"] {
            let file = std::fs::File::options().write(true).open(folder.path().join(name)).unwrap();
            file.set_modified(old).unwrap();
        }
        let found = newest_first(&folder.path().join("log")).unwrap();
        let found: Vec<_> = found.iter().map(|path| path.file_name().unwrap().to_str().unwrap()).collect();
        assert_eq!(found, ["log.1", "log.2", "log.10.gz", "log-20261121.gz", "log-20261120"]);
    }
}
