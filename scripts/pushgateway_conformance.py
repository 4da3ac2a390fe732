#!/usr/bin/env python3
"""Differential conformance checker for the Prometheus Pushgateway HTTP API (stdlib only).

    pushgateway_conformance.py --ref http://127.0.0.1:9091 --cand http://127.0.0.1:9191

Every case is a list of HTTP steps.  Before each case both servers are brought to a clean
state (PUT /api/v1/admin/wipe when it is enabled, else DELETE of every group listed by
/api/v1/metrics), then each step is sent to both and compared (status, relevant headers,
and - where the case asks for it - the JSON or text body), and after the last step the
exposed /metrics (parsed into metric families) and /api/v1/metrics (parsed JSON) are
compared.  Moving values (push_time_seconds, push_failure_time_seconds, time_stamp) are
normalised to 0 / RECENT / a complaint.

Start BOTH servers with the same options.  Recommended:
    prometheus-pushgateway --web.listen-address=127.0.0.1:PORT --web.enable-admin-api --persistence.file=
(Debian patches --persistence.file to a non-empty default, hence the explicit empty one.)

The reference decides what is right: run it against the version you want to be like.
Without a reference at hand: --record FILE once where there is one, --golden FILE elsewhere.
Cases tagged `go` depend on Go runtime details (net/http path cleaning, go_* metrics),
cases tagged `ui` on the bundled web UI; skip them with --skip-tag go --skip-tag ui.  Cases tagged `poison`
run only with --poison.

A case that the candidate is meant to answer otherwise is named with --differs; it fails if it does not differ.

Exit status: 0 = no mismatch, 1 = mismatches, 2 = could not run.
"""
import argparse, base64, gzip, http.client, json, math, re, struct, sys, time
from urllib.parse import urlsplit

# ----------------------------------------------------------------------------- HTTP
class Target:
    def __init__(self, name, url, timeout):
        u = urlsplit(url)
        self.name, self.host, self.port, self.prefix, self.timeout = name, u.hostname, u.port or 80, u.path.rstrip("/"), timeout

    def req(self, method, path, headers=None, body=None, chunked=False):
        last = None
        for _ in range(2):                       # one retry, only for a refused/reset connect
            c = http.client.HTTPConnection(self.host, self.port, timeout=self.timeout)
            try:
                c.putrequest(method, self.prefix + path, skip_accept_encoding=True)
                h = dict(headers or {})
                if isinstance(body, str): body = body.encode()
                if chunked:
                    c.putheader("Transfer-Encoding", "chunked")
                elif body is not None:
                    c.putheader("Content-Length", str(len(body)))
                elif method in ("PUT", "POST"):
                    c.putheader("Content-Length", "0")
                for k, v in h.items(): c.putheader(k, v)
                c.endheaders()
                if body is not None:
                    if chunked:
                        for i in range(0, len(body), 7):
                            part = body[i:i + 7]
                            c.send(b"%x\r\n%s\r\n" % (len(part), part))
                        c.send(b"0\r\n\r\n")
                    else:
                        c.send(body)
                r = c.getresponse()
                return Resp(r.status, r.getheaders(), r.read())
            except ConnectionRefusedError as e:
                last = e; time.sleep(0.2)
            except (http.client.HTTPException, OSError) as e:
                return Resp("connection error: " + type(e).__name__, [], b"")
            finally:
                c.close()
        raise SystemExit("%s (%s:%d): %s" % (self.name, self.host, self.port, last))

class Resp:
    def __init__(self, status, headers, body):
        self.status, self.body = status, body
        self.h = {}
        for k, v in headers:
            k = k.lower()
            self.h[k] = self.h[k] + ", " + v if k in self.h else v

# ----------------------------------------------------------------------------- text format
SAMPLE = re.compile(r'^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})?\s+(\S+)(?:\s+(\S+))?$')
LABEL = re.compile(r'\s*([a-zA-Z_][a-zA-Z0-9_]*)\s*=\s*"((?:[^"\\]|\\.)*)"\s*,?')

def unesc(s):
    return re.sub(r'\\(.)', lambda m: {"n": "\n"}.get(m.group(1), m.group(1)), s)

def num(s):
    f = float(s.replace("Inf", "inf"))
    return "NaN" if math.isnan(f) else f

def parse_text(text):
    """-> ({family: {'type','help','samples':{(name,labels):value}}}, [complaints])"""
    fams, types, bad, closed, cur = {}, {}, [], set(), None
    def fam_of(name):
        for suf in ("_bucket", "_sum", "_count"):
            if name.endswith(suf) and types.get(name[:-len(suf)]) in ("histogram", "summary"):
                return name[:-len(suf)]
        return name
    def enter(f):
        nonlocal cur
        if f != cur:
            if f in closed: bad.append("family %s is not contiguous" % f)
            if cur is not None: closed.add(cur)
            cur = f
        return fams.setdefault(f, {"type": "untyped", "help": None, "samples": {}})
    for line in text.split("\n"):
        if not line: continue
        if line.startswith("# HELP "):
            _, _, rest = line.split(" ", 2); n, _, h = rest.partition(" ")
            enter(n)["help"] = h
        elif line.startswith("# TYPE "):
            n, t = line.split()[2:4]; types[n] = t; enter(n)["type"] = t
        elif line.startswith("#"):
            continue
        else:
            m = SAMPLE.match(line)
            if not m: bad.append("unparsable line %r" % line[:120]); continue
            name, labs, val, ts = m.groups()
            pairs, pos = [], 0
            while labs and pos < len(labs):
                lm = LABEL.match(labs, pos)
                if not lm: bad.append("bad labels %r" % labs[:120]); break
                pairs.append((lm.group(1), unesc(lm.group(2)))); pos = lm.end()
            f = enter(fam_of(name)); key = (name, tuple(sorted(pairs)))
            if key in f["samples"]: bad.append("duplicate sample %r" % (key,))
            try: f["samples"][key] = num(val)
            except ValueError: bad.append("bad value %r" % val)
            if ts: bad.append("unexpected timestamp on %s" % name)
    if not text.endswith("\n") and text: bad.append("exposition does not end with a newline")
    return fams, bad

OWN = ("go_", "process_", "promhttp_", "pushgateway_")
STAMPS = ("push_time_seconds", "push_failure_time_seconds")

def norm_stamp(v):
    if v == 0: return 0
    if isinstance(v, float) and abs(time.time() - v) < 600: return "RECENT"
    return "NOT-RECENT(%r)" % v

def norm_metrics(text, ignore_help=False, keep=()):
    fams, bad = parse_text(text)
    out = {}
    for n, f in fams.items():
        if n.startswith(OWN) and n not in keep: continue
        s = f["samples"]
        if n in STAMPS: s = {k: norm_stamp(v) for k, v in s.items()}
        out[n] = {"type": f["type"], "help": None if ignore_help else f["help"],
                  "samples": {k[0] + "{" + ",".join('%s="%s"' % p for p in k[1]) + "}": v for k, v in s.items()}}
    return out, sorted(bad)

TS_RE = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$")
def norm_api(body, ignore_help=False):
    j = json.loads(body)
    if isinstance(j.get("data"), list):
        for g in j["data"]:
            for k, v in g.items():
                if isinstance(v, dict) and "time_stamp" in v:
                    v["time_stamp"] = "TS" if TS_RE.match(v["time_stamp"]) else "BAD-TS " + v["time_stamp"]
                    if ignore_help: v.pop("help", None)
                    for m in v.get("metrics", []):
                        if k in STAMPS: m["value"] = norm_stamp(float(m["value"]))
                    v["metrics"] = sorted(v.get("metrics", []), key=lambda m: json.dumps(m, sort_keys=True))
        j["data"].sort(key=lambda g: json.dumps(g.get("labels"), sort_keys=True))
    return j

# ----------------------------------------------------------------------------- protobuf (write side)
def vint(n):
    out = b""
    while True:
        b = n & 0x7F; n >>= 7
        if n: out += bytes([b | 0x80])
        else: return out + bytes([b])
def fld(n, wt, payload): return vint(n << 3 | wt) + payload
def s_(n, s): b = s if isinstance(s, bytes) else s.encode(); return fld(n, 2, vint(len(b)) + b)
def d_(n, x): return fld(n, 1, struct.pack("<d", x))
def v_(n, x): return fld(n, 0, vint(x))
def label(k, v): return s_(1, s_(1, k) + s_(2, v))            # Metric.label
def metric(*parts): return s_(4, b"".join(parts))               # MetricFamily.metric
def gauge(x): return s_(2, d_(1, x))
def counter(x): return s_(3, d_(1, x))
def untyped(x): return s_(5, d_(1, x))
def summary(cnt, tot, qs): return s_(4, v_(1, cnt) + d_(2, tot) + b"".join(s_(3, d_(1, q) + d_(2, x)) for q, x in qs))
def histogram(cnt, tot, bs): return s_(7, v_(1, cnt) + d_(2, tot) + b"".join(s_(3, v_(1, c) + d_(2, u)) for u, c in bs))
COUNTER, GAUGE, SUMMARY, UNTYPED, HISTOGRAM = 0, 1, 2, 3, 4
def family(name, typ, *metrics, help=None):
    b = s_(1, name) + (s_(2, help) if help else b"") + v_(3, typ) + b"".join(metrics)
    return vint(len(b)) + b
PB = {"Content-Type": "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited"}

def crc32c(data):
    crc = 0xFFFFFFFF
    for b in data:
        crc ^= b
        for _ in range(8): crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF
def snappy_framed(data):
    c = crc32c(data); m = ((c >> 15 | c << 17) + 0xA282EAD8) & 0xFFFFFFFF
    body = struct.pack("<I", m) + data
    return b"\xff\x06\x00\x00sNaPpY" + b"\x01" + struct.pack("<I", len(body))[:3] + body

def b64(s): return base64.urlsafe_b64encode(s.encode() if isinstance(s, str) else s).decode().rstrip("=")

# ----------------------------------------------------------------------------- cases
CASES = []
def case(name, *steps, tags=(), **opt):
    CASES.append((name, steps, set(tags), opt))
def S(method, path, body=None, headers=None, **k): return dict(method=method, path=path, body=body, headers=headers, **k)
def PUT(p, b="", h=None, **k): return S("PUT", p, b, h, **k)
def POST(p, b="", h=None, **k): return S("POST", p, b, h, **k)
def DEL(p, b=None, h=None, **k): return S("DELETE", p, b, h, **k)
def GET(p, h=None, **k): return S("GET", p, None, h, **k)

J = "/metrics/job/"
G1 = "# HELP temp Room temperature.\n# TYPE temp gauge\ntemp{room=\"a\"} 21.5\n"
# --- A. pushing, replacing, deleting
case("put untyped", PUT(J + "a", "m 3.14\n"))
case("post untyped", POST(J + "a", "m 3.14\n"))
case("put gauge with help", PUT(J + "a", G1))
case("put counter", PUT(J + "a", "# TYPE c_total counter\nc_total 7\n"))
case("put explicit untyped", PUT(J + "a", "# TYPE u untyped\nu 7\n"))
case("put histogram", PUT(J + "a", "# TYPE h histogram\nh_bucket{le=\"0.1\"} 1\nh_bucket{le=\"1\"} 3\nh_bucket{le=\"+Inf\"} 4\nh_sum 2.5\nh_count 4\n"))
case("put histogram with labels", PUT(J + "a", "# TYPE h histogram\nh_bucket{x=\"1\",le=\"0.1\"} 1\nh_bucket{x=\"1\",le=\"+Inf\"} 4\nh_sum{x=\"1\"} 2.5\nh_count{x=\"1\"} 4\nh_bucket{x=\"2\",le=\"+Inf\"} 1\nh_sum{x=\"2\"} 0\nh_count{x=\"2\"} 1\n"))
case("put histogram without +Inf bucket", PUT(J + "a", "# TYPE h histogram\nh_bucket{le=\"0.1\"} 1\nh_sum 2.5\nh_count 4\n"))
case("put histogram non-cumulative buckets", PUT(J + "a", "# TYPE h histogram\nh_bucket{le=\"0.1\"} 9\nh_bucket{le=\"1\"} 3\nh_bucket{le=\"+Inf\"} 4\nh_sum 2.5\nh_count 4\n"))
case("put summary", PUT(J + "a", "# TYPE s summary\ns{quantile=\"0.5\"} 1\ns{quantile=\"0.9\"} 2\ns_sum 17\ns_count 9\n"))
case("put several families", PUT(J + "a", "m1 1\nm2 2\n# TYPE m3 gauge\nm3 3\n"))
case("put several samples", PUT(J + "a", "# TYPE m gauge\nm{x=\"1\"} 1\nm{x=\"2\"} 2\nm{x=\"3\",y=\"z\"} 3\n"))
case("put special float values", PUT(J + "a", "a NaN\nb +Inf\nc -Inf\nd 1e10\ne -0\nf 1.7976931348623157e308\ng .5\nh 5.\ni 4.9e-324\nj 123456789012345678\n"))
case("put empty body, new group", PUT(J + "a", ""))
case("put empty body clears the group's metrics", PUT(J + "a", "m 1\n"), PUT(J + "a", ""))
case("post keeps other names", PUT(J + "a", "m 1\nn 2\n"), POST(J + "a", "o 3\n"))
case("post replaces a family as a whole", PUT(J + "a", "m{x=\"1\"} 1\nm{x=\"2\"} 2\n"), POST(J + "a", "m{x=\"3\"} 3\n"))
case("post may change the type inside one group", PUT(J + "a", "# TYPE m gauge\nm 1\n"), POST(J + "a", "# TYPE m counter\nm 2\n"))
case("put then delete", PUT(J + "a", "m 1\n"), DEL(J + "a"))
case("delete unknown group", DEL(J + "nope"))
case("delete twice", PUT(J + "a", "m 1\n"), DEL(J + "a"), DEL(J + "a"))
case("delete of job does not delete instances", PUT(J + "a", "m 1\n"), PUT(J + "a/instance/i", "m 2\n"), DEL(J + "a"))
case("delete with a body", PUT(J + "a", "m 1\n"), DEL(J + "a", "m 1\n"))
case("delete after failed push removes the group", PUT(J + "a", "m 1 1000\n"), DEL(J + "a"))
case("put, delete, put in a row", PUT(J + "a", "m 1\n"), DEL(J + "a"), PUT(J + "a", "n 2\n"))
case("two groups, one family", PUT(J + "a/instance/1", G1), PUT(J + "a/instance/2", G1))
case("three jobs, one family", PUT(J + "a", G1), PUT(J + "b", G1), PUT(J + "c", G1))
case("group key is order independent", PUT(J + "a/x/1/y/2", "m 1\n"), PUT(J + "a/y/2/x/1", "n 2\n"))
case("body instance label is overwritten by the URL", PUT(J + "a/instance/u", "m{instance=\"b\"} 1\n"))
case("body job label is overwritten by the URL", PUT(J + "a", "m{job=\"zzz\"} 1\n"))
case("body label equal to other group label is overwritten", PUT(J + "a/dc/ams", "m{dc=\"fra\"} 1\n"))
case("body instance label kept when URL has none", PUT(J + "a", "m{instance=\"b\"} 1\n"))
case("empty instance label added when there is none", PUT(J + "a/dc/ams", "m{x=\"1\"} 1\n"))
case("samples with and without instance", PUT(J + "a", "m{instance=\"b\"} 1\nm 2\n"))
case("overwriting makes samples collide", PUT(J + "a/x/1", "m{x=\"2\"} 1\nm{x=\"3\"} 2\n"))
case("1000 series in one push", PUT(J + "a", "# TYPE big gauge\n" + "".join("big{i=\"%d\"} %d\n" % (i, i) for i in range(1000))))
# --- B. path parsing
case("no job segment", PUT("/metrics/job", "m 1\n"))
case("empty job", PUT("/metrics/job/", "m 1\n"), tags=["go"])
case("post /metrics/foo", POST("/metrics/foo/bar", "m 1\n"))
case("job must come first", PUT("/metrics/instance/i/job/a", "m 1\n"))
case("odd number of components (3)", PUT(J + "a/x/1/y", "m 1\n"))
case("trailing slash after value", PUT(J + "a/x/1/", "m 1\n"))
case("label name with dash", PUT(J + "a/x-y/v", "m 1\n"))
case("label name with colon", PUT(J + "a/x:y/v", "m 1\n"))
case("reserved label name", PUT(J + "a/__x/v", "m 1\n"))
case("label name __name__", PUT(J + "a/__name__/v", "m 1\n"))
case("label name with dot", PUT(J + "a/x.y/v", "m 1\n"))
case("uppercase label name", PUT(J + "a/Foo_1/v", "m 1\n"))
case("label named job again", PUT(J + "a/job/b", "m 1\n"))
case("%2F in job", PUT(J + "a%2Fb", "m 1\n"), tags=["go"])
case("percent-encoded UTF-8 value", PUT(J + "titan/name/%CE%A0%CF%81%CE%BF%CE%BC%CE%B7%CE%B8%CE%B5%CF%8D%CF%82", "m 1\n"))
case("percent-encoded space in job", PUT(J + "my%20job", "m 1\n"))
case("plus is not a space", PUT(J + "a/x/b+c", "m 1\n"))
case("percent-encoded label name", PUT(J + "a/%78/v", "m 1\n"))
case("double-encoded slash", PUT(J + "a/x/b%252Fc", "m 1\n"))
case("percent-encoded invalid UTF-8", PUT(J + "a/x/%ff%fe", "m 1\n"), cleanup=DEL(J + "a/x/%ff%fe"))   # 1.5.1: every scrape and push fails until the group is deleted
case("dot segment", PUT(J + "a/x/.", "m 1\n"), tags=["go"])
case("quotes and backslash in value", PUT(J + "a/x/%22b%5C%0Ac%22", "m 1\n"))
case("special characters in value", PUT(J + "a/x/~!$&'()*,;=:@", "m 1\n"))
case("query string is ignored", PUT(J + "a?x=1", "m 1\n"))
case("long label value in path", PUT(J + "a/x/" + "y" * 4000, "m 1\n"))
case("base64 job", PUT("/metrics/job@base64/" + b64("test/job"), "m 1\n"))
case("base64 job with padding", PUT("/metrics/job@base64/" + b64("test/job") + "=", "m 1\n"))
case("base64 value and plain value are one group", PUT(J + "a/x@base64/" + b64("v"), "m 1\n"), POST(J + "a/x/v", "n 1\n"))
case("base64 empty value", PUT(J + "a/x@base64/=/y/1", "m 1\n"))
case("base64 empty value last", PUT(J + "a/x@base64/=", "m 1\n"))
case("base64 many paddings", PUT(J + "a/x@base64/" + b64("v") + "====", "m 1\n"))
case("base64 bad character", PUT(J + "a/x@base64/foo.bar", "m 1\n"))
case("base64 standard alphabet rejected", PUT(J + "a/x@base64/++__", "m 1\n"))
case("base64 url alphabet", PUT(J + "a/x@base64/" + b64("~~~???"), "m 1\n"))
case("base64 truncated quantum", PUT(J + "a/x@base64/YWJjZ", "m 1\n"))
case("@base64 without a name", PUT(J + "a/@base64/YWJj", "m 1\n"))
case("@BASE64 is not the suffix", PUT(J + "a/x@BASE64/YWJj", "m 1\n"))
case("reserved name with base64", PUT(J + "a/__x@base64/YWJj", "m 1\n"))
case("delete by base64", PUT(J + "a/x/v", "m 1\n"), DEL(J + "a/x@base64/" + b64("v")))
case("delete by base64 job", PUT(J + "a", "m 1\n"), DEL("/metrics/job@base64/" + b64("a")))
case("delete bad base64", DEL(J + "a/x@base64/foo.bar"))
case("delete odd components", DEL(J + "a/x"))
case("delete reserved label", DEL(J + "a/__x/1"))
case("delete /metrics", DEL("/metrics"))
case("U__ escaped label name", PUT(J + "a/U__foo_2e_bar/v", "m 1\n"))
case("grouping label quantile with a gauge", PUT(J + "a/quantile/0.5", "# TYPE g gauge\ng 1\n"))
# --- C. bodies that are wrong, and their side effects
case("no newline at the end", PUT(J + "a", "m 1"))
case("hex float", PUT(J + "a", "m 0x1p-2\n"))
case("underscore in number", PUT(J + "a", "m 1_000\n"))
case("comma in number", PUT(J + "a", "m 1,5\n"))
case("timestamp rejected", PUT(J + "a", "m 1 1000\n"))
case("timestamp rejected, second sample", PUT(J + "a", "m 1\nn 1 1000\n"))
case("bad timestamp", PUT(J + "a", "m 1 abc\n"))
case("failed push keeps the old metrics (PUT)", PUT(J + "a", "m 1\n"), PUT(J + "a", "m 2 1000\n"))
case("failed push keeps the old metrics (POST)", PUT(J + "a", "m 1\n"), POST(J + "a", "m 2 1000\n"))
case("success after failure keeps the failure time", PUT(J + "a", "m 2 1000\n"), PUT(J + "a", "m 1\n"))
case("parse error leaves no trace", PUT(J + "a", "m 1\n"), PUT(J + "a", "m {\n"))
case("two TYPE lines", PUT(J + "a", "# TYPE m gauge\n# TYPE m gauge\nm 1\n"))
case("two HELP lines", PUT(J + "a", "# HELP m a\n# HELP m b\nm 1\n"))
case("uppercase TYPE", PUT(J + "a", "# TYPE m GAUGE\nm 1\n"))
case("OpenMetrics # UNIT", PUT(J + "a", "# UNIT m seconds\nm 1\n"))
case("exemplar is an error", PUT(J + "a", "m_bucket{le=\"1\"} 1 # {trace=\"x\"} 0.5\n"))
case("families interleaved", PUT(J + "a", "m{x=\"1\"} 1\nn 1\nm{x=\"2\"} 2\n"))
case("metric name with leading digit", PUT(J + "a", "1m 1\n"))
case("metric name with dash", PUT(J + "a", "m-n 1\n"))
case("metric name with colon", PUT(J + "a", "m:n:sum 1\n"))
case("metric name with dot", PUT(J + "a", "m.n 1\n"))
case("quoted UTF-8 metric name", PUT(J + "a", "{\"m.n\"} 1\n"))
case("label name with dash in body", PUT(J + "a", "m{x-y=\"1\"} 1\n"))
case("unquoted label value", PUT(J + "a", "m{x=1} 1\n"))
case("unclosed label value", PUT(J + "a", "m{x=\"1} 1\n"))
case("bad escape in label value", PUT(J + "a", "m{x=\"a\\qb\"} 1\n"))
case("HELP escapes", PUT(J + "a", "# HELP m a\\\\b\\nc \"d\"\nm 1\n"))
case("invalid UTF-8 in label value", PUT(J + "a", b"m{x=\"\xff\"} 1\n"))
case("UTF-8 in label value", PUT(J + "a", "m{x=\"Προ\"} 1\n"))
case("UTF-8 in help", PUT(J + "a", "# HELP m größe\nm 1\n"))
case("NUL in label value", PUT(J + "a", b"m{x=\"a\x00b\"} 1\n"))
case("odd whitespace", PUT(J + "a", "  \tm\t{ x = \"1\" ,\ty=\"2\" }  \t 1  \n"))
case("empty braces", PUT(J + "a", "m{} 1\n"))
case("empty label value in body", PUT(J + "a", "m{x=\"\"} 1\n"))
case("le is not a number", PUT(J + "a", "# TYPE h histogram\nh_bucket{le=\"abc\"} 1\n"))
case("quantile is not a number", PUT(J + "a", "# TYPE s summary\ns{quantile=\"abc\"} 1\n"))
case("help differs between groups", PUT(J + "a", "# HELP m a\nm 1\n"), PUT(J + "b", "# HELP m b\nm 1\n"), ignore_help=True)
case("same series from two groups", PUT(J + "a/x/1", "m 1\n"), PUT(J + "a", "m{x=\"1\"} 1\n"))
case("same series from two groups, unlabelled first", PUT(J + "a", "m{x=\"1\"} 1\n"), PUT(J + "a/x/1", "m 1\n"))
case("type clash on POST leaves both as they were", PUT(J + "a", "# TYPE m gauge\nm 1\n"), PUT(J + "b", "n 1\n"), POST(J + "b", "# TYPE m counter\nm 1\n"))
case("pushed push_time_seconds is overridden", PUT(J + "a", "push_time_seconds 1\nm 1\n"))
case("pushed push_failure_time_seconds (1st push)", PUT(J + "a", "push_failure_time_seconds 5\n"))
case("clash with the server's own counter", PUT(J + "a", "# TYPE pushgateway_http_requests_total gauge\npushgateway_http_requests_total 1\n"))
case("clash with pushgateway_build_info type", PUT(J + "a", "# TYPE pushgateway_build_info counter\npushgateway_build_info 1\n"))
case("clash with go_goroutines type", PUT(J + "a", "# TYPE go_goroutines counter\ngo_goroutines 1\n"), tags=["go"])
case("clash with process_start_time_seconds type", PUT(J + "a", "# TYPE process_start_time_seconds counter\nprocess_start_time_seconds 1\n"))
case("histogram and a gauge named h_sum in another group", PUT(J + "a", "# TYPE h histogram\nh_bucket{le=\"+Inf\"} 1\nh_sum 1\nh_count 1\n"), PUT(J + "b", "# TYPE h_sum gauge\nh_sum 1\n"))
# --- D. content types and encodings
TXT = "m 1\n"
case("content-type text/plain", PUT(J + "a", TXT, {"Content-Type": "text/plain; version=0.0.4"}))
case("content-type openmetrics is parsed as text", PUT(J + "a", TXT, {"Content-Type": "application/openmetrics-text; version=1.0.0"}))
case("content-type nonsense", PUT(J + "a", TXT, {"Content-Type": ";;;"}))
case("protobuf gauge", PUT(J + "a", family("g", GAUGE, metric(label("x", "1"), gauge(1.5)), help="a help"), PB))
case("protobuf all types", PUT(J + "a", family("c", COUNTER, metric(counter(3))) + family("g", GAUGE, metric(gauge(2))) + family("u", UNTYPED, metric(untyped(4))) +
     family("s", SUMMARY, metric(summary(3, 6.5, [(0.5, 1), (0.9, 2)]))) + family("h", HISTOGRAM, metric(histogram(4, 2.5, [(0.1, 1), (1, 3)]))), PB))
case("protobuf duplicate family: last wins", PUT(J + "a", family("g", GAUGE, metric(gauge(1))) + family("g", GAUGE, metric(gauge(2))), PB))
case("protobuf garbage", PUT(J + "a", b"\x05\xff\xff\xff\xff\xff", PB))
case("protobuf empty body", PUT(J + "a", b"", PB))
case("protobuf with timestamp", PUT(J + "a", family("g", GAUGE, metric(gauge(1), v_(6, 1000))), PB))
case("protobuf bad metric name", PUT(J + "a", family("1-g", GAUGE, metric(gauge(1))), PB))
case("protobuf invalid UTF-8 label value", PUT(J + "a", family("g", GAUGE, metric(label("x", b"\xff"), gauge(1))), PB))
case("protobuf type says gauge, value is counter", PUT(J + "a", family("g", GAUGE, metric(counter(1))), PB))
case("protobuf content-type with wrong proto", PUT(J + "a", family("g", GAUGE, metric(gauge(1))), {"Content-Type": "application/vnd.google.protobuf; proto=foo; encoding=delimited"}))
case("text body with protobuf content-type", PUT(J + "a", TXT, PB))
case("protobuf label overwritten by URL", PUT(J + "a/x/url", family("g", GAUGE, metric(label("x", "body"), gauge(1))), PB))
case("gzip protobuf", PUT(J + "a", gzip.compress(family("g", GAUGE, metric(gauge(1)))), dict(PB, **{"Content-Encoding": "gzip"})))
case("gzip header, empty body", PUT(J + "a", "", {"Content-Encoding": "gzip"}))
case("gzip body without header", PUT(J + "a", gzip.compress(TXT.encode())))
case("GZIP header in upper case", PUT(J + "a", gzip.compress(TXT.encode()), {"Content-Encoding": "GZIP"}))
case("content-encoding identity", PUT(J + "a", TXT, {"Content-Encoding": "identity"}))
case("content-encoding unknown", PUT(J + "a", TXT, {"Content-Encoding": "br"}))
case("snappy framed", PUT(J + "a", snappy_framed(TXT.encode()), {"Content-Encoding": "snappy"}))
case("snappy header, plain body", PUT(J + "a", TXT, {"Content-Encoding": "snappy"}))
# --- E. methods and other endpoints
case("GET of a push path", PUT(J + "a", TXT), GET(J + "a"))
case("PATCH of a push path", S("PATCH", J + "a", TXT))
case("OPTIONS /metrics", S("OPTIONS", "/metrics"))
case("GET //metrics", GET("//metrics"), tags=["go"])
case("GET /metrics headers", GET("/metrics"))
case("GET /metrics accept protobuf", PUT(J + "a", G1), GET("/metrics", {"Accept": "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited"}))
case("GET /metrics accept nothing known", PUT(J + "a", G1), GET("/metrics", {"Accept": "application/x-nope"}))
case("GET /metrics accept text 1.0.0 (Prometheus 3)", PUT(J + "a", G1), GET("/metrics", {"Accept": "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2"}))
case("GET /metrics accept-encoding deflate", PUT(J + "a", G1), GET("/metrics", {"Accept-Encoding": "deflate"}))
case("GET /metrics?name[]", PUT(J + "a", "m 1\nn 2\n"), GET("/metrics?name[]=m", compare="metrics"))
case("healthy", GET("/-/healthy", compare="text"))
case("ready", GET("/-/ready", compare="text"))
case("POST healthy", POST("/-/healthy"))
case("GET quit", GET("/-/quit", compare="text"))
case("PUT quit with the lifecycle API off", PUT("/-/quit", compare="text"))
case("DELETE quit", DEL("/-/quit"))
case("GET / is a page", GET("/"), tags=["ui"])
case("GET /status is a page", GET("/status"), tags=["ui"])
case("GET / with groups", PUT(J + "a/x/%3Cscript%3E", G1), GET("/"), tags=["ui"])
case("GET unknown path", GET("/nope"))
case("api status", GET("/api/v1/status", compare="status"))
case("api metrics, empty", GET("/api/v1/metrics", compare="api"))
case("api metrics, gauge", PUT(J + "a/x/1", G1), GET("/api/v1/metrics", compare="api"))
case("api metrics, histogram and summary", PUT(J + "a", "# TYPE h histogram\nh_bucket{le=\"0.1\"} 1\nh_bucket{le=\"+Inf\"} 4\nh_sum 2.5\nh_count 4\n# TYPE s summary\ns{quantile=\"0.5\"} 1.25\ns_sum 17\ns_count 9\n"), GET("/api/v1/metrics", compare="api"))
case("api metrics, Origin header", GET("/api/v1/metrics", {"Origin": "http://example.org"}))
case("api OPTIONS", S("OPTIONS", "/api/v1/metrics"))
case("api OPTIONS anything", S("OPTIONS", "/api/v1/anything/at/all"))
case("api DELETE metrics", DEL("/api/v1/metrics"))
case("api HEAD status", S("HEAD", "/api/v1/status"))
case("api unknown", GET("/api/v1/nope"))
case("api root", GET("/api/v1/"))
case("wipe", PUT(J + "a", "m 1\n"), PUT(J + "b/x/1", "m 1\n"), PUT("/api/v1/admin/wipe", settle=0.2))
case("wipe, then push", PUT(J + "a", "m 1\n"), PUT("/api/v1/admin/wipe", settle=0.2), PUT(J + "a", "n 1\n"))
case("wipe by POST", PUT(J + "a", "m 1\n"), POST("/api/v1/admin/wipe"))
case("wipe by GET", PUT(J + "a", "m 1\n"), GET("/api/v1/admin/wipe"))
case("wipe by DELETE", PUT(J + "a", "m 1\n"), DEL("/api/v1/admin/wipe"))
# --- F. only with --poison, and once per server start: Pushgateway 1.5.1 keeps a mutex locked after a bad
# job@base64, so every later request of the same method to job@base64 hangs (fixed in 1.6.1)
case("base64 bad job (PUT)", PUT("/metrics/job@base64/x.y", "m 1\n"), tags=["poison"])
case("base64 bad job (POST)", POST("/metrics/job@base64/x.y", "m 1\n"), tags=["poison"])
case("base64 bad job (DELETE)", DEL("/metrics/job@base64/x.y"), tags=["poison"])
case("base64 bad job with labels (PUT)", PUT("/metrics/job@base64/x.y/a/b", "m 1\n"), tags=["poison"])

# ----------------------------------------------------------------------------- run
HEADERS = ["content-type", "allow", "location", "content-encoding", "cache-control", "www-authenticate",
           "access-control-allow-origin", "access-control-allow-methods", "access-control-allow-headers", "access-control-expose-headers"]

def norm_header(name, v):
    if v is None: return None
    if name == "allow": return ", ".join(sorted(x.strip() for x in v.split(",")))
    if name == "content-type": return re.sub(r"\s*;\s*", "; ", v).lower()
    return v

def groups(t):
    r = t.req("GET", "/api/v1/metrics")
    if r.status != 200: return None
    return json.loads(r.body).get("data") or []

def clean(t, use_wipe):
    if use_wipe and t.req("PUT", "/api/v1/admin/wipe").status == 202: pass
    else:
        for g in groups(t) or []:
            l = dict(g["labels"]); job = l.pop("job")
            t.req("DELETE", "/metrics/job@base64/%s%s" % (b64(job) or "=", "".join("/%s@base64/%s" % (k, b64(v) or "=") for k, v in l.items())))
    end = time.time() + 10
    while time.time() < end:
        g = groups(t)
        if not g: return
        time.sleep(0.01)
    raise SystemExit("%s: could not be brought to a clean state: %s" % (t.name, json.dumps(g)[:300]))

def own_families(text):
    fams, _ = parse_text(text)
    return {n: [f["type"], sorted({k for key in f["samples"] for k, _ in key[1]})] for n, f in fams.items() if n.startswith("pushgateway_")}

def cmp_val(what, a, b, out, limit=6):
    if a == b: return
    if isinstance(a, dict) and isinstance(b, dict):
        n = 0
        for k in sorted(set(a) | set(b), key=str):
            if a.get(k) != b.get(k):
                n += 1
                if n <= limit: cmp_val("%s[%s]" % (what, k), a.get(k), b.get(k), out, limit)
        if n > limit: out.append("%s: ... and %d more differences" % (what, n - limit))
        return
    out.append("%s: ref=%s cand=%s" % (what, json.dumps(a, default=str)[:300], json.dumps(b, default=str)[:300]))

def observe(t, steps, opt, args):
    """Run one case against one server from a clean state -> normalised, JSON-able observation."""
    clean(t, not args.no_wipe)
    ih, out = opt.get("ignore_help", False), {"steps": []}
    for st in steps:
        r = t.req(st["method"], st["path"], st["headers"], st["body"], st.get("chunked", False))
        o = {"status": r.status, "headers": {h: norm_header(h, r.h.get(h)) for h in HEADERS if r.h.get(h) is not None}, "body": r.body[:300].decode("utf8", "replace")}
        try:
            mode, text = st.get("compare"), r.body.decode("utf8", "replace")
            if mode == "text": o["text"] = text
            elif mode == "api": o["json"] = norm_api(r.body, ih)
            elif mode == "status":
                j = json.loads(r.body); d = j["data"]
                o["shape"] = {"status": j.get("status"), "keys": sorted(d), "build": sorted(d["build_information"]), "start_time": bool(TS_RE.match(d["start_time"])), "flags are strings": all(isinstance(v, str) for v in d["flags"].values())}
            elif mode == "metrics": o["metrics"], o["exposition"] = norm_metrics(text)
            elif mode == "own": o["own families"] = own_families(text)
        except (ValueError, KeyError, TypeError) as e:
            o["unusable body"] = repr(e)
        if args.bodies and st["method"] != "GET": o["text"] = o["body"]
        out["steps"].append(o); time.sleep(st.get("settle", args.settle))
    if any(o["status"] == 202 for o in out["steps"]): time.sleep(0.05)      # 202 = queued, not done yet
    r = t.req("GET", "/metrics"); out["/metrics"] = {"status": r.status}
    if r.status == 200: out["/metrics"]["metrics"], out["/metrics"]["exposition"] = norm_metrics(r.body.decode("utf8", "replace"), ih)
    r = t.req("GET", "/api/v1/metrics"); out["/api/v1/metrics"] = {"status": r.status}
    try: out["/api/v1/metrics"]["json"] = norm_api(r.body, ih)
    except ValueError as e: out["/api/v1/metrics"]["unusable body"] = repr(e)
    if "cleanup" in opt: t.req(opt["cleanup"]["method"], opt["cleanup"]["path"])
    return json.loads(json.dumps(out))

def compare(steps, ref, cand):
    diffs = []
    for i, (st, a, b) in enumerate(zip(steps, ref["steps"], cand["steps"])):
        tag = "step %d %s %s" % (i + 1, st["method"], st["path"][:70])
        for who, o in (("reference", a), ("candidate", b)):
            if isinstance(o["status"], str): diffs.append("%s: no answer from the %s: %s" % (tag, who, o["status"]))
        if a["status"] != b["status"]: diffs.append("%s: status ref=%s cand=%s (ref body %r, cand body %r)" % (tag, a["status"], b["status"], a["body"][:160], b["body"][:160]))
        for k in sorted((set(a) | set(b)) - {"status", "body"}): cmp_val("%s %s" % (tag, k), a.get(k), b.get(k), diffs)
    for k in ("/metrics", "/api/v1/metrics"): cmp_val("afterwards " + k, ref[k], cand[k], diffs)
    return diffs

def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--ref", help="base URL of the reference Pushgateway"); ap.add_argument("--cand", help="base URL of the candidate")
    ap.add_argument("--only", help="run only the cases whose name matches this regex"); ap.add_argument("--list", action="store_true")
    ap.add_argument("--skip-tag", action="append", default=[]); ap.add_argument("--bodies", action="store_true", help="also compare the text of non-GET response bodies")
    ap.add_argument("--no-wipe", action="store_true", help="clean by DELETE of each group, not by the admin API")
    ap.add_argument("--settle", type=float, default=0.0, help="seconds to wait after each step (use 0.05 when pushes are asynchronous, i.e. --push.disable-consistency-check)")
    ap.add_argument("--poison", action="store_true", help="also run the cases that wedge a 1.5.1 server (restart both servers afterwards)")
    ap.add_argument("--differs", metavar="NAME", action="append", default=[], help="this case is meant to differ from the reference")
    ap.add_argument("--timeout", type=float, default=10); ap.add_argument("-v", action="store_true")
    ap.add_argument("--record", metavar="FILE", help="only run against --ref and write what it did to FILE (golden file)")
    ap.add_argument("--golden", metavar="FILE", help="compare --cand with such a golden file instead of a live reference"); ap.add_argument("--json", help="write the results to this file")
    args = ap.parse_args()
    todo = [c for c in CASES if (not args.only or re.search(args.only, c[0])) and not (c[2] & set(args.skip_tag)) and (args.poison or "poison" not in c[2])]
    if args.list:
        for n, s, t, _ in todo: print(n, "[%d steps]" % len(s), " ".join(sorted(t)))
        print(len(todo), "cases"); return 0
    if args.record:
        if not args.ref: ap.error("--record needs --ref")
        ref = Target("reference", args.ref, args.timeout); gold = {}
        for name, steps, tags, opt in todo: gold[name] = observe(ref, steps, opt, args)
        with open(args.record, "w") as f: json.dump(gold, f, indent=0, sort_keys=True)
        clean(ref, not args.no_wipe); print("recorded %d cases" % len(gold)); return 0
    if not args.cand or not (args.ref or args.golden): ap.error("--cand and one of --ref, --golden are needed")
    assert len({c[0] for c in CASES}) == len(CASES), "case names must be unique"
    ref, cand = args.ref and Target("reference", args.ref, args.timeout), Target("candidate", args.cand, args.timeout)
    unknown = set(args.differs) - {c[0] for c in CASES}
    if unknown: ap.error("no such case: %s" % ", ".join(sorted(unknown)))
    gold = json.load(open(args.golden)) if args.golden else None
    ok, bad, res, t0 = 0, 0, [], time.time()
    for name, steps, tags, opt in todo:
        tc = time.time()
        if gold is not None and name not in gold: d = ["not in the golden file"]
        else: d = compare(steps, gold[name] if gold is not None else observe(ref, steps, opt, args), observe(cand, steps, opt, args))
        if name in args.differs: d = [] if d else ["is meant to differ, and does not"]
        tc = time.time() - tc
        if args.v and tc > 2: print("slow  %s (%.1f s)" % (name, tc))
        res.append({"case": name, "tags": sorted(tags), "mismatches": d})
        if d:
            bad += 1; print("FAIL  " + name + (" [%s]" % ",".join(sorted(tags)) if tags else ""))
            for x in d: print("      " + x)
        else:
            ok += 1
            if args.v: print("ok    " + name)
    for t in (ref, cand):
        if t: clean(t, not args.no_wipe)
    if args.differs: print("meant to differ: %s" % ", ".join(args.differs))
    if args.json: json.dump(res, open(args.json, "w"), indent=1)
    print("%d cases in %.1f s" % (len(todo), time.time() - t0))
    print("%d passed, %d failed" % (ok, bad))
    return 1 if bad else 0

if __name__ == "__main__":
    try: sys.exit(main())
    except SystemExit as e:
        if isinstance(e.code, str): print(e.code, file=sys.stderr); sys.exit(2)
        raise
