"""The crates of each program, as cargo resolves them for the build that scripts/static.sh makes: all programs in one build, so that a
feature which one of them asks for is in the crates of the others too.
"""

import dataclasses
import json
import re
import subprocess
import tomllib
from pathlib import Path


@dataclasses.dataclass(frozen=True, order=True)
class Crate:
    """A crate of a certain version. Those of this workspace have no checksum."""

    name: str
    version: str
    licence: str
    checksum: str | None
    folder: Path

    @property
    def is_ours(self):
        return self.checksum is None


@dataclasses.dataclass
class Program:
    """A program with all crates that cargo compiles for it, each with those that it depends on. Some are only macros, or of macros, which run
    in the compiler, or of build scripts, which run before it; `linked` are the others."""

    name: str
    crate: Crate
    needs: dict[Crate, set[Crate]]
    linked: set[Crate]


@dataclasses.dataclass(frozen=True)
class Known:
    """What cargo knows: each crate, and that key of each program's; the crates that have a build script; and which of which are needed by build scripts
    alone. Cargo compiles none of these for a script that is not there."""

    crates: dict[tuple[str, str], Crate]
    programs: dict[str, tuple[str, str]]
    scripted: set[Crate]
    of_scripts: set[tuple[Crate, Crate]]


def cargo(root, *arguments):
    return subprocess.run(["cargo", *arguments, "--locked"], cwd=root, check=True, stdout=subprocess.PIPE, text=True).stdout


def known(root, target):
    metadata = json.loads(cargo(root, "metadata", "--format-version=1", f"--filter-platform={target}"))
    lock = tomllib.loads((root / "Cargo.lock").read_text())
    checksums = {(package["name"], package["version"]): package.get("checksum") for package in lock["package"]}
    crates, programs, ids, scripted = {}, {}, {}, set()
    for package in metadata["packages"]:
        key = package["name"], package["version"]
        # Cargo still takes the slash of old manifests, SPDX does not.
        licence = (package["license"] or "").replace("/", " OR ")
        crates[key] = ids[package["id"]] = Crate(*key, licence, checksums[key], Path(package["manifest_path"]).parent)
        if checksums[key] is None:
            programs |= {binary["name"]: key for binary in package["targets"] if binary["kind"] == ["bin"]}
        if any(part["kind"] == ["custom-build"] for part in package["targets"]):
            scripted.add(crates[key])
    needed = ((ids[node["id"]], ids[need["pkg"]], {kind["kind"] for kind in need["dep_kinds"]}) for node in metadata["resolve"]["nodes"] for need in node["deps"])
    return Known(crates, programs, scripted, {(crate, need) for crate, need, kinds in needed if "build" in kinds and None not in kinds})


# As `cargo tree` is asked for it: depth, name, version, and what kind it is unless that is a library.
LINE = re.compile(r"(\d+) (\S+) v(\S+)( \(proc-macro\))?")


def grown(known, tree):
    """The programs' crates from the lines of their trees, by crate of the program."""
    programs, path = {}, []
    for line in filter(None, tree.splitlines()):
        depth, name, version, macro = LINE.match(line).groups()
        del path[int(depth) :]
        crate = known.crates[name, version]
        is_of_script = bool(path) and (path[-1][0], crate) in known.of_scripts
        # What is not compiled is not put on the path, so that nothing beneath it is either.
        if len(path) < int(depth) or (is_of_script and path[-1][0] not in known.scripted):
            continue
        if path:
            parent, is_linked = path[-1]
            is_linked = is_linked and macro is None and not is_of_script
            needs[parent].add(crate)
        else:
            is_linked, needs, linked = True, {}, set()
            programs[crate] = needs, linked
        path.append((crate, is_linked))
        needs.setdefault(crate, set())
        if is_linked:
            linked.add(crate)
    return programs


def of_programs(root, target, names):
    """Each of the named programs, as it is built for the target."""
    all_known = known(root, target)
    programs = {name: all_known.crates[all_known.programs[name]] for name in names}
    options = [f"--package={name}" for name in sorted({crate.name for crate in programs.values()})]
    tree = cargo(root, "tree", *options, "--edges=normal,build", f"--target={target}", "--prefix=depth", "--no-dedupe", "--format= {p}")
    grown_programs = grown(all_known, tree)
    return [Program(name, crate, *grown_programs[crate]) for name, crate in programs.items()]
