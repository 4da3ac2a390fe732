//! The groups in a Redis or Valkey that several gateways share.
//!
//! Each gateway, a replica, has all groups in memory and answers from there. The store has them as well, one record a group, and says by
//! a [`Version`] how they stand: how many changes made them, and the name of the last one. A replica makes a change by
//! [`Shared::sync`], which makes it if the replica knows the store's version, and else tells what changed since: then the
//! replica checks its change again, against that. So every change is checked against all that came before it, whichever replica took
//! it, and a replica that has synced knows all that was acknowledged to anybody before.
//!
//! - The names of changes are random. A store that was emptied, or that went back to an older state, is told from the one that was
//!   known by the name of the last change, also when it has counted on since.
//! - A change whose answer was lost is sent again. If it was made the first time, the replica finds its name among those it did not
//!   know, and it is not made twice.
//! - A replica that came too late has the next turn: for a moment no other's change is made.
//! - A record has the number of its format before it. One of a format that is not known here is left as it is ([`Content`]). A check
//!   that has more JSON values than are taken here is left out of its group, and of the group's next record ([`Kept`]).
//! - All keys have one hash tag: a cluster keeps them in one slot, as a script needs them.

mod address;
mod connect;

use std::collections::BTreeMap;
use std::time::Duration;

use redis::{ErrorKind, RedisError, RedisResult, Script, ServerErrorKind};

pub use self::address::{Address, FORMS};
use self::connect::Connection;
pub use self::connect::{Access, Login};
use super::record;
use crate::groups::Group;
use crate::labels::Key;

/// What the store does at a sync.
const SCRIPT: &str = include_str!("shared/sync.lua");
/// The format of the records that are written here.
const FORMAT: u8 = 1;
/// Changes that the store remembers, for replicas that do not know them yet.
const REMEMBERED: usize = 5000;
/// Groups that are told of at a time. A change of more is not told in detail: everything is read anew.
const PAGE: usize = 2000;
/// Milliseconds in which a change that came too late is the only one that is made.
const TURN: usize = 100;
/// Groups that are asked for at a time when everything is read, and pages of them after which changes since are read.
const SCAN: (usize, usize) = (256, 16);

/// Why the store does not do what it is asked for.
#[derive(Debug, thiserror::Error)]
pub enum SharedError {
    /// It cannot be reached or does not answer as one should.
    #[error("the store {store} is not available: {reason}; try again later")]
    Away {
        /// Its address.
        store: String,
        /// Why.
        reason: String,
    },
    /// It answers, and takes no changes now.
    #[error("the store {store} takes no changes: {reason}; push again later")]
    ReadOnly {
        /// Its address.
        store: String,
        /// Why.
        reason: String,
        /// Whether it has no room for them.
        full: bool,
    },
    /// Other replicas came first, again and again.
    #[error("other replicas changed the store {store} faster than this one could; push again")]
    Contended {
        /// Its address.
        store: String,
    },
    /// The connection was lost while a change was made, and what the store remembers does not tell whether it was.
    #[error("the connection to the store {store} was lost, and whether the change was made is not known; push again")]
    Doubt {
        /// Its address.
        store: String,
    },
    /// What the store has of a group cannot be read here.
    #[error(
        "what the store has of the group {group} cannot be read ({reason}). It was left as it is: push through a gateway that \
         can read it, or delete the group"
    )]
    Unreadable {
        /// The group.
        group: String,
        /// Why.
        reason: String,
    },
}

/// How the store stands. The default is a store in which nothing ever changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Version {
    /// How many changes made it.
    pub revision: u64,
    /// The name of the last one.
    pub id: String,
}

/// The name of a group in the store.
pub type Field = Vec<u8>;
/// What the store has of a group; else why it cannot be read.
pub type Content = Result<Kept, String>;

/// A group of the store.
#[derive(Debug)]
pub struct Kept {
    /// The group.
    pub group: Group,
    /// Checks that it is without here, since theirs have more JSON values than are taken. The store has them until the group is
    /// written again.
    pub left_out: usize,
}

/// A change to make.
#[derive(Debug, Default)]
pub struct Write {
    /// Its name, another one each time.
    pub id: String,
    /// Whether all groups go before, also those that cannot be read here.
    pub wipe: bool,
    /// The groups that it touches and their records, empty for those that go.
    pub records: BTreeMap<Field, Vec<u8>>,
}

/// What came of a sync.
#[derive(Debug)]
pub enum Seen {
    /// The version was the store's, and the change is made.
    Current {
        /// How the store stands now.
        at: Version,
        /// How many groups it has.
        groups: usize,
    },
    /// It is, and it is the turn of a change of another replica.
    Wait,
    /// The store has changed since, and the change was not made but for what `ids` says.
    Changed(Delta),
    /// What changed since is not remembered.
    Forgotten {
        /// Whether it is another history: the store was emptied, or went back.
        other: bool,
    },
}

/// What changed since a version.
#[derive(Debug, Default)]
pub struct Delta {
    /// How the store stands now.
    pub at: Version,
    /// The names of the changes.
    pub ids: Vec<String>,
    /// The groups they touched; none: there is no such group any more.
    pub groups: BTreeMap<Field, Option<Content>>,
}

/// The store.
pub struct Shared {
    access: Access,
    /// The three keys: groups, state, changes.
    keys: [String; 3],
    /// By which a server knows the script that it has had before. One that a slot of a cluster is just moving to has not.
    hash: String,
    connection: Option<Connection>,
}

/// What the script answers.
type Answer = (String, u64, String, usize, Vec<String>, Vec<Option<Vec<u8>>>);

/// What `HSCAN` answers: where to go on, and names and records of groups.
type Page = (u64, Vec<(Field, Vec<u8>)>);

/// The name of a group.
pub fn field(key: &Key) -> Field {
    record::key(key)
}

/// The group of a name.
pub fn key(field: &[u8]) -> Option<Key> {
    record::key_of(field)
}

/// The record of a group.
pub fn encode(group: &Group) -> Vec<u8> {
    let mut bytes = vec![FORMAT];
    bytes.extend(record::encode(group));
    bytes
}

fn decode(field: &[u8], bytes: &[u8]) -> Content {
    match bytes.split_first() {
        Some((&FORMAT, record)) => {
            let (group, found) = record::decode(record, Vec::new()).map_err(|error| error.to_string())?;
            let is_of = record::key(&group.key) == field;
            let kept = Kept { group, left_out: found.left_out };
            if is_of { Ok(kept) } else { Err("it is of another group".to_owned()) }
        }
        Some((format, _)) => Err(format!("it has the format {format}, and this version knows {FORMAT}")),
        None => Err("it is empty".to_owned()),
    }
}

// === impl Write ===

impl Write {
    /// Whether it changes nothing.
    pub fn is_empty(&self) -> bool {
        !self.wipe && self.records.is_empty()
    }
}

// === impl Shared ===

impl Shared {
    /// The store below `prefix`. Nothing is connected yet.
    pub fn new(access: Access, prefix: &str) -> Self {
        let keys = ["groups", "state", "changes"].map(|name| format!("{{{prefix}}}:{name}"));
        Self { access, keys, hash: Script::new(SCRIPT).get_hash().to_owned(), connection: None }
    }

    /// How long a step may take.
    pub fn timeout(&self) -> Duration {
        self.access.timeout
    }

    /// Its address, without a password.
    pub fn name(&self) -> String {
        self.access.address.to_string()
    }

    /// Makes a change, or tells what changed since `at`. A change without records is only to be told.
    ///
    /// # Errors
    /// See [`SharedError`]. The change may have been made if it is [`Away`](SharedError::Away) or
    /// [`Doubt`](SharedError::Doubt).
    pub fn sync(&mut self, at: &Version, write: &Write) -> Result<Seen, SharedError> {
        let ((word, revision, id, count, ids, groups), again) = self.ask(at, write)?;
        let reached = Version { revision, id };
        match &*word {
            "current" => Ok(Seen::Current { at: reached, groups: count }),
            "wait" => Ok(Seen::Wait),
            "changed" | "more" => {
                let mut delta = Delta { at: reached, ids, groups: contents(groups) };
                if word == "more" && !self.follow(&mut delta)? {
                    return self.forgotten(again, write, false);
                }
                Ok(Seen::Changed(delta))
            }
            word => self.forgotten(again, write, word == "other"),
        }
    }

    /// Reads everything: the version, and what each field has.
    ///
    /// # Errors
    /// See [`SharedError`].
    pub fn load(&mut self) -> Result<(Version, BTreeMap<Field, Content>), SharedError> {
        let [groups, state, _] = self.keys.clone();
        let (revision, id): (Option<u64>, Option<String>) =
            self.call(|to| redis::cmd("HMGET").arg(&state).arg("revision").arg("id").query(&mut **to))?.0;
        let at = Version { revision: revision.unwrap_or_default(), id: id.unwrap_or_default() };
        let mut delta = Delta { at, ..Delta::default() };
        let (mut cursor, mut pages) = (0_u64, 0);
        let mut scan = redis::cmd("HSCAN");
        scan.arg(&groups);
        loop {
            let mut scan = scan.clone();
            scan.arg(cursor).arg("COUNT").arg(SCAN.0);
            let (next, found): Page = self.call(|to| scan.query(&mut **to))?.0;
            delta.groups.extend(found.into_iter().map(|(field, bytes)| {
                let content = decode(&field, &bytes);
                (field, Some(content))
            }));
            (cursor, pages) = (next, pages + 1);
            // What changes while this is read is read again, in time before the store forgets it.
            if (cursor == 0 || pages % SCAN.1 == 0) && !self.follow(&mut delta)? {
                return Err(self.away("it was emptied or replaced while it was read"));
            }
            if cursor == 0 {
                break;
            }
        }
        let groups = delta.groups.into_iter().filter_map(|(field, content)| Some((field, content?)));
        Ok((delta.at, groups.collect()))
    }

    /// Reads on until nothing is new, and says whether the store remembers all of it.
    fn follow(&mut self, delta: &mut Delta) -> Result<bool, SharedError> {
        loop {
            let ((word, revision, id, _, ids, groups), _) = self.ask(&delta.at, &Write::default())?;
            delta.ids.extend(ids);
            delta.groups.extend(contents(groups));
            let known = matches!(&*word, "current" | "changed" | "more");
            if known {
                delta.at = Version { revision, id };
            }
            if word != "more" {
                return Ok(known);
            }
        }
    }

    fn forgotten(&self, again: bool, write: &Write, other: bool) -> Result<Seen, SharedError> {
        // The change may have been made before its answer was lost, and its name be forgotten with the rest.
        if again && !write.is_empty() {
            return Err(SharedError::Doubt { store: self.name() });
        }
        Ok(Seen::Forgotten { other })
    }

    fn ask(&mut self, at: &Version, write: &Write) -> Result<(Answer, bool), SharedError> {
        let keys = self.keys.clone();
        let command = |name: &str, script: &str| {
            let mut command = redis::cmd(name);
            command.arg(script).arg(keys.len()).arg(&keys).arg(at.revision).arg(&at.id).arg(&write.id);
            command.arg(REMEMBERED).arg(PAGE).arg(TURN).arg(u8::from(write.wipe));
            for (field, record) in &write.records {
                command.arg(&field[..]).arg(&record[..]);
            }
            command
        };
        let known = command("EVALSHA", &self.hash);
        self.call(|to| match known.query(&mut **to) {
            Err(error) if error.kind() == ErrorKind::Server(ServerErrorKind::NoScript) => {
                command("EVAL", SCRIPT).query(&mut **to)
            }
            answer => answer,
        })
    }

    /// Does it over the open connection, or over a new one. One that was closed in the meantime is replaced once, which the answer tells.
    fn call<T>(&mut self, ask: impl Fn(&mut Connection) -> RedisResult<T>) -> Result<(T, bool), SharedError> {
        let mut again = false;
        loop {
            let known = self.connection.take();
            let was_open = known.is_some();
            let opened = known.map_or_else(|| self.access.connect(), Ok);
            let mut connection = opened.map_err(|error| self.failure(&error))?;
            match ask(&mut connection) {
                Ok(answer) => {
                    self.connection = Some(connection);
                    return Ok((answer, again));
                }
                Err(error) if was_open && !again && error.is_connection_dropped() => again = true,
                Err(error) => return Err(self.failure(&error)),
            }
        }
    }

    fn failure(&self, error: &RedisError) -> SharedError {
        let reason = match (error.code(), error.detail()) {
            (Some(code), Some(detail)) => format!("{code} {detail}"),
            _ => error.to_string(),
        };
        // Of a script that they stopped, older servers tell them in the midst of the text.
        let says = |code: &str| reason.starts_with(code) || reason.contains(&format!("-{code} "));
        let full = says("OOM");
        if full || says("MISCONF") || says("NOREPLICAS") {
            return SharedError::ReadOnly { store: self.name(), reason, full };
        }
        match error.kind() {
            _ if error.is_timeout() => self.away(format_args!("nothing came within {:?}", self.access.timeout)),
            ErrorKind::Parse | ErrorKind::UnexpectedReturnType => {
                self.away(format_args!("what it answers is not Redis's protocol ({reason})"))
            }
            _ => self.away(reason),
        }
    }

    fn away(&self, reason: impl std::fmt::Display) -> SharedError {
        SharedError::Away { store: self.name(), reason: reason.to_string() }
    }
}

fn contents(groups: Vec<Option<Vec<u8>>>) -> BTreeMap<Field, Option<Content>> {
    let mut contents = BTreeMap::new();
    let mut parts = groups.into_iter();
    while let (Some(Some(field)), Some(bytes)) = (parts.next(), parts.next()) {
        let content = bytes.map(|bytes| decode(&field, &bytes));
        contents.insert(field, content);
    }
    contents
}
