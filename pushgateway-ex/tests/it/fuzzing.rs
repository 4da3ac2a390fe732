//! What fuzzing began with and found is asserted on every run.

use std::fs;
use std::path::Path;

use crate::properties;

#[test]
fn what_fuzzing_found_stays_mended() {
    for (target, property) in [
        ("push_text", properties::text as fn(&[u8])),
        ("push_protobuf", properties::protobuf),
        ("push_path", properties::path),
    ] {
        let mut inputs = 0;
        for folder in ["corpus", "regressions"] {
            let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz").join(folder).join(target);
            let Ok(entries) = fs::read_dir(&folder) else { continue };
            for input in entries {
                property(&fs::read(input.unwrap().path()).unwrap());
                inputs += 1;
            }
        }
        assert!(inputs > 3, "{target}: only {inputs} inputs");
    }
}
