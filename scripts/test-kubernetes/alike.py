"""Files that say the same in several places: variants of a configuration may differ in what makes them variants, and in nothing else."""

import re

import yaml


def load(path):
    """A YAML file."""
    return yaml.safe_load(path.read_text())


def without(value, *keys):
    """The value without these keys, at every depth."""
    if isinstance(value, dict):
        return {key: without(inner, *keys) for key, inner in value.items() if key not in keys}
    return [without(inner, *keys) for inner in value] if isinstance(value, list) else value


def plain(value):
    """The value without what TLS adds to it."""
    text = yaml.safe_dump(without(value, "scheme", "tls_config"))
    return text.replace("https://", "http://")


def told(config):
    """What of Alertmanager's configuration says who is told what, Watchdog left out."""
    config = without(config, "global", "templates")
    config["route"]["routes"] = [route for route in config["route"]["routes"] if route["matchers"] != ["alertname = Watchdog"]]
    config["receivers"] = [receiver for receiver in config["receivers"] if receiver["name"] not in ("nobody", "dead-mans-switch")]
    return config


def differences(root):
    """What has drifted apart."""
    kubernetes, examples = root / "kubernetes", root / "examples"
    base, tls = kubernetes / "base", kubernetes / "components/tls"
    for ours, theirs in (("prometheus/prometheus.yml", "prometheus.yml"), ("alertmanager-proxy/proxy.yml", "proxy.yml"), ("web-ui/web-ui.yml", "web-ui.yml")):
        if plain(load(base / ours)) != plain(load(tls / theirs)):
            yield f"components/tls/{theirs} is not base/{ours} with TLS"
    for ours, theirs in (("alertmanager-proxy/proxy.yml", "proxy.yml"), ("web-ui/web-ui.yml", "web-ui.yml")):
        pair = [re.sub(r", \{url: [^}]*-1\.[^}]*\}", "", line) for line in (base / ours).read_text().splitlines() if not line.startswith("  - url: http://alertmanager-1.")]
        if yaml.safe_load("\n".join(pair)) != load(kubernetes / "overlays/single" / theirs):
            yield f"overlays/single/{theirs} is not base/{ours} with one of each"

    # Routes, inhibition and what people read are the example's; who takes Watchdog, and where secrets come from, are not.
    example = told(load(examples / "alertmanager/alertmanager.yml"))
    for path in (base / "alertmanager/alertmanager.yml", *sorted(kubernetes.glob("overlays/region-*/alertmanager.yml"))):
        config = told(load(path))
        for key in sorted(set(example) | set(config)):
            if example.get(key) != config.get(key):
                yield f"{path.relative_to(root)}: {key} is not that of examples/alertmanager/alertmanager.yml"

    # What is read of other clusters is what the example reads.
    watching = {job["job_name"]: job for job in load(examples / "prometheus/watching.yml")["scrape_configs"]}
    jobs = {job["job_name"]: job for job in load(base / "prometheus/prometheus.yml")["scrape_configs"]}
    for name, job in watching.items():
        if job.get("metric_relabel_configs") != jobs.get(name, {}).get("metric_relabel_configs"):
            yield f"base/prometheus/prometheus.yml reads other series of {name} than examples/prometheus/watching.yml"

    files = load(root / "rules/kustomization.yaml")["configMapGenerator"][0]["files"]
    rules = sorted(path.name for path in (root / "rules").glob("*.yml"))
    if sorted(files) != rules:
        yield f"rules/kustomization.yaml has {' '.join(files)}, and there are {' '.join(rules)}"

    version = re.search(r'^version = "(.*)"', (root / "Cargo.toml").read_text(), re.MULTILINE).group(1)
    for path in kubernetes.rglob("kustomization.yaml"):
        for image in load(path).get("images", []):
            if image["name"].startswith("ogi/") and image.get("newTag", version) != version:
                yield f"{path.relative_to(root)}: {image['name']} has the version {image['newTag']}, and this is {version}"
