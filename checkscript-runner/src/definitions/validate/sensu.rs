//! The rules of Sensu's own settings (sensu-settings `validators/sensu.rb`).

use super::scope::{BOOLEAN, INTEGER, OBJECT, STRING, Scope, is_positive_integer, is_truthy};

pub(super) fn rules(sensu: &mut Scope<'_>) {
    if sensu.required("spawn", OBJECT) {
        let mut spawn = sensu.inside("spawn", "sensu spawn");
        if spawn.required("limit", INTEGER) {
            let limit = spawn.get("limit");
            spawn.rule("limit", is_positive_integer(limit), "limit must be greater than 0");
        }
    }
    if sensu.required("keepalives", OBJECT) {
        keepalives(&mut sensu.inside("keepalives", "sensu keepalives"));
    }
    if is_truthy(sensu.get("server")) {
        sensu.object("server", |server| {
            server.optional("results_pipe", STRING);
            server.optional("keepalives_pipe", STRING);
            server.optional("max_message_size", INTEGER);
        });
    }
    sensu.optional("global_error_handler", BOOLEAN);
}

fn keepalives(keepalives: &mut Scope<'_>) {
    keepalives.optional("thresholds", OBJECT);
    let mut thresholds = keepalives.inside("thresholds", "sensu keepalives");
    for (threshold, label) in [("warning", "warning threshold"), ("critical", "critical threshold")] {
        if !thresholds.get(threshold).is_null() {
            thresholds.labelled(threshold, label, INTEGER);
        }
    }
    keepalives.handlers();
}
