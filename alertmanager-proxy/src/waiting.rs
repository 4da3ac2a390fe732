//! What waits, as metrics: counted at each scrape, so that they are right also while a delivery hangs.

use std::fmt::Error;
use std::sync::Arc;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric as _};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::gauge::ConstGauge;

use crate::forward::Forwarder;
use crate::hold::Hold;
use crate::setup::Shared;

/// Queues, their limits, and the age of what is in them.
#[derive(Debug)]
pub struct Waiting {
    /// The limits.
    pub setup: Shared,
    /// Alerts that wait for their detail.
    pub hold: Arc<Hold>,
    /// Alerts that wait for an Alertmanager.
    pub forwarder: Arc<Forwarder>,
}

impl Collector for Waiting {
    fn encode(&self, mut out: DescriptorEncoder<'_>) -> Result<(), Error> {
        let (limits, peers) = (self.setup.load().config.limits, self.forwarder.peers());
        let (held, oldest_held) = self.hold.held_alerts();
        let homeless = self.forwarder.homeless();
        let of_peers = peers.iter().map(|peer| (peer.name(), peer.len(), peer.oldest().max(oldest_held)));
        let waiting: Vec<_> = of_peers.chain(homeless).collect();
        let mut one = |name: &str, help, value| {
            let gauge = ConstGauge::new(count(value));
            gauge.encode(out.encode_descriptor(
                &format!("alertmanager_proxy_{name}"),
                help,
                None,
                gauge.metric_type(),
            )?)
        };
        one("held_alerts", "Alerts that wait for their detail", held)?;
        one("held_alerts_limit", "Alerts that may wait for their detail", limits.held_alerts)?;
        one(
            "late_alerts",
            "Alerts that went on without their detail, which is still awaited",
            self.hold.late_alerts(),
        )?;
        one("pending_alerts_limit", "Alerts that may wait for one Alertmanager", limits.pending_alerts)?;
        let name = "alertmanager_proxy_pending_alerts";
        let mut family =
            out.encode_descriptor(name, "Alerts that wait for an Alertmanager", None, MetricType::Gauge)?;
        for (alertmanager, alerts, _) in &waiting {
            ConstGauge::new(count(*alerts)).encode(family.encode_family(&[("alertmanager", *alertmanager)])?)?;
        }
        let name = "alertmanager_proxy_oldest_unforwarded_alert_age_seconds";
        let help = "For how long the oldest alert has waited that an Alertmanager has not got";
        let mut family = out.encode_descriptor(name, help, None, MetricType::Gauge)?;
        for (alertmanager, _, age) in &waiting {
            ConstGauge::new(age.as_secs_f64()).encode(family.encode_family(&[("alertmanager", *alertmanager)])?)?;
        }
        Ok(())
    }
}

fn count(value: usize) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}
