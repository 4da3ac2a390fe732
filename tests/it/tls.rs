//! A node that is asked over TLS, with a password and a client certificate.

use std::path::Path;
use std::process::Command;

use e2e::{HASH, Part, Process, Signal, free_port, get_json, program, tool, until};
use rcgen::{CertificateParams, Issuer, KeyPair, SanType};
use serde_json::json;

use crate::PATIENCE;

/// An authority, and what it issued to servers and clients of these names, as files in `folder`.
pub(crate) fn certificates(folder: &Path, names: &[&str]) {
    let mut authority = CertificateParams::new(Vec::new()).unwrap();
    authority.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let key = KeyPair::generate().unwrap();
    std::fs::write(folder.join("ca.crt"), authority.self_signed(&key).unwrap().pem()).unwrap();
    let issuer = Issuer::new(authority, key);
    for name in names {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.subject_alt_names = vec![SanType::DnsName((*name).try_into().unwrap())];
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &issuer).unwrap();
        std::fs::write(folder.join(format!("{name}.crt")), certificate.pem()).unwrap();
        std::fs::write(folder.join(format!("{name}.key")), key.serialize_pem()).unwrap();
    }
}

fn write(folder: &Path, [agent, alertmanager]: [u16; 2]) {
    certificates(folder, &["node", "proxy"]);
    let check = json!({"name": "disk", "issued": 1, "executed": 1, "duration": 0.1, "output": "full\n", "status": 2});
    let result = json!({
        "timestamp": "2026-01-01T00:00:00.000000+0000", "level": "info", "message": "publishing check result",
        "payload": {"client": "node", "check": check},
    });
    for (name, text) in [
        ("checks.log", format!("{result}\n")),
        ("password", "wrong\n".to_owned()),
        ("alertmanager.yml", "route: {receiver: nobody}\nreceivers: [{name: nobody}]\n".to_owned()),
        (
            "web.yml",
            format!(
                "basic_auth_users: {{proxy: {HASH}}}\ntls_server_config: {{cert_file: node.crt, key_file: node.key, \
                 client_ca_file: ca.crt, client_auth_type: RequireAndVerifyClientCert}}\n"
            ),
        ),
        (
            "proxy.yml",
            format!(
                "alertmanagers: [{{url: 'http://127.0.0.1:{alertmanager}'}}]\n\
                 fetch: {{cache: 1ms, failure_cache: 1ms}}\nsources:\n- match: {{check: '.+'}}\n  \
                 url: 'https://{{{{ labels.instance }}}}/api/v1/checks/{{{{ \
                 labels.check }}}}'\n  allow: [127.0.0.1]\n  allow_ports: [{agent}]\n  \
                 basic_auth: {{username: proxy, password_file: password}}\n  \
                 tls_config: {{ca_file: ca.crt, cert_file: proxy.crt, key_file: proxy.key, server_name: node}}\n"
            ),
        ),
    ] {
        std::fs::write(folder.join(name), text).unwrap();
    }
}

fn start(part: Part, port: u16, folder: &Path, flags: &[&str]) -> Process {
    let mut command = tokio::process::Command::new(program(part));
    command.current_dir(folder).arg(format!("--web.listen-address=127.0.0.1:{port}")).args(flags);
    Process::start(part.name(), command, &folder.join(format!("{}.out", part.name()))).unwrap()
}

async fn listens(port: u16) {
    let connect = || async { Ok(tokio::net::TcpStream::connect(("127.0.0.1", port)).await?) };
    drop(until("the port to be open", PATIENCE, connect).await.unwrap());
}

/// Posts the check's alert through the proxy until Alertmanager has it with `text` in the annotation.
async fn annotated(ports: [u16; 3], annotation: &str, text: &str) {
    let [agent, alertmanager, proxy] = ports;
    let url = format!("http://127.0.0.1:{alertmanager}/api/v2/alerts?filter=check%3Ddisk");
    until(&format!("{annotation} with {text:?}"), PATIENCE, || async {
        let added = Command::new(tool("amtool"))
            .arg(format!("--alertmanager.url=http://127.0.0.1:{proxy}"))
            .args(["alert", "add", "CheckCritical", "check=disk"])
            .arg(format!("instance=127.0.0.1:{agent}"))
            .output()?;
        anyhow::ensure!(added.status.success(), "{}", String::from_utf8_lossy(&added.stderr));
        let alerts = get_json(&url).await?;
        let got = alerts[0]["annotations"][annotation].as_str().unwrap_or_default();
        anyhow::ensure!(got.contains(text), "{alerts}");
        Ok(())
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn a_node_is_asked_over_tls_with_a_password_and_a_certificate() {
    let data = tempfile::tempdir().unwrap();
    let folder = data.path();
    let ports = [(); 3].map(|()| free_port().unwrap());
    let [agent, alertmanager, proxy] = ports;
    write(folder, [agent, alertmanager]);
    let log = ["--check.log=checks.log", "--state.file=", "--web.config.file=web.yml"];
    let _agent = start(Part::Agent, agent, folder, &log);
    let storage = ["--config.file=alertmanager.yml", "--storage.path=storage", "--cluster.listen-address="];
    let _alertmanager = start(Part::Alertmanager, alertmanager, folder, &storage);
    let running = start(Part::Proxy, proxy, folder, &["--config.file=proxy.yml"]);
    for port in ports {
        listens(port).await;
    }
    annotated(ports, "detail_error", "401 Unauthorized").await;
    std::fs::write(folder.join("password"), "secret\n").unwrap();
    running.signal(Signal::SIGHUP).unwrap();
    annotated(ports, "output", "full").await;
    let said = std::fs::read_to_string(folder.join("alertmanager-proxy.out")).unwrap();
    assert!(!said.contains("secret") && !said.contains("wrong"), "{said}");
}
