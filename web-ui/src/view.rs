//! What is known of a cluster at a moment: the model that every page and every answer of the API is made from.
//!
//! Prometheus and Alertmanager are asked for what is unusual (checks that are not OK) and for sums, never for every series, so
//! that a view of 20,000 nodes with 50 checks each is as large as its nodes and its problems. What a server said last stays
//! when it answers no more, with its age.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use check_result::{Status, cleaned_first_line};
use jiff::Timestamp;

use crate::alertmanager::{Alert, Silence, SilenceState};
use crate::matcher::{Labels, Matcher};
use crate::prometheus::{Aside, Known};
use crate::upstream::AskError;

mod covers;
mod metrics;
pub mod severity;

use covers::{Basis, Covers};
pub use metrics::{Answers, Check, Checks, Failing, Metrics, Node, State, Sums, status};

/// Everything known of a cluster.
#[derive(Clone, Debug, Default)]
pub struct View {
    /// What Prometheus says.
    pub metrics: Part<Metrics>,
    /// When the sums in it were made, and who could not make them.
    pub sums: Part<Sums>,
    /// What fires in its Alertmanagers.
    pub alerts: Part<Vec<Fired>>,
    /// What is silenced in them.
    pub silences: Part<Vec<Silenced>>,
    /// Alerts of each node, as indices of `alerts`.
    by_node: Arc<HashMap<Known, Vec<usize>>>,
    /// How many alerts each silence mutes, by its identifier.
    muted: Arc<HashMap<String, usize>>,
    /// Silences that are about each node, as indices of `silences`.
    covers: Arc<Covers>,
}

/// What some servers said, and when.
#[derive(Debug, Default)]
pub struct Part<T> {
    /// What they said.
    pub said: Arc<T>,
    /// When; never, if they have not answered yet.
    pub at: Option<Timestamp>,
    /// Who did not answer when they were last asked, and why. Of a pair, one may fail without harm.
    pub failures: Vec<AskError>,
    /// Whether nobody did.
    pub is_old: bool,
    /// What who answered could not do.
    pub warnings: Vec<String>,
}

/// An alert that fires.
#[derive(Clone, Debug)]
pub struct Fired {
    /// What Alertmanager says of it.
    pub alert: Alert,
    /// Why it is not told, or that it is.
    pub told: Told,
}

/// Whether an alert is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Told {
    /// Nothing keeps it from being told.
    Active,
    /// Another alert does.
    Inhibited,
    /// A silence does.
    Silenced,
}

/// A silence and what it matches.
#[derive(Clone, Debug)]
pub struct Silenced {
    /// What Alertmanager says of it.
    pub silence: Silence,
    /// Its matchers; none if one of them cannot be used here.
    pub matchers: Vec<Matcher>,
}

// === impl View ===

impl View {
    /// The view of these parts.
    pub fn new(
        metrics: Part<Metrics>,
        sums: Part<Sums>,
        alerts: Part<Vec<Fired>>,
        silences: Part<Vec<Silenced>>,
    ) -> Self {
        Self { sums, ..Self::default() }.with_alerts(alerts, silences).with_metrics(metrics)
    }

    /// The next one, where nodes have been heard of.
    #[must_use]
    pub fn with_metrics(&self, metrics: Part<Metrics>) -> Self {
        let covers = self.covers_of(&metrics.said, &self.silences.said);
        Self { metrics, covers, ..self.clone() }
    }

    /// The next one, where sums were made.
    #[must_use]
    pub fn with_sums(&self, sums: Part<Sums>) -> Self {
        Self { sums, ..self.clone() }
    }

    /// The next one, where Alertmanagers have been heard.
    #[must_use]
    pub fn with_alerts(&self, alerts: Part<Vec<Fired>>, silences: Part<Vec<Silenced>>) -> Self {
        let (mut by_node, mut muted) = (HashMap::<_, Vec<usize>>::new(), HashMap::new());
        for (index, fired) in alerts.said.iter().enumerate() {
            by_node.entry(fired.node()).or_default().push(index);
            for id in &fired.alert.status.silenced_by {
                *muted.entry(id.clone()).or_default() += 1;
            }
        }
        let covers = self.covers_of(&self.metrics.said, &silences.said);
        Self { alerts, silences, by_node: Arc::new(by_node), muted: Arc::new(muted), covers, ..self.clone() }
    }

    fn covers_of(&self, metrics: &Metrics, silences: &[Silenced]) -> Arc<Covers> {
        let before = Basis { metrics: &self.metrics.said, silences: &self.silences.said };
        Arc::new(self.covers.next(before, Basis { metrics, silences }))
    }

    /// The alerts of a node.
    pub fn alerts_of<'a>(&'a self, node: &Known) -> impl Iterator<Item = &'a Fired> {
        self.by_node.get(node).into_iter().flatten().map(|index| &self.alerts.said[*index])
    }

    /// How many alerts a silence mutes, as Alertmanager says, which knows whether it was there in time.
    pub fn muted_by(&self, silence: &str) -> usize {
        self.muted.get(silence).copied().unwrap_or_default()
    }

    /// How many silences that matter still cannot be matched here.
    pub fn unread(&self) -> usize {
        let matters = |silenced: &&Silenced| silenced.silence.status.state != SilenceState::Expired;
        self.silences.said.iter().filter(matters).filter(|silenced| !silenced.is_understood()).count()
    }

    /// Whether there may be a check that is called so, as far as is known.
    pub fn may_have_check(&self, name: &str) -> bool {
        self.sums.at.is_none()
            || self.sums.said.has_check(name)
            || self.metrics.said.checks.contains_key(name)
            || self.alerts.said.iter().any(|fired| fired.label("check") == name)
    }

    /// The silences in such a state that mute a node as a whole, whatever the check.
    pub fn silences_of<'a>(&'a self, node: &'a Node, state: SilenceState) -> impl Iterator<Item = &'a Silenced> {
        let named = self.covers.of(&node.id).iter().map(|index| &self.silences.said[*index]);
        named.filter(move |silenced| silenced.silence.status.state == state && silenced.covers(&node.labels))
    }

    /// The silences in force that mute a check of a node. Where alerts of it fire, Alertmanager says which: none if one is told.
    pub fn silences_of_check<'a>(&'a self, id: &Known, check: &str, source: &str) -> Vec<&'a Silenced> {
        let is_its = |fired: &&Fired| fired.label("check") == check && fired.label("source") == source;
        let by: Vec<_> = self.alerts_of(id).filter(is_its).map(|fired| &fired.alert.status.silenced_by).collect();
        if by.is_empty() {
            return self.silences_of_labels(id, [("check", check), ("source", source)]);
        }
        let is_told = by.iter().any(|by| by.is_empty());
        let mutes = |silenced: &&Silenced| !is_told && by.iter().any(|by| by.contains(&silenced.silence.id));
        self.silences.said.iter().filter(mutes).collect()
    }

    /// The silences in force that match what is known of a node, and these labels.
    fn silences_of_labels(&self, id: &Known, own: [(&str, &str); 2]) -> Vec<&Silenced> {
        let mut labels = self.metrics.said.node(id).map(|node| node.labels.clone()).unwrap_or_default();
        let all = [("job", &*id.job), ("instance", &*id.instance)].into_iter().chain(own);
        labels.extend(all.map(|(name, value)| (name.to_owned(), value.to_owned())));
        let may = self.covers.of(id).iter().chain(self.covers.anywhere()).map(|index| &self.silences.said[*index]);
        may.filter(|silenced| silenced.is_active() && silenced.matches(&labels)).collect()
    }
}

// === impl Part ===

impl<T> Part<T> {
    /// What `said` is now, with who did not answer.
    pub fn fresh(said: T, failures: Vec<AskError>) -> Self {
        Self { said: Arc::new(said), at: Some(Timestamp::now()), failures, is_old: false, warnings: Vec::new() }
    }

    /// What was answered, and what was said `aside`.
    pub fn answered(said: T, aside: Aside) -> Self {
        Self { warnings: aside.warnings, ..Self::fresh(said, aside.failures) }
    }

    /// The same as before, since nobody answered.
    pub fn outdated(&self, failures: Vec<AskError>) -> Self {
        Self { failures, is_old: true, ..self.clone() }
    }
}

impl<T> Clone for Part<T> {
    fn clone(&self) -> Self {
        Self {
            said: Arc::clone(&self.said),
            at: self.at,
            failures: self.failures.clone(),
            is_old: self.is_old,
            warnings: self.warnings.clone(),
        }
    }
}

// === impl Fired ===

impl Fired {
    /// The node that it is about; without a name where it is about none.
    pub fn node(&self) -> Known {
        let label = |name| self.label(name).to_owned();
        Known { job: label("job"), instance: label("instance") }
    }

    /// A label, empty where there is none.
    pub fn label(&self, name: &str) -> &str {
        self.alert.labels.get(name).map_or("", String::as_str)
    }

    /// Its label `severity`, empty where there is none.
    pub fn severity(&self) -> &str {
        self.label("severity")
    }

    /// What to show in one line: the output's first line, or else what the rule says; without what only a terminal reads.
    pub fn line(&self) -> Cow<'_, str> {
        let lines = ["output", "summary", "description", "message"].into_iter();
        let said = lines.filter_map(|name| self.alert.annotations.get(name));
        let mut said = said.map(|text| cleaned_first_line(text));
        said.find(|line| !line.is_empty()).unwrap_or_default()
    }

    /// How bad it is: the larger, the worse.
    pub fn rank(&self) -> u8 {
        severity::rank(self.severity())
    }

    /// How a page paints it.
    pub fn class(&self) -> &'static str {
        severity::class(self.severity())
    }
}

impl From<Alert> for Fired {
    fn from(alert: Alert) -> Self {
        let told = match (&*alert.status.silenced_by, &*alert.status.inhibited_by) {
            ([], []) => Told::Active,
            ([], _) => Told::Inhibited,
            _ => Told::Silenced,
        };
        Self { alert, told }
    }
}

// === impl Told ===

impl Told {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Active, Self::Inhibited, Self::Silenced];

    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Inhibited => "inhibited",
            Self::Silenced => "silenced",
        }
    }
}

// === impl Silenced ===

impl From<Silence> for Silenced {
    fn from(silence: Silence) -> Self {
        let matchers = silence.matchers.iter().map(|matcher| matcher.compiled().ok()).collect::<Option<_>>();
        Self { matchers: matchers.unwrap_or_default(), silence }
    }
}

impl Silenced {
    /// These, with the matchers of those that are known already: to compile a thousand expressions takes long.
    pub fn all(silences: Vec<Silence>, known: &[Self]) -> Vec<Self> {
        let known: HashMap<&str, &Self> = known.iter().map(|known| (&*known.silence.id, known)).collect();
        let silenced = |silence: Silence| match known.get(&*silence.id) {
            Some(known) if known.silence.matchers == silence.matchers => {
                Self { matchers: known.matchers.clone(), silence }
            }
            _ => silence.into(),
        };
        silences.into_iter().map(silenced).collect()
    }

    /// Whether its matchers can be used here: a few regular expressions only Alertmanager understands.
    pub fn is_understood(&self) -> bool {
        !self.matchers.is_empty()
    }

    /// Whether it is in force.
    pub fn is_active(&self) -> bool {
        self.silence.status.state == SilenceState::Active
    }

    /// Whether it matches an alert with these labels, now or not.
    pub fn matches(&self, labels: &Labels) -> bool {
        self.is_understood() && self.matchers.iter().all(|matcher| matcher.matches(labels))
    }
}

/// What several members of a group say, each thing once: the one that was `updated` last.
pub fn united<T>(said: Vec<Vec<T>>, id: impl Fn(&T) -> String, updated: impl Fn(&T) -> Timestamp) -> Vec<T> {
    let mut said = said.into_iter();
    let mut all = said.next().unwrap_or_default();
    let mut known: Option<HashMap<String, usize>> = None;
    for other in said {
        let known = known.get_or_insert_with(|| all.iter().enumerate().map(|(index, one)| (id(one), index)).collect());
        for one in other {
            match known.get(&id(&one)) {
                Some(index) if updated(&all[*index]) >= updated(&one) => {}
                Some(index) => all[*index] = one,
                None => {
                    known.insert(id(&one), all.len());
                    all.push(one);
                }
            }
        }
    }
    all
}

/// The word that a status has in addresses.
pub fn word(status: Status) -> String {
    status.word().to_lowercase()
}
