//! The log: whole lines, in order, appended by a thread of its own.
//!
//! Callers hand over finished lines and never wait (`queue`). While the log cannot be written (a full disk, most of all)
//! lines wait in a buffer that is bounded in bytes; what falls over the bound is counted, and a line tells the count as
//! soon as writing works again. How a line reaches the file whole and once is `output`'s; `rotation` renames old files.

mod output;
mod queue;
mod rotation;
mod status;

use std::io;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use check_result::CheckResult;
use check_result::log::{Level, write_line, write_result};
use jiff::Zoned;
use tokio::sync::watch;

use self::output::{Output, Unwritable};
pub use self::queue::Lost;
use self::queue::{Queue, Step};
pub use self::rotation::Rotation;
pub use self::status::{Status, Stream};
use crate::console::complain;
use crate::events;
use crate::notice::{Notice, Sink};

/// How long to wait before a line that could not be written, or a file that could not be opened, is tried again.
const RETRY: Duration = Duration::from_secs(1);
/// How long the last lines may take. A reader of standard output that has stopped reading must not keep the process.
const CLOSING: Duration = Duration::from_secs(5);

/// The runner's log, a [`Sink`].
pub struct Logger {
    levels: Mutex<Levels>,
    queue: Arc<Queue>,
    status: watch::Receiver<Status>,
    /// Disconnected when the writer has ended.
    writer: Mutex<Receiver<()>>,
}

struct Levels {
    current: Level,
    /// What the second switching to debug returns to.
    previous: Level,
}

// === impl Logger ===

impl Logger {
    /// Logs what is of `level` or above to `file`, or to standard output if there is none. If the file cannot be opened
    /// lines go to standard output until it can.
    pub fn open(file: Option<PathBuf>, rotation: Option<Rotation>, level: Level) -> io::Result<Self> {
        let mut output = Output::open(file, rotation)?;
        let notices = output.notices();
        let queue = Arc::new(Queue::default());
        let (alive, writer) = channel();
        let (status, shown) = watch::channel(status_of(&output, Lost::default()));
        let thread = Writer { queue: Arc::clone(&queue), output, status, _alive: alive };
        thread::Builder::new().name("log".to_owned()).spawn(move || thread.run())?;
        let levels = Mutex::new(Levels { current: level, previous: Level::Info });
        let logger = Self { levels, queue, status: shown, writer: Mutex::new(writer) };
        notices.iter().for_each(|notice| logger.notice(notice));
        Ok(logger)
    }

    /// How the log stands, and how it changes.
    pub fn status(&self) -> watch::Receiver<Status> {
        self.status.clone()
    }

    /// Waits for the end of the thread that writes: after [`Self::close`], or because of what must not happen.
    pub async fn ended(&self) {
        let mut status = self.status();
        while status.changed().await.is_ok() {}
    }

    /// Opens the file again by its path. If that fails a line says so, what was open stays in use, and it is tried
    /// again.
    pub fn reopen(&self) {
        self.queue.reopen();
    }

    /// Switches to debug, or from debug to the level before it (info, if there was none). At debug it says how the log
    /// stands.
    pub fn toggle_debug(&self) {
        let mut levels = self.levels();
        *levels = match levels.current {
            Level::Debug => Levels { current: levels.previous, ..*levels },
            current => Levels { current: Level::Debug, previous: current },
        };
        drop(levels);
        self.notice(&events::log_status(&self.status.borrow()));
    }

    /// Writes what is left and ends; later lines are dropped. What cannot be written is told on standard error.
    pub fn close(&self) {
        self.queue.close();
        let writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        if writer.recv_timeout(CLOSING) == Err(RecvTimeoutError::Timeout) {
            complain("the last lines of the log are not taken, ending without them");
        }
    }

    fn levels(&self) -> MutexGuard<'_, Levels> {
        self.levels.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Sink for Logger {
    fn publish(&self, result: &CheckResult) {
        if self.wants(Level::Info) {
            let mut line = Vec::new();
            write_result(&mut line, &Zoned::now(), result);
            self.queue.push(line, true);
        }
    }

    fn notice(&self, notice: &Notice) {
        if self.wants(notice.level) {
            self.queue.push(line_of(notice), false);
        }
    }

    fn wants(&self, level: Level) -> bool {
        self.levels().current <= level
    }
}

fn line_of(notice: &Notice) -> Vec<u8> {
    let mut line = Vec::new();
    write_line(&mut line, &Zoned::now(), notice.level, &notice.message, &notice.fields);
    line
}

fn status_of(output: &Output, lost: Lost) -> Status {
    let error = output.error().map(str::to_owned);
    Status { stream: output.stream(), file: output.path().map(Into::into), error, lost }
}

/// The thread's side.
struct Writer {
    queue: Arc<Queue>,
    output: Output,
    status: watch::Sender<Status>,
    _alive: Sender<()>,
}

// === impl Writer ===

impl Writer {
    fn run(mut self) {
        loop {
            match self.queue.next(self.output.retry_at()) {
                Step::Line(line) => self.write(line),
                Step::Reopen => self.output.reopen(),
                Step::Retry => self.output.retry(),
                Step::Close => return,
            }
            for notice in self.output.notices() {
                self.queue.push(line_of(&notice), false);
            }
            self.show();
        }
    }

    fn write(&mut self, line: Vec<u8>) {
        match self.output.write(&line) {
            Ok(()) => self.queue.tell_losses(|lost| line_of(&events::lines_lost(lost))),
            Err(Unwritable { error, is_news }) => {
                if is_news {
                    complain(&format!("the log cannot be written: {error}"));
                }
                self.show();
                if let Some(left) = self.queue.wait_to_retry(line, RETRY) {
                    complain(&format!("{left} log lines could not be written"));
                }
            }
        }
    }

    /// Makes the status what it is; whoever follows it hears of changes only.
    fn show(&self) {
        let (output, lost) = (&self.output, self.queue.lost_in_all());
        self.status.send_if_modified(|shown| {
            let is_same =
                (shown.stream, shown.lost) == (output.stream(), lost) && shown.error.as_deref() == output.error();
            if !is_same {
                *shown = status_of(output, lost);
            }
            !is_same
        });
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use serde_json::json;

    use super::*;

    #[tokio::test]
    async fn the_end_of_the_thread_is_heard_of() {
        let logger = Logger::open(Some("/dev/null".into()), None, Level::Info).unwrap();
        tokio::select! {
            biased;
            () = logger.ended() => panic!("it lives"),
            () = std::future::ready(()) => (),
        }
        logger.close();
        logger.ended().await;
    }

    #[test]
    fn what_a_full_disk_costs_is_told_when_there_is_room_again() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("log");
        symlink("/dev/full", &file).unwrap();
        let logger = Logger::open(Some(file.clone()), None, Level::Info).unwrap();
        for number in 0..50 {
            let is_result = number % 2 == 0;
            let letter = if is_result { b'r' } else { b'n' };
            logger.queue.push([vec![letter; (1 << 20) - 1], vec![b'\n']].concat(), is_result);
        }
        fs::remove_file(&file).unwrap();
        logger.reopen();
        logger.close();
        let log = fs::read_to_string(file).unwrap();
        let (told, whole): (Vec<&str>, Vec<&str>) = log.lines().partition(|line| line.starts_with('{'));
        let [told] = told[..] else { panic!("{told:?}") };
        let told: serde_json::Value = serde_json::from_str(told).unwrap();
        assert_eq!(told["level"], "error");
        // The writer may have one line in its hands while the queue fills.
        assert!((32..=33).contains(&whole.len()), "{}", whole.len());
        assert!(whole.iter().all(|line| line.len() == (1 << 20) - 1));
        let results = whole.iter().filter(|line| line.starts_with('r')).count();
        assert_eq!((&told["lines"], &told["results"]), (&json!(50 - whole.len()), &json!(25 - results)), "{told}");
    }
}
