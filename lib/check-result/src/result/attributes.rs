//! What the attributes of a result mean where that is more than their value, and those that gauges are made of.

use serde_json::Value;

use crate::Object;

/// The attributes that gauges are made of. A scrape needs a dozen of every check; to look each up by its name costs a hash of the
/// name, so all are found in one pass.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Attributes<'a> {
    name: Option<&'a Value>,
    source: Option<&'a Value>,
    kind: Option<&'a Value>,
    handlers: Option<&'a Value>,
    handler: Option<&'a Value>,
    status: Option<&'a Value>,
    executed: Option<&'a Value>,
    issued: Option<&'a Value>,
    duration: Option<&'a Value>,
    interval: Option<&'a Value>,
    ttl: Option<&'a Value>,
    occurrences: Option<&'a Value>,
}

// === impl Attributes ===

impl<'a> Attributes<'a> {
    pub(super) fn of(check: &'a Object) -> Self {
        let mut found = Self::default();
        for (name, value) in check {
            let place = match &**name {
                "name" => &mut found.name,
                "source" => &mut found.source,
                "type" => &mut found.kind,
                "handlers" => &mut found.handlers,
                "handler" => &mut found.handler,
                "status" => &mut found.status,
                "executed" => &mut found.executed,
                "issued" => &mut found.issued,
                "duration" => &mut found.duration,
                "interval" => &mut found.interval,
                "ttl" => &mut found.ttl,
                "occurrences" => &mut found.occurrences,
                _ => continue,
            };
            *place = Some(value);
        }
        found
    }

    pub(crate) fn name(&self) -> &'a str {
        text(self.name).unwrap_or_default()
    }

    pub(crate) fn source(&self) -> Option<&'a str> {
        source(self.source)
    }

    /// The definition's `type`.
    pub(crate) fn kind(&self) -> Option<&'a str> {
        text(self.kind)
    }

    pub(crate) fn handlers(&self) -> Vec<&'a str> {
        handlers(self.handlers, || self.handler)
    }

    pub(crate) fn exit_code(&self) -> i64 {
        exit_code(self.status)
    }

    pub(crate) fn executed(&self) -> Option<i64> {
        executed(self.executed, || self.issued)
    }

    pub(crate) fn duration(&self) -> Option<f64> {
        number(self.duration)
    }

    pub(crate) fn interval(&self) -> Option<f64> {
        number(self.interval)
    }

    pub(crate) fn ttl(&self) -> Option<f64> {
        number(self.ttl)
    }

    pub(crate) fn occurrences_required(&self) -> u64 {
        occurrences_required(self.occurrences)
    }
}

pub(super) fn text(value: Option<&Value>) -> Option<&str> {
    value.and_then(Value::as_str)
}

pub(super) fn number(value: Option<&Value>) -> Option<f64> {
    value.and_then(Value::as_f64)
}

pub(super) fn source(source: Option<&Value>) -> Option<&str> {
    text(source).filter(|source| !source.is_empty())
}

pub(super) fn exit_code(status: Option<&Value>) -> i64 {
    status.and_then(Value::as_i64).unwrap_or_default()
}

pub(super) fn executed<'a>(executed: Option<&Value>, issued: impl FnOnce() -> Option<&'a Value>) -> Option<i64> {
    executed.and_then(Value::as_i64).or_else(|| issued().and_then(Value::as_i64))
}

pub(super) fn occurrences_required(occurrences: Option<&Value>) -> u64 {
    occurrences.and_then(Value::as_u64).filter(|&n| n > 0).unwrap_or(1)
}

pub(super) fn handlers<'a>(handlers: Option<&'a Value>, handler: impl FnOnce() -> Option<&'a Value>) -> Vec<&'a str> {
    match handlers {
        Some(Value::Array(handlers)) => handlers.iter().filter_map(Value::as_str).collect(),
        _ => text(handler()).into_iter().collect(),
    }
}
