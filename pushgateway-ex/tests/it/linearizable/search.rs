//! Whether what concurrent clients were told fits a group to which their calls were made one after the other: the search of Wing and
//! Gong, which never looks twice at the same calls made with the same outcome.

use std::collections::HashSet;

/// The families and the checks of the group. Of two, one can be without the other.
pub(super) const FAMILIES: [&str; 2] = ["m", "n"];
pub(super) const CHECKS: [&str; 2] = ["disk", "load"];

/// What a client asks for.
#[derive(Clone, Debug)]
pub(super) enum Call {
    /// To push a number in the families named.
    Push { named: [bool; 2], replace: bool },
    /// To push results of the checks named, with a number as their output and always the same status.
    Results { named: [bool; 2], replace: bool },
    /// To delete the metrics.
    Delete,
    /// To delete the results.
    DeleteResults,
    /// To delete one check.
    Forget(usize),
    /// The exposition.
    Page,
    /// The detail of one check.
    Detail(usize),
}

/// What it was told. Pushes and deletions are told that they are made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Told {
    Made,
    /// The families' numbers, and the checks' occurrences.
    Page([Option<u32>; 2], [Option<u32>; 2]),
    /// A check's output and occurrences.
    Detail(Option<(u32, u32)>),
}

/// A call that has returned.
#[derive(Clone, Debug)]
pub(super) struct Returned {
    pub(super) call: Call,
    /// What it pushed, if it did.
    pub(super) number: u32,
    /// When it was made and when it returned, by one clock for all clients.
    pub(super) made: u64,
    pub(super) returned: u64,
    pub(super) told: Told,
}

/// The group as one client alone would see it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
struct Model {
    numbers: [Option<u32>; 2],
    /// Output and occurrences.
    checks: [Option<(u32, u32)>; 2],
}

/// Whether there is an order of the calls in which each was told what it was told, and none comes before one that had returned when
/// it was made.
pub(super) fn is_explained(history: &[Returned]) -> bool {
    assert!(history.len() <= 64, "calls are the bits of a number");
    let (mut open, mut known) = (vec![(0_u64, Model::default())], HashSet::new());
    while let Some((done, model)) = open.pop() {
        let left = || history.iter().enumerate().filter(move |(index, _)| done & 1 << index == 0);
        let Some(first_return) = left().map(|(_, call)| call.returned).min() else { return true };
        for (index, call) in left().filter(|(_, call)| call.made < first_return) {
            let next = model.after(call).map(|model| (done | 1 << index, model));
            open.extend(next.filter(|next| known.insert(next.clone())));
        }
    }
    false
}

impl Model {
    /// The group after a call; none if the call was told something else than the group says.
    fn after(&self, Returned { call, number, told, .. }: &Returned) -> Option<Self> {
        let mut next = self.clone();
        match *call {
            Call::Push { named, replace } => {
                for (own, named) in next.numbers.iter_mut().zip(named) {
                    *own = if named { Some(*number) } else { own.filter(|_| !replace) };
                }
            }
            Call::Results { named, replace } => {
                for (own, named) in next.checks.iter_mut().zip(named) {
                    let pushed = Some((*number, own.map_or(1, |(_, occurrences)| occurrences + 1)));
                    *own = if named { pushed } else { own.filter(|_| !replace) };
                }
            }
            Call::Delete => next.numbers = [None; 2],
            Call::DeleteResults => next.checks = [None; 2],
            Call::Forget(check) => next.checks[check] = None,
            Call::Page | Call::Detail(_) => {}
        }
        let says = match *call {
            Call::Page => Told::Page(self.numbers, self.checks.map(|check| Some(check?.1))),
            Call::Detail(check) => Told::Detail(self.checks[check]),
            _ => Told::Made,
        };
        (*told == says).then_some(next)
    }
}

const BOTH: [bool; 2] = [true, true];

fn returned(call: Call, number: u32, (made, returned): (u64, u64), told: Told) -> Returned {
    Returned { call, number, made, returned, told }
}

fn page(numbers: [Option<u32>; 2], occurrences: [Option<u32>; 2]) -> Told {
    Told::Page(numbers, occurrences)
}

#[test]
fn a_read_sees_what_was_acknowledged_before_and_may_see_what_goes_on() {
    let push = |time| returned(Call::Push { named: BOTH, replace: true }, 7, time, Told::Made);
    let read = |numbers, time| returned(Call::Page, 0, time, page(numbers, [None; 2]));
    assert!(!is_explained(&[push((0, 1)), read([None; 2], (2, 3))]));
    assert!(is_explained(&[push((0, 1)), read([Some(7); 2], (2, 3))]));
    assert!(is_explained(&[push((0, 3)), read([None; 2], (1, 2))]));
    assert!(is_explained(&[push((0, 3)), read([Some(7); 2], (1, 2))]));
    assert!(!is_explained(&[push((0, 3)), read([Some(7), None], (1, 2))]), "half a push");
    let backwards = [push((0, 5)), read([Some(7); 2], (1, 2)), read([None; 2], (3, 4))];
    assert!(!is_explained(&backwards), "what was seen is not gone for who looks later");
}

#[test]
fn no_push_is_lost_to_another() {
    let push = |named, number, time| returned(Call::Push { named, replace: false }, number, time, Told::Made);
    let pushes = [push([true, false], 1, (0, 3)), push([false, true], 2, (1, 2))];
    let read = |numbers| returned(Call::Page, 0, (4, 5), page(numbers, [None; 2]));
    assert!(is_explained(&[&pushes[..], &[read([Some(1), Some(2)])]].concat()));
    assert!(!is_explained(&[&pushes[..], &[read([Some(1), None])]].concat()));

    let run = |number, time| returned(Call::Results { named: BOTH, replace: false }, number, time, Told::Made);
    let runs = [run(1, (0, 3)), run(2, (1, 2))];
    let detail = |told| returned(Call::Detail(0), 0, (4, 5), Told::Detail(told));
    for (told, fits) in [((1, 2), true), ((2, 2), true), ((1, 1), false), ((3, 2), false)] {
        assert_eq!(is_explained(&[&runs[..], &[detail(Some(told))]].concat()), fits, "{told:?}");
    }
    let forget = returned(Call::Forget(0), 0, (4, 5), Told::Made);
    let read = |occurrences| returned(Call::Page, 0, (6, 7), page([None; 2], occurrences));
    assert!(is_explained(&[&runs[..], &[forget.clone(), read([None, Some(2)])]].concat()));
    assert!(!is_explained(&[&runs[..], &[forget, read([None, None])]].concat()));
}
