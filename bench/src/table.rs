//! Tables, for a terminal and in Markdown.

/// Three digits are more than the measurements carry.
pub(crate) fn number(value: f64) -> String {
    let digits = match value.abs() {
        size if size >= 100.0 || size.is_nan() => 0,
        size if size >= 10.0 => 1,
        size if size >= 1.0 => 2,
        _ => 3,
    };
    let number = format!("{value:.digits$}");
    let number = if digits == 0 { &number } else { number.trim_end_matches('0').trim_end_matches('.') };
    if number == "-0" { "0".to_owned() } else { number.to_owned() }
}

/// Columns as wide as they have to be.
pub(crate) fn plain<const N: usize>(rows: &[[String; N]]) -> String {
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: [usize; N] = std::array::from_fn(width);
    let line = |row: &[String; N]| {
        let cells: Vec<_> = row.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        cells.join("  ").trim_end().to_owned() + "\n"
    };
    rows.iter().map(line).collect()
}

/// With a head, and what would end a cell escaped.
pub(crate) fn markdown<S: AsRef<str>>(head: &[S], rows: &[impl AsRef<[String]>]) -> String {
    let rule = vec!["---"; head.len()];
    let rows = rows.iter().map(|row| line(row.as_ref()));
    [line(head), line(&rule)].into_iter().chain(rows).collect()
}

fn line(cells: &[impl AsRef<str>]) -> String {
    let cell = |cell: &str| if cell.is_empty() { " ".to_owned() } else { format!(" {} ", cell.replace('|', r"\|")) };
    let cells: Vec<_> = cells.iter().map(|text| cell(text.as_ref())).collect();
    format!("|{}|\n", cells.join("|"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_three_digits_and_no_zeros_at_the_end() {
        let numbers = [0.0, -0.0, 0.0521, 0.21, 0.0001, 2.0, 2.345, 13.0, 87.54, 1948.4, -3.0, f64::NAN, 200.0];
        let shown = ["0", "0", "0.052", "0.21", "0", "2", "2.35", "13", "87.5", "1948", "-3", "NaN", "200"];
        assert_eq!(numbers.map(number), shown);
    }

    #[test]
    fn tables() {
        let rows = [["a".to_owned(), String::new()], ["b|c".to_owned(), "µs".to_owned()]];
        assert_eq!(plain(&rows), "a\nb|c  µs\n");
        assert_eq!(markdown(&["x", ""], &rows), "| x | |\n| --- | --- |\n| a | |\n| b\\|c | µs |\n");
    }
}
