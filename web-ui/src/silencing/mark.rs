//! The mark of silences that end with their alerts. It stands at the end of the comment, where every web-ui, Alertmanager's own
//! page and amtool show it, and where it stays when web-ui is started anew.

/// What a marked comment ends with.
pub const MARK: &str = "[until resolved]";

/// The comment without its mark, and whether it has one.
pub fn read(comment: &str) -> (&str, bool) {
    match comment.trim_end().strip_suffix(MARK) {
        Some(text) => (text.trim_end(), true),
        None => (comment, false),
    }
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
    }
}
