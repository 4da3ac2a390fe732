//! Runs Sensu check scripts on their schedule and logs each result as sensu-client does.
//!
//! The parts follow a check's way: [`definitions`] reads it, [`schedule`] knows when it runs, [`execute`] runs it, and a
//! [`notice::Sink`] takes the result; the binary's is the [`logger`]. Results that applications push come in by [`sockets`]. [`app`] puts them together under the command line
//! of [`cli`]. Another program can do so with a sink of its own:
//!
//! ```no_run
//! # use std::sync::Arc;
//! # use checkscript_runner::{definitions::Definitions, execute::Executor, notice::Sink, schedule::Scheduler};
//! # use tokio_util::sync::CancellationToken;
//! # async fn example(definitions: Definitions, sink: Arc<dyn Sink>, stop: CancellationToken) {
//! let executor = Executor::new(definitions.spawn_limit, sink);
//! let (_reload, definitions) = tokio::sync::watch::channel(Arc::new(definitions));
//! Scheduler::new(executor.clone(), definitions).run(stop).await;
//! executor.finish().await;
//! # }
//! ```

pub mod app;
pub mod cli;
mod console;
pub mod definitions;
mod events;
pub mod execute;
mod foreign_links;
pub mod logger;
pub mod notice;
mod pretty;
pub mod schedule;
pub mod sockets;
mod tools;
