#!/usr/bin/env python3
"""Differential transparency checker for an Alertmanager proxy (API v2, stdlib only).

    alertmanager_transparency.py --direct http://127.0.0.1:9093 --via http://127.0.0.1:9193

--direct is a plain Alertmanager, --via is the candidate proxy whose upstream is a SECOND
Alertmanager.  Start both Alertmanagers with the same configuration file, empty storage
and the same flags, e.g.

    prometheus-alertmanager --config.file=am.yml --storage.path=dN \
        --web.listen-address=127.0.0.1:PORT --cluster.listen-address=

The configuration needs a receiver `hook` as default; nothing has to listen there.
Every case uses label values of its own (run id + case number), sends the same requests to
both sides and compares status, relevant headers and the body: JSON is parsed, times the
server chose become NOW / NOW+5m, silence ids become ID1, ID2, ...; at the end the alerts are
resolved and the silences expired again.  Cases tagged `own` touch endpoints a proxy
may answer itself (/-/healthy, /-/ready, /-/reload, /metrics, /debug); skip them with
--skip-tag own.  Cases tagged `amtool` run the amtool binary (--amtool PATH, default: found on
PATH, skipped when there is none).  Cases tagged `v1` use the API v1 (gone since 0.27: 410).

A proxy that enriches alerts: --ignore-annotation REGEX drops matching annotation keys
from both sides before comparing; one that forwards behind its answer: --settled-by METRIC waits
after each POST until every series of METRIC in the proxy's /metrics is 0.

Exit status: 0 = no mismatch, 1 = mismatches, 2 = could not run.
"""
import argparse, calendar, gzip, http.client, json, os, re, shutil, subprocess, sys, tempfile, time
from urllib.parse import urlsplit, quote

RUN = "r%x" % (int(time.time() * 1000) & 0xFFFFFFFF)

class Target:
    def __init__(self, name, url, timeout):
        u = urlsplit(url)
        self.name, self.url, self.host, self.port, self.prefix, self.timeout = name, url.rstrip("/"), u.hostname, u.port or 80, u.path.rstrip("/"), timeout
        self.vars, self.settled_by = {}, None

    def until(self, what, ready):
        """asks until it is so, for there is nothing else to wait for"""
        end = time.time() + self.timeout
        while not ready():
            if time.time() > end: raise SystemExit("%s (%s): waited %g s for %s" % (self.name, self.url, self.timeout, what))
            time.sleep(0.02)

    def text(self, path):
        (status, _, body, _), = self.steps([GET(path)])
        return body.decode("utf8", "replace") if status == 200 else ""

    def settle(self):
        """waits until everything that was posted is forwarded"""
        def settled():
            values = re.findall(r"^%s(?:\{.*\})? (\S+)$" % self.settled_by, self.text("/metrics"), re.M)
            return values and not any(float(v) for v in values)
        self.until("every %s to be 0" % self.settled_by, settled)

    def grouped(self, tag):
        """waits until a case's alerts are in their groups, where Alertmanager puts them behind its answer"""
        query = "?filter=" + quote('tc="%s"' % tag)
        def all_are():
            alerts, groups = (json.loads(self.text(p + query) or "[]") for p in (A, A + "/groups"))
            return alerts and len(alerts) == sum(len(g["alerts"]) for g in groups)
        self.until("the groups of " + tag, all_are)

    def send(self, c, st):
        sub = lambda s: re.sub(r"\{(\w+)\}", lambda m: self.vars.get(m.group(1), m.group(0)), s)
        method, path, body = st["method"], sub(st["path"]), st.get("body")
        if isinstance(body, str): body = (sub(body) if "{id" in body else body).encode()
        c.putrequest(method, self.prefix + path, skip_accept_encoding=True)
        if st.get("chunked"): c.putheader("Transfer-Encoding", "chunked")
        elif body is not None: c.putheader("Content-Length", str(len(body)))
        elif method in ("POST", "PUT"): c.putheader("Content-Length", "0")
        for k, v in (st.get("headers") or {}).items(): c.putheader(k, v)
        c.endheaders()
        if body is not None:
            if st.get("chunked"):
                for i in range(0, len(body), 4096):
                    p = body[i:i + 4096]; c.send(b"%x\r\n%s\r\n" % (len(p), p))
                c.send(b"0\r\n\r\n")
            else: c.send(body)
        r = c.getresponse()
        return r.status, r.getheaders(), r.read()

    def steps(self, steps, keepalive=False):
        """-> list of (status, headers, body, t)"""
        out, c = [], None
        for st in steps:
            t = time.time()
            if "grouped" in st: self.grouped(st["grouped"]); continue
            if c is None or not keepalive: c = http.client.HTTPConnection(self.host, self.port, timeout=self.timeout)
            try: r = self.send(c, st)
            except ConnectionRefusedError as e: raise SystemExit("%s (%s): %s" % (self.name, self.url, e))
            except (http.client.HTTPException, OSError) as e: r = ("no answer: " + type(e).__name__, [], b""); c = None
            if not keepalive and c: c.close()
            if st.get("capture") and r[0] == 200:
                try: self.vars[st["capture"]] = json.loads(r[2])["silenceID"]
                except (ValueError, KeyError): pass
            out.append((r[0], r[1], r[2], t))
            if st["method"] == "POST" and self.settled_by: self.settle()
        return out

# ----------------------------------------------------------------------------- normalising
TIME = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$")
UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
def epoch(s):
    m = re.match(r"^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(\.\d+)?(Z|[+-]\d\d:\d\d)$", s)
    t = calendar.timegm(time.strptime(m.group(1), "%Y-%m-%dT%H:%M:%S")) + float(m.group(2) or 0)
    if m.group(3) != "Z":
        h, mi = m.group(3)[1:].split(":"); t += (-1 if m.group(3)[0] == "+" else 1) * (int(h) * 3600 + int(mi) * 60)
    return t

class Norm:
    def __init__(self, target, ignore_ann): self.t, self.ids, self.ign = target, {}, ignore_ann
    def sid(self, m):
        v = m.group(0)
        if v.startswith("00000000-") or v.startswith("0b0b0b0b-"): return v       # ids that we made up ourselves
        return self.ids.setdefault(v, "ID%d" % (len(self.ids) + 1))
    def val(self, v, now):
        if isinstance(v, dict):
            d = {k: ("UPTIME" if k == "uptime" and isinstance(x, str) and TIME.match(x) else self.val(x, now)) for k, x in v.items()}
            if self.ign and isinstance(v.get("annotations"), dict):
                d["annotations"] = {k: x for k, x in d["annotations"].items() if not self.ign.search(k)}
            return d
        if isinstance(v, list): return [self.val(x, now) for x in v]
        if isinstance(v, str):
            if TIME.match(v):
                d = epoch(v) - now
                for name, off in (("NOW", 0), ("NOW+5m", 300), ("NOW+1h", 3600), ("NOW+2h", 7200)):
                    if abs(d - off) < 20: return name
                return v
            v = re.sub(r"\[([A-Z]+(?:,[A-Z]+)+)\]", lambda m: "[" + ",".join(sorted(m.group(1).split(","))) + "]", v)   # "[POST,GET] are": Go map order
            return UUID.sub(self.sid, v)
        return v

HEADERS = ["content-type", "allow", "location", "cache-control", "pragma", "expires", "vary", "www-authenticate", "content-encoding", "x-content-type-options",
           "access-control-allow-origin", "access-control-allow-methods", "access-control-allow-headers", "access-control-expose-headers"]
def heads(hs):
    h = {}
    for k, v in hs:
        k = k.lower()
        if k in HEADERS: h[k] = h[k] + ", " + v if k in h else v
    for k in ("allow", "vary"):
        if k in h: h[k] = ",".join(sorted({x.strip() for x in h[k].split(",")}))
    return h

def mine(j, tag):
    """keep only what this case made, so that lists are comparable"""
    if not isinstance(j, list): return j
    out = []
    for x in j:
        if isinstance(x, dict) and "alerts" in x:
            x = dict(x, alerts=[a for a in x["alerts"] if tag in json.dumps(a.get("labels", {}))])
            if not x["alerts"]: continue
        elif isinstance(x, dict) and "fingerprint" in x:
            if tag not in json.dumps(x.get("labels", {})): continue
        elif isinstance(x, dict) and "matchers" in x:
            if tag not in json.dumps(x): continue
        out.append(x)
    return out

# ----------------------------------------------------------------------------- cases
CASES = []
def case(name, *steps, tags=(), **opt): CASES.append((name, steps, set(tags), opt))
JS = {"Content-Type": "application/json"}
def iso(t): return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(t)) + ".000Z"
def GET(p, h=None, **k): return dict(method="GET", path=p, headers=h, **k)
def POST(p, b, h=JS, **k): return dict(method="POST", path=p, body=b if isinstance(b, (bytes, str)) else json.dumps(b), headers=h, **k)
def REQ(m, p, b=None, h=None, **k): return dict(method=m, path=p, body=b, headers=h, **k)
A = "/api/v2/alerts"; TAG = "@TAG@"        # replaced by the case's own tag
def al(ann={"summary": "s"}, start=None, end=None, gen=None, **lab):
    a = {"labels": dict({"alertname": "T", "tc": TAG}, **lab)}
    if ann is not None: a["annotations"] = ann
    if start is not None: a["startsAt"] = start
    if end is not None: a["endsAt"] = end
    if gen is not None: a["generatorURL"] = gen
    return a
def find(extra="", **k): return GET(A + "?filter=" + quote('tc="%s"' % TAG) + extra, **k)
def groups(extra=""): return GET(A + "/groups?filter=" + quote('tc="%s"' % TAG) + extra)
GROUPED = dict(grouped=TAG)

# general
case("status with Origin", GET("/api/v2/status", {"Origin": "http://example.org"}))
case("status POST", POST("/api/v2/status", "{}"))
case("receivers", GET("/api/v2/receivers"))
case("receivers DELETE", REQ("DELETE", "/api/v2/receivers"))
case("receivers Accept text/html", GET("/api/v2/receivers", {"Accept": "text/html"}))
case("receivers Accept */*", GET("/api/v2/receivers", {"Accept": "*/*"}))
case("receivers Accept-Encoding gzip", GET("/api/v2/receivers", {"Accept-Encoding": "gzip"}))
# posting alerts
case("post with all fields", POST(A, [al(start="2026-01-02T03:04:05.678Z", end="2099-01-01T00:00:00Z", gen="http://p/graph?g0.expr=up")]), find())
case("post as Prometheus does", POST(A, [al({"summary": "x"}, "2026-01-02T03:04:05.678Z", "2099-01-01T00:00:00.000Z", "http://vm:9090/graph?g0.expr=check+%3D%3D+2&g0.tab=1", severity="critical")], {"Content-Type": "application/json", "User-Agent": "Prometheus/2.42.0"}), find())
case("post several", POST(A, [al(instance="i%d" % i) for i in range(10)]), find())
case("post null", POST(A, "null"))
case("post nothing", POST(A, ""))
case("post an object", POST(A, "{}"))
case("post [{}]", POST(A, "[{}]"))
case("post [null]", POST(A, "[null]"), tags=["crash"])          # 0.25: the handler panics, connection closed
case("post JSON with trailing text", POST(A, json.dumps([al()]) + "trailing"), find())
case("post JSON with leading BOM", POST(A, b"\xef\xbb\xbf[]"))
case("post empty labels", POST(A, [{"labels": {}}]))
case("post labels null", POST(A, '[{"labels":null}]'))
case("post only empty label values", POST(A, [{"labels": {"alertname": ""}}]))
case("post label name with dash", POST(A, [al(**{"foo-bar": "x"})]))
case("post label name UTF-8", POST(A, [al(**{"été": "x"})]), find())
case("post empty label name", POST(A, [al(**{"": "x"})]))
case("post label value not UTF-8", POST(A, b'[{"labels":{"alertname":"T","tc":"' + TAG.encode() + b'","x":"\xff"}}]'), find())
case("post annotation name with dash", POST(A, [al({"foo-bar": "x"})]))
case("post annotation empty value is kept", POST(A, [al({"a": ""})]), find())
case("post annotation with control characters", POST(A, [al({"a": "l1\nl2\tx\u0000\u001b[31mred"})]), find())
case("post annotation not UTF-8", POST(A, b'[{"labels":{"alertname":"T","tc":"' + TAG.encode() + b'"},"annotations":{"o":"\xff\xfe"}}]'), find())
case("post annotation value is a number", POST(A, '[{"labels":{"alertname":"T","tc":"%s"},"annotations":{"a":1}}]' % TAG))
case("post label value is a number", POST(A, '[{"labels":{"alertname":"T","a":1}}]'))
case("post duplicate JSON keys", POST(A, '[{"labels":{"alertname":"T","tc":"%s","x":"1","x":"2"}}]' % TAG), find())
case("post bad startsAt", POST(A, [al(start="bad")]))
case("post empty startsAt", POST(A, [al(start="")]), find())
case("post startsAt a number", POST(A, '[{"labels":{"alertname":"T"},"startsAt":1234}]'))
case("post startsAt with offset", POST(A, [al(start="2026-01-02T03:04:05+01:00", end="2099-01-01T00:00:00.123456789Z")]), find())
case("post startsAt with a space", POST(A, [al(start="2026-01-02 03:04:05")]), find())
case("post startsAt date only", POST(A, [al(start="2026-01-02")]))
case("post zero times", POST(A, [al(start="0001-01-01T00:00:00Z", end="0001-01-01T00:00:00.000Z")]), find())
case("post endsAt before startsAt", POST(A, [al(start="2026-01-02T03:04:05Z", end="2026-01-01T03:04:05Z")]))
case("post empty generatorURL", POST(A, [al(gen="")]), find())
case("post javascript generatorURL", POST(A, [al(gen="javascript:alert(1)")]), find())
case("post good and bad together", POST(A, [al(instance="ok1"), al(**{"9bad": "x"}), al(instance="ok2")]), find())
case("re-post resolves", POST(A, [al()]), POST(A, [al(end="@NOW@")]), find())
case("re-post merges times", POST(A, [al(start="2026-01-02T00:00:00Z", end="2099-01-01T00:00:00Z")]), POST(A, [al(start="2026-01-03T00:00:00Z", end="2098-01-01T00:00:00Z")]), find())
case("resolved alert is not listed", POST(A, [al(start="2026-01-01T00:00:00Z", end="2026-01-01T01:00:00Z")]), find())
# content types and bodies
case("content-type text/plain", POST(A, [al()], {"Content-Type": "text/plain"}))
case("content-type missing", POST(A, [al()], {}))
case("content-type with charset", POST(A, [al()], {"Content-Type": "application/json; charset=utf-8"}), find())
case("content-type upper case", POST(A, [al()], {"Content-Type": "Application/JSON"}), find())
case("content-type malformed", POST(A, [al()], {"Content-Type": "bad/"}))
case("content-type form", POST(A, [al()], {"Content-Type": "application/x-www-form-urlencoded"}))
case("post Accept text/html", POST(A, [al()], {"Content-Type": "application/json", "Accept": "text/html"}), find())
case("1 MiB annotation", POST(A, [al({"big": "x" * (1 << 20)})]), find())
case("1000 labels", POST(A, [al(**{"l%d" % i: "v" for i in range(1000)})]), find())
case("keep-alive: four requests on one connection", POST(A, [al()]), find(), POST(A, "[{bad"), find(), keepalive=True)
# reading alerts
TWO = POST(A, [al(severity="critical", instance="a"), al(severity="warning", instance="b")])
case("alerts filter =", TWO, find("&filter=" + quote('severity="critical"')))
case("alerts filter !=", TWO, find("&filter=" + quote('severity!="critical"')))
case("alerts filter =~", TWO, find("&filter=" + quote('severity=~"crit.*|x"')))
case("alerts filter unquoted", TWO, find("&filter=severity=critical"))
case("alerts filter empty", GET(A + "?filter="))
case("alerts filter bad regex", GET(A + "?filter=" + quote('a=~"["')))
case("alerts receiver", TWO, find("&receiver=hook"))
case("alerts unprocessed=false", TWO, GROUPED, find("&unprocessed=false"))
case("alerts unknown parameter", TWO, find("&foo=bar"))
case("alerts without filter", TWO, GET(A))
case("alerts groups receiver", TWO, GROUPED, groups("&receiver=hook"))
case("alerts groups active=false", TWO, GROUPED, groups("&active=false"))
case("alerts groups bad filter", GET(A + "/groups?filter=%5B"))
case("alerts PUT", REQ("PUT", A, "[]", JS))
case("alerts DELETE", REQ("DELETE", A))
case("alerts PATCH", REQ("PATCH", A, "[]", JS))
case("alerts HEAD", REQ("HEAD", A))
case("alerts OPTIONS", REQ("OPTIONS", A))
case("alerts CORS preflight POST", REQ("OPTIONS", A, None, {"Origin": "http://x", "Access-Control-Request-Method": "POST"}))
case("alerts CORS preflight DELETE", REQ("OPTIONS", A, None, {"Origin": "http://x", "Access-Control-Request-Method": "DELETE"}))
# silences
SIL = "/api/v2/silences"
def sil(value=TAG, comment="c " + TAG, by="me", start="@NOW@", end="@NOW+1h@", matchers=None, **k):
    return dict({"matchers": matchers if matchers is not None else [{"name": "tc", "value": value, "isRegex": False}], "startsAt": start, "endsAt": end, "createdBy": by, "comment": comment}, **k)
def mksil(cap="id1", **k): return POST(SIL, sil(**k), capture=cap)
case("silence create and get", mksil(), GET("/api/v2/silence/{id1}"))
case("silence create and list", mksil(), GET(SIL))
case("silence delete", mksil(), REQ("DELETE", "/api/v2/silence/{id1}"), GET("/api/v2/silence/{id1}"))
case("silence delete twice", mksil(), REQ("DELETE", "/api/v2/silence/{id1}"), REQ("DELETE", "/api/v2/silence/{id1}"))
case("silence delete unknown", REQ("DELETE", "/api/v2/silence/0b0b0b0b-0000-4000-8000-000000000000"))
case("silence get unknown", GET("/api/v2/silence/0b0b0b0b-0000-4000-8000-000000000000"))
case("silence get not a uuid", GET("/api/v2/silence/notauuid"))
case("silence PUT", REQ("PUT", "/api/v2/silence/0b0b0b0b-0000-4000-8000-000000000000", "{}", JS))
# Of a silence that is active already the id stays only if both requests come within one second.
SOON = dict(start="@NOW+1h@", end="@NOW+2h@")
case("silence update comment", mksil(**SOON), POST(SIL, sil(comment="changed " + TAG, id="{id1}", **SOON), capture="id2"), GET("/api/v2/silence/{id2}"))
case("silence negative matcher", mksil(matchers=[{"name": "tc", "value": TAG, "isRegex": False, "isEqual": True}, {"name": "x", "value": "y", "isRegex": True, "isEqual": False}]), GET("/api/v2/silence/{id1}"))
case("silence no matchers", POST(SIL, sil(matchers=[])))
case("silence matcher matches empty", POST(SIL, sil(value="")))
case("silence bad regex", POST(SIL, sil(matchers=[{"name": "a", "value": "[", "isRegex": True}])))
case("silence in the past", POST(SIL, sil(start="2020-01-01T00:00:00Z", end="2020-01-02T00:00:00Z")))
case("silence ends before it starts", POST(SIL, sil(start="@NOW+2h@", end="@NOW+1h@")))
case("silence broken JSON", POST(SIL, "{bad"))
case("silence wrong content type", POST(SIL, sil(), {"Content-Type": "text/plain"}))
case("silence big comment", mksil(comment="z" * 100000 + TAG), GET("/api/v2/silence/{id1}"))
case("silenced alert", POST(A, [al()]), mksil(), GROUPED, find())
case("silenced=false", POST(A, [al()]), mksil(), GROUPED, find("&silenced=false"))
case("silenced alert in groups", POST(A, [al()]), mksil(), GROUPED, groups("&silenced=true"))
# unknown paths, v1
case("api root", GET("/api/v2/")); case("api without slash", GET("/api/v2")); case("api unknown", GET("/api/v2/nope"))
case("api unknown POST", POST("/api/v2/nope", "{}")); case("swagger.json", GET("/api/v2/swagger.json")); case("openapi.yaml", GET("/api/v2/openapi.yaml"))
case("v1 alerts GET", GET("/api/v1/alerts?filter=" + quote('tc="%s"' % TAG)), tags=["v1"])
case("v1 silences", GET("/api/v1/silences?filter=" + quote('{tc="%s"}' % TAG)), tags=["v1"])
# pages and operational endpoints
case("UI lib", GET("/lib/bootstrap-4.6.0-dist/css/bootstrap.min.css")); case("UI assets", GET("/assets/nope.js")); case("unknown page", GET("/nope")); case("UI HEAD /", REQ("HEAD", "/"))
case("UI conditional GET", GET("/favicon.ico", {"If-Modified-Since": "Fri, 03 Feb 2033 03:10:24 GMT"}))
case("UI range", GET("/favicon.ico", {"Range": "bytes=0-9"}))
# amtool
def amtool(*a, **k): return dict(amtool=list(a), **k)
case("amtool alert query extended", POST(A, [al({"summary": "s", "x": "y"}, instance="a", gen="http://p/")]), amtool("-o", "extended", "alert", "query", 'tc="%s"' % TAG), tags=["amtool"])
case("amtool alert query --receiver", POST(A, [al()]), amtool("alert", "query", "--receiver=hook", 'tc="%s"' % TAG), tags=["amtool"])
case("amtool alert add bad label", amtool("alert", "add", "T", "foo-bar=x"), tags=["amtool"])
case("amtool silence add, query, expire", amtool("silence", "add", "tc=" + TAG, "--author=me", "--comment=c " + TAG, "--duration=1h", capture="id1"), amtool("silence", "query", "tc=" + TAG), amtool("-o", "json", "silence", "query", "tc=" + TAG),
     amtool("silence", "expire", "{id1}"), amtool("silence", "query", "tc=" + TAG), amtool("silence", "query", "--expired", "tc=" + TAG), tags=["amtool"])
case("amtool silence update", amtool("silence", "add", "tc=" + TAG, "--author=me", "--comment=c " + TAG, "--duration=1h", capture="id1"), amtool("silence", "update", "--comment=new " + TAG, "--duration=2h", "{id1}"), GET("/api/v2/silence/{id1}"), tags=["amtool"])
case("amtool silence expire unknown", amtool("silence", "expire", "0b0b0b0b-0000-4000-8000-000000000000"), tags=["amtool"])
case("amtool config show", amtool("config", "show"), tags=["amtool"])
case("amtool config routes test", amtool("config", "routes", "test", "alertname=T"), tags=["amtool"])
case("amtool cluster show", amtool("cluster", "show"), tags=["amtool"])

# ----------------------------------------------------------------------------- run
def fill(o, tag, now):
    """put the case's tag and times in; the same text goes to both sides"""
    def s(x):
        x = x.replace(TAG, tag).replace(quote(TAG), quote(tag))
        return re.sub(r"@NOW(?:\+(\d)h)?@", lambda m: iso(now + 3600 * int(m.group(1) or 0)), x)
    if isinstance(o, str): return s(o)
    if isinstance(o, bytes): return o.replace(TAG.encode(), tag.encode())
    if isinstance(o, list): return [fill(x, tag, now) for x in o]
    if isinstance(o, dict): return {k: fill(v, tag, now) for k, v in o.items()}
    return o

def run_amtool(args, t, argv, env):
    sub = [re.sub(r"\{(\w+)\}", lambda m: t.vars.get(m.group(1), m.group(0)), a) for a in argv]
    p = subprocess.run([args.amtool_bin, "--alertmanager.url=" + t.url] + sub, capture_output=True, text=True, timeout=60, env=env)
    return p.returncode, p.stdout, p.stderr

def amt_norm(n, out, t, now):
    out = out.replace(t.url, "URL").replace("%s:%d" % (t.host, t.port), "HOST:PORT")
    out = re.sub(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z", lambda m: n.val(m.group(0), now), out)
    out = re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d+)? UTC", lambda m: n.val(m.group(0).replace(" UTC", "Z").replace(" ", "T"), now), out)
    return re.sub(r" +", " ", UUID.sub(n.sid, out))

def diff_json(what, a, b, out, depth=0):
    if a == b: return
    if isinstance(a, dict) and isinstance(b, dict) and depth < 6:
        for k in sorted(set(a) | set(b), key=str):
            if a.get(k, "(absent)") != b.get(k, "(absent)"): diff_json("%s.%s" % (what, k), a.get(k, "(absent)"), b.get(k, "(absent)"), out, depth + 1)
    elif isinstance(a, list) and isinstance(b, list) and len(a) == len(b) and depth < 6:
        n = 0
        for i, (x, y) in enumerate(zip(a, b)):
            if x != y:
                n += 1
                if n <= 3: diff_json("%s[%d]" % (what, i), x, y, out, depth + 1)
        if n > 3: out.append("%s: ... %d list elements differ" % (what, n))
    else: out.append("%s: direct=%s via=%s" % (what, json.dumps(a)[:300], json.dumps(b)[:300]))

def names(text): return sorted(re.findall(r"^# TYPE (alertmanager_\w+ \w+)", text, re.M))

def run_case(direct, via, tag, steps, opt, args, env):
    diffs, now = [], time.time()
    ign = re.compile(args.ignore_annotation) if args.ignore_annotation else None
    steps = fill(list(steps), tag, now)
    norms, obs = {}, {}
    for t in (direct, via):
        t.vars = {}; norms[t.name] = n = Norm(t, ign); obs[t.name] = o = []
        buf = []
        def flush():
            if not buf: return
            for (status, hs, body, ts), st in zip(t.steps(buf, opt.get("keepalive", False)), [x for x in buf if "grouped" not in x]):
                rec = {"status": status, "headers": heads(hs)}
                mode = st.get("compare")
                if mode == "status": pass
                elif mode == "metric-names": rec["body"] = names(body.decode("utf8", "replace"))
                else:
                    try: rec["body"] = n.val(mine(json.loads(body), tag), ts)
                    except ValueError: rec["body"] = UUID.sub(n.sid, body.decode("utf8", "replace"))
                o.append((st["method"] + " " + st["path"][:80], rec))
            buf.clear()
        for st in steps:
            if "amtool" in st:
                flush()
                rc, out, err = run_amtool(args, t, st["amtool"], env)
                if st.get("capture") and rc == 0: t.vars[st["capture"]] = out.strip()
                if out.startswith(("[", "{")):
                    try: out = n.val(mine(json.loads(out), tag), now)
                    except ValueError: pass
                o.append(("amtool " + " ".join(st["amtool"])[:80], {"exit": rc, "stdout": out if not isinstance(out, str) else amt_norm(n, out, t, now), "stderr": amt_norm(n, err, t, now)}))
            else: buf.append(st)
        flush()
    for i, ((what, a), (_, b)) in enumerate(zip(obs[direct.name], obs[via.name])):
        w = "step %d %s" % (i + 1, what)
        for who, r in (("direct", a), ("via", b)):
            if isinstance(r.get("status"), str) and "crash" not in opt.get("tags", ()): diffs.append("%s: %s: %s" % (w, who, r["status"]))
        for k in sorted(set(a) | set(b)):
            if k == "body" and args.loose_errors and isinstance(a.get("status"), int) and a["status"] >= 400: continue
            x, y = a.get(k), b.get(k)
            if x != y: diff_json("%s: %s" % (w, k), x, y, diffs)
    # clean up: resolve this case's alerts, expire its silences
    for t in (direct, via):
        (st, _, body, _), = t.steps([GET(A + "?filter=" + quote('tc=~"%s.*"' % tag))])
        if st == 200:
            alerts = [{"labels": x["labels"], "startsAt": x["startsAt"], "endsAt": iso(time.time() - 1)} for x in json.loads(body)]
            for x in alerts:
                if x["startsAt"] > x["endsAt"]: x["startsAt"] = x["endsAt"]
            if alerts: t.steps([POST(A, alerts)])
        (st, _, body, _), = t.steps([GET("/api/v2/silences")])
        if st == 200:
            for s in json.loads(body):
                if tag in json.dumps(s) and s["status"]["state"] != "expired": t.steps([REQ("DELETE", "/api/v2/silence/" + s["id"])])
        if "silence empty author" in opt.get("name", "") and t.vars.get("id1"): t.steps([REQ("DELETE", "/api/v2/silence/" + t.vars["id1"])])
    return diffs

def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--direct"); ap.add_argument("--via"); ap.add_argument("--only"); ap.add_argument("--skip-tag", action="append", default=[]); ap.add_argument("--list", action="store_true")
    ap.add_argument("--ignore-annotation", metavar="REGEX"); ap.add_argument("--settled-by", metavar="METRIC"); ap.add_argument("--timeout", type=float, default=30)
    ap.add_argument("--loose-errors", action="store_true", help="for answers >= 400 compare status and headers, not the text"); ap.add_argument("--amtool", default=shutil.which("amtool"))
    ap.add_argument("-v", action="store_true"); ap.add_argument("--json")
    args = ap.parse_args(); args.amtool_bin = args.amtool
    assert len({c[0] for c in CASES}) == len(CASES), "case names must be unique"
    todo = [c for c in CASES if (not args.only or re.search(args.only, c[0])) and not (c[2] & set(args.skip_tag))]
    if args.list:
        for n, s, t, _ in todo: print(n, "[%d steps]" % len(s), " ".join(sorted(t)))
        print(len(todo), "cases"); return 0
    if not args.direct or not args.via: ap.error("--direct and --via are needed")
    if not args.amtool_bin:
        n = len(todo); todo = [c for c in todo if "amtool" not in c[2]]; print("no amtool: %d cases left out" % (n - len(todo)))
    direct, via = Target("direct", args.direct, args.timeout), Target("via", args.via, args.timeout)
    via.settled_by = args.settled_by
    tmp = tempfile.mkdtemp(); env = dict(os.environ, HOME=tmp, XDG_CONFIG_HOME=tmp, TZ="UTC")
    ok = bad = 0; res = []; t0 = time.time()
    for i, (name, steps, tags, opt) in enumerate(todo):
        d = run_case(direct, via, "%s-%d-" % (RUN, i), steps, dict(opt, tags=tags, name=name), args, env)
        res.append({"case": name, "tags": sorted(tags), "mismatches": d})
        if d:
            bad += 1; print("FAIL  %s%s" % (name, " [%s]" % ",".join(sorted(tags)) if tags else ""))
            for x in d[:12]: print("      " + x[:700])
        else:
            ok += 1
            if args.v: print("ok    " + name)
    shutil.rmtree(tmp, ignore_errors=True)
    if args.json: json.dump(res, open(args.json, "w"), indent=1)
    print("%d cases in %.1f s" % (len(todo), time.time() - t0)); print("%d passed, %d failed" % (ok, bad))
    return 1 if bad else 0

if __name__ == "__main__":
    try: sys.exit(main())
    except SystemExit as e:
        if isinstance(e.code, str): print(e.code, file=sys.stderr); sys.exit(2)
        raise
