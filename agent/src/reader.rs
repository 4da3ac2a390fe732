//! The thread that reads the logs: files block, so they stay off the async runtime.
//!
//! Everything that changes the states happens in this thread, one look after the other. So what it saves between two looks, the
//! states and the places in the logs, belongs together.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use jiff::Timestamp;
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::events::Events;
use crate::flags::Flags;
use crate::follow::{Follower, Position, Reason, Watch};
use crate::intake::Intake;
use crate::select::Select;
use crate::state_file::{Saved, SavedCheck, SavedLog};
use crate::store::{Store, Tracked};

/// Reads the logs into a store.
pub struct Reader {
    follower: Follower,
    intake: Intake,
    store: Arc<Store>,
    state: Option<StateFile>,
    /// When checks that are gone were dropped last.
    swept: Instant,
    events: Events,
}

/// How often checks that are gone are dropped.
const SWEEP_EVERY: Duration = Duration::from_secs(10);

struct StateFile {
    path: PathBuf,
    every: Duration,
    /// When the last one was written, or tried to.
    saved: Instant,
    changed: bool,
}

// === impl Reader ===

impl Reader {
    /// A reader of what `flags` name, that goes on where their state file says.
    pub fn new(flags: &Flags, store: Arc<Store>, events: Events) -> Self {
        let state_file = flags.state_file();
        let Saved { logs, clients, checks, .. } =
            state_file.as_deref().and_then(|path| load(path, &events)).unwrap_or_default();
        for client in &clients {
            if let Some(attributes) = &client.attributes {
                store.set_client(client.name.clone(), Arc::clone(attributes));
            }
        }
        let select = flags.select();
        restore(&store, &select, checks);
        let position = |log: &SavedLog| Some((PathBuf::from(&log.path), log.position.clone()?));
        let positions: BTreeMap<PathBuf, Position> = logs.iter().filter_map(position).collect();
        let follower = Follower::new(flags.logs(), positions, events.clone());
        let intake = Intake::new(Arc::clone(&store), select, events.clone(), (logs, clients));
        let state = state_file.map(|path| StateFile {
            path,
            every: flags.state_interval,
            saved: Instant::now(),
            changed: false,
        });
        Self { follower, intake, store, state, swept: Instant::now(), events }
    }

    /// Reads what is new; true if there is more already.
    pub fn look(&mut self) -> bool {
        self.take_in().0
    }

    /// Saves states and places as they are now, if there is a state file.
    pub fn save(&mut self) {
        let Some(state) = &mut self.state else { return };
        let mut saved = Saved::default();
        saved.logs.extend(self.follower.positions().map(|(log, position)| SavedLog {
            path: log.to_string_lossy().into_owned(),
            position: Some(position.clone()),
            last: self.intake.last_of(log),
        }));
        saved.clients.extend(self.intake.clients());
        let check =
            |Tracked { state, log, alive }| SavedCheck { log: log.to_string_lossy().into_owned(), alive, state };
        saved.checks.extend(self.store.all_tracked().into_iter().map(check));
        match saved.store(&state.path) {
            Ok(bytes) => self.events.state_written(&state.path, bytes, Timestamp::now()),
            Err(error) => self.events.state_unwritable(&state.path, &error),
        }
        (state.saved, state.changed) = (Instant::now(), false);
    }

    /// Whether there is more to read already, and whether anything was read.
    fn take_in(&mut self) -> (bool, bool) {
        let more = self.follower.look(&mut self.intake);
        let changed = self.intake.publish();
        if let Some(state) = &mut self.state {
            state.changed |= changed;
        }
        (more, changed)
    }

    fn sweep(&mut self) {
        self.intake.sweep(Timestamp::now());
        self.swept = Instant::now();
    }

    fn sweep_and_save_if_due(&mut self) {
        if self.swept.elapsed() >= SWEEP_EVERY {
            self.sweep();
        }
        if self.state.as_ref().is_some_and(|state| state.changed && state.saved.elapsed() >= state.every) {
            self.save();
        }
    }

    fn run(mut self, runtime: &Handle, stop: &CancellationToken, caught_up: oneshot::Sender<()>) {
        while self.look() && !stop.is_cancelled() {
            self.sweep_and_save_if_due();
        }
        self.sweep();
        // Nobody waits any more when the process is being stopped.
        let _ = caught_up.send(());
        let mut watch = self.watch(runtime);
        while let Some(reason) = self.wait(&mut watch, runtime, stop) {
            let (more, changed) = self.take_in();
            if reason == Reason::Time && changed && self.is_deaf(&mut watch, runtime) {
                self.events.polling("lines came of which inotify did not tell, as on network file systems");
                watch = Watch::polling();
            }
            let mut more = more;
            while more && !stop.is_cancelled() {
                more = self.look();
                self.sweep_and_save_if_due();
            }
            self.sweep_and_save_if_due();
        }
        self.save();
    }

    /// Waits until another look is worth while; none when it is time to stop.
    fn wait(&mut self, watch: &mut Watch, runtime: &Handle, stop: &CancellationToken) -> Option<Reason> {
        if let Err(error) = watch.directories(self.follower.directories()) {
            self.events.polling(&format!("inotify cannot watch the logs' directories: {error}"));
            *watch = Watch::polling();
        }
        let follower = &self.follower;
        runtime.block_on(async {
            tokio::select! {
                () = stop.cancelled() => None,
                reason = watch.wait(|name| follower.concerns(name)) => Some(reason),
            }
        })
    }

    fn is_deaf(&self, watch: &mut Watch, runtime: &Handle) -> bool {
        runtime.block_on(watch.is_deaf(|name| self.follower.concerns(name)))
    }

    fn watch(&self, runtime: &Handle) -> Watch {
        let _within = runtime.enter();
        match Watch::inotify() {
            Ok(watch) => {
                self.events.watching();
                watch
            }
            Err(error) => {
                self.events.polling(&format!("inotify cannot be had: {error}"));
                Watch::polling()
            }
        }
    }
}

/// Starts the thread and waits until it has read everything that the logs hold now. It ends soon after `stop`.
pub(crate) async fn start(reader: Reader, stop: CancellationToken) -> anyhow::Result<JoinHandle<()>> {
    let (caught_up, first_look) = oneshot::channel();
    let runtime = Handle::current();
    let thread = tokio::task::spawn_blocking(move || reader.run(&runtime, &stop, caught_up));
    first_look.await.context("the log reader ended before it had read the logs")?;
    Ok(thread)
}

fn load(path: &Path, events: &Events) -> Option<Saved> {
    match Saved::load(path) {
        Ok(Some(saved)) => {
            events.state_loaded(path, saved.checks.len());
            return Some(saved);
        }
        Ok(None) => events.state_missing(path),
        Err(error) => events.state_unusable(path, &error),
    }
    None
}

/// Fits what was saved to the flags of now.
fn restore(store: &Store, select: &Select, checks: Vec<SavedCheck>) {
    let limits = store.limits();
    let wanted = checks.into_iter().filter(|check| select.takes(check.state.latest().name())).take(limits.checks);
    let mut logs: BTreeMap<String, Arc<Path>> = BTreeMap::new();
    let tracked = wanted.map(|SavedCheck { log, alive, mut state }| {
        Arc::make_mut(&mut state).bound(&limits.history);
        let log = Arc::clone(logs.entry(log).or_insert_with_key(|log| Arc::from(Path::new(log))));
        (state.latest().key(), Tracked { state, log, alive })
    });
    store.publish(tracked.collect());
}
