//! What is particular about a pair: its nodes, and which rules its Prometheus have.

use std::net::{Ipv4Addr, SocketAddrV4, TcpListener};
use std::time::Duration;

/// Small rules, `rules.yml`: what failed last counts, also while a node does not answer.
pub(super) const SMALL_RULES: &str = r#"
groups:
  - name: pair
    rules:
      - alert: CheckCritical
        expr: last_over_time(checkscript_status[5m]) == 2
        annotations: {summary: "{{ $labels.check }} fails"}
"#;

/// The port of an agent, if nobody has it on the addresses of the nodes.
const AGENT: u16 = 9780;

/// What is particular about a pair.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The domain of the nodes; none of this name is in the Internet.
    pub domain: &'static str,
    /// The names of the nodes.
    pub nodes: Vec<&'static str>,
    /// The name of a host that is not scraped but pushes, as the last of the nodes, to two gateways over one Redis.
    pub pusher: Option<&'static str>,
    /// Further labels of the nodes as YAML, each after a comma.
    pub labels: &'static str,
    /// Rule files. `rules.yml` are small rules of the tests.
    pub rules: Vec<String>,
    /// Alertmanager's `group_interval`, in whole seconds. Short is quick; but only what is longer than the second Alertmanager's
    /// wait for the first, [`PEER_TIMEOUT`](super::PEER_TIMEOUT), lets the second hear of everything before it tells anything.
    pub group_interval: Duration,
    /// Whether there is a web-ui.
    pub web_ui: bool,
    /// Whether the network of each server can fail, and the disk and the clock of each node.
    pub breakable: bool,
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            domain: "pair.test",
            nodes: vec!["node-0", "node-1"],
            pusher: None,
            labels: "",
            rules: vec!["rules.yml".to_owned()],
            group_interval: Duration::from_secs(3),
            web_ui: false,
            breakable: false,
        }
    }
}

impl Plan {
    /// How many hosts there are with checks.
    pub(super) fn hosts(&self) -> usize {
        self.nodes.len() + usize::from(self.pusher.is_some())
    }

    /// The number of the host that pushes.
    pub(super) fn pusher_number(&self) -> Option<usize> {
        self.pusher.map(|_| self.nodes.len())
    }

    pub(super) fn is_pusher(&self, node: usize) -> bool {
        self.pusher_number() == Some(node)
    }

    /// The name of a node, or of the host that pushes.
    pub(super) fn name(&self, node: usize) -> &'static str {
        self.nodes.get(node).copied().or(self.pusher).unwrap_or_default()
    }

    /// The name of a node with its domain.
    pub(super) fn host(&self, node: usize) -> String {
        format!("{}.{}", self.nodes[node], self.domain)
    }

    /// Where the agents listen: each node has a loopback address of its own, in a network of the pair's own, which is made of a port that
    /// nobody else on this machine has.
    pub(super) fn addresses(&self, port: u16) -> Vec<SocketAddrV4> {
        let [high, low] = port.to_be_bytes();
        let hosts: Vec<_> = (1..).map(|host| Ipv4Addr::new(127, high, low, host)).take(self.nodes.len()).collect();
        let usual = hosts.iter().all(|host| TcpListener::bind((*host, AGENT)).is_ok());
        let port = if usual { AGENT } else { port };
        hosts.into_iter().map(|host| SocketAddrV4::new(host, port)).collect()
    }
}
