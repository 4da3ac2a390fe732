//! What receives Alertmanager's notifications: an SMTP server, a Slack webhook and one of Alertmanager's own form,
//! all on loopback, all keeping what they get in the order it came.

mod slack;
mod smtp;
mod webhook;

use std::fmt::Debug;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

pub use slack::{Attachment, start as start_slack};
pub use smtp::{Mail, start as start_smtp};
pub use webhook::{Told, start as start_webhook};

/// How many of the others are shown where one is waited for in vain, and how many characters of each.
const SHOWN: usize = 3;
const SHOWN_CHARACTERS: usize = 1_000;

/// What a sink has received. Clones share it.
#[derive(Debug)]
pub struct Received<T>(Arc<Inner<T>>);

#[derive(Debug)]
struct Inner<T> {
    items: Mutex<Vec<(Instant, T)>>,
    arrived: Notify,
}

impl<T> Clone for Received<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> Default for Received<T> {
    fn default() -> Self {
        Self(Arc::new(Inner { items: Mutex::default(), arrived: Notify::new() }))
    }
}

impl<T: Clone> Received<T> {
    /// Everything so far.
    pub fn all(&self) -> Vec<T> {
        self.timed().into_iter().map(|(_, item)| item).collect()
    }

    /// Everything so far, with when it came.
    pub fn timed(&self) -> Vec<(Instant, T)> {
        self.0.items.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Waits until something that `wanted` accepts is there, and gives the first of it.
    pub async fn first(&self, what: &str, limit: Duration, wanted: impl Fn(&T) -> bool) -> anyhow::Result<T>
    where
        T: Debug,
    {
        let search = async {
            loop {
                let arrived = self.0.arrived.notified();
                if let Some(found) = self.all().into_iter().find(&wanted) {
                    return found;
                }
                arrived.await;
            }
        };
        let found = tokio::time::timeout(limit, search).await;
        found.map_err(|_| {
            let others = self.all();
            let last = others.iter().skip(others.len().saturating_sub(SHOWN));
            let last = last.map(|other| format!("{other:?}").chars().take(SHOWN_CHARACTERS).collect::<String>());
            let last = last.collect::<Vec<_>>().join("\n");
            anyhow::anyhow!("waited {limit:?} for {what}; {} others came, the last:\n{last}", others.len())
        })
    }

    /// Waits until more than `count` have come.
    pub async fn more_than(&self, count: usize) {
        loop {
            let arrived = self.0.arrived.notified();
            if self.all().len() > count {
                return;
            }
            arrived.await;
        }
    }

    fn add(&self, item: T) {
        self.0.items.lock().unwrap_or_else(PoisonError::into_inner).push((Instant::now(), item));
        self.0.arrived.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn who_waits_in_vain_is_told_what_came_instead() {
        let received = Received::default();
        for item in ["one", "two", "three", "four"] {
            received.add(item.to_owned());
        }
        received.add("x".repeat(2 * SHOWN_CHARACTERS));
        let error = received.first("five", Duration::ZERO, |item| item == "five").await.unwrap_err().to_string();
        assert!(error.contains("5 others came, the last:\n\"three\"\n\"four\"\n\"xxx"), "{error}");
        assert!(error.len() < 2 * SHOWN_CHARACTERS, "{error}");
    }
}
