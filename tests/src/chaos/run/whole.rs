//! Whether everything still runs. What ends by itself has a twin that hides it.

use anyhow::ensure;
use e2e::Member;

use super::{Run, keeper};
use crate::plan::Fault;

/// Stands in what is said of a panic of the library that keeps the queue of pushgateway-agent.
const LIBRARY: &str = "redb";

impl Run {
    /// Fails where a part has ended by itself, or has panicked, although everything is mended.
    pub(super) fn everything_runs(&mut self) -> anyhow::Result<()> {
        self.pair.check_running()?;
        let faults: Vec<_> = self.mended.iter().map(|broken| broken.fault).collect();
        let panics = self.pair.panics()?.into_iter().filter(|(member, line)| !is_caught(&faults, *member, line));
        let panics: Vec<_> = panics.map(|(member, line)| format!("{member:?}: {line}")).collect();
        ensure!(panics.is_empty(), "what has panicked:\n  {}", panics.join("\n  "));
        Ok(())
    }
}

/// Whether it is the panic at a file that was spoilt, which the one who reads it catches and takes for the damage that it is.
fn is_caught(faults: &[Fault], member: Member, line: &str) -> bool {
    let spoilt = |fault: &Fault| matches!(fault, Fault::Corrupt(node, _) if keeper(*node) == member);
    line.contains(LIBRARY) && faults.iter().any(spoilt)
}

#[cfg(test)]
mod tests {
    use e2e::Damage;

    use super::*;
    use crate::plan::{HOSTS, NODES};

    #[test]
    fn a_panic_is_let_pass_where_the_file_was_spoilt_that_the_library_reads_and_nowhere_else() {
        let (pushing, scraped) = (HOSTS.len() - 1, NODES.len() - 1);
        let line = "thread 'main' panicked at /registry/redb-2.6.0/src/tree_store/page.rs:1:2:";
        let spoilt = |node| [Fault::Corrupt(node, Damage::Changed(7))];
        assert!(is_caught(&spoilt(pushing), Member::Runner(pushing), line));
        assert!(!is_caught(&[], Member::Runner(pushing), line));
        assert!(!is_caught(&spoilt(scraped), Member::Runner(pushing), line));
        assert!(!is_caught(&spoilt(pushing), Member::Gateway(0), line));
        assert!(!is_caught(
            &spoilt(pushing),
            Member::Runner(pushing),
            "thread 'main' panicked at agent/src/lib.rs:1:2:"
        ));
    }
}
