"""Manifests made wrong on purpose: a check that never fails is none. Each mutation names words of the failure that it must bring."""

import copy

from model import Cluster

TEMPLATE = ("spec", "template", "spec")


def at(cluster, kind, name, *path):
    """What stands at a path of an object."""
    value = next(o for o in cluster.of(kind) if o["metadata"]["name"] == name)
    for key in path:
        value = value[key]
    return value


def container(cluster, kind, name, index=0):
    """A container of a workload."""
    return at(cluster, kind, name, *TEMPLATE, "containers", index)


def configured(cluster, prefix):
    """The ConfigMap whose name, but for its hash, is this."""
    return next(c for c in cluster.of("ConfigMap") if c["metadata"]["name"].rpartition("-")[0] == prefix)


MUTATIONS = [
    ("Service ogi/alertmanager-proxy: selects no pod",
     lambda c: at(c, "Service", "alertmanager-proxy", "spec").update(selector={"app": "x"})),
    ("Service ogi/web-ui: its pods have no port https",
     lambda c: at(c, "Service", "web-ui", "spec", "ports")[0].update(targetPort="https")),
    ("NetworkPolicy ogi/web-ui: is about no pod",
     lambda c: at(c, "NetworkPolicy", "web-ui", "spec").update(podSelector={"matchLabels": {"app": "x"}})),
    ("allowed by egress, not by ingress",
     lambda c: at(c, "NetworkPolicy", "alertmanager-proxy", "spec", "ingress").clear()),
    ("port 9094 (TCP) is none of Deployment ogi/alertmanager-proxy",
     lambda c: at(c, "NetworkPolicy", "alertmanager-proxy", "spec", "ingress")[0].update(ports=[{"port": 9094}])),
    ("StatefulSet ogi/prometheus: there is no ConfigMap gone",
     lambda c: at(c, "StatefulSet", "prometheus", *TEMPLATE, "volumes")[0].update(configMap={"name": "gone"})),
    ("there is no Secret gone in secrets.example.yaml",
     lambda c: at(c, "StatefulSet", "alertmanager", *TEMPLATE, "volumes")[2].update(secret={"secretName": "gone"})),
    ("there is no PersistentVolumeClaim gone",
     lambda c: at(c, "StatefulSet", "pushgateway-ex", *TEMPLATE, "volumes")[0].update(persistentVolumeClaim={"claimName": "gone"})),
    ("has no key TOWN",
     lambda c: container(c, "StatefulSet", "prometheus")["env"][1]["valueFrom"]["configMapKeyRef"].update(key="TOWN")),
    ("readinessProbe: it has no port https",
     lambda c: container(c, "Deployment", "web-ui")["readinessProbe"]["httpGet"].update(port="https")),
    ("livenessProbe asks by HTTP what answers by HTTPS",
     lambda c: container(c, "Deployment", "web-ui")["livenessProbe"]["httpGet"].update(scheme="HTTP")),
    ("has no startupProbe",
     lambda c: container(c, "DaemonSet", "checks", 1).pop("startupProbe")),
    ("has no requests of cpu and memory",
     lambda c: container(c, "DaemonSet", "checks").pop("resources")),
    ("keeps capabilities",
     lambda c: container(c, "DaemonSet", "checks")["securityContext"].update(capabilities={"drop": ["NET_RAW"]})),
    ("runs as root, or may",
     lambda c: at(c, "DaemonSet", "checks", *TEMPLATE, "securityContext").update(runAsNonRoot=False)),
    ("has hostPath in a namespace whose pod security level is restricted",
     lambda c: at(c, "Deployment", "web-ui", *TEMPLATE, "volumes").append({"name": "host", "hostPath": {"path": "/"}})),
    ("mounts tls by subPath, and would never see it change",
     lambda c: container(c, "Deployment", "web-ui")["volumeMounts"][-1].update(subPath="tls.crt")),
    ("may be put on a Windows node",
     lambda c: at(c, "DaemonSet", "checks", *TEMPLATE).pop("nodeSelector")),
    ("PodDisruptionBudget ogi/alertmanager: selects no pod",
     lambda c: at(c, "PodDisruptionBudget", "alertmanager", "spec").update(selector={"matchLabels": {"app": "x"}})),
    ("has 0 PodDisruptionBudgets",
     lambda c: c.objects.remove(next(o for o in c.of("PodDisruptionBudget") if o["metadata"]["name"] == "web-ui"))),
    ("alertmanager-proxy has no flag --config.fiel",
     lambda c: container(c, "Deployment", "alertmanager-proxy")["args"].append("--config.fiel=x")),
    ("has no version",
     lambda c: container(c, "Deployment", "web-ui").update(image="ogi/web-ui:latest")),
    ("there is no pod alertmanager-2 of Service alertmanager",
     lambda c: container(c, "StatefulSet", "alertmanager")["args"].append("--cluster.peer=alertmanager-2.alertmanager:9094")),
    ("there is no Service pushgatewayex with port 9091",
     lambda c: configured(c, "web-ui")["data"].update({"web-ui.yml": "detail: {pushgateway: https://pushgatewayex:9091}"})),
    ("there is no ServiceAccount ogi/nobody",
     lambda c: at(c, "RoleBinding", "prometheus", "subjects")[0].update(name="nobody")),
    ("lets out / (Prefix), and not /metrics alone",
     lambda c: at(c, "Ingress", "watched", "spec", "rules")[0]["http"]["paths"][0].update(path="/", pathType="Prefix")),
    ("there is no StorageClass ogi-block",
     lambda c: c.objects.remove(c.find("StorageClass", None, "ogi-block"))),
    ("Ingress ogi/watched: is not labelled as part of ogi",
     lambda c: at(c, "Ingress", "watched", "metadata").pop("labels")),
    ("there is no namespace ogi-nodes",
     lambda c: c.objects.remove(c.find("Namespace", None, "ogi-nodes"))),
    ("server_name alertmanager.example is in no certificate",
     lambda c: configured(c, "alertmanager-proxy")["data"].update({"proxy.yml": "server_name: alertmanager.example"})),
]

INVALID = [
    ("unknown field", lambda c: at(c, "Deployment", "web-ui", "spec").update(replcias=2)),
    ("wrong type", lambda c: at(c, "StatefulSet", "prometheus", "spec").update(replicas="two")),
    ("missing field", lambda c: at(c, "Ingress", "watched", "spec", "rules")[0]["http"]["paths"][0].pop("pathType")),
    ("unknown field in depth", lambda c: container(c, "DaemonSet", "checks", 1)["readinessProbe"]["httpGet"].update(prot=1)),
]

MISCONFIGURED = [
    ("prometheus does not take", lambda c: configured(c, "prometheus")["data"].update({"prometheus.yml": configured(c, "prometheus")["data"]["prometheus.yml"].replace("scrape_interval", "scrape_intervall", 1)})),
    ("its nodes are", lambda c: configured(c, "prometheus")["data"].update({"prometheus.yml": configured(c, "prometheus")["data"]["prometheus.yml"].replace("regex: linux", "regex: windows")})),
    ("and not the one pod that runs", lambda c: configured(c, "prometheus")["data"].update({"prometheus.yml": configured(c, "prometheus")["data"]["prometheus.yml"].replace("Failed|Succeeded", "Failed")})),
    ("alertmanager does not take", lambda c: configured(c, "alertmanager")["data"].update({"alertmanager.yml": "route: {receiver: gone}"})),
    ("alertmanager-proxy does not take", lambda c: configured(c, "alertmanager-proxy")["data"].update({"proxy.yml": "alertmanagers: []"})),
    ("check_memory: there is no script", lambda c: configured(c, "check-scripts")["data"].pop("check-memory-vmstat.sh")),
    ("checkscript-runner does not take", lambda c: configured(c, "check-definitions")["data"].update({"memory.json": "{"})),
]


def unnoticed(objects, mutations, failures):
    """The mutations that `failures`, given a cluster, does not tell of."""
    for words, mutate in mutations:
        cluster = Cluster(copy.deepcopy(objects))
        mutate(cluster)
        told = list(failures(Cluster(cluster.objects)))
        if not any(words in failure for failure in told):
            yield f"a manifest made wrong goes unnoticed: {words!r}; what was told: {told[:3]}"
