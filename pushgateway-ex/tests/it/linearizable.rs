//! Concurrent pushes, deletions and reads of one group are as if they came one after the other, whatever they are.

mod search;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::http::Method;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value, json};
use tokio::runtime::Runtime;
use tokio::task::JoinSet;

use self::search::{CHECKS, Call, FAMILIES, Returned, Told, is_explained};
use crate::shared::redis::Redis;
use crate::world::Gateway;

/// Orders what happens; its numbers are what is pushed, too.
static CLOCK: AtomicU64 = AtomicU64::new(1);

/// A client's view of a group.
struct Client {
    gateway: Arc<Gateway>,
    job: String,
}

fn now() -> u64 {
    CLOCK.fetch_add(1, Ordering::SeqCst)
}

fn call() -> impl Strategy<Value = Call> {
    let push = || (prop::sample::select(vec![[true, false], [false, true], [true, true]]), any::<bool>());
    prop_oneof![
        4 => push().prop_map(|(named, replace)| Call::Push { named, replace }),
        4 => push().prop_map(|(named, replace)| Call::Results { named, replace }),
        1 => Just(Call::Delete),
        1 => Just(Call::DeleteResults),
        1 => (0_usize..2).prop_map(Call::Forget),
        4 => Just(Call::Page),
        2 => (0_usize..2).prop_map(Call::Detail),
    ]
}

/// What each client does, one call after the other.
fn plans() -> impl Strategy<Value = Vec<Vec<Call>>> {
    prop::collection::vec(prop::collection::vec(call(), 1..7), 2..5)
}

// === impl Client ===

impl Client {
    async fn make(&self, call: Call) -> Returned {
        let made = now();
        let number = u32::try_from(made).unwrap();
        let told = self.told(&call, number).await;
        Returned { call, number, made, returned: now(), told }
    }

    async fn told(&self, call: &Call, number: u32) -> Told {
        let (metrics, checks) = (format!("/metrics/job/{}", self.job), format!("/checks/job/{}", self.job));
        let method = |replace: bool| if replace { Method::PUT } else { Method::POST };
        let chosen = |names: [&'static str; 2], named: [bool; 2]| {
            names.into_iter().zip(named).filter_map(|(name, named)| named.then_some(name))
        };
        match *call {
            Call::Push { named, replace } => {
                let body: String = chosen(FAMILIES, named).map(|name| format!("{name} {number}\n")).collect();
                self.done(method(replace), &metrics, body, 200).await
            }
            Call::Results { named, replace } => {
                let result = |name| json!({"name": name, "output": number.to_string(), "status": 2});
                let body: Value = chosen(CHECKS, named).map(result).collect();
                self.done(method(replace), &checks, body.to_string(), 200).await
            }
            Call::Delete => self.done(Method::DELETE, &metrics, String::new(), 202).await,
            Call::DeleteResults => self.done(Method::DELETE, &checks, String::new(), 202).await,
            Call::Forget(check) => {
                let one = format!("{checks}?check={}", CHECKS[check]);
                self.done(Method::DELETE, &one, String::new(), 202).await
            }
            Call::Page => self.page().await,
            Call::Detail(check) => self.detail(CHECKS[check]).await,
        }
    }

    async fn done(&self, method: Method, path: &str, body: String, status: u16) -> Told {
        let answer = self.gateway.send(method, path, body).await;
        assert_eq!(answer, (status, String::new()), "{path}");
        Told::Made
    }

    async fn page(&self) -> Told {
        let page = self.gateway.pushed().await;
        let value = |name: &str, label: &str| {
            let job = format!("job=\"{}\"", self.job);
            let is_it = |line: &&String| line.starts_with(name) && line.contains(&job) && line.contains(label);
            page.iter().find(is_it).and_then(|line| line.rsplit(' ').next()).map(|value| value.parse().unwrap())
        };
        let occurrences = |check| value("checkscript_occurrences{", &format!("check=\"{check}\""));
        Told::Page(FAMILIES.map(|name| value(&format!("{name}{{"), "")), CHECKS.map(occurrences))
    }

    async fn detail(&self, check: &str) -> Told {
        let path = format!("/api/v1/checks/{check}?job={}", self.job);
        let detail: Value = serde_json::from_str(&self.gateway.get(&path).await).unwrap();
        let output = detail["check"]["output"].as_str().map(|output| output.parse().unwrap());
        let occurrences = detail["occurrences"].as_u64().map(|count| u32::try_from(count).unwrap());
        Told::Detail(output.zip(occurrences))
    }
}

/// What clients are told who carry out the plans at the same time, in a group of their own, each at one of the gateways; and what the
/// group is in the end.
async fn history(gateways: &[Arc<Gateway>], plans: Vec<Vec<Call>>) -> Vec<Returned> {
    let job = format!("job-{}", now());
    let client = |index: usize| {
        let gateway = Arc::clone(&gateways[index % gateways.len()]);
        Client { gateway, job: job.clone() }
    };
    let mut clients = JoinSet::new();
    for (index, plan) in plans.into_iter().enumerate() {
        let client = client(index);
        clients.spawn(async move {
            let mut returned = Vec::with_capacity(plan.len());
            for call in plan {
                returned.push(client.make(call).await);
            }
            returned
        });
    }
    let mut history = clients.join_all().await.concat();
    for call in [Call::Page, Call::Detail(0), Call::Detail(1), Call::Delete, Call::DeleteResults] {
        history.push(client(0).make(call).await);
    }
    history
}

fn hold(runtime: &Runtime, gateways: &[Arc<Gateway>], cases: u32) {
    // Another run of the same plans may go well: what failed is not worth keeping, and what is left is found in a few tries.
    let config = Config { cases, max_shrink_iters: 50, failure_persistence: None, ..Config::default() };
    let held = TestRunner::new(config).run(&plans(), |plans| {
        let history = runtime.block_on(history(gateways, plans));
        prop_assert!(is_explained(&history), "{:#?}", history);
        Ok(())
    });
    held.unwrap_or_else(|error| panic!("{error}"));
}

#[test]
fn what_clients_of_a_group_are_told_fits_one_order_of_their_calls() {
    let runtime = Runtime::new().unwrap();
    let gateways = runtime.block_on(async { [Arc::new(Gateway::start(&[]))] });
    hold(&runtime, &gateways, 40);
}

#[test]
fn so_it_is_at_two_replicas_of_a_shared_store() {
    let (runtime, redis) = (Runtime::new().unwrap(), Redis::start(&[]));
    let gateways = runtime.block_on(async { [0; 2].map(|_| Arc::new(Gateway::start(&[&redis.flag()]))) });
    hold(&runtime, &gateways, 12);
}
