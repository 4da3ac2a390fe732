//! Asks nodes, so that one of them keeps nobody from the others.
//!
//! An answer serves for [`FRESH`], and those who come while it is being fetched wait for the same one. A node that has not
//! answered in time is not asked again meanwhile, whatever for. Each is asked for few things at a time, and who waits for
//! that holds no place that another node's page could have.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use check_result::api::FetchError;
use moka::future::Cache;
use reqwest::{Client, StatusCode, header};
use service::http::{ReadError, innermost, read_limited};
use tokio::sync::Semaphore;
use tokio::time::timeout;
use url::Url;

use super::DetailError;

/// The longest answer of a node that is read, in bytes: an output of 1 MiB takes more as JSON.
const ANSWER: usize = 8 << 20;

/// Requests to nodes of a cluster under way. With the longest answers they take 128 MiB.
const AT_A_TIME: usize = 16;

/// Of them those to one node. What is pushed is all at one address: each Pushgateway counts as a node.
const OF_ONE: usize = 2;

/// For a place among them. Somebody waits.
const WAIT: Duration = Duration::from_secs(3);

/// How long an answer serves, and that there was none.
const FRESH: Duration = Duration::from_secs(3);

/// Answers kept, in bytes.
const BYTES: u64 = 32 << 20;

/// Nodes of which it is known that they are being asked, or do not answer.
const NODES: u64 = 4_096;

/// What a node answered.
#[derive(Clone, Debug)]
pub(super) struct Answered {
    pub(super) host: String,
    pub(super) status: StatusCode,
    pub(super) body: Bytes,
}

/// The nodes of a cluster.
#[derive(Debug)]
pub(super) struct Nodes {
    answers: Cache<Url, Answered>,
    silent: Cache<String, FetchError>,
    of_one: Cache<String, Arc<Semaphore>>,
    slots: Semaphore,
}

// === impl Nodes ===

impl Nodes {
    pub(super) fn new() -> Self {
        let weigh = |url: &Url, answered: &Answered| {
            u32::try_from(url.as_str().len() + answered.body.len() + 256).unwrap_or(u32::MAX)
        };
        Self {
            answers: Cache::builder().max_capacity(BYTES).weigher(weigh).time_to_live(FRESH).build(),
            silent: Cache::builder().max_capacity(NODES).time_to_live(FRESH).build(),
            of_one: Cache::builder().max_capacity(NODES).time_to_idle(Duration::from_secs(60)).build(),
            slots: Semaphore::new(AT_A_TIME),
        }
    }

    /// What is at `url`: as it was a moment ago, or else what `fetch` brings.
    ///
    /// # Errors
    /// When the node does not answer, or too much is being asked.
    pub(super) async fn get<F>(&self, url: Url, fetch: F) -> Result<Answered, DetailError>
    where
        F: Future<Output = Result<Answered, FetchError>>,
    {
        let host = url.authority().to_owned();
        let answer = self.answers.try_get_with(url, self.ask(host, fetch)).await;
        answer.map_err(|error| DetailError::clone(&error))
    }

    async fn ask<F>(&self, host: String, fetch: F) -> Result<Answered, DetailError>
    where
        F: Future<Output = Result<Answered, FetchError>>,
    {
        let of_one = self.of_one.get_with_by_ref(&host, async { Arc::new(Semaphore::new(OF_ONE)) }).await;
        let places = async {
            let mine = of_one.acquire().await.expect("the semaphore is never closed");
            // Who waited for its place may have waited for nothing.
            match self.silent.get(&host).await {
                Some(error) => Err(DetailError::Node(error)),
                None => Ok((mine, self.slots.acquire().await.expect("the semaphore is never closed"))),
            }
        };
        let _places = timeout(WAIT, places).await.map_err(|_| DetailError::Busy(host.clone()))??;
        let answer = fetch.await;
        if let Err(error @ FetchError::Timeout(_)) = &answer {
            self.silent.insert(host, error.clone()).await;
        }
        Ok(answer?)
    }
}

/// Asks a node.
///
/// # Errors
/// See [`FetchError`].
pub(super) async fn fetch(client: &Client, url: Url) -> Result<Answered, FetchError> {
    let host = url.authority().to_owned();
    let request = client.get(url).header(header::ACCEPT, "application/json");
    let response = request.send().await.map_err(|error| {
        let (host, reason) = (host.clone(), innermost(&error));
        match error {
            error if error.is_timeout() => FetchError::Timeout(host),
            error if error.is_connect() => FetchError::Connect { host, reason },
            _ => FetchError::Broken { host, reason },
        }
    })?;
    let status = response.status();
    let body = read_limited(response, ANSWER).await.map_err(|error| match error {
        ReadError::TooLarge { limit } => FetchError::TooLarge { host: host.clone(), limit },
        ReadError::Timeout => FetchError::Timeout(host.clone()),
        ReadError::Broken(error) => FetchError::Broken { host: host.clone(), reason: innermost(&error) },
    })?;
    Ok(Answered { host, status, body })
}

#[cfg(test)]
mod tests {
    use std::future::pending;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use futures_util::future::join_all;
    use tokio::sync::Notify;

    use super::*;

    fn url(host: &str, check: usize) -> Url {
        format!("http://{host}/api/v1/checks/{check}").parse().expect("it is a URL")
    }

    fn answered(host: &str) -> Answered {
        Answered { host: host.to_owned(), status: StatusCode::OK, body: Bytes::new() }
    }

    #[tokio::test]
    async fn many_who_look_at_a_node_are_one_request() {
        let (nodes, asked, gate) = (Nodes::new(), AtomicUsize::new(0), Notify::new());
        let look = || {
            nodes.get(url("web-1", 0), async {
                asked.fetch_add(1, Ordering::Relaxed);
                gate.notified().await;
                Ok(answered("web-1"))
            })
        };
        let looking = join_all((0..40).map(|_| look()));
        gate.notify_one();
        assert!(looking.await.iter().all(Result::is_ok));
        assert!(nodes.get(url("web-1", 0), async { unreachable!("it has just answered") }).await.is_ok());
        assert_eq!(asked.load(Ordering::Relaxed), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_node_that_hangs_keeps_nobody_from_the_others() {
        let (nodes, asked) = (Arc::new(Nodes::new()), Arc::new(AtomicUsize::new(0)));
        let hanging: Vec<_> = (0..40)
            .map(|check| {
                let (nodes, asked) = (Arc::clone(&nodes), Arc::clone(&asked));
                tokio::spawn(async move {
                    let hang = async {
                        asked.fetch_add(1, Ordering::Relaxed);
                        pending().await
                    };
                    nodes.get(url("web-1", check), hang).await
                })
            })
            .collect();
        while asked.load(Ordering::Relaxed) < OF_ONE {
            tokio::task::yield_now().await;
        }
        assert!(nodes.get(url("web-2", 0), async { Ok(answered("web-2")) }).await.is_ok());
        let (busy, rest): (Vec<_>, Vec<_>) = {
            let mut hanging = hanging.into_iter();
            let first: Vec<_> = hanging.by_ref().take(OF_ONE).collect();
            (hanging.collect(), first)
        };
        for told in join_all(busy).await {
            assert!(matches!(told.expect("no panic"), Err(DetailError::Busy(host)) if host == "web-1"));
        }
        assert_eq!(asked.load(Ordering::Relaxed), OF_ONE);
        rest.iter().for_each(tokio::task::JoinHandle::abort);
    }

    #[tokio::test]
    async fn who_did_not_answer_in_time_is_left_alone_for_a_moment() {
        let nodes = Nodes::new();
        let silent = nodes.get(url("web-1", 0), async { Err(FetchError::Timeout("web-1".into())) }).await;
        assert!(matches!(silent, Err(DetailError::Node(FetchError::Timeout(_)))));
        let again = nodes.get(url("web-1", 1), async { unreachable!("it has just been silent") }).await;
        assert!(matches!(again, Err(DetailError::Node(FetchError::Timeout(_)))));
        // One that refuses does so at once.
        let refuses = async { Err(FetchError::Connect { host: "web-2".into(), reason: "refused".into() }) };
        assert!(nodes.get(url("web-2", 0), refuses).await.is_err());
        assert!(nodes.get(url("web-2", 0), async { Ok(answered("web-2")) }).await.is_ok());
    }
}
