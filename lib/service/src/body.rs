//! Small parts around HTTP bodies.

use std::pin::Pin;
use std::task::{Context, Poll};

use axum::extract::DefaultBodyLimit;
use http_body::{Body, Frame, SizeHint};
use tower_http::limit::RequestBodyLimitLayer;

/// A layer for routes whose request bodies may have at most `bytes` bytes; a larger one is answered with 413. Routes
/// without it have axum's limit of 2 MiB, which holds for extractors only.
pub fn limit(bytes: usize) -> (DefaultBodyLimit, RequestBodyLimitLayer) {
    (DefaultBodyLimit::disable(), RequestBodyLimitLayer::new(bytes))
}

pin_project_lite::pin_project! {
    /// A body that keeps something alive until it has been written or given up.
    pub(crate) struct Guarded<B, G> {
        #[pin]
        body: B,
        guard: G,
    }
}

impl<B, G> Guarded<B, G> {
    pub(crate) fn new(body: B, guard: G) -> Self {
        Self { body, guard }
    }
}

impl<B: Body, G> Body for Guarded<B, G> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        self.project().body.poll_frame(cx)
    }

    /// Never, so that hyper asks for a further frame, which it does when what came before is written. Told of the end with
    /// the last frame, it would drop the body, and the guard with it, while all of it is still in its buffer.
    fn is_end_stream(&self) -> bool {
        false
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
