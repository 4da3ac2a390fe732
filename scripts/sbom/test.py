"""Holds what scripts/deb.sh has made to the truth: that each program's bill of materials is valid, and is of what cargo compiled; that it and the
licences are in each package, in the archive and beside them; and that all of it comes out the same again.

usage: test.py ROOT RELEASE ARTIFACTS        RELEASE: what deb.sh made; ARTIFACTS: cargo's messages of the build of these programs, JSON a line
"""

import hashlib
import json
import os
import re
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

import cyclonedx.schema
import jsonschema_rs
from license_expression import get_spdx_licensing

PROGRAMS = ("alertmanager-proxy", "checkscript-agent", "checkscript-runner", "pushgateway-agent", "pushgateway-ex", "web-ui")
SPDX = get_spdx_licensing()
RUNTIME = {"pkg:generic/rust-std", "pkg:generic/musl"}
# Texts that are easily forgotten: of C code in a crate under another licence, of a NOTICE, of what is no crate.
MARKS = {
    "alertmanager-proxy": ["jemalloc/COPYING", ": NOTICE\n"],
    "pushgateway-ex": ["jemalloc/COPYING"],
    "web-ui": ["third_party/fiat/LICENSE"],
}


def validator():
    """Of CycloneDX's own schema, as its library has it. The library's validator compares all components with each other in Python, for ten seconds."""
    folder = Path(cyclonedx.schema.__file__).parent / "_res"

    def schema(address):
        return json.loads((folder / address.rsplit("/", 1)[-1]).read_text())

    return jsonschema_rs.validator_for(schema("bom-1.6.SNAPSHOT.schema.json"), retriever=schema)


def versions(bill, scope):
    """NAME-VERSION, as cargo names folders, of the crates with a scope."""
    return {f"{of['name']}-{of['version']}" for of in bill["components"] if of["purl"].startswith("pkg:cargo/") and of["scope"] == scope}


def compiled(artifacts, target):
    """What cargo has compiled from crates.io: for the target, and to run in the compiler."""
    linked, others = set(), set()
    for line in artifacts.read_text().splitlines():
        message = json.loads(line) if line.startswith("{") else {}
        if message.get("reason") != "compiler-artifact" or "registry" not in message["package_id"] or message["target"]["kind"] == ["custom-build"]:
            continue
        folder = Path(message["manifest_path"]).parent.name
        (linked if f"/{target}/" in message["filenames"][0] else others).add(folder)
    return linked, others


def unsound(bill, crates):
    """What a reader could not rely on."""
    references = {of["bom-ref"] for of in (bill["metadata"]["component"], *bill["components"])}
    edges = {of["ref"]: of["dependsOn"] for of in bill["dependencies"]}
    if set(edges) != references:
        yield f"dependencies of {set(edges) ^ references}"
    reached, open_ = set(), [bill["metadata"]["component"]["bom-ref"]]
    while open_:
        reference = open_.pop()
        if reference not in reached:
            reached.add(reference)
            open_ += edges[reference]
    if reached != references:
        yield f"nothing depends on {references - reached}"
    for of in bill["components"]:
        yield from (f"{of['purl']}: {error}" for error in unlisted(of["licenses"][0]["expression"]))
        kind = re.match(r"pkg:(cargo|generic/ogi|generic)/", of["purl"]).group(1)
        if kind == "generic" and of["purl"].split("@")[0] not in RUNTIME:
            yield f"{of['purl']} is nothing that is linked"
        if kind == "cargo":
            yield from wrong_crate(of, crates)


def unlisted(expression):
    """What SPDX does not know of an expression. The library knows "+" (or any later version) only of licences that are listed with it."""
    return SPDX.validate(expression.replace("MPL-2.0+", "MPL-2.0")).errors


def wrong_crate(of, crates):
    """A crate that is not the one that cargo has downloaded."""
    file = next(crates.glob(f"*/{of['name']}-{of['version']}.crate"), None)
    if of["purl"].replace("%2B", "+") != f"pkg:cargo/{of['name']}@{of['version']}":
        yield f"{of['purl']} is not {of['name']} {of['version']}"
    if file is None:
        yield f"{of['purl']} was never downloaded"
    elif of["hashes"] != [{"alg": "SHA-256", "content": hashlib.sha256(file.read_bytes()).hexdigest()}]:
        yield f"{of['purl']} has another hash"


def unnamed(bill, program):
    """Crates whose source files are named in the program, by what it says when it panics, and not in its bill."""
    paths = re.findall(rb"/registry/src/[^/]+/([\w.+-]+)/", program.read_bytes())
    if not paths:
        yield f"no crate is named in {program} any more: adapt the test"
    named = {path.decode() for path in paths}
    yield from (f"{crate} is in the program" for crate in sorted(named - versions(bill, "required") - versions(bill, "excluded")))


def packed(release, work):
    """The folders of all that holds programs, by name of the program."""
    archive = next(release.glob("ogi_*.tar.gz"))
    with tarfile.open(archive) as tar:
        tar.extractall(work / "archive", filter="data")
    archive_folder = next((work / "archive").iterdir())
    for program in PROGRAMS:
        subprocess.run(["dpkg-deb", "--extract", next(release.glob(f"{program}_*.deb")), work / program], check=True)
        yield program, work / program / "usr/share/doc" / program, archive_folder


def of_program(program, folder, archive, release):
    """What is wrong with the files of a program's bill."""
    name = f"{program}.cdx.json"
    copies = [folder / name, archive / name, next(release.glob(f"{program}_*.cdx.json"))]
    if len({copy.read_bytes() for copy in copies}) != 1:
        yield f"{name} is not the same everywhere"
    text = copies[0].read_text()
    yield from (f"not valid: {error.message}" for error in validator().iter_errors(json.loads(text)))
    for place in (str(Path.home()), str(release), "file:"):
        if place in text:
            yield f"{place} is in it"


def licences(bill, text, marks):
    """The crates without a text, and texts that must be there."""
    for of in bill["components"]:
        title = f"{of['name']} {of['version']}"
        is_ours = of["purl"].startswith("pkg:generic/ogi/")
        if not is_ours and not re.search(rf"^={{80}}\n(.+\n)*{re.escape(title)}(: .+)?\n", text, re.M):
            yield f"no licence of {title}"
    yield from (f"no text of {mark.strip()}" for mark in marks if mark not in text)


def again(root, work, target, seconds):
    """All files made once more."""
    environment = os.environ | {"SOURCE_DATE_EPOCH": seconds}
    subprocess.run([root / "scripts/sbom/main.py", target, work, *PROGRAMS], check=True, env=environment)


def failures(root, release, artifacts, work):
    target = f"{os.uname().machine}-unknown-linux-musl"
    seconds = subprocess.run(["git", "-C", root, "show", "-s", "--format=%ct"], check=True, stdout=subprocess.PIPE, text=True).stdout.strip()
    cache = Path(os.environ.get("CARGO_HOME", Path.home() / ".cargo")) / "registry/cache"
    again(root, work / "again", target, seconds)
    linked, excluded = set(), set()
    for program, folder, archive in packed(release, work):
        file = folder / f"{program}.cdx.json"
        bill = json.loads(file.read_text())
        text = subprocess.run(["zcat", folder / "third-party-licences.txt.gz"], check=True, stdout=subprocess.PIPE, text=True).stdout
        linked |= versions(bill, "required")
        excluded |= versions(bill, "excluded")
        wrong = [*of_program(program, folder, archive, release), *unsound(bill, cache), *unnamed(bill, archive / program)]
        wrong += licences(bill, text, MARKS.get(program, []))
        if file.read_bytes() != (work / "again" / program / file.name).read_bytes():
            wrong.append("made again it is another")
        yield from (f"{program}: {failure}" for failure in wrong)
        yield from (f"{program}, archive: {failure}" for failure in licences(bill, (archive / "third-party-licences.txt").read_text(), []))
    is_linked, runs_in_compiler = compiled(artifacts, target)
    yield from (f"{crate} is linked and in no bill" for crate in sorted(is_linked - linked))
    yield from (f"{crate} is in a bill and never compiled" for crate in sorted(linked - is_linked))
    yield from (f"{crate} has no part in this build" for crate in sorted(excluded - runs_in_compiler))
    yield from (f"{crate} is of a macro or a build script, and in no bill" for crate in sorted(runs_in_compiler - linked - excluded))


def main(root, release, artifacts):
    with tempfile.TemporaryDirectory() as work:
        found = list(failures(root, release, artifacts, Path(work)))
    for failure in found:
        print(f"FAILED: {failure}")
    sys.exit(bool(found))


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
