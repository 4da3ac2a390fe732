#!/usr/bin/env python3
"""Says what is in the static programs, from what cargo builds them of: for each program OUT/NAME/NAME.cdx.json, its bill of materials
(CycloneDX), and OUT/NAME/third-party-licences.txt, the texts of all licences; OUT/third-party-licences.txt has those of all programs.
SOURCE_DATE_EPOCH says how old the sources are.

usage: SOURCE_DATE_EPOCH=… scripts/sbom/main.py TARGET OUT PROGRAM...        exit 1: the text on stderr says what is missing
"""

import json
import os
import sys
from pathlib import Path

# Nothing is left beside the sources.
sys.dont_write_bytecode = True

import bill
import crates
import licences
import runtime

ROOT = Path(__file__).resolve().parents[2]


def write(file, text):
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


def main(target, out, names):
    programs = crates.of_programs(ROOT, target, names)
    parts = runtime.parts(ROOT, target)
    seconds = int(os.environ["SOURCE_DATE_EPOCH"])
    for program in programs:
        document = bill.of(program, parts, target, seconds)
        write(out / program.name / f"{program.name}.cdx.json", json.dumps(document, indent=1) + "\n")
        write(out / program.name / "third-party-licences.txt", licences.page([program.name], program.needs, parts))
    together = {crate for program in programs for crate in program.needs}
    write(out / "third-party-licences.txt", licences.page(names, together, parts))


if __name__ == "__main__":
    try:
        main(sys.argv[1], Path(sys.argv[2]), sys.argv[3:])
    except (LookupError, OSError) as error:
        sys.exit(f"sbom: {error}")
