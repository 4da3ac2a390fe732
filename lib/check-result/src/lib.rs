//! check-result
