//! Check logs as sensu-client writes them, of any length: the same definitions, outputs and proportions as in the logs of a real one.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use jiff::Timestamp;
use jiff::tz::TimeZone;

/// A kind of check.
struct Shape {
    name: &'static str,
    /// The definition's members before `name`, as JSON.
    definition: &'static str,
    /// As JSON text without quotes; `#` stands for a number that changes from run to run.
    output: &'static str,
    /// What the check exits with when it is not well.
    failing: u8,
}

const SHAPES: [Shape; 8] = [
    Shape {
        name: "disk-root",
        definition: r#""interval":10,"handlers":["mailer","default"],"standalone":true,"command":"check-disk.sh -w 80 -c 90 -p /""#,
        output: r"DISK OK: / #% used | /=#%;80;90;0;100\n",
        failing: 2,
    },
    Shape {
        name: "cpu-load",
        definition: r#""standalone":true,"type":"metric","command":"metrics-cpu.sh","interval":10,"handlers":["graphite"]"#,
        output: r"app-osaka-01.cpu.user #.50 1795228252\napp-osaka-01.cpu.system 3.25 1795228252\napp-osaka-01.cpu.idle #.25 1795228252\n",
        failing: 1,
    },
    Shape {
        name: "proc-list",
        definition: r#""standalone":true,"command":"check-multi.sh","interval":15"#,
        output: r#"PROCS OK: # processes | procs=#;10;20;0\nroot\t1\tinit\nsensu\t412\t\"sensu-client\"\nwww\t999\tC:\\\\path\\\\x\nlast line without newline"#,
        failing: 1,
    },
    Shape {
        name: "greeting-ja",
        definition: r#""standalone":true,"command":"check-greeting.sh","interval":15"#,
        output: r"監視 OK: ディスク使用率は正常です (使用率 #％) – naïve café ✓ 😀\n",
        failing: 1,
    },
    Shape {
        name: "router-ping",
        definition: r#""standalone":true,"command":"check-ping.sh -H router-a","source":"router-a","interval":20"#,
        output: r"PING OK rtt=#.2ms\n",
        failing: 2,
    },
    Shape {
        name: "annotated",
        definition: r#""standalone":true,"command":"check-web.sh -u 'https://www.example.jp/?a=1&b=2'","interval":20,"timeout":5,"ttl":90,"ttl_status":2,"handlers":["slack","irc"],"handler":"default","aggregates":["web-health","osaka"],"low_flap_threshold":20,"high_flap_threshold":60,"contacts":["ops","dev"],"dependencies":["disk-root","app-osaka-01/mem-free"],"runbook":"https://wiki.example.jp/runbook?a=1&b=2","custom":{"nested":{"threshold":1.5,"big":12345678901234567890,"neg":-3,"flag":false,"nothing":null,"list":[1,"two",3.0,{"four":4}]}}"#,
        output: r"HTTP OK: 200 in 0.# s\n",
        failing: 2,
    },
    Shape {
        name: "mem-free",
        definition: r#""standalone":true,"command":"check-mem.sh -w 10 -c 5","interval":15,"handler":"pagerduty","occurrences":3,"refresh":1800"#,
        output: r"MEM OK: #% free\n",
        failing: 2,
    },
    Shape {
        name: "missing-plugin",
        definition: r#""standalone":true,"command":"check-not-installed.rb -w 1 -c 2","interval":20"#,
        output: r"sh: 1: check-not-installed.rb: not found\n",
        failing: 127,
    },
];

/// A log to be written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LogLines {
    /// How many checks take turns.
    pub(crate) checks: u64,
    /// After how many runs a check's status changes.
    pub(crate) runs_a_status: u64,
}

/// A log on the disk, for as long as this lives.
#[derive(Debug)]
pub(crate) struct Log {
    pub(crate) path: PathBuf,
    pub(crate) lines: u64,
    pub(crate) megabytes: f64,
}

/// One in so many lines is an event that is no result. A prime, so that it is each check's turn now and then.
const OTHER: u64 = 7;

// === impl LogLines ===

impl LogLines {
    /// Writes at least so many bytes of whole lines, the last logged now, and reads them once: whoever comes first must not
    /// pay for the disk.
    pub(crate) fn write(&self, path: PathBuf, bytes: u64) -> anyhow::Result<Log> {
        let lines = self.write_lines(&path, bytes)?;
        let read = io::copy(&mut File::open(&path)?, &mut io::sink())?;
        Ok(Log { path, lines, megabytes: read as f64 / 1e6 })
    }

    fn write_lines(&self, file: &Path, bytes: u64) -> anyhow::Result<u64> {
        let failed = || format!("cannot write {}", file.display());
        let mut out = Counted { out: BufWriter::new(File::create(file).with_context(failed)?), bytes: 0 };
        let mut lines = 0;
        // Lines are some hundred bytes long, and must not lie in the future.
        let started = Timestamp::now().as_microsecond() - i64::try_from(bytes / 200)? * STEP;
        while out.bytes < bytes {
            self.line(&mut out, lines, started + i64::try_from(lines)? * STEP).with_context(failed)?;
            lines += 1;
        }
        out.flush().with_context(failed)?;
        Ok(lines)
    }

    fn line(&self, out: &mut impl Write, number: u64, logged: i64) -> io::Result<()> {
        let (run, index) = (number / self.checks, number % self.checks);
        let shape = &SHAPES[(index % SHAPES.len() as u64) as usize];
        let second = logged.div_euclid(1_000_000);
        let at = Timestamp::from_second(second).unwrap_or_default().to_zoned(TimeZone::UTC);
        let micros = logged.rem_euclid(1_000_000);
        let (level, message) = match number % OTHER {
            6 => ("warn", "previous check command execution in progress"),
            _ => ("info", "publishing check result"),
        };
        write!(
            out,
            r#"{{"timestamp":"{}.{micros:06}+0000","level":"{level}","message":"{message}","#,
            at.strftime("%Y-%m-%dT%H:%M:%S")
        )?;
        let Shape { name, definition, .. } = shape;
        if level == "warn" {
            return writeln!(out, r#""check":{{{definition},"name":"{name}-{index}","issued":{second}}}}}"#);
        }
        let status = if (run / self.runs_a_status) % 2 == 1 { shape.failing } else { 0 };
        let output = shape.output.replace('#', &(number % 97).to_string());
        let duration = number % 50;
        writeln!(
            out,
            r#""payload":{{"client":"app-osaka-01","check":{{{definition},"name":"{name}-{index}","issued":{second},"executed":{second},"duration":0.{duration:03},"output":"{output}","status":{status}}}}}}}"#
        )
    }
}

/// Microseconds between two lines.
const STEP: i64 = 5_000;

impl Drop for Log {
    fn drop(&mut self) {
        fs::remove_file(&self.path).ok();
    }
}

struct Counted<W> {
    out: W,
    bytes: u64,
}

impl<W: Write> Write for Counted<W> {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        let written = self.out.write(buffer)?;
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::Value;

    use super::*;

    #[test]
    fn every_line_is_an_event_and_statuses_change() {
        let folder = tempfile::tempdir().unwrap();
        let log = LogLines { checks: 9, runs_a_status: 2 }.write(folder.path().join("log"), 100_000).unwrap();
        let text = fs::read_to_string(&log.path).unwrap();
        let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(lines.len() as u64, log.lines);
        assert!(text.len() >= 100_000);
        let results: Vec<_> = lines.iter().filter(|line| line["message"] == "publishing check result").collect();
        assert!(results.len() < lines.len());
        let of = |member: &str| {
            results.iter().map(|line| line["payload"]["check"][member].to_string()).collect::<BTreeSet<_>>()
        };
        assert_eq!(of("name").len(), 9);
        assert_eq!(of("status").len(), 4, "0, 1, 2, 127");
    }
}
