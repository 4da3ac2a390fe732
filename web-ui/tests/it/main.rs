//! web-ui before servers whose answers and faults a test decides. Before the real ones it is shown by the end-to-end tests.

mod faults;
mod pages;
mod servers;
mod world;
