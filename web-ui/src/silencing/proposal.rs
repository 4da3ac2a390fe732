//! From what was chosen to silences: the fewest that mute exactly that.
//!
//! A silence is a product: `instance=~"a|b", check=~"x|y"` mutes four checks. Chosen things become one silence where they are a
//! whole product, and several where they are not; what one silence mutes was always chosen. Finding the fewest products that
//! cover a set is hard in general: see [`mod@products`] for what is done. A product of more values than one matcher can take becomes
//! several silences as well.

use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::Draft;
use super::target::Target;
use crate::matcher::{Labels, Matcher, Op};

mod products;

use products::{Product, fewest};

/// Labels that may count at most: of more nobody reads what a silence mutes.
pub const LABELS: usize = 32;

/// Labels by which a person names an alert, and `alertname` where it has no check: an alert of a check changes its name with
/// its severity, and a silence that ended there would be a surprise.
const NAMING: [&str; 4] = ["job", "instance", "check", "source"];

/// How an alert is named.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    /// By its check and what it runs on.
    Check,
    /// By its name and what it is about.
    Plain,
    /// By all that it has, as it has nothing of this.
    Odd,
}

/// The labels that name the alerts of each kind, if nothing is said.
type Namings<'a> = BTreeMap<Kind, BTreeSet<&'a str>>;

fn kind(labels: &Labels) -> Kind {
    let has = |name: &str| labels.contains_key(name);
    match () {
        () if has("check") => Kind::Check,
        () if has("alertname") || NAMING.into_iter().any(has) => Kind::Plain,
        () => Kind::Odd,
    }
}

fn namings(targets: &[Target]) -> Namings<'_> {
    let mut namings = Namings::new();
    for labels in targets.iter().filter(|target| !target.all).map(|target| &target.labels) {
        let kind = kind(labels);
        let names = |name: &&str| match kind {
            Kind::Check => NAMING.contains(name),
            Kind::Plain => *name == "alertname" || NAMING.contains(name),
            Kind::Odd => true,
        };
        namings.entry(kind).or_default().extend(labels.keys().map(String::as_str).filter(names));
    }
    namings
}

/// Labels that are switched on if nothing is said.
pub fn naming(targets: &[Target]) -> Vec<String> {
    let all: BTreeSet<_> = namings(targets).into_values().flatten().collect();
    let known = ["alertname"].into_iter().chain(NAMING).filter(|name| all.contains(name));
    let others = all.iter().copied().filter(|name| *name != "alertname" && !NAMING.contains(name));
    known.chain(others).map(str::to_owned).collect()
}

/// The silences for what was chosen. `names` are the labels of alerts that count, `clusters` those in which it is silenced: in
/// each what was chosen there, and all of it where nothing was.
pub fn drafts(targets: &[Target], names: &[String], clusters: &[String]) -> Vec<Draft> {
    let (namings, whole) = (namings(targets), OnceCell::new());
    let (mut drafts, mut known) = (Vec::<Draft>::new(), HashMap::new());
    for cluster in clusters {
        let here = |target: &&Target| target.cluster.is_empty() || target.cluster == *cluster;
        let chosen: Vec<_> = targets.iter().filter(here).collect();
        let found = match &*chosen {
            [] => whole.get_or_init(|| exact(&targets.iter().collect::<Vec<_>>(), names, &namings)).clone(),
            chosen => exact(chosen, names, &namings),
        };
        for matchers in found {
            let text: Vec<_> = matchers.iter().map(Matcher::to_string).collect();
            let at = *known.entry(text).or_insert(drafts.len());
            match drafts.get_mut(at) {
                Some(draft) => draft.clusters.push(cluster.clone()),
                None => drafts.push(Draft { matchers, clusters: vec![cluster.clone()] }),
            }
        }
    }
    drafts
}

/// Matchers of the fewest silences that mute exactly these.
fn exact(targets: &[&Target], names: &[String], namings: &Namings<'_>) -> Vec<Vec<Matcher>> {
    let (scopes, alerts): (Vec<&Target>, Vec<&Target>) = targets.iter().partition(|target| target.all);
    let is_covered = |alert: &&Target| {
        scopes.iter().any(|scope| scope.labels.iter().all(|(name, value)| alert.labels.get(name) == Some(value)))
    };
    let alerts: Vec<_> = alerts.into_iter().filter(|alert| !is_covered(alert)).map(|alert| &alert.labels).collect();
    let mut groups: BTreeMap<Vec<&String>, Vec<&Labels>> = BTreeMap::new();
    for scope in &scopes {
        groups.entry(scope.labels.keys().collect()).or_default().push(&scope.labels);
    }
    let mut all: Vec<_> = groups.into_iter().flat_map(|(names, labels)| products(&labels, &names)).collect();
    let mut kinds: BTreeMap<Kind, Vec<&Labels>> = BTreeMap::new();
    for labels in alerts {
        kinds.entry(kind(labels)).or_default().push(labels);
    }
    for (kind, alerts) in kinds {
        // What is switched on because it names another kind does not count here: with `alertname` of a node's alert a silence
        // of a check would end with its severity. A label that some of the alerts have and others have not counts as empty in
        // the latter.
        let is_others =
            |name: &str| !namings[&kind].contains(name) && namings.values().any(|names| names.contains(name));
        let has = |name: &str| alerts.iter().any(|labels| labels.contains_key(name));
        let names: Vec<_> = names.iter().filter(|name| has(name) && !is_others(name)).collect();
        all.extend(products(&alerts, &names));
    }
    all
}

/// Products of the values of `names`, as matchers.
fn products(all: &[&Labels], names: &[&String]) -> Vec<Vec<Matcher>> {
    let mut values: Vec<BTreeMap<&str, u32>> = vec![BTreeMap::new(); names.len()];
    for labels in all {
        for (name, values) in names.iter().zip(&mut values) {
            values.entry(labels.get(*name).map_or("", String::as_str)).or_default();
        }
    }
    for values in &mut values {
        values.values_mut().zip(0..).for_each(|(index, at)| *index = at);
    }
    let single = |labels: &&Labels| -> Vec<u32> {
        let of =
            |(name, values): (&&String, &BTreeMap<&str, u32>)| values[labels.get(*name).map_or("", String::as_str)];
        names.iter().zip(&values).map(of).collect()
    };
    let singles: BTreeSet<_> = all.iter().map(single).collect();
    let texts: Vec<Vec<&str>> = values.iter().map(|values| values.keys().copied().collect()).collect();
    let matchers = |product: Product| {
        let of_label = |((name, texts), chosen): ((&&String, &Vec<&str>), BTreeSet<u32>)| {
            one_of(name, &chosen.into_iter().map(|index| texts[index as usize]).collect::<Vec<_>>())
        };
        every(names.iter().zip(&texts).zip(product).map(of_label))
    };
    fewest(singles.into_iter().collect()).into_iter().flat_map(matchers).collect()
}

/// One matcher of each label, in every way.
fn every(labels: impl Iterator<Item = Vec<Matcher>>) -> Vec<Vec<Matcher>> {
    labels.fold(vec![Vec::new()], |all, matchers| {
        let with = |silence: &Vec<Matcher>, matcher: &Matcher| [&silence[..], std::slice::from_ref(matcher)].concat();
        all.iter().flat_map(|silence| matchers.iter().map(move |matcher| with(silence, matcher))).collect()
    })
}

/// Matchers of which one takes each of these values of a label, and none takes another: one matcher, unless it would be too
/// large a regular expression.
pub fn one_of(name: &str, values: &[&str]) -> Vec<Matcher> {
    let (first, rest) = match values {
        [] => return Vec::new(),
        [value] => return vec![Matcher::equal(name, *value)],
        values => values.split_at(values.len() / 2),
    };
    let pattern = values.iter().map(|value| literal(value)).collect::<Vec<_>>().join("|");
    match Matcher::new(name, Op::Match, pattern) {
        Ok(matcher) => vec![matcher],
        Err(_) => [one_of(name, first), one_of(name, rest)].concat(),
    }
}

/// A text as a regular expression that matches it alone, as Go's `regexp.QuoteMeta` writes it.
fn literal(text: &str) -> String {
    let escaped = |c: char| ["", "\\"][usize::from("\\.+*?()|[]{}^$".contains(c))];
    text.chars().fold(String::new(), |all, c| all + escaped(c) + c.encode_utf8(&mut [0; 4]))
}

/// The values of a matcher that takes these and no others; none where it is no such matcher.
pub fn values(op: Op, value: &str) -> Option<Vec<String>> {
    match op {
        Op::Equal => Some(vec![value.to_owned()]),
        Op::Match => literals(value),
        Op::NotEqual | Op::NoMatch => None,
    }
}

fn literals(pattern: &str) -> Option<Vec<String>> {
    let (mut all, mut chars) = (vec![String::new()], pattern.chars());
    while let Some(c) = chars.next() {
        let c = match c {
            '|' => {
                all.push(String::new());
                continue;
            }
            '\\' => chars.next().filter(|c| c.is_ascii_punctuation())?,
            c if ".+*?()[]{}^$".contains(c) => return None,
            c => c,
        };
        all.last_mut()?.push(c);
    }
    Some(all)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn alert(cluster: &str, pairs: &[(&str, &str)]) -> Target {
        let labels = pairs.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect();
        Target { cluster: cluster.to_owned(), labels, all: false }
    }

    fn scope(pairs: &[(&str, &str)]) -> Target {
        Target { all: true, ..alert("", pairs) }
    }

    fn proposed(targets: &[Target], clusters: &[&str]) -> Vec<String> {
        let clusters: Vec<_> = clusters.iter().map(|name| (*name).to_owned()).collect();
        let written = |draft: Draft| {
            let matchers: Vec<_> = draft.matchers.iter().map(ToString::to_string).collect();
            format!("{} in {}", matchers.join(","), draft.clusters.join(","))
        };
        drafts(targets, &naming(targets), &clusters).into_iter().map(written).collect()
    }

    #[test]
    fn an_alert_is_named_as_people_name_it() {
        let check = [
            ("alertname", "CheckCritical"),
            ("severity", "critical"),
            ("instance", "web-1"),
            ("job", "j"),
            ("check", "disk"),
        ];
        assert_eq!(proposed(&[alert("t", &check)], &["t"]), [r#"job="j",instance="web-1",check="disk" in t"#]);
        let down = [("alertname", "NodeDown"), ("severity", "critical"), ("instance", "web-1"), ("job", "j")];
        assert_eq!(proposed(&[alert("t", &down)], &["t"]), [r#"alertname="NodeDown",job="j",instance="web-1" in t"#]);
        let odd = [("service", "mail"), ("zone", "a")];
        assert_eq!(proposed(&[alert("t", &odd)], &["t"]), [r#"service="mail",zone="a" in t"#]);

        let each = [
            r#"job="j",instance="web-1",check="disk" in t"#,
            r#"alertname="NodeDown",job="j",instance="web-1" in t"#,
            r#"service="mail",zone="a" in t"#,
        ];
        let all = [alert("t", &check), alert("t", &down), alert("t", &odd)];
        assert_eq!(proposed(&all, &["t"]), each, "together each is named as it is alone");
        let elsewhere = [alert("t", &check), alert("u", &down)];
        assert_eq!(proposed(&elsewhere, &["t", "u"])[0], each[0], "nor does another cluster's alert name it");
        let switched = |names: &[&str]| {
            let names: Vec<_> = names.iter().map(|&name| name.to_owned()).collect();
            let drafts = drafts(&all[..2], &names, &["t".to_owned()]);
            drafts.iter().map(|draft| draft.matchers.len()).collect::<Vec<_>>()
        };
        assert_eq!(switched(&["check", "instance", "alertname", "severity"]), [3, 3], "what is switched on counts");
        assert_eq!(switched(&["check"]), [1, 0], "nothing is left that names it");
    }

    #[test]
    fn no_product_mutes_what_was_not_chosen() {
        let at = |instance, check| alert("t", &[("instance", instance), ("check", check)]);
        assert_eq!(proposed(&[at("a", "x"), at("b", "x")], &["t"]), [r#"instance=~"a|b",check="x" in t"#]);
        let all = [at("a", "x"), at("a", "y"), at("b", "x"), at("b", "y")];
        assert_eq!(proposed(&all, &["t"]), [r#"instance=~"a|b",check=~"x|y" in t"#], "a whole product is one");
        assert_eq!(proposed(&all[..3], &["t"]).len(), 2, "b/y was not chosen");
        assert_eq!(proposed(&[at("a", "x"), at("b", "y")], &["t"]).len(), 2);
        let without = [alert("t", &[("instance", "a"), ("check", "x"), ("source", "db")]), at("a", "x")];
        assert_eq!(proposed(&without, &["t"]), [r#"instance="a",check="x",source=~"|db" in t"#]);
    }

    #[test]
    fn a_cluster_is_told_what_was_chosen_there() {
        let at = |cluster, instance| alert(cluster, &[("instance", instance), ("check", "x")]);
        let both = [at("tokyo", "a"), at("osaka", "b")];
        let separate = proposed(&both, &["tokyo", "osaka"]);
        assert_eq!(separate, [r#"instance="a",check="x" in tokyo"#, r#"instance="b",check="x" in osaka"#]);
        assert_eq!(proposed(&both, &["tokyo"]).len(), 1);
        assert_eq!(proposed(&both[..1], &["tokyo", "osaka"]), [r#"instance="a",check="x" in tokyo,osaka"#]);
        assert_eq!(proposed(&[scope(&[("check", "x")])], &["tokyo", "osaka"]), [r#"check="x" in tokyo,osaka"#]);
    }

    #[test]
    fn what_a_node_covers_needs_no_silence_of_its_own() {
        let node = scope(&[("instance", "a"), ("job", "j")]);
        let alert = alert("t", &[("instance", "a"), ("job", "j"), ("check", "x")]);
        assert_eq!(proposed(&[node, alert], &["t"]), [r#"instance="a",job="j" in t"#]);
    }

    #[test]
    fn values_are_escaped_and_read_again() {
        let values_of = |matcher: &Matcher| values(matcher.op, &matcher.value).unwrap();
        let matchers = one_of("a", &["x.y", "a|b", "1+1", "\\", "web-1 #~&"]);
        let [matcher] = &*matchers else { panic!("one is enough: {matchers:?}") };
        assert_eq!(matcher.value, r"x\.y|a\|b|1\+1|\\|web-1 #~&");
        assert_eq!(values_of(matcher), ["x.y", "a|b", "1+1", "\\", "web-1 #~&"]);
        assert_eq!(values(Op::Match, "web-.*"), None);
        assert_eq!(values(Op::Match, r"\d"), None);
    }

    #[test]
    fn the_most_targets_make_a_matcher_that_can_be_used() {
        let at = |index| alert("t", &[("instance", &format!("web-{index:04}.prod.example.org:9469")), ("check", "x")]);
        let targets: Vec<_> = (0..super::super::target::MOST).map(at).collect();
        assert_eq!(proposed(&targets, &["t"]).len(), 1);
    }

    proptest! {
        #[test]
        fn exactly_what_was_chosen_is_muted(chosen in proptest::collection::btree_set((0..4_u8, 0..4_u8, 0..3_u8), 1..20)) {
            let target = |(a, b, c): &(u8, u8, u8)| alert("t", &[("a", &format!("a.{a}")), ("b", &b.to_string()), ("c", &c.to_string())]);
            let targets: Vec<_> = chosen.iter().map(target).collect();
            let drafts = drafts(&targets, &["a".into(), "b".into(), "c".into()], &["t".into()]);
            prop_assert!(drafts.len() <= chosen.len());
            for one in (0..4).flat_map(|a| (0..4).flat_map(move |b| (0..3).map(move |c| (a, b, c)))) {
                let muted = drafts.iter().filter(|draft| draft.matches(&target(&one).labels)).count();
                prop_assert_eq!(muted, usize::from(chosen.contains(&one)));
            }
        }

        #[test]
        fn a_matcher_takes_its_values_alone(values in proptest::collection::vec(any::<String>(), 1..4), other in any::<String>()) {
            let all: Vec<_> = values.iter().map(String::as_str).collect();
            let matchers = one_of("a", &all);
            for value in values.iter().chain([&other]) {
                let labels = Labels::from([("a".to_owned(), value.clone())]);
                prop_assert_eq!(matchers.iter().any(|matcher| matcher.matches(&labels)), values.contains(value));
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(12))]
        #[test]
        fn values_of_any_length_are_silenced(
            seeds in proptest::collection::btree_set(("[a-zü.|]{1,40}", 1..1_500_usize), 2..8),
        ) {
            let values: BTreeSet<_> = seeds.iter().map(|(text, times)| text.repeat(*times)).collect();
            let targets: Vec<_> = values.iter().map(|value| alert("t", &[("instance", value), ("check", "x")])).collect();
            let drafts = drafts(&targets, &naming(&targets), &["t".into()]);
            prop_assert!(drafts.len() <= targets.len());
            for target in &targets {
                prop_assert_eq!(drafts.iter().filter(|draft| draft.matches(&target.labels)).count(), 1);
                let other = [("instance".to_owned(), format!("{}!", target.labels["instance"])), ("check".to_owned(), "x".to_owned())];
                prop_assert!(!drafts.iter().any(|draft| draft.matches(&other.clone().into())));
            }
        }
    }
}
