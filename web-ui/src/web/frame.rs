//! What every page has around its content: the tabs, how old things are, times as people read them.

use std::time::Duration;

use check_result::Status;
use http::StatusCode;
use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::Asked;
use super::assets;
use crate::address::Address;
use crate::lists::{BadAddress, Choice, Snapshot, Sort};
use crate::matcher::Matcher;
use crate::silencing::proposal::one_of;
use crate::silencing::{mark, sentence};
use crate::texts::{Say as _, Texts, around, fill};
use crate::view::{Node, Part, Silenced, State, Told, severity};

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
    /// What of the address cannot be understood.
    pub(super) wrong: Option<BadAddress>,
}

/// Nothing younger is old to a person, however often servers are asked.
const FRESH: Duration = Duration::from_secs(10);

/// Servers that do not answer as they should.
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
    /// What they said is older than two refreshes.
    Late,
    /// They have not answered yet.
    NotAsked,
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
    /// `11:30:48`.
    pub(super) time: String,
    /// `2026-11-21 11:30:48 +0900`.
    pub(super) exact: String,
    /// `3 min`; the time since then, or until then.
    pub(super) age: String,
}

// === impl Frame ===

impl<'a> Frame<'a> {
    pub(super) fn new(asked: &'a Asked, tab: &'static str) -> Self {
        let clock = Clock { now: Timestamp::now(), zone: &asked.app.zone, texts: asked.texts };
        let (mut troubles, refresh) = (Vec::new(), asked.app.refresh());
        for (cluster, view) in &asked.snapshot.0 {
            troubles.extend(Trouble::of((&cluster.name, "Prometheus"), &view.metrics, (clock, Some(refresh.nodes))));
            // What the servers themselves are is said by the line above.
            let sums = Trouble::of((&cluster.name, "Prometheus"), &view.sums, (clock, None));
            let sums = sums.filter(|trouble| !view.metrics.is_old && trouble.is_of_sums());
            troubles.extend(sums.map(Trouble::of_sums));
            troubles.extend(Trouble::of((&cluster.name, "Alertmanager"), &view.alerts, (clock, Some(refresh.alerts))));
        }
        let firing = firing(&asked.snapshot);
        let (user, may_change) = (asked.user.name.as_deref(), asked.user.may_change());
        Self { t: asked.texts, address: &asked.address, tab, user, may_change, clock, troubles, firing, wrong: None }
    }

    /// What the page is answered with.
    pub(super) fn status(&self) -> StatusCode {
        if self.wrong.is_some() { StatusCode::BAD_REQUEST } else { StatusCode::OK }
    }

    /// What of the address cannot be understood, in words.
    pub(super) fn problem(&self) -> Option<String> {
        self.wrong.as_ref().map(|wrong| wrong.say(self.t))
    }

    /// Whether it is this parameter that cannot be understood.
    pub(super) fn is_wrong(&self, parameter: &str) -> bool {
        self.wrong.as_ref().is_some_and(|wrong| wrong.parameter() == parameter)
    }

    /// What the page of the tab is called.
    pub(super) fn name(&self) -> &'static str {
        match self.tab {
            "nodes" => self.t.nodes,
            "checks" => self.t.checks,
            "silences" => self.t.silences,
            _ => self.t.alerts,
        }
    }

    /// The form that silences what a list is narrowed to; none where it is not, or by what a silence cannot say.
    pub(super) fn silence_all(&self) -> Option<Address> {
        if ["find", "told", "state", "group"].iter().any(|name| !self.address.get(name).is_empty()) {
            return None;
        }
        let filter = self.address.get("filter").to_owned();
        let filter = match &*one_of("severity", &self.address.list("severity")) {
            [] => filter,
            [matcher] => Matcher::added(&filter, matcher),
            _ => return None,
        };
        let form = Address::at("/silences/new").with("filter", &filter);
        (!filter.trim().is_empty()).then(|| form.with("cluster", self.address.get("cluster")))
    }

    /// The form that silences one thing: an alert, a node or a check.
    pub(super) fn silence(&self, kind: &str, key: &str) -> Address {
        Address::at("/silences/new").with(kind, key)
    }

    /// The page of a silence.
    pub(super) fn silence_page(&self, cluster: &str, id: &str) -> Address {
        Address::of(["silences", cluster, id])
    }

    /// Who silences, in a row.
    pub(super) fn silencer(&self, silenced: &Silenced) -> String {
        fill(self.t.silencer, &[&silenced.silence.created_by])
    }

    /// What a silence mutes, in words.
    pub(super) fn muted(&self, silenced: &Silenced) -> String {
        sentence::what(&silenced.silence.matchers, self.t)
    }

    /// Why something is silenced, in a row.
    pub(super) fn why(&self, silenced: &Silenced) -> String {
        sentence::brief(&mark::read(&silenced.silence.comment).0)
    }

    /// Tells of servers that have not answered what the page asked.
    pub(super) fn trouble<T>(&mut self, cluster: &'a str, kind: &'static str, part: &Part<T>) {
        self.troubles.extend(Trouble::of((cluster, kind), part, (self.clock, None)));
    }

    /// What the style sheet and the script are called: their names change with what they hold.
    pub(super) fn asset(&self, name: &str) -> String {
        assets::address(name)
    }

    /// Where a click on a value of a list leads.
    pub(super) fn choose(&self, name: &str, choice: &Choice) -> Address {
        self.address.toggled(name, &choice.value)
    }

    /// How a value of a list is painted. What somebody else called something is no class of the style sheet.
    pub(super) fn paint(&self, name: &str, choice: &Choice) -> &'static str {
        match name {
            "severity" => severity::class(&choice.value),
            "state" => {
                State::ALL.iter().map(|state| state.word()).find(|word| *word == choice.value).unwrap_or_default()
            }
            _ => "",
        }
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

    /// All that this page shows some of, as a file.
    pub(super) fn export(&self, format: &str) -> Address {
        let path = format!("/{}.{format}", self.tab);
        ["page", "limit", "group"].iter().fold(self.address.to(&path), |address, name| address.with(name, ""))
    }

    /// Which of all pages this is, and how much is on all of them.
    pub(super) fn place(&self, page: &usize, pages: &usize, total: &usize) -> String {
        fill(self.t.page_of, &[page, pages, total])
    }

    /// Another page of the same.
    pub(super) fn turned(&self, page: usize) -> Address {
        self.address.with("page", &page.to_string())
    }
}

/// How many alerts are told now: critical ones, and others that matter.
pub(super) fn firing(snapshot: &Snapshot) -> (usize, usize) {
    let mut firing = (0, 0);
    let told = snapshot.0.iter().flat_map(|(_, view)| view.alerts.said.iter());
    for fired in told.filter(|fired| fired.told == Told::Active) {
        match fired.rank() {
            4.. => firing.0 += 1,
            1.. => firing.1 += 1,
            0 => {}
        }
    }
    firing
}

// === impl Trouble ===

impl<'a> Trouble<'a> {
    /// What is wrong with a part, if anything is; one that is asked for every so often is late after two times that.
    fn of<T>(
        (cluster, kind): (&'a str, &'static str),
        part: &Part<T>,
        (clock, every): (Clock<'_>, Option<Duration>),
    ) -> Option<Self> {
        let reasons = part.failures.iter().map(|failure| failure.say(clock.texts)).chain(part.warnings.iter().cloned());
        let reasons: Vec<_> = reasons.collect();
        let said = part.at.map(|at| clock.show(&at));
        let is_late = || part.at.zip(every).is_some_and(|(at, every)| is_late(at, clock.now, every));
        let what = match (part.is_old, part.failures.is_empty()) {
            (true, _) => What::Silent,
            (false, _) if part.at.is_none() => What::NotAsked,
            (false, _) if is_late() => What::Late,
            (false, false) => What::OneOfPair,
            (false, true) if reasons.is_empty() => return None,
            (false, true) => What::Partial,
        };
        Some(Self { cluster, kind, said, what, reasons: reasons.join("; ") })
    }

    /// Whether something is shown that is old.
    pub(super) fn is_old(&self) -> bool {
        matches!(self.what, What::Silent | What::NoSums)
    }

    /// Whether it is said of what is shown when that was.
    pub(super) fn is_aged(&self) -> bool {
        self.is_old() || self.what == What::Late
    }

    /// Whether nothing is wrong yet.
    pub(super) fn is_new(&self) -> bool {
        self.what == What::NotAsked
    }

    fn is_of_sums(&self) -> bool {
        matches!(self.what, What::Silent | What::Partial)
    }

    /// What the trouble is, in words: before and behind its age, or else its servers.
    pub(super) fn text(&self, t: &'static Texts) -> (&'static str, &'static str) {
        around(match (self.what, &self.said) {
            (What::Silent, Some(_)) => t.does_not_answer,
            (What::Silent, None) => t.never_answered,
            (What::Late, _) => t.is_late,
            (What::NotAsked, _) => t.not_asked,
            (What::NoSums, Some(_)) => t.no_sums,
            (What::NoSums, None) => t.never_counted,
            (What::OneOfPair, _) => t.one_of_pair,
            (What::Partial, _) => t.partial,
        })
    }

    /// The same of the sums: without them everything else is there.
    fn of_sums(self) -> Self {
        let what = if matches!(self.what, What::Silent) { What::NoSums } else { self.what };
        Self { what, ..self }
    }
}

/// Whether what was said `at` a moment is older than two refreshes.
fn is_late(at: Timestamp, now: Timestamp, every: Duration) -> bool {
    let age = Duration::try_from(now.duration_since(at)).unwrap_or_default();
    age > FRESH.max(every * 2)
}

// === impl Clock ===

impl Clock<'_> {
    pub(super) fn now(&self) -> Moment {
        self.show(&self.now)
    }

    pub(super) fn show(&self, time: &Timestamp) -> Moment {
        let zoned = time.to_zoned(self.zone.clone());
        let exact = zoned.strftime("%Y-%m-%d %H:%M:%S %z").to_string();
        let age = (self.now.as_second() - time.as_second()).abs();
        let clock = zoned.strftime("%H:%M:%S").to_string();
        Moment {
            time: clock,
            iso: time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
            exact,
            age: self.texts.duration(age),
        }
    }

    /// Seconds from now until a time; none where it has passed.
    pub(super) fn left(&self, time: &Timestamp) -> Option<i64> {
        Some(time.as_second() - self.now.as_second()).filter(|left| *left > 0)
    }

    /// The zone of times, and how far it is from UTC now: `Asia/Tokyo +0900`. The name says what holds after the clocks change.
    pub(super) fn zone(&self) -> String {
        let offset = self.now.to_zoned(self.zone.clone()).strftime("%z").to_string();
        self.zone.iana_name().map_or_else(|| offset.clone(), |name| format!("{name} {offset}"))
    }

    /// Epoch seconds; none where no calendar has them.
    pub(super) fn epoch(&self, seconds: i64) -> Option<Moment> {
        Timestamp::from_second(seconds).ok().map(|time| self.show(&time))
    }

    /// Epoch seconds that may not be known.
    pub(super) fn at(&self, seconds: &Option<i64>) -> Option<Moment> {
        seconds.and_then(|seconds| self.epoch(seconds))
    }

    /// When a node was last scraped, or since when it cannot be.
    pub(super) fn seen(&self, node: &Node) -> Option<Moment> {
        self.at(&node.seen)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_older_than_two_refreshes_is_late() {
        let late = |age: i64, every| {
            let at = |second| Timestamp::from_second(second).unwrap();
            is_late(at(1_000), at(1_000 + age), Duration::from_millis(every))
        };
        assert!(!late(60, 30_000) && late(61, 30_000));
        assert!(!late(10, 100) && late(11, 100), "asked often, it is not late at once");
        assert!(!late(-5, 100), "a clock that was set back");
    }
}
