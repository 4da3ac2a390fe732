//! What fuzzing began with and found is asserted on every run.

use crate::head::headers;
use crate::replay::replay;
use crate::{page, properties};

#[test]
fn what_fuzzing_found_stays_mended() {
    replay("push_text", properties::text);
    replay("push_protobuf", properties::protobuf);
    replay("push_path", properties::path);
    replay("push_checks", properties::checks);
    replay("push_route", properties::routes);
    replay("push_record", properties::record);
    replay("headers", |head| properties::pushed(&headers(head)));
}

#[test]
fn what_fuzzing_asked_for_is_answered() {
    replay("push_page", page::page);
}
