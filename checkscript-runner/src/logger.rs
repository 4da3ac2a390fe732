//! The log: whole lines, in order, appended by a thread of its own.
//!
//! Callers hand over finished lines and never wait. While the log cannot be written (a full disk, most of all) lines
//! wait in a buffer that is bounded in bytes; what falls over the bound is counted, and a line tells the count as soon
//! as writing works again. A line that was written in part is completed, so nothing is ever glued to it.

mod output;
mod queue;

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use check_result::CheckResult;
use check_result::log::{Level, write_line, write_result};
use jiff::Zoned;

use self::output::{Output, Unwritable};
use self::queue::{Queue, Step};
use crate::events;
use crate::notice::{Notice, Sink};

/// How long to wait before a line that could not be written is tried again.
const RETRY: Duration = Duration::from_secs(1);

/// The runner's log, a [`Sink`].
pub struct Logger {
    level: Level,
    queue: Arc<Queue>,
    writer: Mutex<Option<JoinHandle<()>>>,
}

// === impl Logger ===

impl Logger {
    /// Logs what is of `level` or above to `file`, or to standard output if there is none or it cannot be opened.
    pub fn open(file: Option<PathBuf>, level: Level) -> std::io::Result<Self> {
        let (output, problem) = Output::open(file)?;
        let queue = Arc::new(Queue::default());
        let writer = Writer { queue: Arc::clone(&queue), output };
        let handle = thread::Builder::new().name("log".to_owned()).spawn(move || writer.run())?;
        let logger = Self { level, queue, writer: Mutex::new(Some(handle)) };
        if let Some(problem) = problem {
            logger.notice(&problem.notice());
        }
        Ok(logger)
    }

    /// Opens the file again by its path; if that fails, a line says so and the old one stays in use.
    pub fn reopen(&self) {
        self.queue.reopen();
    }

    /// Writes what is left and ends; later lines are dropped. What cannot be written is told on standard error.
    pub fn close(&self) {
        self.queue.close();
        let writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner).take();
        if writer.is_some_and(|writer| writer.join().is_err()) {
            eprintln!("checkscript-runner: the log's writer has failed");
        }
    }
}

impl Sink for Logger {
    fn publish(&self, result: &CheckResult) {
        if self.level <= Level::Info {
            let mut line = Vec::new();
            write_result(&mut line, &Zoned::now(), result);
            self.queue.push(line);
        }
    }

    fn notice(&self, notice: &Notice) {
        if self.level <= notice.level {
            self.queue.push(line_of(notice));
        }
    }
}

fn line_of(notice: &Notice) -> Vec<u8> {
    let mut line = Vec::new();
    write_line(&mut line, &Zoned::now(), notice.level, &notice.message, &notice.fields);
    line
}

/// The thread's side.
struct Writer {
    queue: Arc<Queue>,
    output: Output,
}

// === impl Writer ===

impl Writer {
    fn run(mut self) {
        loop {
            match self.queue.next() {
                Step::Line(line) => self.write(line),
                Step::Reopen => self.reopen(),
                Step::Close => return,
            }
        }
    }

    fn write(&mut self, line: Vec<u8>) {
        match self.output.write(&line) {
            Ok(()) => self.queue.tell_losses(|lost| line_of(&events::lines_lost(lost))),
            Err(Unwritable { error, is_news }) => {
                if is_news {
                    eprintln!("checkscript-runner: the log cannot be written: {error}");
                }
                if let Some(left) = self.queue.wait_to_retry(line, RETRY) {
                    eprintln!("checkscript-runner: {left} log lines could not be written");
                }
            }
        }
    }

    fn reopen(&mut self) {
        if let Some(problem) = self.output.reopen() {
            self.queue.push(line_of(&problem.notice()));
        }
    }
}
