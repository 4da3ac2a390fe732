//! The metrics of a group of which few checks have changed: their lines take the place of those before, the other checks' are left as
//! they are. Most pushes to a group of many checks are of one.

use std::sync::Arc;

use jiff::Timestamp;

use super::results::Checks;
use super::{Group, Inconsistent, made};
use crate::labels::Key;

/// With more than this part of its checks changed, a group is made as if it were new.
const FEW: usize = 8;

/// The group of these checks, which was `before`.
///
/// # Errors
/// As of [`made`].
pub(super) fn remade(before: Option<&Group>, key: Key, checks: Checks, at: Timestamp) -> Result<Group, Inconsistent> {
    let families = before.and_then(|before| {
        let (old, new) = changed(before, &checks)?;
        let rendered = |checks| made(key.clone(), checks, at).ok().map(|group| group.families);
        before.families.with(&rendered(old)?, &rendered(new)?, at)
    });
    match families {
        Some(families) => Ok(Group { families, pushed: Some(at), checks, ..Group::new(key) }),
        None => made(key, checks, at),
    }
}

/// The checks that have changed, as they were and as they are; none if these are many, or if others have come or gone.
fn changed(before: &Group, checks: &Checks) -> Option<(Checks, Checks)> {
    if before.checks.len() != checks.len() {
        return None;
    }
    let (mut old, mut new) = (Checks::new(), Checks::new());
    for ((key, was), (own, is)) in before.checks.iter().zip(checks) {
        if key != own {
            return None;
        }
        if !Arc::ptr_eq(&was.state, &is.state) {
            old.insert(key.clone(), was.clone());
            new.insert(key.clone(), is.clone());
        }
    }
    (new.len() * FEW <= checks.len()).then_some((old, new))
}

#[cfg(test)]
mod tests {
    use check_result::{CheckResult, HistoryLimits};
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;
    use crate::groups::{CheckTtl, Expired, Fates, Groups, Limits, Results, Term, is_stamp};
    use crate::labels::Labels;

    fn result(check: usize, status: i64, more: &Value) -> CheckResult {
        let mut result =
            json!({"name": format!("check {check}"), "output": "x\ny", "status": status, "handlers": ["a\nb"]});
        result.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        CheckResult::new("web-1", result.as_object().unwrap().clone()).unwrap()
    }

    fn more() -> impl Strategy<Value = Value> {
        prop::sample::select(vec![json!({}), json!({"ttl": 60}), json!({"duration": 0.5}), json!({"source": "db-1"})])
    }

    fn shown(group: &Group) -> Vec<String> {
        group.families.iter().filter(|block| !is_stamp(block.name())).map(|block| format!("{block:?}")).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        #[test]
        fn a_group_is_as_if_all_of_it_were_made_anew(
            pushes in prop::collection::vec((prop::collection::vec((0_usize..20, 0_i64..3, more()), 1..3), any::<bool>()), 1..8),
        ) {
            let mut groups = Groups::new([].into(), Limits { groups: 1, series: 1000 });
            let labels = Labels::new([("job".to_owned(), "j".to_owned())]);
            let first = ((0..20).map(|check| (check, 0, json!({}))).collect(), false);
            for (at, (results, expire)) in std::iter::once(first).chain(pushes).enumerate() {
                let at = Timestamp::from_second(at as i64).unwrap();
                let results = results.iter().map(|(check, status, more)| result(*check, *status, more)).collect();
                let term = Term { at, expires: Some(at), own: false };
                let pushed = Results { labels: labels.clone(), results, replace: false, term };
                groups.results(pushed, &HistoryLimits::default()).unwrap();
                let group = groups.get(&Key::checks(labels.clone())).unwrap();
                let anew = made(group.key.clone(), group.checks.clone(), at).unwrap();
                prop_assert_eq!(shown(group), shown(&anew));
                if expire {
                    groups.expire(at, Fates { pushed: Expired::Mark, own: CheckTtl::Mark });
                }
            }
        }
    }
}
