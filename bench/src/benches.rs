//! The benches, one a module.

pub(crate) mod catch_up;
pub(crate) mod fleet;
pub(crate) mod lateness;
pub(crate) mod memory;
pub(crate) mod push_agent;
pub(crate) mod pushgateway;
pub(crate) mod resends;
pub(crate) mod rules;
pub(crate) mod schedulers;
pub(crate) mod scrape;
pub(crate) mod soak;
pub(crate) mod spawn;
pub(crate) mod storm;
pub(crate) mod throughput;
pub(crate) mod web_ui;
