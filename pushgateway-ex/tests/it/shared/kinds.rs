//! The ways to a store: TLS, passwords, sentinels. [`slots`]: a cluster.

mod slots;

use std::collections::BTreeMap;

use axum::http::Method;
use rcgen::{CertificateParams, DnType, Issuer, KeyPair, SanType};

use super::redis::Redis;
use crate::world::Gateway;

async fn takes_pushes(gateway: &Gateway) {
    loop {
        let (status, words) = gateway.put("/metrics/job/a", "m 1\n").await;
        match status {
            200 => return,
            503 => tokio::task::yield_now().await,
            _ => panic!("{status} {words}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_with_tls_is_reached_by_who_trusts_its_authority() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new([]).unwrap();
    params.distinguished_name.push(DnType::CommonName, "authority");
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    std::fs::write(path("ca.pem"), params.self_signed(&key).unwrap().pem()).unwrap();
    let authority = Issuer::new(params, key);
    for name in ["server", "client"] {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new([]).unwrap();
        params.subject_alt_names.push(SanType::IpAddress([127, 0, 0, 1].into()));
        std::fs::write(path(&format!("{name}.pem")), params.signed_by(&key, &authority).unwrap().pem()).unwrap();
        std::fs::write(path(&format!("{name}.key")), key.serialize_pem()).unwrap();
    }
    let (server, server_key, ca) = (path("server.pem"), path("server.key"), path("ca.pem"));
    let tls = ["--tls-cert-file", &server, "--tls-key-file", &server_key, "--tls-ca-cert-file", &ca];
    // The plain port is another one than the one with TLS.
    let redis = Redis::start(&[&tls[..], &["--tls-auth-clients", "yes", "--tls-port", "0"]].concat());
    let port = redis.port - 11_000;
    let _: () = redis::cmd("CONFIG").arg("SET").arg("tls-port").arg(port).query(&mut redis.client()).unwrap();

    let store = format!("--storage=rediss://127.0.0.1:{port}");
    let trusts = format!("--storage.redis-ca-file={ca}");
    let shows = [
        format!("--storage.redis-cert-file={}", path("client.pem")),
        format!("--storage.redis-key-file={}", path("client.key")),
    ];
    let gateway = Gateway::start(&[&store, &trusts, &shows[0], &shows[1]]);
    takes_pushes(&gateway).await;
    gateway.stopped().await;
    for (flags, says) in [(vec![&store], "certificate"), (vec![&store, &trusts], "")] {
        let gateway = Gateway::start(&flags.iter().map(|flag| flag.as_str()).collect::<Vec<_>>());
        let (status, words) = gateway.send(Method::GET, "/-/ready", "").await;
        assert_eq!(status, 503, "{flags:?}");
        assert!(words.contains("not available") && words.contains(says), "{words}");
        gateway.stopped().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sentinels_tell_which_server_is_the_master_now() {
    let mut master = Redis::start(&["--repl-diskless-sync-delay", "0"]);
    let replica = Redis::start(&["--replicaof", "127.0.0.1", &master.port.to_string()]);
    replicated(&master);
    let sentinel = sentinel(&master, "");
    let flag = format!("--storage=redis+sentinel://127.0.0.1:1,127.0.0.1:{}/main", sentinel.port);
    let gateway = Gateway::start(&[&flag]);
    takes_pushes(&gateway).await;
    // What the replica does not have yet would be lost with the master.
    replicated(&master);
    known(&sentinel, &replica);
    master.kill();
    takes_pushes(&gateway).await;
    assert_eq!(gateway.pushed().await, [r#"m{instance="",job="a"} 1"#]);
    let page = gateway.get("/metrics").await;
    assert!(page.contains("{reason=\"lost\"} 0\n"), "{page}");
    let role: redis::Value = redis::cmd("ROLE").query(&mut replica.client()).unwrap();
    assert!(format!("{role:?}").contains("master"), "{role:?}");
    gateway.stopped().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sentinels_may_ask_for_a_password_of_their_own() {
    let master = Redis::start(&["--requirepass", "servers"]);
    let monitor = "sentinel auth-pass main servers\nrequirepass sentinels\n\
                   user asker on >askers -@all +sentinel|get-master-addr-by-name";
    let sentinel = sentinel(&master, monitor);
    let folder = tempfile::tempdir().unwrap();
    let file = |flag: &str, text: &str| {
        let path = folder.path().join(text);
        std::fs::write(&path, format!("{text}\n")).unwrap();
        format!("--storage.redis-{flag}file={}", path.display())
    };
    let flag = format!("--storage=redis+sentinel://127.0.0.1:{}/main", sentinel.port);
    let server = file("password-", "servers");
    let (default, asker) = (file("sentinel-password-", "sentinels"), file("sentinel-password-", "askers"));
    let user = "--storage.redis-sentinel-user=asker";
    for logins in [&[&*default][..], &[&*asker, user]] {
        let gateway = Gateway::start(&[&[&*flag, &server], logins].concat());
        takes_pushes(&gateway).await;
        gateway.stopped().await;
    }
    let none = file("password-", "nobodys");
    for (flags, says) in [
        (&[&*server][..], "the sentinel refuses"),
        (&[&*server, &asker], "the sentinel refuses"),
        (&[&*none, &default], "authentication failed"),
    ] {
        let gateway = Gateway::start(&[&[&*flag], flags].concat());
        let (status, words) = gateway.send(Method::GET, "/-/ready", "").await;
        assert_eq!(status, 503);
        assert!(words.contains(says), "{flags:?}: {words}");
        gateway.stopped().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_lets_nobody_in_or_knows_no_such_database_says_so() {
    let redis = Redis::start(&[]);
    let mut client = redis.client();
    for command in ["ACL SETUSER reader on >secret ~* -@all +@read", "CONFIG SET requirepass secret"] {
        let mut words = command.split(' ');
        let mut command = redis::cmd(words.next().unwrap());
        let _: () = command.arg(words.collect::<Vec<_>>()).query(&mut client).unwrap();
    }
    let host = format!("127.0.0.1:{}", redis.port);
    for (url, says) in [
        (format!("redis://{host}"), "NOAUTH"),
        (format!("redis://:wrong@{host}"), "authentication failed"),
        (format!("redis://nobody:secret@{host}"), "authentication failed"),
        (format!("redis://reader:secret@{host}"), "NOPERM"),
        (format!("redis://:secret@{host}/99"), "99"),
    ] {
        let gateway = Gateway::start(&[&format!("--storage={url}")]);
        let (status, words) = gateway.send(Method::GET, "/-/ready", "").await;
        assert_eq!(status, 503);
        assert!(words.contains(says) && !words.contains("secret"), "{url}: {words}");
        gateway.stopped().await;
    }
}

/// Waits until the replica has everything.
fn replicated(master: &Redis) {
    let mut client = master.client();
    let _: () = redis::cmd("SET").arg(&["other", "1"]).query(&mut client).unwrap();
    let replicas: i64 = redis::cmd("WAIT").arg(1).arg(0).query(&mut client).unwrap();
    assert_eq!(replicas, 1);
}

/// A sentinel of the master `main` with further settings, which is enough to call it down after a quarter of a second.
fn sentinel(master: &Redis, lines: &str) -> Redis {
    let config = master.folder().join("sentinel.conf");
    let lines = [
        format!("sentinel monitor main 127.0.0.1 {} 1", master.port),
        "sentinel down-after-milliseconds main 250".to_owned(),
        "sentinel failover-timeout main 3000".to_owned(),
        lines.to_owned(),
    ];
    std::fs::write(&config, lines.join("\n")).unwrap();
    Redis::sentinel(&config)
}

/// Waits until the sentinel has found the replica, and that it follows.
fn known(sentinel: &Redis, replica: &Redis) {
    let mut client = sentinel.client();
    loop {
        let known: Vec<BTreeMap<String, String>> =
            redis::cmd("SENTINEL").arg(&["REPLICAS", "main"]).query(&mut client).unwrap();
        let port = replica.port.to_string();
        if known.iter().any(|known| known["port"] == port && known["master-link-status"] == "ok") {
            return;
        }
        std::thread::yield_now();
    }
}
