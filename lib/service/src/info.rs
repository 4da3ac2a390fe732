//! Which program this is: the name that metrics, pages and `--version` carry.

/// Name, version and revision of a program. Made by [`build_info!`](crate::build_info) in the binary's own crate, so that
/// the values are that crate's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BuildInfo {
    /// Name of the program, as on the command line: `alertmanager-proxy`.
    pub name: &'static str,
    /// Version of the package.
    pub version: &'static str,
    /// Source revision the build came from; empty when the build did not say.
    pub revision: &'static str,
}

impl BuildInfo {
    /// Prefix of the program's own metrics: its name with `_` for `-`.
    #[must_use]
    pub fn metric_prefix(&self) -> String {
        self.name.replace('-', "_")
    }
}

/// [`BuildInfo`] of the calling crate. The revision is the environment variable `OGI_REVISION` of the build.
#[macro_export]
macro_rules! build_info {
    () => {
        $crate::BuildInfo {
            name: env!("CARGO_PKG_NAME"),
            version: env!("CARGO_PKG_VERSION"),
            revision: match option_env!("OGI_REVISION") {
                Some(revision) => revision,
                None => "",
            },
        }
    };
}
