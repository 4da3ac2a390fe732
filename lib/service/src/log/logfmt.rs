//! logfmt, as Prometheus's own programs write it: `time=… level=info msg="…" key=value`.

use std::fmt::{self, Write as _};

use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

/// Formats events, fields in the order in which they were given. Spans are not shown: events carry their identifiers.
pub(super) struct Logfmt;

impl<S, N> FormatEvent<S, N> for Logfmt
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, _: &FmtContext<'_, S, N>, mut out: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let level = event.metadata().level().as_str().to_ascii_lowercase();
        write!(out, "time={:.3} level={level}", jiff::Timestamp::now())?;
        let mut fields = Fields::default();
        event.record(&mut fields);
        write!(out, " msg={}{}", Value(&fields.message), fields.rest)?;
        out.write_char('\n')
    }
}

#[derive(Default)]
struct Fields {
    message: String,
    rest: String,
}

impl Fields {
    fn add(&mut self, field: &Field, value: &str) {
        if field.name() == "message" {
            self.message = value.to_owned();
        } else {
            write!(self.rest, " {}={}", field.name(), Value(value)).expect("writing to a String cannot fail");
        }
    }
}

impl Visit for Fields {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.add(field, value);
    }

    fn record_error(&mut self, field: &Field, value: &(dyn std::error::Error + 'static)) {
        self.add(field, &value.to_string());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.add(field, &format!("{value:?}"));
    }
}

/// A value, quoted and escaped where a reader could not tell its end otherwise.
struct Value<'a>(&'a str);

impl fmt::Display for Value<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // What a string literal escapes moves a cursor or turns the direction of the text around, or is not seen.
        let is_escaped = |c: char| c != '\'' && c.escape_debug().len() > 1;
        let plain = |c: char| !c.is_whitespace() && c != '=' && !is_escaped(c);
        if !self.0.is_empty() && self.0.chars().all(plain) {
            f.write_str(self.0)
        } else {
            // Rust's string literal and logfmt's quoted value agree on `\"`, `\\`, `\n`, `\t`; other control characters
            // and text-direction overrides become `\u{…}`, which keeps a line one line.
            write!(f, "{:?}", self.0)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_quoted_only_where_needed() {
        for (value, shown) in [
            ("plain", "plain"),
            ("/a/b:1", "/a/b:1"),
            ("", r#""""#),
            ("two words", r#""two words""#),
            ("a=b", r#""a=b""#),
            ("line\nbreak \"x\"", r#""line\nbreak \"x\"""#),
            ("\u{1b}[31m", r#""\u{1b}[31m""#),
            ("gpj.\u{202e}exe", r#""gpj.\u{202e}exe""#),
            ("csi\u{9b}2J", r#""csi\u{9b}2J""#),
            ("it's", "it's"),
            ("ノード", "ノード"),
        ] {
            assert_eq!(Value(value).to_string(), shown);
        }
    }

    #[test]
    fn an_event_becomes_one_line() {
        use std::sync::{Arc, Mutex};
        use tracing_subscriber::layer::SubscriberExt as _;

        #[derive(Clone, Default)]
        struct Sink(Arc<Mutex<Vec<u8>>>);
        impl std::io::Write for Sink {
            fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
                self.0.lock().unwrap().extend_from_slice(bytes);
                Ok(bytes.len())
            }
            fn flush(&mut self) -> std::io::Result<()> {
                Ok(())
            }
        }

        let sink = Sink::default();
        let writer = sink.clone();
        let layer = tracing_subscriber::fmt::layer().event_format(Logfmt).with_writer(move || writer.clone());
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
            tracing::warn!(check = "disk usage", code = 2, error = %"no\nroute", "Could not ask {}", "node-1");
        });
        let line = String::from_utf8(sink.0.lock().unwrap().clone()).unwrap();
        let (time, rest) = line.split_once(' ').unwrap();
        assert!(time.strip_prefix("time=").unwrap().parse::<jiff::Timestamp>().is_ok(), "{time}");
        assert_eq!(rest, "level=warn msg=\"Could not ask node-1\" check=\"disk usage\" code=2 error=\"no\\nroute\"\n");
    }

    proptest::proptest! {
        /// A reader that splits at spaces outside of quotes finds one value, and no value breaks or colours the log.
        #[test]
        fn any_text_stays_one_value_on_one_line(text in ".*|[\\x00-\\x7f]*|[a-c\\u{202a}-\\u{202e}\\u{2066}-\\u{2069}]*") {
            let shown = Value(&text).to_string();
            let acts = |c: char| c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
            proptest::prop_assert!(!shown.chars().any(acts), "{shown:?}");
            let inside = shown.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
            match inside {
                Some(inside) => {
                    let bare = inside.replace(r"\\", "").replace(r#"\""#, "");
                    proptest::prop_assert!(!bare.contains('"') && !bare.ends_with('\\'), "{shown}");
                }
                None => proptest::prop_assert!(!shown.is_empty() && !shown.contains([' ', '"', '=']), "{shown}"),
            }
        }
    }
}
