//! Regular expressions before the real Alertmanager: what is taken here is taken there, and matches the same values.

use std::process::Stdio;

use proptest::prelude::Strategy;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use reqwest::{Client, StatusCode};
use serde_json::{Value, json};
use service::http::{ClientOptions, read_limited, upstream_client};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio::time::timeout;
use web_ui::matcher::{Labels, Matcher, Op};

use crate::world::PATIENCE;

/// Values on which readings differ.
const VALUES: [&str; 32] = [
    "", "a", "b", "ab", "aab", "A", "k", "\u{212a}", "s", "ſ", "é", "É", "ü", "_", "-", "1", "11", "٣", " ", "\u{a0}",
    "\u{b}", "\n", "a\nb", "a b", "&", "[", "]", "a&", "<a>", "α", "{2}", "a{,2}",
];

/// What is taken by both.
const TAKEN: [&str; 60] = [
    "a",
    "a|b",
    ".",
    ".*",
    "(?s).*",
    "(?s).+",
    r"\d+",
    r"\D",
    r"\w+",
    r"\W",
    r"\s",
    r"\S+",
    r"[\d_]",
    r"[^\w]",
    r"[\W\d]",
    r"[^\S]",
    r".*\b.+\b.*",
    r"a\b.*",
    r".\B.",
    r"\B.*",
    "(?i)A+B?",
    "(?i)k",
    "(?i)[^k]",
    r"(?i)\w",
    r"(?i)\W",
    "(?i)[[:alpha:]]",
    "(?i)é",
    "(?i:a)b",
    "[[:alpha:]]",
    "[[:^alpha:]]",
    "[[:space:]]",
    "[[:word:]]+",
    "[[:punct:]]",
    r"\pL",
    r"\PL",
    r"\p{Lu}",
    r"\p{Greek}",
    r"\p{^Greek}",
    r"\P{^Greek}",
    r"[\p{Nd}]",
    r"\p{Zs}",
    r"\p{Any}",
    "[]]",
    "[^]a]",
    "[a-]",
    r"[\[\]]",
    r"\<a\>",
    r"\x41",
    r"\x{e9}",
    r"\101",
    r"[\0-\377]",
    "(?m)^a$",
    "(?m)a$\n^b",
    "a$|^b",
    r"\Aa\z",
    "(?U)a+.*",
    "(?P<n>a)*",
    "a{0,2}b{1}",
    "(a{0,10}){100}",
    "[a-b-é]",
];

/// What is taken by none.
const REFUSED: [&str; 40] = [
    "(",
    "a)(b",
    "*",
    "a**",
    "a{2}{3}",
    "a++",
    "a???",
    "a{1001}",
    "(a{100}){11}",
    "((a{10}){10}){11}",
    "a{3,2}",
    "[",
    "[]",
    "[b-a]",
    "[a--z]",
    r"[a-\d]",
    r"[\b]",
    "[[:foo:]]",
    "(?=a)",
    "(?<n>a)",
    "(?P<é>a)",
    "(?x)a",
    "(?u)a",
    "(?-u)a",
    "(?R)a",
    "(?i-)a",
    r"\1",
    r"\C",
    r"\e",
    r"\Z",
    r"\é",
    r"\u0041",
    r"\U00000041",
    r"\x{110000}",
    r"\p{greek}",
    r"\p{Grek}",
    r"\p{Letter}",
    r"\p{Alphabetic}",
    r"\p{sc=Greek}",
    r"\p{Cn}",
];

/// What Alertmanager takes and is refused here, with a word of what to write instead.
const REFUSED_HERE: [&str; 14] = [
    "{",
    "a{b}",
    "a{ 5}",
    "a{01}",
    "a{,2}",
    "[[]",
    "[a[b]c]",
    "[a&&b]",
    "[a~~b]",
    "[+--]",
    r"\b{start}a",
    r"\Qa.b\E",
    "a(?i)*",
    "(?ii)a",
];

/// Parts of expressions, for any that nobody has thought of.
const PARTS: [&str; 48] = [
    "a",
    "b",
    "k",
    "é",
    "1",
    "_",
    " ",
    "\n",
    "-",
    "&",
    "~",
    "<",
    ".",
    "|",
    "|",
    "(",
    "(",
    ")",
    ")",
    "(?:",
    "(?i)",
    "(?s)",
    "(?m)",
    "(?U:",
    "[",
    "[^",
    "]",
    "]",
    "*",
    "+",
    "?",
    "{2}",
    "{0,2}",
    "^",
    "$",
    r"\d",
    r"\D",
    r"\w",
    r"\W",
    r"\s",
    r"\S",
    r"\b",
    r"\B",
    r"\pL",
    r"\<",
    r"\x41",
    "[:alpha:]",
    "a-z",
];

/// An Alertmanager of its own, killed when it goes.
struct Alertmanager {
    url: String,
    client: Client,
    _child: Child,
    _folder: TempDir,
}

impl Alertmanager {
    async fn start() -> Self {
        let folder = TempDir::new().unwrap();
        let config = folder.path().join("alertmanager.yml");
        std::fs::write(&config, "route: {receiver: nobody, group_wait: 1h}\nreceivers: [{name: nobody}]\n").unwrap();
        let tool = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/tools/bin/alertmanager");
        let mut command = Command::new(if tool.exists() { tool } else { "alertmanager".into() });
        command.arg(format!("--config.file={}", config.display()));
        command.arg(format!("--storage.path={}", folder.path().display()));
        command.args(["--web.listen-address=127.0.0.1:0", "--cluster.listen-address="]);
        let started = command.stdin(Stdio::null()).stderr(Stdio::piped()).kill_on_drop(true).spawn();
        let mut child = started.expect("alertmanager is there: scripts/tools.sh fetches one");
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let listening = async {
            while let Some(line) = lines.next_line().await.unwrap() {
                if let Some((_, address)) = line.split_once("msg=\"Listening on\" address=") {
                    return address.to_owned();
                }
            }
            panic!("alertmanager ends at once")
        };
        let url = format!("http://{}/api/v2", timeout(PATIENCE, listening).await.unwrap());
        // Who writes to a pipe that nobody reads stands still at last.
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        let client = upstream_client(&ClientOptions::new(service::build_info!())).unwrap();
        Self { url, client, _child: child, _folder: folder }
    }

    async fn post(&self, path: &str, body: &Value) -> (StatusCode, Value) {
        let answer = self.client.post(format!("{}{path}", self.url)).json(body).send().await.unwrap();
        let status = answer.status();
        (status, serde_json::from_slice(&read_limited(answer, 1 << 20).await.unwrap()).unwrap_or_default())
    }

    /// Fires an alert for each value.
    async fn fire(&self) {
        let alert = |(index, value): (usize, &&str)| json!({"labels": {"alertname": "Value", "index": index.to_string(), "value": value}});
        let alerts: Vec<_> = VALUES.iter().enumerate().map(alert).collect();
        assert_eq!(self.post("/alerts", &json!(alerts)).await.0, StatusCode::OK);
    }

    /// Silences the alerts whose value a pattern matches; none if it is refused.
    async fn silence(&self, pattern: &str) -> Option<String> {
        let now = jiff::Timestamp::now();
        let matchers = [("alertname", "Value", false), ("value", pattern, true)];
        let matchers = matchers
            .map(|(name, value, is_regex)| json!({"name": name, "value": value, "isRegex": is_regex, "isEqual": true}));
        let silence = json!({
            "matchers": matchers, "startsAt": now, "endsAt": now + jiff::SignedDuration::from_hours(1), "createdBy": "a", "comment": "c",
        });
        let (status, made) = self.post("/silences", &silence).await;
        assert!(matches!(status, StatusCode::OK | StatusCode::BAD_REQUEST), "{pattern}: {status} {made}");
        made["silenceID"].as_str().map(str::to_owned)
    }

    /// The silences of each value's alert.
    async fn silenced(&self) -> Vec<Vec<Value>> {
        let answer = self.client.get(format!("{}/alerts", self.url)).send().await.unwrap();
        let alerts: Vec<Value> = serde_json::from_slice(&read_limited(answer, 16 << 20).await.unwrap()).unwrap();
        let of = |index: usize| {
            let index = index.to_string();
            let alert = alerts.iter().find(|alert| alert["labels"]["index"] == index).unwrap();
            alert["status"]["silencedBy"].as_array().unwrap().clone()
        };
        (0..VALUES.len()).map(of).collect()
    }
}

fn generated(count: usize) -> Vec<String> {
    let mut runner = TestRunner::deterministic();
    let part = proptest::sample::select(&PARTS[..]);
    let parts = proptest::collection::vec(part, 1..9).prop_map(|parts| parts.concat());
    (0..count).map(|_| parts.new_tree(&mut runner).unwrap().current()).collect()
}

#[tokio::test]
async fn regular_expressions_match_as_in_alertmanager() {
    let alertmanager = Alertmanager::start().await;
    alertmanager.fire().await;
    let here = |pattern: &str| Matcher::new("value", Op::Match, pattern);
    for pattern in REFUSED {
        assert_eq!(alertmanager.silence(pattern).await, None, "{pattern}");
        here(pattern).expect_err(pattern);
    }
    for pattern in REFUSED_HERE {
        alertmanager.silence(pattern).await.expect(pattern);
        here(pattern).expect_err(pattern);
    }
    let mut taken: Vec<_> =
        TAKEN.iter().map(|pattern| ((*pattern).to_owned(), here(pattern).expect(pattern))).collect();
    taken.extend(generated(1_000).into_iter().filter_map(|pattern| Some((pattern.clone(), here(&pattern).ok()?))));
    assert!(taken.len() > TAKEN.len() + 100, "many of those that are made up can be used: {}", taken.len());
    let mut silences = Vec::new();
    for (pattern, matcher) in taken {
        let id = alertmanager.silence(&pattern).await;
        silences.push((id.unwrap_or_else(|| panic!("Alertmanager takes {pattern:?}")), matcher));
    }
    let silenced = alertmanager.silenced().await;
    for (id, matcher) in silences {
        for (value, by) in VALUES.iter().zip(&silenced) {
            let labels = Labels::from([("value".to_owned(), (*value).to_owned())]);
            assert_eq!(matcher.matches(&labels), by.contains(&json!(id)), "{matcher} {value:?}");
        }
    }
}
