//! The checks that one look at the logs has changed, not visible yet.

use check_result::CheckKey;
use foldhash::fast::RandomState;
use indexmap::{Equivalent, IndexMap};

use crate::store::{Store, Tracked};

/// The changed checks, in the order of their first lines.
#[derive(Debug, Default)]
pub(super) struct Batch {
    checks: IndexMap<CheckKey, Pending, RandomState>,
    /// Those that the store does not know.
    new: usize,
    /// Bytes, about.
    held: usize,
}

/// A check on its way into the store.
#[derive(Debug)]
pub(super) struct Pending {
    pub(super) tracked: Tracked,
    /// The client of the last run.
    pub(super) client: String,
    /// The line of the last run, while the result behind it is not read.
    pub(super) line: Vec<u8>,
}

/// A [`CheckKey`] that is looked for.
#[derive(Hash)]
pub(super) struct KeyRef<'a> {
    pub(super) check: &'a str,
    pub(super) source: Option<&'a str>,
}

// === impl Batch ===

impl Batch {
    pub(super) fn is_empty(&self) -> bool {
        self.checks.is_empty()
    }

    /// How many of its checks the store does not know.
    pub(super) fn new_checks(&self) -> usize {
        self.new
    }

    /// How many bytes of lines, outputs and definitions it holds, about.
    pub(super) fn held(&self) -> usize {
        self.held
    }

    /// It holds so many bytes more.
    pub(super) fn grew(&mut self, bytes: usize) {
        self.held += bytes;
    }

    /// The check's entry, from the store if it is not here yet; none if nobody knows the check.
    pub(super) fn pending(&mut self, key: &KeyRef<'_>, store: &Store) -> Option<&mut Pending> {
        let index = match self.checks.get_index_of(key) {
            Some(index) => index,
            None => {
                let key = key.owned();
                let tracked = store.tracked(&key)?;
                // What is changed is a copy.
                self.held += size(&tracked);
                self.checks.insert_full(key, Pending::new(tracked)).0
            }
        };
        self.checks.get_index_mut(index).map(|(_, pending)| pending)
    }

    /// Adds a check that nobody knows.
    pub(super) fn insert_new(&mut self, key: CheckKey, tracked: Tracked) {
        self.held += size(&tracked);
        self.checks.insert(key, Pending::new(tracked));
        self.new += 1;
    }

    /// Everything, leaving it empty.
    pub(super) fn take(&mut self) -> impl Iterator<Item = (CheckKey, Pending)> + use<> {
        std::mem::take(self).checks.into_iter()
    }
}

fn size(tracked: &Tracked) -> usize {
    tracked.state.latest().output().len() + tracked.definition_bytes()
}

// === impl Pending ===

impl Pending {
    fn new(tracked: Tracked) -> Self {
        let client = tracked.state.latest().client().to_owned();
        Self { tracked, client, line: Vec::new() }
    }

    /// Keeps the line of the last run; how many bytes more are held.
    pub(super) fn hold(&mut self, line: &[u8]) -> usize {
        let before = self.line.capacity();
        self.line.clear();
        self.line.extend_from_slice(line);
        self.line.capacity() - before
    }
}

// === impl KeyRef ===

impl Equivalent<CheckKey> for KeyRef<'_> {
    fn equivalent(&self, key: &CheckKey) -> bool {
        self.check == key.check && self.source == key.source.as_deref()
    }
}

impl KeyRef<'_> {
    pub(super) fn owned(&self) -> CheckKey {
        CheckKey { check: self.check.to_owned(), source: self.source.map(str::to_owned) }
    }
}
