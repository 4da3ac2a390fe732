//! Outputs that are cut, and say so.

use std::borrow::Cow;

/// How the last line of an output begins that was cut. checkscript-runner's does, too.
const CUT: &str = "\n[output cut: ";
/// More than that line can be long.
const LONGEST_NOTE: usize = 80;

/// `output` cut to at most `max` bytes on a character boundary, with a last line that says so. One that was cut before is cut
/// further, not again: the line goes on to say how much there was at first.
pub(crate) fn bounded(output: &str, max: usize) -> Cow<'_, str> {
    let (len, whole) = was_cut(output).unwrap_or((output.len(), output.len()));
    if len <= max {
        return Cow::Borrowed(output);
    }
    let kept = output.floor_char_boundary(max);
    let note = format!("{CUT}{kept} of {whole} bytes kept]\n");
    // Grown piece by piece it would hold twice as much.
    let mut bounded = String::with_capacity(kept + note.len());
    bounded.push_str(&output[..kept]);
    bounded.push_str(&note);
    Cow::Owned(bounded)
}

/// How long `output` is, were it cut to at most `max` bytes, or a little more.
pub(crate) fn bounded_len(output: &str, max: usize) -> usize {
    output.len().min(max.saturating_add(LONGEST_NOTE))
}

/// How much was kept of an output that was cut, and how much there was.
fn was_cut(output: &str) -> Option<(usize, usize)> {
    let (_, note) = output.strip_suffix(" bytes kept]\n")?.rsplit_once(CUT)?;
    let (kept, whole) = note.split_once(" of ")?;
    let (kept, whole) = (kept.parse().ok()?, whole.parse().ok()?);
    let is_note = output.as_bytes().get(kept..)?.starts_with(CUT.as_bytes()) && output.len() - kept <= LONGEST_NOTE;
    (is_note && kept < whole).then_some((kept, whole))
}

/// `output` up to its first line's character `length`, counted from 0 as sensu-server does, with a line `...` if that is not all.
pub(crate) fn truncated(output: &str, length: u64) -> Cow<'_, str> {
    let whole = output.trim_end_matches('\n');
    let line = whole.split('\n').next().unwrap_or_default();
    let end = usize::try_from(length).ok().and_then(|length| line.char_indices().nth(length.checked_add(1)?));
    let kept = &line[..end.map_or(line.len(), |(end, _)| end)];
    if kept.len() < whole.len() { Cow::Owned(format!("{kept}\n...")) } else { Cow::Borrowed(kept) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cut_output_holds_no_more_than_it_says() {
        let long = "x".repeat(1000);
        let Cow::Owned(cut) = bounded(&long, 100) else { panic!("it fits") };
        assert_eq!((cut.len(), cut.capacity()), (100 + "\n[output cut: 100 of 1000 bytes kept]\n".len(), cut.len()));
        assert!(cut.len() <= bounded_len(&long, 100));
    }

    #[test]
    fn what_only_looks_like_a_cut_output_is_bounded() {
        let zeros = "0".repeat(500);
        for output in [
            format!("x\n[output cut: {zeros}1 of 9 bytes kept]\n"),
            format!("{zeros}\n[output cut: 2 of 9 bytes kept]\n"),
            format!("{zeros}\n[output cut: 500 of 9 bytes kept]\n"),
            format!("{zeros}\n[output cut: -1 of x bytes kept]\n"),
        ] {
            assert!(bounded(&output, 100).starts_with(&output[..100]), "{output}");
            assert!(bounded(&output, 100).len() <= bounded_len(&output, 100), "{output}");
        }
    }
}
