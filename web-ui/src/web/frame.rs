//! What every page has around its content: the tabs, how old things are, times as people read them.

use check_result::Status;
use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::Asked;
use super::assets;
use crate::address::Address;
use crate::lists::{Choice, Sort};
use crate::texts::Texts;
use crate::view::{Node, Part, State, Told};

/// What every page has around its content.
pub(super) struct Frame<'a> {
    pub(super) t: &'static Texts,
    pub(super) address: &'a Address,
    pub(super) tab: &'static str,
    /// Who looks, where that is known.
    pub(super) user: Option<&'a str>,
    /// Whether who looks may change things.
    pub(super) may_change: bool,
    pub(super) clock: Clock<'a>,
    pub(super) troubles: Vec<Trouble<'a>>,
    /// Alerts that are told: critical ones, and others.
    pub(super) firing: (usize, usize),
}

/// Servers that do not answer.
pub(super) struct Trouble<'a> {
    pub(super) cluster: &'a str,
    pub(super) kind: &'static str,
    /// When they said what is shown; never, if they have not answered yet.
    pub(super) said: Option<Moment>,
    pub(super) what: What,
    pub(super) reasons: String,
}

/// What the trouble is.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum What {
    /// None of them answers.
    Silent,
    /// None of them has made the sums over all checks.
    NoSums,
    /// One of them does not answer, another did.
    OneOfPair,
    /// The one that answers says that something is missing.
    Partial,
}

/// The moment that a page is made, and where and for whom.
#[derive(Clone, Copy)]
pub(super) struct Clock<'a> {
    now: Timestamp,
    zone: &'a TimeZone,
    texts: &'static Texts,
}

/// A time in all the forms that a page shows.
pub(super) struct Moment {
    /// For programs: RFC 3339, UTC.
    pub(super) iso: String,
    /// `2026-11-21 11:30:48 +0900`.
    pub(super) exact: String,
    /// `3 min`; the time since then, or until then.
    pub(super) age: String,
}

// === impl Frame ===

impl<'a> Frame<'a> {
    pub(super) fn new(asked: &'a Asked, tab: &'static str) -> Self {
        let clock = Clock { now: Timestamp::now(), zone: &asked.app.zone, texts: asked.texts };
        let (mut troubles, mut firing) = (Vec::new(), (0, 0));
        for (cluster, view) in &asked.snapshot.0 {
            troubles.extend(Trouble::of(&cluster.name, "Prometheus", &view.metrics, clock));
            // What the servers themselves are is said by the line above.
            let sums = Trouble::of(&cluster.name, "Prometheus", &view.sums, clock).filter(|_| !view.metrics.is_old);
            troubles.extend(sums.filter(|trouble| trouble.what != What::OneOfPair).map(Trouble::of_sums));
            troubles.extend(Trouble::of(&cluster.name, "Alertmanager", &view.alerts, clock));
            for fired in view.alerts.said.iter().filter(|fired| fired.told == Told::Active) {
                match fired.rank() {
                    4.. => firing.0 += 1,
                    1.. => firing.1 += 1,
                    0 => {}
                }
            }
        }
        let (user, may_change) = (asked.user.name.as_deref(), asked.user.may_change());
        Self { t: asked.texts, address: &asked.address, tab, user, may_change, clock, troubles, firing }
    }

    /// What the style sheet and the script are called: their names change with what they hold.
    pub(super) fn asset(&self, name: &str) -> String {
        assets::address(name)
    }

    /// Where a click on a value of a list leads.
    pub(super) fn choose(&self, name: &str, choice: &Choice) -> Address {
        self.address.toggled(name, &choice.value)
    }

    /// Where a click on the head of a column leads: the other way round, if it is the one.
    pub(super) fn sorted(&self, sort: &Sort, column: &str) -> Address {
        let text = if sort.column == column && !sort.descending { format!("-{column}") } else { column.to_owned() };
        self.address.with("sort", &text)
    }

    /// What a column's head says to a screen reader.
    pub(super) fn order(&self, sort: &Sort, column: &str) -> &'static str {
        match (sort.column == column, sort.descending) {
            (false, _) => "none",
            (true, false) => "ascending",
            (true, true) => "descending",
        }
    }

    /// How something is painted whose status is so.
    pub(super) fn class(&self, status: &Status) -> &'static str {
        State::of(*status).word()
    }

    /// What a click on the other language sends.
    pub(super) fn language(&self) -> Address {
        Address::at("/language").with("lang", self.t.other()).with("to", &self.address.to_string())
    }

    /// Another page of the same.
    pub(super) fn turned(&self, page: usize) -> Address {
        self.address.with("page", &page.to_string())
    }
}

// === impl Trouble ===

impl<'a> Trouble<'a> {
    fn of<T>(cluster: &'a str, kind: &'static str, part: &Part<T>, clock: Clock<'_>) -> Option<Self> {
        let reasons = part.failures.iter().map(ToString::to_string).chain(part.warnings.iter().cloned());
        let reasons: Vec<_> = reasons.collect();
        let said = part.at.map(|at| clock.show(&at));
        let what = match (part.is_old, part.failures.is_empty()) {
            (true, _) => What::Silent,
            (false, false) => What::OneOfPair,
            (false, true) => What::Partial,
        };
        (!reasons.is_empty()).then(|| Self { cluster, kind, said, what, reasons: reasons.join("; ") })
    }

    /// Whether something is shown that is old.
    pub(super) fn is_old(&self) -> bool {
        matches!(self.what, What::Silent | What::NoSums)
    }

    /// What the trouble is, in words.
    pub(super) fn text(&self, t: &'static Texts) -> &'static str {
        match self.what {
            What::Silent => t.does_not_answer,
            What::NoSums => t.no_sums,
            What::OneOfPair => t.one_of_pair,
            What::Partial => t.partial,
        }
    }

    /// The same of the sums: without them everything else is there.
    fn of_sums(self) -> Self {
        let what = if matches!(self.what, What::Silent) { What::NoSums } else { self.what };
        Self { what, ..self }
    }
}

// === impl Clock ===

impl Clock<'_> {
    pub(super) fn now(&self) -> Moment {
        self.show(&self.now)
    }

    pub(super) fn show(&self, time: &Timestamp) -> Moment {
        let exact = time.to_zoned(self.zone.clone()).strftime("%Y-%m-%d %H:%M:%S %z").to_string();
        let age = (self.now.as_second() - time.as_second()).abs();
        Moment { iso: time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(), exact, age: self.texts.duration(age) }
    }

    /// Epoch seconds; none where no calendar has them.
    pub(super) fn epoch(&self, seconds: i64) -> Option<Moment> {
        Timestamp::from_second(seconds).ok().map(|time| self.show(&time))
    }

    /// When a node was last scraped, or since when it cannot be.
    pub(super) fn seen(&self, node: &Node) -> Option<Moment> {
        node.seen.and_then(|at| self.epoch(at))
    }
}
