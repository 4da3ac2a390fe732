//! What is waited for: that the sinks were told.

use anyhow::ensure;
use e2e::{Member, get_json, until};

use super::{PATIENCE, QUIET, Run};
use crate::oracle::{Message, Sink, tells};
use crate::plan::{CHECKS, HOSTS};

impl Run {
    /// Waits until every sink was told of each lasting incident that has begun, and of the end of each that has ended; the last word
    /// is of how it is now.
    pub(super) async fn every_lasting_incident_is_told(&self) -> anyhow::Result<()> {
        until("every incident to be told", PATIENCE, || async {
            let messages = self.messages();
            let mut missing = Vec::new();
            for (number, incident) in self.plan.incidents.iter().enumerate().filter(|(_, incident)| !incident.brief) {
                let Some(began) = self.began[number] else { continue };
                // Another of the check's, of which then the last word is.
                let another = self.plan.incidents.iter().zip(&self.began).skip(number + 1);
                let again = another.filter(|(later, _)| later.is_of_check_of(incident)).find_map(|(_, began)| *began);
                let is_over = self.ended[number].is_some();
                let then = incident.then.filter(|_| self.changed[number].is_some());
                let in_severity = |message: &&Message| then.is_none() || message.status == then;
                for sink in Sink::ALL {
                    let of =
                        |message: &&Message| message.sink == sink && message.at >= began && incident.is_of(message);
                    let last = messages.iter().rfind(of);
                    let is_as_it_is = |last: &&Message| last.firing != is_over && (is_over || in_severity(last));
                    if !messages.iter().filter(of).filter(in_severity).any(|message| tells(message, number)) {
                        missing.push(format!("{sink:?}: that [{number}] fails: {incident:?}"));
                    } else if again.is_none() && !last.is_some_and(|last| is_as_it_is(&last)) {
                        let what = if is_over { "is over" } else { "fails still" };
                        missing.push(format!("{sink:?}: that [{number}] {what}: {incident:?}"));
                    }
                }
            }
            ensure!(missing.is_empty(), "lost:\n  {}", missing.join("\n  "));
            Ok(())
        })
        .await
    }

    /// Waits until neither an Alertmanager has an alert nor a sink was told last that a check fails, and nothing comes any more.
    pub(super) async fn every_end_is_told(&self) -> anyhow::Result<()> {
        for number in [0, 1] {
            let url = format!("{}/api/v2/alerts", self.pair.url(Member::Alertmanager(number)));
            until("the alerts to end", PATIENCE, || async {
                let alerts = get_json(&url).await?;
                ensure!(alerts.as_array().is_some_and(Vec::is_empty), "{alerts}");
                Ok(())
            })
            .await?;
        }
        until("the ends to be told", PATIENCE, || async {
            let messages = self.messages();
            for (node, check) in (0..HOSTS.len()).flat_map(|node| CHECKS.map(|check| (node, check))) {
                for sink in Sink::ALL {
                    let ours =
                        |message: &&Message| message.sink == sink && message.node == node && message.check == check;
                    if let Some(last) = messages.iter().rfind(ours) {
                        ensure!(!last.firing, "the last was: {last}");
                    }
                }
            }
            let last = messages.iter().map(|message| message.at).max();
            ensure!(last.is_none_or(|last| last.elapsed() >= QUIET), "messages still come");
            Ok(())
        })
        .await
    }
}
