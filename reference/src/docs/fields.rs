//! A configuration file: every field that its reader asks for ([`service::config::survey()`]), with kind, default and bounds as the code
//! has them, and what it means from `meanings/`. A field without a meaning, and a meaning without a field, fail the tests.
//!
//! A line of `meanings/` is `path | type | default | meaning`; type and default only where the reader does not say them.

use anyhow::{Context as _, bail};
use service::config::{Kind, Known};

use super::markdown::{code, table};

/// Fields that every server that is asked has: Prometheus's `http_config`.
const HTTP: [&str; 4] = ["basic_auth", "authorization", "tls_config", "http_headers"];

/// A configuration file.
pub(super) struct File {
    pub(super) known: Vec<Known>,
    pub(super) meanings: &'static str,
}

/// The file of a program, if it has one.
pub(super) fn file(program: &str) -> Option<File> {
    let (known, meanings) = match program {
        "alertmanager-proxy" => {
            (alertmanager_proxy::Config::fields(), include_str!("../../meanings/alertmanager-proxy.txt"))
        }
        "web-ui" => (web_ui::Config::fields(), include_str!("../../meanings/web-ui.txt")),
        "pushgateway-agent" => {
            (checkscript_agent::push::config::fields(), include_str!("../../meanings/pushgateway-agent.txt"))
        }
        _ => return None,
    };
    let known = known.into_iter().filter(|known| !is_http(&known.path)).collect();
    Some(File { known, meanings })
}

/// The file of `--web.config.file`.
pub(super) fn web_config() -> File {
    File { known: service::web_config_fields(), meanings: include_str!("../../meanings/web-config.txt") }
}

/// How a server is asked, wherever a configuration names one.
pub(super) fn http_client() -> File {
    let own = |mut known: Known| {
        known.path = known.path.strip_prefix("gateways[].")?.to_owned();
        HTTP.iter().any(|name| root(&known.path) == *name).then_some(known)
    };
    let known = checkscript_agent::push::config::fields().into_iter().filter_map(own).collect();
    File { known, meanings: include_str!("../../meanings/http-client.txt") }
}

/// Whether it is below one of [`HTTP`]; the first of those stays, for all of them.
fn is_http(path: &str) -> bool {
    path.split('.').any(|part| HTTP.contains(&part)) && !path.ends_with(".basic_auth")
}

fn root(path: &str) -> &str {
    path.split('.').next().unwrap_or(path)
}

/// The table of a file's fields.
pub(super) fn fields(file: &File) -> anyhow::Result<String> {
    let meanings = meanings(file.meanings)?;
    if let Some(strange) = meanings.iter().find(|one| file.known.iter().all(|known| known.path != one.path)) {
        bail!("{} has a meaning, but no reader asks for it", strange.path);
    }
    let mut rows = Vec::new();
    below("", file, &meanings, &mut rows)?;
    Ok(table(&["field", "type", "default", "meaning"], rows))
}

/// What stands below `parent`, each field followed by what stands below it.
fn below(parent: &str, file: &File, meanings: &[Meaning<'_>], rows: &mut Vec<Vec<String>>) -> anyhow::Result<()> {
    for known in file.known.iter().filter(|known| self::parent(&known.path) == parent) {
        rows.extend(row(known, meanings)?);
        below(&known.path, file, meanings, rows)?;
    }
    Ok(())
}

fn parent(path: &str) -> &str {
    let parent = path.rsplit_once('.').map_or("", |(parent, _)| parent);
    parent.trim_end_matches("[]").trim_end_matches(".NAME")
}

/// The row of a field; none of a mapping that only holds others.
fn row(known: &Known, meanings: &[Meaning<'_>]) -> anyhow::Result<Option<Vec<String>>> {
    if let Some(holder) = known.path.strip_suffix("basic_auth").filter(|holder| !holder.is_empty()) {
        let names = HTTP.map(|name| code(&format!("{holder}{name}"))).join("<br>");
        let meaning = "how it is asked: [credentials, TLS and headers](http-client.md)";
        return Ok(Some(vec![names, "mapping".to_owned(), "none".to_owned(), meaning.to_owned()]));
    }
    let Some(meaning) = meanings.iter().find(|one| one.path == known.path) else {
        return match known.kind {
            Kind::Mapping => Ok(None),
            _ => bail!("{} has no meaning: say it in reference/meanings/", known.path),
        };
    };
    let (kind, default) = kind(&known.kind);
    let or = |own: &str, told: String| if own.is_empty() { told } else { own.to_owned() };
    let default = match &known.needed {
        Some(_) if meaning.default.is_empty() => "needed".to_owned(),
        _ => or(&default, meaning.default.to_owned()),
    };
    Ok(Some(vec![code(&known.path), or(meaning.kind, kind), default, meaning.text.to_owned()]))
}

/// Type and default as the code has them.
fn kind(kind: &Kind) -> (String, String) {
    match kind {
        Kind::Value => ("text".to_owned(), String::new()),
        Kind::Boolean => ("boolean".to_owned(), String::new()),
        Kind::Number { default } => ("number".to_owned(), code(default)),
        Kind::Duration { range: [least, most], default } => (format!("duration, {least} to {most}"), code(default)),
        Kind::List => ("list".to_owned(), String::new()),
        Kind::Mapping => ("mapping".to_owned(), String::new()),
        Kind::Names => ("mapping".to_owned(), String::new()),
    }
}

/// A line of `meanings/`.
struct Meaning<'a> {
    path: &'a str,
    kind: &'a str,
    default: &'a str,
    text: &'a str,
}

fn meanings(text: &str) -> anyhow::Result<Vec<Meaning<'_>>> {
    text.lines()
        .map(|line| {
            let mut parts = line.splitn(4, '|').map(str::trim);
            let mut part = || parts.next().with_context(|| format!("not `path | type | default | meaning`: {line}"));
            Ok(Meaning { path: part()?, kind: part()?, default: part()?, text: part()? })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_field_has_a_meaning_and_every_meaning_a_field() {
        let programs = ["alertmanager-proxy", "web-ui", "pushgateway-agent"].map(|name| file(name).unwrap());
        for file in programs.into_iter().chain([web_config(), http_client()]) {
            let table = fields(&file).unwrap();
            for known in file.known.iter().filter(|known| known.kind != Kind::Mapping) {
                assert!(table.contains(&code(&known.path)), "{}: {table}", known.path);
            }
        }
    }

    #[test]
    fn defaults_and_bounds_are_the_codes() {
        let table = fields(&file("alertmanager-proxy").unwrap()).unwrap();
        assert!(table.contains("| `fetch.breaker.rest` | duration, 1ms to 1h | `30s` |"), "{table}");
        assert!(table.contains("| `alertmanagers[].url` | URL | needed"), "{table}");
    }

    #[test]
    fn a_field_without_a_meaning_and_a_meaning_without_a_field_are_told() {
        let known = file("alertmanager-proxy").unwrap().known;
        let told = fields(&File { known: known.clone(), meanings: "" }).unwrap_err().to_string();
        assert!(told.starts_with("alertmanagers has no meaning"), "{told}");
        let told = fields(&File { known, meanings: "nowhere | | | x" }).unwrap_err().to_string();
        assert!(told.starts_with("nowhere has a meaning"), "{told}");
    }
}
