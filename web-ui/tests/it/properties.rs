//! What holds for any input. The fuzz targets assert it of what they come upon, the tests of what fuzzing began with and found.

// Named by their files, for the fuzz targets as well.
#[path = "properties/access.rs"]
mod access;
#[path = "properties/language.rs"]
mod language;

use std::time::Duration;

use check_result::Status;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::de::DeserializeOwned;
use url::Url;
use web_ui::Config;
use web_ui::address::{self, Address};
use web_ui::alertmanager::{Alert, RawMatcher, Silence, SilenceState};
use web_ui::detail::servers;
use web_ui::lists::{BadAddress, Page, Sort};
use web_ui::matcher::{Labels, Matcher, Op};
use web_ui::past::{Period, runs};
use web_ui::prometheus::{Sample, Series, Span, Target};
use web_ui::silencing::draft::{Form, Rulebook};
use web_ui::silencing::preview::Preview;
use web_ui::silencing::sentence::{Now, what};
use web_ui::silencing::{Draft, Plan, mark, proposal};
use web_ui::texts::Texts;
use web_ui::view::{Answers, Checks, Failing, Fired, Metrics, Node, Part, Silenced, Sums, View, status};

pub(crate) use self::access::access;
pub(crate) use self::language::language;

const CLUSTERS: [&str; 2] = ["tokyo", "osaka"];
const LONGEST: Duration = Duration::from_secs(30 * 86_400);

/// Matchers as people write them, regular expressions among them: what is read is written so that it is read the same, in Alertmanager's
/// form as well, and what they match does not depend on how that is said.
pub(crate) fn matchers(text: &[u8]) {
    let text = String::from_utf8_lossy(text);
    let all = match Matcher::parse_all(&text) {
        Ok(all) => all,
        Err(error) => return assert!(!error.to_string().is_empty()),
    };
    read_again(&all);
    let words: Vec<&str> = text.split(|c: char| !c.is_alphanumeric()).chain(["", "a", "a\nb", "\u{e9}"]).collect();
    for matcher in &all {
        assert_eq!(RawMatcher::from(matcher).compiled().as_ref(), Ok(matcher));
        matches_the_same(matcher, words.iter().copied().chain([&*matcher.value]));
    }
}

/// Matchers are written so that they are read the same.
fn read_again(all: &[Matcher]) {
    let written = all.iter().map(Matcher::to_string).collect::<Vec<_>>().join(", ");
    for written in [format!("{{{written}}}"), written] {
        assert_eq!(Matcher::parse_all(&written).as_deref(), Ok(all), "{written}");
    }
}

fn matches_the_same<'a>(matcher: &Matcher, values: impl Iterator<Item = &'a str>) {
    let Matcher { name, op, value, .. } = matcher;
    let opposite = match op {
        Op::Equal => Op::NotEqual,
        Op::NotEqual => Op::Equal,
        Op::Match => Op::NoMatch,
        Op::NoMatch => Op::Match,
    };
    let opposite = Matcher::new(name, opposite, value).expect("the other way round it is one as well");
    // A group around a whole expression changes nothing, unless it makes that too large.
    let grouped = Some(format!("(?:{value})")).filter(|_| matches!(op, Op::Match | Op::NoMatch));
    let grouped = grouped.and_then(|value| Matcher::new(name, *op, value).ok());
    let listed = proposal::values(*op, value);
    for value in values {
        let labels = Labels::from([(name.clone(), value.to_owned())]);
        let matches = matcher.matches(&labels);
        assert_ne!(matches, opposite.matches(&labels), "{matcher} {value:?}");
        assert!(grouped.as_ref().is_none_or(|grouped| grouped.matches(&labels) == matches), "{matcher} {value:?}");
        assert!(listed.as_ref().is_none_or(|all| all.iter().any(|one| one == value) == matches), "{matcher} {value:?}");
    }
    for value in listed.iter().flatten() {
        let labels = Labels::from([(name.clone(), value.clone())]);
        assert!(matcher.matches(&labels), "{matcher} {value:?}");
    }
}

/// The form of a silence, as a browser sends it: what comes of it keeps every rule, and mutes what was chosen. Addresses are read as they
/// were written.
pub(crate) fn silence_form(query: &[u8]) {
    let pairs: Vec<(String, String)> = url::form_urlencoded::parse(query).into_owned().collect();
    addressed(&pairs);
    let form = Form::read(pairs);
    let now: Timestamp = "2026-11-21T12:00:00Z".parse().expect("it is a time");
    let rules = Rulebook { clusters: &CLUSTERS, now, zone: &TimeZone::UTC, longest: LONGEST, user: None };
    match form.plan(&rules) {
        Ok(plan) => keeps_the_rules(&form, &plan, now),
        Err(errors) => {
            let english = Texts::in_language("en");
            assert!(!errors.is_empty() && errors.iter().all(|error| !error.problem.say(english).is_empty()));
        }
    }
}

fn addressed(pairs: &[(String, String)]) {
    let address = Address::at("/x").asking(pairs.to_vec());
    paged(&address);
    let written = address.to_string();
    let query = written.strip_prefix("/x").expect("the path stays").trim_start_matches('?');
    let read = url::form_urlencoded::parse(query.as_bytes()).into_owned().collect();
    assert_eq!(Address::at("/x").asking(read).to_string(), written);
    for (name, value) in pairs {
        let key = Address::key([name.as_str(), value]);
        let parts: Vec<_> = key.split('/').map(address::plain).collect();
        assert_eq!(parts, [name.as_str(), value], "{key}");
    }
}

/// The pages of a list, one after the other, are the list; its order is that of a column, and nothing else is one.
fn paged(address: &Address) {
    const ROWS: usize = 7;
    const COLUMNS: [&str; 2] = ["instance", "since"];
    let said = |name: &str| (!address.get(name).is_empty()).then(|| address.get(name).parse::<usize>().unwrap_or(0));
    match Page::cut((0..ROWS).collect(), address) {
        Ok(page) => {
            assert!(page.total == ROWS && page.page <= page.pages && page.rows.len() <= said("limit").unwrap_or(ROWS));
            assert_eq!(page.page, said("page").unwrap_or(1).min(page.pages));
            let all = (1..=page.pages).flat_map(|number| {
                let address = address.with("page", &number.to_string());
                Page::cut((0..ROWS).collect(), &address).expect("it is a page of them").rows
            });
            assert!(all.eq(0..ROWS), "{address}");
        }
        Err(wrong) => assert_eq!(said(wrong.parameter()), Some(0), "{address}"),
    }
    let text = address.get("sort");
    match Sort::read(address, &COLUMNS) {
        Ok(sort) => assert_eq!(
            (sort.column, sort.descending),
            (COLUMNS[usize::from(text.ends_with("since"))], text.starts_with('-')),
            "{text}"
        ),
        Err(wrong) => assert!(matches!(wrong, BadAddress::Sort(name, _) if !COLUMNS.contains(&&*name)), "{text}"),
    }
    let period = Period::read(address.get("range"));
    assert_eq!(Period::read(period.word()), period);
}

fn keeps_the_rules(form: &Form, plan: &Plan, now: Timestamp) {
    let from = plan.begins.unwrap_or(now);
    assert!(from >= now && plan.ends > from, "{plan:?}");
    assert!(plan.ends.duration_since(from).unsigned_abs() <= LONGEST, "{plan:?}");
    assert!(!plan.author.is_empty() && !plan.author.contains(char::is_control), "{plan:?}");
    let (reason, is_marked) = mark::read(&plan.comment);
    assert!(!reason.is_empty() && is_marked == plan.until_resolved, "{plan:?}");
    assert!(!plan.drafts.is_empty());
    for Draft { matchers, clusters } in &plan.drafts {
        assert!(!clusters.is_empty() && clusters.iter().all(|name| CLUSTERS.contains(&name.as_str())), "{plan:?}");
        // Alertmanager refuses one that mutes everything.
        let takes_all =
            |matcher: &Matcher| !matches!(matcher.op, Op::NotEqual | Op::NoMatch) && matcher.matches(&Labels::new());
        assert!(!matchers.iter().all(takes_all), "{plan:?}");
        read_again(matchers);
    }
    if form.filter.trim().is_empty() {
        let is_meant =
            |cluster: &String| cluster.is_empty() || plan.drafts.iter().any(|draft| draft.clusters.contains(cluster));
        for target in form.targets.iter().filter(|target| is_meant(&target.cluster)) {
            assert!(plan.drafts.iter().any(|draft| draft.matches(&target.labels)), "{target:?} {plan:?}");
        }
    }
    let said = Now { now, zone: &TimeZone::UTC, t: Texts::in_language("en") }.plan(plan);
    assert_eq!(said.len(), plan.drafts.len());
}

/// What Alertmanager (its alerts in the first line, its silences in the second) and Prometheus (what is up in the third; then scrapes, targets
/// that are down, failing checks, the sums by node, by name and of what is stale, the targets it scrapes, and how a check was, a line each)
/// answer: whatever they say, lists, sums and previews are what looking at each thing alone gives, a node is asked at its own server, and a
/// check was as its points say.
pub(crate) fn answers(body: &[u8]) {
    let view = view(body);
    for node in &view.metrics.said.nodes {
        muted_as_each_alone(&view, node);
    }
    for fired in view.alerts.said.iter() {
        assert!(view.alerts_of(&fired.node()).any(|one| one.alert.fingerprint == fired.alert.fingerprint));
        assert!(!fired.line().contains(|c: char| c.is_control() && c != '\t'), "{:?}", fired.line());
    }
    for silenced in view.silences.said.iter().filter(|silenced| silenced.is_understood()) {
        let draft = Draft { matchers: silenced.matchers.clone(), clusters: vec!["tokyo".to_owned()] };
        let preview = Preview::new("tokyo", &view, std::slice::from_ref(&draft)).expect("it is of this cluster");
        assert_eq!(
            preview.alerts,
            view.alerts.said.iter().filter(|fired| silenced.matches(&fired.alert.labels)).count()
        );
        assert_eq!(preview.more() + preview.listed.len(), preview.alerts);
        assert!(preview.covered <= preview.alerts && preview.nodes <= preview.alerts);
        assert!(!what(&draft.raw(), Texts::in_language("en")).is_empty());
    }
    let mut lines = body.splitn(11, |byte| *byte == b'\n').skip(9);
    asked_at_its_server(lines.next());
    was_as_its_points(&read(lines.next()));
}

/// The view that such answers make.
pub(crate) fn view(body: &[u8]) -> View {
    let mut lines = body.split(|byte| *byte == b'\n');
    let (alerts, silences) = (read::<Alert>(lines.next()), read::<Silence>(lines.next()));
    let (up, scraped) = (read::<Sample<Labels>>(lines.next()), read(lines.next()));
    let answers = Answers { up, scraped, down: read(lines.next()), failing: read(lines.next()) };
    let sums = Sums { nodes: read(lines.next()), names: read(lines.next()), stale: read(lines.next()) };
    let silences = Silenced::all(silences, &[]);
    let again = Silenced::all(silences.iter().map(|one| one.silence.clone()).collect(), &silences);
    assert!(
        silences
            .iter()
            .zip(&again)
            .all(|(one, other)| one.matchers == other.matchers || one.silence.id != other.silence.id)
    );
    let metrics = metrics(answers, &sums);
    let fired: Vec<Fired> = alerts.into_iter().map(Fired::from).collect();
    View::new(fresh(metrics), fresh(sums), fresh(fired), fresh(silences))
}

/// A node's server is that of a target that is known as it is, without anything else that its URL says; no target by HTTP lacks one.
fn asked_at_its_server(line: Option<&[u8]>) {
    let (targets, again) = (read::<Target>(line), read::<Target>(line));
    let servers: Vec<_> = servers(targets).collect();
    let is_http =
        |target: &&Target| target.scrape_url.parse::<Url>().is_ok_and(|url| matches!(url.scheme(), "http" | "https"));
    let scraped: Vec<_> = again.iter().filter(is_http).collect();
    assert_eq!(servers.len(), scraped.len());
    for ((known, server), target) in servers.iter().zip(scraped) {
        let url: Url = target.scrape_url.parse().expect("it is an address");
        assert_eq!((known, server.scheme(), server.host_str()), (&target.labels, url.scheme(), url.host_str()));
        assert_eq!(server.port_or_known_default(), url.port_or_known_default());
        let bare = server.path() == "/" && server.query().is_none() && server.fragment().is_none();
        assert!(bare && server.username().is_empty() && server.password().is_none(), "{server} of {url}");
    }
}

/// The runs of a check follow each other over the whole time, each with another status than the one before: the worst of the points of a step.
fn was_as_its_points(series: &[Series<Labels>]) {
    let span = Span { start: 1_787_000_100, end: 1_787_003_100, step: 300 };
    let runs = runs(series, span);
    assert!(runs.is_sorted_by(|run, next| run.to == next.from && run.status != next.status), "{runs:?}");
    let whole = (runs.first().map(|run| run.from), runs.last().map(|run| run.to));
    assert_eq!(whole, (Some(span.start - span.step), Some(span.end)));
    let mut ends = span.start;
    while ends <= span.end {
        let is_of = |at: f64| at >= ends as f64 && at < (ends + span.step) as f64;
        let points = series.iter().flat_map(|series| &series.values).filter(|(at, _)| is_of(*at));
        let rank = |status: &Status| {
            [Status::Ok, Status::Warning, Status::Unknown, Status::Critical].iter().position(|one| one == status)
        };
        let worst = points.map(|(_, value)| status(*value)).max_by_key(rank);
        let run = runs.iter().find(|run| run.from < ends && ends <= run.to).expect("there is no gap between runs");
        assert_eq!(run.status, worst, "{ends} {series:?}");
        ends += span.step;
    }
}

/// What the answers say: each failing check is counted once by its name, and is at one node.
fn metrics(answers: Answers, sums: &Sums) -> Metrics {
    let failing = answers.failing.len();
    let metrics = Metrics::new(answers, sums);
    assert_eq!(metrics.nodes.iter().map(|node| node.failing.len()).sum::<usize>(), failing);
    let mut all = Checks::default();
    metrics.checks.values().for_each(|checks| all.add(checks));
    let is_counted = |failing: &&Failing| failing.status != Status::Ok;
    let counted = metrics.nodes.iter().flat_map(|node| &node.failing).filter(is_counted).count();
    assert_eq!((all.warning + all.critical + all.unknown) as usize, counted);
    assert!(metrics.checks.values().all(|checks| checks.ok() <= checks.total));
    assert!(metrics.nodes.iter().all(|node| metrics.node(&node.id).is_some_and(|found| found.id == node.id)));
    metrics
}

fn read<T: DeserializeOwned>(line: Option<&[u8]>) -> Vec<T> {
    serde_json::from_slice(line.unwrap_or_default()).unwrap_or_default()
}

fn fresh<T>(said: T) -> Part<T> {
    Part::fresh(said, Vec::new())
}

fn muted_as_each_alone(view: &View, node: &Node) {
    let names_nodes = |silenced: &Silenced| {
        silenced.matchers.iter().any(|matcher| matcher.name == "instance" && !matcher.matches(&Labels::new()))
    };
    for state in [SilenceState::Active, SilenceState::Pending] {
        let found: Vec<_> = view.silences_of(node, state).map(std::ptr::from_ref).collect();
        let is_one = |silenced: &&Silenced| {
            silenced.silence.status.state == state && names_nodes(silenced) && silenced.covers(&node.labels)
        };
        let each: Vec<_> = view.silences.said.iter().filter(is_one).map(std::ptr::from_ref).collect();
        assert_eq!(found, each, "{node:?}");
    }
}

/// A configuration: whatever is wrong with it is told with the line on which it stands.
pub(crate) fn config(text: &[u8]) {
    let text = String::from_utf8_lossy(text);
    let Err(error) = Config::parse(&text) else { return };
    // In YAML a carriage return ends a line as well.
    let lines = text.matches(['\n', '\r']).count() + 1;
    assert!(!error.failures().is_empty());
    for failure in error.failures() {
        let line = failure.split_once(": ").and_then(|(line, _)| line.parse::<usize>().ok());
        assert!(line.is_some_and(|line| (1..=lines).contains(&line)), "{failure}");
    }
}
