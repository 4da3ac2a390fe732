//! Whether the program of a command is there. Only what is plain is judged: a command is a shell's program, and what
//! begins with quotes, variables or the shell's own words may be anything.

use std::ffi::OsString;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use nix::unistd::{AccessFlags, access};
use regex::Regex;

/// What `sh` does itself.
const SHELL_WORDS: [&str; 39] = [
    ".", ":", "alias", "bg", "break", "case", "cd", "command", "continue", "echo", "eval", "exec", "exit", "export",
    "false", "fg", "for", "function", "getopts", "if", "kill", "local", "printf", "pwd", "read", "readonly", "return",
    "set", "shift", "test", "time", "trap", "true", "type", "ulimit", "umask", "until", "wait", "while",
];

/// What Sensu's packaged service has in its `PATH`, and a service of one's own may not.
const SENSU_PATH: [&str; 3] = ["/opt/sensu/embedded/bin", "/etc/sensu/plugins", "/etc/sensu/handlers"];

/// The first word after assignments.
static FIRST_WORD: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r#"^\s*(?:[A-Za-z_][A-Za-z0-9_]*=[^\s'"$`\\;&|<>()]*\s+)*([A-Za-z0-9_./+:@%,-]+)(?:[\s;&|<>]|$)"#)
        .expect("a constant pattern compiles")
});

/// Why the command cannot do what it should; `None` if it can, or nobody can tell.
pub(super) fn problem(command: &str, path: Option<OsString>) -> Option<String> {
    let word = FIRST_WORD.captures(command)?.get(1)?.as_str();
    if SHELL_WORDS.contains(&word) {
        return None;
    }
    let directories: Vec<PathBuf> = std::env::split_paths(&path?).collect();
    if word.starts_with('/') {
        return file_problem(Path::new(word), &directories);
    }
    if word.contains('/') {
        return Some(format!(
            "{word} is looked for from the runner's working directory, /opt/sensu in Sensu's service"
        ));
    }
    let candidates = || directories.iter().map(|directory| directory.join(word));
    // A file that is there and cannot be run explains more than that there is none.
    let program = candidates().find(|file| is_program(file)).or_else(|| candidates().find(|file| file.is_file()));
    match program {
        Some(program) => file_problem(&program, &directories),
        None => Some(
            match SENSU_PATH.iter().map(|directory| Path::new(directory).join(word)).find(|file| is_program(file)) {
                Some(program) => {
                    format!(
                        "{word} is not in PATH but {}: Sensu's service has that directory in PATH",
                        program.display()
                    )
                }
                None => format!("{word} is not in PATH, this shell's that is"),
            },
        ),
    }
}

fn is_program(file: &Path) -> bool {
    file.is_file() && is_executable(file)
}

fn is_executable(file: &Path) -> bool {
    access(file, AccessFlags::X_OK).is_ok()
}

fn file_problem(file: &Path, directories: &[PathBuf]) -> Option<String> {
    let shown = file.display();
    match file.metadata() {
        Err(error) => return Some(format!("{shown} cannot be run: {error}")),
        Ok(metadata) if !metadata.is_file() => return Some(format!("{shown} is no file")),
        Ok(_) if !is_executable(file) => return Some(format!("{shown} is not executable")),
        Ok(_) => (),
    }
    let interpreter = interpreter(file)?;
    let is_there = if interpreter.contains('/') {
        Path::new(&interpreter).exists()
    } else {
        directories.iter().any(|directory| is_program(&directory.join(&interpreter)))
    };
    (!is_there).then(|| format!("{shown} needs {interpreter}, which is not there"))
}

/// What a script's first line names: a path, or a name that `env` looks for in `PATH`.
fn interpreter(file: &Path) -> Option<String> {
    let mut head = Vec::new();
    File::open(file).ok()?.take(256).read_to_end(&mut head).ok()?;
    let line = head.strip_prefix(b"#!")?.split(|byte| *byte == b'\n').next()?;
    let mut words = std::str::from_utf8(line).ok()?.split_whitespace();
    let interpreter = words.next()?;
    let by_env = interpreter.ends_with("/env").then(|| words.next()).flatten().filter(|name| !name.starts_with('-'));
    Some(by_env.unwrap_or(interpreter).to_owned())
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn only_what_is_plain_is_judged() {
        for command in [
            "echo x",
            "true",
            "exit 3",
            "$PLUGIN -w 1",
            "'/no/such' x",
            "if x; then y; fi",
            "[ -e /x ]",
            "",
            "(no-such)",
        ] {
            assert_eq!(problem(command, Some("/nowhere".into())), None, "{command}");
        }
        for command in ["no-such -w 1", "A=1 B= no-such", "no-such;true", "no-such|cat"] {
            let text = problem(command, Some("/nowhere".into()));
            assert_eq!(text.as_deref(), Some("no-such is not in PATH, this shell's that is"), "{command}");
        }
    }

    #[test]
    fn files_must_be_executable_and_scripts_have_their_interpreter() {
        let directory = tempfile::tempdir().unwrap();
        let judged = |name: &str, text: &str, mode: u32| {
            let file = directory.path().join(name);
            fs::write(&file, text).unwrap();
            fs::set_permissions(&file, Permissions::from_mode(mode)).unwrap();
            let text = problem(&format!("{} -w 1", file.display()), Some(directory.path().into()));
            text.map(|text| text.replace(&format!("{}/", directory.path().display()), ""))
        };
        assert_eq!(judged("good", "#!/bin/sh\n", 0o755), None);
        assert_eq!(judged("binary", "\x7fELF", 0o755), None);
        assert_eq!(judged("closed", "#!/bin/sh\n", 0o644).as_deref(), Some("closed is not executable"));
        assert_eq!(
            judged("ruby", "#!/opt/none/ruby -w\n", 0o755).as_deref(),
            Some("ruby needs /opt/none/ruby, which is not there")
        );
        assert_eq!(judged("env", "#!/usr/bin/env good\n", 0o755), None);
        assert_eq!(
            judged("rb", "#!/usr/bin/env no-ruby\n", 0o755).as_deref(),
            Some("rb needs no-ruby, which is not there")
        );
        assert!(
            problem("/no/such", Some("".into()))
                .is_some_and(|text| text.starts_with("/no/such cannot be run: No such file"))
        );
        assert!(problem("./here", Some("".into())).is_some_and(|text| text.contains("working directory")));
    }
}
