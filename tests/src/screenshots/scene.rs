//! What the clusters of the pictures have: checks that have run for hours, some of which fail, and silences.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use e2e::{Member, Pair, World, get_json, post_json, until};
use serde_json::{Value, json};

/// The nodes of the clusters.
pub(super) const TOKYO: [&str; 6] = ["web-1", "web-2", "db-1", "db-2", "mail-1", "batch-1"];
pub(super) const OSAKA: [&str; 4] = ["web-1", "web-2", "db-1", "cache-1"];

/// How long it may take until web-ui shows all of it.
const PATIENCE: Duration = Duration::from_secs(90);

/// Between two runs of a check, seconds.
const INTERVAL: u64 = 300;

/// Runs that are in the log.
const RUNS: u64 = 14;

/// What every node runs: name, command, and what it says when all is well.
const CHECKS: [(&str, &str, &str); 9] = [
    ("check_disk", "check-disk.sh -w 85 -c 95", "CheckDisk OK: 3 filesystems, the fullest is / with 41%"),
    ("check_memory", "check-memory-vmstat.sh -w 10 -c 5", "CheckMemory OK: 61% available, no paging"),
    ("check_load", "check-load.rb -w 4,3,2 -c 8,6,4", "CheckLoad OK: 0.31, 0.28, 0.22"),
    ("check_ntp", "check-ntp.rb -w 10 -c 100", "CheckNTP OK: offset 0.4 ms"),
    ("check_sshd", "check-process.sh -p '^(/usr/sbin/)?sshd' -c 1", "CheckProcess OK: 3 processes match"),
    ("check_crond", "check-process.sh -f /run/crond.pid", "CheckProcess OK: 1 process matches"),
    ("check_cert", "check-ssl-cert.rb -h localhost -w 30 -c 7", "CheckSSLCert OK: 83 days left"),
    ("check_http", "check-http.rb -u http://localhost/health -t 5", "CheckHttp OK: 200, 1,204 bytes in 0.02 s"),
    ("check_backup", "check-backup.sh /backup", "CheckBackup OK: the newest is 5 h old, 18.2 GiB"),
];

/// What fails: the cluster, its node, the check, for how many runs, status and output.
const FAILURES: [(Where, usize, &str, u64, u8, &str); 9] = [
    (
        Where::Tokyo,
        2,
        "check_disk",
        4,
        2,
        "CheckDisk CRITICAL: /var/lib/postgresql is 97% full\nFilesystem      Size  Used Avail Use% Mounted on\n\
         /dev/nvme1n1    500G  484G   16G  97% /var/lib/postgresql\n/dev/nvme0n1p2   50G   20G   30G  41% /\n\
         /dev/nvme0n1p3   20G  3.1G   17G  16% /var/log",
    ),
    (Where::Tokyo, 0, "check_http", 2, 2, "CheckHttp CRITICAL: no answer from http://localhost/health within 5 s"),
    (Where::Tokyo, 1, "check_http", 2, 2, "CheckHttp CRITICAL: no answer from http://localhost/health within 5 s"),
    (Where::Tokyo, 2, "check_load", 3, 1, "CheckLoad WARNING: 5.12, 3.40, 1.87"),
    (Where::Tokyo, 4, "check_cert", 9, 1, "CheckSSLCert WARNING: mail.example.com expires in 21 days (2026-12-12)"),
    (Where::Tokyo, 5, "check_backup", 6, 3, "CheckBackup UNKNOWN: /backup is not mounted"),
    (Where::Osaka, 2, "check_backup", 5, 2, "CheckBackup CRITICAL: バックアップがありません (最新: 3 日前)"),
    (Where::Osaka, 3, "check_memory", 1, 1, "CheckMemory WARNING: 8% available, 1,204 pages a second are swapped in"),
    (Where::Osaka, 0, "check_ntp", 7, 1, "CheckNTP WARNING: offset 18.6 ms"),
];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Where {
    Tokyo,
    Osaka,
}

/// The pages of which there are pictures: name and address.
pub(super) fn pages(world: &World) -> Vec<(&'static str, String)> {
    let node = format!("/nodes/tokyo/checkscript/{}?check=check_disk", world.tokyo.instance(2));
    let form = "/silences/new?filter=check%3D%22check_http%22&cluster=tokyo,osaka";
    let lists = [
        ("alerts", "/"),
        ("alerts-grouped", "/?group=check"),
        ("nothing", "/?find=nowhere"),
        ("nodes", "/nodes"),
        ("checks", "/checks"),
        ("check", "/checks/check_backup"),
        ("silences", "/silences"),
        ("silence-form", form),
    ];
    lists.into_iter().map(|(name, path)| (name, path.to_owned())).chain([("node", node)]).collect()
}

/// Logs the results, makes the silences, and waits until web-ui shows them.
pub(super) async fn play(world: &World) -> anyhow::Result<()> {
    for (cluster, pair, nodes) in [(Where::Tokyo, &world.tokyo, TOKYO.len()), (Where::Osaka, &world.osaka, OSAKA.len())]
    {
        for node in 0..nodes {
            pair.log_results(node, results(cluster, node)?).await?;
        }
    }
    silence(&world.tokyo, &[("check", "check_cert")], "Renewal is ordered, CHG-4711", "hanako", 2 * 86_400).await?;
    silence(&world.osaka, &[("check", "check_ntp"), ("env", "production")], "時刻サーバの交換作業", "taro", 4 * 3600)
        .await?;
    until("web-ui to show all of it", PATIENCE, || async {
        let told = get_json(&world.page("/api/v1/alerts?find=Check&limit=100")).await?;
        let rows = told["rows"].as_array().map_or(&[][..], Vec::as_slice);
        let known = FAILURES.iter().filter(|failure| {
            let line = failure.5.lines().next().unwrap_or_default();
            rows.iter().any(|row| row["output"] == line)
        });
        let known = known.count();
        anyhow::ensure!(known == FAILURES.len(), "of {} it shows {known}", FAILURES.len());
        Ok(())
    })
    .await
}

/// The log of a node, the oldest first.
fn results(cluster: Where, node: usize) -> anyhow::Result<Vec<Value>> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
    let runs = (0..RUNS).rev().flat_map(|ago| CHECKS.iter().map(move |check| (ago, check)));
    let result = |(ago, (name, command, fine)): (u64, &(&str, &str, &str))| {
        let failure = FAILURES.iter().find(|failure| (failure.0, failure.1, failure.2) == (cluster, node, *name));
        let (status, output) =
            failure.filter(|failure| ago < failure.3).map_or((0, *fine), |failure| (failure.4, failure.5));
        let at = now - ago * INTERVAL - 20;
        json!({
            "command": command, "interval": INTERVAL, "name": name, "issued": at, "executed": at, "duration": 0.118,
            "output": format!("{output}\n"), "status": status, "handlers": ["mailer", "slack"],
        })
    };
    Ok(runs.map(result).collect())
}

async fn silence(pair: &Pair, matchers: &[(&str, &str)], why: &str, who: &str, seconds: u64) -> anyhow::Result<()> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
    let matchers: Vec<_> = matchers
        .iter()
        .map(|(name, value)| json!({"name": name, "value": value, "isRegex": false, "isEqual": true}))
        .collect();
    let at = |seconds: u64| -> anyhow::Result<String> {
        Ok(jiff::Timestamp::from_second(i64::try_from(seconds)?)?.to_string())
    };
    let silence = json!({"matchers": matchers, "startsAt": at(now)?, "endsAt": at(now + seconds)?, "comment": why, "createdBy": who});
    post_json(&format!("{}/api/v2/silences", pair.url(Member::Alertmanager(0))), &silence).await.map(drop)
}
