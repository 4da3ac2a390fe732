//! What a fuzz target began with and what it found, for the tests of the crate whose property it asserts.

use std::fs;
use std::path::Path;

/// Asserts the property of each input that the repository has for the target.
pub(crate) fn replay(target: &str, property: impl Fn(&[u8])) {
    let fuzz =
        Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().map(|folder| folder.join("fuzz")).find(|fuzz| fuzz.is_dir());
    let fuzz = fuzz.expect("the workspace has fuzz targets");
    let mut inputs = 0;
    for folder in ["corpus", "regressions"].map(|kind| fuzz.join(kind).join(target)) {
        // Nothing has been found by most targets.
        let Ok(entries) = fs::read_dir(&folder) else { continue };
        for input in entries {
            let path = input.expect("a folder can be read").path();
            property(&fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display())));
            inputs += 1;
        }
    }
    assert!(inputs > 3, "{target}: only {inputs} inputs");
}
