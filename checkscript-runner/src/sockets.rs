//! The local sockets: applications on the node push results of checks of their own.
//!
//! | socket | default | speaks |
//! | --- | --- | --- |
//! | `client.socket`, TCP | 127.0.0.1:3030 | one JSON document, or `ping`; answers `ok`, `invalid` or `pong` and closes (`tcp`) |
//! | `client.socket`, UDP | 127.0.0.1:3030 | one JSON document a datagram, no answer (`udp`) |
//! | `client.http_socket` | 127.0.0.1:3031 | `POST /results` and three more endpoints (`http`) |
//!
//! The ways in differ, what happens then is the same: `intake` reads the document, leniently as definitions are, judges
//! each result by the definitions' rules and hands it to the sink. Every size, number and time is bounded (`limits`,
//! `accept`). A socket that cannot be bound never keeps checks from running: the log says so and it is tried again
//! (`listen`), since during a migration sensu-client may still hold the ports.

mod accept;
mod document;
mod http;
mod intake;
mod limits;
mod listen;
#[cfg(test)]
mod recorder;
mod settings;
mod tcp;
mod udp;

use std::sync::Arc;
use std::time::Duration;

use tokio::net::UdpSocket;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use self::accept::Door;
use self::intake::Intake;
use self::limits::Times;
use self::listen::listen;
use self::settings::{Address, Kind, Settings};
use crate::definitions::Definitions;
use crate::events::sockets as events;
use crate::notice::Sink;

/// How long the start, or a reload, waits for an address to be bound.
const FIRST_ATTEMPT: Duration = Duration::from_secs(2);
/// How long connections may take to end when the sockets are closed.
const CLOSE_GRACE: Duration = Duration::from_secs(1);

/// Takes results from applications. Settings that change are followed; only a socket whose address changes is bound anew.
pub struct Sockets {
    shared: Arc<Shared>,
    definitions: watch::Receiver<Arc<Definitions>>,
    plain: Opened,
    http: Opened,
}

/// What all connections share.
struct Shared {
    intake: Intake,
    times: Times,
    connections: TaskTracker,
    /// Ends connections that go on past the grace.
    cut: CancellationToken,
}

/// One settings object's sockets.
struct Opened {
    kind: Kind,
    /// `None` before the settings have been looked at; `Some(None)` if they disable it.
    address: Option<Option<Address>>,
    listeners: JoinSet<()>,
}

// === impl Sockets ===

impl Sockets {
    /// Opens what `definitions` ask for and hands results to `sink`. When it returns, each address has been tried once,
    /// unless its name takes long to be looked up.
    pub async fn open(sink: Arc<dyn Sink>, definitions: watch::Receiver<Arc<Definitions>>) -> Self {
        let shared = Arc::new(Shared::new(Intake::new(sink, definitions.clone()), Times::default()));
        let (plain, http) = (Opened::new(Kind::Plain), Opened::new(Kind::Http));
        let mut sockets = Self { shared, definitions, plain, http };
        sockets.follow().await;
        sockets
    }

    /// Serves until `stop`, then lets connections end.
    pub async fn run(mut self, stop: CancellationToken) {
        loop {
            tokio::select! {
                () = stop.cancelled() => break,
                Ok(()) = self.definitions.changed() => self.follow().await,
            }
        }
        self.plain.listeners.shutdown().await;
        self.http.listeners.shutdown().await;
        self.shared.connections.close();
        if tokio::time::timeout(CLOSE_GRACE, self.shared.connections.wait()).await.is_err() {
            self.shared.cut.cancel();
            self.shared.connections.wait().await;
        }
    }

    /// Opens and closes what the definitions say now.
    async fn follow(&mut self) {
        let client = Arc::clone(&self.definitions.borrow_and_update().client);
        for opened in [&mut self.plain, &mut self.http] {
            opened.switch(Settings::of(&client, opened.kind), &self.shared).await;
        }
    }
}

// === impl Shared ===

impl Shared {
    fn new(intake: Intake, times: Times) -> Self {
        Self { intake, times, connections: TaskTracker::new(), cut: CancellationToken::new() }
    }
}

// === impl Opened ===

impl Opened {
    fn new(kind: Kind) -> Self {
        Self { kind, address: None, listeners: JoinSet::new() }
    }

    async fn switch(&mut self, settings: Settings, shared: &Arc<Shared>) {
        if self.address.as_ref() == Some(&settings.address) {
            return;
        }
        // Ends at once: a listener never waits for its connections.
        self.listeners.shutdown().await;
        self.address = Some(settings.address.clone());
        let Some(address) = settings.address else {
            return shared.intake.notice(&events::disabled(self.kind.disabled()));
        };
        shared.intake.debug(|| events::binding(self.kind.binding(), settings.options));
        let mut tried = Vec::new();
        match self.kind {
            Kind::Plain => {
                tried.push(self.start::<Door<tcp::Protocol>>(&address, shared));
                tried.push(self.start::<UdpSocket>(&address, shared));
            }
            Kind::Http => tried.push(self.start::<Door<http::Protocol>>(&address, shared)),
        }
        for tried in tried {
            // Its end is the message. A name server that does not answer must not hold anything up.
            tokio::time::timeout(FIRST_ATTEMPT, tried).await.ok();
        }
    }

    fn start<E: listen::Endpoint>(&mut self, address: &Address, shared: &Arc<Shared>) -> oneshot::Receiver<()> {
        let (trying, tried) = oneshot::channel();
        self.listeners.spawn(listen::<E>(address.clone(), Arc::clone(shared), trying));
        tried
    }
}
