//! The binary, and the library as another program would use it.
