//! Lines on their way to the writer.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// The most that waits, in bytes; a line beyond it is lost. A line is always taken if none waits.
const LIMIT: usize = 32 * 1024 * 1024;

/// A queue of lines, bounded in bytes.
#[derive(Default)]
pub(super) struct Queue {
    state: Mutex<State>,
    wake: Condvar,
}

#[derive(Default)]
struct State {
    lines: VecDeque<Vec<u8>>,
    bytes: usize,
    /// Not told yet.
    lost: Lost,
    lost_in_all: Lost,
    reopen: bool,
    closed: bool,
}

/// What fell over the bound.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lost {
    /// All lines.
    pub lines: u64,
    /// Those of them that were results.
    pub results: u64,
}

/// What the writer is to do next.
pub(super) enum Step {
    Line(Vec<u8>),
    /// Comes before the lines that wait: the new file may be the one that can be written.
    Reopen,
    /// The time has come that was given.
    Retry,
    Close,
}

// === impl Queue ===

impl Queue {
    pub(super) fn push(&self, line: Vec<u8>, is_result: bool) {
        self.change(|state| {
            if state.closed || (!state.lines.is_empty() && state.bytes + line.len() > LIMIT) {
                for lost in [&mut state.lost, &mut state.lost_in_all] {
                    lost.lines += 1;
                    lost.results += u64::from(is_result);
                }
            } else {
                state.bytes += line.len();
                state.lines.push_back(line);
            }
        });
    }

    pub(super) fn reopen(&self) {
        self.change(|state| state.reopen = true);
    }

    pub(super) fn close(&self) {
        self.change(|state| state.closed = true);
    }

    /// Waits for something to do, until `retry` at most.
    pub(super) fn next(&self, retry: Option<Instant>) -> Step {
        let idle = |state: &mut State| !state.reopen && !state.closed && state.lines.is_empty();
        let state = self.lock();
        let mut state = match retry.map(|retry| retry.saturating_duration_since(Instant::now())) {
            None => self.wake.wait_while(state, idle).unwrap_or_else(PoisonError::into_inner),
            Some(left) => self.wake.wait_timeout_while(state, left, idle).unwrap_or_else(PoisonError::into_inner).0,
        };
        if std::mem::take(&mut state.reopen) {
            return Step::Reopen;
        }
        if retry.is_some_and(|retry| retry <= Instant::now()) {
            return Step::Retry;
        }
        match state.lines.pop_front() {
            Some(line) => {
                state.bytes -= line.len();
                Step::Line(line)
            }
            None if state.closed => Step::Close,
            None => Step::Retry,
        }
    }

    /// What has been lost since the start.
    pub(super) fn lost_in_all(&self) -> Lost {
        self.lock().lost_in_all
    }

    /// Puts a line that could not be written back in front and waits, unless there is news that may help. If the queue
    /// has been closed there is no more waiting: everything is dropped and its count returned.
    pub(super) fn wait_to_retry(&self, line: Vec<u8>, delay: Duration) -> Option<u64> {
        let mut state = self.lock();
        state.bytes += line.len();
        state.lines.push_front(line);
        let no_news = |state: &mut State| !state.reopen && !state.closed;
        let (mut state, _) =
            self.wake.wait_timeout_while(state, delay, no_news).unwrap_or_else(PoisonError::into_inner);
        (state.closed && !state.reopen).then(|| {
            let left = state.lines.len() as u64 + state.lost.lines;
            state.lines.clear();
            state.bytes = 0;
            left
        })
    }

    /// If lines have been lost since the last time, puts one that tells their count before those that wait.
    pub(super) fn tell_losses(&self, tell: impl FnOnce(Lost) -> Vec<u8>) {
        let mut state = self.lock();
        if state.lost.lines > 0 {
            let line = tell(std::mem::take(&mut state.lost));
            state.bytes += line.len();
            state.lines.push_front(line);
        }
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.lock());
        self.wake.notify_one();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_falls_over_the_bound_is_counted_and_told_once() {
        let queue = Queue::default();
        queue.push(vec![0; LIMIT + 1], true);
        queue.push(b"lost".to_vec(), false);
        assert!(matches!(queue.next(None), Step::Line(line) if line.len() == LIMIT + 1));
        queue.push(b"kept".to_vec(), true);
        queue.push(vec![0; LIMIT], true);
        let told = |lost: Lost| format!("{} lost, {} results", lost.lines, lost.results).into_bytes();
        queue.tell_losses(told);
        queue.tell_losses(told);
        assert_eq!(queue.lost_in_all(), Lost { lines: 2, results: 1 }, "in all, told or not");
        assert!(matches!(queue.next(None), Step::Line(line) if line == b"2 lost, 1 results"));
        assert!(matches!(queue.next(None), Step::Line(line) if line == b"kept"));
    }

    #[test]
    fn a_line_that_is_put_back_comes_first_and_a_reopening_before_it() {
        let queue = Queue::default();
        queue.push(b"b".to_vec(), false);
        assert_eq!(queue.wait_to_retry(b"a".to_vec(), Duration::ZERO), None);
        queue.reopen();
        assert!(matches!(queue.next(None), Step::Reopen));
        assert!(matches!(queue.next(None), Step::Line(line) if line == b"a"));
        queue.close();
        assert_eq!(queue.wait_to_retry(b"a".to_vec(), Duration::MAX), Some(2));
        assert!(matches!(queue.next(None), Step::Close));
    }

    #[test]
    fn a_time_to_retry_comes_whether_lines_wait_or_not() {
        let queue = Queue::default();
        assert!(matches!(queue.next(Some(Instant::now())), Step::Retry));
        queue.push(b"a".to_vec(), false);
        assert!(matches!(queue.next(Some(Instant::now())), Step::Retry));
        assert!(matches!(queue.next(Some(Instant::now() + Duration::from_secs(3600))), Step::Line(_)));
    }
}
