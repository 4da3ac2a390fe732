//! What fuzzing began with and found is asserted on every run.

use crate::replay::replay;
use crate::{properties, requests};

#[test]
fn what_fuzzing_found_stays_mended() {
    replay("alerts", properties::alerts);
    replay("details", properties::details);
    replay("proxy_config", properties::config);
}

#[test]
fn what_fuzzing_asked_for_is_answered() {
    replay("proxy_requests", requests::requests);
}
