//! The thread that reads the logs: files block, so they stay off the async runtime.
//!
//! Everything that changes the states happens in this thread, one look after the other. So what it saves between two looks, the
//! states and the places in the logs, belongs together.

use std::collections::BTreeMap;
use std::path::PathBuf;
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
use crate::last_look::LastLook;
use crate::state_file::keeper::StateKeeper;
use crate::state_file::{Saved, SavedCheck, SavedLog, StateFileInUse};
use crate::store::{Store, Tracked};

/// Reads the logs into a store.
pub struct Reader {
    follower: Follower,
    intake: Intake,
    store: Arc<Store>,
    state: Option<StateKeeper>,
    /// When checks that are gone were dropped last.
    swept: Instant,
    looked: Option<LastLook>,
    events: Events,
}

/// How often checks that are gone are dropped.
const SWEEP_EVERY: Duration = Duration::from_secs(10);

// === impl Reader ===

impl Reader {
    /// A reader of what `flags` name, that goes on where their state file says.
    ///
    /// # Errors
    /// Another process uses the state file.
    pub fn new(flags: &Flags, store: Arc<Store>, events: Events) -> Result<Self, StateFileInUse> {
        let state =
            flags.state_file().map(|path| StateKeeper::open(path, flags.state_interval, &events)).transpose()?;
        let Saved { logs, clients, checks, .. } =
            state.as_ref().and_then(|state| state.load(&events)).unwrap_or_default();
        for client in &clients {
            if let Some(attributes) = &client.attributes {
                store.set_client(client.name.clone(), Arc::clone(attributes));
            }
        }
        let select = flags.select();
        store.restore(checks, &select);
        let position = |log: &SavedLog| Some((PathBuf::from(&log.path), log.position.clone()?));
        let positions: BTreeMap<PathBuf, Position> = logs.iter().filter_map(position).collect();
        let follower = Follower::new(flags.logs(), positions, events.clone());
        let intake = Intake::new(Arc::clone(&store), select, events.clone(), (logs, clients));
        Ok(Self { follower, intake, store, state, swept: Instant::now(), looked: None, events })
    }

    /// The reader, telling `looked` of its looks.
    #[must_use]
    pub(crate) fn telling(self, looked: LastLook) -> Self {
        Self { looked: Some(looked), ..self }
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
            client: self.intake.client_of(log).map(str::to_owned),
            stretch: self.intake.stretch_of(log),
        }));
        saved.clients.extend(self.intake.clients());
        let check =
            |Tracked { state, log, alive }| SavedCheck { log: log.to_string_lossy().into_owned(), alive, state };
        saved.checks.extend(self.store.all_tracked().into_iter().map(check));
        state.store(&mut saved, &self.events);
    }

    /// Whether there is more to read already, and whether anything was read.
    fn take_in(&mut self) -> (bool, bool) {
        let more = self.follower.look(&mut self.intake);
        let changed = self.intake.publish();
        if let Some(state) = &mut self.state {
            state.note(changed);
        }
        if let Some(looked) = &self.looked {
            looked.note();
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
        if self.state.as_ref().is_some_and(StateKeeper::is_due) {
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
            let (mut more, changed) = self.take_in();
            if reason == Reason::Time && changed {
                self.listen(&mut watch, runtime);
                more = true;
            }
            while more && !stop.is_cancelled() {
                more = self.look();
                self.sweep_and_save_if_due();
            }
            self.sweep_and_save_if_due();
        }
        self.save();
    }

    /// Waits until another look is worth while; none when it is time to stop.
    fn wait(&self, watch: &mut Watch, runtime: &Handle, stop: &CancellationToken) -> Option<Reason> {
        runtime.block_on(async {
            watch.directories(self.follower.directories());
            tokio::select! {
                () = stop.cancelled() => None,
                reason = watch.wait(|name| self.follower.concerns(name)) => Some(reason),
            }
        })
    }

    fn listen(&self, watch: &mut Watch, runtime: &Handle) {
        runtime.block_on(watch.listen(|name| self.follower.concerns(name)));
    }

    fn watch(&self, runtime: &Handle) -> Watch {
        let _within = runtime.enter();
        Watch::new(self.events.clone())
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
