#!/usr/bin/env python3
"""Writes the seeds of the fuzz targets into fuzz/corpus: what the repository has of golden logs, definitions and configurations, in the
form that each target reads, and a few of each kind that those lack. What fuzzing has added beside them stays.

usage: fuzz/seeds.py        exit 0: they are written; run it again after a change here or of what it reads
"""

import base64
import json
import pathlib
import re
import urllib.parse

ROOT = pathlib.Path(__file__).resolve().parent.parent
FIXTURES = ROOT / "checkscript-runner/tests/fixtures"
# As long as fuzz.sh lets inputs become.
LONGEST = 8192
RULER = b"\n---\n"


def write(target, name, content):
    content = content if isinstance(content, bytes) else content.encode()
    if len(content) <= LONGEST:
        folder = ROOT / "fuzz/corpus" / target
        folder.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)


def dumped(value):
    return json.dumps(value, ensure_ascii=False)


def payloads():
    """The payloads of results, one for each check and status, from the golden logs."""
    found = {}
    for log in sorted((ROOT / "lib/check-result/tests/golden").rglob("*.log")):
        for line in log.read_text(errors="replace").splitlines():
            try:
                record = json.loads(line)
            except ValueError:
                continue
            if record.get("message") == "publishing check result":
                check = record["payload"]["check"]
                key = (check["name"], check.get("source", ""), check["status"])
                found.setdefault(key, record["payload"])
    return [found[key] for key in sorted(found)]


def results(all_payloads):
    """What is made of results: pushes, answers of nodes, saved states."""
    times = {"logged": "2026-11-21T02:30:00Z", "executed": 1787000000}
    for index, payload in enumerate(all_payloads):
        check = payload["check"]
        name, text = f"golden-{index:02}", dumped(payload)
        write("push_checks", name, text)
        write("results", name, dumped({key: value for key, value in check.items() if key != "issued"}))
        labels = {"check": check["name"]} | ({"source": check["source"]} if "source" in check else {})
        detail = {"labels": labels, **payload, "occurrences": 3, "status_changed": 1787000000}
        detail["client_attributes"] = {"address": "10.0.0.1", "subscriptions": ["base", "web"]}
        write("details", name, dumped(detail))
        entry = {**times, "duration": 0.5, "status": check["status"], "changed": True, "output": check["output"][:200]}
        state = {"latest": payload, "logged": times["logged"], "occurrences": 3, "status_changed": 1787000000}
        state |= {"flap": {"statuses": [0, 2, check["status"]]}, "history": [entry, entry | {"status": 0}]}
        saved = {"log": "/var/log/sensu/sensu-client.log", "alive": times["logged"], "state": state}
        position = {"device": 1, "inode": 2, "offset": 300, "head": [64, 12345], "modified": 1787000000}
        log = {"path": saved["log"], "position": position, "last": times["logged"], "client": "web-1", "stretch": None}
        client = {"name": "web-1", "started": None, "newest": times["logged"], "attributes": {"address": "10.0.0.1"}}
        write("state", name, dumped({"version": 1, "logs": [log], "clients": [client], "checks": [saved]}))
    several = [payload["check"] for payload in all_payloads if len(json.dumps(payload)) < 600][:3]
    for target in ("push_checks", "results"):
        write(target, "several", dumped(several))
        write(target, "twice", dumped([several[0]] * 2))
    for index, text in enumerate(["ping", " ping\n", "", "{}", "[]", '{"name":"a","output":1}', '{"name":"a b","output":""}',
                                  '{"name":"a","output":"x"',
                                  '// c\n{"name":"a", /* } */ "output":"one\ntwo","value":NaN,"n":007}', '\ufeff{"name":"a","output":"\\ud83d\\ude00"}',
                                  '{"name":"a","output":"x","status":1} {"name":"b","output":"x"}',
                                  '{"name":"a","output":"x","status":99999999999999999999}']):
        write("results", f"odd-{index:02}", text)
    history = {"labels": {"check": "disk"}, "history": [entry]}
    summary = {"labels": {"check": "disk"}, "status": "CRITICAL", "exit_code": 2, "output": "x", "occurrences": 1}
    summary |= {"status_changed": 1, "executed": 1}
    for name, answer in (("history", history), ("list", [summary, summary | {"expires": times["logged"], "expired": True}]),
                         ("refusal", {"error": "no result of a check with check=disk is known here"}), ("values", [[[]]] * 50)):
        write("details", name, json.dumps(answer))
    write("details", "page", "<html><body>502 Bad Gateway</body></html>")
    hostile = {"name": "x", "status": 2, "interval": 1e300, "duration": 1e-9, "executed": -1, "issued": 253402300799,
               "handlers": ["a", 1, None], "command": "x -p s3cret", "hooks": {"c": {"output": "h\n"}},
               "output": "CRITICAL \x1b[31m\u202e -p secret --password x\r\n" + "y" * 3000}
    write("details", "hostile", json.dumps({"client": "\x1b[0m", "check": hostile, "occurrences": 2**64 - 1, "status_changed": -2**63}))


def definitions():
    """Definition files, each alone and several as they are merged."""
    invalid = ['{"checks":{"a":{"command":"x","standalone":true,"cron":"61 * * * *"}}}', "{,}", "", "[1]"]
    for index, text in enumerate(invalid):
        write("definitions", f"invalid-{index}", text)
    for folder in sorted(path for path in FIXTURES.iterdir() if path.is_dir()):
        files = sorted(folder.rglob("*.json"))
        for file in files:
            write("definitions", f"{folder.name}-{file.relative_to(folder).as_posix().replace('/', '-')}", file.read_bytes())
        for first in range(0, len(files), 4):
            write("definitions", f"{folder.name}-together-{first}", RULER.join(file.read_bytes() for file in files[first : first + 4]))
    for file in [*(ROOT / "examples/checks").glob("*.json"), *(ROOT / "examples/quickstart").rglob("*.json")]:
        write("definitions", f"example-{file.stem}", file.read_bytes())
    checks = {
        "cron": {"cron": "*/5 8-18 * * mon-fri", "timezone": "Asia/Tokyo"}, "named": {"cron": "@midnight"}, "leap": {"cron": "0 0 29 2 *"},
        "either": {"cron": "30 2 1,15 * 7"}, "interval": {"interval": 60, "timeout": 5.5, "ttl": 90, "exit_map": {"1": 2}, "env": {"A": "b"}},
        "subdued": {"interval": 10, "subdue": {"days": {
            "all": [{"begin": "22:00", "end": "6 AM"}], "monday": [{"begin": "12:00 PM EST", "end": "25th"}],
        }}},
    }
    checks = {name: {"command": "x :::disk.warn|80:::", "standalone": True, **check} for name, check in checks.items()}
    client = {"name": "web-1", "address": "10.0.0.1", "subscriptions": ["base"], "password": "x", "socket": {"bind": "127.0.0.1"}}
    write("definitions", "schedules", json.dumps({"client": client, "checks": checks}))
    zones = {
        "list": {"cron": "30 2,14 * * *", "timezone": "America/New_York"}, "fixed": {"cron": "15 1 * * sun", "timezone": "Europe/London"},
        "pattern": {"cron": "*/20 1-3 * * *", "timezone": "Europe/Berlin"}, "often": {"cron": "0 */2 1,15 * mon-fri", "timezone": "Asia/Tokyo"},
        "half": {"cron": "45 1 * * *", "timezone": "Australia/Lord_Howe"}, "midnight": {"cron": "30 23 * * 6", "timezone": "America/Nuuk"},
        "minutes": {"cron": "* * * * *", "timezone": "Antarctica/Troll"}, "hourly": {"cron": "@hourly", "timezone": "America/Havana"},
        "days": {"cron": "0 12 13 * fri", "timezone": "Africa/Casablanca"}, "range": {"cron": "5-59/13 0-6/2 * * 5-7", "timezone": "Africa/Cairo"},
    }
    window = {"all": [{"begin": "1:30", "end": "02:30"}], "sunday": [{"begin": "02:15 AM", "end": "12:00 AM"}]}
    for name, check in zones.items():
        common = {"command": "x", "standalone": True, "subdue": {"days": window}}
        both = {name: common | check, "interval": common | {"interval": 60 + len(name), "timezone": check["timezone"]}}
        write("definitions", f"zone-{name}", json.dumps({"checks": both}))
    lenient = '{"command": "one\ntwo", "interval": 007, "x": NaN, "x": -010.50, "subscribers": ["a", "a"]}'
    write("definitions", "lenient", f'\ufeff// c\n{{"checks": {{"a": {lenient}}}}}')
    write("definitions", "urls", '{"redis": "redis://u:pw@h:1/0", "rabbitmq": ["amqp://a:b@c", {"password": 1}], "client": 5, "checks": []}')


def installations():
    """Sensu servers' files, and parts of them."""
    folder = FIXTURES / "migrate/installation"
    files = sorted(file for file in folder.rglob("*.json") if file.name != "silenced.json")
    files = {file.relative_to(folder).as_posix(): file.read_bytes() for file in files}
    for name, content in files.items():
        write("migrate", name.replace("/", "-"), content)
    server = [content for name, content in files.items() if "checks" not in name]
    write("migrate", "server", RULER.join(server[:4]))
    write("migrate", "handlers", RULER.join(files[name] for name in files if "handlers" in name or "filters" in name))
    for name in ("base", "database", "standalone", "web"):
        write("migrate", f"checks-{name}-handled", RULER.join([files[f"conf.d/checks/{name}.json"], files["conf.d/handlers/handlers.json"]]))
    handlers = {
        "a/b": {"type": "pipe", "command": "handler-mailer.rb"}, "../x": {"type": "set", "handlers": ["a/b", "none", "../x"]},
        "{{ x }}": {"type": "tcp", "socket": {"host": "h", "port": 1}},
        "slack": {"type": "pipe", "command": "handler-slack.rb", "severities": ["critical"], "filters": ["night", "every"]},
    }
    filters = {"every": {"attributes": {"occurrences": "eval: value == 1 || value % 30 == 0"}},
               "night": {"negate": True, "attributes": {}, "when": {"days": {"all": [{"begin": "22:00", "end": "06:00"}]}}}}
    check = {"command": "x", "interval": 60, "subscribers": ["all"], "handlers": ["slack", "../x"], "handler": "{{ x }}"}
    check |= {"refresh": 1800, "occurrences": 3}
    odd = {"handlers": handlers, "filters": filters, "checks": {"x": check}}
    write("migrate", "odd", json.dumps(odd | {"slack": {"webhook_url": "https://hooks.slack.com/x", "channel": "#ops"}}))


def configurations():
    """Configurations of the examples, and the pieces that the documentation shows."""
    for program, target in (("alertmanager-proxy", "proxy_config"), ("web-ui", "web_ui_config")):
        for folder in ("examples", "packaging", "kubernetes"):
            for file in sorted((ROOT / folder).rglob(f"*{program}*.y*ml")):
                write(target, f"{folder}-{file.parent.name}-{file.name}", file.read_bytes())
        page = (ROOT / "docs" / f"{program}.md").read_text()
        for index, piece in enumerate(re.findall(r"```yaml\n(.*?)```", page, re.S)):
            write(target, f"page-{index:02}", piece)
    odd = {"none": "", "list": "- a\n", "anchors": "a: &a {b: 1}\nc: *a\nd: {<<: *a}\n", "tabs": "a:\n\tb: 1\n", "deep": "[" * 200}
    for name, text in odd.items():
        write("proxy_config", name, text)
        write("web_ui_config", name, text)


def alerts():
    """Batches as Prometheus posts them, and such as only Go's decoder takes."""
    one = {
        "labels": {"alertname": "CheckCritical", "severity": "critical", "check": "disk", "instance": "web-1:9780", "source": "r/1"},
        "annotations": {"summary": "disk is CRITICAL", "output": "own"}, "startsAt": "2026-01-01T00:00:00.123Z",
        "endsAt": "2026-01-01T00:04:00Z", "generatorURL": "http://prometheus:9090/graph?g0.expr=1",
    }
    odd = one["labels"] | {"instance": "[fd00::1]:9780", "check": "a b/../c?d#e@f"}
    write("alerts", "prometheus", dumped([one, one | {"endsAt": "2025-12-31T23:59:59+09:00", "labels": odd}]))
    odd = [
        '[{"labels":{"a":"x\\ud800y"}}]', '[{"labels":{"a":"1","b":"1"},"x":1e999,"labels":{"b":"2"},"x":2}]',
        '[{"Labels":{"a":"1"},"ANNOTATION\u017f":{"b":"2"},"STARTSAT":"2026-01-01 00:00:00"}]',
        '[{"labels":{"a":"1"},"annotations":{"b":"1"},"annotations":{"output":"own"},"generatorurl":"http://x"}]',
        '[{"labels":{"a":"1","b":null},"annotations":null,"endsAt":"","endsAt":null}]', "null", "[]", " ",
        '[null,{"labels":{"\u00e9":"1"}}] more', '[{"annotations": { } ,"labels":{"x":"}"}}]',
        '[{"labels":{"instance":"a@b:1","check":".."}}]', '[{"labels":{}}, {"labels":{"a":""}}]',
        '[{"labels":{"a":"b"},"startsAt":"2026-01-02T00:00:00Z","endsAt":"0001-01-01T00:00:00Z"}]',
    ]
    for index, text in enumerate(odd):
        write("alerts", f"odd-{index:02}", text)
    write("alerts", "invalid", b'[{"labels":{"a":"\xff"}}]')


def web_ui():
    """Matchers, forms and answers."""
    patterns = re.findall(r'^    r?"(.*)",$', (ROOT / "web-ui/tests/it/patterns.rs").read_text(), re.M)
    for first in range(0, len(patterns), 10):
        write("matchers", f"patterns-{first:03}", ", ".join(f'l{index}=~"{pattern}"' for index, pattern in enumerate(patterns[first : first + 10])))
    for index, text in enumerate([
        'severity="critical",instance=~"web.*"', "{ a = b , c!=d }", '"a b"="x\\"y\\\\z\\n", e!~\\d+', "a=~web-\\d|db",
        "a", "a=", "=b", "{}", 'a="b" c=d',
        'instance=~"web-1|web\\\\.2|a\\\\|b",check!~"(?i)disk.*"',
        'a=~"(?s:.)(?P<n>[^\\\\W\\\\d])\\\\bx{2,3}"', 'a=~"\\\\x{1F600}\\\\p{Greek}[[:alpha:]]"',
    ]):
        write("matchers", f"list-{index:02}", text)
    target = {"cluster": "tokyo", "labels": {"job": "j", "instance": "web-1", "check": "disk", "alertname": "CheckCritical"}}
    good = {"cluster": "tokyo,osaka", "filter": "instance=~web.*", "duration": "2h", "comment": "disk is replaced", "author": "ann"}
    forms = [
        good, good | {"ends": "2026-11-22T00:00", "begins": "2026-11-21T13:00Z", "duration": ""},
        good | {"resolved": "on", "comment": "x [until resolved]"},
        good | {"filter": "", "target": json.dumps(target)},
        good | {"target": json.dumps(target | {"all": True}), "named": "1", "label": "check", "filter": "env!=prod"},
        good | {"filter": "a=~.*"}, {"cluster": "kyoto", "duration": "99999999999999w", "begins": "x", "comment": "a\u202eb"},
        {"sort": "-instance", "severity": '"",critical', "page": "..~"},
    ]
    for index, form in enumerate(forms):
        write("silence_form", f"form-{index}", urllib.parse.urlencode(form))
    pairs = [{"instance": f"web-{node}", "check": check} for node in range(3) for check in ("disk", "l|o.a(d")]
    many = [json.dumps(target | {"labels": target["labels"] | pair}) for pair in pairs[:-1]]
    write("silence_form", "products", urllib.parse.urlencode([*{**good, "filter": ""}.items(), *(("target", one) for one in many)]))
    labels = target["labels"] | {"severity": "critical"}
    times = {"startsAt": "2026-11-21T00:00:00Z", "updatedAt": "2026-11-21T00:00:00Z", "endsAt": "2026-11-22T00:00:00Z"}
    alert = {"fingerprint": "a1", "labels": labels, "annotations": {"output": "CRITICAL \x1b[31m x\nmore"}, **times, "receivers": [{"name": "mail"}]}
    alert["status"] = {"state": "suppressed", "silencedBy": ["s1"], "inhibitedBy": []}
    silence = {"id": "s1", "status": {"state": "active"}, "createdBy": "ann", "comment": "c [until resolved]", **times}

    def matching(*matchers):
        return [{"name": name, "value": value, "isRegex": regex, "isEqual": equal} for name, value, regex, equal in matchers]

    silences = [
        silence | {"matchers": matching(("instance", "web-1|web-2", True, True), ("job", "j", False, True))},
        silence | {"id": "s2", "matchers": matching(("instance", "web.*", True, True), ("check", ".*", True, True))},
        silence | {"id": "s3", "status": {"state": "pending"}, "matchers": matching(("instance", "", False, False), ("env", "db", True, False))},
        silence | {"id": "s4", "matchers": matching(("instance", "(", True, True))},
    ]
    nodes = [{"__name__": "up", "instance": f"web-{node}", "job": "j", "env": "prod"} for node in range(1, 4)]
    up = [{"metric": node, "value": [1787000000.1, str(index)]} for index, node in enumerate(nodes)]
    whole, odd = [[alert, alert | {"fingerprint": "a2"}], silences[:2], up], [[alert], silences[2:], up[:1]]
    for name, parts in (("whole", whole), ("odd", odd), ("none", [[], [], []])):
        write("answers", name, "\n".join(json.dumps(part) for part in parts))
    def samples(*series):
        return [{"metric": labels, "value": [1787000000.1, value]} for labels, value in series]

    known = [{"instance": f"web-{node}", "job": "j"} for node in range(1, 4)]
    failing = [known[0] | {"__name__": "check:checkscript_status:failing", "check": "disk"}, known[1] | {"check": "ping", "source": "router-a"}]
    by_name = samples(({"check": "disk"}, "3"), ({"check": "ping"}, "4294967296"))
    metrics = [
        samples((known[0], "1787000000"), (known[2], "1.5e9")), samples((known[1], "NaN")),
        samples((failing[0], "2"), (failing[1], "127"), (failing[0], "1.5"), (failing[1], "0"), ({}, "-Inf")),
        samples((known[0], "50"), (known[1], "-1"), ({}, "+Inf")), by_name, by_name,
    ]
    write("answers", "metrics", "\n".join(json.dumps(part) for part in [*whole, *metrics]))
    targets = [
        {"labels": known[0], "scrapeUrl": "http://10.0.0.1:9780/metrics?x=y#z"}, {"labels": known[1], "scrapeUrl": "HTTPS://ops:secret@[FD00::1]/../m"},
        {"labels": {}, "scrapeUrl": "unix:///run/x"}, {"labels": {"job": "j"}, "scrapeUrl": "http:\\\\web-1\\@evil.example.org:80"},
    ]
    points = [[1787000100, "0"], [1787000400, "0"], [1787000700.5, "2"], [1787001000, "1"], [1787000099, "3"], [-1e300, "2"], [1787003100, "NaN"], [1787003399, "1"]]
    matrix = [{"metric": known[0], "values": points}, {"metric": {}, "values": points[2:4] + [[1787001000, "127"]]}]
    write("answers", "scraped", "\n".join(json.dumps(part) for part in [*whole, *metrics, targets, matrix]))
    hostile = '"><script>alert(1)</script>\x1b\u202e\n'
    labels = {"instance": "web-1", "job": "j", "check": "disk", "alertname": hostile, "severity": hostile, hostile: hostile}
    fired = alert | {"labels": labels, "annotations": {"output": hostile, "dashboard": "javascript:alert(1)", "wiki": "https://w/?\"<b>"}}
    muting = silence | {"createdBy": hostile, "comment": hostile, "matchers": matching(("instance", "web-1", False, True), ("check", hostile, True, True))}
    bad = [[fired | {"generatorURL": "http://p/graph?\"onclick=x"}], [muting, muting | {"id": hostile}], up]
    failing = samples((failing[0] | {"check": hostile, "source": hostile}, "2"))
    said = ["\n".join(json.dumps(part) for part in [*parts, *rest]) for parts, rest in ((bad, [[], [], failing]), (whole, metrics))]
    for index, one in enumerate(silences):
        write("answers", f"silence-{index}", "\n".join(json.dumps(part) for part in ([alert], [one], up)))
    return said


def requests():
    """Paths of the gateway, requests to the detail API and the pages."""
    paths = ["/metrics", "/metrics/job/a", "/metrics/job@base64/YQ==/x@base64/=", "/Metrics/Job/a/", "//evil.example/..",
             "/a/./b/../../status/", "/push/GW/", "/Push/gw/metrics/job/a",
             "/checks/job/j/instance/web%2F1", "/api/v1/metrics/", "/-/Quit", "/metrics/job//", "/%2e%2e/%5cx", "/api/v1/admin/wipe", "/"]
    for index, path in enumerate(paths):
        for kind in (0, 1):
            write("push_route", f"path-{index:02}-{kind}", bytes([index * 4 % 24 + kind]) + path.encode())
    heads = [
        "GET /api/v1/checks", "GET /api/v1/checks?status=critical,warning&limit=1\nAccept: text/plain",
        "GET /api/v1/checks/disk/history?limit=2\nAccept: text/*;q=0.5, */*;q=0.1",
        "GET /api/v1/checks/ping?source=router-a\nAccept-Encoding: gzip",
        'GET /checks/%3Cem%3E\nAccept: text/html\nIf-None-Match: W/"x", *', "GET /?find=a&page=2&refresh=30&status=ok",
        "POST /api/v1/checks", "GET /nothing/here/%ff\nAccept: text/html", "GET /api/v1/checks/ping",
        "GET /checks/ping\nAccept: text/html,application/xhtml+xml", "GET /style.css",
        "GET /api/v1/checks/a%20b%2Fc?x=%3Cscript%3E", "HEAD /api/v1/checks/disk", "GET /?find=%3Cscript%3E&sorce=x",
        "GET /checks/disk\nAccept: text/html\nAccept-Encoding: gzip", "GET /?find=%22%3E%3Cb%20onclick%3D%22x&refresh=5\nAccept-Encoding: gzip",
        "GET /a/../b//c/%22onload=x\nAccept: text/html\nAccept-Encoding: gzip;q=1, *", "GET /?source=%22%20onfocus=%27x&status=critical",
    ]
    for index, head in enumerate(heads):
        write("requests", f"head-{index:02}", head)


def passed_on():
    """Requests to alertmanager-proxy: its own, and what it passes on."""
    own, listed = "/-/proxy/", "/-/proxy/api/alerts"
    batch = '\nContent-Type: application/json\n\n[{"labels":{"alertname":"a","check":"disk","instance":"127.0.0.1:9"}}]'
    silence = "\nContent-Type: application/json\nContent-Length: 7\n\n{}"
    heads = [
        f"GET {own}", f"GET {own}?find=%22%3E%3Cscript%3E&state=failed,waiting&page=2", f"GET {own}style.css", f"HEAD {own}", f"POST {own}",
        f"GET {listed}", f"GET {listed}?state=failed&find=DISK&limit=1&page=2", f"GET {listed}?limit=1001", f"GET {listed}?sort=x",
        f"GET {listed}?page=18446744073709551615&limit=1000", f"GET {listed}?state=,%20failed,&find=a%0d%00b", "GET /-/proxy/../..",
        "POST /api/v2/alerts" + batch, "POST /alertmanager/api/v2/alerts/" + batch[:-1], "POST /api/v2/alerts\n\n[]", "GET /api/v1/alerts",
        "GET /api/v2/alerts?filter=a%3D%22b%22&active=true", "POST /api/v2/silences" + silence, "DELETE /api/v2/silence/x%2Fy?a=b%20c&d",
        "GET /alertmanager", "GET /alertmanager/", "GET /alertmanager/-/ready", "GET /alertmanagers/", "GET /", "OPTIONS *", "OPTIONS /",
        "GET /../secret", "GET /x/%2e%2E/%2e%2e/secret", "GET /..%2fsecret", "GET /..%5csecret", "GET /a\\..\\..\\b", "GET /..;x/secret",
        "GET /.%09./%0a../secret", "GET /%252e%252e/secret", "GET //evil.example.org/..%00/", "GET /a..b/.c/%2f", "GET http://evil.example.org/x",
        "CONNECT evil.example.org:443", "TRACE /x", "GET ?a", "GET /x\nConnection: x-drop, close\nX-Drop: 1\nX-Mine: 1\nx-mine: 2",
        "GET /x\nConnection: x-drop,\u00e9\nConnection: X-More\nX-Drop: 1\nX-More: 2\nKeep-Alive: timeout=5", "PUT /x\nTransfer-Encoding: chunked\n\nbody",
        "GET /x\nProxy-Connection: keep-alive\nTE: trailers\nUpgrade: websocket\nProxy-Authorization: Basic eDp5",
        "GET /x\nAuthorization: Bearer own\nHost: evil.example.org\nConnection: authorization, host, content-length", "GET /\u00fc?\u00fc='<>\nCookie: a=b",
        "GET /x\nExpect: 100-continue\nAccept-Encoding: gzip\nUser-Agent: x\nAccept: */*", "PATCH /x\nConnection: content-length\n\nbody",
    ]
    for index, head in enumerate(heads):
        write("proxy_requests", f"head-{index:02}", head)


def groups():
    """Queries of the gateway's page."""
    for index, query in enumerate(["", "q=", "q=JOB%3D&page=2", "q=%22%3E%3Cscript%3E", "page=18446744073709551615", "page=0&page=2", "q=number%3D%221%22",
                                   "%71=nothing&q", "q=+a+b%0d%00", "q=%ff&page=x", "q=\u00fc#x"]):
        write("push_page", f"query-{index:02}", query)


def pages(answers):
    """Requests to web-ui, before servers that say what seeds of `answers` have."""
    hostile = urllib.parse.quote('"><script>alert(1)</script>')
    target = urllib.parse.quote(json.dumps({"cluster": "tokyo", "labels": {"check": "disk", "job": "j", "instance": "web-1"}}))
    form = f"cluster=tokyo&duration=2h&comment=new+disk&author=%E8%8A%B1%3B+a%22&target={target}"
    node = "/nodes/tokyo/j/web-1"
    heads = [
        ("GET /", ""), (f"GET /?find={hostile}&sort=-since&page=2&limit=1", ""), (f"GET /?filter={hostile}&severity=critical", ""), ("GET /?group=instance", ""),
        ("GET /nodes?sort=instance&state=critical\nAccept-Language: ja", ""), (f"GET {node}", ""), (f"GET {node}?check=disk&range=7d", ""),
        (f"GET /nodes/tokyo/j/{hostile}", ""), ("GET /checks?sort=-critical", ""), ("GET /checks/disk", ""), ("GET /silences?state=pending", ""),
        ("GET /silences/tokyo/s1", ""), ("GET /silences/tokyo/s1/edit", ""), ("GET /alerts/tokyo/a1", ""), (f"GET /alerts/tokyo/{hostile}", ""),
        (f"GET /silences/new?node=tokyo/j/web-1&comment={hostile}\nCookie: author=%22%3E%3Cb%3E; lang=ja", ""), ("GET /silences/new?alert=tokyo/a1", ""),
        ("POST /silences", f"{form}&do=preview"), ("POST /silences", f"{form}&do=create"), ("POST /silences", f"{form}&do=fragment&filter={hostile}"),
        ("POST /silences\nOrigin: http://evil.example.org\nHost: localhost", form), ("POST /silences/new", "alert=tokyo/a1&node=tokyo/j/web-1"),
        ("POST /silences/act", "act=extend&by=1h&item=tokyo/s1/2026-11-21T00:00:00Z"), ("POST /silences/act", f"act={hostile}"),
        ("POST /language?lang=ja&to=/nodes?find=a", ""), ("POST /language?lang=en&to=//evil.example.org", ""), ("POST /language?lang=en&to=/%09/evil.example.org", ""),
        ("POST /language?lang=en&to=/%5cevil.example.org", ""), ("POST /language?lang=ja&to=/a%23%0d%0aSet-Cookie:x", ""), ("POST /language?lang=xx&to=https://e", ""),
        ("GET /language", ""), ("GET //evil.example.org/..", ""), ("GET /%2e%2e//%22onload=x\\", ""), ("GET /\u00fc", ""), (f"GET /alerts.csv?find={hostile}", ""),
        ("GET /nodes.json?sort=x", ""), ("GET /events", ""), ("GET /api/v1/alerts?limit=1&page=9", ""), (f"GET /api/v1{node}/history?check=disk&range=24h", ""),
        ("GET /api/v1/openapi.json", ""), ("POST /api/v1/silences\nContent-Type: application/json", '{"cluster": ["tokyo"], "comment": "<b>"}'),
        ("GET /\nHost: evil.example.org", ""), ("GET /?page=0&sort=-&limit=x&range=1y", ""), ("HEAD /nodes", ""), ("DELETE /silences", ""),
    ]
    for index, (head, sent) in enumerate(heads):
        write("web_ui_requests", f"head-{index:02}", f"{head}\n\n{sent}\n{answers[index % len(answers)]}")


def headers():
    """What requests say in their heads of who sends them, from where, what they bring and what they want."""

    def basic(text, scheme="Basic"):
        return f"Authorization: {scheme} {base64.b64encode(text.encode()).decode()}"

    right = basic("ops:secret")
    delimited = "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited"
    prometheus = "application/openmetrics-text;version=1.0.0;q=0.6,application/openmetrics-text;version=0.0.1;q=0.5,text/plain;q=0.3,*/*;q=0.2"
    heads = [
        right, basic("ops:secret", "bAsIc"), basic("ops:wrong"), basic("nobody:secret"), basic("ops:secret\0secret"), basic("ops"), basic(":"),
        right + "=", right.replace("Basic ", "Basic  "), "Authorization: Bearer x", right + "\n" + basic("ops:wrong"), basic("ops:wrong") + "\n" + right,
        *(f"{right}\nAccept: {accept}" for accept in (
            prometheus, "*/*", "text/*;q=0.5", "application/openmetrics-text", "application/openmetrics-text;q=0", "text/plain\nAccept: */*;q=0.1",
            "application/openmetrics-text;Q=0", "application/openmetrics-text;q=2,text/plain", "Text/Plain;version=0.0.4;q=NaN", "a;q=1;q=0,,;", delimited,
        )),
        "X-User: ann", "X-User: bob\nX-Groups: staff, ops", "X-User: bob\nX-Groups: staff\nX-Groups: ,ops2,", "X-User: ann\nX-User: bob", "X-User:",
        "X-User: \u82b1\u5b50\nX-Forwarded-For: 192.0.2.1, 198.51.100.7", "X-User: ann\nX-Forwarded-For: unknown, [::1]:80\nX-Groups: ops",
        "X-User: bob\nHost: evil.example.org", "Host: localhost:9796\nHost: evil.example.org", "Host: [::1]:9796", "Host: UI.example.org.", "Host: a@127.0.0.1",
        "Host: ui.example.org:9796\nOrigin: http://ui.example.org:9796", "Host: ui.example.org\nOrigin: https://UI.example.org",
        "Host: ui.example.org\nOrigin: http://ui.example.org.evil.example.org", "Host: ui.example.org\nOrigin: null", "Host: x\nOrigin: x", "Origin: http://",
        "Host: ui.example.org\nOrigin: http://evil.example.org\nX-Forwarded-Host: evil.example.org", "Sec-Fetch-Site: cross-site\nHost: localhost",
        "Sec-Fetch-Site: same-origin\nOrigin: http://evil.example.org", "Sec-Fetch-Site: none", "Host: ui.example.org\nOrigin: http://ui.example.org/x?y#z",
        *(f"Pushgateway-TTL: {ttl}" for ttl in ("90s", "1h", "0s", "1d12h", "1w", "500ms", "1h 30m", "PT5M", "-5s", "5s ago", "1s1h", "999999w", "", "soon", "0.4ns", "1us")),
        "Accept-Language: ja,en;q=0.9", "Accept-Language: jam, en-GB;q=0.1", "Accept-Language: EN;q=0.3, JA-jp;Q=0.5", "Accept-Language: ja;q=0, en;q=NaN",
        "Accept-Language: en;q=0.5\nAccept-Language: *, ja ;q=0.5", "Cookie: author=a; lang=ja\nAccept-Language: en", "Cookie: lang=xx;lang=EN; lang=en",
        f"Content-Type: {delimited}", "Content-Type: text/plain; version=0.0.4\nContent-Encoding: gzip", "Content-Encoding: br", "Content-Type: application/json",
    ]
    for index, head in enumerate(heads):
        write("headers", f"head-{index:02}", head)


def number(value):
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes([*out, value])


def field(tag, content):
    """A field of a protobuf message."""
    if isinstance(content, int):
        return number(tag << 3) + number(content)
    content = content if isinstance(content, bytes) else content.encode()
    return number(tag << 3 | 2) + number(len(content)) + content


def records(all_payloads):
    """Records of the gateway's store, whose fields are those of pushgateway-ex/src/store/record.rs."""

    def labels(**pairs):
        return b"".join(field(1, field(1, name) + field(2, value)) for name, value in pairs.items())

    def family(name, kind, text):
        return field(4, field(1, name) + field(2, kind) + field(3, "help") + field(4, 1787000000 * 10**9) + field(6, text))

    head, at = labels(job="j", instance="web-1"), field(2, 1787000000 * 10**9)
    write("push_record", "gauge", head + at + family("m", "gauge", 'm{instance="web-1",job="j"} 1\n'))
    histogram = 'h_bucket{le="1"} 2\nh_bucket{le="+Inf"} 3\nh_sum 4\nh_count 3\n'
    families = family("h", "histogram", histogram) + family("s", "summary", 's{quantile="0.5"} 1\ns_sum 1\ns_count 1\n')
    write("push_record", "several", head + at + field(3, 5) + families)
    write("push_record", "none", head)
    for index, payload in enumerate(all_payloads[:12]):
        state = {"latest": payload, "logged": "2026-11-21T02:30:00Z", "occurrences": 1, "status_changed": 1, "flap": {"statuses": [0]}, "history": []}
        check = field(9, field(1, payload["check"]["name"]) + field(3, 2 * 10**18) + field(4, 1))
        write("push_record", f"checks-{index:02}", head + at + field(5, 1) + field(6, json.dumps(state)) + check)


def main():
    golden = payloads()
    results(golden)
    definitions()
    installations()
    configurations()
    alerts()
    pages(web_ui())
    requests()
    passed_on()
    groups()
    headers()
    records(golden)


main()
