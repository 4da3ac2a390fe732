//! The library as others use it.

mod pushed;
