//! What the checks of played nodes are and say.

use std::net::Ipv4Addr;

use check_result::Object;
use serde_json::json;

/// Whether checks fail, and which.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Incident {
    number: u64,
    /// Of so many checks one fails; none does with 0.
    one_of: usize,
    /// Checks of each node.
    checks: usize,
}

// === impl Incident ===

impl Incident {
    /// None has been yet, of nodes with so many checks.
    pub(crate) fn none(checks: usize) -> Self {
        Self { checks, ..Self::default() }
    }

    /// The one after this, or the end of it.
    pub(crate) fn next(self, one_of: Option<usize>) -> Self {
        match one_of {
            Some(one_of) => Self { number: self.number + 1, one_of, ..self },
            None => Self { one_of: 0, ..self },
        }
    }

    /// How many there have been.
    pub(crate) fn number(self) -> u64 {
        self.number
    }

    /// Whether a node's check fails: of each node others. All checks of all nodes stand in one row, and it goes by the place in it, so that it
    /// is known how many fail.
    pub(crate) fn fails(self, node: u32, check: usize) -> bool {
        let node = node as usize;
        self.one_of > 0 && (node * self.checks + (node + check) % self.checks).is_multiple_of(self.one_of)
    }

    /// What the check prints, and its exit status.
    pub(crate) fn run(self, (node, address): (u32, Ipv4Addr), check: usize) -> (String, i64) {
        let name = name(check);
        if !self.fails(node, check) {
            return (format!("OK: {name} on {address}, {}% used | used={0}%;80;90;0;100\n", 10 + check % 60), 0);
        }
        let number = self.number;
        let rows = (1..=6).map(|disk| format!("/data/{disk}  {:>3}% used, inodes {:>3}%\n", 90 + disk, 40 + disk));
        let head = format!("CRITICAL: incident {number}, {name} on {address}, 95% used | used=95%;80;90;0;100\n");
        (head + &rows.collect::<String>(), 2)
    }
}

/// The name of a check; they sort by number.
pub(crate) fn name(check: usize) -> String {
    format!("check-{check:03}")
}

/// A check's definition, as Sensu has it.
pub(crate) fn definition(check: usize) -> Object {
    let attributes = json!({
        "command": format!("/etc/sensu/plugins/{}.rb -w 80 -c 90", name(check)), "interval": 60, "standalone": true,
        "handlers": ["mailer", "slack"], "name": name(check)
    });
    match attributes {
        serde_json::Value::Object(attributes) => attributes,
        _ => Object::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tenth_of_each_nodes_checks_fails_until_the_end() {
        let failing = Incident::none(50).next(Some(10));
        for node in 0..20 {
            let fail: Vec<_> = (0..50).filter(|check| failing.fails(node, *check)).collect();
            assert_eq!(fail.len(), 5, "node {node}: {fail:?}");
        }
        assert!((0..50).all(|check| !failing.next(None).fails(0, check)));
        assert_eq!(
            (failing.number(), failing.next(None).number(), failing.next(None).next(Some(2)).number()),
            (1, 1, 2)
        );
    }

    #[test]
    fn it_is_known_how_many_fail_of_nodes_with_few_checks_too() {
        for (nodes, checks, one_of) in [(40, 10, 50), (20_u32, 1, 50), (21, 7, 10), (30, 50, 50)] {
            let failing = Incident::none(checks).next(Some(one_of));
            let fail = (0..nodes).flat_map(|node| (0..checks).filter(move |check| failing.fails(node, *check))).count();
            assert_eq!(fail, (nodes as usize * checks).div_ceil(one_of), "{nodes} nodes, {checks} checks");
        }
    }

    #[test]
    fn the_first_line_says_which_incident_check_and_node_it_is() {
        let failing = Incident::none(50).next(Some(10));
        let (output, status) = failing.run((3, Ipv4Addr::new(127, 1, 0, 4)), 7);
        assert!(output.starts_with("CRITICAL: incident 1, check-007 on 127.1.0.4, "), "{output}");
        assert_eq!((status, failing.run((3, Ipv4Addr::LOCALHOST), 8).1), (2, 0));
    }
}
