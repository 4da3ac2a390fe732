//! One connection, within its limits.

use std::convert::Infallible;
use std::sync::Arc;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpStream;

use super::super::accept::close;
use super::super::{Shared, events};
use super::answer;

/// The largest header, in bytes; hyper's own limit is 400 KiB.
const HEADER_SIZE: usize = 64 * 1024;

/// Serves one request and says what was wrong with one that could not be served.
pub(super) async fn serve(stream: TcpStream, shared: Arc<Shared>) {
    let service = service_fn(|request| {
        let shared = Arc::clone(&shared);
        async move { Ok::<_, Infallible>(answer(request, &shared.intake).await.response()) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(shared.times.header)
        .max_buf_size(HEADER_SIZE)
        .keep_alive(false)
        .auto_date_header(false)
        .serve_connection(TokioIo::new(stream), service)
        .without_shutdown();
    match tokio::time::timeout(shared.times.whole, connection).await {
        Ok(Ok(parts)) => close(parts.io.into_inner()).await,
        // One that went away by itself has lost nothing that was promised.
        Ok(Err(error)) if error.is_parse() || error.is_timeout() => {
            shared.intake.notice(&events::http_error(error.to_string()));
        }
        Ok(Err(_)) => (),
        Err(_) => shared.intake.notice(&events::http_error("the request was not complete in time")),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::super::super::limits::Times;
    use super::super::super::recorder::Recorder;
    use super::*;

    const LONG: Duration = Duration::from_secs(60);
    const SHORT: Duration = Duration::from_millis(10);

    /// Sends the text, waits for the server to end the connection; gives the answer and the reason in the log.
    async fn exchange(times: Times, text: &str) -> (String, String) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (recorder, intake) = Recorder::intake();
        let served = serve(listener.accept().await.unwrap().0, Arc::new(Shared::new(intake, times)));
        let asking = async {
            client.write_all(text.as_bytes()).await.unwrap();
            let mut answer = String::new();
            client.read_to_string(&mut answer).await.unwrap();
            drop(client);
            answer
        };
        let answer = tokio::join!(asking, served).0;
        let told = recorder.told();
        (answer, told.first().map(|(_, fields)| fields["error"].as_str().unwrap().to_owned()).unwrap_or_default())
    }

    #[tokio::test]
    async fn a_header_that_does_not_end_is_ended() {
        let times = Times { pause: LONG, header: SHORT, whole: LONG };
        let (answer, reason) = exchange(times, "GET /info HTTP/1.1\r\nX-Slow: ").await;
        assert_eq!((answer.as_str(), reason.as_str()), ("", "read header from client timeout"));
    }

    #[tokio::test]
    async fn a_body_that_does_not_end_is_ended() {
        let times = Times { pause: LONG, header: LONG, whole: SHORT };
        let head = "POST /results HTTP/1.1\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n[";
        assert_eq!(exchange(times, head).await, (String::new(), "the request was not complete in time".to_owned()));
    }

    #[tokio::test]
    async fn what_is_no_request_is_answered_and_told() {
        let times = Times::default();
        for text in ["\0\r\n\r\n", "POST /results HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n[]"] {
            let (answer, reason) = exchange(times, text).await;
            assert!(answer.starts_with("HTTP/1.1 400 Bad Request\r\n"), "{answer}");
            assert!(reason.contains("invalid"), "{reason}");
        }
    }
}
