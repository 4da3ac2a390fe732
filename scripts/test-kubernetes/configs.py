"""The configurations in the manifests, put where their containers find them, and given to the programs that read them."""

import os
import re
import shutil
import subprocess
import time
from pathlib import Path

import yaml

from checks import program_of
from model import name_of

# What Prometheus's discovery would say of some nodes.
NODES = [
    ("linux-1", "192.0.2.1:10250", {"kubernetes_io_os": "linux"}),
    ("windows-1", "192.0.2.2:10250", {"kubernetes_io_os": "windows"}),
    ("fargate-1", "192.0.2.3:10250", {"kubernetes_io_os": "linux", "eks_amazonaws_com_compute_type": "fargate"}),
    ("virtual-1", "192.0.2.4:10250", {"kubernetes_io_os": "linux", "type": "virtual-kubelet"}),
    ("linux-6", "[2001:db8::6]:10250", {"kubernetes_io_os": "linux"}),
]
# One pod that runs, and those that are listed though they are over.
PODS = [("pod-1", "192.0.2.9:1", "Running"), ("pod-2", "192.0.2.10:1", "Failed"), ("pod-3", "192.0.2.11:1", "Succeeded")]
SELECTED = {"role", "namespaces", "selectors"}


def put(folder, files, mode=0o644):
    """Puts files into a folder as kubelet does: the visible names are links into `..data`, a link that is swapped in one step."""
    folder.mkdir(parents=True, exist_ok=True)
    data = folder / f"..{time.time_ns()}"
    data.mkdir()
    for name, text in files.items():
        path = data / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        path.chmod(mode)
        if not (folder / name).is_symlink():
            (folder / name).symlink_to(Path("..data") / name)
    current = folder / "..data"
    before = current.resolve() if current.is_symlink() else None
    new = folder / "..data_tmp"
    new.symlink_to(data.name)
    os.replace(new, current)
    if before is not None:
        shutil.rmtree(before)


def mounts_of(cluster, context, workload, container):
    """Where a container finds which files: mount path → (kind, files and mode)."""
    namespace, spec = workload["metadata"]["namespace"], workload["spec"]["template"]["spec"]
    volumes = {volume["name"]: volume for volume in spec.get("volumes", [])}
    mounts = {}
    for mount in container.get("volumeMounts", []):
        volume = volumes.get(mount["name"], {})
        if "configMap" in volume:
            files = cluster.find("ConfigMap", namespace, volume["configMap"]["name"])["data"]
            mounts[mount["mountPath"]] = files, volume["configMap"].get("defaultMode", 0o644)
        elif "secret" in volume:
            mounts[mount["mountPath"]] = context.files_of(namespace, volume["secret"]["secretName"]), 0o644
        else:
            mounts[mount["mountPath"]] = {}, None
    return mounts


def local(text, mounts, root):
    """The text with paths of mounts below `root`."""
    paths = "|".join(re.escape(path) for path in sorted(mounts, key=len, reverse=True))
    return re.sub(rf"(?<![\w/.:])({paths})(?![\w-])", rf"{root}\1", text)


def lay_out(cluster, context, workload, container, root):
    """Puts the container's files below `root`; returns its mounts."""
    mounts = mounts_of(cluster, context, workload, container)
    for path, (files, mode) in mounts.items():
        texts = {name: text if isinstance(text, bytes) else local(text, mounts, root) for name, text in files.items()}
        if mode is None:
            Path(f"{root}{path}").mkdir(parents=True, exist_ok=True)
        else:
            put(Path(f"{root}{path}"), texts, mode)
    return mounts


def ask(*command):
    """The failure of a command in its own words, or None."""
    run = subprocess.run(command, capture_output=True, text=True, timeout=120)
    return None if run.returncode == 0 else (run.stdout + run.stderr).strip()


def argument(container, flag):
    """The value of a flag."""
    return next(a.split("=", 1)[1] for a in container["args"] if a.startswith(f"{flag}="))


def configurations(cluster, context, work):
    """Each program's verdict on its configuration."""
    for workload, container, first in cluster.containers():
        program = program_of(container)
        if first or program is None:
            continue
        root = work / workload["metadata"]["name"] / container["name"]
        mounts = lay_out(cluster, context, workload, container, root)
        said = None
        if program == "prom/prometheus".rsplit("/", 1)[-1]:
            said = prometheus(Path(local(argument(container, "--config.file"), mounts, root)), context)
        elif program == "alertmanager":
            said = ask(context.tool("amtool"), "check-config", local(argument(container, "--config.file"), mounts, root))
        elif program == "alertmanager-proxy":
            said = ask(context.program(program), "check-config", local(argument(container, "--config.file"), mounts, root))
        elif program == "checkscript-runner":
            said = runner(local(argument(container, "--config_dir"), mounts, root), context, f"{root}/etc/sensu/plugins")
        if said:
            yield f"{name_of(workload)}: {program} does not take its configuration: {said}"


def runner(directories, context, plugins):
    """Definitions are valid, and each check runs."""
    program = context.program("checkscript-runner")
    environment = {"PATH": f"{plugins}:{os.environ['PATH']}", "SENSU_CLIENT_NAME": "node-1", "SENSU_CLIENT_SUBSCRIPTIONS": "kubernetes"}
    command = [program, "list", "-d", directories, "-c", "/dev/null", "--format=json"]
    told = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=60)
    if told.returncode != 0:
        return told.stdout + told.stderr
    for file in Path(directories.split(",")[-1]).glob("*.json"):
        for name, check in yaml.safe_load(file.read_text()).get("checks", {}).items():
            script = f"{plugins}/{check['command'].split()[0]}"
            if not os.access(script, os.X_OK):
                return f"{name}: there is no script {check['command'].split()[0]} in /etc/sensu/plugins"
            if f'"{name}"' not in told.stdout:
                return f"{name} would not run: {told.stdout}"
    return None


def discovery(config):
    """Discovery by the API, which Debian's promtool does not have, is looked at here and replaced by files with what it would find."""
    nodes = [
        {"targets": [address], "labels": {"__meta_kubernetes_node_name": name} | {f"__meta_kubernetes_node_label_{k}": v for k, v in labels.items()}}
        for name, address, labels in NODES
    ]
    pods = [
        {"targets": [address], "labels": {"__meta_kubernetes_pod_name": name, "__meta_kubernetes_pod_phase": phase}} for name, address, phase in PODS
    ]
    for place in [*config["scrape_configs"], *config["alerting"]["alertmanagers"]]:
        for found in place.pop("kubernetes_sd_configs", []):
            if found["role"] not in ("node", "pod") or not set(found) <= SELECTED:
                return f"kubernetes_sd_configs: {found}"
            place.setdefault("static_configs", []).extend(nodes if found["role"] == "node" else pods)
    return None


def targets(promtool, path, job):
    """The labels that a job's targets have when they are relabelled; what is dropped is left out."""
    told = subprocess.run([promtool, "check", "service-discovery", "--timeout=1s", path, job], capture_output=True, text=True)
    return [found["labels"] for found in yaml.safe_load(told.stdout[told.stdout.index("["):]) if found.get("labels")]


def prometheus(path, context):
    """promtool's verdict on the configuration, whether nodes get their names and addresses, and whether pods that are over are left alone."""
    config = yaml.safe_load(path.read_text())
    wrong = discovery(config)
    if wrong:
        return wrong
    # promtool shows what is found for jobs, and not to whom alerts are sent: so the latter is a job too.
    posted = [{k: v for k, v in found.items() if k != "scheme"} | {"job_name": f"alerting-{n}"} for n, found in enumerate(config["alerting"]["alertmanagers"])]
    config["scrape_configs"] += posted
    checked = path.with_name("checked.yml")
    checked.write_text(yaml.safe_dump(config))
    promtool = context.tool("promtool")
    said = ask(promtool, "check", "config", checked)
    if said:
        return said
    names = sorted((labels["instance"], labels["address"]) for labels in targets(promtool, checked, "checkscript"))
    wanted = [("linux-1", "192.0.2.1:9780"), ("linux-6", "[2001:db8::6]:9780")]
    if names != wanted:
        return f"its nodes are {names} instead of {wanted}"
    for job in ["alertmanager-proxy", "web-ui", *(job["job_name"] for job in posted)]:
        found = targets(promtool, checked, job)
        if len(found) != 1:
            return f"{job} has {found}, and not the one pod that runs"
    return None
