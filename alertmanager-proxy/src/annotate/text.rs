//! Output made fit for people: [cleaned], passwords taken out, cut to size.

use std::borrow::Cow;
use std::sync::LazyLock;

use check_result::cleaned;
use regex::Regex;

/// What Sensu's mailer takes for a password: the word behind these options
/// (`sensu-plugins-mailer`'s `bin/handler-mailer.rb`, `build_body`).
static PASSWORD: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"(\s-p|\s-P|\s--password)(\s*\S+)").expect("the pattern is valid"));

/// Bytes at either end of a long text that are looked at; far more than an annotation can hold.
const END: usize = 16 << 10;

/// Raw text, cleaned, without passwords, at most `max` bytes. Line ends at its end go.
pub(super) fn fit(raw: &str, max: usize) -> String {
    if raw.len() <= 2 * END {
        let text = presentable(raw);
        return if text.len() <= max { text } else { ends(&text, &text, text.len(), max) };
    }
    let head = presentable(&raw[..raw.floor_char_boundary(END)]);
    let tail = presentable(&raw[raw.ceil_char_boundary(raw.len() - END)..]);
    ends(&head, &tail, raw.len(), max)
}

/// Text made of texts that are clean already, with what a template put between them; at most `max` bytes.
pub(super) fn finish(made: &str, max: usize) -> String {
    let text = cleaned(made);
    let text = text.trim_end_matches('\n');
    if text.len() <= max { text.to_owned() } else { ends(text, text, text.len(), max) }
}

fn presentable(raw: &str) -> String {
    let text = cleaned(raw);
    redact(text.trim_end_matches('\n')).into_owned()
}

/// Replaces what Sensu's mailer takes for passwords, by its words.
fn redact(text: &str) -> Cow<'_, str> {
    // Most outputs have none of the options, and the pattern takes longer than everything else together.
    if !["-p", "-P"].iter().any(|option| text.contains(option)) {
        return Cow::Borrowed(text);
    }
    PASSWORD.replace_all(text, "$1 <password omitted>")
}

/// The first line of raw text as everywhere ([`check_result::first_line`]), cleaned, without passwords.
pub(super) fn first_line(raw: &str) -> String {
    check_result::first_line(&presentable(&raw[..raw.floor_char_boundary(END)])).to_owned()
}

/// The start of `head` and the end of `tail`, at most `max` bytes, with a line between them that says how much of the
/// `whole` is left out. The end of an output often holds the reason, so it gets a third.
fn ends(head: &str, tail: &str, whole: usize, max: usize) -> String {
    // As long as the real marker or longer: no count has more digits than the whole length.
    let room = max.saturating_sub(marker(whole, whole).len());
    let head = &head[..head.floor_char_boundary(room - room / 3)];
    let tail = &tail[tail.ceil_char_boundary(tail.len().saturating_sub(room / 3))..];
    format!("{head}{}{tail}", marker(whole.saturating_sub(head.len() + tail.len()), whole))
}

fn marker(left_out: usize, whole: usize) -> String {
    format!("\n[... {left_out} of {whole} bytes left out ...]\n")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn passwords_as_sensus_mailer_omits_them() {
        for (text, want) in [
            ("check -u me -p secret -H db", "check -u me -p <password omitted> -H db"),
            ("check -psecret", "check -p <password omitted>"),
            ("check --password 'x y'", "check --password <password omitted> y'"),
            ("check -P x\n-p", "check -P <password omitted>\n-p"),
            ("check-proc -w 1", "check-proc -w 1"),
        ] {
            assert_eq!(redact(text), want);
        }
    }

    #[test]
    fn the_first_line_is_that_of_the_clean_text() {
        assert_eq!(first_line("\x1b[0m\n \n \x1b[1mCRITICAL: -p x \nmore"), "CRITICAL: -p <password omitted>");
        assert_eq!(first_line(&format!("\x1b[1m{}", "語".repeat(400))), "語".repeat(300));
        assert_eq!(first_line(""), "");
    }

    #[test]
    fn a_cut_keeps_head_and_tail() {
        for length in [5_000, 5_000_000] {
            let cut = fit(&format!("HEAD{}TAIL\n", "x".repeat(length)), 200);
            assert!(cut.starts_with("HEADx") && cut.ends_with("xTAIL"), "{cut}");
            assert!(cut.len() <= 200 && cut.contains("bytes left out ...]\n"), "{cut}");
        }
        let cut = fit(&"x".repeat(5_000), 200);
        let kept = cut.matches('x').count();
        assert!(cut.contains(&format!("\n[... {} of 5000 bytes left out ...]\n", 5_000 - kept)), "{cut}");
    }

    proptest! {
        #[test]
        fn a_cut_is_never_too_long(text in any::<String>(), max in 60usize..400) {
            prop_assert!(fit(&text, max).len() <= max);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(16))]

        #[test]
        fn a_cut_of_a_long_text_is_never_too_long(text in ".{1,100}", max in 60usize..400) {
            prop_assert!(fit(&text.repeat(2 * END / text.len() + 1), max).len() <= max);
        }
    }
}
