//! The whole stack with the real Prometheus, Alertmanager and logrotate, and parts of it under a clock that is set. Needs `make tools` (Debian's packages, unpacked into
//! `target/tools`) and built binaries; `make test` sees to both.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod browser;
mod clock;
mod failing_check;
mod following;
mod notifications;
mod pair;
mod pushing;
mod restarts;
mod rotation;
mod scraping;
mod silences;
mod tls;
mod transparency;
mod web_ui;

use std::time::Duration;

use e2e::sinks::Mail;
use e2e::{Ports, Stack};
use tempfile::TempDir;

/// How long anything may take. Usually it takes a few seconds; the machine may be busy.
const PATIENCE: Duration = Duration::from_secs(60);

/// A stack with its data in a folder that goes with it.
async fn stack() -> (Stack, TempDir) {
    let data = tempfile::tempdir().unwrap();
    let stack = Stack::start(data.path(), Ports::free().unwrap()).await.unwrap();
    (stack, data)
}

/// The first mail with this action in its subject and this text in its body.
async fn mail(stack: &Stack, action: &str, text: &str) -> Mail {
    let wanted = |mail: &Mail| mail.subject.starts_with(action) && mail.body.contains(text);
    stack.mails.first(&format!("an {action} mail with {text:?}"), PATIENCE, wanted).await.unwrap()
}
