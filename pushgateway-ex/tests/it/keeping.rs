//! The file: when it is durable, what is taken for one, and its copies.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use pushgateway_ex::store::{Store, Sync, copy_of};

use crate::process::Process;
use crate::world::{Gateway, app, until};

fn flag(path: &Path) -> String {
    format!("--persistence.file={}", path.display())
}

/// What would be there after a kill, now. A file that is written to at the same time may not be read.
fn durable(path: &Path) -> Option<usize> {
    let now = path.with_extension("now");
    std::fs::copy(path, &now).unwrap();
    Some(Store::open(&now, Sync::Always).ok()?.1.len())
}

/// Makes a store of one group.
async fn made(path: &Path) {
    let gateway = Gateway::start(&[&flag(path)]);
    assert_eq!(gateway.put("/metrics/job/a", "m 1\n").await.0, 200);
    gateway.stopped().await;
}

#[tokio::test]
async fn the_last_pushes_are_durable_after_the_interval_without_another_one() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    let flags = [&*flag(&path), "--storage.sync=interval", "--persistence.interval=1s"];
    let process = Process::with(&flags, "");
    for number in 0..3 {
        let path = format!("/metrics/job/a/number/{number}");
        assert_eq!(process.put(&path, "m 1\n".to_owned()).await, Some(200));
    }
    until(async || durable(&path) == Some(3)).await;
    drop(process);
    let gateway = Gateway::start(&[&flag(&path)]);
    assert_eq!(gateway.pushed().await.len(), 3);
    gateway.stopped().await;
}

#[tokio::test]
async fn a_push_without_room_takes_nothing_with_it_that_was_answered_before() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    let flags = [&*flag(&path), "--storage.sync=interval", "--persistence.interval=1h"];
    let process = Process::with(&flags, "trap '' XFSZ; ulimit -f 6000;");
    let body = |number: usize| format!("m{{x=\"{}\"}} {number}\n", "x".repeat(60_000));
    let mut taken = 0;
    while process.put(&format!("/metrics/job/a/number/{taken}"), body(taken)).await.unwrap() == 200 {
        taken += 1;
        assert!(taken < 1000);
    }
    assert!(taken > 3, "{taken}");
    assert_eq!(process.delete("/metrics/job/a/number/0").await, 202);
    process.stopped();
    let gateway = Gateway::start(&[&flag(&path)]);
    assert_eq!(gateway.pushed().await.len(), taken - 1);
    gateway.stopped().await;
}

#[tokio::test]
async fn a_store_that_has_lost_everything_is_refused_while_there_is_a_copy() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    made(&path).await;
    let copy = copy_of(&path);
    std::fs::copy(&path, &copy).unwrap();
    let (path_shown, copy_shown) = (path.display(), copy.display());
    let refused = || app(&[&flag(&path)]).map(drop).unwrap_err().to_string();

    std::fs::write(&path, "").unwrap();
    let told = refused();
    assert!(told.contains("is damaged (it is empty)"), "{told}");
    for way in [
        format!("mv {copy_shown} {path_shown})"),
        format!("(mv {path_shown} {path_shown}.damaged && mv {copy_shown} {copy_shown}.old)"),
    ] {
        assert!(told.contains(&way), "{told}");
    }
    std::fs::remove_file(&path).unwrap();
    let told = refused();
    assert!(told.contains("it is gone, but not its copy"), "{told}");
    assert!(told.contains(&format!("start without what it had (mv {copy_shown} {copy_shown}.old)")), "{told}");
    assert!(!path.exists(), "nothing was changed");

    std::fs::rename(&copy, &path).unwrap();
    let gateway = Gateway::start(&[&flag(&path)]);
    assert_eq!(gateway.pushed().await, [r#"m{instance="",job="a"} 1"#]);
    gateway.stopped().await;
}

#[tokio::test]
async fn a_byte_that_was_changed_is_told_or_means_nothing() {
    const PAGE: usize = 4096;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    made(&path).await;
    let whole = std::fs::read(&path).unwrap();
    let _ = std::fs::remove_file(copy_of(&path));
    // What a page is stands in its first byte.
    for at in (0..8).map(|page| page * PAGE) {
        let mut changed = whole.clone();
        changed[at] ^= 0x10;
        std::fs::write(&path, changed).unwrap();
        match Store::open(&path, Sync::Always) {
            Ok((_, groups)) => assert_eq!(groups.len(), 1, "byte {at}"),
            Err(error) => assert!(error.to_string().contains("Nothing was changed"), "byte {at}: {error}"),
        }
    }
}

#[tokio::test]
async fn a_file_is_called_what_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    made(&path).await;
    let whole = std::fs::read(&path).unwrap();
    let _ = std::fs::remove_file(copy_of(&path));
    let refused = |bytes: &[u8]| {
        std::fs::write(&path, bytes).unwrap();
        app(&[&flag(&path)]).map(drop).unwrap_err().to_string()
    };
    for length in [5, 100, 4096, whole.len() / 2] {
        let told = refused(&whole[..length]);
        assert!(told.contains("is damaged (") && told.contains("There is no copy of it"), "{length}: {told}");
        assert!(!told.contains(".copy"), "{told}");
    }
    // As a Pushgateway's file begins.
    let told = refused(b"\x0d\x7f\x04\x01\x02\xff\x80\x00\x01\x0c\x01\xff\x82\x00\x00\x1d");
    assert!(told.contains("is not a store of pushgateway-ex. Nothing was changed"), "{told}");
    assert!(!told.contains("damaged") && told.contains("--persistence.file"), "{told}");

    // A file that an operator made for it is a new store.
    std::fs::write(&path, "").unwrap();
    let gateway = Gateway::start(&[&flag(&path)]);
    gateway.stopped().await;
}

#[tokio::test]
async fn a_copy_is_made_soon_after_a_start_and_a_failed_one_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    made(&path).await;
    let copy = copy_of(&path);
    let _ = std::fs::remove_file(&copy);
    let in_the_way = folder.path().join("store.copy.unfinished");
    std::fs::create_dir(&in_the_way).unwrap();
    let gateway = Gateway::start(&[&flag(&path), "--persistence.interval=1s"]);
    let metric = async |name: &str| {
        let page = gateway.get("/metrics").await;
        let line = page.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')).unwrap();
        line.parse::<f64>().unwrap()
    };
    until(async || metric("pushgateway_store_copy_failures_total").await >= 1.0).await;
    assert_eq!(metric("pushgateway_store_copy_timestamp_seconds").await, 0.0);
    std::fs::remove_dir(&in_the_way).unwrap();
    until(async || metric("pushgateway_store_copy_timestamp_seconds").await > 1.7e9).await;
    assert_eq!(Store::open(&copy, Sync::Always).unwrap().1.len(), 1, "nothing was pushed since");
    gateway.stopped().await;
    for file in [&path, &copy] {
        assert_eq!(std::fs::metadata(file).unwrap().permissions().mode() & 0o777, 0o600, "{}", file.display());
    }
}
