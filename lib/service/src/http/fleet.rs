//! One request now and then to each of very many servers.
//!
//! A connection for each request, closed behind it, and no more memory than one request needs: thousands run at a time,
//! and some of them hang until their time is over. Who asks says which addresses may be connected to, so that it is
//! decided once, on the addresses themselves, wherever they come from. Time limits are the caller's: dropped, a request
//! ends with its connection.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::{Either, select};
use futures_util::stream::{FuturesUnordered, StreamExt as _};
use http::{Request, Response};
use http_body::{Body, Frame, SizeHint};
use http_body_util::Empty;
use hyper::body::Incoming;
use hyper::client::conn::http1::Builder;
use hyper_util::rt::TokioIo;
use reqwest::Url;
use reqwest::header::{ACCEPT, CONNECTION, HOST, HeaderMap, HeaderValue, USER_AGENT};
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use url::Position;

use super::{ClientError, ClientOptions, root_cause, tls};

/// Bytes that are read at a time, and so the longest head of an answer.
const READ: usize = 8 << 10;

/// How long an address may be silent before the next is tried beside it: the connection attempt delay of RFC 8305.
const NEXT: Duration = Duration::from_millis(250);

/// Asks servers, each over a connection of its own. Redirects are not followed, nor are proxy settings of the
/// environment read.
#[derive(Clone)]
pub struct Fleet {
    tls: TlsConnector,
    user_agent: HeaderValue,
    /// Of every request.
    headers: HeaderMap,
}

/// Why a server gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// No connection came about. The text is the innermost cause.
    #[error("{0}")]
    Connect(String),
    /// It broke before the answer's head was there.
    #[error("{0}")]
    Broken(String),
}

/// The body of an answer, with the connection that it comes over.
pub struct Answer {
    body: Incoming,
    /// Until it has ended.
    connection: Option<Work>,
}

/// A connection at work.
type Work = Pin<Box<dyn Future<Output = hyper::Result<()>> + Send>>;

// === impl Fleet ===

impl Fleet {
    /// A client with the credentials, the TLS settings and the user agent of `options`; its time limits are not used.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub fn new(options: &ClientOptions) -> Result<Self, ClientError> {
        let config = match options.http.tls.clone() {
            Some(config) => config,
            None => tls::client_config(tls::Settings::default()).map_err(ClientError::Tls)?,
        };
        let user_agent =
            HeaderValue::from_str(&options.user_agent).map_err(|error| ClientError::Tls(error.to_string()))?;
        Ok(Self { tls: TlsConnector::from(Arc::new(config)), user_agent, headers: options.http.headers() })
    }

    /// Gets `url` as JSON from the first of `addresses` that takes the connection; the answer's head.
    ///
    /// # Errors
    /// See [`AskError`].
    pub async fn get(&self, url: &Url, addresses: &[SocketAddr]) -> Result<Response<Answer>, AskError> {
        let stream = connect(addresses).await.map_err(|error| AskError::Connect(error.to_string()))?;
        if url.scheme() == "http" {
            return self.exchange(url, stream).await;
        }
        let name = url.host_str().unwrap_or_default().trim_start_matches('[').trim_end_matches(']').to_owned();
        let name = ServerName::try_from(name).map_err(|error| AskError::Connect(error.to_string()))?;
        // Apart: a handshake takes memory that a request in plain text does without.
        let stream = Box::pin(self.tls.connect(name, stream)).await;
        self.exchange(url, stream.map_err(|error| AskError::Connect(root_cause(&error).to_string()))?).await
    }

    async fn exchange<S>(&self, url: &Url, stream: S) -> Result<Response<Answer>, AskError>
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let request = self.request(url).map_err(|error| AskError::Broken(error.to_string()))?;
        let broken = |error: hyper::Error| AskError::Broken(root_cause(&error).to_string());
        let handshake = Builder::new().read_buf_exact_size(Some(READ)).handshake(TokioIo::new(stream));
        let (mut sender, connection) = handshake.await.map_err(broken)?;
        let mut connection: Work = Box::pin(connection);
        let (answer, connection) = match select(pin!(sender.send_request(request)), &mut connection).await {
            Either::Left((answer, _)) => (answer, Some(connection)),
            // It may end with the answer, all of which is here then.
            Either::Right((_, answer)) => {
                // With it goes a request that nobody has taken, which would be waited for.
                drop(connection);
                (answer.await, None)
            }
        };
        Ok(answer.map_err(broken)?.map(|body| Answer { body, connection }))
    }

    fn request(&self, url: &Url) -> http::Result<Request<Empty<Bytes>>> {
        let mut request = Request::get(&url[Position::BeforePath..Position::AfterQuery])
            .header(HOST, url.authority())
            .header(USER_AGENT, &self.user_agent)
            .header(ACCEPT, "application/json")
            .header(CONNECTION, "close")
            .body(Empty::new())?;
        request.headers_mut().extend(self.headers.clone());
        Ok(request)
    }
}

impl fmt::Debug for Fleet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Fleet")
    }
}

/// The first connection that comes about. The next address is tried as soon as one has failed, or has been silent for a moment, so
/// that it does not take the time of the others.
async fn connect(addresses: &[SocketAddr]) -> io::Result<TcpStream> {
    let mut failure = io::Error::new(io::ErrorKind::AddrNotAvailable, "there is no address to connect to");
    let (mut waiting, mut attempts) = (addresses.iter(), FuturesUnordered::new());
    loop {
        attempts.extend(waiting.next().map(TcpStream::connect));
        let patience = if waiting.len() == 0 { Duration::MAX } else { NEXT };
        match timeout(patience, attempts.next()).await {
            Ok(Some(Ok(stream))) => return Ok(stream),
            Ok(Some(Err(error))) => failure = error,
            Ok(None) => return Err(failure),
            Err(_) => {}
        }
    }
}

// === impl Answer ===

impl Body for Answer {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        // What fails the connection fails the body as well.
        if self.connection.as_mut().is_some_and(|connection| connection.as_mut().poll(context).is_ready()) {
            self.connection = None;
        }
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.body.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    #[tokio::test]
    async fn the_address_that_answers_is_found_among_those_that_refuse() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        let live = listener.local_addr().unwrap();
        for addresses in [vec![live], vec![closed, closed, live], vec![live, closed]] {
            assert_eq!(connect(&addresses).await.unwrap().peer_addr().unwrap(), live);
        }
        assert_eq!(connect(&[closed, closed]).await.unwrap_err().kind(), io::ErrorKind::ConnectionRefused);
    }
}
