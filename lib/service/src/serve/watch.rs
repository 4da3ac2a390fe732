//! The time limits of a connection, kept where its bytes pass.
//!
//! [`Watched`] wraps the socket, beneath TLS. When reading has to wait, the limit of the current [`Phase`] runs; when
//! writing has to wait, the write limit does, and the one of the whole answer, which progress does not begin anew: a client
//! that takes a byte now and then would keep its slot for ever. A limit that passes makes the socket fail, whatever was going on above, and
//! the reason is kept in the [`Watch`].

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Sleep;

use super::Timeouts;
use crate::metrics::Cut;

/// What a connection is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// TLS is being negotiated.
    Handshake,
    /// A request's header is awaited: the first one, or a further one that has begun.
    Header,
    /// A handler works or its answer is being written.
    Busy,
    /// Nothing, between two requests.
    Idle,
}

/// The phase of one connection, shared by its socket and its requests.
#[derive(Debug)]
pub(super) struct Watch {
    timeouts: Timeouts,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    phase: Phase,
    /// Counts changes of the phase, so that a timer knows whether it belongs to the current one.
    epoch: u64,
    /// The task that waits to read. hyper does not read again while it knows that a read waits, so that a new phase has to
    /// wake it for its limit to run.
    reader: Option<Waker>,
    cut: Option<Cut>,
    /// The client may still be sending when its connection ends.
    linger: bool,
}

impl Watch {
    pub(super) fn new(timeouts: Timeouts, phase: Phase) -> Arc<Self> {
        let state = Mutex::new(State { phase, epoch: 0, reader: None, cut: None, linger: false });
        Arc::new(Self { timeouts, state })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Every write leaves a whole State, so one left by a panic is as good as any.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn enter(&self, phase: Phase) {
        let mut state = self.state();
        state.phase = phase;
        state.epoch += 1;
        if let Some(reader) = state.reader.take() {
            reader.wake();
        }
    }

    pub(super) fn phase(&self) -> Phase {
        self.state().phase
    }

    /// Notes why the connection ends. The first reason stays.
    pub(super) fn cut(&self, cut: Cut) {
        self.state().cut.get_or_insert(cut);
    }

    pub(super) fn reason(&self) -> Option<Cut> {
        self.state().cut
    }

    /// Asks to read on for a moment before closing, see [`Watch::lingers`].
    pub(super) fn linger(&self) {
        self.state().linger = true;
    }

    /// Whether the client may still be sending: a socket closed with unread bytes is reset, and the client may lose the
    /// answer that told it why.
    pub(super) fn lingers(&self) -> bool {
        self.state().linger
    }

    /// Notes who waits to read; gives the phase's number, its limit, and what passing it means.
    fn wait(&self, cx: &Context<'_>) -> (u64, Option<(Duration, Cut)>) {
        let mut state = self.state();
        state.reader = Some(cx.waker().clone());
        let limit = match state.phase {
            Phase::Handshake => Some((self.timeouts.tls_handshake, Cut::TlsTimeout)),
            Phase::Header => Some((self.timeouts.header, Cut::HeaderTimeout)),
            Phase::Idle => Some((self.timeouts.idle, Cut::IdleTimeout)),
            Phase::Busy => None,
        };
        (state.epoch, limit)
    }

    fn epoch(&self) -> u64 {
        self.state().epoch
    }

    fn expire(&self, cut: Cut) -> io::Error {
        self.cut(cut);
        io::ErrorKind::TimedOut.into()
    }
}

/// A socket whose waits are limited.
pub(super) struct Watched<S> {
    socket: S,
    watch: Arc<Watch>,
    reading: Option<(u64, Pin<Box<Sleep>>)>,
    writing: Option<Pin<Box<Sleep>>>,
    /// The limit of the answer that is being written, with the number of its phase.
    answering: Option<(u64, Pin<Box<Sleep>>)>,
}

impl<S> Watched<S> {
    pub(super) fn new(socket: S, watch: Arc<Watch>) -> Self {
        Self { socket, watch, reading: None, writing: None, answering: None }
    }

    /// Reading has to wait: fails once the phase's limit has passed.
    fn read_pending(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let (epoch, limit) = self.watch.wait(cx);
        let Some((limit, cut)) = limit else {
            self.reading = None;
            return Poll::Pending;
        };
        ready!(timer(&mut self.reading, epoch, limit).poll(cx));
        Poll::Ready(Err(self.watch.expire(cut)))
    }

    /// Writing has to wait: fails once nothing could be written for the limit, or the answer has taken too long.
    fn write_pending<T>(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<T>> {
        let Timeouts { write, answer, .. } = self.watch.timeouts;
        if timer(&mut self.answering, self.watch.epoch(), answer).poll(cx).is_ready() {
            return Poll::Ready(Err(self.watch.expire(Cut::AnswerTimeout)));
        }
        let waited = self.writing.get_or_insert_with(|| Box::pin(tokio::time::sleep(write)));
        ready!(waited.as_mut().poll(cx));
        Poll::Ready(Err(self.watch.expire(Cut::WriteTimeout)))
    }

    fn written<T>(&mut self, result: Poll<io::Result<T>>, cx: &mut Context<'_>) -> Poll<io::Result<T>> {
        if result.is_pending() {
            return self.write_pending(cx);
        }
        self.writing = None;
        result
    }
}

/// The timer of the phase with the number `epoch`; one of an earlier phase is replaced.
fn timer(slot: &mut Option<(u64, Pin<Box<Sleep>>)>, epoch: u64, limit: Duration) -> Pin<&mut Sleep> {
    let current = slot.take().filter(|(of, _)| *of == epoch);
    slot.insert(current.unwrap_or_else(|| (epoch, Box::pin(tokio::time::sleep(limit))))).1.as_mut()
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let result = Pin::new(&mut self.socket).poll_read(cx, buffer);
        if result.is_pending() {
            return self.read_pending(cx);
        }
        if buffer.filled().len() > before && self.watch.phase() == Phase::Idle {
            self.watch.enter(Phase::Header);
        }
        result
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.socket).poll_write(cx, bytes);
        self.written(result, cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.socket).poll_write_vectored(cx, parts);
        self.written(result, cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let result = Pin::new(&mut self.socket).poll_flush(cx);
        // A TCP socket has nothing to flush and is always ready, which says nothing about a write that waits.
        if result.is_pending() { self.write_pending(cx) } else { result }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let result = Pin::new(&mut self.socket).poll_shutdown(cx);
        self.written(result, cx)
    }
}
