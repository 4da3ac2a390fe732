//! How bad an alert is, by its label `severity`. Who writes rules may write any word there, so that no other word decides how a
//! page paints an alert.

/// How bad a severity is: the larger, the worse. As checks are, and unknown words between OK and WARNING.
pub fn rank(severity: &str) -> u8 {
    match severity {
        "critical" | "page" | "error" => 4,
        "unknown" => 3,
        "warning" => 2,
        "none" | "info" => 0,
        _ => 1,
    }
}

/// The class of what is painted for a severity: one of a few that the style sheet has, never the word itself.
pub fn class(severity: &str) -> &'static str {
    match rank(severity) {
        4.. => "critical",
        3 => "unknown",
        2 => "warning",
        _ if severity == "ok" => "ok",
        _ => "other",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_ranked_alike_is_painted_alike_and_no_word_becomes_a_class() {
        for word in ["critical", "page", "error"] {
            assert_eq!((rank(word), class(word)), (4, "critical"), "{word}");
        }
        for (word, want) in [("unknown", "unknown"), ("warning", "warning"), ("ok", "ok")] {
            assert_eq!(class(word), want);
        }
        for word in ["", "none", "info", "hidden", "phone", "silenced", "critical hidden", "down"] {
            assert_eq!(class(word), "other", "{word}");
        }
    }
}
