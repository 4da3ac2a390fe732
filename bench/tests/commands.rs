//! The program itself: what it compares and keeps, what it writes into a page, and with what exit status.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::{Value, json};
use tempfile::TempDir;

const BASELINE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/baseline/published.json");
const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/performance.md");

/// A folder with a baseline, which is the published one but for one figure, and a run that takes twice as long by that figure.
struct Slower(TempDir);

impl Slower {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let mut baseline: Value = serde_json::from_str(&read(Path::new(BASELINE))).expect("the baseline is JSON");
        let reports = baseline.as_array_mut().expect("it has reports");
        let spawn = reports.iter_mut().find(|report| report["bench"] == "spawn").expect("it has that bench");
        set(spawn, [1.24, 1.05, 1.36]);
        // What else the machine had to do when the figures were made is another test's.
        spawn["machine"]["load"] = json!(0.1);
        let mut slower = spawn.clone();
        set(&mut slower, [2.48, 2.1, 2.72]);
        slower["started"] = json!(format!("{}T23:59:58+0000", &spawn["started"].as_str().expect("a date")[..10]));
        fs::create_dir(folder.path().join("run")).expect("a folder");
        fs::write(folder.path().join("run/spawn.json"), slower.to_string()).expect("it is written");
        fs::write(folder.path().join("baseline.json"), baseline.to_string()).expect("it is written");
        Self(folder)
    }

    fn baseline(&self) -> PathBuf {
        self.path("baseline.json")
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn run(&self) -> PathBuf {
        self.path("run")
    }
}

/// Sets median, lowest and highest of the figure.
fn set(report: &mut Value, values: [f64; 3]) {
    let mut figures = report["figures"].as_array_mut().expect("a report has figures").iter_mut();
    let figure = figures.find(|figure| figure["name"] == "runner to bare loop at 300/s").expect("it has that figure");
    figure["met"] = json!(values[0] <= 1.25);
    for (of, value) in ["median", "lowest", "highest"].into_iter().zip(values) {
        figure[of] = json!(value);
    }
}

fn bench(arguments: &[&Path]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_bench")).args(arguments).output().expect("it starts")
}

fn compare(baseline: &Path, run: &Path, flags: &[&str]) -> (Option<i32>, String) {
    let flags = flags.iter().map(Path::new);
    let output = bench(&[Path::new("compare"), baseline, run].into_iter().chain(flags).collect::<Vec<_>>());
    (output.status.code(), text(&output.stdout) + &text(&output.stderr))
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("it is text")
}

fn read(file: &Path) -> String {
    fs::read_to_string(file).expect("it can be read")
}

#[test]
fn what_became_worse_is_told_first_and_is_the_exit_status() {
    let slower = Slower::new();
    let published = &slower.baseline();
    let (status, told) = compare(published, &slower.run(), &[]);
    let line = "\nWORSE  +100 %  spawn  runner to bare loop at 300/s ";
    assert!(
        status == Some(1)
            && told.contains(line)
            && told.ends_with("\n1 worse, 0 better, 4 the same but for noise, 2 not judged, 0 new, 0 gone\n"),
        "{told}"
    );
    assert!(told.starts_with("- not run this time: catch-up, ") && told.contains(", lateness, "), "{told}");
    assert_eq!(compare(published, &slower.run(), &["--only-tell"]).0, Some(0));
    assert_eq!(compare(published, &slower.run(), &["--threshold=150"]).0, Some(0));
    let (_, markdown) = compare(published, &slower.run(), &["--markdown"]);
    assert!(
        markdown.contains(
            "\n| WORSE | +100 % | spawn | runner to bare loop at 300/s | 1.24 x (1.05 to 1.36 of 5) | 2.48 x"
        ),
        "{markdown}"
    );
    assert_eq!(compare(&slower.run(), published, &[]).0, Some(0), "the other way it became better");
    let (status, told) = compare(published, published, &[]);
    let nothing = "\n0 worse, 0 better, 0 the same but for noise, 0 not judged, 0 new, 0 gone\n";
    assert!(status == Some(2) && told.contains(", spawn, ") && told.contains(nothing), "nothing was run again: {told}");
}

#[test]
fn what_cannot_be_compared_has_another_exit_status() {
    let slower = Slower::new();
    let (status, told) = compare(&slower.path("none.json"), &slower.run(), &[]);
    assert!(status == Some(2) && told.contains("none.json is not there"), "{told}");
    let mut other: Value = serde_json::from_str(&read(&slower.path("run/spawn.json"))).expect("a report is JSON");
    other["debug"] = json!(true);
    fs::write(slower.path("run/spawn.json"), other.to_string()).expect("it is written");
    let (status, told) = compare(&slower.baseline(), &slower.run(), &[]);
    assert!(status == Some(2) && told.contains("of another size, setting or build"), "{told}");
    assert!(told.ends_with("nothing could be judged: no figure of the two can be held against each other\n"), "{told}");
    fs::write(slower.path("run/notes.json"), "{}").expect("it is written");
    let (status, told) = compare(Path::new(BASELINE), &slower.run(), &[]);
    assert!(status == Some(2) && told.contains("notes.json has no reports"), "{told}");
}

#[test]
fn figures_that_are_gone_are_named() {
    let slower = Slower::new();
    let mut fewer: Value = serde_json::from_str(&read(&slower.path("run/spawn.json"))).expect("a report is JSON");
    let gone = fewer["figures"].as_array_mut().and_then(Vec::pop).expect("it has figures");
    fs::write(slower.path("run/spawn.json"), fewer.to_string()).expect("it is written");
    let (status, told) = compare(&slower.baseline(), &slower.run(), &["--only-tell"]);
    let named = format!("1 gone\nGone, so not compared: spawn: {}\n", gone["name"].as_str().expect("it has a name"));
    assert!(status == Some(0) && told.ends_with(&named), "{told}");
}

#[test]
fn a_run_that_is_kept_is_in_the_page() {
    let slower = Slower::new();
    let (baseline, page) = (slower.baseline(), slower.path("page.md"));
    fs::copy(PAGE, &page).expect("it is copied");
    assert!(bench(&[Path::new("docs"), &page, &baseline]).status.success());
    let before = read(&page);
    let saved = bench(&[Path::new("save"), &baseline, &slower.run()]);
    assert!(saved.status.success() && text(&saved.stdout).ends_with(": spawn\n"), "{saved:?}");
    assert!(bench(&[Path::new("docs"), &page, &baseline]).status.success());
    let after = read(&page);
    let new: Vec<_> = after.lines().filter(|line| !before.contains(*line)).collect();
    assert_eq!(new, ["| runner to bare loop at 300/s | 2.48 x | 2.1 to 2.72 of 5 | at most 1.25 | **missed** |"]);
}
