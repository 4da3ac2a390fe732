//! What is in the file of the store, record by record.

use std::collections::BTreeMap;
use std::path::Path;

use axum::http::Method;
use redb::{Database, ReadableDatabase as _, ReadableTable as _, TableDefinition};
use serde_json::{Value, json};

use crate::world::Gateway;

const GROUPS: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("groups");
/// The group `{instance="i",job="j"}` as it was kept when a record had all checks of a group: `disk` and `load`, after two runs.
const WHOLE: &[u8] = include_bytes!("kept/whole.bin");

fn records(file: &Path) -> BTreeMap<Vec<u8>, Vec<u8>> {
    let database = Database::open(file).unwrap();
    let table = database.begin_read().unwrap().open_table(GROUPS).unwrap();
    let records = table.iter().unwrap().map(Result::unwrap);
    records.map(|(key, value)| (key.value().to_vec(), value.value().to_vec())).collect()
}

fn result(name: &str, run: i64) -> Value {
    json!({"name": name, "output": format!("run {run}"), "status": 1, "issued": 1_795_228_248 + run})
}

async fn occurrences(gateway: &Gateway, check: &str) -> Value {
    let detail = gateway.get(&format!("/api/v1/checks/{check}?instance=i")).await;
    serde_json::from_str::<Value>(&detail).unwrap_or_default()["occurrences"].take()
}

#[tokio::test]
async fn groups_that_were_kept_whole_are_read_and_kept_by_check() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    let key = b"\x0a\x0d\x0a\x08instance\x12\x01i\x0a\x08\x0a\x03job\x12\x01j\x28\x01";
    {
        let database = Database::create(&path).unwrap();
        let transaction = database.begin_write().unwrap();
        transaction.open_table(GROUPS).unwrap().insert(&key[..], WHOLE).unwrap();
        transaction.commit().unwrap();
    }
    let file = format!("--persistence.file={}", path.display());
    for (round, disk) in [(2, 2), (3, 3), (4, 4)] {
        let gateway = Gateway::start(&[&file]);
        assert_eq!(occurrences(&gateway, "disk").await, disk);
        assert_eq!(occurrences(&gateway, "load").await, 2);
        let push = result("disk", round).to_string();
        assert_eq!(gateway.send(Method::POST, "/checks/job/j/instance/i", push).await.0, 200);
        gateway.stopped().await;
        let lengths: Vec<_> = records(&path).into_iter().map(|(key, value)| (key.len(), value[0])).collect();
        assert_eq!(lengths, [(key.len(), 0x0a), (key.len() + 8, 0), (key.len() + 8, 0)]);
    }
}

#[tokio::test]
async fn a_push_writes_the_checks_that_it_names_and_what_goes_is_gone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    let file = format!("--persistence.file={}", path.display());
    // The second one is changed. The others are its neighbours in the file.
    let groups = ["/checks/job/j", "/checks/job/j/a/b", "/checks/job/j/a/b/c/d", "/metrics/job/j/a/b"];
    let change = async |method: Method, path: &str, body: String| {
        let gateway = Gateway::start(&[&file]);
        let status = gateway.send(method, path, body).await.0;
        gateway.stopped().await;
        assert!([200, 202].contains(&status), "{status}");
    };
    let checks = |run: i64| Value::from_iter(["disk", "load", "ntp"].map(|name| result(name, run))).to_string();
    for group in &groups[..3] {
        change(Method::PUT, group, checks(0)).await;
    }
    change(Method::PUT, groups[3], "m 1\n".to_owned()).await;
    let mut before = records(&path);
    assert_eq!(before.len(), 3 * 4 + 1);
    for (method, query, body, written, gone) in [
        (Method::POST, "", result("load", 1).to_string(), 2, 0),
        (Method::DELETE, "?check=disk", String::new(), 0, 1),
        (Method::PUT, "", result("load", 2).to_string(), 2, 1),
        (Method::PUT, "", checks(3), 4, 0),
        (Method::DELETE, "", String::new(), 0, 4),
    ] {
        change(method.clone(), &format!("{}{query}", groups[1]), body).await;
        let after = records(&path);
        let new = after.iter().filter(|(key, value)| before.get(*key) != Some(value)).count();
        let lost = before.keys().filter(|key| !after.contains_key(*key)).count();
        assert_eq!((new, lost), (written, gone), "{method} {query}");
        before = after;
    }
    assert_eq!(before.len(), 2 * 4 + 1);
}
