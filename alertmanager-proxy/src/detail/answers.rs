//! Memory for answers that are being read and parsed, bounded for all of them together.
//!
//! Nearly every answer is short, and its first bytes are free: there are no more of those than requests under way. What
//! is beyond takes room before it is read, in steps of which each ends eight times as far as the one before and has an
//! equal share of all the room. Who waits for a step has only earlier ones, and who has the last waits no more: however
//! many there are, some are always being read to their end.
//!
//! A few that are endless or slow keep nobody out: what they have beyond a step is not for those that end within it,
//! they have at most eight times the room of what they sent, and none for longer than `fetch.timeout` and the parsing of
//! those before them.
//!
//! What an answer becomes has bounds of its own: `detail/parse.rs`, and the cache for what is kept.

use service::Room;
use tokio::sync::OwnedSemaphorePermit;

use crate::body::{Space, Unread};

/// Bytes of each answer that are free.
pub(super) const FREE: usize = 16 << 10;

/// How much further a step ends than the one before.
const FURTHER: usize = 8;

/// Room for what is beyond the first bytes.
#[derive(Debug)]
pub(super) struct Answers(Vec<Step>);

#[derive(Debug)]
struct Step {
    /// Up to how many bytes of an answer.
    end: usize,
    room: Room,
}

/// The room of one answer, until it is dropped.
pub(super) type Taken = Vec<OwnedSemaphorePermit>;

/// Room for one answer that is being read.
#[derive(Debug)]
pub(super) struct Reading<'a> {
    /// The steps that it has not.
    steps: &'a [Step],
    taken: Taken,
    /// To how many bytes it may grow.
    end: usize,
    waits: bool,
}

// === impl Answers ===

impl Answers {
    /// So many `bytes` of room, for answers of which the longest has `longest`.
    pub(super) fn new(bytes: usize, longest: usize) -> Self {
        let mut ends = vec![FREE];
        while let Some(end) = ends.last().filter(|end| **end < longest) {
            ends.push(end.saturating_mul(FURTHER));
        }
        let share = bytes / (ends.len() - 1).max(1);
        Self(ends.into_iter().skip(1).map(|end| Step { end, room: Room::new(share) }).collect())
    }

    /// Room for one more answer.
    pub(super) fn reading(&self) -> Reading<'_> {
        Reading { steps: &self.0, taken: Taken::new(), end: FREE, waits: false }
    }

    /// What answers have of the room.
    #[cfg(test)]
    pub(super) fn taken(&self) -> usize {
        self.0.iter().map(|step| step.room.taken()).sum()
    }
}

// === impl Reading ===

impl Reading<'_> {
    /// Whether it waits for others.
    pub(super) fn waits(&self) -> bool {
        self.waits
    }

    /// What it has, for the time after it is read.
    pub(super) fn into_taken(self) -> Taken {
        self.taken
    }
}

impl Space for Reading<'_> {
    async fn take(&mut self, has: usize, more: usize, longest: usize) -> Result<usize, Unread> {
        while self.end < has + more
            && let Some((Step { end, room }, further)) = self.steps.split_first()
        {
            let (end, mut taken) = ((*end).min(longest), None);
            self.waits = true;
            room.take(&mut taken, end.saturating_sub(self.end)).await;
            self.waits = false;
            self.taken.extend(taken);
            (self.end, self.steps) = (end, further);
        }
        Ok(self.end.min(longest))
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use bytes::Bytes;
    use futures_util::future::join_all;
    use futures_util::{FutureExt as _, StreamExt as _, stream};
    use http_body::Frame;
    use http_body_util::StreamBody;

    use super::*;
    use crate::body::read;

    const MIB: usize = 1 << 20;
    const LONGEST: usize = 8 * MIB;

    /// A body of so many bytes that come slowly, a chunk each time that it is asked; counted as they come.
    fn slow(length: usize, read: &Cell<usize>) -> impl http_body::Body<Data = Bytes, Error = std::io::Error> {
        let chunk = Bytes::from_static(&[b' '; 8 << 10]);
        let chunks = stream::iter(0..length.div_ceil(chunk.len())).then(move |_| {
            let chunk = chunk.clone();
            async move {
                tokio::task::yield_now().await;
                read.set(read.get() + chunk.len());
                Ok(Frame::data(chunk))
            }
        });
        StreamBody::new(chunks)
    }

    #[tokio::test]
    async fn many_long_answers_have_no_more_memory_than_there_is_and_all_come_to_their_end() {
        let (answers, bytes, count) = (Answers::new(24 * MIB, LONGEST), 24 * MIB, 200);
        let (in_memory, most) = (Cell::new(0), Cell::new(0));
        let one = async |length: usize| {
            let (mut room, own) = (answers.reading(), Cell::new(0));
            let mut reading = std::pin::pin!(read(slow(length, &own), LONGEST, &mut room));
            let whole = std::future::poll_fn(|context| {
                let before = own.get();
                let polled = reading.as_mut().poll(context);
                in_memory.set(in_memory.get() + own.get() - before);
                most.set(most.get().max(in_memory.get()));
                assert!(answers.taken() <= bytes);
                polled
            });
            assert_eq!(whole.await.unwrap().len(), length);
            in_memory.set(in_memory.get() - length);
        };
        join_all((0..count).map(|number| one(if number % 10 == 0 { 4 * MIB } else { MIB }))).await;
        assert!(most.get() <= bytes + count * FREE, "{}", most.get());
        assert!(most.get() > 4 * MIB, "several are read at a time: {}", most.get());
        assert_eq!(answers.taken(), 0);
    }

    #[tokio::test]
    async fn a_few_answers_that_do_not_end_keep_no_others_out() {
        let (answers, read_by_now) = (Answers::new(3 * LONGEST, LONGEST), Cell::new(0));
        // One of them has the room for the longest, where the others wait.
        let mut endless: Vec<_> = (0..5).map(|_| answers.reading()).collect();
        for room in &mut endless {
            room.take(2 * MIB, 1, LONGEST).now_or_never();
        }
        assert!(endless.iter().any(Reading::waits));
        for length in [FREE, 8 * FREE, MIB] {
            let mut room = answers.reading();
            let whole = read(slow(length, &read_by_now), LONGEST, &mut room);
            assert_eq!(whole.await.unwrap().len(), length);
        }
        drop(endless);
        assert_eq!(answers.taken(), 0);
    }

    #[tokio::test]
    async fn an_answer_longer_than_all_the_room_is_read_alone() {
        let (answers, own) = (Answers::new(1, LONGEST), Cell::new(0));
        let mut room = answers.reading();
        assert_eq!(read(slow(2 * MIB, &own), LONGEST, &mut room).await.unwrap().len(), 2 * MIB);
        let mut second = answers.reading();
        assert!(second.take(0, FREE + 1, LONGEST).now_or_never().is_none() && second.waits());
        drop(room);
        assert!(second.take(0, FREE + 1, LONGEST).now_or_never().is_some() && !second.waits());
    }
}
