//! The model: families of samples.

use std::borrow::Cow;
use std::ops::Deref;
use std::sync::{Arc, OnceLock};

use crate::text;

/// One label: name and value. Values may hold any text; they are escaped when written.
pub type Label = (Cow<'static, str>, String);

/// The labels of a sample, shared so that the families of one check need neither copy them nor write them anew.
#[derive(Clone, Debug)]
pub struct Labels(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    labels: Box<[Label]>,
    /// As either format has them, when they have been written once.
    text: OnceLock<String>,
}

/// What a family's values mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A value that goes up and down.
    Gauge,
    /// A value that only goes up. The family is named without `_total`; the writer adds it where a format wants it.
    Counter,
}

/// All samples of one metric name, with its help text.
#[derive(Clone, Debug)]
pub struct Family {
    pub(crate) name: Cow<'static, str>,
    pub(crate) help: Cow<'static, str>,
    pub(crate) kind: Kind,
    pub(crate) samples: Vec<Sample>,
}

/// One series at the moment of the scrape.
#[derive(Clone, Debug)]
pub struct Sample {
    pub(crate) labels: Labels,
    pub(crate) value: f64,
}

// === impl Labels ===

impl Labels {
    /// In braces; nothing where there are none.
    pub(crate) fn text(&self) -> &str {
        self.0.text.get_or_init(|| text::labels(self))
    }
}

impl Deref for Labels {
    type Target = [Label];

    fn deref(&self) -> &[Label] {
        &self.0.labels
    }
}

impl From<Vec<Label>> for Labels {
    fn from(labels: Vec<Label>) -> Self {
        Self(Arc::new(Shared { labels: labels.into(), text: OnceLock::new() }))
    }
}

impl<const N: usize> From<[Label; N]> for Labels {
    fn from(labels: [Label; N]) -> Self {
        Vec::from(labels).into()
    }
}

impl FromIterator<Label> for Labels {
    fn from_iter<I: IntoIterator<Item = Label>>(labels: I) -> Self {
        labels.into_iter().collect::<Vec<_>>().into()
    }
}

// === impl Family ===

impl Family {
    /// An empty family. `name` must be a valid metric name; `help` is one sentence without a final period.
    pub fn new(name: impl Into<Cow<'static, str>>, help: impl Into<Cow<'static, str>>, kind: Kind) -> Self {
        Self { name: name.into(), help: help.into(), kind, samples: Vec::new() }
    }

    /// Adds a sample. The caller keeps label sets within a family distinct.
    pub fn push(&mut self, labels: impl Into<Labels>, value: f64) {
        self.samples.push(Sample { labels: labels.into(), value });
    }

    /// The metric name, without `_total`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The help text.
    pub fn help(&self) -> &str {
        &self.help
    }

    /// The samples in the order they were added.
    pub fn samples(&self) -> &[Sample] {
        &self.samples
    }
}

// === impl Sample ===

impl Sample {
    /// The sample's labels.
    pub fn labels(&self) -> &[Label] {
        &self.labels
    }

    /// The sample's value.
    pub fn value(&self) -> f64 {
        self.value
    }
}
