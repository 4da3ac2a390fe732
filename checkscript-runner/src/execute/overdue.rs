//! A run that should be over and is not: said once a slot, and never started a second time beside itself.

use std::sync::Arc;

use check_result::Object;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::{Value, json};

use super::Shared;
use super::family::{self, Family, Member};
use super::tokens;
use crate::definitions::{Check, Client};

/// UNKNOWN.
const OVERDUE: i32 = 3;

/// What is known of the run.
pub(super) struct Overdue {
    pub(super) since: Timestamp,
    pub(super) suspects: Suspects,
}

/// Where to look for what is still there.
pub(super) enum Suspects {
    /// Everything of the run.
    Family(Family),
    /// These.
    Left(Vec<Member>),
}

// === impl Overdue ===

impl Overdue {
    /// Publishes a result that says since when the check runs, and the process that it waits for.
    pub(super) async fn report(self, shared: Arc<Shared>, client: Arc<Client>, check: Arc<Check>, issued: i64) {
        let Self { since, suspects } = self;
        let now = Timestamp::now();
        let output = format!(
            "Check execution is overdue: running since {} ({} s), not started again before it ends\n",
            since.to_zoned(TimeZone::system()).strftime("%Y-%m-%dT%H:%M:%S%z"),
            now.as_second() - since.as_second(),
        );
        let found = tokio::task::spawn_blocking(|| suspects.find()).await.unwrap_or_default();
        let mut result: Object = tokens::substitute(&check.definition, &client.attributes).definition;
        result.insert("command".to_owned(), check.command.as_str().into());
        super::hook::conceal(&mut result, &check.definition);
        result.entry("issued").or_insert(issued.into());
        result.insert("executed".to_owned(), now.as_second().into());
        let Value::Object(ending) = json!({"output": output + &family::listed(&found), "status": OVERDUE}) else {
            return;
        };
        result.extend(ending);
        shared.publish(&client, result);
    }
}

// === impl Suspects ===

impl Suspects {
    /// Reads `/proc`: blocking.
    fn find(self) -> Vec<Member> {
        match self {
            Self::Family(family) => family.members(),
            Self::Left(members) => members.into_iter().filter_map(|member| member.now()).collect(),
        }
    }
}
