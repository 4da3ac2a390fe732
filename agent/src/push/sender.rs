//! Emptying a queue: what waits is pushed in batches, and tried again with growing, jittered waits while the gateway is away.

use std::sync::Arc;
use std::time::Duration;

use backon::{BackoffBuilder as _, ExponentialBackoff, ExponentialBuilder};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::events::Events;
use super::gateway::Gateway;
use super::post::{self, PostError};
use super::queue::Entry;
use super::removed::{Defined, Task};
use super::spool::Marker;

/// Waits between tries. A fleet that finds its gateway back comes within the longest one, not at once.
const FIRST_WAIT: Duration = Duration::from_millis(500);
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// What empties the queue of one gateway.
#[derive(Debug)]
pub struct Sender {
    /// All gateways.
    pub gateways: Arc<[Gateway]>,
    /// Which one it is.
    pub index: usize,
    /// Told what has been delivered, where queues are kept on the disk.
    pub marker: Option<Marker>,
    /// Counts and logs.
    pub events: Events,
    /// The checks that run here.
    pub defined: Arc<Defined>,
}

/// What is tried again and again, with growing waits between.
struct Tries {
    waits: ExponentialBackoff,
    /// Not before this is it tried again.
    next: Option<Instant>,
}

/// Has the gateway forget what was pushed. What fails is tried again until `over`, what is refused is not.
///
/// # Errors
/// Why something stays there.
pub async fn delete(gateway: &Gateway, over: impl Future<Output = ()>) -> Result<(), String> {
    let (mut refused, mut failed) = (None, None);
    let all = async {
        for url in gateway.urls() {
            let mut tries = Tries::new();
            while let Err(error) = post::delete(gateway, &url).await {
                if !matches!(error, PostError::Failed(_)) {
                    refused = Some(error.to_string());
                    break;
                }
                failed = Some(error.to_string());
                tries.failed();
                tries.due().await;
            }
        }
    };
    let in_time = tokio::select! {
        biased;
        () = all => true,
        () = over => false,
    };
    match in_time {
        true => refused.map_or(Ok(()), Err),
        false => Err(failed.or(refused).unwrap_or_else(|| "there was no time for it".to_owned())),
    }
}

// === impl Tries ===

impl Tries {
    fn new() -> Self {
        let waits = ExponentialBuilder::new().with_min_delay(FIRST_WAIT).with_max_delay(LONGEST_WAIT);
        Self { waits: waits.with_jitter().without_max_times().build(), next: None }
    }

    fn failed(&mut self) {
        self.next = Some(Instant::now() + self.waits.next().unwrap_or(LONGEST_WAIT));
    }

    fn is_due(&self) -> bool {
        self.next.is_none_or(|next| next <= Instant::now())
    }

    async fn due(&self) {
        if let Some(next) = self.next {
            tokio::time::sleep_until(next).await;
        }
    }
}

// === impl Sender ===

impl Sender {
    /// Delivers, gathering results for `interval`, until `stop` and nothing is left, or until `abandon`.
    pub async fn run(self, interval: Duration, stop: CancellationToken, abandon: CancellationToken) {
        let _ = abandon.run_until_cancelled(self.deliver(interval, &stop)).await;
    }

    async fn deliver(&self, interval: Duration, stop: &CancellationToken) {
        let (queue, leftovers) = (self.gateway().queue(), self.gateway().leftovers());
        // Deletions have tries of their own: a gateway that does not list or delete takes results all the same.
        let (mut deletions, mut stopping) = (Tries::new(), false);
        loop {
            if !stopping && stop.is_cancelled() {
                (deletions, stopping) = (Tries::new(), true);
            }
            if stopping && queue.is_empty() && leftovers.next(true).is_none() {
                return;
            }
            tokio::select! {
                biased;
                () = queue.filled() => {}
                () = async { deletions.due().await; leftovers.wanted(stopping).await } => {}
                () = stop.cancelled(), if !stopping => continue,
            }
            let _ = stop.run_until_cancelled(tokio::time::sleep(interval)).await;
            self.empty(stop, &mut deletions).await;
        }
    }

    /// Pushes until nothing waits. Between pushes it deletes what is to be deleted, one at a time, and until nothing is.
    async fn empty(&self, stop: &CancellationToken, deletions: &mut Tries) {
        let (mut pushes, mut hurried) = (Tries::new(), stop.is_cancelled());
        loop {
            let batch = self.gateway().batch();
            if !batch.is_empty()
                && let Err(error) = self.push(batch).await
            {
                self.events.failed(self.gateway().name(), &error);
                pushes.failed();
                // A stop leaves less time than the longest wait, so it cuts one short.
                if hurried {
                    pushes.due().await;
                } else if stop.run_until_cancelled(pushes.due()).await.is_none() {
                    (pushes, hurried) = (Tries::new(), true);
                }
                continue;
            }
            pushes = Tries::new();
            let more = self.tidy(stop.is_cancelled(), deletions).await;
            if !more && self.gateway().queue().is_empty() {
                return;
            }
        }
    }

    /// Pushes a batch. One that is refused is pushed in halves, until what is at fault is alone, and dropped.
    async fn push(&self, batch: Vec<Entry>) -> Result<(), String> {
        let gateway = self.gateway();
        let mut work = vec![batch];
        while let Some(mut batch) = work.pop() {
            match post::push(gateway, &batch).await {
                Ok(()) => {
                    self.events.pushed(gateway.name(), &batch);
                    self.done(&batch);
                }
                Err(PostError::Refused { .. }) if batch.len() > 1 => {
                    let half = batch.split_off(batch.len() / 2);
                    work.extend([half, batch]);
                }
                Err(refused @ PostError::Refused { .. }) => {
                    self.events.refused(gateway.name(), &batch[0].key, &refused.to_string());
                    self.done(&batch);
                }
                Err(PostError::Failed(error) | PostError::Denied(error)) => return Err(error),
            }
        }
        Ok(())
    }

    /// Does the next thing for what is defined no more, if it is due; whether there was one. What the gateway does not do is told and left.
    async fn tidy(&self, stopping: bool, tries: &mut Tries) -> bool {
        let gateway = self.gateway();
        let task = tries.is_due().then(|| gateway.leftovers().next(stopping)).flatten();
        let Some(task) = task else { return false };
        match self.perform(&task).await {
            Ok(()) => self.events.tidied(gateway.name()),
            Err(PostError::Failed(error)) => {
                self.events.not_tidied(gateway.name(), &error);
                tries.failed();
                return false;
            }
            Err(left) => self.events.left_behind(gateway.name(), &left.to_string()),
        }
        *tries = Tries::new();
        gateway.leftovers().done(&task);
        true
    }

    async fn perform(&self, task: &Task) -> Result<(), PostError> {
        let gateway = self.gateway();
        match task {
            Task::Ask => gateway.leftovers().add(self.defined.outdated(post::listed(gateway).await?)),
            Task::Delete(key) => {
                post::delete(gateway, &gateway.check_url(key)).await?;
                gateway.forgets(key);
                self.events.forgotten(gateway.name(), &key.check);
            }
        }
        Ok(())
    }

    /// These wait no more, unless there are newer ones.
    fn done(&self, batch: &[Entry]) {
        for entry in batch {
            if self.gateway().queue().remove(entry)
                && let Some(marker) = &self.marker
            {
                marker.mark(self.index, entry.key.clone());
            }
        }
        self.events.waits(self.gateway());
    }

    fn gateway(&self) -> &Gateway {
        &self.gateways[self.index]
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use axum::Router;
    use axum::http::{Method, Request, StatusCode};
    use check_result::CheckKey;
    use clap::Parser as _;
    use prometheus_client::registry::Registry;
    use tokio::net::TcpListener;
    use tokio::sync::mpsc::{self, UnboundedReceiver};

    use super::*;
    use crate::push::flags::{Flags, PushFlags};
    use crate::push::group::Group;

    type Answer = Box<dyn Fn(&Method) -> (StatusCode, &'static str) + Send + Sync>;

    /// A gateway of which only the answers matter, and what empties its queue.
    struct Fake {
        gateways: Arc<[Gateway]>,
        asked: UnboundedReceiver<String>,
        registry: Registry,
        events: Events,
    }

    fn key(check: &str) -> CheckKey {
        CheckKey { check: check.to_owned(), source: None }
    }

    impl Fake {
        #[expect(clippy::disallowed_methods, reason = "a fake on loopback needs no time limits")]
        async fn start(answer: impl Fn(&Method) -> (StatusCode, &'static str) + Send + Sync + 'static) -> Self {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let line = format!("--push.gateway=http://{}", listener.local_addr().unwrap());
            let (tell, asked) = mpsc::unbounded_channel();
            let answer: Arc<Answer> = Arc::new(Box::new(answer));
            let router = Router::new().fallback(move |request: Request<axum::body::Body>| {
                let (tell, answer) = (tell.clone(), Arc::clone(&answer));
                async move {
                    let query = request.uri().query().unwrap_or_default();
                    let given = answer(request.method());
                    tell.send(format!("{} {query}", request.method()).trim_end().to_owned()).unwrap();
                    given
                }
            });
            tokio::spawn(async move { axum::serve(listener, router).await });
            let flags: PushFlags = Flags::try_parse_from(["a".to_owned(), line]).unwrap().push;
            let (mut registry, group) = (Registry::default(), Group::new("j", "i", &[]));
            let events = Events::new(&mut registry);
            let gateways = flags.gateways().unwrap();
            let gateways = gateways.iter().map(|gateway| Gateway::new(gateway, &group, &flags, &events).unwrap());
            Self { gateways: gateways.collect(), asked, registry, events }
        }

        /// Empties its queue.
        fn send(&self, stop: &CancellationToken) -> tokio::task::JoinHandle<()> {
            let defined = Arc::new(Defined::new("web-1", Default::default()));
            let (gateways, events) = (Arc::clone(&self.gateways), self.events.clone());
            let sender = Sender { gateways, index: 0, marker: None, events, defined };
            tokio::spawn(sender.run(Duration::ZERO, stop.clone(), CancellationToken::new()))
        }

        fn result(&self, check: &str) {
            drop(self.gateways[0].queue().push(key(check), "{}".into()));
        }

        /// The next request.
        async fn asked(&mut self) -> String {
            tokio::time::timeout(Duration::from_secs(30), self.asked.recv()).await.expect("a request").unwrap()
        }

        fn counted(&self, series: &str) -> bool {
            let (mut text, name) = (String::new(), self.gateways[0].name());
            prometheus_client::encoding::text::encode(&mut text, &self.registry).unwrap();
            let series = series.replacen('{', &format!("{{gateway=\"{name}\""), 1);
            text.lines().any(|line| line.strip_prefix("pushgateway_agent_") == Some(&series))
        }
    }

    #[tokio::test]
    async fn what_is_defined_no_more_goes_though_there_are_always_results() {
        let gateways: Arc<Mutex<Option<Arc<[Gateway]>>>> = Arc::default();
        let busy = Arc::clone(&gateways);
        let fake = Fake::start(move |method| {
            if method == Method::POST
                && let Some(gateways) = &*busy.lock().unwrap()
            {
                gateways[0].queue().push(key("load"), "{}".into());
            }
            (StatusCode::OK, "[]")
        });
        let fake = &mut fake.await;
        *gateways.lock().unwrap() = Some(Arc::clone(&fake.gateways));
        fake.gateways[0].leftovers().add([key("disk"), key("swap")]);
        fake.result("load");
        let stop = CancellationToken::new();
        let sender = fake.send(&stop);
        for want in ["POST", "GET", "POST", "DELETE check=disk", "POST", "DELETE check=swap", "POST"] {
            assert_eq!(fake.asked().await, want);
        }
        *gateways.lock().unwrap() = None;
        stop.cancel();
        sender.await.unwrap();
        assert!(fake.counted("checks_deleted_total{} 2") && fake.gateways[0].queue().is_empty());
    }

    #[tokio::test]
    async fn results_are_pushed_though_nothing_can_be_asked_or_deleted() {
        let away = Arc::new(Mutex::new(true));
        let answers = Arc::clone(&away);
        let fake = Fake::start(move |method| match method == Method::POST || !*answers.lock().unwrap() {
            true => (StatusCode::OK, "[]"),
            false => (StatusCode::INTERNAL_SERVER_ERROR, "no"),
        });
        let fake = &mut fake.await;
        fake.gateways[0].leftovers().add([key("disk")]);
        let stop = CancellationToken::new();
        let sender = fake.send(&stop);
        assert_eq!(fake.asked().await, "GET");
        fake.result("load");
        while fake.asked().await != "POST" {}
        *away.lock().unwrap() = false;
        while fake.asked().await != "DELETE check=disk" {}
        stop.cancel();
        sender.await.unwrap();
        assert!(fake.counted("pushes_total{,outcome=\"failed\"} 0") && fake.counted("pushes_total{,outcome=\"ok\"} 1"));
        assert!(fake.counted("checks_deleted_total{} 1") && !fake.counted("check_deletion_failures_total{} 0"));
    }

    #[tokio::test]
    async fn why_results_stay_at_a_stop_is_told() {
        let fake = Fake::start(|_| (StatusCode::FORBIDDEN, "not you")).await;
        let told = delete(&fake.gateways[0], std::future::pending()).await;
        assert_eq!(told, Err("answered 403 Forbidden not you".to_owned()));

        let mut fake = Fake::start(|_| (StatusCode::INSUFFICIENT_STORAGE, "disk full")).await;
        let (gateways, asked) = (Arc::clone(&fake.gateways), &mut fake.asked);
        // The first try has failed when the second begins.
        let over = async {
            for _ in 0..2 {
                asked.recv().await.unwrap();
            }
        };
        let told = delete(&gateways[0], over).await;
        assert_eq!(told, Err("answered 507 Insufficient Storage disk full".to_owned()));
        assert_eq!(delete(&gateways[0], async {}).await, Err("there was no time for it".to_owned()));
    }
}
