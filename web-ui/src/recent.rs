//! What a cluster is asked for only while somebody looks: once however many look, and kept for a moment.
//!
//! An answer serves for [`FRESH`]; those who come while it is being fetched wait for the same one. Who has waited
//! long enough gets what was said before, with its age, and the question goes on for those who come later. What is kept is
//! bounded in bytes, what is asked at a time in number.

use std::fmt;
use std::hash::Hash;
use std::sync::Arc;
use std::time::Duration;

use moka::future::Cache;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use crate::prometheus::Aside;
use crate::upstream::{AskError, Reason};
use crate::view::Part;

/// How long an answer serves, and a failure too.
const FRESH: Duration = Duration::from_secs(15);

/// How long one that cannot be replaced is shown on.
const LAST: Duration = Duration::from_secs(3600);

/// Questions that a cluster is asked at a time.
const AT_A_TIME: usize = 2;

/// Further ones that wait. Who asks for more gets what was said before.
const WAITING: usize = 32;

/// Answers kept, in bytes of memory; as much again those that are shown on.
const BYTES: u64 = 8 << 20;

/// What an answer takes beside what it says, in bytes, roughly.
const OVERHEAD: usize = 512;

/// Answers of a cluster to one kind of question.
pub struct Recent<K, V> {
    fresh: Cache<K, Part<V>>,
    last: Cache<K, Part<V>>,
    slots: Arc<Semaphore>,
    /// Those who are asked and those who wait.
    places: Arc<Semaphore>,
    cluster: String,
    /// For one answer. Somebody waits.
    patience: Duration,
}

/// Knows how much memory it takes.
pub trait Size {
    /// Bytes, roughly.
    fn bytes(&self) -> usize;
}

// === impl Recent ===

impl<K, V> Recent<K, V>
where
    K: Size + Hash + Eq + Clone + Send + Sync + 'static,
    V: Size + Default + Send + Sync + 'static,
{
    /// None yet, of this cluster; nobody waits longer than `patience`.
    pub fn new(cluster: &str, patience: Duration) -> Self {
        let weigh =
            |key: &K, part: &Part<V>| u32::try_from(key.bytes() + part.said.bytes() + OVERHEAD).unwrap_or(u32::MAX);
        let kept = || Cache::builder().max_capacity(BYTES).weigher(weigh);
        Self {
            fresh: kept().time_to_live(FRESH).build(),
            last: kept().time_to_live(LAST).build(),
            slots: Arc::new(Semaphore::new(AT_A_TIME)),
            places: Arc::new(Semaphore::new(AT_A_TIME + WAITING)),
            cluster: cluster.to_owned(),
            patience,
        }
    }

    /// The answer to `key`: one that is fresh, or else what `ask` brings, or else the one before.
    pub async fn get<F>(&self, key: K, ask: F) -> Part<V>
    where
        F: Future<Output = Result<(V, Aside), Vec<AskError>>> + Send + 'static,
    {
        let (fresh, last, asked) = (self.fresh.clone(), self.last.clone(), key.clone());
        let (slots, places, cluster) = (Arc::clone(&self.slots), Arc::clone(&self.places), self.cluster.clone());
        let work = async move {
            let asking = async {
                let Ok(_place) = places.try_acquire() else {
                    let failure = AskError { server: cluster, reason: Reason::Crowded };
                    return Err(last.get(&asked).await.unwrap_or_default().outdated(vec![failure]));
                };
                let _slot = slots.acquire().await.expect("the semaphore is never closed");
                Ok(match ask.await {
                    Ok((answer, aside)) => {
                        let part = Part::answered(answer, aside);
                        last.insert(asked.clone(), part.clone()).await;
                        part
                    }
                    Err(failures) => last.get(&asked).await.unwrap_or_default().outdated(failures),
                })
            };
            // Who was sent away is not kept: the next look asks.
            fresh.try_get_with(asked.clone(), asking).await.unwrap_or_else(|sent_away| Part::clone(&sent_away))
        };
        // A task of its own: who waits no longer leaves the question to the others.
        let waiting = timeout(self.patience, tokio::spawn(work)).await;
        match waiting {
            Ok(part) => part.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic())),
            Err(_) => {
                let failure = AskError { server: self.cluster.clone(), reason: Reason::Awaited(self.patience) };
                self.last.get(&key).await.unwrap_or_default().outdated(vec![failure])
            }
        }
    }
}

impl Size for String {
    fn bytes(&self) -> usize {
        self.len()
    }
}

impl<K, V> fmt::Debug for Recent<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recent").field("cluster", &self.cluster).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use futures_util::future::join_all;
    use tokio::sync::Notify;

    use super::*;

    impl Size for u32 {
        fn bytes(&self) -> usize {
            4
        }
    }

    impl Size for u8 {
        fn bytes(&self) -> usize {
            1
        }
    }

    const PATIENCE: Duration = Duration::from_secs(300);

    type Answer = Result<(u32, Aside), Vec<AskError>>;

    fn failure() -> AskError {
        AskError { server: "a:1".into(), reason: Reason::Late }
    }

    #[tokio::test]
    async fn many_who_look_at_the_same_are_one_question() {
        let (recent, asked, gate) =
            (Recent::<u8, u32>::new("tokyo", PATIENCE), Arc::new(AtomicUsize::new(0)), Arc::new(Notify::new()));
        let look = || {
            let (asked, gate) = (Arc::clone(&asked), Arc::clone(&gate));
            recent.get(7, async move {
                asked.fetch_add(1, Ordering::Relaxed);
                gate.notified().await;
                Answer::Ok((1, Aside::default()))
            })
        };
        let looking = join_all((0..100).map(|_| look()));
        gate.notify_one();
        assert!(looking.await.iter().all(|part| *part.said == 1 && !part.is_old));
        assert_eq!(asked.load(Ordering::Relaxed), 1);
    }

    #[tokio::test]
    async fn what_was_said_before_is_shown_on_where_nothing_comes() {
        let recent = Recent::<u8, u32>::new("tokyo", PATIENCE);
        let never = recent.get(1, async { Answer::Err(vec![failure()]) }).await;
        assert!(never.is_old && never.at.is_none() && *never.said == 0);
        recent.get(2, async { Answer::Ok((5, Aside::default())) }).await;
        recent.fresh.invalidate(&2).await;
        let part = recent.get(2, async { Answer::Err(vec![failure()]) }).await;
        assert_eq!((*part.said, part.is_old, part.failures), (5, true, vec![failure()]));
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_waits_long_and_the_answer_is_there_for_the_next() {
        let (recent, gate) = (Recent::<u8, u32>::new("tokyo", PATIENCE), Arc::new(Notify::new()));
        let slow = {
            let gate = Arc::clone(&gate);
            async move {
                gate.notified().await;
                Answer::Ok((5, Aside::default()))
            }
        };
        let part = recent.get(1, slow).await;
        assert!(part.is_old && part.failures[0].reason == Reason::Awaited(PATIENCE), "{part:?}");
        gate.notify_one();
        let part = recent.get(1, async { unreachable!("it is being asked already") }).await;
        assert_eq!((*part.said, part.is_old), (5, false));
    }

    #[tokio::test(start_paused = true)]
    async fn not_more_wait_than_there_are_places() {
        let (recent, gate) = (Recent::<u8, u32>::new("tokyo", PATIENCE), Arc::new(Semaphore::new(0)));
        let look = |key| {
            let gate = Arc::clone(&gate);
            recent.get(key, async move {
                let _through = gate.acquire().await.expect("it is never closed");
                Answer::Ok((u32::from(key), Aside::default()))
            })
        };
        let many = u8::try_from(AT_A_TIME + WAITING).expect("they are few") + 3;
        let looked = join_all((0..many).map(look)).await;
        let sent_away = looked.iter().filter(|part| part.failures[0].reason == Reason::Crowded);
        assert_eq!(sent_away.count(), 3);
        gate.add_permits(1);
        // It is asked as soon as there is a place again.
        assert_eq!(*look(0).await.said, 0);
        assert_eq!(*look(many - 1).await.said, u32::from(many - 1));
    }
}
