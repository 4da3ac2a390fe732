//! What messages say: outputs and reasons, and what the machine held up.

use super::*;

const SILENT: &str = "reason: node-0:9780 did not answer within 2s";
const HUNG_UP: &str = "reason: node-0:9780 broke off its answer: connection closed before message completed";
const NO_NAME: &str =
    "reason: cannot connect to node-0:9780: cannot look up node-0: the name servers did not answer in time";
const UNKNOWN: &str = "reason: 10.0.0.1:9091 has no result of this check: there is none";
const TROUBLE: &str = "reason: 10.0.0.1:9091 answered 503 Service Unavailable: the store is away";
const OLD: &str = "reason: 1h 2s old";
const NOT_TAKEN: &str = "reason: Alertmanager did not take the alert with it: it did not answer in time";

#[test]
fn a_text_says_its_own_incident_or_a_reason_that_a_fault_explains() {
    let case = |text: &str| Case::new().told(108.0, true, text).resolved(208.0);
    case("fails").fails("neither an output nor a reason");
    case(&failing(7)).fails("the output of another incident");
    case(SILENT).fails("a reason, and nothing was broken that explains it");
    case(SILENT).broken(killed(Member::Agent(1)), 100.0, 105.0).fails("a reason, and nothing");
    case(SILENT).broken(killed(Member::Agent(NODE)), 30.0, 40.0).fails("a reason, and nothing");
    assert_eq!(case(SILENT).broken(killed(Member::Agent(NODE)), 100.0, 105.0).passes().reasons(), 3);
    let of_before = || Case::new().alert(108.0).told(208.0, false, &failing(3));
    of_before().fails("told as over, with the output of before");
    of_before().broken(killed(Member::Agent(NODE)), 190.0, 199.0).fails("told as over, with the output of before");
    let frozen = Fault::Network(Member::Alertmanager(0), Network::Frozen);
    of_before().broken(frozen, 180.0, 210.0).passes_by(Exemption::Alertmanager);
    of_before().broken(frozen, 110.0, 130.0).fails("told as over, with the output of before");
}

#[test]
fn a_reason_is_that_of_a_fault_only_where_it_says_what_the_fault_makes() {
    let slow = |late| Fault::Network(Member::Agent(NODE), Network::Slow(Duration::from_millis(late)));
    let explained = [
        (NODE, killed(Member::Agent(NODE)), [SILENT, HUNG_UP].as_slice()),
        (NODE, slow(900), &[SILENT, HUNG_UP]),
        (NODE, slow(50), &[]),
        (NODE, Fault::Corrupt(NODE, Damage::Emptied), &[SILENT, HUNG_UP]),
        (NODE, Fault::Stopped(Member::Proxy(0)), &[SILENT, NO_NAME]),
        (NODE, Fault::NoNames, &[SILENT, NO_NAME]),
        (NODE, Fault::Clock(NODE, -3_600), &[OLD]),
        (NODE, killed(Member::Alertmanager(1)), &[NOT_TAKEN]),
        (NODE, Fault::Network(Member::Alertmanager(1), Network::Slow(Duration::from_secs(1))), &[]),
        (PUSHING, killed(Member::Gateway(0)), &[SILENT, HUNG_UP, TROUBLE]),
        (PUSHING, Fault::Stopped(Member::Redis), &[SILENT, HUNG_UP, TROUBLE]),
        (PUSHING, Fault::Emptied, &[SILENT, HUNG_UP, TROUBLE, UNKNOWN]),
        (PUSHING, Fault::Corrupt(PUSHING, Damage::Emptied), &[]),
        (PUSHING, Fault::NoNames, &[]),
        (NODE, Fault::Emptied, &[]),
        (NODE, Fault::DiskFull(NODE), &[]),
        (NODE, Fault::Rotated(NODE, 3), &[]),
        (NODE, killed(Member::Runner(NODE)), &[]),
        (NODE, killed(Member::Proxy(0)), &[]),
    ];
    for (node, fault, reasons) in explained {
        for reason in [SILENT, HUNG_UP, NO_NAME, UNKNOWN, TROUBLE, OLD, NOT_TAKEN, "reason: of another kind"] {
            let case = Case::of(node, false, 200.0).told(108.0, true, reason).resolved(208.0);
            let case = case.broken(fault, 100.0, 105.0);
            if reasons.contains(&reason) {
                assert_eq!(case.passes().reasons(), 3, "{fault}: {reason}");
            } else {
                case.fails("a reason, and nothing was broken that explains it");
            }
        }
    }
}

#[test]
fn the_output_of_an_incident_before_is_that_of_an_end_only_where_this_ones_was_told() {
    let second =
        || Case::new().incident(4, false, 300.0, 400.0).alert(108.0).resolved(208.0).told(308.0, true, &failing(4));
    second().told(408.0, false, &over(3)).fails("the output of another incident");
    second().told(408.0, false, &over(4)).passes();
    let brief = Case::new().incident(4, true, 300.0, 302.0).alert(108.0).resolved(208.0).told(308.0, true, &failing(4));
    brief.told_by("1", 311.0, false, &over(3)).fails("the output of another incident");
    let ended = || second().told(408.0, false, &over(4)).told_by("1", 410.0, true, &failing(4));
    ended().told(412.0, false, &over(3)).passes_by(Exemption::Waited);
    ended().told(412.0, false, &over(7)).fails("the output of another incident");
    second().told(408.0, false, &over(4)).told_by("1", 410.0, true, &failing(3)).fails("told again after its end");
}

#[test]
fn what_nobody_planned_is_found_unless_the_machine_held_the_check_up_at_the_time() {
    let hangs = "Check execution hangs: running since then";
    assert!(is_held_up(hangs) && !is_held_up("disk OK: fine"));
    let case = |text: &str| Case::new().told(20.0, true, text).told(24.0, false, text).alert(108.0).resolved(208.0);
    case("reason").fails("told of a check that has had no incident");
    case("disk OK: fine").fails("told of a check that has had no incident");
    case(hangs).held_up(150.0, 180.0).fails("told of a check that has had no incident");
    let held_up = case(hangs).held_up(5.0, 12.0).judge();
    assert!(held_up.failures.is_empty() && held_up.excused == [(Exemption::HeldUp, 6)].into(), "{held_up:#?}");
    let other = Case { past: Past::default(), ..Case::new() };
    other.told(20.0, true, "reason").told(24.0, false, "reason").fails("told of a check that has had no incident");
}

#[test]
fn what_the_machine_held_up_says_so_in_the_words_of_its_runner() {
    let case = |text: &str| Case::new().alert(108.0).resolved(208.0).told(214.0, true, text).resolved(218.0);
    let said = ["Check execution is overdue: waiting since then", "Check execution hangs: x", "Execution timed out"];
    for text in said {
        let verdict = case(text).held_up(150.0, 213.0).judge();
        assert!(verdict.failures.is_empty() && verdict.excused == [(Exemption::HeldUp, 3)].into(), "{verdict:#?}");
        case(text).held_up(20.0, 40.0).fails("told again after its end");
    }
    case("Status: UNKNOWN").held_up(150.0, 213.0).fails("neither an output nor a reason");
    // The output of now may be that of a run after the one that was held up, and of no other check.
    case("disk OK: fine").held_up(150.0, 213.0).passes_by(Exemption::HeldUp);
    case("disk OK: fine").held_up(150.0, 230.0).fails("neither an output nor a reason");
    case("load OK: fine").held_up(150.0, 213.0).fails("neither an output nor a reason");
    // By the time alone an end without any output passed.
    let end = Case::new().alert(108.0).told(208.0, false, "").held_up(150.0, 206.0);
    end.fails("neither an output nor a reason");
}

#[test]
fn the_end_of_what_the_machine_held_up_is_sent_again_too() {
    let twice = || Case::new().alert(108.0).alert(111.0).resolved(208.0);
    twice().held_up(10.0, 40.0).passes_by(Exemption::Resent);
    let early = |at: f64| {
        let case = Case::new().alert(108.0).told_by("1", at, false, "disk OK: fine");
        case.alert(at + 3.0).resolved(208.0)
    };
    early(111.0).held_up(10.0, 40.0).passes_by(Exemption::Waited);
    early(140.0).held_up(10.0, 40.0).fails("told as over while it went on");
    early(111.0).fails("told as over while it went on");
}
