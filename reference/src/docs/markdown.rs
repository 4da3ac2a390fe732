//! Markdown that a forge and mdBook read alike.

/// A table; its cells are Markdown already.
pub(super) fn table(heads: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let line = |cells: &[String]| format!("| {} |\n", cells.join(" | ")).replace("|  |", "| |");
    let heads: Vec<_> = heads.iter().map(|&head| head.to_owned()).collect();
    let rule = vec!["---".to_owned(); heads.len()];
    let mut table = line(&heads) + &line(&rule);
    table.extend(rows.into_iter().map(|row| line(&row)));
    table
}

/// Code within a line or a cell; nothing for an empty text.
pub(super) fn code(text: &str) -> String {
    match text {
        "" => String::new(),
        text => format!("`{}`", text.replace('|', "\\|")),
    }
}

/// A sentence of a program's help as Markdown: what looks like a flag is code, and nothing is a tag, an emphasis or a cell.
pub(super) fn text(help: &str) -> String {
    let mut pieces = Vec::new();
    for (index, piece) in help.split('`').enumerate() {
        // Every second piece stands between backticks.
        pieces.push(if index % 2 == 1 { code(piece) } else { plain(piece) });
    }
    pieces.concat()
}

fn plain(text: &str) -> String {
    let words = text.split(' ').map(|word| {
        let flag = word.trim_end_matches([',', ';', '.', ':', ')']);
        match flag.starts_with("--") {
            true => format!("{}{}", code(flag), &word[flag.len()..]),
            false => word.replace('<', "&lt;").replace('*', "\\*").replace('_', "\\_").replace('|', "\\|"),
        }
    });
    words.collect::<Vec<_>>().join(" ").replace('\n', " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_and_quoted_words_are_code_and_the_rest_is_text() {
        assert_eq!(text("as --a.b, `:PORT|x` <c> a_b"), "as `--a.b`, `:PORT\\|x` &lt;c> a\\_b");
    }

    #[test]
    fn a_table_has_a_head_and_a_row_a_line() {
        let rows = [vec!["1".to_owned(), code("x|y")]];
        assert_eq!(table(&["a", "b"], rows), "| a | b |\n| --- | --- |\n| 1 | `x\\|y` |\n");
    }
}
