"""Rendered manifests as the checks want them: objects by kind, pods of workloads, what they are called in a failure."""

import itertools

WORKLOADS = ("Deployment", "StatefulSet", "DaemonSet")
CLUSTER_WIDE = ("Namespace", "PriorityClass", "ClusterRole", "ClusterRoleBinding", "StorageClass", "PersistentVolume")


def name_of(object_):
    """KIND NAMESPACE/NAME, for people."""
    metadata = object_["metadata"]
    return f"{object_['kind']} {metadata['namespace'] + '/' if 'namespace' in metadata else ''}{metadata['name']}"


def selects(selector, labels):
    """Whether a label selector, of objects or a Service's plain map, takes these labels."""
    if not {"matchLabels", "matchExpressions"} & set(selector):
        selector = {"matchLabels": selector}
    if any(labels.get(key) != value for key, value in selector.get("matchLabels", {}).items()):
        return False
    tests = {
        "In": lambda e: labels.get(e["key"]) in e["values"],
        "NotIn": lambda e: labels.get(e["key"]) not in e["values"],
        "Exists": lambda e: e["key"] in labels,
        "DoesNotExist": lambda e: e["key"] not in labels,
    }
    return all(tests[e["operator"]](e) for e in selector.get("matchExpressions", []))


class Pod:
    """One pod that a workload would have; of a DaemonSet one stands for all."""

    def __init__(self, workload, index):
        self.workload = workload
        self.namespace = workload["metadata"]["namespace"]
        self.spec = workload["spec"]["template"]["spec"]
        self.labels = dict(workload["spec"]["template"]["metadata"]["labels"])
        if workload["kind"] == "StatefulSet":
            self.name = f"{workload['metadata']['name']}-{index}"
            self.labels["statefulset.kubernetes.io/pod-name"] = self.name
        else:
            self.name = None

    def ports(self):
        """(name, number, protocol) of every container's ports."""
        for container in self.spec["containers"]:
            for port in container.get("ports", []):
                yield port.get("name"), port["containerPort"], port.get("protocol", "TCP")

    def has_port(self, port, protocol="TCP"):
        """Whether it has this one, by name or number."""
        return any(port in (name, number) and protocol == theirs for name, number, theirs in self.ports())


class Cluster:
    """The objects of one overlay."""

    def __init__(self, objects):
        self.objects = objects
        self.pods = [
            Pod(workload, index)
            for workload in self.of(*WORKLOADS)
            for index in range(workload["spec"].get("replicas", 1))
        ]

    def of(self, *kinds):
        """Every object of these kinds."""
        return [object_ for object_ in self.objects if object_["kind"] in kinds]

    def find(self, kind, namespace, name):
        """That one, or None."""
        for object_ in self.of(kind):
            metadata = object_["metadata"]
            if metadata["name"] == name and metadata.get("namespace") == namespace:
                return object_
        return None

    def pods_of(self, namespace, selector):
        """The pods of a namespace that a selector takes."""
        return [pod for pod in self.pods if pod.namespace == namespace and selects(selector, pod.labels)]

    def containers(self):
        """(workload, container, whether it is an init container) of everything that runs."""
        for workload in self.of(*WORKLOADS):
            spec = workload["spec"]["template"]["spec"]
            started = ((c, True) for c in spec.get("initContainers", []))
            for container, first in itertools.chain(started, ((c, False) for c in spec["containers"])):
                yield workload, container, first
