//! One connection, from the accepted socket to its end.

use std::convert::Infallible;
use std::future::poll_fn;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::header::{CONNECTION, HeaderValue};
use axum::http::{Request, Response, StatusCode};
use axum::response::IntoResponse as _;
use http_body_util::BodyExt as _;
use hyper::body::{Body as _, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tower::ServiceExt as _;
use tower_http::timeout::{DeadlineBody, TimeoutError};

use super::Serving;
use super::watch::{Phase, Watch, Watched};
use crate::access::ClientNames;
use crate::body::Guarded;
use crate::metrics::Cut;

/// Limit of a request's header, and of what is read ahead of a body, in bytes. hyper's own is 400 KiB, which a thousand
/// clients could make us hold.
const BUFFER: usize = 64 << 10;
/// How long a client that was refused may go on sending before its connection is reset.
const LINGER: Duration = Duration::from_millis(500);

/// Serves a connection to its end and accounts for how it ended.
pub(super) async fn run(stream: TcpStream, peer: SocketAddr, serving: Arc<Serving>) {
    // Answers are written whole; waiting to fill a packet would only delay them.
    let _ = stream.set_nodelay(true);
    // A socket for both families shows IPv4 clients as `::ffff:…`.
    let peer = SocketAddr::new(peer.ip().to_canonical(), peer.port());
    let config = serving.web.current();
    let tls = config.tls();
    let watch = Watch::new(serving.timeouts, if tls.is_some() { Phase::Handshake } else { Phase::Header });
    let socket = Watched::new(stream, Arc::clone(&watch));
    let served = async {
        match tls {
            Some(tls) => https(socket, (tls, config.verifies_clients()), peer, &serving, &watch).await,
            None => http(socket, (peer, None), &serving, &watch).await,
        }
    };
    let detail = tokio::select! {
        detail = served => detail,
        () = serving.kill.cancelled() => {
            watch.cut(Cut::StopDeadline);
            String::new()
        }
    };
    if let Some(cut) = watch.reason() {
        serving.metrics.cut(cut, peer, &detail);
    }
}

/// Negotiates TLS, then serves as [`http()`] does. `tls` says besides whether client certificates are verified.
async fn https<I>(
    io: I,
    tls: (Arc<ServerConfig>, bool),
    peer: SocketAddr,
    serving: &Arc<Serving>,
    watch: &Arc<Watch>,
) -> String
where
    I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (config, verifies) = tls;
    let secured = tokio::select! {
        secured = TlsAcceptor::from(config).accept(io) => secured,
        // No request is in flight yet.
        () = serving.stop.cancelled() => return String::new(),
    };
    match secured {
        Ok(secured) => {
            watch.enter(Phase::Header);
            let certificate = secured.get_ref().1.peer_certificates().and_then(<[_]>::first).filter(|_| verifies);
            let names = certificate.map(|certificate| ClientNames::of(certificate));
            http(secured, (peer, names), serving, watch).await
        }
        Err(error) => {
            watch.cut(Cut::TlsFailed);
            error.to_string()
        }
    }
}

/// Serves HTTP/1.1 and says in words what ended it, if anything did. The requests carry who the `caller` is: its address and
/// the names in its certificate.
async fn http<I>(io: I, caller: (SocketAddr, Option<ClientNames>), serving: &Arc<Serving>, watch: &Arc<Watch>) -> String
where
    I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (peer, names) = caller;
    let service = service_fn(|mut request: Request<Incoming>| {
        request.extensions_mut().insert(ConnectInfo(peer));
        if let Some(names) = &names {
            request.extensions_mut().insert(names.clone());
        }
        let (serving, watch) = (Arc::clone(serving), Arc::clone(watch));
        Box::pin(async move { Ok::<_, Infallible>(answer(request, &serving, watch).await) })
    });
    // hyper's own header timeout cannot tell a kept connection from a half-sent header, so the socket keeps both.
    let mut connection = http1::Builder::new()
        .header_read_timeout(None)
        .max_buf_size(BUFFER)
        .serve_connection(TokioIo::new(io), service);
    let mut closing = false;
    let ended = loop {
        tokio::select! {
            ended = poll_fn(|cx| connection.poll_without_shutdown(cx)) => break ended,
            () = closed_for(serving, watch), if !closing => {
                closing = true;
                std::pin::Pin::new(&mut connection).graceful_shutdown();
            }
        }
    };
    match ended {
        Ok(()) => {
            close(connection.into_parts().io.into_inner(), watch).await;
            String::new()
        }
        Err(error) => {
            if error.is_parse() {
                watch.cut(Cut::BadRequest);
            }
            error.to_string()
        }
    }
}

/// Waits until the connection should take no further request: the server stops, or another connection waits for a slot.
/// One that was just opened is not asked to go before its first request.
async fn closed_for(serving: &Serving, watch: &Watch) {
    loop {
        tokio::select! {
            () = serving.stop.cancelled() => return,
            () = serving.crowded.notified() => {
                if watch.phase() != Phase::Header {
                    return;
                }
            }
        }
    }
}

/// Says goodbye, and where the client may still be sending, reads on for a moment.
async fn close<I: AsyncRead + AsyncWrite + Unpin>(mut io: I, watch: &Watch) {
    if io.shutdown().await.is_err() || !watch.lingers() {
        return;
    }
    let mut dropped = [0; 4096];
    let drain = async { while matches!(io.read(&mut dropped).await, Ok(1..)) {} };
    let _ = tokio::time::timeout(LINGER, drain).await;
}

type Answer = Response<Guarded<Body, Answering>>;

async fn answer(request: Request<Incoming>, serving: &Serving, watch: Arc<Watch>) -> Answer {
    watch.enter(Phase::Busy);
    let answering = Answering(Arc::clone(&watch));
    let has_body = !request.body().is_end_stream();
    let request = request.map(|body| if has_body { limited(body, serving, &watch) } else { Body::empty() });
    let mut response = match serving.router.clone().oneshot(request).await {
        Ok(response) => response,
        Err(never) => match never {},
    };
    if watch.reason() == Some(Cut::BodyTimeout) {
        response = (StatusCode::REQUEST_TIMEOUT, "The request body did not arrive in time\n").into_response();
    }
    let refused = response.status().is_client_error() || response.status().is_server_error();
    if has_body && refused {
        watch.linger();
    }
    if serving.slots.available_permits() == 0 {
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    response.map(|body| Guarded::new(body, answering))
}

/// The request body with its time limit.
fn limited(body: Incoming, serving: &Serving, watch: &Arc<Watch>) -> Body {
    let watch = Arc::clone(watch);
    Body::new(DeadlineBody::new(serving.timeouts.body, body).map_err(move |error| {
        if error.is::<TimeoutError>() {
            watch.cut(Cut::BodyTimeout);
        }
        error
    }))
}

/// Goes with an answer's body, so that the connection is idle as soon as the answer is written.
struct Answering(Arc<Watch>);

impl Drop for Answering {
    fn drop(&mut self) {
        self.0.enter(Phase::Idle);
    }
}
