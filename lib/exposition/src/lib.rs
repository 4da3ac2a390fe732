//! Prometheus exposition: what a `/metrics` endpoint answers, in both text formats.
//!
//! Series that are made at scrape time (one family a check attribute, one sample a check) have their own small model
//! here, because they need the classic text format, dynamic labels and exact escaping, none of which
//! `prometheus-client` offers. A process's own metrics stay in a `prometheus-client` registry and are brought into the
//! asked format by [`write_registry`]. An endpoint negotiates once and calls, in this order:
//!
//! ```
//! # use exposition::{Family, Format, Kind};
//! # let registry = prometheus_client::registry::Registry::default();
//! let format = Format::negotiate(Some("text/plain;version=0.0.4"));
//! let mut page = String::new();
//! exposition::write_registry(&registry, format, &mut page);
//! let mut status = Family::new("checkscript_status", "Exit status of the last result", Kind::Gauge);
//! status.push(vec![("check".into(), "disk".into())], 2.0);
//! exposition::write(&[status], format, &mut page);
//! exposition::finish(format, &mut page);
//! assert_eq!(page.lines().last(), Some(r#"checkscript_status{check="disk"} 2"#));
//! ```
//!
//! What others measured, and is passed on in any format, has a model of its own with readers: [`pushed`].

mod family;
mod format;
pub mod pushed;
mod registry;
mod text;

pub use family::{Family, Kind, Label, Labels, Sample};
pub use format::Format;
pub use registry::write_registry;
pub use text::{finish, is_label_name, write};
