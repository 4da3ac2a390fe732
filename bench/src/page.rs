//! The tables of a Markdown page, which are a baseline's: what stands between `<!-- bench:NAME -->` and `<!-- /bench -->` is written anew.

use std::collections::BTreeSet;

use anyhow::Context as _;

use crate::report::{Figure, Kind, Report};
use crate::table::markdown;

const BEGIN: &str = "<!-- bench:";
const END: &str = "<!-- /bench -->";
const HEAD: [&str; 5] = ["figure", "median", "lowest to highest", "wanted", ""];

/// The page with the tables of these reports.
pub(crate) fn render(page: &str, reports: &[Report]) -> anyhow::Result<String> {
    let (mut rendered, mut lines) = (String::with_capacity(page.len()), page.lines().enumerate());
    while let Some((at, line)) = lines.next() {
        rendered.push_str(line);
        rendered.push('\n');
        anyhow::ensure!(line != END, "line {}: {END} ends no table", at + 1);
        let Some(bench) = named(line) else { continue };
        let report = reports.iter().find(|report| report.bench == bench);
        let report = report.with_context(|| format!("line {}: the baseline has no bench {bench}", at + 1))?;
        let ended =
            lines.by_ref().map(|(_, line)| line).take_while(|line| named(line).is_none()).any(|line| line == END);
        anyhow::ensure!(ended, "line {}: no {END} ends the table of {bench}", at + 1);
        rendered.push_str(&format!("\n{}\n{END}\n", table(report)));
    }
    Ok(rendered)
}

/// The benches whose tables the page has.
pub(crate) fn benches(page: &str) -> BTreeSet<&str> {
    page.lines().filter_map(named).collect()
}

fn named(line: &str) -> Option<&str> {
    line.strip_prefix(BEGIN)?.strip_suffix(" -->")
}

fn table(report: &Report) -> String {
    let table = match matrix(&report.figures) {
        Some((head, rows)) => markdown(&head, &rows),
        None => markdown(&HEAD, &report.figures.iter().map(row).collect::<Vec<_>>()),
    };
    let versions: Vec<_> = report.versions.iter().map(|(name, version)| format!("{name} {version}")).collect();
    let versions = if versions.is_empty() { String::new() } else { format!(" {}.", versions.join(", ")) };
    format!("{table}\n{}.{versions}\n", report.circumstances())
}

fn row(figure: &Figure) -> [String; 5] {
    let [name, value, spread, target] = figure.row();
    let verdict = match figure.met {
        None => "",
        Some(true) => "met",
        Some(false) => "**missed**",
    };
    [name, value, spread, target, verdict.to_owned()]
}

/// Head and rows of a table with a column for each case, where the same was measured in each of several: all names are `CASE: WHAT`, and the
/// first of each case says what was given.
fn matrix(figures: &[Figure]) -> Option<(Vec<&str>, Vec<Vec<String>>)> {
    let (mut cases, mut all) = (Vec::new(), Vec::new());
    for figure in figures {
        let (case, what) = figure.name.split_once(": ")?;
        if cases.last() != Some(&case) {
            cases.push(case);
            all.push(Vec::new());
        }
        all.last_mut()?.push((what, figure));
    }
    let whats = |column: &[(&str, &Figure)]| column.iter().map(|(what, _)| (*what).to_owned()).collect::<Vec<_>>();
    let (first, others) = all.split_first()?;
    let is_given = all.iter().all(|column| column.first().is_some_and(|(_, figure)| figure.kind == Kind::Given));
    if others.is_empty() || !is_given || others.iter().any(|column| whats(column) != whats(first)) {
        return None;
    }
    let cell = |figure: &Figure| {
        let [_, value, _, _, verdict] = row(figure);
        if figure.met == Some(false) { format!("{value} {verdict}") } else { value }
    };
    let row = |(at, what): (usize, String)| {
        std::iter::once(what).chain(all.iter().map(|column| cell(column[at].1))).collect()
    };
    let head = std::iter::once("").chain(cases).collect();
    Some((head, whats(first).into_iter().enumerate().map(row).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::baseline;

    const PAGE: &str = include_str!("../../docs/performance.md");
    const BASELINE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/baseline/published.json");

    fn report() -> Report {
        let mut report = Report::new("spawn").expect("this machine is known");
        report.add(Figure::one("a", "s", 1.5).at_most(1.0));
        report
    }

    #[test]
    fn what_was_measured_in_several_cases_is_one_table_with_a_column_for_each() {
        let figure = |name: &str, value| Figure::one(name, "s", value).at_most(2.0);
        let size = |name: &str, value| Figure::given(name, "", value);
        let figures = [size("one: a", 1.0), figure("one: b", 3.0), size("two: a", 2.0), figure("two: b", 1.5)];
        let (head, rows) = matrix(&figures).unwrap();
        assert_eq!(head, ["", "one", "two"]);
        assert_eq!(rows, [["a", "1", "2"], ["b", "3 s **missed**", "1.5 s"]]);
        assert_eq!(matrix(&figures[..3]), None);
        assert_eq!(matrix(&figures[..2]), None);
    }

    #[test]
    fn the_page_has_the_figures_of_the_baseline() {
        let baseline = baseline::load(BASELINE.as_ref()).expect("the baseline can be read");
        let rendered = render(PAGE, &baseline).expect("the page can be written");
        assert!(
            rendered == PAGE,
            "docs/performance.md is not what bench/baseline says: run `cargo run -p bench -- docs`"
        );
        let saved: BTreeSet<_> = baseline.iter().map(|report| report.bench.as_str()).collect();
        assert_eq!(benches(PAGE), saved, "each bench of the baseline has a table");
    }

    #[test]
    fn the_pictures_that_the_page_names_are_there() {
        let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/performance.md");
        assert_eq!(crate::pictures::missing(page.as_ref(), PAGE), [""; 0]);
    }

    #[test]
    fn no_figure_of_the_baseline_is_there_twice() {
        for report in baseline::load(BASELINE.as_ref()).expect("the baseline can be read") {
            let names: BTreeSet<_> = report.figures.iter().map(|figure| (&figure.name, &figure.unit)).collect();
            assert_eq!(names.len(), report.figures.len(), "{}", report.bench);
        }
    }

    #[test]
    fn what_is_between_the_marks_is_written_anew() {
        let page = "# A\n\n<!-- bench:spawn -->\nold\n<!-- /bench -->\n\nwords\n";
        let spawn = report();
        let rendered = render(page, std::slice::from_ref(&spawn)).expect("it is written");
        let begin = "# A\n\n<!-- bench:spawn -->\n\n| figure | median | lowest to highest | wanted | |\n| --- | --- | --- | --- | --- |\n\
                     | a | 1.5 s | 1 run | at most 1 | **missed** |\n\n";
        assert!(rendered.starts_with(begin), "{rendered}");
        let end = format!("\n\n{}.\n\n<!-- /bench -->\n\nwords\n", spawn.circumstances());
        assert!(rendered.ends_with(&end), "{rendered}");
        assert_eq!(render(&rendered, &[spawn]).expect("it is written"), rendered);
    }

    #[test]
    fn marks_that_do_not_fit_are_told_with_their_line() {
        let told = |page: &str| render(page, &[report()]).expect_err("it is wrong").to_string();
        assert_eq!(told("\n<!-- bench:memory -->\n<!-- /bench -->\n"), "line 2: the baseline has no bench memory");
        assert_eq!(told("<!-- bench:spawn -->\n"), "line 1: no <!-- /bench --> ends the table of spawn");
        let nested = "<!-- bench:spawn -->\n<!-- bench:spawn -->\n<!-- /bench -->\n";
        assert_eq!(told(nested), "line 1: no <!-- /bench --> ends the table of spawn");
        assert_eq!(told("<!-- /bench -->\n"), "line 1: <!-- /bench --> ends no table");
    }
}
