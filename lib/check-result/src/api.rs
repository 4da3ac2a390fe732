//! The detail API (contract C3): what a check said last, and before, over HTTP.
//!
//! ```text
//! GET /api/v1/checks                   array of summaries; ?status=warning,critical  ?check=  ?source=  ?LABEL=  ?limit=
//! GET /api/v1/checks/{check}           the last result; same filters; 404 none, 409 more than one
//! GET /api/v1/checks/{check}/history   newest first: changes of status and the last results; ?limit=
//! ```
//!
//! A parameter that is none of these and no label that a check can have is refused (400): a misspelt one must not look
//! like "no such check". With `Accept: text/plain` they answer what a person wants in a terminal. Answers carry an
//! `ETag`, are gzipped where that is accepted, and are the same to HEAD but for their body. The server side is one
//! router over the trait [`Checks`], the client side one function; both speak [`Summary`], [`Detail`] and [`History`].

#[cfg(feature = "server")]
pub(crate) mod accept;
#[cfg(feature = "client")]
mod client;
mod detail;
mod filter;
#[cfg(feature = "server")]
pub(crate) mod refusal;
#[cfg(feature = "server")]
pub(crate) mod server;
#[cfg(feature = "server")]
pub(crate) mod tag;
#[cfg(feature = "server")]
mod text;

#[cfg(feature = "client")]
pub use crate::values::{MOST_VALUES, values};
#[cfg(feature = "client")]
pub use client::{FetchError, answer, detail};
pub use detail::{Detail, Expiry, History, Labels, Summary};
pub use filter::{BadFilter, Filter};
#[cfg(feature = "server")]
pub use server::{Checks, Entry, Unavailable, router};
