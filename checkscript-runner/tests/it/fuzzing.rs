//! What fuzzing began with and found is asserted on every run.

use crate::head::headers;
use crate::properties;
use crate::replay::replay;

#[test]
fn what_fuzzing_found_stays_mended() {
    replay("definitions", properties::definitions);
    replay("migrate", properties::migrate);
    replay("results", properties::pushed);
    replay("headers", |head| properties::credentials(&headers(head)));
}
