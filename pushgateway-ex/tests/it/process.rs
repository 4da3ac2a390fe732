//! What only a process shows: that it is killed, and that it is refused room.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::world::{answer, client};

/// A gateway in a process of its own, killed when it goes.
pub(crate) struct Process {
    child: Child,
    pub(crate) base: String,
}

impl Process {
    /// Runs it under `shell`, such as `ulimit -f 100;`.
    fn start(file: &Path, shell: &str) -> Self {
        Self::run(&format!("--persistence.file={}", file.display()), shell)
    }

    /// Runs it with one more flag.
    pub(crate) fn run(flag: &str, shell: &str) -> Self {
        Self::with(&[flag], shell)
    }

    pub(crate) fn with(flags: &[&str], shell: &str) -> Self {
        let program = env!("CARGO_BIN_EXE_pushgateway-ex");
        let script = format!("{shell} exec {program} --web.listen-address=127.0.0.1:0 \"$@\"");
        let mut child =
            Command::new("sh").args(["-c", &script, "sh"]).args(flags).stderr(Stdio::piped()).spawn().unwrap();
        let mut log = BufReader::new(child.stderr.take().unwrap()).lines();
        let line = log.by_ref().map(Result::unwrap).find(|line| line.contains("Listening on")).unwrap();
        let base = format!("http://{}", line.split("address=").nth(1).unwrap().split(' ').next().unwrap());
        // Who does not read holds up who writes.
        std::thread::spawn(move || log.for_each(drop));
        Self { child, base }
    }

    pub(crate) async fn delete(&self, path: &str) -> u16 {
        client().delete(format!("{}{path}", self.base)).send().await.unwrap().status().as_u16()
    }

    /// Ends it as an operator does.
    pub(crate) fn stopped(mut self) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
        self.child.wait().unwrap();
    }

    pub(crate) async fn put(&self, path: &str, body: String) -> Option<u16> {
        let sent = client().put(format!("{}{path}", self.base)).body(body).send().await;
        Some(sent.ok()?.status().as_u16())
    }

    async fn page(&self) -> String {
        answer(client().get(format!("{}/metrics", self.base)).send().await.unwrap()).await.1
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_survives_every_kill() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("store");
    let (client, mut acknowledged) = (client(), BTreeMap::new());
    for round in 0..=5 {
        let process = Process::start(&file, "");
        let page = process.page().await;
        for (group, value) in &acknowledged {
            // The next push to the group, on its way when the process was killed, may have been taken.
            let line = |value: u64| format!("m{{group=\"{group}\",instance=\"\",job=\"a\"}} {value}\n");
            assert!(page.contains(&line(*value)) || page.contains(&line(*value + 10)), "{group} {value}: {page}");
        }
        if round == 5 {
            break;
        }
        let mut pushing = tokio::task::JoinSet::new();
        let process = std::sync::Arc::new(std::sync::Mutex::new(Some(process)));
        let base = process.lock().unwrap().as_ref().unwrap().base.clone();
        for writer in 0..4_u64 {
            let (base, process, client) = (base.clone(), std::sync::Arc::clone(&process), client.clone());
            pushing.spawn(async move {
                let mut told = Vec::new();
                for push in 0..1000_u64 {
                    let (group, value) = (format!("{writer}-{}", push % 10), round * 10_000 + push);
                    let url = format!("{base}/metrics/job/a/group/{group}");
                    match client.put(url).body(format!("m {value}\n")).send().await {
                        Ok(response) if response.status() == 200 => told.push((group, value)),
                        _ => break,
                    }
                    // In the middle of everybody's pushes.
                    if writer == 0 && push == 20 + round {
                        drop(process.lock().unwrap().take());
                    }
                }
                told
            });
        }
        while let Some(told) = pushing.join_next().await {
            acknowledged.extend(told.unwrap());
        }
    }
    assert!(acknowledged.len() >= 30, "{}", acknowledged.len());
}

#[tokio::test]
async fn without_room_a_push_is_refused_whole_and_everything_else_works() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("store");
    let process = Process::start(&file, "trap '' XFSZ; ulimit -f 6000;");
    let body = |number: u64| format!("m{{x=\"{}\"}} {number}\n", "x".repeat(60_000));
    let mut taken = 0;
    let refused = loop {
        match process.put(&format!("/metrics/job/a/number/{taken}"), body(taken)).await.unwrap() {
            200 => taken += 1,
            status => break status,
        }
        assert!(taken < 1000);
    };
    assert_eq!(refused, 507);
    let count = |page: &str| page.lines().filter(|line| line.starts_with("m{")).count() as u64;
    let page = process.page().await;
    assert_eq!(count(&page), taken);
    assert!(page.contains("pushgateway_pushes_refused_total{reason=\"storage\"} 1"));
    assert_eq!(process.put("/metrics/job/a/number/0", "m 0\n".to_owned()).await, Some(200), "what fits is taken again");
    drop(process);
    let process = Process::start(&file, "");
    assert_eq!(count(&process.page().await), taken);
}
