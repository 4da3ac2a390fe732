//! What a Sensu installation becomes.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::ExitCode;

use checkscript_runner::app::{LogOnly, run};
use checkscript_runner::cli;
use serde_json::Value;

use super::{loaded, pieces};

/// An installation of these files, divided by lines of `---`: it becomes something whole, whatever there is in it. The nodes' definitions
/// have the checks that there were, every receiver that a route names is there, and nothing is written elsewhere.
pub(crate) fn migrate(files: &[u8]) {
    let folder = tempfile::tempdir().expect("there is a place for files");
    let (from, above) = (folder.path().join("sensu"), folder.path().join("made"));
    let (definitions, out) = (from.join("conf.d"), above.join("out"));
    for path in [&definitions, &above] {
        fs::create_dir_all(path).expect("a directory can be made");
    }
    for (index, piece) in pieces(files).enumerate() {
        fs::write(definitions.join(format!("{index}.json")), piece).expect("a file can be written");
    }
    let line = [
        "checkscript-runner".as_ref(),
        "migrate".as_ref(),
        "--from".as_ref(),
        from.as_os_str(),
        "--out".as_ref(),
        out.as_os_str(),
    ];
    let options = cli::read(line).expect("the command line is right");
    match run(options, LogOnly) {
        Ok(code) => assert!([ExitCode::SUCCESS, ExitCode::FAILURE].contains(&code)),
        Err(error) => panic!("{error:#}"),
    }
    assert_eq!(names(&above), ["out"], "something was written elsewhere");
    let before = loaded(&definitions).settings;
    assert_eq!(loaded(&out.join("checkscript")).settings.get("checks"), before.get("checks"));
    routed(&fs::read_to_string(out.join("alertmanager/alertmanager.yml")).expect("it was written"));
    assert!(fs::metadata(out.join("REPORT.md")).expect("it was written").len() > 0);
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).expect("it is a directory");
    entries.map(|entry| entry.expect("it can be read").file_name().to_string_lossy().into_owned()).collect()
}

fn routed(config: &str) {
    let config: Value = serde_saphyr::from_str(config).unwrap_or_else(|error| panic!("{error}: {config}"));
    let receivers: Vec<_> = config["receivers"].as_array().into_iter().flatten().map(|one| &one["name"]).collect();
    let known: BTreeSet<_> = receivers.iter().filter_map(|name| name.as_str()).collect();
    assert_eq!(known.len(), receivers.len(), "{config}");
    let mut routes = vec![&config["route"]];
    while let Some(route) = routes.pop() {
        let receiver = &route["receiver"];
        assert!(receiver.is_null() || receiver.as_str().is_some_and(|name| known.contains(name)), "{config}");
        routes.extend(route["routes"].as_array().into_iter().flatten());
    }
}
