//! The families of one group, rendered: few pieces of memory, however many families there are.
//!
//! The text is what a scrape takes. It says all there is to say of counters, gauges and untyped metrics, from which the other formats
//! are made when somebody asks for them; of summaries and histograms, whose messages may have more than the text shows, the message
//! is kept as well.

use std::collections::BTreeMap;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::{Arc, LazyLock};

use exposition::pushed::{Metric, MetricType, Value, decode_metrics, encode_metrics, parse_text, write_metric};
use jiff::Timestamp;

use super::is_stamp;

/// What a family is in every group that pushes it alike; they share one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// The name.
    pub name: Arc<str>,
    /// The type.
    pub kind: MetricType,
    /// The help text, if it came with one.
    pub help: Option<Box<str>>,
}

/// The families of one group, in the order of their names.
#[derive(Clone, Debug, Default)]
pub struct Families {
    entries: Box<[Entry]>,
    text: Box<str>,
    messages: Box<[u8]>,
    series: Box<[u64]>,
}

#[derive(Clone, Debug)]
struct Entry {
    head: Arc<Head>,
    pushed: Timestamp,
    end: End,
}

/// Where a family's part of each piece ends. It begins where that of the one before ends.
#[derive(Clone, Copy, Debug, Default)]
struct End {
    text: usize,
    messages: usize,
    series: usize,
}

/// The samples of one family in one group.
#[derive(Clone, Copy, Debug)]
pub struct Block<'a> {
    head: &'a Arc<Head>,
    pushed: Timestamp,
    text: &'a str,
    message: &'a [u8],
    series: &'a [u64],
}

/// Families that are being rendered, in any order.
#[derive(Debug, Default)]
pub(crate) struct Renderer {
    entries: Vec<Entry>,
    text: String,
    messages: Vec<u8>,
    series: Vec<u64>,
}

/// The key of the hashes: another one each time the program runs, so that nobody can choose series that collide.
pub(super) static KEY: LazyLock<RandomState> = LazyLock::new(RandomState::new);

// === impl Families ===

impl Families {
    /// Each family.
    pub fn iter(&self) -> impl Iterator<Item = Block<'_>> + Clone {
        (0..self.entries.len()).map(|at| self.block(at))
    }

    /// The family of a name.
    pub fn get(&self, name: &str) -> Option<Block<'_>> {
        let at = self.entries.binary_search_by(|entry| (*entry.head.name).cmp(name)).ok()?;
        Some(self.block(at))
    }

    /// The family at a place in the order of names.
    ///
    /// # Panics
    /// When there are fewer.
    pub fn block(&self, at: usize) -> Block<'_> {
        let entry = &self.entries[at];
        let start = at.checked_sub(1).map_or(End::default(), |before| self.entries[before].end);
        Block {
            head: &entry.head,
            pushed: entry.pushed,
            text: &self.text[start.text..entry.end.text],
            message: &self.messages[start.messages..entry.end.messages],
            series: &self.series[start.series..entry.end.series],
        }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// These with the samples of `new` in the place of `old`, which are of the same series and, as gauges are, of one line each; none
    /// if they are not.
    pub(super) fn with(&self, old: &Self, new: &Self, at: Timestamp) -> Option<Self> {
        if old.series != new.series {
            return None;
        }
        let mut all = Renderer::with_capacity(self.len());
        all.text.reserve(self.text.len() + new.text.len());
        all.series.reserve(self.series.len());
        for block in self.iter().filter(|block| !is_stamp(block.name())) {
            let changed: Vec<_> = new.get(block.name()).into_iter().flat_map(|new| new.lines()).collect();
            for (series, line) in block.lines() {
                let new = changed.iter().find(|(new, _)| *new == series);
                all.text.push_str(new.map_or(line, |(_, new)| new));
                all.series.push(series);
            }
            all.end(Arc::clone(block.head), at);
        }
        Some(all.into_families())
    }

    /// Gives up its own copy of each head that `known` has.
    pub(super) fn share<'a>(&mut self, known: impl Fn(&Head) -> Option<&'a Arc<Head>>) {
        for entry in &mut self.entries {
            if let Some(known) = known(&entry.head).filter(|known| *known == &entry.head) {
                entry.head = Arc::clone(known);
            }
        }
    }
}

/// Of families of one name the last counts.
impl<'a> FromIterator<Block<'a>> for Families {
    fn from_iter<I: IntoIterator<Item = Block<'a>>>(blocks: I) -> Self {
        let blocks: BTreeMap<&str, Block<'_>> = blocks.into_iter().map(|block| (block.name(), block)).collect();
        let sum = |length: fn(&Block<'_>) -> usize| blocks.values().map(length).sum::<usize>();
        let mut all = Renderer {
            entries: Vec::with_capacity(blocks.len()),
            text: String::with_capacity(sum(|block| block.text.len())),
            messages: Vec::with_capacity(sum(|block| block.message.len())),
            series: Vec::with_capacity(sum(|block| block.series.len())),
        };
        for block in blocks.into_values() {
            all.text.push_str(block.text);
            all.messages.extend_from_slice(block.message);
            all.series.extend_from_slice(block.series);
            all.end(Arc::clone(block.head), block.pushed);
        }
        all.into_families()
    }
}

// === impl Block ===

impl<'a> Block<'a> {
    /// What it shares with other groups' families of the name.
    pub fn head(&self) -> &'a Arc<Head> {
        self.head
    }

    /// The name.
    pub fn name(&self) -> &'a str {
        &self.head.name
    }

    /// The type.
    pub fn kind(&self) -> MetricType {
        self.head.kind
    }

    /// The help text, if it came with one.
    pub fn help(&self) -> Option<&'a str> {
        self.head.help.as_deref()
    }

    /// When it was pushed.
    pub fn pushed(&self) -> Timestamp {
        self.pushed
    }

    /// The sample lines of the classic text format.
    pub fn text(&self) -> &'a str {
        self.text
    }

    /// The message, if there may be more in it than in the text.
    pub fn kept_message(&self) -> Option<&'a [u8]> {
        has_message(self.kind()).then_some(self.message)
    }

    /// A hash of each series.
    pub fn series(&self) -> &'a [u64] {
        self.series
    }

    /// Each series with its line, where each has one.
    fn lines(self) -> impl Iterator<Item = (u64, &'a str)> {
        self.series.iter().copied().zip(self.text.split_inclusive('\n'))
    }

    /// The metrics.
    pub fn metrics(&self) -> Vec<Metric> {
        Self::metrics_of(std::iter::once(*self))
    }

    /// The metrics of several blocks of one family.
    pub fn metrics_of(blocks: impl Iterator<Item = Self>) -> Vec<Metric> {
        let (mut metrics, mut text) = (Vec::new(), String::new());
        for block in blocks {
            match block.kept_message() {
                Some(message) => metrics.extend(
                    decode_metrics(block.name(), block.kind(), message)
                        .expect("the message was encoded from such metrics"),
                ),
                None => text.push_str(block.text),
            }
        }
        let families = parse_text(text.as_bytes()).expect("the text was written from valid names");
        metrics.extend(families.into_iter().flat_map(|family| family.metrics));
        metrics
    }
}

// === impl Renderer ===

impl Renderer {
    pub(super) fn with_capacity(families: usize) -> Self {
        Self {
            entries: Vec::with_capacity(families),
            text: String::with_capacity(families * 128),
            series: Vec::with_capacity(families),
            ..Self::default()
        }
    }

    /// Adds a metric of the family that the next [`end`](Self::end) ends.
    pub(crate) fn metric(&mut self, name: &str, kind: MetricType, labels: &[(&str, &str)], value: &Value) {
        write_metric(name, labels, value, &mut self.text);
        if has_message(kind) {
            let labels = labels.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect();
            let metric = Metric { labels, value: Some(value.clone()), timestamp_ms: None };
            self.messages.extend(encode_metrics(kind, &[metric]));
        }
        self.series.push(hash(name, labels));
    }

    /// The hashes of the metrics since the last [`end`](Self::end).
    pub(super) fn series(&self) -> &[u64] {
        &self.series[self.entries.last().map_or(0, |last| last.end.series)..]
    }

    pub(crate) fn end(&mut self, head: Arc<Head>, pushed: Timestamp) {
        let end = End { text: self.text.len(), messages: self.messages.len(), series: self.series.len() };
        self.entries.push(Entry { head, pushed, end });
    }

    pub(crate) fn finish(self) -> Families {
        let families = self.into_families();
        let sorted = families.entries.is_sorted_by(|one, next| one.head.name < next.head.name);
        if sorted { families } else { families.iter().collect() }
    }

    fn into_families(self) -> Families {
        Families {
            entries: self.entries.into(),
            text: self.text.into(),
            messages: self.messages.into(),
            series: self.series.into(),
        }
    }
}

/// The hash of a series. Those that have the same labels, as most of a group have, are near each other in the order of hashes: what is
/// indexed by them is then changed in one place for a push, not in one for each series.
fn hash(name: &str, labels: &[(&str, &str)]) -> u64 {
    /// Bits of the labels' hash. Series of the same labels are told from each other by the rest, all others by all bits.
    const NEAR: u64 = !0 << 44;
    let near = KEY.hash_one(labels);
    (near & NEAR) | (KEY.hash_one((name, near)) & !NEAR)
}

/// Whether a message of this type may have more than its text: a native histogram, or no sum or count.
fn has_message(kind: MetricType) -> bool {
    matches!(kind, MetricType::Summary | MetricType::Histogram)
}

#[cfg(test)]
mod tests {
    use exposition::pushed::{MetricFamily, Summary};
    use proptest::prelude::*;

    use super::*;
    use crate::groups::prepare;
    use crate::labels::Labels;

    fn group() -> Labels {
        Labels::new([("job".to_owned(), "j\\\"\n".to_owned())])
    }

    fn pushed(name: &str, kind: MetricType, metrics: Vec<Metric>) -> MetricFamily {
        MetricFamily { name: name.to_owned(), help: None, kind, metrics }
    }

    fn metric(labels: &[(&str, &str)], value: Value) -> Metric {
        let labels = labels.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect();
        Metric { labels, value: Some(value), timestamp_ms: None }
    }

    #[test]
    fn families_are_in_the_order_of_their_names_and_the_last_of_a_name_counts() {
        let one = |name: &str, value: f64| pushed(name, MetricType::Gauge, vec![metric(&[], Value::Number(value))]);
        let push = vec![one("n", 1.0), one("m", 2.0), one("n", 3.0)];
        let families = prepare(&group(), push, Timestamp::UNIX_EPOCH).unwrap();
        let texts: Vec<_> = families.iter().map(|block| (block.name(), block.text().rsplit(' ').next())).collect();
        assert_eq!(texts, [("m", Some("2\n")), ("n", Some("3\n"))]);
        assert_eq!(families.get("n").unwrap().series().len(), 1);
        assert!(families.get("o").is_none());
    }

    #[test]
    fn a_summary_without_sum_and_count_stays_without_them() {
        let push = vec![
            pushed("a", MetricType::Gauge, vec![metric(&[], Value::Number(1.0))]),
            pushed("s", MetricType::Summary, vec![metric(&[], Value::Summary(Summary::default()))]),
        ];
        let families = prepare(&group(), push, Timestamp::UNIX_EPOCH).unwrap();
        let block = families.get("s").unwrap();
        assert_eq!(block.metrics()[0].value, Some(Value::Summary(Summary::default())));
        assert!(block.text().contains("s_sum"));
    }

    #[test]
    fn series_of_the_same_labels_are_side_by_side_and_no_two_are_one() {
        let group = |instance: u32| {
            let instance = instance.to_string();
            ["a", "b", "c"].map(|name| hash(name, &[("instance", &*instance), ("job", "j")]))
        };
        let mut all: Vec<_> = (0..1000).flat_map(group).collect();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), 3000);
        for instance in 0..1000 {
            let places = group(instance).map(|series| all.binary_search(&series).unwrap());
            // Others have the same place by chance.
            assert!(places.iter().max().unwrap() - places.iter().min().unwrap() < 12, "{places:?}");
        }
    }

    #[test]
    fn what_is_known_is_shared() {
        let push = |help: &str| {
            let family = pushed("m", MetricType::Gauge, vec![metric(&[], Value::Number(1.0))]);
            let family = MetricFamily { help: Some(help.to_owned()), ..family };
            prepare(&group(), vec![family], Timestamp::UNIX_EPOCH).unwrap()
        };
        let (known, mut same, mut other) = (push("a"), push("a"), push("b"));
        let known = known.block(0);
        for families in [&mut same, &mut other] {
            families.share(|head| Some(known.head()).filter(|known| known.name == head.name));
        }
        assert!(Arc::ptr_eq(same.block(0).head(), known.head()));
        assert_eq!(other.block(0).help(), Some("b"));
    }

    proptest! {
        #[test]
        fn the_text_says_all_of_a_number(
            values in prop::collection::vec((any::<f64>(), any::<String>(), any::<String>()), 1..4),
            kind in prop::sample::select(vec![MetricType::Counter, MetricType::Gauge, MetricType::Untyped]),
        ) {
            let metric = |(at, (number, one, other)): (usize, &(f64, String, String))| {
                metric(&[("at", &at.to_string()), ("one", one), ("other", other)], Value::Number(*number))
            };
            let metrics: Vec<_> = values.iter().enumerate().map(metric).collect();
            let family = pushed("m_total:x", kind, metrics.clone());
            let families = prepare(&group(), vec![family], Timestamp::UNIX_EPOCH).unwrap();
            let block = families.block(0);
            for (read, pushed) in block.metrics().iter().zip(&metrics) {
                let labels: Vec<_> = group().on(&pushed.labels).iter().map(|&(n, v)| (n.to_owned(), v.to_owned())).collect();
                prop_assert_eq!(&read.labels, &labels);
                // NaN is not equal to itself.
                prop_assert_eq!(format!("{:?}", read.value), format!("{:?}", pushed.value));
            }
            prop_assert_eq!(block.metrics().len(), metrics.len());
        }
    }
}
