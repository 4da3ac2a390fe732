//! The one place that chooses the TLS implementation.

use std::sync::Arc;

use rustls::crypto::CryptoProvider;

/// The cryptography behind every TLS connection, to and from our programs. Ring: it builds without a C toolchain's extras
/// and makes smaller binaries than aws-lc. Passed on explicitly, never installed for the process, so that a test or a
/// library cannot change it.
#[must_use]
pub fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}
