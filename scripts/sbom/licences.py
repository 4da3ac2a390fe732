"""The texts that go with the programs because the licences of what is in them say so: each crate's own files, notices and those of code that it
has from others included, each text once.
"""

import re

LICENCE = re.compile(r"(un)?licen[cs]e|copying|copyright|notice", re.I)
RULE = "=" * 80


def files(folder):
    """The licences of a crate, in the order of their paths."""
    for file in sorted(folder.rglob("*")):
        path = file.relative_to(folder)
        if any(map(LICENCE.match, path.parts)) and file.is_file() and file.suffix != ".rs":
            yield path, file.read_text(errors="replace")


def texts(crates):
    """Each text with what it is of. Those that differ only in how lines are broken are one."""
    found = {}
    for crate in crates:
        has_any = False
        for path, text in files(crate.folder):
            text_of = found.setdefault(" ".join(text.split()), ([], text))[0]
            text_of.append(f"{crate.name} {crate.version}: {path}")
            has_any = True
        if not has_any:
            raise LookupError(f"the crate {crate.name} {crate.version} has no text of its licence ({crate.licence})")
    return found.values()


def page(names, crates, parts):
    """All of it for programs with these crates."""
    crates = sorted(crate for crate in crates if not crate.is_ours)
    lines = [
        f"What is in {', '.join(names)} besides code of Ogi, which is under the Apache License, version 2.0. The source of",
        "each crate is what crates.io has under its name and version; it is used as it is there.",
        "",
        *(f"{of.name} {of.version}: {of.licence}" for of in (*parts, *crates)),
    ]
    notices = [([f"{part.name} {part.version}"], part.notice) for part in parts]
    for titles, text in (*texts(crates), *notices):
        lines += ["", RULE, *titles, RULE, "", *(line.rstrip() for line in text.strip().splitlines())]
    return "\n".join(lines) + "\n"
