//! What a person gets in a terminal.

use std::fmt::Write;

use crate::api::detail::Summary;

/// A table: status, check (`source/check` for a proxy client's), first line of the output.
pub(super) fn table(summaries: &[Summary]) -> String {
    let names: Vec<_> = summaries.iter().map(name).collect();
    let width = names.iter().map(|name| name.chars().count()).max().unwrap_or_default();
    let mut out = String::new();
    for (summary, name) in summaries.iter().zip(names) {
        let line = format!("{:8}  {name:width$}  {}", summary.status, summary.output);
        let _ = writeln!(out, "{}", line.trim_end());
    }
    out
}

fn name(summary: &Summary) -> String {
    let label = |name| summary.labels.get(name).map_or("", String::as_str);
    let own = ["check", "source"];
    let others = summary.labels.iter().filter(|(name, _)| !own.contains(&name.as_str()));
    let others: String = others.map(|(name, value)| format!(" {name}={value}")).collect();
    match label("source") {
        "" => format!("{}{others}", label("check")),
        source => format!("{source}/{}{others}", label("check")),
    }
}
