//! What must hold of comparisons, by example and for any reports.

use proptest::prelude::*;

use super::*;
use crate::stats::Samples;

const THRESHOLD: f64 = 0.1;

fn report(bench: &str, figures: impl IntoIterator<Item = Figure>) -> Report {
    let mut report = Report::new(bench).expect("this machine is known");
    report.machine.load = None;
    figures.into_iter().for_each(|figure| report.add(figure));
    report
}

fn elsewhere(report: Report) -> Report {
    let mut report = report;
    report.machine.processor.push_str(", another");
    report
}

fn took(repeats: &[f64]) -> Figure {
    Figure::new("a", "s", &Samples::from(repeats)).lower()
}

fn verdict(before: Figure, after: Figure) -> Verdict {
    let (before, after) = ([report("b", [before])], [report("b", [after])]);
    let [change] = Comparison::of(&before, &after, THRESHOLD).changes[..] else { panic!("there is one figure") };
    change.verdict
}

#[test]
fn a_figure_is_worse_beyond_both_spread_and_threshold() {
    let before = || took(&[1.0, 1.1, 1.2]);
    assert_eq!(verdict(before(), took(&[1.3, 1.4, 1.5])), Verdict::Worse);
    assert_eq!(verdict(before(), took(&[1.2, 1.4, 1.5])), Verdict::Same, "the spreads touch");
    assert_eq!(verdict(before(), took(&[1.205, 1.209, 1.3])), Verdict::Same, "the medians are too near");
    assert_eq!(verdict(before(), took(&[0.7, 0.8, 0.9])), Verdict::Better);
    assert_eq!(verdict(before().higher(), took(&[1.3, 1.4, 1.5]).higher()), Verdict::Better);
    assert_eq!(verdict(before().higher(), took(&[0.7, 0.8, 0.9]).higher()), Verdict::Worse);
}

#[test]
fn of_few_repeats_more_is_asked() {
    assert_eq!(verdict(took(&[1.0]), took(&[1.29])), Verdict::Same);
    assert_eq!(verdict(took(&[1.0]), took(&[1.31])), Verdict::Worse);
    assert_eq!(verdict(took(&[1.0, 1.0]), took(&[1.2, 1.2])), Verdict::Same);
    assert_eq!(verdict(took(&[1.0; 3]), took(&[1.2; 3])), Verdict::Worse);
    let odds = [(1, 1, 2.0), (2, 2, 6.0), (3, 3, 20.0), (5, 5, 252.0), (5, 2, 21.0), (2, 5, 21.0)];
    assert!(odds.iter().all(|(a, b, odds)| (1.0 / by_chance(*a, *b) - odds).abs() < 1e-9));
}

#[test]
fn differences_and_counts_are_judged_by_their_target() {
    let lost = |count| Figure::one("lost", "", count).at_most(1.0).or_not();
    assert_eq!(verdict(lost(0.1), lost(0.9)), Verdict::Same);
    assert_eq!(verdict(lost(0.0), lost(3.0)), Verdict::Worse);
    assert_eq!(verdict(lost(3.0), lost(-1.0)), Verdict::Better);
    let stricter = Figure::one("lost", "", 0.9).at_most(0.5).or_not();
    assert_eq!(verdict(lost(0.9), stricter), Verdict::Same, "both miss what is wanted now");
    let runs = |repeats: &[f64]| Figure::new("lost", "", &repeats.iter().copied().collect()).at_most(1.0).or_not();
    assert_eq!(verdict(runs(&[0.0; 3]), runs(&[0.0, 0.0, 5.0])), Verdict::Worse, "what was lost once was lost");
    assert_eq!(verdict(runs(&[0.0, 0.0, 5.0]), runs(&[0.0; 3])), Verdict::Better);
}

#[test]
fn from_nothing_to_something_is_a_change() {
    assert_eq!(verdict(took(&[0.0]), took(&[0.01])), Verdict::Worse);
    assert_eq!(verdict(took(&[0.0]), took(&[0.0])), Verdict::Same);
    assert_eq!(verdict(took(&[0.01]), took(&[0.0])), Verdict::Better);
}

#[test]
fn what_was_not_measured_is_gone() {
    assert_eq!(verdict(took(&[1.0]), took(&[])), Verdict::Gone);
    assert_eq!(verdict(took(&[]), took(&[1.0])), Verdict::New);
    assert_eq!(verdict(took(&[]), took(&[])), Verdict::Unjudged);
}

#[test]
fn between_machines_ratios_alone_are_judged_and_between_sizes_nothing() {
    let figures = |value: f64, size| {
        let log = Figure::given("log", "MB", size);
        [took(&[value; 5]), Figure::one("to a peer", "x", value).ratio().at_most(2.0), log]
    };
    let verdicts = |after: Report| {
        let (before, after) = ([report("b", figures(1.0, 9.0))], [after]);
        let comparison = Comparison::of(&before, &after, THRESHOLD);
        let of = |name| comparison.changes.iter().find(|change| change.after.is_some_and(|figure| figure.name == name));
        ["a", "to a peer"].map(|name| of(name).expect("it is there").verdict)
    };
    assert_eq!(verdicts(report("b", figures(2.0, 9.0))), [Verdict::Worse, Verdict::Worse]);
    assert_eq!(verdicts(elsewhere(report("b", figures(2.0, 9.0)))), [Verdict::Unjudged, Verdict::Worse]);
    let mut busy = report("b", figures(2.0, 9.0));
    busy.machine.load = Some(99.0 * busy.machine.processors as f32);
    assert_eq!(verdicts(busy), [Verdict::Unjudged, Verdict::Worse]);
    assert_eq!(verdicts(report("b", figures(2.0, 8.0))), [Verdict::Unjudged, Verdict::Unjudged]);
    assert_eq!(
        verdicts(report("b", figures(2.0, 9.0001))),
        [Verdict::Worse, Verdict::Worse],
        "it is shown as the same"
    );
    let mut other = report("b", figures(2.0, 9.0));
    other.debug = !other.debug;
    assert_eq!(verdicts(other), [Verdict::Unjudged, Verdict::Unjudged], "another build");
}

#[test]
fn another_setting_is_another_thing_and_one_that_was_not_told_is_none() {
    let with = |given: &[(&str, f64)]| {
        let given = given.iter().map(|(name, value)| Figure::given(*name, "", *value));
        report("b", [took(&[1.0; 5])].into_iter().chain(given))
    };
    let ground = |before: &[(&str, f64)], after: &[(&str, f64)]| Ground::of(&with(before), &with(after));
    let (low, high) = (("niceness", 0.0), ("niceness", -10.0));
    assert_eq!(ground(&[low], &[low]), Ground::Machine);
    assert_eq!((ground(&[low], &[high]), ground(&[high], &[low])), (Ground::Nothing, Ground::Nothing));
    assert_eq!((ground(&[], &[high]), ground(&[high], &[])), (Ground::Machine, Ground::Machine));
    // Before it was told as given.
    let measured = report("b", [took(&[1.0; 5]), Figure::one("niceness", "", 0.0)]);
    assert_eq!(Ground::of(&measured, &with(&[high])), Ground::Nothing);
    assert_eq!(Ground::of(&measured, &with(&[low])), Ground::Machine);
}

#[test]
fn a_machine_of_another_memory_is_another_machine() {
    let with = |memory| {
        let mut report = report("b", [took(&[1.0; 5])]);
        report.machine.memory = memory;
        report
    };
    let ground = |before, after| Ground::of(&with(before), &with(after));
    assert_eq!(ground(Some(24_105), Some(24_090)), Ground::Machine);
    assert_eq!(ground(None, Some(24_105)), Ground::Machine, "an older report does not say it");
    assert_eq!(ground(Some(24_105), Some(16_000)), Ground::Bench);
    let (before, after) = ([with(Some(24_576))], [with(Some(16_384))]);
    let told = tell(&Comparison::of(&before, &after, THRESHOLD), Form::Terminal);
    assert!(told.contains(", 24.0 GiB; now ") && told.contains(", 16.0 GiB), so only ratios are judged"), "{told}");
}

/// As a run of today would be: with what was told since then, or has another name.
#[test]
fn the_published_figures_can_be_held_against_a_run_that_says_more() {
    let published = concat!(env!("CARGO_MANIFEST_DIR"), "/baseline/published.json");
    let before = crate::baseline::load(published.as_ref()).expect("the baseline can be read");
    let mut after = before.clone();
    for report in &mut after {
        report.started = "later".to_owned();
        report.machine.load = None;
        report.add(Figure::given("20000 nodes: told since", "s", 180.0));
        let conditions = ["niceness of the played nodes", "GOMEMLIMIT of a Prometheus", "minutes"];
        for figure in report.figures.iter_mut().filter(|figure| conditions.iter().any(|of| figure.name.ends_with(of))) {
            figure.kind = Kind::Given;
        }
    }
    let comparison = Comparison::of(&before, &after, THRESHOLD);
    assert!(comparison.both.iter().all(|(before, after)| Ground::of(before, after) != Ground::Nothing));
    assert_eq!((comparison.count(Verdict::Worse), comparison.count(Verdict::Gone)), (0, 0));
    assert_eq!(comparison.count(Verdict::New), before.len());
    assert!(comparison.has_judged());
}

#[test]
fn what_was_not_run_again_is_only_named() {
    let before = [report("b", [took(&[1.0])]), report("c", [took(&[1.0])])];
    let again = Report { started: "later".to_owned(), ..before[1].clone() };
    let after = measured_anew(&before, vec![before[0].clone(), again]);
    let comparison = Comparison::of(&before, &after, THRESHOLD);
    assert_eq!((&*comparison.not_run, comparison.changes.len()), (&["b"][..], 1));
    let unfinished = [Report { unfinished: true, ..after[0].clone() }];
    let told = tell(&Comparison::of(&before, &unfinished, THRESHOLD), Form::Terminal);
    assert!(told.starts_with("- c: it has not come to its end\n- not run this time: b\n"), "{told}");
}

#[test]
fn it_is_told_worst_first_with_what_is_missing() {
    let named = |name: &str, value| Figure::one(name, "s", value).lower();
    let before = [
        report("b", [named("same", 1.0), named("worse", 1.0), named("gone", 1.0), named("worst", 1.0)]),
        report("c", [named("a", 1.0)]),
    ];
    let new = Figure::new("new", "s", &[1.0, 3.0].into_iter().collect());
    let mut after = report("b", [named("same", 1.05), named("worse", 1.5), named("worst", 4.0), new]);
    after.versions.insert("mtail".to_owned(), "3.1".to_owned());
    let (mut before, after) = (before, [elsewhere(after), report("d", [])]);
    before[0].versions.insert("mtail".to_owned(), "3.0".to_owned());
    let told = tell(&Comparison::of(&before, &after, THRESHOLD), Form::Terminal);
    assert!(told.contains(
        "so only ratios are judged\n- b: mtail is 3.1, was 3.0\n- not run this time: c\n- not in the baseline: d\n"
    ));
    assert!(!Comparison::of(&before, &after, THRESHOLD).has_judged(), "another machine, and no ratio");
    before[0].machine = after[0].machine.clone();
    let comparison = Comparison::of(&before[..1], &after[..1], THRESHOLD);
    assert!(comparison.has_judged());
    let told = tell(&comparison, Form::Terminal);
    let table = "\n\
        WORSE  +300 %  b  worst  1 s  4 s\n\
        WORSE  +50 %   b  worse  1 s  1.5 s\n\
        GONE           b  gone   1 s\n\
        new            b  new         2 s (1 to 3 of 2)\n\
        same   +5 %    b  same   1 s  1.05 s\n\
        \n2 worse, 0 better, 1 the same but for noise, 0 not judged, 1 new, 1 gone\n\
        Gone, so not compared: b: gone\n";
    assert_eq!(told, format!("- b: mtail is 3.1, was 3.0\n{table}"));
    assert!(
        tell(&comparison, Form::Markdown)
            .contains("\n| --- | --- | --- | --- | --- | --- |\n| WORSE | +300 % | b | worst | 1 s | 4 s |\n")
    );
}

/// Positive, so that a factor means something.
fn repeats() -> impl Strategy<Value = Vec<f64>> {
    prop::collection::vec(0.001..1000.0f64, 1..7)
}

fn better() -> impl Strategy<Value = Option<Better>> {
    prop::sample::select(vec![None, Some(Better::Lower), Some(Better::Higher), Some(Better::Met)])
}

fn towards(better: Option<Better>, mut figure: Figure) -> Figure {
    figure.better = better;
    if better == Some(Better::Met) { figure.or_not() } else { figure }
}

fn figures() -> impl Strategy<Value = Vec<Figure>> {
    let figure = (repeats(), better(), prop::option::of(0.001..1000.0f64));
    prop::collection::btree_map("[a-d]{1,2}", figure, 0..8).prop_map(|figures| {
        let figure = |(name, (repeats, better, bound)): (String, (Vec<f64>, _, Option<f64>))| {
            let figure = Figure::new(name, "s", &repeats.into_iter().collect());
            towards(better, if let Some(bound) = bound { figure.at_most(bound) } else { figure })
        };
        figures.into_iter().map(figure).collect()
    })
}

fn mirrored(verdict: Verdict) -> Verdict {
    match verdict {
        Verdict::Worse => Verdict::Better,
        Verdict::Better => Verdict::Worse,
        Verdict::Gone => Verdict::New,
        Verdict::New => Verdict::Gone,
        other => other,
    }
}

proptest! {
    #[test]
    fn a_run_is_no_worse_and_no_better_than_itself(figures in figures()) {
        let run = [report("b", figures.clone())];
        let comparison = Comparison::of(&run, &run, 0.0);
        prop_assert_eq!(comparison.count(Verdict::Same) + comparison.count(Verdict::Unjudged), figures.len());
    }

    #[test]
    fn every_figure_of_both_is_told_once(before in figures(), after in figures()) {
        let names = |figures: &[Figure]| figures.iter().map(|figure| figure.name.clone()).collect::<Vec<_>>();
        let mut all = [names(&before), names(&after)].concat();
        all.sort();
        all.dedup();
        let (before, after) = ([report("b", before)], [report("b", after)]);
        let changes = Comparison::of(&before, &after, THRESHOLD).changes;
        let mut told: Vec<_> = changes.iter().filter_map(|change| Some(change.after.or(change.before)?.name.clone())).collect();
        told.sort();
        prop_assert_eq!(told, all);
        prop_assert!(changes.is_sorted_by_key(|change| change.verdict));
    }

    #[test]
    fn what_is_worse_one_way_is_better_the_other(before in repeats(), after in repeats(), better in better(), bound in 0.001..1000.0f64) {
        let figure = |repeats: &[f64]| towards(better, took(repeats).at_most(bound));
        let there = verdict(figure(&before), figure(&after));
        prop_assert_eq!(verdict(figure(&after), figure(&before)), mirrored(there));
    }

    #[test]
    fn the_direction_decides_which_it_is(before in repeats(), after in repeats()) {
        let higher = verdict(took(&before).higher(), took(&after).higher());
        prop_assert_eq!(higher, mirrored(verdict(took(&before), took(&after))));
    }

    #[test]
    fn a_repeat_between_the_two_runs_makes_a_change_noise(before in repeats(), after in repeats()) {
        let joined = [&before[..], &after[..1]].concat();
        prop_assert_eq!(verdict(took(&joined), took(&after)), Verdict::Same);
    }

    #[test]
    fn a_higher_threshold_finds_no_more(before in repeats(), after in repeats(), threshold in 0.0..2.0f64, more in 0.0..2.0f64) {
        let (before, after) = (took(&before), took(&after));
        prop_assert!(has_changed(&before, &after, threshold) || !has_changed(&before, &after, threshold + more));
    }
}
