//! How much may be let pass.

use super::*;

#[test]
fn only_a_share_of_all_may_be_let_pass_though_nothing_was_broken_or_out_of_step() {
    let of = |waited, out_of_step| {
        let excused = [(Exemption::Waited, waited), (Exemption::OutOfStep, out_of_step), (Exemption::Emptied, 18)];
        Verdict { messages: 120, excused: excused.into(), ..Verdict::default() }
    };
    let told = of(4, 9).ceilings().map(|(_, passed)| passed.to_string());
    assert_eq!(told, ["4, at most 8 may be", "9, at most 16 may be", "18, at most 18 may be"]);
    assert!(of(8, 16).too_much().is_empty());
    let too_much = ["though nothing was broken: 9, at most 8 may be", "out of step: 17, at most 16 may be"];
    assert_eq!(of(9, 17).too_much(), too_much.map(|what| format!("too much was let pass {what}")));
}

#[test]
fn what_is_let_pass_for_faults_and_for_a_slow_machine_has_a_ceiling_all_together() {
    let of = |held_up| {
        let causes = [Exemption::Alertmanager, Exemption::Prometheus, Exemption::Proxy, Exemption::Emptied];
        let causes = causes.into_iter().chain([Exemption::Delayed, Exemption::Unheard]).map(|of| (of, 3));
        let excused = causes.chain([(Exemption::HeldUp, held_up), (Exemption::OutOfStep, 9)]).collect();
        Verdict { messages: 180, excused, ..Verdict::default() }
    };
    assert!(of(3).too_much().is_empty());
    assert_eq!(of(4).too_much(), ["too much was let pass for what was broken or held up: 22, at most 21 may be"]);
}

#[test]
fn a_network_that_is_merely_slow_explains_nothing_that_is_told_twice() {
    let slow = |late| Fault::Network(Member::Alertmanager(0), Network::Slow(Duration::from_millis(late)));
    let frozen = Fault::Network(Member::Alertmanager(0), Network::Frozen);
    let twice = || Case::new().alert(108.0).told_by("1", 116.0, true, &failing(3)).resolved(208.0);
    let end_twice = || Case::new().alert(108.0).resolved(208.0).told_by("1", 216.0, false, &over(3));
    let early = || Case::new().alert(108.0).resolved(116.0).alert(125.0).resolved(208.0);
    let of_before = || Case::new().alert(108.0).told(208.0, false, &failing(3));
    for (case, what) in [
        (&twice as &dyn Fn() -> Case, "told twice"),
        (&end_twice, "its end was told again"),
        (&early, "told as over while it went on"),
        (&of_before, "told as over, with the output of before"),
    ] {
        for late in [50, 1_500] {
            case().broken(slow(late), 100.0, 215.0).fails(what);
        }
        case().broken(frozen, 100.0, 215.0).passes_by(Exemption::Alertmanager);
    }
    // That it hears of the end later than the other one is out of step.
    let late = || Case::new().alert(108.0).resolved(208.0).told_by("1", 216.0, true, &failing(3)).resolved(218.0);
    late().broken(slow(50), 100.0, 215.0).passes_by(Exemption::OutOfStep);
}

#[test]
fn one_fault_of_an_alertmanager_explains_each_kind_once_by_each_of_the_two() {
    let killed = killed(Member::Alertmanager(0));
    let told = |from: &[&str]| {
        let case = Case::new().alert(108.0);
        let again = from.iter().fold(case, |case, from| case.told_by(from, 112.0, true, &failing(3)));
        again.resolved(208.0).broken(killed, 109.0, 112.0)
    };
    told(&["1"]).passes_by(Exemption::Alertmanager);
    let by_both = told(&["1", "0"]).judge();
    assert!(by_both.failures.is_empty() && by_both.excused == [(Exemption::Alertmanager, 6)].into(), "{by_both:#?}");
    told(&["1", "1"]).fails("told twice");
    told(&["1", "0", "1"]).fails("told twice");
    // Another fault of the same one explains another message.
    let two = told(&["1", "1"]).broken(Fault::Stopped(Member::Alertmanager(0)), 110.0, 112.0).judge();
    assert!(two.failures.is_empty(), "{two:#?}");
    let ends = |times: usize| {
        let case = Case::new().alert(108.0).resolved(208.0).broken(killed, 200.0, 205.0);
        (0..times).fold(case, |case, _| case.told_by("1", 212.0, false, &over(3)))
    };
    ends(1).passes_by(Exemption::Alertmanager);
    ends(2).fails("its end was told again");
}

#[test]
fn a_false_all_clear_by_one_fault_comes_once_and_twice_only_where_what_was_held_up_arrives_later() {
    let turns = |times: u32, fault| {
        let turn = |case: Case, at: f64| case.resolved(at).told_by("1", at + 2.0, true, &failing(3));
        let case = (0..times).fold(Case::new().alert(108.0), |case, time| turn(case, 120.0 + 10.0 * f64::from(time)));
        case.resolved(208.0).broken(fault, 110.0, 135.0)
    };
    let of_network = |network| Fault::Network(Member::Alertmanager(0), network);
    turns(1, of_network(Network::Cut)).passes_by(Exemption::Alertmanager);
    let frozen = turns(2, of_network(Network::Frozen)).judge();
    assert!(frozen.failures.is_empty() && frozen.excused == [(Exemption::Alertmanager, 6)].into(), "{frozen:#?}");
    let others = [Fault::Stopped(Member::Prometheus(1)), Fault::Stopped(Member::Proxy(0))];
    for fault in [of_network(Network::Cut), killed(Member::Alertmanager(0))].into_iter().chain(others) {
        turns(2, fault).fails("told as over while it went on");
    }
    turns(3, of_network(Network::Frozen)).fails("told as over while it went on");
}

#[test]
fn an_alert_after_the_end_by_an_alertmanager_that_hears_nothing_comes_at_no_more_than_two_intervals() {
    let turns = |times: u32, fault| {
        let turn = |case: Case, at: f64| case.told_by("1", at, true, &failing(3)).resolved(at + 2.0);
        let case = Case::new().alert(108.0).resolved(208.0);
        // The first one is out of step.
        let case = (0..times).fold(case, |case, time| turn(case, 212.0 + 10.0 * f64::from(time)));
        case.broken(fault, 195.0, 235.0)
    };
    let cut = Fault::Network(Member::Alertmanager(1), Network::Cut);
    let thrice = turns(3, cut).judge();
    let excused = [(Exemption::OutOfStep, 3), (Exemption::Alertmanager, 6)].into();
    assert!(thrice.failures.is_empty() && thrice.excused == excused, "{thrice:#?}");
    turns(4, cut).fails("told again after its end");
    turns(3, killed(Member::Alertmanager(1))).fails("told again after its end");
}
