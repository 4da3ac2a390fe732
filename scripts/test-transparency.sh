#!/usr/bin/env bash
# Proves that alertmanager-proxy is an Alertmanager to whoever asks it: sends the same requests to a bare Alertmanager
# and through the proxy to a second one, and compares every answer (scripts/alertmanager_transparency.py); some of it
# once more below the proxy's prefix /alertmanager.
#
# Two groups of requests are left out, whose answers differ on purpose: API v1, which is 410 at the proxy, and
# `[null]`, at which old Alertmanagers hang up and the proxy answers 400.
#
# usage: scripts/test-transparency.sh [OPTION...]     those of alertmanager_transparency.py, such as --only REGEX
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
"$root/scripts/tools.sh"
tools=$root/target/tools/bin
work=$(mktemp -d)
started=()

finish() {
    local pid
    for pid in "${started[@]}"; do kill "$pid" 2>/dev/null || true; done
    for pid in "${started[@]}"; do wait "$pid" 2>/dev/null || true; done
    rm -rf "$work"
}
trap finish EXIT

# Ports that nobody uses now.
read -r direct_port behind_port via_port < <(python3 - <<'PYTHON'
import socket
held = [socket.create_server(("127.0.0.1", 0)) for _ in range(3)]
print(*(one.getsockname()[1] for one in held))
PYTHON
)

# start NAME PORT COMMAND...: starts a program, its output in a file, and waits until it is ready.
start() {
    local name=$1 port=$2 _
    shift 2
    "$@" >"$work/$name.log" 2>&1 &
    started+=($!)
    for _ in {1..300}; do
        if curl -sf "http://127.0.0.1:$port/-/ready" >/dev/null; then return; fi
        if ! kill -0 "${started[-1]}" 2>/dev/null; then break; fi
        sleep 0.1
    done
    printf '%s does not get ready:\n' "$name" >&2
    cat "$work/$name.log" >&2
    exit 1
}

printf 'route: {receiver: hook}\nreceivers: [{name: hook}]\n' >"$work/alertmanager.yml"
# Debian's Alertmanager takes only the names that the first ones took.
printf 'alertmanagers: [{url: "http://127.0.0.1:%s"}]\nname_validation_scheme: legacy\n' "$behind_port" \
    >"$work/proxy.yml"

for name in direct behind; do
    port_of=${name}_port
    start "$name" "${!port_of}" "$tools/alertmanager" --config.file="$work/alertmanager.yml" \
        --storage.path="$work/$name" --web.listen-address="127.0.0.1:${!port_of}" --cluster.listen-address=
done
start via "$via_port" "$root/target/debug/alertmanager-proxy" --config.file="$work/proxy.yml" \
    --web.listen-address="127.0.0.1:$via_port"

# compare PREFIX OPTION...
compare() {
    local prefix=$1
    shift
    python3 "$root/scripts/alertmanager_transparency.py" --direct "http://127.0.0.1:$direct_port" \
        --via "http://127.0.0.1:$via_port$prefix" --amtool "$tools/amtool" --skip-tag v1 --skip-tag crash "$@"
}

# Alerts take a moment through the proxy, everything else is answered by Alertmanager itself.
compare "" --settled-by alertmanager_proxy_oldest_unforwarded_alert_age_seconds "$@"
if [[ $# -eq 0 ]]; then
    compare /alertmanager --only '^(status|receivers|silence |api|UI|unknown|alerts [A-Z])'
fi
