//! What fuzzing began with and found is asserted on every run.

use crate::properties;
use crate::replay::replay;

#[test]
fn what_fuzzing_found_stays_mended() {
    replay("log", properties::log);
    replay("perfdata", properties::perfdata);
}

#[cfg(feature = "pages")]
#[test]
fn what_fuzzing_asked_for_is_answered() {
    replay("requests", crate::requests::requests);
}
