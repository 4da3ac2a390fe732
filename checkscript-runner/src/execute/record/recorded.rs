//! One line of the record.

use std::borrow::Cow;
use std::ffi::OsStr;

use jiff::Timestamp;
use md5::{Digest, Md5};

use crate::execute::family::Family;

/// The longest key that is recorded as it is; together with the rest it fits into a place.
const KEY: usize = 800;
/// How much is recorded of a longer one.
const BEGINNING: usize = 700;
/// The shell of a run that is about to start.
const UNBORN: i32 = 0;

/// A run of a check, as recorded.
#[derive(Clone, Debug)]
pub(in crate::execute) struct Recorded {
    pub(in crate::execute) family: Family,
    pub(in crate::execute) session: i32,
    pub(in crate::execute) since: Timestamp,
    /// The check's, as [`stored`].
    pub(in crate::execute) key: String,
}

/// A check's key as the record has it: of one that does not fit into a line the beginning and a hash.
pub(in crate::execute) fn stored(key: &str) -> Cow<'_, str> {
    if key.len() <= KEY && !key.contains('\n') {
        return key.into();
    }
    let beginning = &key[..key.floor_char_boundary(BEGINNING)];
    let hash = u128::from_be_bytes(Md5::digest(key).into());
    format!("{}#{hash:032x}", beginning.replace('\n', " ")).into()
}

pub(super) fn line(boot: &str, session: i32, family: &Family, key: &str) -> String {
    let (shell, mark, pipe) = (family.shell(), family.mark().display(), family.pipe());
    let (first, last, since) = (family.started().start(), family.started().end(), Timestamp::now().as_second());
    format!("{boot} {shell} {mark} {pipe} {first} {last} {session} {since} {}\n", stored(key))
}

// === impl Recorded ===

impl Recorded {
    pub(super) fn parse(place: &[u8], boot: &str) -> Option<Self> {
        let end = place.iter().position(|byte| *byte == b'\n')?;
        let line = std::str::from_utf8(&place[..end]).ok()?;
        let mut fields = line.splitn(9, ' ');
        if fields.next()? != boot {
            return None;
        }
        // Numbers that are none of a process would be others' as arguments of a signal.
        let shell: i32 = fields.next()?.parse().ok().filter(|shell| *shell == UNBORN || *shell > 1)?;
        let (mark, pipe) = (OsStr::new(fields.next()?).to_owned(), fields.next()?.parse().ok()?);
        let started = fields.next()?.parse().ok()?..=fields.next()?.parse().ok()?;
        let session = fields.next()?.parse().ok()?;
        let since = fields.next()?.parse().ok().and_then(|second| Timestamp::from_second(second).ok())?;
        let family = Family::new(shell, mark, pipe, started);
        let family = if shell == UNBORN { family.found()? } else { family };
        Some(Self { family, session, since, key: fields.next()?.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn records_of_another_boot_and_of_no_process_are_none() {
        let line = "boot 7 1-2 3 5 6 1 0 a b\n";
        assert_eq!(Recorded::parse(line.as_bytes(), "boot").unwrap().key, "a b");
        assert!(Recorded::parse(line.as_bytes(), "other").is_none());
        for shell in ["0", "1", "-1", "-7", "x"] {
            assert!(Recorded::parse(line.replacen('7', shell, 1).as_bytes(), "boot").is_none(), "{shell}");
        }
    }

    #[test]
    fn keys_are_told_apart_by_what_is_stored() {
        assert_eq!(stored("router:disk"), "router:disk");
        let long = ["x".repeat(1000), "x".repeat(1001), "a\nb".to_owned(), "a b".to_owned(), "ü".repeat(401)];
        let stored: Vec<_> = long.iter().map(|key| stored(key)).collect();
        let distinct: std::collections::HashSet<_> = stored.iter().collect();
        assert_eq!(distinct.len(), stored.len());
        assert!(stored.iter().all(|key| key.len() <= KEY && !key.contains('\n')), "{stored:?}");
    }

    proptest! {
        #[test]
        fn no_bytes_bring_it_down(bytes in prop::collection::vec(any::<u8>(), 0..100)) {
            Recorded::parse(&bytes, "");
        }
    }
}
