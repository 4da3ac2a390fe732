//! `REPORT.md`: what a person has to do, and what became of every attribute.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::account::{Fate, Line, Subject};

/// What the report is about, besides the objects.
#[derive(Debug)]
pub(super) struct Report<'a> {
    pub(super) subjects: &'a [Subject],
    /// Why Sensu itself would not start with these files.
    pub(super) failures: Vec<String>,
    /// What somebody has to see to that belongs to no object.
    pub(super) to_do: &'a [String],
    /// What was written, and what for.
    pub(super) files: Vec<(String, String)>,
}

// === impl Report ===

impl Report<'_> {
    /// How many things somebody has to see to.
    pub(super) fn to_do(&self) -> usize {
        let of_objects: usize = self.subjects.iter().map(|subject| subject.to_do().count()).sum();
        of_objects + self.failures.len() + self.to_do.len()
    }

    /// One line about the whole.
    pub(super) fn summary(&self) -> String {
        let mut counts: BTreeMap<Fate, usize> = BTreeMap::new();
        let lines = self.subjects.iter().flat_map(|subject| &subject.lines);
        lines.for_each(|line| *counts.entry(line.fate).or_default() += 1);
        let count = |fate| counts.get(&fate).copied().unwrap_or_default();
        format!(
            "{} objects with {} attributes: {} carried over, {} changed, {} without effect now, {} to see to.",
            self.subjects.len(),
            counts.values().sum::<usize>(),
            count(Fate::Carried),
            count(Fate::Changed),
            count(Fate::Dropped),
            count(Fate::ToDo),
        )
    }

    pub(super) fn render(&self) -> String {
        let mut out = format!("# Migration from Sensu\n\n{}\n", self.summary());
        self.to_see_to(&mut out);
        out.push_str("\n## What was written\n\n| file | what it is |\n| --- | --- |\n");
        for (file, what) in &self.files {
            row(&mut out, &[&code(file), what]);
        }
        out.push_str(NEXT);
        self.objects(&mut out);
        out
    }

    fn to_see_to(&self, out: &mut String) {
        if self.to_do() == 0 {
            out.push_str("\nNothing needs a decision.\n");
            return;
        }
        out.push_str("\n## To see to\n\nWhat could not be carried over as it is, and what to do about it.\n\n");
        for failure in &self.failures {
            push(out, &format!("- Sensu would not start with these files: {}", cell(failure)));
        }
        self.to_do.iter().for_each(|text| push(out, &format!("- {}", cell(text))));
        // The same of many objects is one thing to do.
        let mut by_text: Vec<((&str, &str), Vec<String>)> = Vec::new();
        for subject in self.subjects {
            for line in subject.to_do() {
                let (key, name) = (
                    (line.attribute.as_str(), line.text.as_str()),
                    format!("{} {}", subject.kind, code(&subject.name)),
                );
                match by_text.iter_mut().find(|(known, _)| *known == key) {
                    Some((_, names)) => names.push(name),
                    None => by_text.push((key, vec![name])),
                }
            }
        }
        for ((attribute, text), names) in by_text {
            let attribute = if attribute.is_empty() { String::new() } else { format!(", {}", code(attribute)) };
            push(out, &format!("- {}{attribute}: {}", names.join(", "), cell(text)));
        }
    }

    fn objects(&self, out: &mut String) {
        out.push_str("\n## Every object\n");
        for subject in self.subjects {
            let place = if subject.place.is_empty() { String::new() } else { format!(" ({})", subject.place) };
            push(out, &format!("\n### {} {}{place}\n", subject.kind, code(&subject.name)));
            if subject.lines.is_empty() {
                push(out, "It is empty.");
                continue;
            }
            out.push_str("| attribute | | |\n| --- | --- | --- |\n");
            for Line { attribute, fate, text } in &subject.lines {
                let attribute = if attribute.is_empty() { "(the whole)".to_owned() } else { code(attribute) };
                row(out, &[&attribute, word(*fate), text]);
            }
        }
    }
}

const NEXT: &str = "
## Next

1. See to the list above.
2. `amtool check-config alertmanager/alertmanager.yml`, and `promtool check rules prometheus/*.yml` where there are such rules.
3. `alertmanager/secrets` has passwords: `chown -R alertmanager alertmanager/secrets`, and keep them out of version control.
4. Start with the agent on sensu-client's own log, and go on as docs/migrating-from-sensu.md says.
";

fn word(fate: Fate) -> &'static str {
    match fate {
        Fate::ToDo => "**to see to**",
        Fate::Changed => "changed",
        Fate::Carried => "carried over",
        Fate::Dropped => "no effect now",
    }
}

fn row(out: &mut String, cells: &[&str]) {
    let cells: Vec<_> = cells.iter().map(|text| cell(text)).collect();
    push(out, &format!("| {} |", cells.join(" | ")));
}

/// Names are whatever a file says; none may end its cell or its line.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace(['\n', '\r'], " ")
}

fn code(text: &str) -> String {
    format!("`{}`", text.replace('`', "'"))
}

fn push(out: &mut String, line: &str) {
    writeln!(out, "{line}").expect("a string can be written to");
}
