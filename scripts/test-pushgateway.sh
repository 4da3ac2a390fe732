#!/usr/bin/env bash
# Compares pushgateway-ex with the real Pushgateway, request by request: scripts/pushgateway_conformance.py has the cases. Then Prometheus's
# Python client (from PyPI, in target/tools/python) pushes with each of its functions, and promtool looks at what is shown. All run on
# loopback, on ports that are free, and keep nothing but what is in a temporary directory.
#
# usage: scripts/test-pushgateway.sh [OPTION-OF-THE-CHECKER...]      exit 0: they answer alike
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
PATH=$PATH:$root/target/tools/bin
reference=$root/target/tools/bin/pushgateway
candidate=${PUSHGATEWAY_EX:-$root/target/debug/pushgateway-ex}
work=$(mktemp -d)
pids=()
trap 'kill "${pids[@]}" 2>/dev/null || true; wait; rm -rf "$work"' EXIT

# Debian's page needs its templates, which scripts/tools.sh has found; upstream's binary has them built in.
assets=$root/target/tools/pushgateway-pages
own=()
if [[ -d $assets ]]; then
    own=(--web.local-assets="$assets")
fi

# What Debian's 1.5.1 does and this one is meant not to: a label in the path that is not UTF-8 makes every later scrape fail; a metric name that
# is none goes into the exposition; a snappy header is ignored, and a gzip header in capitals (as newer versions no longer do).
differs=(
    --differs='percent-encoded invalid UTF-8'
    --differs='protobuf bad metric name'
    --differs='snappy framed'
    --differs='snappy header, plain body'
    --differs='GZIP header in upper case'
)

# A server that asks for a password answers as well.
ask='
import ssl, sys, urllib.error, urllib.request
url, *tls = sys.argv[1:]
context = None
if tls:
    context = ssl.create_default_context(cafile=tls[0])
    context.load_cert_chain(*tls[1:])
try:
    urllib.request.urlopen(url, context=context)
except urllib.error.HTTPError as error:
    sys.exit(error.code != 401)
'

# Where it is set, servers are asked over TLS: the authority, and a client's certificate and key.
tls=()

# Status and place of what servers answer to paths below /Push/gw, in its case and in another; they must be the same.
below='
import http.client, sys
paths = ["", "/", "/status/", "/metrics", "/METRICS", "/metrics/", "/metrics/job/A", "/Metrics/job/A/x/Y", "/metrics/job/", "x", "/nothing"]
paths += ["/api/v1/status", "/-/ready", "/-/Ready"]
def answers(base):
    for method in ["GET", "HEAD", "PUT", "POST", "DELETE", "OPTIONS"]:
        for path in [prefix + path for prefix in ["/Push/gw", "/push/GW"] for path in paths]:
            connection = http.client.HTTPConnection(base.removeprefix("http://"))
            connection.request(method, path)
            answer = connection.getresponse()
            yield method, path, answer.status, answer.getheader("Location")
            connection.close()
reference, candidate = (list(answers(base)) for base in sys.argv[1:])
for answer in reference:
    if answer[2] >= 500:
        print("the reference itself fails here, so that nothing is compared:", *answer)
differ = [both for both in zip(reference, candidate) if both[0] != both[1] and both[0][2] < 500 or both[1][2] >= 500]
for both in differ:
    print("reference and candidate differ below a prefix:", *both)
print(f"below a prefix: {len(reference)} requests, {len(differ)} failed")
sys.exit(bool(differ))
'

# start URL-FILE COMMAND...: runs a server on a free port and writes its address once it is ready. Its paths are below $prefix.
start() {
    local to=$1 log=$1.log scheme=http port attempt
    if ((${#tls[@]} > 0)); then scheme=https; fi
    shift
    port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
    "$@" --web.listen-address="127.0.0.1:$port" --web.enable-admin-api >"$log" 2>&1 &
    pids+=($!)
    for ((attempt = 0; attempt < 100; attempt++)); do
        if python3 -c "$ask" "$scheme://127.0.0.1:$port${prefix:-}/-/ready" "${tls[@]}" 2>/dev/null; then
            echo "$scheme://127.0.0.1:$port" >"$to"
            return
        fi
        kill -0 "${pids[-1]}" 2>/dev/null || break
    done
    cat "$log" >&2
    echo "$1 did not become ready" >&2
    return 1
}

start "$work/reference" "$reference" --persistence.file= "${own[@]}"
start "$work/candidate" "$candidate" --persistence.file="$work/store"
prefix=/Push/gw start "$work/reference-below" "$reference" --persistence.file= --web.route-prefix=/Push/gw "${own[@]}"
prefix=/Push/gw start "$work/candidate-below" "$candidate" --persistence.file= --web.route-prefix=/Push/gw
python3 -c "$below" "$(<"$work/reference-below")" "$(<"$work/candidate-below")"

python=$root/target/tools/python
if ! "$python/bin/python" -c 'import prometheus_client' 2>/dev/null; then
    rm -rf "$python"
    python3 -m venv "$python" && "$python/bin/pip" install --quiet 'prometheus_client==0.23.1' || {
        echo "test-pushgateway.sh: no prometheus_client: install Debian's python3-venv, and let pip reach PyPI" >&2
        exit 1
    }
fi
# Of the password `secret`.
echo 'basic_auth_users: {python: $2b$04$luj/I6RRL.OZiFesZs/E3uaIO2o9Hj/w7mRuZ3nfiznpZ9tolFmDG}' >"$work/web.yml"
start "$work/plain" "$candidate" --persistence.file=
start "$work/locked" "$candidate" --persistence.file= --web.config.file="$work/web.yml"
# An authority, a server's certificate and a client's.
key=(-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes)
openssl req -x509 "${key[@]}" -keyout "$work/ca.key" -out "$work/ca.crt" -subj /CN=ca -days 2 2>/dev/null
for name in server client; do
    openssl req "${key[@]}" -keyout "$work/$name.key" -out "$work/$name.csr" -subj "/CN=$name" 2>/dev/null
    openssl x509 -req -in "$work/$name.csr" -CA "$work/ca.crt" -CAkey "$work/ca.key" -CAcreateserial -out "$work/$name.crt" -days 2 \
        -extfile <(echo 'subjectAltName=IP:127.0.0.1') 2>/dev/null
done
echo 'tls_server_config: {cert_file: server.crt, key_file: server.key, client_ca_file: ca.crt, client_auth_type: RequireAndVerifyClientCert}' \
    >"$work/tls.yml"
tls=("$work/ca.crt" "$work/client.crt" "$work/client.key")
start "$work/mutual" "$candidate" --persistence.file= --web.config.file="$work/tls.yml"
"$python/bin/python" "$root/scripts/pushgateway_python.py" "$(<"$work/plain")" "$(<"$work/locked")" "$(<"$work/mutual")" "${tls[@]}"
python3 -c 'import sys, urllib.request; sys.stdout.buffer.write(urllib.request.urlopen(sys.argv[1]).read())' "$(<"$work/plain")/metrics" |
    "$root/target/tools/bin/promtool" check metrics

python3 "$root/scripts/pushgateway_conformance.py" --ref "$(<"$work/reference")" --cand "$(<"$work/candidate")" "${differs[@]}" "$@"
