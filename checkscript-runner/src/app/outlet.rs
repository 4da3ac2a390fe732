//! What another program adds to the running runner.

use std::sync::Arc;

use crate::definitions::Definitions;
use crate::notice::{Notice, Sink};

/// Where results go besides the log.
pub trait Outlet {
    /// Begins: within the async runtime, after the configuration was found valid and before a check runs. `log` is the
    /// runner's; the sink that comes back gets everything in its place, and is to pass on what the log shall have.
    ///
    /// # Errors
    /// Why the runner cannot run.
    fn begin(&mut self, log: Arc<dyn Sink>, definitions: &Definitions) -> Result<Arc<dyn Sink>, Notice>;

    /// Checks run from now on.
    fn running(&mut self) {}

    /// The configuration in use is another one now.
    fn reloaded(&mut self, _definitions: &Definitions) {}

    /// Ends: nothing is published any more, the log is still open. Not called where the runner fails.
    fn end(self) -> impl Future<Output = ()>;
}

/// Nothing but the log.
#[derive(Clone, Copy, Debug)]
pub struct LogOnly;

impl Outlet for LogOnly {
    fn begin(&mut self, log: Arc<dyn Sink>, _definitions: &Definitions) -> Result<Arc<dyn Sink>, Notice> {
        Ok(log)
    }

    async fn end(self) {}
}
