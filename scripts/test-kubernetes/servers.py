"""Runs the servers with the flags and files that the manifests give them, asks them as kubelet does, and swaps their certificates."""

import http.client
import re
import signal
import ssl
import subprocess
import time
from pathlib import Path

from checks import program_of
from configs import argument, lay_out, local, put
from model import name_of

OURS = ("alertmanager-proxy", "web-ui", "pushgateway-ex", "checkscript-agent")
# How long something may take that is waited for, in seconds.
PATIENCE = 30


class Server:
    """One container that runs; its files are below `root`."""

    def __init__(self, cluster, context, workload, container, root):
        self.context, self.container, self.root = context, container, root
        self.name, self.namespace = name_of(workload), workload["metadata"]["namespace"]
        self.volumes = {v["name"]: v for v in workload["spec"]["template"]["spec"].get("volumes", [])}
        self.mounts = lay_out(cluster, context, workload, container, root)
        arguments = [local(a, self.mounts, root) for a in container["args"] if not a.startswith("--web.listen-address")]
        log = (root / "log").open("w")
        command = [context.program(program_of(container)), *arguments, "--web.listen-address=127.0.0.1:0"]
        self.process = subprocess.Popen(command, stdout=log, stderr=log, env={})

    @property
    def port(self):
        """Where it listens, as it says; a port where nobody does before."""
        said = re.search(r"Listening on 127\.0\.0\.1:(\d+)", (self.root / "log").read_text())
        return int(said.group(1)) if said else 1

    def secret(self):
        """The Secret of its certificate, or None without TLS."""
        mount = next((m for m in self.container["volumeMounts"] if m["mountPath"] == "/etc/tls"), None)
        return mount and self.volumes[mount["name"]]["secret"]["secretName"]

    def connect(self, certificate=None, verify=True):
        """A connection, and over TLS the certificate that was shown. kubelet verifies none."""
        if self.secret() is None:
            return http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        tls = ssl.create_default_context(cafile=f"{self.context.authority}.crt")
        tls.check_hostname = False
        tls.verify_mode = ssl.CERT_REQUIRED if verify else ssl.CERT_NONE
        if certificate:
            tls.load_cert_chain(f"{certificate}.crt", f"{certificate}.key")
        return http.client.HTTPSConnection("127.0.0.1", self.port, timeout=5, context=tls)

    def status(self, path, certificate=None, verify=True):
        """What it answers, or None where it does not."""
        connection = self.connect(certificate, verify)
        try:
            connection.request("GET", path)
            return connection.getresponse().status
        except OSError:
            return None
        finally:
            connection.close()

    def serial(self):
        """The serial number of the certificate that it shows."""
        connection = self.connect()
        try:
            connection.connect()
            return connection.sock.getpeercert()["serialNumber"]
        except OSError:
            return None
        finally:
            connection.close()

    def until(self, what, holds):
        """Waits until something holds; says what did not."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end and self.process.poll() is None:
            if holds():
                return None
            time.sleep(0.05)
        return f"{self.name}: {what}; its log:\n{(self.root / 'log').read_text()}"

    def probes(self):
        """Each probe is answered."""
        for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
            get = self.container[probe]["httpGet"]
            path = get["path"]
            failure = self.until(f"{probe} is not answered", lambda path=path: self.status(path, verify=False) == 200)
            if failure:
                yield failure
                return

    def rotation(self):
        """A certificate that kubelet swaps is shown, without a restart."""
        before = self.serial()
        put(Path(f"{self.root}/etc/tls"), self.context.files_of(self.namespace, self.secret()))
        failure = self.until("it goes on with the old certificate", lambda: self.serial() not in (None, before))
        if failure:
            yield failure

    def outputs(self):
        """Who shows outputs shows them to the proxy and to web-ui, and to nobody else."""
        if not any(a.startswith("--detail.allow-client-names") for a in self.container["args"]):
            return
        for secret, namespace, wanted in (("alertmanager-proxy-tls", "ogi", 200), ("web-ui-tls", "ogi", 200), ("prometheus-tls", "ogi", 403), (None, None, 403)):
            if secret:
                self.context.files_of(namespace, secret)
            certificate = secret and self.context.work / f"{namespace}-{secret}"
            for path, status in (("/api/v1/checks", wanted), ("/metrics", 200)):
                told = self.status(path, certificate)
                if told != status:
                    yield f"{self.name}: {path} answers {told} instead of {status} to {secret or 'nobody in particular'}"

    def stop(self):
        """It ends in time, as it should."""
        self.process.send_signal(signal.SIGTERM)
        try:
            status = self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return f"{self.name}: does not stop"
        return None if status == 0 else f"{self.name}: ends with {status}; its log:\n{(self.root / 'log').read_text()}"


def runs(cluster, context, work):
    """Every one of our servers, one after the other."""
    for workload, container, first in cluster.containers():
        if first or program_of(container) not in OURS:
            continue
        if any(a.startswith("--storage=redis") for a in container["args"]):
            continue
        root = work / workload["metadata"]["name"] / f"{container['name']}-runs"
        server = Server(cluster, context, workload, container, root)
        try:
            yield from server.probes()
            if server.secret() and server.process.poll() is None:
                yield from server.rotation()
                yield from server.outputs()
        finally:
            failure = server.stop()
        if failure:
            yield failure


def names(cluster, context):
    """Names that servers are asked by, and clients known by, are those of certificates."""
    known = {name for names_ in context.names.values() for name in names_}
    for config in cluster.of("ConfigMap"):
        for text in config.get("data", {}).values():
            for name in re.findall(r"server_name: ([\w.-]+)", text):
                if name not in known:
                    yield f"{name_of(config)}: server_name {name} is in no certificate of certificates.example.yaml"
    for workload, container, _ in cluster.containers():
        if any(a.startswith("--detail.allow-client-names=") for a in container.get("args", [])):
            for name in argument(container, "--detail.allow-client-names").split(","):
                if name not in known:
                    yield f"{name_of(workload)}: client name {name} is in no certificate of certificates.example.yaml"
