//! The quickstart's files with the ports and paths of one stack.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;

use super::Ports;

/// The project's root folder.
pub fn repository() -> PathBuf {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    tests.parent().expect("this crate is a folder of the project").to_owned()
}

/// Copies `examples/quickstart/` to `DATA/config`.
pub(super) fn write(data: &Path, ports: &Ports) -> anyhow::Result<()> {
    let replacements = replacements(ports);
    copy(&repository().join("examples/quickstart"), &data.join("config"), &replacements)?;
    set_demo_check(data, 0, "DEMO OK: everything is fine")
}

/// Names a further cluster, before the others, in the file of web-ui.
pub(super) fn add_cluster(data: &Path, name: &str, prometheus: &str, alertmanager: &str) -> anyhow::Result<()> {
    const LIST: &str = "\nclusters:\n";
    let file = data.join("config/web-ui.yml");
    let text = fs::read_to_string(&file).with_context(|| file.display().to_string())?;
    anyhow::ensure!(text.contains(LIST), "{} has no list of clusters", file.display());
    let servers = format!("prometheus: [{{url: \"{prometheus}\"}}], alertmanagers: [{{url: \"{alertmanager}\"}}]");
    let text = text.replacen(LIST, &format!("{LIST}  - {{name: {name}, {servers}}}\n"), 1);
    fs::write(&file, text).with_context(|| file.display().to_string())
}

/// What the demo check prints and exits with from now on: the first line of its file is the status.
pub(super) fn set_demo_check(data: &Path, status: u8, text: &str) -> anyhow::Result<()> {
    let (new, file) = (data.join("demo-check.new"), data.join("demo-check"));
    fs::write(&new, format!("{status}\n{text}\n")).with_context(|| new.display().to_string())?;
    fs::rename(&new, &file).with_context(|| file.display().to_string())
}

/// Text in the files, and what stands in its place in a running stack.
fn replacements(ports: &Ports) -> Vec<(String, String)> {
    let host = |port: u16| format!("127.0.0.1:{port}");
    let ports = Ports::QUICKSTART.all().into_iter().zip(ports.all());
    let root = repository();
    let folder = |relative: &str, name: &str| (relative.to_owned(), root.join(name).display().to_string());
    // Through a name that no file has, so that a port that takes another's number is not replaced twice.
    let (from, to): (Vec<_>, Vec<_>) = ports
        .enumerate()
        .map(|(index, (from, to))| ((host(from), format!("@port-{index}@")), (format!("@port-{index}@"), host(to))))
        .unzip();
    let folders = [folder("../../rules", "rules"), folder("../alertmanager", "examples/alertmanager")];
    folders.into_iter().chain(from).chain(to).collect()
}

fn copy(from: &Path, to: &Path, replacements: &[(String, String)]) -> anyhow::Result<()> {
    fs::create_dir_all(to).with_context(|| to.display().to_string())?;
    for entry in fs::read_dir(from).with_context(|| from.display().to_string())? {
        let (entry, target) = entry.map(|entry| (entry.path(), to.join(entry.file_name())))?;
        if entry.is_dir() {
            copy(&entry, &target, replacements)?;
            continue;
        }
        let text = fs::read_to_string(&entry).with_context(|| entry.display().to_string())?;
        let text = replacements.iter().fold(text, |text, (from, to)| text.replace(from, to));
        fs::write(&target, text).with_context(|| target.display().to_string())?;
    }
    Ok(())
}
