//! Skimming many lines: a definition is parsed when it is new, not at each of its runs.
//!
//! sensu-client writes a run's own attributes behind the definition's. So what stands between a line's time stamp and `"issued"`
//! is the same at each run of a check, byte for byte, and so is what follows `"status"`. With such a frame a [`Skimmer`] parses a
//! sample line, in which the run's own attributes have known values, and where they come out of [`skim`] as the run's, any others
//! in their place would: equal bytes leave a parser in equal states, and numbers and strings in the place of others change no
//! state. From then on only the time stamp and the own attributes of such lines are looked at. Whatever else comes is for `skim`.

use std::borrow::Cow;
use std::collections::HashMap;

use foldhash::fast::RandomState;
use memchr::memmem::Finder;

use super::own::{self, Own};
use super::read::{Line, read_line};
use super::run::{Run, Skimmed, skim};
use super::stamp::{self, Stamps};
use crate::CheckKey;

/// What stands before a line's time stamp.
const LINE_HEAD: &[u8] = br#"{"timestamp":""#;

/// The longest frame that is remembered, in bytes: what stands before the own attributes, and what behind.
const LONGEST_HEAD: usize = 4 << 10;
const LONGEST_TAIL: usize = 1 << 10;

/// What all frames may hold, in bytes: those of two thousand checks, and more.
const MOST: usize = 2 << 20;

/// What is kept of a frame besides its bytes, about.
const OVERHEAD: usize = 256;

/// The values in a sample line.
const SAMPLE: &str = r#","issued":11,"executed":12,"duration":0.5,"output":"sample","status":13"#;
const SAMPLE_OWN: (Option<i64>, Option<f64>, &str, i64) = (Some(12), Some(0.5), "sample", 13);
const SAMPLE_ISSUED: &str = r#","issued":11"#;
const SAMPLE_HEAD: &str = r#"{"timestamp":"2026-08-18T06:04:05.123456+0900"#;

/// Skims lines, remembering the definitions in them.
#[derive(Debug)]
pub struct Skimmer {
    /// Which frame is a line's, by what stands before the own attributes, from the end of the time stamp.
    heads: HashMap<Box<[u8]>, usize, RandomState>,
    frames: Vec<Frame>,
    /// What they hold, in bytes.
    held: usize,
    stamps: Stamps,
    own_head: Finder<'static>,
    /// The output of the line at hand, where it has escapes.
    unescaped: String,
}

/// What is known of lines that begin alike.
#[derive(Debug)]
enum Frame {
    /// There was one. Hooks' outputs, too, are logged within the definition: those lines have no equals.
    Once,
    /// The sample line is a result.
    Run { run: Box<Run<'static>>, tail: Box<[u8]> },
    /// The sample line says that a check was not run.
    NotRun { check: CheckKey, tail: Box<[u8]> },
    /// The sample line is another event.
    Other { tail: Box<[u8]> },
    /// For [`skim`].
    Odd,
}

// === impl Skimmer ===

impl Default for Skimmer {
    fn default() -> Self {
        Self {
            heads: HashMap::default(),
            frames: Vec::new(),
            held: 0,
            stamps: Stamps::default(),
            own_head: Finder::new(own::HEAD),
            unescaped: String::new(),
        }
    }
}

impl Skimmer {
    /// Reads one line, given without its line feed: as [`skim`] does, and where a scheduled run did not take place as
    /// [`read_line`] does.
    pub fn skim<'a>(&'a mut self, line: &'a [u8]) -> Skimmed<'a> {
        self.framed(line).unwrap_or_else(|| skim(line))
    }

    fn framed<'a>(&'a mut self, line: &'a [u8]) -> Option<Skimmed<'a>> {
        let (stamp, rest) = line.strip_prefix(LINE_HEAD)?.split_at_checked(stamp::LEN)?;
        let logged = self.stamps.read(stamp)?;
        let at = self.own_head.find(&rest[..rest.len().min(LONGEST_HEAD)])?;
        let (head, own) = rest.split_at(at);
        let Some(frame) = self.heads.get(head).copied() else {
            self.remember(head);
            return None;
        };
        let frame = &mut self.frames[frame];
        if matches!(frame, Frame::Once) {
            *frame = Frame::of(head, own);
            self.held += frame.held();
        }
        // One huge output must not hold its memory for ever.
        self.unescaped.clear();
        self.unescaped.shrink_to(64 << 10);
        frame.read(logged, own, &mut self.unescaped)
    }

    fn remember(&mut self, head: &[u8]) {
        let more = head.len() + OVERHEAD;
        if self.held + more > MOST {
            self.heads.clear();
            self.frames.clear();
            self.held = 0;
        }
        self.held += more;
        self.heads.insert(head.into(), self.frames.len());
        self.frames.push(Frame::Once);
    }
}

// === impl Frame ===

impl Frame {
    /// What lines are that begin with `head`, and of which one goes on with `own`.
    fn of(head: &[u8], own: &[u8]) -> Self {
        Self::of_run(head, own).or_else(|| Self::of_other(head, own)).unwrap_or(Self::Odd)
    }

    fn of_run(head: &[u8], own: &[u8]) -> Option<Self> {
        let mut unescaped = String::new();
        let tail = Own::scan(own, &mut unescaped)?.tail;
        match skim(&sample(head, SAMPLE, tail)?) {
            Skimmed::Run(run) if (run.executed, run.duration, &*run.output, run.status) == SAMPLE_OWN => {
                Some(Self::Run { run: Box::new(run.into_owned()), tail: tail.into() })
            }
            _ => None,
        }
    }

    fn of_other(head: &[u8], own: &[u8]) -> Option<Self> {
        let tail = Own::behind_issued(own)?;
        let sample = sample(head, SAMPLE_ISSUED, tail)?;
        match (skim(&sample), read_line(&sample)) {
            (Skimmed::Other, _) => Some(Self::Other { tail: tail.into() }),
            (Skimmed::Unclear, Line::NotRun { logged: Some(_), check }) => {
                Some(Self::NotRun { check, tail: tail.into() })
            }
            _ => None,
        }
    }

    /// What the line is that was logged at `logged` and goes on with `own`.
    fn read<'a>(&'a self, logged: jiff::Timestamp, own: &'a [u8], unescaped: &'a mut String) -> Option<Skimmed<'a>> {
        let is = |tail: &[u8]| Own::behind_issued(own).is_some_and(|rest| *rest == *tail);
        match self {
            Self::Run { run, tail } => {
                let Own { executed, duration, output, status, tail: rest } = Own::scan(own, unescaped)?;
                (*rest == **tail).then(|| {
                    Skimmed::Run(Run {
                        logged,
                        client: Cow::Borrowed(&run.client),
                        name: Cow::Borrowed(&run.name),
                        source: run.source.as_deref().map(Cow::Borrowed),
                        executed: Some(executed),
                        duration,
                        status,
                        output: Cow::Borrowed(output),
                        exit_map: run.exit_map.clone(),
                        ..**run
                    })
                })
            }
            Self::NotRun { check, tail } => is(tail).then_some(Skimmed::NotRun { logged, check }),
            Self::Other { tail } => is(tail).then_some(Skimmed::Other),
            Self::Once | Self::Odd => None,
        }
    }

    /// How many bytes it holds, about.
    fn held(&self) -> usize {
        match self {
            Self::Run { tail, .. } => OVERHEAD + tail.len(),
            Self::NotRun { tail, .. } | Self::Other { tail } => tail.len(),
            Self::Once | Self::Odd => 0,
        }
    }
}

/// A line with known values; none for a tail that is too long to be remembered.
fn sample(head: &[u8], own: &str, tail: &[u8]) -> Option<Vec<u8>> {
    (tail.len() <= LONGEST_TAIL).then(|| [SAMPLE_HEAD.as_bytes(), head, own.as_bytes(), tail].concat())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HEAD: &str = r#"{"timestamp":"2026-11-21T02:30:48.072590+0900","level":"info","message":"publishing check result","payload":{"client":"web-1","check":"#;

    /// Whether the frame of `line` is remembered. Before and after, the line is what the slower readers make of it.
    fn frames(line: &str) -> bool {
        let mut skimmer = Skimmer::default();
        for _ in 0..3 {
            agree(&mut skimmer, line.as_bytes());
        }
        skimmer.framed(line.as_bytes()).is_some()
    }

    fn agree(skimmer: &mut Skimmer, line: &[u8]) {
        let text = String::from_utf8_lossy(line);
        match (skimmer.skim(line), read_line(line)) {
            (Skimmed::NotRun { logged, check }, whole) => {
                assert_eq!(whole, Line::NotRun { logged: Some(logged), check: check.clone() }, "{text}");
            }
            (skimmed, _) => assert_eq!(format!("{skimmed:?}"), format!("{:?}", skim(line)), "{text}"),
        }
    }

    #[test]
    fn a_framed_line_is_what_a_parser_says() {
        let run = r#""name":"a","issued":7,"executed":8,"duration":0.25,"output":"x\n\"issued\":","status":1"#;
        for check in [
            format!("{{{run}}}}}}}"),
            format!(r#"{{"command":"x","custom":{{"y":[1]}},"type":"metric","source":"r",{run}}}}}}}"#),
            format!(r#"{{"low_flap_threshold":5,"high_flap_threshold":9,"exit_map":{{"1":2}},{run}}}}}}}"#),
            format!(r#"{{{run},"handle":false}},"signature":"s"}}}}"#),
            r#"{"name":"a","issued":7,"executed":8,"output":"","status":1}}}"#.to_owned(),
        ] {
            assert!(frames(&format!("{HEAD}{check}")), "{check}");
        }
        let skipped = HEAD.replace("publishing check result", "previous check command execution in progress");
        let skipped = skipped.replace(r#""payload":{"client":"web-1","check":"#, r#""check":"#);
        assert!(frames(&format!(r#"{skipped}{{"name":"a","source":"r","issued":7}}}}"#)));
        assert!(frames(&format!(r#"{skipped}{{"name":7,"issued":7}}}}"#)).eq(&false), "an event that names no check");
        let other = skipped.replace("previous check command execution in progress", "processing check");
        assert!(frames(&format!(r#"{other}{{"name":"a","issued":7}}}}"#)));
    }

    #[test]
    fn what_a_parser_could_see_otherwise_is_left_to_it() {
        let run = r#""issued":7,"executed":8,"duration":0.25,"output":"x","status":1"#;
        for odd in [
            // An own attribute in the definition, or again behind.
            format!(r#"{{"status":3,"name":"a",{run}}}}}}}"#),
            format!(r#"{{"name":"a",{run},"output":"y"}}}}}}"#),
            // Own attributes of something else than the check.
            format!(r#"{{"name":"a","custom":{{"x":1,{run}}}}}}}}}"#),
            format!(r#"{{"name":"a"}},"x":{{"y":1,{run}}}}}}}"#),
            format!(r#"{{"name":"a"}},"x":1,{run}}}}}"#),
            format!(r#"{{"name":"",{run}}}}}}}"#),
            // No JSON.
            format!(r#"{{"name":"a",{run}}}}}"#),
            format!(r#"{{"name":"a,{run}}}}}}}"#),
            format!(r#"{{"name":"a",{run}.5}}}}}}"#),
            format!(r#"{{"name":"a",{run}e5}}}}}}"#),
            r#"{"name":"a","issued":7,"output":"","status":1}}}"#.to_owned(),
        ] {
            assert!(!frames(&format!("{HEAD}{odd}")), "{odd}");
        }
    }

    #[test]
    fn what_is_held_is_bounded() {
        let mut skimmer = Skimmer::default();
        for n in 0..3 * MOST / 1_000 {
            let hook = "x".repeat(700);
            let line = format!(
                r#"{HEAD}{{"hook":"{hook}{n}","name":"a","issued":7,"executed":8,"output":"","status":1}}}}}}"#
            );
            assert!(matches!(skimmer.skim(line.as_bytes()), Skimmed::Run(_)));
            assert!(skimmer.held <= MOST);
            assert!(skimmer.frames.len() <= MOST / 900);
        }
    }

    proptest! {
        /// Bytes changed, lost and doubled anywhere: a line stays what the slower readers make of it, whatever came before.
        #[test]
        fn damage_is_seen_alike(
            changes in prop::collection::vec((0_usize..400, any::<u8>(), 0_usize..4), 1..4),
            tail in prop::sample::select(vec!["}}", r#","handle":false}}"#, r#"},"signature":"s"}"#]),
        ) {
            let check = r#"{"command":"x","hooks":{"ok":{"status":0}},"name":"a","issued":7,"executed":8,"duration":0.25,"output":"x\n\u001b","status":1"#;
            let whole = format!("{HEAD}{check}{tail}}}").into_bytes();
            let mut damaged = whole.clone();
            for (at, byte, kind) in changes {
                let at = at % damaged.len();
                match kind {
                    0 => damaged[at] = byte,
                    1 => drop(damaged.remove(at)),
                    2 => damaged.insert(at, damaged[at]),
                    _ => damaged.truncate(at.max(9)),
                }
            }
            let mut skimmer = Skimmer::default();
            for line in [&whole, &damaged, &whole, &damaged, &damaged, &whole] {
                agree(&mut skimmer, line);
            }
        }
    }
}
