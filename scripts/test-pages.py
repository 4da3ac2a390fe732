#!/usr/bin/env python3
"""Holds what pages promise against the rules and the code.

usage: scripts/test-pages.py

docs/operations/troubleshooting.md, so that what one looks for at night is there:

- Each alert of rules/*.yml has a heading of its own, whose anchor is the alert's name in small letters, and no heading is of an alert
  that there is not.
- Each text that alertmanager-proxy may write into `detail_error`, and each with which pushgateway-ex may refuse a push, is there as the
  code has it, with `…` where the code fills something in.

The pages of the components and docs/servers.md, so that a metric is found by its name: each that the code registers.

docs/security.md: each file and each test that it names is there.
"""

import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
TROUBLESHOOTING = "docs/operations/troubleshooting.md"
SECURITY = "docs/security.md"

# Where the texts are: files, and the pattern that finds the text in them.
ERROR = r'#\[error\(\s*"((?:[^"\\]|\\.)*)"'
FORMAT = r'format!\(\s*"((?:[^"\\]|\\.)*)"'
SOURCES = {
    "detail_error": [
        ("alertmanager-proxy/src/detail/failure.rs", FORMAT),
        ("alertmanager-proxy/src/detail/failure.rs", r'reason: "((?:[^"\\]|\\.)*)"'),
        ("alertmanager-proxy/src/detail/address.rs", ERROR),
        ("alertmanager-proxy/src/dns.rs", ERROR),
        ("alertmanager-proxy/src/config/template.rs", ERROR + r"(?=\)\]\s*(?:MissingLabels|Template|Url)\b)"),
        ("alertmanager-proxy/src/annotate/template.rs", r'Some\(format!\("((?:[^"\\]|\\.)*)"'),
        ("alertmanager-proxy/src/forward/sender.rs", r'explain\(&format!\("((?:[^"\\]|\\.)*)"'),
        ("lib/check-result/src/api/client.rs", ERROR),
    ],
    "refused push": [
        ("pushgateway-ex/src/body.rs", ERROR),
        ("pushgateway-ex/src/web/push.rs", ERROR),
        ("pushgateway-ex/src/path.rs", ERROR),
        ("pushgateway-ex/src/keeper.rs", ERROR),
        ("pushgateway-ex/src/results.rs", ERROR),
        ("pushgateway-ex/src/store.rs", ERROR + r"(?=[^]]*\)\]\s*(?:Full|Write)\b)"),
        ("pushgateway-ex/src/store/shared.rs", ERROR),
        ("pushgateway-ex/src/groups/prepare.rs", ERROR),
        ("pushgateway-ex/src/groups/check.rs", ERROR),
    ],
}


# The programs' code, and the page that has its metrics besides docs/servers.md.
METRICS = {
    "agent/src": "docs/checkscript-agent.md",
    "agent/src/push": "docs/pushgateway-agent.md",
    "alertmanager-proxy/src": "docs/alertmanager-proxy.md",
    "lib/service/src": "docs/servers.md",
    "pushgateway-ex/src": "docs/pushgateway-ex.md",
    "web-ui/src": "docs/web-ui.md",
}
REGISTERED = r'register\(\s*(?:name\(|format!\()?"(?:\{\w+\}_)?([a-z0-9_]+)"'


def shown(literal):
    """A text of the code as the page shows it: what is filled in is `…`, and what only introduces another text is left out."""
    text = re.sub(r"\\\n\s*", "", literal).replace(r"\"", '"').replace("\\\\", "\\")
    text = text.replace("{{", "\0").replace("}}", "\1")
    text = re.sub(r'"?\{[^{}]*\}"?', "…", text)
    return text.replace("\0", "{").replace("\1", "}")


def texts(path, pattern):
    found = [shown(match.group(1)) for match in re.finditer(pattern, (ROOT / path).read_text())]
    if not found:
        sys.exit(f"FAILED: no text is found in {path} any more: adapt {sys.argv[0]}")
    return [text for text in found if len(re.sub(r"[^A-Za-z]", "", text)) > 4]


def alerts(page):
    """What is wrong with the headings of alerts."""
    rules = "\n".join(file.read_text() for file in (ROOT / "rules").glob("*.yml"))
    known = set(re.findall(r"^\s*- alert: (\w+)", rules, re.M))
    headings = set(re.findall(r"^### ([A-Z]\w+)$", page, re.M))
    yield from (f"no heading `### {alert}`, an alert of rules/" for alert in sorted(known - headings))
    yield from (f"`### {heading}` is no alert of rules/" for heading in sorted(headings - known))


def messages(page):
    """The texts of the code that are missing."""
    plain = re.sub(r"\\([|<>])", r"\1", page)
    for kind, sources in SOURCES.items():
        for path, pattern in sources:
            missing = (text for text in texts(path, pattern) if text not in plain)
            yield from (f"{kind}: {path} can say: {text}" for text in missing)


def metrics():
    """The metrics of the code that no page has. A page may say `…` for the beginning of a name."""
    for code, name in METRICS.items():
        page = (ROOT / name).read_text() + (ROOT / "docs/servers.md").read_text()
        known = re.findall(r"[a-z0-9_]+", page)
        files = [file for file in (ROOT / code).rglob("*.rs") if "push" not in file.parts or code.endswith("push")]
        names = {found for file in files for found in re.findall(REGISTERED, file.read_text().split("#[cfg(test)]")[0])}
        if not names:
            sys.exit(f"FAILED: no metric is found in {code} any more: adapt {sys.argv[0]}")
        for metric in sorted(names):
            if not any(word.endswith((metric, f"{metric}_total")) for word in known):
                yield f"{name}: no word of {metric}, a metric in {code}"


def evidence(page):
    """The files and tests that are named and are not there."""
    folders = [folder for folder in ROOT.iterdir() if folder.is_dir() and folder.name != "target"]
    sources = [file.read_text() for folder in folders for file in folder.rglob("*.rs")]
    for name in sorted(set(re.findall(r"`([^`\s]+)`", page))):
        if re.fullmatch(r"[\w-]+(/[\w.-]+)+/?", name) and (ROOT / name.split("/")[0]).is_dir():
            if not (ROOT / name).exists():
                yield f"{name} is not there"
        elif re.fullmatch(r"[a-z0-9]+(_[a-z0-9]+){4,}", name) and not any(f"fn {name}(" in text for text in sources):
            yield f"no test is named {name}"


def main():
    failed = False
    for failure in metrics():
        print(f"FAILED: {failure}")
        failed = True
    for page, checks in ((TROUBLESHOOTING, (alerts, messages)), (SECURITY, (evidence,))):
        text = (ROOT / page).read_text()
        for failure in (failure for check in checks for failure in check(text)):
            print(f"FAILED: {page}: {failure}")
            failed = True
    sys.exit(failed)


main()
