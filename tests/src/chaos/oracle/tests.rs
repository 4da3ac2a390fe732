//! Each kind of fault that the oracle has to find, and each exemption, near its cause and far from it.

use std::time::Duration;

use e2e::{Damage, Member, Network};

use super::*;

mod limits;
mod reason;
mod severity;

/// The node that is told of, and the host that pushes.
const NODE: usize = 0;
const PUSHING: usize = 3;

/// Messages at one sink about one check, and what happened; times are seconds from the beginning.
struct Case {
    start: Instant,
    node: usize,
    past: Past,
    messages: Vec<Message>,
}

impl Case {
    /// An incident from second 100 until second 200.
    fn new() -> Self {
        Self::of(NODE, false, 200.0)
    }

    fn brief() -> Self {
        Self::of(NODE, true, 102.0)
    }

    fn of(node: usize, brief: bool, ended: f64) -> Self {
        let start = Instant::now();
        let case = Self { start, node, past: Past::default(), messages: Vec::new() };
        case.incident(3, brief, 100.0, ended)
    }

    fn at(&self, seconds: f64) -> Instant {
        self.start + Duration::from_secs_f64(seconds)
    }

    /// Another incident, as WARNING.
    fn incident(self, number: usize, brief: bool, began: f64, ended: f64) -> Self {
        self.incident_of(1, number, brief, (began, ended))
    }

    fn incident_of(mut self, status: u8, number: usize, brief: bool, (began, ended): (f64, f64)) -> Self {
        let (began, ended) = (self.at(began), self.at(ended));
        let (node, check, then) = (self.node, "disk", None);
        self.past.episodes.push(Episode { number, node, check, status, then, brief, began, ended });
        self
    }

    /// An incident of that severity, from second 100 until second 200, which has another one from second 150 on.
    fn changing(status: u8, then: u8) -> Self {
        let mut case = Self { past: Past::default(), ..Self::new() }.incident_of(status, 3, false, (100.0, 200.0));
        case.past.episodes[0].then = Some((then, case.at(150.0)));
        case
    }

    fn broken(mut self, fault: Fault, begun: f64, ended: f64) -> Self {
        let (begun, ended) = (self.at(begun), self.at(ended));
        self.past.broken.push(Broken { fault, begun, ended });
        self
    }

    fn held_up(mut self, from: f64, to: f64) -> Self {
        let (from, to) = (self.at(from), self.at(to));
        self.past.held_up.push(HeldUp { node: self.node, check: "disk".to_owned(), from, to });
        self
    }

    /// A message by the first Alertmanager.
    fn told(self, at: f64, firing: bool, text: &str) -> Self {
        self.told_by("0", at, firing, text)
    }

    fn told_by(mut self, from: &str, at: f64, firing: bool, text: &str) -> Self {
        let (at, from, check) = (self.at(at), from.to_owned(), "disk".to_owned());
        let of = |number| self.past.episodes.iter().find(|episode| episode.number == number);
        let status = firing.then(|| read(text).and_then(|(number, _)| of(number)).map_or(1, |episode| episode.status));
        let reason = text.strip_prefix("reason: ").map(str::to_owned);
        let (sink, text) = (Sink::Mail, text.to_owned());
        self.messages.push(Message { at, sink, from, node: self.node, check, firing, status, text, reason });
        self
    }

    /// The last message says so.
    fn with_status(mut self, status: u8) -> Self {
        self.messages.last_mut().unwrap().status = Some(status);
        self
    }

    fn alert(self, at: f64) -> Self {
        self.told(at, true, &failing(3))
    }

    fn resolved(self, at: f64) -> Self {
        self.told(at, false, &over(3))
    }

    fn judge(self) -> Verdict {
        let others = [Sink::Webhook, Sink::Slack].into_iter();
        let others =
            others.flat_map(|sink| self.messages.iter().map(move |message| Message { sink, ..message.clone() }));
        let messages: Vec<_> = self.messages.iter().cloned().chain(others).collect();
        judge(&messages, &self.past)
    }

    /// It fails for each of the three, first by this.
    fn fails(self, with: &str) {
        let verdict = self.judge();
        let found = verdict.failures.iter().filter(|failure| failure.contains(with)).count();
        assert!(found == 3 && verdict.failures[0].contains(with), "{with}: {verdict:#?}");
    }

    /// It passes, with this let pass once for each of the three.
    fn passes_by(self, exemption: Exemption) {
        let verdict = self.judge();
        assert!(verdict.failures.is_empty() && verdict.excused == [(exemption, 3)].into(), "{exemption}: {verdict:#?}");
    }

    fn passes(self) -> Verdict {
        let verdict = self.judge();
        assert!(verdict.failures.is_empty() && verdict.excused.is_empty(), "{verdict:#?}");
        verdict
    }
}

fn killed(member: Member) -> Fault {
    Fault::Killed(member)
}

#[test]
fn an_incident_is_told_once_and_its_end_once() {
    assert_eq!(Case::new().alert(108.0).resolved(208.0).passes().detailed, 6);
    Case::new().fails("was never told");
    Case::new().alert(108.0).fails("its end was never told");
    Case::new().alert(108.0).alert(116.0).resolved(208.0).fails("told twice");
    Case::new().alert(108.0).resolved(208.0).resolved(216.0).fails("its end was told again");
    // Were gossip dead, each of the pair would tell everything.
    let deaf = Case::new().alert(108.0).told_by("1", 116.0, true, &failing(3));
    deaf.resolved(208.0).told_by("1", 216.0, false, &over(3)).fails("told twice");
}

#[test]
fn a_brief_incident_is_told_with_its_end_or_not_at_all() {
    Case::brief().passes();
    Case::brief().told(110.0, true, &over(3)).resolved(115.0).passes();
    Case::brief().told(110.0, true, &over(3)).fails("its end was never told");
    let late = || Case::brief().told(150.0, true, &over(3)).resolved(155.0);
    late().fails("told long after its end");
    let shows = |fault| late().broken(fault, 100.0, 140.0).passes_by(Exemption::Delayed);
    [killed(Member::Prometheus(0)), killed(Member::Agent(NODE)), Fault::Clock(NODE, -60)].into_iter().for_each(shows);
    let web = Fault::Network(Member::Prometheus(0), Network::Cut);
    for fault in [killed(Member::Agent(1)), killed(Member::WebUi), Fault::Rotated(NODE, 3), Fault::Emptied, web] {
        late().broken(fault, 100.0, 140.0).fails("told long after its end");
    }
}

#[test]
fn a_false_all_clear_is_found_and_one_that_a_fault_explains_is_counted() {
    let case = || Case::new().alert(108.0).resolved(150.0).alert(155.0).resolved(208.0);
    case().fails("told as over while it went on");
    case().broken(killed(Member::Runner(NODE)), 145.0, 148.0).fails("told as over");
    let cut = Fault::Network(Member::Alertmanager(0), Network::Cut);
    case().broken(cut, 120.0, 148.0).passes_by(Exemption::Alertmanager);
    case().broken(Fault::Stopped(Member::Prometheus(1)), 140.0, 149.0).passes_by(Exemption::Prometheus);
    case().broken(cut, 110.0, 120.0).fails("told as over");
    case().broken(Fault::Stopped(Member::Proxy(0)), 125.0, 149.0).passes_by(Exemption::Proxy);
    for fault in [killed(Member::Proxy(0)), Fault::Network(Member::Proxy(0), Network::Cut)] {
        case().broken(fault, 125.0, 149.0).fails("told as over");
    }
    // It is told anew when it has just ended.
    let anew = |at: f64| {
        let case = Case::new().broken(cut, 170.0, 190.0).alert(108.0).resolved(195.0);
        case.told(at, true, &over(3)).resolved(at + 3.0)
    };
    anew(205.0).passes_by(Exemption::Alertmanager);
    anew(235.0).fails("told again after its end");
    // One that is not taken back is none that a fault explains.
    let left = Case::new().alert(108.0).resolved(120.0).broken(cut, 110.0, 119.0);
    left.fails("was told as over while it went on, and not anew");
}

#[test]
fn an_emptied_store_lets_what_is_pushed_be_told_as_over() {
    let case = |node| {
        let case = Case::of(node, false, 200.0).broken(Fault::Emptied, 140.0, 145.0);
        case.alert(108.0).resolved(150.0).alert(155.0).resolved(208.0)
    };
    case(PUSHING).passes_by(Exemption::Emptied);
    case(NODE).fails("told as over while it went on");
    let twice = Case::of(PUSHING, false, 200.0).broken(Fault::Emptied, 140.0, 145.0);
    twice.alert(108.0).alert(150.0).resolved(208.0).fails("told twice");
}

#[test]
fn an_alarm_after_the_end_is_that_of_a_pair_only_shortly_after_it_and_once() {
    let again = |from: &str, at: f64| {
        let case = Case::new().alert(108.0).resolved(208.0).told_by(from, at, true, &failing(3));
        case.told_by(from, at + 3.0, false, &over(3))
    };
    again("1", 214.0).passes_by(Exemption::Waited);
    // Since it was away it tells at other times than the other.
    again("1", 214.0).broken(killed(Member::Alertmanager(1)), 50.0, 60.0).passes_by(Exemption::OutOfStep);
    again("0", 211.0).fails("told again after its end");
    again("1", 230.0).fails("told again after its end");
    let once_more = again("1", 214.0).told_by("1", 219.0, true, &failing(3)).resolved(221.0);
    once_more.fails("told again after its end");
    again("1", 214.0).told_by("0", 217.2, false, &over(3)).fails("its end was told again");
    again("1", 230.0).broken(killed(Member::Alertmanager(1)), 215.0, 220.0).passes_by(Exemption::Alertmanager);
    again("1", 230.0).broken(killed(Member::Proxy(1)), 215.0, 220.0).fails("told again after its end");
}

#[test]
fn an_end_of_before_is_told_by_a_pair_only_where_there_was_one_and_shortly_after_the_alert() {
    let early = |case: Case, at: f64| {
        let case = case.told(308.0, true, &failing(4)).told_by("1", at, false, &over(3));
        case.told(at + 3.0, true, &failing(4)).told(408.0, false, &over(4))
    };
    let second = || Case::new().incident(4, false, 300.0, 400.0).alert(108.0).resolved(208.0);
    early(second(), 314.0).passes_by(Exemption::Waited);
    early(second(), 340.0).fails("told as over while it went on");
    let first = Case { past: Past::default(), ..Case::new() }.incident(4, false, 300.0, 400.0);
    let first = first.told(308.0, true, &failing(4)).told_by("1", 314.0, false, &failing(4));
    first.told(317.0, true, &failing(4)).told(408.0, false, &over(4)).fails("told as over while it went on");
}

#[test]
fn what_broken_alertmanagers_tell_twice_is_counted() {
    let case = || Case::new().alert(108.0).told_by("1", 116.0, true, &failing(3)).resolved(208.0);
    case().broken(killed(Member::Alertmanager(0)), 109.0, 112.0).passes_by(Exemption::Alertmanager);
    case().broken(killed(Member::Alertmanager(0)), 50.0, 80.0).fails("told twice");
    case().broken(killed(Member::Prometheus(0)), 109.0, 112.0).fails("told twice");
    case().broken(killed(Member::Agent(NODE)), 109.0, 112.0).fails("told twice");
}

#[test]
fn an_alert_comes_once_more_where_the_end_of_another_one_of_its_check_is_sent_again() {
    let case = |status: u8, again: &[f64]| {
        let case = Case::new().incident_of(status, 4, false, (300.0, 400.0)).alert(108.0).resolved(208.0);
        let alerts = [&[308.0], again].concat().into_iter();
        let case = alerts.fold(case, |case, at| case.told(at, true, &failing(4)));
        case.told(408.0, false, &over(4))
    };
    case(2, &[311.0]).passes_by(Exemption::Resent);
    case(1, &[311.0]).fails("told twice");
    case(2, &[340.0]).fails("told twice");
    case(2, &[311.0, 314.0]).fails("told twice");
}

#[test]
fn an_end_of_before_that_stays_the_last_word_is_found() {
    // One Alertmanager tells the ALERT once more, as the end of the incident before is sent again, and the other in the same moment that
    // end, which it saw before it waited: what either thinks was told last is what was written down last, an ALERT.
    let case = || Case::new().incident_of(2, 4, false, (300.0, 400.0)).alert(108.0).resolved(208.0);
    let case =
        || case().told(308.0, true, &failing(4)).told(313.0, true, &failing(4)).told_by("1", 313.05, false, &over(3));
    let broken = || case().broken(killed(Member::Alertmanager(1)), 20.0, 30.0);
    broken().told(402.0, false, &over(4)).fails("its end was told again");
    broken().fails("was told as over while it went on, and not anew");
    let anew = broken().told(318.0, true, &failing(4)).told(408.0, false, &over(4)).judge();
    let excused = [(Exemption::OutOfStep, 3), (Exemption::Resent, 3)].into();
    assert!(anew.failures.is_empty() && anew.excused == excused, "{anew:#?}");
}

#[test]
fn what_one_prometheus_had_not_heard_when_the_node_fell_silent_is_told_until_it_hears() {
    let case = |fault, begun: f64| {
        let case = Case::new().broken(fault, begun, 240.0).alert(108.0).resolved(208.0);
        case.alert(245.0).resolved(248.0)
    };
    case(killed(Member::Agent(NODE)), 203.0).passes_by(Exemption::Unheard);
    case(killed(Member::Agent(NODE)), 215.0).fails("told again after its end");
    case(killed(Member::Agent(1)), 203.0).fails("told again after its end");
    case(killed(Member::Redis), 203.0).fails("told again after its end");
    case(killed(Member::Runner(NODE)), 203.0).fails("told again after its end");
}
