//! The mark of silences that end with their alerts. It stands at the end of the comment, where every web-ui, Alertmanager's own
//! page and amtool show it, and where it stays when web-ui is started anew.

/// What a marked comment ends with.
pub const MARK: &str = "[until resolved]";

/// The comment without its mark, and whether it has one. Of several, none is left: what was written without a mark has to be read so.
pub fn read(comment: &str) -> (&str, bool) {
    let unmarked = |text: &str| text.trim_end().strip_suffix(MARK).map(str::len);
    let Some(mut end) = unmarked(comment) else { return (comment, false) };
    while let Some(before) = unmarked(&comment[..end]) {
        end = before;
    }
    (comment[..end].trim_end(), true)
}

/// The comment with its mark, or without.
pub fn written(comment: &str, is_marked: bool) -> String {
    let (text, _) = read(comment.trim());
    if is_marked { format!("{text} {MARK}") } else { text.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_written_once_and_read_again() {
        assert_eq!(read(&written("disk is replaced ", true)), ("disk is replaced", true));
        assert_eq!(written(&written("x", true), true), "x [until resolved]");
        assert_eq!(written(&written("x", true), false), "x");
        assert_eq!(read("works [until resolved] on it"), ("works [until resolved] on it", false));
        for marks in ["x [until resolved] [until resolved]", "x[until resolved][until resolved]  [until resolved] "] {
            assert_eq!(read(marks), ("x", true));
            assert_eq!(read(&written(marks, false)), ("x", false));
        }
    }
}
