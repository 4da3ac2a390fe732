//! A server's metrics of itself: requests, connections, build, process. Counter and log line of one event are written
//! together here.

pub(crate) mod process;

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use crate::info::BuildInfo;

/// Upper bounds of the duration histogram, in seconds: 1 ms to 10 s, since most answers take less than 10 ms and no client
/// of ours waits for more than 10 s.
const DURATION_BUCKETS: [f64; 9] = [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0];

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    handler: String,
    method: &'static str,
    code: u16,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct HandlerLabel {
    handler: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ReasonLabel {
    reason: &'static str,
}

/// Why a connection was ended by us and not by its client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cut {
    /// The TLS handshake took too long.
    TlsTimeout,
    /// The TLS handshake failed: no common version, no acceptable client certificate, not TLS at all.
    TlsFailed,
    /// A request's header did not arrive in time, or nothing did after connecting.
    HeaderTimeout,
    /// A request's body did not arrive in time.
    BodyTimeout,
    /// No further request came on a kept connection.
    IdleTimeout,
    /// The client did not read its answer.
    WriteTimeout,
    /// The client read its answer too slowly.
    AnswerTimeout,
    /// What was sent is not HTTP, or its header is too large.
    BadRequest,
    /// The connection was still open when the deadline for stopping passed.
    StopDeadline,
}

impl Cut {
    const ALL: [Self; 9] = [
        Self::TlsTimeout,
        Self::TlsFailed,
        Self::HeaderTimeout,
        Self::BodyTimeout,
        Self::IdleTimeout,
        Self::WriteTimeout,
        Self::AnswerTimeout,
        Self::BadRequest,
        Self::StopDeadline,
    ];

    fn label(self) -> &'static str {
        match self {
            Self::TlsTimeout => "tls_timeout",
            Self::TlsFailed => "tls_failed",
            Self::HeaderTimeout => "header_timeout",
            Self::BodyTimeout => "body_timeout",
            Self::IdleTimeout => "idle_timeout",
            Self::WriteTimeout => "write_timeout",
            Self::AnswerTimeout => "answer_timeout",
            Self::BadRequest => "bad_request",
            Self::StopDeadline => "stop_deadline",
        }
    }

    /// Housekeeping that operators need not hear of.
    fn is_routine(self) -> bool {
        matches!(self, Self::IdleTimeout | Self::StopDeadline)
    }
}

/// Metrics and log lines of serving.
#[derive(Debug)]
pub(crate) struct HttpMetrics {
    requests: Family<RequestLabels, Counter>,
    duration: Family<HandlerLabel, Histogram, fn() -> Histogram>,
    connections: Gauge,
    cut: Family<ReasonLabel, Counter>,
    waited: Counter,
    accept_errors: Counter,
    panics: Counter,
    overloaded: Counter,
    /// Which reasons were logged as a warning before, in the order of [`Cut`].
    warned: [AtomicBool; Cut::ALL.len()],
}

impl HttpMetrics {
    pub(crate) fn register(registry: &mut Registry, max_connections: usize) -> Self {
        let metrics = Self {
            requests: Family::default(),
            duration: Family::new_with_constructor(|| Histogram::new(DURATION_BUCKETS)),
            connections: Gauge::default(),
            cut: Family::default(),
            waited: Counter::default(),
            accept_errors: Counter::default(),
            panics: Counter::default(),
            overloaded: Counter::default(),
            warned: Default::default(),
        };
        for cut in Cut::ALL {
            // A counter that starts at its first event hides that event from `increase`.
            let _ = metrics.cut.get_or_create(&ReasonLabel { reason: cut.label() });
        }
        let limit = Gauge::<i64>::default();
        limit.set(i64::try_from(max_connections).unwrap_or(i64::MAX));
        metrics.describe(registry, limit);
        metrics
    }

    fn describe(&self, registry: &mut Registry, limit: Gauge) {
        registry.register(
            "http_requests",
            "Requests answered, by route (other: no route), method and status",
            self.requests.clone(),
        );
        registry.register(
            "http_request_duration_seconds",
            "Time from a request's header to its answer's header, by route",
            self.duration.clone(),
        );
        registry.register("http_connections", "Connections being served", self.connections.clone());
        registry.register("http_connections_limit", "Connections served at a time at most", limit);
        registry.register(
            "http_connections_cut",
            "Connections ended by the server and not by the client, by reason",
            self.cut.clone(),
        );
        registry.register(
            "http_connections_waited",
            "Connections that had to wait because the limit was reached",
            self.waited.clone(),
        );
        registry.register(
            "http_accept_errors",
            "Failures to accept a connection, such as too many open files",
            self.accept_errors.clone(),
        );
        registry.register(
            "http_handler_panics",
            "Requests answered with 500 because their handler panicked",
            self.panics.clone(),
        );
    }

    /// Registers what belongs to a limit of requests; a server without one has none of it.
    pub(crate) fn register_request_limit(&self, registry: &mut Registry, limit: usize) {
        let gauge = Gauge::<i64>::default();
        gauge.set(i64::try_from(limit).unwrap_or(i64::MAX));
        registry.register("http_requests_limit", "Requests of this program answered at a time at most", gauge);
        registry.register(
            "http_requests_rejected",
            "Requests answered with 503 because the limit of requests was reached",
            self.overloaded.clone(),
        );
    }

    /// A request was refused because as many as allowed are being answered.
    pub(crate) fn overloaded(&self) {
        if self.overloaded.inc() == 0 {
            tracing::warn!(
                "Reached the limit of requests; further ones get 503 (said once; http_requests_rejected_total counts)"
            );
        }
    }

    /// A request was answered.
    pub(crate) fn answered(&self, handler: &str, method: &'static str, code: u16, took: Duration) {
        self.duration.get_or_create(&HandlerLabel { handler: handler.to_owned() }).observe(took.as_secs_f64());
        self.requests.get_or_create(&RequestLabels { handler: handler.to_owned(), method, code }).inc();
    }

    /// A connection is served until the guard is dropped.
    pub(crate) fn connected(&self) -> Connected {
        self.connections.inc();
        Connected(self.connections.clone())
    }

    /// A connection was ended by us. The first one of each reason is a warning, the others are only counted.
    pub(crate) fn cut(&self, cut: Cut, peer: SocketAddr, detail: &str) {
        let reason = cut.label();
        self.cut.get_or_create(&ReasonLabel { reason }).inc();
        if cut.is_routine() || self.warned[cut as usize].swap(true, Ordering::Relaxed) {
            tracing::debug!(%peer, reason, detail, "Cut the connection of {peer}: {reason}");
        } else {
            tracing::warn!(
                %peer, reason, detail,
                "Cut the connection of {peer}: {reason} (said once; http_connections_cut_total counts further ones)"
            );
        }
    }

    /// A connection has to wait for another one to end.
    pub(crate) fn waits(&self) {
        if self.waited.inc() == 0 {
            tracing::warn!(
                "Reached the limit of connections; new ones wait (said once; http_connections_waited_total counts)"
            );
        }
    }

    /// Accepting failed; `log`: in a way that lasts, and that was not said yet.
    pub(crate) fn accept_failed(&self, error: &std::io::Error, log: bool) {
        self.accept_errors.inc();
        if log {
            tracing::error!(%error, "Cannot accept connections: {error}; trying again");
        }
    }

    /// A handler panicked.
    pub(crate) fn panicked(&self, message: &str) {
        self.panics.inc();
        tracing::error!(panic = message, "A request handler panicked, which is a bug: {message}");
    }
}

/// Counts a connection while it lives.
pub(crate) struct Connected(Gauge);

impl Drop for Connected {
    fn drop(&mut self) {
        self.0.dec();
    }
}

/// Registers `<name>_build_info`.
pub(crate) fn build_info(registry: &mut Registry, info: BuildInfo) {
    let name = format!("{}_build_info", info.metric_prefix());
    let labels = [("version", info.version), ("revision", info.revision)];
    let family = Family::<Vec<(&'static str, &'static str)>, Gauge>::default();
    family.get_or_create(&labels.to_vec()).set(1);
    registry.register(name, "Version and source revision of this program, value 1", family);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_has_its_place_and_its_label() {
        let places: Vec<_> = Cut::ALL.iter().map(|cut| *cut as usize).collect();
        assert_eq!(places, Vec::from_iter(0..Cut::ALL.len()));
        let labels: std::collections::BTreeSet<_> = Cut::ALL.iter().map(|cut| cut.label()).collect();
        assert_eq!(labels.len(), Cut::ALL.len());
    }
}
