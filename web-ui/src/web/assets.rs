//! The style sheet and the script. All are part of the program, and their addresses change with what they hold, so that a
//! browser keeps them for ever. What tells versions apart is a folder: modules name each other by their own names.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::LazyLock;

use axum::extract::Path;
use axum::response::{IntoResponse as _, Response};
use http::StatusCode;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};

/// A file.
struct Asset {
    name: &'static str,
    content_type: &'static str,
    body: &'static str,
}

const SCRIPT: &str = "text/javascript; charset=utf-8";

const ASSETS: [Asset; 12] = [
    Asset { name: "style.css", content_type: "text/css; charset=utf-8", body: include_str!("../../assets/style.css") },
    Asset { name: "app.js", content_type: SCRIPT, body: include_str!("../../assets/app.js") },
    Asset { name: "keys.js", content_type: SCRIPT, body: include_str!("../../assets/keys.js") },
    Asset { name: "live.js", content_type: SCRIPT, body: include_str!("../../assets/live.js") },
    Asset { name: "morph.js", content_type: SCRIPT, body: include_str!("../../assets/morph.js") },
    Asset { name: "notify.js", content_type: SCRIPT, body: include_str!("../../assets/notify.js") },
    Asset { name: "rows.js", content_type: SCRIPT, body: include_str!("../../assets/rows.js") },
    Asset { name: "silence.js", content_type: SCRIPT, body: include_str!("../../assets/silence.js") },
    Asset { name: "store.js", content_type: SCRIPT, body: include_str!("../../assets/store.js") },
    Asset { name: "stream.js", content_type: SCRIPT, body: include_str!("../../assets/stream.js") },
    Asset { name: "worker.js", content_type: SCRIPT, body: include_str!("../../assets/worker.js") },
    Asset { name: "icon.svg", content_type: "image/svg+xml", body: include_str!("../../assets/icon.svg") },
];

/// Tells one version of the files from the next.
static VERSION: LazyLock<String> = LazyLock::new(|| {
    let mut hasher = DefaultHasher::new();
    ASSETS.iter().for_each(|asset| asset.body.hash(&mut hasher));
    format!("{:016x}", hasher.finish())
});

/// The address of a file.
pub(super) fn address(name: &str) -> String {
    format!("/assets/{}/{name}", *VERSION)
}

pub(super) async fn file(Path((version, name)): Path<(String, String)>) -> Response {
    let Some(asset) = ASSETS.iter().find(|asset| asset.name == name) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    // Another version is asked for while two of them run behind one address: nobody may keep ours under its name.
    let kept = if version == *VERSION { "public, max-age=31536000, immutable" } else { "no-store" };
    ([(CONTENT_TYPE, asset.content_type), (CACHE_CONTROL, kept)], asset.body).into_response()
}
