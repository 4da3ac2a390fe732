//! What fuzzing began with and found is asserted on every run.

use crate::head::headers;
use crate::replay::replay;
use crate::{properties, requests};

#[test]
fn what_fuzzing_found_stays_mended() {
    replay("matchers", properties::matchers);
    replay("silence_form", properties::silence_form);
    replay("answers", properties::answers);
    replay("web_ui_config", properties::config);
    replay("headers", |head| {
        properties::access(&headers(head));
        properties::language(&headers(head));
    });
}

#[test]
fn what_fuzzing_asked_for_is_answered() {
    replay("web_ui_requests", requests::requests);
}
