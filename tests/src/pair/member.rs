//! The processes of a pair.

use std::path::PathBuf;

use crate::{Part, own, program, tool};

/// A process of the pair. Those that others need come first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Member {
    /// Debian's Redis, which both gateways share.
    Redis,
    /// pushgateway-ex: one of two replicas.
    Gateway(usize),
    /// One of the two gossiping Alertmanagers.
    Alertmanager(usize),
    /// alertmanager-proxy; the second one is not started with the others.
    Proxy(usize),
    /// checkscript-agent on a node.
    Agent(usize),
    /// checkscript-runner on a node, or pushgateway-agent on the host that pushes; not started with the others.
    Runner(usize),
    /// One of the two Prometheus.
    Prometheus(usize),
    /// web-ui over all of them, where there is one.
    WebUi,
}

// === impl Member ===

impl Member {
    pub(super) fn name(self) -> String {
        let (program, number) = match self {
            Self::Redis => ("redis", 0),
            Self::Gateway(number) => ("pushgateway-ex", number),
            Self::Alertmanager(number) => (Part::Alertmanager.name(), number),
            Self::Proxy(number) => (Part::Proxy.name(), number),
            Self::Agent(number) => (Part::Agent.name(), number),
            Self::Runner(number) => (Part::Runner.name(), number),
            Self::Prometheus(number) => (Part::Prometheus.name(), number),
            Self::WebUi => (Part::WebUi.name(), 0),
        };
        format!("{program}-{number}")
    }

    /// The program; that of a runner where nothing is pushed.
    pub(super) fn program(self) -> PathBuf {
        match self {
            Self::Redis => tool("redis-server"),
            Self::Gateway(_) => own("pushgateway-ex"),
            Self::Alertmanager(_) => program(Part::Alertmanager),
            Self::Proxy(_) => program(Part::Proxy),
            Self::Agent(_) => program(Part::Agent),
            Self::Runner(_) => program(Part::Runner),
            Self::Prometheus(_) => program(Part::Prometheus),
            Self::WebUi => program(Part::WebUi),
        }
    }
}
