//! Severities: of an incident, of the one before, and of one that becomes worse or better.

use super::*;

#[test]
fn a_message_has_a_severity_that_its_check_had_at_the_time() {
    let case = || Case::new().incident_of(2, 4, false, (210.0, 300.0));
    let told = |status| Case::new().alert(108.0).with_status(status).resolved(208.0);
    told(1).passes();
    told(2).fails("told in a severity that its check did not have");
    told(2).held_up(95.0, 101.0).passes_by(Exemption::HeldUp);
    let end = |status| Case::new().alert(108.0).resolved(208.0).with_status(status);
    end(1).passes();
    end(3).fails("told in a severity that its check did not have");
    // The alert of the incident before has not ended yet.
    let second = |at: f64| {
        let case = case().alert(108.0).resolved(205.0).told(at, true, &failing(4)).with_status(1);
        case.told(308.0, false, &over(4))
    };
    second(215.0).passes();
    second(240.0).fails("told in a severity that its check did not have");
}

/// The ALERT of the incident in the severity that it has since it changed.
fn otherwise(case: Case, at: f64, status: u8) -> Case {
    case.told(at, true, &failing_otherwise(3)).with_status(status)
}

#[test]
fn an_incident_that_changes_its_severity_is_told_again_in_that_with_no_end_between() {
    for (first, then) in [(1, 2), (2, 1)] {
        let alert = || Case::changing(first, then).alert(108.0);
        assert_eq!(otherwise(alert(), 158.0, then).resolved(208.0).passes().detailed, 9);
        // Both at once, where the first was not told before.
        assert_eq!(otherwise(Case::changing(first, then), 158.0, then).resolved(208.0).passes().detailed, 6);
        alert().resolved(208.0).fails("was never told in the severity that it had then");
        let between = otherwise(alert().resolved(135.0), 158.0, then).resolved(208.0);
        between.fails("told as over while it went on");
        let of_before = alert().told(158.0, true, &failing(3)).with_status(then).resolved(208.0);
        of_before.fails("the output of before its severity changed");
        let early = otherwise(Case::changing(first, then), 120.0, then);
        otherwise(early, 158.0, then).resolved(208.0).fails("told in a severity that its check did not have");
        let late = otherwise(otherwise(alert(), 158.0, then), 190.0, first).resolved(208.0);
        late.fails("told again after its severity had changed");
    }
    // An end comes first only where it becomes milder, and only then.
    let between = |first, then, at: f64| {
        let case = Case::changing(first, then).alert(108.0).told(at, false, &failing(3));
        otherwise(case, at + 9.0, then).resolved(208.0)
    };
    between(2, 1, 158.0).passes_by(Exemption::Milder);
    let broken = between(2, 1, 158.0).broken(Fault::Stopped(Member::Prometheus(1)), 140.0, 156.0);
    broken.passes_by(Exemption::Prometheus);
    between(2, 1, 185.0).fails("told as over while it went on");
    between(1, 2, 158.0).fails("told as over while it went on");
}

#[test]
fn what_has_changed_its_severity_is_told_once_more_beside_the_end_of_the_other_alert_and_no_more() {
    let told = |first, then, at: f64| otherwise(Case::changing(first, then).alert(108.0), at, then);
    otherwise(told(1, 2, 158.0), 168.0, 2).resolved(208.0).passes_by(Exemption::Resent);
    let twice = otherwise(otherwise(told(1, 2, 158.0), 166.0, 2), 176.0, 2).resolved(208.0);
    twice.fails("told again after its severity had changed");
    otherwise(told(1, 2, 158.0), 190.0, 2).resolved(208.0).fails("told again after its severity had changed");
    // The worse one stands beside the milder for a moment.
    let beside = |first, then| {
        let case = otherwise(Case::changing(first, then).alert(108.0), 156.0, first);
        otherwise(case, 166.0, then).resolved(208.0)
    };
    beside(2, 1).passes_by(Exemption::Milder);
    beside(1, 2).fails("told again after its severity had changed");
    // What the second of a pair saw before it waited.
    let waited = |from| {
        let case = told(1, 2, 158.0).told_by(from, 166.0, true, &failing(3));
        otherwise(case, 168.0, 2).resolved(208.0)
    };
    waited("1").passes_by(Exemption::Waited);
    waited("0").fails("told again after its severity had changed");
}

#[test]
fn the_severities_of_an_incident_that_changed_are_those_of_alerts_whose_end_is_sent_again() {
    let case = |status| {
        let case = Case::changing(1, 2).incident_of(status, 4, false, (300.0, 400.0)).alert(108.0);
        otherwise(case, 158.0, 2).resolved(208.0).told(308.0, true, &failing(4))
    };
    let again = |status| case(status).told(316.0, true, &failing(4));
    again(2).told(408.0, false, &over(4)).passes_by(Exemption::Resent);
    let thrice = |status| again(status).told(326.0, true, &failing(4)).told(408.0, false, &over(4));
    thrice(2).fails("told twice");
    let of_both = thrice(3).judge();
    assert!(of_both.failures.is_empty() && of_both.excused == [(Exemption::Resent, 6)].into(), "{of_both:#?}");
}
