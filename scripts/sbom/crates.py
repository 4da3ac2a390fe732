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


def cargo(root, *arguments):
    return subprocess.run(["cargo", *arguments, "--locked"], cwd=root, check=True, stdout=subprocess.PIPE, text=True).stdout


def known(root, target):
    """What cargo knows of each crate, by name and version; and that key of each program's."""
    metadata = json.loads(cargo(root, "metadata", "--format-version=1", f"--filter-platform={target}"))
    lock = tomllib.loads((root / "Cargo.lock").read_text())
    checksums = {(package["name"], package["version"]): package.get("checksum") for package in lock["package"]}
    crates, packages = {}, {}
    for package in metadata["packages"]:
        key = package["name"], package["version"]
        # Cargo still takes the slash of old manifests, SPDX does not.
        licence = (package["license"] or "").replace("/", " OR ")
        crates[key] = Crate(*key, licence, checksums[key], Path(package["manifest_path"]).parent)
        if checksums[key] is None:
            packages |= {binary["name"]: key for binary in package["targets"] if binary["kind"] == ["bin"]}
    return crates, packages


# As `cargo tree` is asked for it: depth, name, version, and what kind it is unless that is a library.
LINE = re.compile(r"(\d+) (\S+) v(\S+)( \(proc-macro\))?")


def grown(crates, tree):
    """The programs' crates from the lines of their trees, by crate of the program."""
    programs, path = {}, []
    for line in filter(None, tree.splitlines()):
        depth, name, version, macro = LINE.match(line).groups()
        del path[int(depth) :]
        crate = crates[name, version]
        if path:
            parent, is_linked = path[-1]
            is_linked = is_linked and macro is None
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
    crates, packages = known(root, target)
    chosen = sorted({packages[name] for name in names})
    options = [*(f"--package={name}" for name, _ in chosen), f"--target={target}", "--prefix=depth", "--no-dedupe", "--format= {p}"]
    # What build scripts are made of is not told from the rest in a tree that has both.
    linked, whole = (grown(crates, cargo(root, "tree", *options, f"--edges={edges}")) for edges in ("normal", "normal,build"))
    programs = {name: crates[packages[name]] for name in names}
    return [Program(name, crate, whole[crate][0], linked[crate][1]) for name, crate in programs.items()]
