//! The queues on the disk: one redb file, one record a result that waits.
//!
//! A thread writes what has changed since its last commit; whoever changes a queue only says of which check ([`Marker`]). So nothing
//! waits for the disk, and what is to be written is bounded by what waits. Results are on the disk a moment after they came, not
//! before: a crash may lose the last ones.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashSet};
use std::fs::OpenOptions;
use std::io::ErrorKind;
use std::os::unix::fs::OpenOptionsExt as _;
use std::panic::catch_unwind;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::Context as _;
use bytes::Bytes;
use check_result::CheckKey;
use redb::backends::FileBackend;
use redb::{Database, DatabaseError, ReadableDatabase as _, ReadableTable as _, StorageError, TableDefinition};
use service::panic_message;

use super::config::Kind;
use super::events::Events;
use super::gateway::Gateway;

/// Gateway, check and source (empty: none) to the result's number and payload.
const WAITING: TableDefinition<'_, (&str, &str, &str), (u64, &[u8])> = TableDefinition::new("waiting");
/// Memory for pages of the file, which is read once.
const CACHE: usize = 4 << 20;
/// How long to wait after a failure.
const RETRY: Duration = Duration::from_secs(1);

/// The open file, and the thread that writes it.
#[derive(Debug)]
pub struct Spool {
    marker: Marker,
    thread: JoinHandle<()>,
}

/// Says what has changed.
#[derive(Clone, Debug)]
pub struct Marker {
    shared: Arc<Shared>,
    events: Events,
}

#[derive(Debug, Default)]
struct Shared {
    changes: Mutex<Changes>,
    changed: Condvar,
}

/// What is not in the file yet: the checks of gateways, by their index.
#[derive(Debug, Default)]
struct Changes {
    checks: HashSet<(usize, CheckKey)>,
    closing: bool,
}

/// The thread.
struct Writer {
    path: PathBuf,
    /// None after a failure: redb wants to be opened again.
    database: Option<Database>,
    gateways: Arc<[Gateway]>,
    shared: Arc<Shared>,
    events: Events,
}

// === impl Spool ===

impl Spool {
    /// Opens the file, or makes it, and puts what is in it into the queues. One that is damaged is moved out of the way, since checks
    /// have to run.
    ///
    /// # Errors
    /// When the file cannot be opened or is in use.
    pub fn open(path: &Path, gateways: Arc<[Gateway]>, events: Events) -> anyhow::Result<Self> {
        let (database, kept) = match open(path) {
            Ok(opened) => opened,
            Err(Unusable::Refused(reason)) => anyhow::bail!("the queue's file {}: {reason}", path.display()),
            Err(Unusable::Damaged(reason)) => {
                let aside = move_aside(path)?;
                let (file, aside) = (path.display(), aside.display());
                tracing::error!(
                    "The queue's file {file} is damaged and is {aside} now, what it held is lost: {reason}"
                );
                open(path).map_err(|unusable| anyhow::anyhow!("the queue's file {file}: {unusable:?}"))?
            }
        };
        let shared = Arc::new(Shared::default());
        let marker = Marker { shared: Arc::clone(&shared), events: events.clone() };
        restore(&database, kept, &gateways, &marker)
            .with_context(|| format!("cannot write the queue's file {}", path.display()))?;
        let writer = Writer { path: path.to_owned(), database: Some(database), gateways, shared, events };
        let thread = std::thread::Builder::new().name("queue".to_owned()).spawn(move || writer.run());
        Ok(Self { marker, thread: thread.context("cannot start a thread")? })
    }

    /// Says what has changed.
    pub fn marker(&self) -> Marker {
        self.marker.clone()
    }

    /// Writes what is left, once, and ends. Blocks.
    pub fn close(self) {
        self.marker.shared.changes().closing = true;
        self.marker.shared.changed.notify_one();
        if self.thread.join().is_err() {
            tracing::error!("The thread that writes the queue's file panicked, which is a bug");
        }
    }
}

// === impl Marker ===

impl Marker {
    /// What waits of this check, for the gateway at `index`, has changed.
    pub fn mark(&self, index: usize, key: CheckKey) {
        let mut changes = self.shared.changes();
        changes.checks.insert((index, key));
        self.events.unsaved(changes.checks.len());
        drop(changes);
        self.shared.changed.notify_one();
    }
}

// === impl Shared ===

impl Shared {
    fn changes(&self) -> MutexGuard<'_, Changes> {
        self.changes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl Writer ===

impl Writer {
    fn run(mut self) {
        loop {
            let idle = |changes: &mut Changes| changes.checks.is_empty() && !changes.closing;
            let changes = self.shared.changed.wait_while(self.shared.changes(), idle);
            let changes = changes.unwrap_or_else(PoisonError::into_inner);
            let (checks, closing) = (changes.checks.clone(), changes.closing);
            drop(changes);
            let written = self.write(&checks);
            match &written {
                Ok(()) => self.events.saved(),
                Err(error) => self.events.not_saved(&error.to_string()),
            }
            if closing {
                return;
            }
            if written.is_err() {
                let changes = self.shared.changes();
                let waited = self.shared.changed.wait_timeout_while(changes, RETRY, |changes| !changes.closing);
                drop(waited);
            }
        }
    }

    /// Brings these checks' records up to date.
    fn write(&mut self, checks: &HashSet<(usize, CheckKey)>) -> Result<(), redb::Error> {
        let database = match self.database.take() {
            Some(database) => database,
            None => create(&self.path)?,
        };
        // What changes after this is marked again.
        let mut changes = self.shared.changes();
        changes.checks.retain(|check| !checks.contains(check));
        drop(changes);
        let written = commit(&database, &self.gateways, checks);
        let mut changes = self.shared.changes();
        match &written {
            Ok(()) => self.database = Some(database),
            Err(_) => changes.checks.extend(checks.iter().cloned()),
        }
        self.events.unsaved(changes.checks.len());
        written
    }
}

fn commit(database: &Database, gateways: &[Gateway], checks: &HashSet<(usize, CheckKey)>) -> Result<(), redb::Error> {
    let transaction = database.begin_write()?;
    {
        let mut table = transaction.open_table(WAITING)?;
        for (index, key) in checks {
            let gateway = stored_name(&gateways[*index]);
            let id = (&*gateway, &*key.check, key.source.as_deref().unwrap_or_default());
            match gateways[*index].queue().get(key) {
                Some(entry) => drop(table.insert(id, (entry.number, &*entry.payload))?),
                None => drop(table.remove(id)?),
            }
        }
    }
    transaction.commit()?;
    Ok(())
}

/// Why a file is of no use.
#[derive(Debug)]
enum Unusable {
    /// What is in it is not what was written.
    Damaged(String),
    /// Anything else.
    Refused(String),
}

impl From<DatabaseError> for Unusable {
    fn from(error: DatabaseError) -> Self {
        match error {
            DatabaseError::DatabaseAlreadyOpen => Self::Refused("another process has it open".to_owned()),
            // Other bytes than there should be, or too few of them; all else says nothing about what is in the file.
            DatabaseError::Storage(StorageError::Io(error))
                if !matches!(error.kind(), ErrorKind::InvalidData | ErrorKind::UnexpectedEof) =>
            {
                Self::Refused(error.to_string())
            }
            other => Self::Damaged(other.to_string()),
        }
    }
}

/// A record.
struct Kept {
    gateway: String,
    key: CheckKey,
    number: u64,
    payload: Bytes,
}

/// Outputs are nobody's but the agent's.
fn create(path: &Path) -> Result<Database, DatabaseError> {
    let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path);
    let file = FileBackend::new(file.map_err(StorageError::Io)?)?;
    Database::builder().set_cache_size(CACHE).create_with_backend(file)
}

/// Opens the file, and reads what is in it. Of some bytes that it has not written redb does not say so, but panics.
fn open(path: &Path) -> Result<(Database, Vec<Kept>), Unusable> {
    let opened = catch_unwind(|| {
        let mut database = create(path)?;
        database.check_integrity()?;
        let kept = read(&database).map_err(|error| Unusable::Damaged(error.to_string()))?;
        Ok((database, kept))
    });
    opened.unwrap_or_else(|panic| Err(Unusable::Damaged(format!("redb panicked: {}", panic_message(&*panic)))))
}

/// All records, in the order in which they came.
fn read(database: &Database) -> Result<Vec<Kept>, redb::Error> {
    // There is no table to read in a new file.
    let transaction = database.begin_write()?;
    transaction.open_table(WAITING)?;
    transaction.commit()?;
    let table = database.begin_read()?.open_table(WAITING)?;
    let mut kept = Vec::new();
    for record in table.iter()? {
        let (id, value) = record?;
        let ((gateway, check, source), (number, payload)) = (id.value(), value.value());
        let source = (!source.is_empty()).then(|| source.to_owned());
        let key = CheckKey { check: check.to_owned(), source };
        kept.push(Kept { gateway: gateway.to_owned(), key, number, payload: Bytes::copy_from_slice(payload) });
    }
    kept.sort_by_key(|record| record.number);
    Ok(kept)
}

/// Puts records into the queues; those of gateways that there are no more are deleted.
fn restore(database: &Database, kept: Vec<Kept>, gateways: &[Gateway], marker: &Marker) -> Result<(), redb::Error> {
    let names: Vec<_> = gateways.iter().map(stored_name).collect();
    let mut removed = BTreeMap::new();
    for Kept { gateway, key, payload, .. } in kept {
        match names.iter().position(|name| *name == gateway) {
            Some(index) => {
                let dropped = gateways[index].queue().push(key.clone(), payload).dropped;
                marker.events.no_room(&gateways[index], &dropped);
                // Its number is another now.
                dropped.into_iter().chain([key]).for_each(|key| marker.mark(index, key));
            }
            None => *removed.entry(gateway).or_insert(0) += 1,
        }
    }
    gateways.iter().for_each(|gateway| marker.events.waits(gateway));
    if !removed.is_empty() {
        let transaction = database.begin_write()?;
        transaction.open_table(WAITING)?.retain(|id, _| names.iter().any(|name| name == id.0))?;
        transaction.commit()?;
        removed.iter().for_each(|(gateway, results)| marker.events.removed(gateway, *results));
    }
    Ok(())
}

/// Metrics and results are not the same payloads.
fn stored_name(gateway: &Gateway) -> String {
    match gateway.kind() {
        Kind::Results => gateway.name().to_owned(),
        Kind::Metrics => format!("{} metrics", gateway.name()),
    }
}

fn move_aside(path: &Path) -> anyhow::Result<PathBuf> {
    let mut aside = path.as_os_str().to_owned();
    aside.push(".damaged");
    let context = || format!("the queue's file {} is damaged and cannot be moved away", path.display());
    std::fs::rename(path, &aside).with_context(context)?;
    Ok(aside.into())
}
