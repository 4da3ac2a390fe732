//! The detail API.
