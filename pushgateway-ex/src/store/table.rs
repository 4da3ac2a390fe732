//! The table of a file: a record a group and, right behind a group of check results, a record for each of its checks.
//!
//! A push of one check writes that check and the head of its group, however many checks the group has.

use std::sync::Arc;

use redb::{Database, Durability, ReadableDatabase as _, ReadableTable as _, Table, TableDefinition, TableError};

use super::packed::{is_packed, pack};
use super::record::{Found, check_key, decode, encode_head, key as group_key};
use crate::groups::Group;
use crate::labels::Key;

const GROUPS: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("groups");

/// A group to store.
#[derive(Clone, Copy, Debug)]
pub struct Change<'a> {
    /// The group.
    pub key: &'a Key,
    /// What the file has of it; none if that is nothing, or is not known.
    pub before: Option<&'a Group>,
    /// What it is to have; none: nothing.
    pub now: Option<&'a Group>,
}

/// What there is in a file.
#[derive(Debug, Default)]
pub(super) struct Content {
    pub(super) groups: Vec<Group>,
    /// Those that the file is to have as they were read: an older version wrote them, a record a group, or a check of theirs was left
    /// out. Some of these have no checks any more, and are none of `groups`.
    pub(super) changed: Vec<Key>,
    /// Checks that were left out.
    pub(super) left_out: usize,
}

impl<'a> Change<'a> {
    /// A group that is to be stored whole.
    pub fn whole(group: &'a Group) -> Self {
        Self { key: &group.key, before: None, now: Some(group) }
    }
}

// === impl Content ===

impl Content {
    pub(super) fn read(database: &Database) -> Result<Self, String> {
        let transaction = database.begin_read().map_err(|error| error.to_string())?;
        let table = match transaction.open_table(GROUPS) {
            Ok(table) => table,
            Err(TableError::TableDoesNotExist(_)) => return Ok(Self::default()),
            Err(error) => return Err(error.to_string()),
        };
        let mut content = Self::default();
        let mut open: Option<(Vec<u8>, Vec<Vec<u8>>)> = None;
        for entry in table.iter().map_err(|error| error.to_string())? {
            let (key, value) = entry.map_err(|error| error.to_string())?;
            if !is_packed(value.value()) {
                content.add(open.replace((value.value().to_vec(), Vec::new())))?;
            } else if let Some((_, checks)) = &mut open {
                checks.push(value.value().to_vec());
            } else {
                return Err(format!("the check of the key {:?} has no group", key.value()));
            }
        }
        content.add(open)?;
        Ok(content)
    }

    fn add(&mut self, record: Option<(Vec<u8>, Vec<Vec<u8>>)>) -> Result<(), String> {
        let Some((head, checks)) = record else { return Ok(()) };
        let (group, Found { whole, left_out }) = decode(&head, checks).map_err(|error| error.to_string())?;
        self.changed.extend((whole || left_out > 0).then(|| group.key.clone()));
        self.left_out += left_out;
        if left_out == 0 || !group.checks.is_empty() {
            self.groups.push(group);
        }
        Ok(())
    }
}

/// Makes all changes, or none.
pub(super) fn write<'a>(
    database: &Database,
    changes: impl Iterator<Item = Change<'a>>,
    sync: bool,
) -> Result<(), redb::Error> {
    let mut transaction = database.begin_write()?;
    transaction.set_durability(if sync { Durability::Immediate } else { Durability::None })?;
    {
        let mut table = transaction.open_table(GROUPS)?;
        for change in changes {
            put(&mut table, change)?;
        }
    }
    transaction.commit()?;
    Ok(())
}

fn put(table: &mut Table<'_, &[u8], &[u8]>, Change { key, before, now }: Change<'_>) -> Result<(), redb::Error> {
    let head = group_key(key);
    if key.checks && before.is_none() {
        table.retain_in(&*head..&*behind(&head), |_, _| false)?;
    }
    match now {
        Some(group) => drop(table.insert(&*head, &*encode_head(group))?),
        None => drop(table.remove(&*head)?),
    }
    let known = before.into_iter().flat_map(|before| before.checks.keys());
    for gone in known.filter(|check| !now.is_some_and(|now| now.checks.contains_key(*check))) {
        table.remove(&*check_key(key, gone))?;
    }
    for (name, check) in now.into_iter().flat_map(|now| &now.checks) {
        let known = before.and_then(|before| before.checks.get(name));
        if !known.is_some_and(|known| Arc::ptr_eq(&known.state, &check.state)) {
            table.insert(&*check_key(key, name), &*pack(&check.state))?;
        }
    }
    Ok(())
}

/// What comes behind all keys that begin with `prefix`.
fn behind(prefix: &[u8]) -> Vec<u8> {
    let (mut behind, last) = (prefix.to_vec(), prefix.iter().rposition(|&byte| byte < u8::MAX));
    let last = last.expect("the key of a group of checks ends with a true");
    behind[last] += 1;
    behind.truncate(last + 1);
    behind
}
