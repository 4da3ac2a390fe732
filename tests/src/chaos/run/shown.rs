//! What web-ui shows, held against what Alertmanager has.

use std::collections::BTreeSet;

use anyhow::ensure;
use e2e::{Member, get_json, until};
use serde_json::Value;

use super::{PATIENCE, Run};

impl Run {
    /// Waits until web-ui and both Alertmanagers list the same alerts.
    pub(super) async fn every_alert_is_shown(&self) -> anyhow::Result<()> {
        let web_ui = format!("{}/api/v1/alerts", self.pair.url(Member::WebUi));
        let alertmanagers =
            [0, 1].map(|number| format!("{}/api/v2/alerts", self.pair.url(Member::Alertmanager(number))));
        until("web-ui to list what Alertmanager has", PATIENCE, || async {
            let shown = named(&get_json(&web_ui).await?["rows"])?;
            for alertmanager in &alertmanagers {
                let known = named(&get_json(alertmanager).await?)?;
                ensure!(shown == known, "web-ui lists {shown:?}, Alertmanager has {known:?}");
            }
            Ok(())
        })
        .await
    }
}

/// What tells each of a list of alerts from the others.
fn named(alerts: &Value) -> anyhow::Result<BTreeSet<String>> {
    let alerts = alerts.as_array().ok_or_else(|| anyhow::anyhow!("no list of alerts: {alerts}"))?;
    let label = |alert: &Value, name: &str| alert["labels"][name].as_str().unwrap_or_default().to_owned();
    let name = |alert| ["alertname", "check", "instance"].map(|name| label(alert, name)).join(" ");
    Ok(alerts.iter().map(name).collect())
}
