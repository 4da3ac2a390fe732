//! How much memory the definitions of all checks take together, and which give way where that is too much: the largest.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::Arc;

use check_result::CheckKey;

use super::Tracked;

/// Bytes that all take at most, about: what those of two thousand checks do.
const MOST: usize = 16 << 20;

/// What each may take on average where there are so many checks that this is more: a usual one takes less, so that none gives way
/// only because a node has very many checks.
const USUAL: usize = 8 << 10;

/// Bytes that the definitions of so many checks may take.
pub(super) fn most(checks: usize) -> usize {
    MOST.max(checks.saturating_mul(USUAL))
}

/// Drops the largest until all take `most` bytes at most, telling of each.
pub(super) fn drop_largest(checks: &mut BTreeMap<CheckKey, Tracked>, most: usize, mut dropped: impl FnMut(&CheckKey)) {
    let sized = checks.iter_mut().map(|(key, tracked)| (tracked.definition_bytes(), key, tracked));
    let mut largest: Vec<_> = sized.collect();
    let mut held: usize = largest.iter().map(|(bytes, ..)| bytes).sum();
    largest.sort_by_key(|(bytes, ..)| Reverse(*bytes));
    for (bytes, key, tracked) in largest {
        if held <= most {
            break;
        }
        Arc::make_mut(&mut tracked.state).drop_definition();
        held = held - bytes + tracked.definition_bytes();
        dropped(key);
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{LIMITS, line, names, tracked};
    use super::super::{Limits, Store};
    use super::*;
    use crate::events::Events;
    use crate::select::Select;
    use crate::state_file::SavedCheck;

    /// A definition that takes more than a hundred times the memory of its text, and one as checks have.
    const LARGE: usize = 9_000;
    const REAL: &str = r#""command":"/usr/lib/nagios/plugins/check_disk -w 15% -c 5% -p / -p /var -p /home","interval":60,
        "handlers":["mailer","slack"],"subscribers":["base","web"],"standalone":true,"occurrences":3,"refresh":1800,
        "timeout":30,"ttl":300,"type":"standard","low_flap_threshold":5,"high_flap_threshold":25,"dependencies":["ping"],
        "notification":"Disk is full","playbook":"https://wiki.example.org/playbooks/disk","issued":1795228248,
        "executed":1795228248,"duration":0.004,"#;

    fn large(name: &str) -> (CheckKey, Tracked) {
        tracked(&line(name, 0, &format!(r#""x":[{}0],"#, "0,".repeat(LARGE)), 1))
    }

    fn store(events: Events) -> Store {
        Store::new(Limits { checks: 1_000, ..LIMITS }, events)
    }

    fn whole(store: &Store, more: &str) -> usize {
        store.snapshot().iter().filter(|state| state.latest().check().contains_key(more)).count()
    }

    fn taken(store: &Store) -> usize {
        store.all_tracked().iter().map(Tracked::definition_bytes).sum()
    }

    #[test]
    fn the_largest_give_way_and_no_usual_one_does() {
        let events = Events::unregistered();
        let store = store(events.clone());
        let usual = (0..100).map(|number| tracked(&line(&format!("usual-{number}"), 0, REAL, 2)));
        store.publish(usual.collect());
        assert!(taken(&store) / 100 < USUAL, "{}", taken(&store) / 100);
        for number in 0..60 {
            store.publish(vec![large(&format!("large-{number}"))]);
            assert!(taken(&store) <= MOST, "{} of {number}", taken(&store));
        }
        let (usual, kept) = (whole(&store, "handlers"), whole(&store, "x"));
        assert_eq!((usual, names(&store).len()), (100, 160), "every run is there");
        assert!((5..60).contains(&kept), "{kept}");
        assert_eq!(events.losses().1, 60 - kept as u64);
        store.forget(|_| Some(super::super::Gone::Silent));
        assert_eq!(store.read().definition_bytes, 0);
    }

    #[test]
    fn so_they_do_when_a_state_file_has_too_much() {
        let store = store(Events::unregistered());
        let saved = |number: usize| {
            let (_, Tracked { state, alive, .. }) = large(&format!("large-{number}"));
            SavedCheck { log: "log".to_owned(), alive, state }
        };
        store.restore((0..60).map(saved).collect(), &Select::default());
        assert!((MOST / 2..=MOST).contains(&taken(&store)), "{}", taken(&store));
        assert_eq!(names(&store).len(), 60);
    }

    #[test]
    fn very_many_may_take_what_usual_ones_do() {
        assert_eq!((most(2), most(10_000)), (MOST, 10_000 * USUAL));
    }
}
