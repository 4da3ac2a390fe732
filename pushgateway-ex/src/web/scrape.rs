//! The answer to a scrape: the gateway's own metrics and everything that was pushed, each family in one piece.
//!
//! ```text
//! GET /metrics (--web.telemetry-path)
//! ```
//!
//! The page is copied together from what the groups of a snapshot have rendered, piece by piece as the client takes it, so that it is
//! never whole in memory and no push waits for it. The formats that are not kept are made family by family.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::fmt::Display;
use std::sync::Arc;

use axum::body::Body;
use axum::http::StatusCode;
use axum::http::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use axum::response::Response;
use bytes::Bytes;
use exposition::pushed::{
    Metric, MetricFamily, MetricType, ParseError, encode_family_head, encode_metrics, parse_text, write_header,
    write_metrics, write_open_metrics,
};
use futures_util::stream;
use prometheus_client::registry::Registry;

use super::negotiate::Format;
use super::reply;
use crate::groups::{Block, Group, Groups, Head};

/// A piece of a page is at least this long, in bytes, if it is not the last one of a family.
const PIECE: usize = 64 << 10;

/// Blocks that are read together.
const READ: usize = 256;

/// Own metrics that every server of this project has under these names. Other people's programs push metrics of such names, so
/// here they get the gateway's prefix.
const COMMON: &str = "http_";
/// The one of them that the gateway has itself, as the reference does.
const COUNTED: &str = "http_requests_total";

/// Metrics that every Go program has, the reference too: a push is refused that has them with other types.
const GO: &str = include_str!("go_metrics.txt");

/// Makes the pages.
#[derive(Default)]
pub struct Scrape {
    registry: Registry,
}

/// One family of a page.
struct Section {
    name: Arc<str>,
    own: Option<MetricFamily>,
    pushed: Option<Arc<Head>>,
    blocks: Blocks,
}

/// What the groups have of one family.
#[derive(Clone, Default)]
struct Blocks {
    groups: Arc<[Arc<Group>]>,
    /// Which group, and where in it.
    places: Vec<(u32, u32)>,
}

impl Scrape {
    /// The names that pushed metrics cannot use freely, with their types.
    pub fn reserved(&self, registry: &Registry) -> BTreeMap<String, MetricType> {
        let types = own_text(registry);
        let lines = types.lines().filter_map(|line| line.strip_prefix("# TYPE ")).chain(GO.lines());
        lines
            .filter_map(|line| {
                let (name, word) = line.split_once(' ')?;
                let kind = MetricType::ALL.into_iter().find(|kind| kind.word() == word)?;
                Some((own_name(name)?, kind))
            })
            .collect()
    }

    /// Pages that show what is registered.
    pub fn of(self, registry: Registry) -> Self {
        Self { registry }
    }

    pub(super) async fn answer(self: Arc<Self>, groups: Arc<Groups>, headers: &HeaderMap) -> Response {
        let format = Format::of(headers);
        let end = (format == Format::OpenMetrics).then(|| "# EOF\n".into());
        // It looks at every group, which of hundreds of thousands takes a while.
        let failed = |error: &dyn Display| reply::error(StatusCode::INTERNAL_SERVER_ERROR, error);
        let sections = match tokio::task::spawn_blocking(move || self.sections(&groups)).await {
            Ok(Ok(sections)) => sections,
            Ok(Err(error)) => return failed(&format_args!("the gateway's own metrics: {error}")),
            Err(error) => return failed(&error),
        };
        let pieces = sections.into_iter().flat_map(move |section| section.pieces(format));
        let pieces = pieces.chain(end).map(Ok::<Bytes, Infallible>);
        let mut response = Response::new(Body::from_stream(stream::iter(pieces)));
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(format.content_type()));
        response
    }

    fn sections(&self, groups: &Groups) -> Result<Vec<Section>, ParseError> {
        let own = parse_text(own_text(&self.registry).as_bytes())?;
        let mut sections = BTreeMap::new();
        for mut family in own {
            let Some(name) = own_name(&family.name) else { continue };
            family.name.clone_from(&name);
            let name: Arc<str> = name.into();
            sections.insert(
                Arc::clone(&name),
                Section { name, own: Some(family), pushed: None, blocks: Blocks::default() },
            );
        }
        for ((name, family), blocks) in groups.families().zip(Blocks::of(groups)) {
            let empty = || Section { name: Arc::clone(name), own: None, pushed: None, blocks: Blocks::default() };
            let section = sections.entry(Arc::clone(name)).or_insert_with(empty);
            (section.pushed, section.blocks) = (Some(Arc::clone(&family.head)), blocks);
        }
        Ok(sections.into_values().collect())
    }
}

// === impl Blocks ===

impl Blocks {
    /// Those of each family, in the order of names.
    fn of(groups: &Groups) -> Vec<Self> {
        let all: Arc<[_]> = groups.iter().map(Arc::clone).collect();
        let (names, mut places): (Vec<&str>, Vec<Vec<_>>) =
            groups.families().map(|(name, family)| (&**name, Vec::with_capacity(family.groups))).unzip();
        for (group, at) in all.iter().zip(0..) {
            // Most groups have the families that others have: the next one is the next one here.
            let mut next = 0;
            for (block, family) in group.families.iter().zip(0..) {
                if names.get(next) != Some(&block.name()) {
                    next = names.binary_search(&block.name()).expect("the index has every family of every group");
                }
                places[next].push((at, family));
                next += 1;
            }
        }
        places.into_iter().map(|places| Self { groups: Arc::clone(&all), places }).collect()
    }

    fn iter(&self) -> impl Iterator<Item = Block<'_>> {
        self.from(0)
    }

    fn from(&self, start: usize) -> impl Iterator<Item = Block<'_>> {
        self.places[start..].iter().map(|&place| self.block(place))
    }

    fn block(&self, (group, at): (u32, u32)) -> Block<'_> {
        self.groups[group as usize].families.block(at as usize)
    }

    /// All metrics, some at a time: text is read faster in longer pieces.
    fn metrics(&self) -> impl Iterator<Item = Vec<Metric>> {
        self.places.chunks(READ).map(|places| Block::metrics_of(places.iter().map(|&place| self.block(place))))
    }
}

// === impl Section ===

impl Section {
    fn pieces(self, format: Format) -> Box<dyn Iterator<Item = Bytes> + Send> {
        match format {
            Format::Text => Box::new(Pieces { start: self.text_start(), blocks: self.blocks, next: 0 }),
            Format::Protobuf => Box::new(std::iter::once(self.protobuf())),
            Format::OpenMetrics => Box::new(std::iter::once(self.open_metrics())),
        }
    }

    fn kind(&self) -> MetricType {
        let own = self.own.as_ref().map(|own| own.kind);
        own.or(self.pushed.as_ref().map(|pushed| pushed.kind)).unwrap_or(MetricType::Untyped)
    }

    /// The gateway's own help, else that of one of the groups.
    fn help(&self) -> Option<&str> {
        let own = self.own.as_ref().and_then(|own| own.help.as_deref());
        own.or_else(|| self.blocks.iter().find_map(|block| block.help()))
    }

    fn own_metrics(&self) -> &[Metric] {
        self.own.as_ref().map_or(&[], |own| &own.metrics)
    }

    fn text_start(&self) -> Vec<u8> {
        let mut text = String::new();
        write_header(&self.name, self.help(), self.kind(), &mut text);
        write_metrics(&self.name, self.own_metrics(), &mut text);
        text.into_bytes()
    }

    fn protobuf(&self) -> Bytes {
        let mut metrics = encode_metrics(self.kind(), self.own_metrics());
        for pushed in self.blocks.metrics() {
            metrics.extend(encode_metrics(self.kind(), &pushed));
        }
        let mut message = Vec::new();
        encode_family_head(&self.name, self.help(), self.kind(), metrics.len(), &mut message);
        message.extend(metrics);
        message.into()
    }

    fn open_metrics(&self) -> Bytes {
        let pushed: Vec<_> = self.blocks.metrics().flatten().collect();
        let mut text = String::new();
        let metrics = self.own_metrics().iter().chain(&pushed);
        write_open_metrics(&self.name, self.help(), self.kind(), metrics, &mut text);
        text.into()
    }
}

/// A family as text in pieces: its start, then its blocks.
struct Pieces {
    start: Vec<u8>,
    blocks: Blocks,
    next: usize,
}

impl Iterator for Pieces {
    type Item = Bytes;

    fn next(&mut self) -> Option<Bytes> {
        let mut piece = std::mem::take(&mut self.start);
        for block in self.blocks.from(self.next) {
            if piece.len() >= PIECE {
                break;
            }
            piece.extend_from_slice(block.text().as_bytes());
            self.next += 1;
        }
        (!piece.is_empty()).then(|| piece.into())
    }
}

fn own_text(registry: &Registry) -> String {
    let mut page = String::new();
    exposition::write_registry(registry, exposition::Format::Text, &mut page);
    page
}

/// The name under which an own metric is shown, none if it is not.
fn own_name(name: &str) -> Option<String> {
    match name {
        COUNTED => None,
        name if name.starts_with(COMMON) => Some(format!("pushgateway_{name}")),
        name => Some(name.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use prometheus_client::metrics::counter::Counter;

    use super::*;
    use crate::groups::Limits;

    #[tokio::test]
    async fn own_metrics_that_cannot_be_shown_fail_the_scrape() {
        let mut registry = Registry::default();
        let groups = Arc::new(Groups::new(BTreeMap::new(), Limits { groups: 1, series: 1 }));
        let status = async |registry| {
            Arc::new(Scrape { registry }).answer(Arc::clone(&groups), &HeaderMap::new()).await.status()
        };
        assert_eq!(status(Registry::default()).await, 200);
        registry.register("a b", "A name that is none", Counter::<u64>::default());
        assert_eq!(status(registry).await, 500);
    }
}
