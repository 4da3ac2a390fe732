"""A program's bill of materials in the form of CycloneDX 1.6. Nothing in it changes from build to build or from machine to machine."""

import datetime


def purl(crate):
    """Ours are not on crates.io, where others may have crates of the same names."""
    return f"pkg:{'generic/ogi' if crate.is_ours else 'cargo'}/{crate.name}@{crate.version.replace('+', '%2B')}"


def component(crate, is_linked):
    """Macros and build scripts are `excluded`, which to a reader means that they do not run where the program does."""
    described = {
        "type": "library",
        "bom-ref": purl(crate),
        "name": crate.name,
        "version": crate.version,
        "scope": "required" if is_linked else "excluded",
        "licenses": [{"expression": crate.licence, "acknowledgement": "declared"}],
        "purl": purl(crate),
    }
    if not crate.is_ours:
        described["hashes"] = [{"alg": "SHA-256", "content": crate.checksum}]
    return described


def runtime(part):
    reference = f"pkg:generic/{part.name}@{part.version}"
    return {
        "type": "library",
        "bom-ref": reference,
        "name": part.name,
        "version": part.version,
        "scope": "required",
        "licenses": [{"expression": part.licence}],
        "cpe": part.cpe,
        "purl": reference,
    }


def of(program, parts, target, seconds):
    """The document; `seconds` is when the sources were as they are."""
    others = sorted(set(program.needs) - {program.crate})
    itself = f"pkg:generic/ogi/{program.name}@{program.crate.version}?target={target}"
    runtimes = [runtime(part) for part in parts]
    depend = {purl(crate): sorted(map(purl, needs)) for crate, needs in program.needs.items() if crate != program.crate}
    depend |= {part["bom-ref"]: [] for part in runtimes}
    depend[itself] = sorted([*map(purl, program.needs[program.crate]), *(part["bom-ref"] for part in runtimes)])
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            "timestamp": datetime.datetime.fromtimestamp(seconds, datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "supplier": {"name": "The authors of Ogi"},
            "component": {
                "type": "application",
                "bom-ref": itself,
                "name": program.name,
                "version": program.crate.version,
                "licenses": [{"expression": program.crate.licence}],
                "purl": itself,
            },
        },
        "components": [component(crate, crate in program.linked) for crate in others] + runtimes,
        "dependencies": [{"ref": reference, "dependsOn": needs} for reference, needs in sorted(depend.items())],
    }
