"""Proves the manifests of kubernetes/: see scripts/test-kubernetes.sh.

usage: main.py ROOT WORK KUSTOMIZE...      each KUSTOMIZE a command that renders the folder given to it
"""

import copy
import os
import shlex
import subprocess
import sys
from pathlib import Path

import kubernetes_validate
import yaml

import alike
import checks
import configs
import mutations
import servers
from context import Context
from model import Cluster, name_of

# The oldest that is supported, and the newest that the schemas are there of.
VERSIONS = ("1.30", kubernetes_validate.latest_version())
# Components that no overlay has.
VARIANTS = {
    "pushgateway-nfs": ["pushgateway-nfs", "tls"],
    "pushgateway-redis": ["pushgateway-redis"],
}


def variants(root, work):
    """Overlays of the test's own, for what no overlay of the repository has."""
    for name, components in VARIANTS.items():
        folder = work / "overlays" / name
        folder.mkdir(parents=True)
        back = os.path.relpath(root / "kubernetes", folder)
        chosen = [f"{back}/components/{component}" for component in components]
        kustomization = {"apiVersion": "kustomize.config.k8s.io/v1beta1", "kind": "Kustomization", "resources": [f"{back}/base"], "components": chosen}
        (folder / "kustomization.yaml").write_text(yaml.safe_dump(kustomization))
        yield folder


def rendered(folder, commands):
    """The objects of an overlay, the same by every kustomize; else failures."""
    texts = []
    for command in commands:
        run = subprocess.run([*shlex.split(command), str(folder)], capture_output=True, text=True)
        if run.returncode != 0:
            return None, [f"{command}: {run.stderr.strip()}"]
        # Warnings are of what a newer version takes no more.
        if run.stderr.strip():
            return None, [f"{command}: {run.stderr.strip()}"]
        texts.append(list(yaml.safe_load_all(run.stdout)))
    same = all(text == texts[0] for text in texts)
    return texts[0], [] if same else [f"{' and '.join(commands)} do not make the same of it"]


def invalid(objects):
    """What the API would refuse, as its schemas say; unknown fields too."""
    for object_ in objects:
        for version in VERSIONS:
            try:
                kubernetes_validate.validate(object_, version, strict=True)
            except kubernetes_validate.ValidationError as error:
                yield f"{name_of(object_)}: not valid for Kubernetes {version}: {error.message} at {'.'.join(map(str, error.path))}"
            except kubernetes_validate.SchemaNotFoundError:
                yield f"{name_of(object_)}: Kubernetes {version} has no {object_['kind']} in {object_['apiVersion']}"


def judged(cluster, context):
    """Consistency, with the names of certificates."""
    yield from checks.failures(cluster, context)
    yield from servers.names(cluster, context)


def wrong_on_purpose(objects, context, work):
    """That what is wrong is told."""
    yield from mutations.unnoticed(objects, mutations.MUTATIONS, lambda c: judged(c, context))
    for words, mutate in mutations.INVALID:
        broken = Cluster(copy.deepcopy(objects))
        mutate(broken)
        if not list(invalid(o for o, before in zip(broken.objects, objects) if o != before)):
            yield f"a manifest made wrong goes unnoticed: {words}"
    count = iter(range(100))
    yield from mutations.unnoticed(objects, mutations.MISCONFIGURED, lambda c: configs.configurations(c, context, work / f"wrong-{next(count)}"))


def main():
    """Prints each failure; exit 1 if there is any."""
    root, work, *commands = sys.argv[1:]
    root, work = Path(root), Path(work)
    context = Context(root, root / "target/debug", root / "target/tools/bin", work)
    failures = [f"kubernetes: {difference}" for difference in alike.differences(root)]
    overlays = [*sorted((root / "kubernetes/overlays").iterdir()), *variants(root, work)]
    # Most objects are the same in every overlay.
    valid = []
    for folder in overlays:
        objects, told = rendered(folder, commands)
        if objects is not None:
            cluster = Cluster(objects)
            told += [*invalid(o for o in objects if o not in valid), *judged(cluster, context), *configs.configurations(cluster, context, work / folder.name)]
            if not told:
                told += servers.runs(cluster, context, work / folder.name)
            if not told and folder.name == "region-a":
                told += wrong_on_purpose(objects, context, work / folder.name)
            valid += [] if told else objects
            print(f"{folder.name}: {len(objects)} objects, {len(told)} failures", flush=True)
        failures += [f"{folder.name}: {failure}" for failure in told]
    for failure in failures:
        print(f"FAILED: {failure}")
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
