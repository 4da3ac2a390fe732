#!/usr/bin/env python3
"""Holds docs/operations/troubleshooting.md against the rules and the code, so that what one looks for at night is there.

usage: scripts/test-troubleshooting.py

- Each alert of rules/*.yml has a heading of its own, whose anchor is the alert's name in small letters, and no heading is of an alert
  that there is not.
- Each text that alertmanager-proxy may write into `detail_error`, and each with which pushgateway-ex may refuse a push, is there as the
  code has it, with `…` where the code fills something in.
"""

import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
PAGE = "docs/operations/troubleshooting.md"

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


def main():
    page = (ROOT / PAGE).read_text()
    plain = re.sub(r"\\([|<>])", r"\1", page)
    failures = []

    rules = "\n".join(file.read_text() for file in sorted((ROOT / "rules").glob("*.yml")))
    alerts = set(re.findall(r"^\s*- alert: (\w+)", rules, re.M))
    headings = set(re.findall(r"^### ([A-Z]\w+)$", page, re.M))
    failures += [f"no heading `### {alert}`, an alert of rules/" for alert in sorted(alerts - headings)]
    failures += [f"`### {heading}` is no alert of rules/" for heading in sorted(headings - alerts)]

    count = 0
    for kind, sources in SOURCES.items():
        for path, pattern in sources:
            for text in texts(path, pattern):
                count += 1
                if text not in plain:
                    failures.append(f"{kind}: {path} can say: {text}")

    for failure in failures:
        print(f"FAILED: {PAGE}: {failure}")
    if failures:
        sys.exit(1)
    print(f"{PAGE}: {len(alerts)} alerts and {count} texts are there")


main()
