//! Which versions were measured, as the programs say themselves.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::program::beside;

const OURS: [&str; 6] =
    ["alertmanager-proxy", "checkscript-agent", "checkscript-runner", "pushgateway-agent", "pushgateway-ex", "web-ui"];

/// What they are compared with or run before, and where scripts/tools.sh and scripts/bench-tools.sh have put it.
const OTHERS: [(&str, &str); 5] = [
    ("alertmanager", "bin/alertmanager"),
    ("mtail", "root/usr/bin/mtail"),
    ("node-exporter", "root/usr/bin/prometheus-node-exporter"),
    ("prometheus", "bin/prometheus"),
    ("pushgateway", "bin/pushgateway"),
];

/// Of all that are there, by name. A bench that needs one that is not says so itself.
pub(crate) fn ask(tools: &Path) -> BTreeMap<String, String> {
    let ours = OURS.into_iter().filter_map(|name| Some((name, beside(name).ok()?)));
    let others = OTHERS.into_iter().map(|(name, path)| (name, tools.join(path))).filter(|(_, path)| path.exists());
    ours.chain(others).filter_map(|(name, path)| Some((name.to_owned(), of(&path)?))).collect()
}

fn of(program: &PathBuf) -> Option<String> {
    let said = Command::new(program).arg("--version").output().ok()?;
    let version = [said.stdout, said.stderr].iter().find_map(|said| version(&String::from_utf8_lossy(said)));
    if version.is_none() {
        eprintln!("{} does not say its version: it is left out", program.display());
    }
    version
}

/// The first word that begins as a number does: it stands after the name, and before what it was built from.
fn version(said: &str) -> Option<String> {
    said.split_whitespace().find(|word| word.starts_with(|first: char| first.is_ascii_digit())).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_what_follows_the_name() {
        let prometheus = "prometheus, version 2.42.0+ds (branch: debian/sid, revision: 2.42.0+ds-5)\n  build user: a\n";
        assert_eq!(version(prometheus).as_deref(), Some("2.42.0+ds"));
        assert_eq!(version("mtail version 3.0.0~rc50 git revision 3.0.0~rc50-1").as_deref(), Some("3.0.0~rc50"));
        assert_eq!(version("checkscript-agent 0.1.0 (0a1b2c)\n").as_deref(), Some("0.1.0"));
        assert_eq!(version("usage: -v"), None);
    }
}
