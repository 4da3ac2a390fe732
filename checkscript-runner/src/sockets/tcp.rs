//! The TCP socket: one document, or `ping`, a connection.
//!
//! There is no framing. The document is at its end when its brackets are; a sender that stops before is answered
//! `invalid` after half a second. sensu-client parses everything anew for each piece, here each byte is looked at once.

use std::fmt::Display;
use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};

use super::accept::{self, close};
use super::document::Scanner;
use super::intake::{Intake, Unreadable};
use super::limits::{Buffer, Times};
use super::{Shared, events};

const READ_SIZE: usize = 16 * 1024;
/// The longest `ping` with white space around it.
const LONGEST_PING: usize = 1024;

pub(super) struct Protocol;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reply {
    Ok,
    Invalid,
    Pong,
}

/// What has been received on one connection.
struct Conversation<'a> {
    intake: &'a Intake,
    buffer: Buffer,
    scanner: Scanner,
    /// It was complete and is no JSON; no further bytes can mend that.
    broken: bool,
}

impl accept::Protocol for Protocol {
    const NAME: &'static str = "tcp";

    async fn serve(stream: TcpStream, shared: Arc<Shared>) {
        answer(stream, &shared.intake, shared.times).await;
    }
}

async fn answer<S: AsyncRead + AsyncWrite + Unpin>(mut stream: S, intake: &Intake, times: Times) {
    let Some(reply) = converse(&mut stream, Conversation::new(intake), times).await else { return };
    if stream.write_all(reply.word()).await.is_ok() {
        close(stream).await;
    }
}

async fn converse<S>(stream: &mut S, mut conversation: Conversation<'_>, times: Times) -> Option<Reply>
where
    S: AsyncRead + Unpin,
{
    let end = Instant::now() + times.whole;
    let mut chunk = vec![0; READ_SIZE];
    loop {
        let limit = if conversation.has_begun() { end.min(Instant::now() + times.pause) } else { end };
        match timeout_at(limit, stream.read(&mut chunk)).await {
            Ok(Ok(length @ 1..)) => {
                if let Some(reply) = conversation.receive(&chunk[..length]).await {
                    return Some(reply);
                }
            }
            // Too slow, gone, or at its end.
            Ok(_) | Err(_) => return conversation.give_up().await,
        }
    }
}

/// White space around it does not count.
pub(super) fn is_ping(data: &[u8]) -> bool {
    data.len() <= LONGEST_PING && data.trim_ascii() == b"ping"
}

// === impl Reply ===

impl Reply {
    /// Without a line feed.
    fn word(self) -> &'static [u8] {
        match self {
            Self::Ok => b"ok",
            Self::Invalid => b"invalid",
            Self::Pong => b"pong",
        }
    }
}

// === impl Conversation ===

impl<'a> Conversation<'a> {
    fn new(intake: &'a Intake) -> Self {
        Self { intake, buffer: intake.buffer(), scanner: Scanner::default(), broken: false }
    }

    fn has_begun(&self) -> bool {
        !self.buffer.bytes().is_empty()
    }

    /// Takes a piece; with a reply the conversation is over.
    async fn receive(&mut self, chunk: &[u8]) -> Option<Reply> {
        if let Err(full) = self.buffer.push(chunk) {
            self.intake.notice(&events::refused(self.buffer.bytes(), &full.to_string()));
            return Some(Reply::Invalid);
        }
        if is_ping(self.buffer.bytes()) {
            self.intake.debug(events::ping);
            return Some(Reply::Pong);
        }
        self.intake.debug(|| events::data(self.buffer.bytes()));
        self.scanner.feed(chunk);
        if self.broken || !self.scanner.is_complete() {
            return None;
        }
        self.process().await
    }

    async fn process(&mut self) -> Option<Reply> {
        let data = self.buffer.bytes();
        let document = match self.intake.read(data).await {
            Ok(document) => document,
            Err(Unreadable::Syntax(_)) => {
                self.broken = true;
                return None;
            }
            Err(unreadable @ Unreadable::Values) => {
                self.intake.notice(&events::refused(data, &unreadable.to_string()));
                return Some(Reply::Invalid);
            }
        };
        match self.intake.publish(document).await {
            Ok(()) => Some(Reply::Ok),
            Err(refusal) => {
                self.intake.notice(&events::refused(data, &refusal.to_string()));
                Some(Reply::Invalid)
            }
        }
    }

    /// Nothing more comes. A connection on which nothing came at all is closed without a word.
    async fn give_up(&self) -> Option<Reply> {
        if !self.has_begun() {
            return None;
        }
        let data = self.buffer.bytes();
        let fault = self.intake.fault(data).await;
        self.intake.notice(&events::discarding(data, fault.as_ref().map(|fault| fault as &dyn Display)));
        Some(Reply::Invalid)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;
    use serde_json::json;
    use tokio::io::{DuplexStream, duplex};

    use super::super::limits::DOCUMENT;
    use super::super::recorder::Recorder;
    use super::*;

    const RESULT: &str = r#"{"name":"backup","output":"終わり","status":1}"#;
    const DISCARDING: &str = "discarding data buffer for sender and closing connection";
    const REFUSED: &str = "failed to process check result from socket";
    const LONG: Duration = Duration::from_secs(60);
    const SHORT: Duration = Duration::from_millis(1);

    /// Serves the far end of a connection whose near end `send` uses; gives the answer.
    async fn converse_with<F: Future<Output = DuplexStream>>(
        intake: &Intake,
        times: Times,
        send: impl FnOnce(DuplexStream) -> F,
    ) -> String {
        let (near, far) = duplex(1024);
        let client = async {
            let mut near = send(near).await;
            let mut reply = String::new();
            near.read_to_string(&mut reply).await.unwrap();
            reply
        };
        tokio::join!(client, answer(far, intake, times)).0
    }

    /// Sends the pieces and waits; a sender that is answered before its end stops.
    async fn send<'a>(pieces: impl IntoIterator<Item = &'a [u8]>, mut near: DuplexStream) -> DuplexStream {
        for piece in pieces {
            if near.write_all(piece).await.is_err() {
                break;
            }
            tokio::task::yield_now().await;
        }
        near
    }

    fn times(pause: Duration) -> Times {
        Times { pause, header: LONG, whole: LONG }
    }

    /// A36.
    #[tokio::test]
    async fn bytes_that_come_one_by_one_are_one_document() {
        let (recorder, intake) = Recorder::intake();
        let reply = converse_with(&intake, times(LONG), |near| send(RESULT.as_bytes().chunks(1), near)).await;
        assert_eq!((reply.as_str(), recorder.names()), ("ok", vec!["backup".to_owned()]));
        assert_eq!(recorder.told(), [], "not even about the halves of characters");
        let data = |notice: &crate::notice::Notice| notice.fields["data"].clone();
        assert_eq!(recorder.notices().iter().map(data).next_back().unwrap(), RESULT);
    }

    /// A37.
    #[tokio::test]
    async fn a_document_that_stops_is_discarded() {
        let (recorder, intake) = Recorder::intake();
        let reply = converse_with(&intake, times(SHORT), |near| send([&b"{\"partial\":"[..]], near)).await;
        assert_eq!(reply, "invalid");
        let told = recorder.told();
        assert_eq!((told.len(), told[0].0.as_str(), &told[0].1["data"]), (1, DISCARDING, &json!("{\"partial\":")));
        assert!(told[0].1["parse_error"].as_str().unwrap().contains("line 1"), "{told:?}");
    }

    #[tokio::test]
    async fn a_sender_that_never_pauses_is_ended_too() {
        let (recorder, intake) = Recorder::intake();
        let times = Times { whole: Duration::from_millis(20), ..times(LONG) };
        let endless = std::iter::repeat(&b" "[..]);
        let reply = converse_with(&intake, times, |near| send([&b"["[..]].into_iter().chain(endless), near)).await;
        assert_eq!((reply.as_str(), recorder.told()[0].0.as_str()), ("invalid", DISCARDING));
    }

    #[tokio::test]
    async fn a_sender_that_goes_away_is_told_like_one_that_stops() {
        let (recorder, intake) = Recorder::intake();
        let reply = converse_with(&intake, times(LONG), |near| async {
            let mut near = send([&b"{"[..]], near).await;
            near.shutdown().await.unwrap();
            near
        });
        assert_eq!(reply.await, "invalid");
        assert_eq!(recorder.told()[0].0, DISCARDING);
    }

    #[tokio::test]
    async fn a_connection_without_a_byte_is_closed_without_a_word() {
        let (recorder, intake) = Recorder::intake();
        let times = Times { whole: SHORT, ..times(LONG) };
        assert_eq!(converse_with(&intake, times, |near| async { near }).await, "");
        assert_eq!(recorder.told(), []);
    }

    /// A35.
    #[tokio::test]
    async fn a_ping_is_answered_and_leaves_no_warning() {
        for ping in ["ping", "  ping \n"] {
            let (recorder, intake) = Recorder::intake();
            assert_eq!(converse_with(&intake, times(SHORT), |near| send([ping.as_bytes()], near)).await, "pong");
            assert_eq!((recorder.names(), recorder.told()), (vec![], vec![]));
        }
    }

    /// A33.
    #[tokio::test]
    async fn an_array_is_published_up_to_the_first_that_is_invalid() {
        let (recorder, intake) = Recorder::intake();
        let data = r#"[{"name":"a","output":""},{"name":"b"},{"name":"c","output":""}]"#;
        let reply = converse_with(&intake, times(LONG), |near| send([data.as_bytes()], near)).await;
        assert_eq!((reply.as_str(), recorder.names()), ("invalid", vec!["a".to_owned()]));
        let want = json!({"data": data, "error": "check output must be a string"});
        assert_eq!(recorder.told(), [(REFUSED.to_owned(), want)]);
    }

    #[tokio::test]
    async fn more_than_the_limit_is_refused_and_logged_in_part() {
        let (recorder, intake) = Recorder::intake();
        let long = vec![b'['; DOCUMENT + 1];
        let reply = converse_with(&intake, times(LONG), |near| send(long.chunks(1024), near)).await;
        assert_eq!(reply, "invalid");
        let (message, fields) = recorder.told().remove(0);
        assert_eq!(
            (message.as_str(), &fields["error"]),
            (REFUSED, &json!("check result is larger than 2097152 bytes"))
        );
        assert_eq!(fields["data"].as_str().unwrap().len(), 64 * 1024);
        assert!(fields["data_bytes"].as_u64().unwrap() > 2_000_000, "{}", fields["data_bytes"]);
    }

    #[tokio::test]
    async fn what_oj_takes_is_taken() {
        let (recorder, intake) = Recorder::intake();
        let data = "/* } */ {\"name\":\"a\",\"output\":\"two\nlines\",\"value\":NaN}";
        assert_eq!(converse_with(&intake, times(LONG), |near| send([data.as_bytes()], near)).await, "ok");
        assert_eq!(recorder.results()[0].output(), "two\nlines");
        assert_eq!(recorder.results()[0].check()["value"], json!(null));
    }

    /// Bytes that look like the protocol, and bytes that do not.
    fn pieces() -> impl Strategy<Value = Vec<Vec<u8>>> {
        let token = prop_oneof![
            Just(b"{\"name\":\"a\",\"output\":\"x\"}".to_vec()),
            Just(b"ping".to_vec()),
            "[\\[\\]{}\",:/*\\\\ \n0-9a-z]{0,8}".prop_map(String::into_bytes),
            prop::collection::vec(any::<u8>(), 0..16),
        ];
        prop::collection::vec(token, 0..6)
    }

    proptest! {
        #[test]
        fn any_bytes_end_in_exactly_one_answer(pieces in pieces()) {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
            let (recorder, intake) = Recorder::intake();
            let sent = pieces.iter().map(Vec::as_slice);
            let times = Times { whole: 5 * SHORT, ..times(SHORT) };
            let reply = runtime.block_on(converse_with(&intake, times, |near| send(sent, near)));
            let all: Vec<u8> = pieces.concat();
            match reply.as_str() {
                "" => prop_assert!(all.is_empty()),
                "pong" => prop_assert!(!all.is_empty() && recorder.names().is_empty()),
                // `[]` is fine and publishes nothing.
                "ok" => prop_assert!(recorder.told().iter().all(|(message, _)| message.contains("UTF-8"))),
                "invalid" => {
                    let ended = recorder.told().into_iter().filter(|(message, _)| message == DISCARDING || message == REFUSED);
                    prop_assert_eq!(ended.count(), 1, "told once why");
                }
                other => prop_assert!(false, "{}", other),
            }
        }
    }
}
