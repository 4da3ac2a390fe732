"""What must hold in the manifests of one overlay, beyond what the API's schemas say. Each check is a generator of failures in words."""

import re

from model import CLUSTER_WIDE, WORKLOADS, name_of, selects

# What --web.shutdown-timeout is if nobody says otherwise, in seconds.
SHUTDOWN = 10


def identities(cluster, _):
    """Names are there once, in namespaces that exist, and all objects have the label by which `kubectl apply --prune` takes them for ours."""
    seen = set()
    namespaces = {namespace["metadata"]["name"] for namespace in cluster.of("Namespace")}
    for object_ in cluster.objects:
        name = name_of(object_)
        if name in seen:
            yield f"{name}: there twice"
        seen.add(name)
        namespace = object_["metadata"].get("namespace")
        if (namespace is None) != (object_["kind"] in CLUSTER_WIDE):
            yield f"{name}: {'has no namespace' if namespace is None else 'is of no namespace, but has one'}"
        if object_["metadata"].get("labels", {}).get("app.kubernetes.io/part-of") != "ogi":
            yield f"{name}: is not labelled as part of ogi"
        if namespace is not None and namespace not in namespaces:
            yield f"{name}: there is no namespace {namespace}"


def selectors(cluster, _):
    """What selects pods selects some."""
    for workload in cluster.of(*WORKLOADS):
        spec = workload["spec"]
        if not selects(spec["selector"], spec["template"]["metadata"]["labels"]):
            yield f"{name_of(workload)}: its selector does not take its own pods"
    for service in cluster.of("Service"):
        spec = service["spec"]
        pods = cluster.pods_of(service["metadata"]["namespace"], spec["selector"])
        if not pods:
            yield f"{name_of(service)}: selects no pod"
        for port in spec["ports"]:
            target, protocol = port.get("targetPort", port["port"]), port.get("protocol", "TCP")
            if not all(pod.has_port(target, protocol) for pod in pods):
                yield f"{name_of(service)}: its pods have no port {target} ({protocol})"
    budgets = cluster.of("PodDisruptionBudget")
    for budget in budgets:
        if not cluster.pods_of(budget["metadata"]["namespace"], budget["spec"]["selector"]):
            yield f"{name_of(budget)}: selects no pod"
        if budget["spec"].get("maxUnavailable") in (None, 0, "0%"):
            yield f"{name_of(budget)}: has no maxUnavailable of 1 or more, so that no node with its pod can be drained"
    for pod in cluster.pods:
        mine = [b for b in budgets if b["metadata"]["namespace"] == pod.namespace and selects(b["spec"]["selector"], pod.labels)]
        if pod.workload["kind"] != "DaemonSet" and len(mine) != 1:
            yield f"{name_of(pod.workload)}: has {len(mine)} PodDisruptionBudgets instead of one"


def rules_of(cluster, direction):
    """(policy, its pods, the other pods, ports) of each rule of the NetworkPolicies whose peers are pods of the same namespace."""
    peers = {"ingress": "from", "egress": "to"}[direction]
    for policy in cluster.of("NetworkPolicy"):
        namespace, spec = policy["metadata"]["namespace"], policy["spec"]
        own = cluster.pods_of(namespace, spec["podSelector"])
        for rule in spec.get(direction, []):
            for peer in rule.get(peers, []):
                if "podSelector" in peer and "namespaceSelector" not in peer:
                    others = cluster.pods_of(namespace, peer["podSelector"])
                    yield policy, peer["podSelector"], own, others, rule["ports"]


def network(cluster, _):
    """NetworkPolicies are about pods that there are and ports that those have, and both ends of a connection allow it."""
    for policy in cluster.of("NetworkPolicy"):
        if not cluster.pods_of(policy["metadata"]["namespace"], policy["spec"]["podSelector"]):
            yield f"{name_of(policy)}: is about no pod"
    allowed = {"ingress": set(), "egress": set()}
    for direction, allows in allowed.items():
        for policy, selector, own, others, ports in rules_of(cluster, direction):
            if not others:
                yield f"{name_of(policy)}: {direction}: there is no pod {selector}"
            for number, protocol in ((port["port"], port.get("protocol", "TCP")) for port in ports):
                servers, clients = (own, others) if direction == "ingress" else (others, own)
                if not all(pod.has_port(number, protocol) for pod in servers):
                    yield f"{name_of(policy)}: {direction}: port {number} ({protocol}) is none of {name_of(servers[0].workload)}"
                ends = ((client, server) for client in clients for server in servers)
                allows |= {(name_of(c.workload), name_of(s.workload), number, protocol) for c, s in ends}
    for one, other in (("ingress", "egress"), ("egress", "ingress")):
        for client, server, number, protocol in sorted(allowed[one] - allowed[other]):
            yield f"{client} to {server}, port {number} ({protocol}): allowed by {one}, not by {other}"
    for pod in cluster.pods:
        mine = [p for p in cluster.of("NetworkPolicy") if p["metadata"]["namespace"] == pod.namespace]
        if not pod.spec.get("hostNetwork") and not any(selects(p["spec"]["podSelector"], pod.labels) and p["spec"]["podSelector"] for p in mine):
            yield f"{name_of(pod.workload)}: no NetworkPolicy but the default one is about it"


def wanted_by(workload):
    """(kind, name, keys) of what a pod refers to in its namespace."""
    spec = workload["spec"]["template"]["spec"]
    yield "ServiceAccount", spec.get("serviceAccountName"), []
    for volume in spec.get("volumes", []):
        if "configMap" in volume:
            yield "ConfigMap", volume["configMap"]["name"], [item["key"] for item in volume["configMap"].get("items", [])]
        if "secret" in volume:
            yield "Secret", volume["secret"]["secretName"], [item["key"] for item in volume["secret"].get("items", [])]
        if "persistentVolumeClaim" in volume:
            yield "PersistentVolumeClaim", volume["persistentVolumeClaim"]["claimName"], []
    for container in [*spec.get("initContainers", []), *spec["containers"]]:
        for source in (variable["valueFrom"] for variable in container.get("env", []) if "valueFrom" in variable):
            for field, kind in (("configMapKeyRef", "ConfigMap"), ("secretKeyRef", "Secret")):
                if field in source:
                    yield kind, source[field]["name"], [source[field]["key"]]


def references(cluster, context):
    """What is named exists, and what is made is used."""
    used = set()
    for workload in cluster.of(*WORKLOADS):
        name, namespace, spec = name_of(workload), workload["metadata"]["namespace"], workload["spec"]["template"]["spec"]
        for kind, wanted, keys in wanted_by(workload):
            used.add((kind, namespace, wanted))
            found = context.secrets.get((namespace, wanted)) if kind == "Secret" else cluster.find(kind, namespace, wanted)
            if found is None:
                yield f"{name}: there is no {kind} {wanted}" + (" in secrets.example.yaml" if kind == "Secret" else "")
            for key in keys:
                if found is not None and key not in found.get("data", found.get("stringData", {})):
                    yield f"{name}: {kind} {wanted} has no key {key}"
        if cluster.find("PriorityClass", None, spec.get("priorityClassName")) is None and "priorityClassName" in spec:
            yield f"{name}: there is no PriorityClass {spec['priorityClassName']}"
        if workload["kind"] == "StatefulSet" and cluster.find("Service", namespace, workload["spec"]["serviceName"]) is None:
            yield f"{name}: there is no Service {workload['spec']['serviceName']}"
        yield from volumes(workload)
    for kind in ("ConfigMap", "ServiceAccount", "PersistentVolumeClaim"):
        for object_ in cluster.of(kind):
            metadata = object_["metadata"]
            if (kind, metadata["namespace"], metadata["name"]) not in used:
                yield f"{name_of(object_)}: nothing uses it"
    yield from storage(cluster)
    yield from bindings(cluster)
    yield from ingresses(cluster, context)


def volumes(workload):
    """Mounts have volumes and volumes mounts, and what may change is mounted so that changes are seen."""
    name, spec = name_of(workload), workload["spec"]["template"]["spec"]
    there = {volume["name"]: volume for volume in spec.get("volumes", [])}
    there |= {claim["metadata"]["name"]: claim for claim in workload["spec"].get("volumeClaimTemplates", [])}
    mounted = set()
    for container in [*spec.get("initContainers", []), *spec["containers"]]:
        for mount in container.get("volumeMounts", []):
            mounted.add(mount["name"])
            volume = there.get(mount["name"])
            if volume is None:
                yield f"{name}: container {container['name']} mounts {mount['name']}, which is no volume"
            elif "subPath" in mount and {"configMap", "secret"} & set(volume):
                yield f"{name}: container {container['name']} mounts {mount['name']} by subPath, and would never see it change"
    for unused in sorted(set(there) - mounted):
        yield f"{name}: nothing mounts the volume {unused}"


def storage(cluster):
    """Claims have a class that is made here, or name a volume that names them."""
    for claim in cluster.of("PersistentVolumeClaim"):
        spec = claim["spec"]
        if spec.get("storageClassName") and cluster.find("StorageClass", None, spec["storageClassName"]) is None:
            yield f"{name_of(claim)}: there is no StorageClass {spec['storageClassName']}"
        if "volumeName" in spec:
            volume = cluster.find("PersistentVolume", None, spec["volumeName"])
            back = volume and volume["spec"].get("claimRef")
            if not back or (back["namespace"], back["name"]) != (claim["metadata"]["namespace"], claim["metadata"]["name"]):
                yield f"{name_of(claim)}: no PersistentVolume {spec['volumeName']} is for it"
            elif not set(spec["accessModes"]) <= set(volume["spec"]["accessModes"]):
                yield f"{name_of(claim)}: its volume does not have its access modes"


def bindings(cluster):
    """Roles and accounts of bindings exist."""
    for binding in cluster.of("RoleBinding", "ClusterRoleBinding"):
        role = binding["roleRef"]
        namespace = binding["metadata"].get("namespace") if role["kind"] == "Role" else None
        if cluster.find(role["kind"], namespace, role["name"]) is None:
            yield f"{name_of(binding)}: there is no {role['kind']} {role['name']}"
        for subject in binding["subjects"]:
            if cluster.find("ServiceAccount", subject["namespace"], subject["name"]) is None:
                yield f"{name_of(binding)}: there is no ServiceAccount {subject['namespace']}/{subject['name']}"


def ingresses(cluster, context):
    """What an Ingress leads to exists, and it lets nothing out but /metrics."""
    for ingress in cluster.of("Ingress"):
        namespace, spec = ingress["metadata"]["namespace"], ingress["spec"]
        for tls in spec.get("tls", []):
            if (namespace, tls["secretName"]) not in context.secrets:
                yield f"{name_of(ingress)}: there is no Secret {tls['secretName']} in secrets.example.yaml"
        covered = {host for tls in spec.get("tls", []) for host in tls["hosts"]}
        for rule in spec["rules"]:
            if rule["host"] not in covered:
                yield f"{name_of(ingress)}: {rule['host']} has no certificate"
            for path in rule["http"]["paths"]:
                wanted = path["backend"]["service"]
                service = cluster.find("Service", namespace, wanted["name"])
                if service is None or wanted["port"]["number"] not in [port["port"] for port in service["spec"]["ports"]]:
                    yield f"{name_of(ingress)}: there is no Service {wanted['name']} with port {wanted['port']['number']}"
                if (path["path"], path["pathType"]) != ("/metrics", "Exact"):
                    yield f"{name_of(ingress)}: lets out {path['path']} ({path['pathType']}), and not /metrics alone"


def hardening(cluster, _):
    """No pod has more rights than it needs, and each says so."""
    for workload in cluster.of(*WORKLOADS):
        name, spec = name_of(workload), workload["spec"]["template"]["spec"]
        security = spec.get("securityContext", {})
        if security.get("runAsNonRoot") is not True or not security.get("runAsUser"):
            yield f"{name}: runs as root, or may"
        if security.get("seccompProfile") != {"type": "RuntimeDefault"}:
            yield f"{name}: has no seccompProfile RuntimeDefault"
        if "fsGroup" not in security:
            yield f"{name}: has no fsGroup, without which it cannot read its Secrets or write to its volume"
        if "automountServiceAccountToken" not in spec:
            yield f"{name}: does not say whether it has a token for the API"
        if spec.get("automountServiceAccountToken") and workload["metadata"]["name"] != "prometheus":
            yield f"{name}: has a token for the API"
        if spec.get("nodeSelector", {}).get("kubernetes.io/os") != "linux":
            yield f"{name}: may be put on a Windows node"
        namespace = cluster.find("Namespace", None, workload["metadata"]["namespace"])
        level = namespace and namespace["metadata"].get("labels", {}).get("pod-security.kubernetes.io/enforce")
        beyond = [field for field in ("hostNetwork", "hostPID", "hostIPC") if spec.get(field)]
        beyond += ["hostPath" for volume in spec.get("volumes", []) if "hostPath" in volume]
        if level != "privileged" and beyond:
            yield f"{name}: has {', '.join(beyond)} in a namespace whose pod security level is {level}"
        if spec.get("terminationGracePeriodSeconds", 30) < SHUTDOWN + 10:
            yield f"{name}: is killed before it has stopped: terminationGracePeriodSeconds"
    for workload, container, first in cluster.containers():
        name = f"{name_of(workload)}: container {container['name']}"
        security = container.get("securityContext", {})
        if security.get("allowPrivilegeEscalation") is not False or security.get("readOnlyRootFilesystem") is not True:
            yield f"{name}: allowPrivilegeEscalation is not false, or readOnlyRootFilesystem not true"
        capabilities = security.get("capabilities", {})
        if capabilities.get("drop") != ["ALL"] or (capabilities.get("add") and not first):
            yield f"{name}: keeps capabilities"
        if security.get("privileged") or (security.get("runAsUser") == 0 and not first):
            yield f"{name}: is root"


def running(cluster, _):
    """Containers say which version they are, what they need and how they are asked whether they are well."""
    for workload, container, first in cluster.containers():
        name = f"{name_of(workload)}: container {container['name']}"
        if not re.fullmatch(r"[^:]+(:\d+/[^:]+)?:v?\d+\.\d+\.\d+", container["image"]):
            yield f"{name}: its image {container['image']} has no version"
        resources = container.get("resources", {})
        if not {"cpu", "memory"} <= set(resources.get("requests", {})) or "memory" not in resources.get("limits", {}):
            yield f"{name}: has no requests of cpu and memory, or no limit of memory"
        if first:
            continue
        mounts = [mount["mountPath"] for mount in container.get("volumeMounts", [])]
        wanted = "HTTPS" if "/etc/tls" in mounts else "HTTP"
        for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
            get = container.get(probe, {}).get("httpGet")
            if get is None:
                yield f"{name}: has no {probe} over HTTP"
                continue
            ports = {value for port in container.get("ports", []) for value in (port.get("name"), port["containerPort"])}
            # On the node's loopback what counts is the node.
            if get["port"] not in ports and get.get("host") != "127.0.0.1":
                yield f"{name}: {probe}: it has no port {get['port']}"
            if get.get("scheme", "HTTP") != wanted:
                yield f"{name}: {probe} asks by {get.get('scheme', 'HTTP')} what answers by {wanted}"


def flags(cluster, context):
    """Every flag is one of the program's."""
    for workload, container, _ in cluster.containers():
        program = program_of(container)
        if program is None:
            continue
        known = context.flags.get(program)
        if known is None:
            yield f"{name_of(workload)}: nobody knows the flags of {program}"
            continue
        for argument in container.get("args", []):
            flag = argument.split("=", 1)[0]
            if flag not in known:
                yield f"{name_of(workload)}: container {container['name']}: {program} has no flag {flag}"


def program_of(container):
    """What runs in a container: its command, or what its image is of. None for a shell."""
    command = container.get("command", [container["image"].rsplit(":", 1)[0]])[0]
    return None if command == "/bin/sh" else command.rsplit("/", 1)[-1]


# A server of this cluster in a configuration: POD.SERVICE:PORT or SERVICE:PORT.
ADDRESS = re.compile(r"(?:https?://|['\"=])((?:[a-z][a-z0-9-]*\.)?[a-z][a-z0-9-]*):(\d+)\b")


def addresses(cluster, _):
    """Short names in configurations and flags are of Services and pods that there are."""
    texts = [(name_of(c), c["metadata"]["namespace"], text) for c in cluster.of("ConfigMap") for text in c.get("data", {}).values()]
    for workload, container, _ in cluster.containers():
        flags_ = "\n".join(f"'{argument.replace('=', '=', 1)}" for argument in container.get("args", []))
        texts.append((name_of(workload), workload["metadata"]["namespace"], flags_))
    for where, namespace, text in texts:
        plain = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#"))
        for host, port in ADDRESS.findall(plain):
            pod, _, service_name = host.rpartition(".")
            service = cluster.find("Service", namespace, service_name)
            if service is None or int(port) not in [p["port"] for p in service["spec"]["ports"]]:
                yield f"{where}: there is no Service {service_name} with port {port}"
            elif pod and pod not in [p.name for p in cluster.pods_of(namespace, service["spec"]["selector"])]:
                yield f"{where}: there is no pod {pod} of Service {service_name}"


CHECKS = (identities, selectors, network, references, hardening, running, flags, addresses)


def failures(cluster, context):
    """Everything that is wrong, in order and once."""
    return list(dict.fromkeys(failure for check in CHECKS for failure in check(cluster, context)))
