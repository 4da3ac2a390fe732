"""What the checks need besides the manifests: programs, their flags, the Secrets, certificates."""

import re
import subprocess

import yaml


class Context:
    """Programs of this repository in `programs`, others in `tools`; what is made goes to `work`."""

    def __init__(self, root, programs, tools, work):
        self.root, self.programs, self.tools, self.work = root, programs, tools, work
        documents = yaml.safe_load_all((root / "kubernetes/secrets.example.yaml").read_text())
        self.secrets = {(s["metadata"]["namespace"], s["metadata"]["name"]): s for s in documents}
        documents = yaml.safe_load_all((root / "kubernetes/certificates.example.yaml").read_text())
        certificates = [c for c in documents if c["kind"] == "Certificate" and "dnsNames" in c["spec"]]
        self.names = {(c["metadata"]["namespace"], c["spec"]["secretName"]): c["spec"]["dnsNames"] for c in certificates}
        self.authority = work / "ca"
        self.openssl(
            "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", "/CN=ogi-ca",
            "-keyout", f"{self.authority}.key", "-out", f"{self.authority}.crt",
        )
        self.flags = {
            name: self.flags_of(self.program(name))
            for name in ("alertmanager-proxy", "checkscript-agent", "checkscript-runner", "pushgateway-ex", "web-ui")
        }
        self.flags |= {name: self.flags_of(self.tool(name)) for name in ("prometheus", "alertmanager")}

    def program(self, name):
        """One of ours."""
        return str(self.programs / name)

    def tool(self, name):
        """One of others."""
        return str(self.tools / name)

    def openssl(self, *arguments):
        """Runs openssl, which scripts/tools.sh has found."""
        run = subprocess.run([self.tool("openssl"), *arguments], capture_output=True, text=True)
        if run.returncode != 0:
            raise SystemExit(f"openssl {arguments[0]}: {run.stderr}")

    @staticmethod
    def flags_of(program):
        """Every flag that its --help names."""
        told = subprocess.run([program, "--help"], capture_output=True, text=True, timeout=30)
        return set(re.findall(r"--[a-z][a-z0-9_.-]*", told.stdout + told.stderr))

    def certificate(self, names, to):
        """A new certificate and key for these names, by the authority: the files of a Secret."""
        self.openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", f"/CN={names[0]}",
                     "-keyout", f"{to}.key", "-out", f"{to}.csr")
        extensions = to.with_suffix(".ext")
        extensions.write_text("subjectAltName=" + ",".join(f"DNS:{name}" for name in names) + "\nextendedKeyUsage=serverAuth,clientAuth\n")
        self.openssl("x509", "-req", "-in", f"{to}.csr", "-CA", f"{self.authority}.crt", "-CAkey", f"{self.authority}.key", "-CAcreateserial",
                     "-days", "1", "-extfile", str(extensions), "-out", f"{to}.crt")
        return {
            "tls.crt": to.with_suffix(".crt").read_bytes(),
            "tls.key": to.with_suffix(".key").read_bytes(),
            "ca.crt": self.authority.with_suffix(".crt").read_bytes(),
        }

    def files_of(self, namespace, secret):
        """What a Secret would hold: a real certificate, where it is one."""
        if (namespace, secret) in self.names:
            return self.certificate(self.names[namespace, secret], self.work / f"{namespace}-{secret}")
        return {key: value.encode() for key, value in self.secrets[namespace, secret]["stringData"].items()}
