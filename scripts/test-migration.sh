#!/usr/bin/env bash
# Migrates a realistic Sensu installation and lays what comes of it before the real tools: amtool takes the configuration and sends alerts where
# Sensu's handlers did, promtool takes the rules, a real Alertmanager the silences.
#
# usage: scripts/test-migration.sh        exit 0: all hold
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
bin=$root/target/tools/bin
work=$(mktemp -d)
trap 'kill "${pid:-}" 2>/dev/null || true; wait; rm -rf "$work"' EXIT
out=$work/out
config=$out/alertmanager/alertmanager.yml

status=0
"$root/target/debug/checkscript-runner" migrate --from "$root/checkscript-runner/tests/fixtures/migrate/installation" --out "$out" || status=$?
[[ $status -eq 1 ]] || { echo "test-migration.sh: exit status $status, though there is something to see to" >&2; exit 1; }
"$bin/amtool" check-config "$config"
"$bin/promtool" check rules "$out"/prometheus/*.yml

# told RECEIVERS LABEL=VALUE...: the alert of these labels goes there.
failed=0
told() {
    local want=$1 got
    shift
    got=$("$bin/amtool" config routes test --config.file="$config" "$@" 2>/dev/null)
    if [[ $got != "$want" ]]; then
        echo "test-migration.sh: $* goes to \"$got\", not to \"$want\"" >&2
        failed=1
    fi
}
critical=(alertname=CheckCritical severity=critical instance=web-001)
warning=(alertname=CheckWarning severity=warning instance=web-001)
told mailer,slack "${critical[@]}" handlers=,default, check=check-load
told mailer,slack "${critical[@]}" check=check-ssl-local
told mailer,slack alertname=NodeDown severity=critical instance=web-001
# The handler's severities: a warning is not mailed, and is not unclaimed for that.
told "no one,slack" "${warning[@]}" handlers=,default, check=check-load
told "no one" "${warning[@]}" handlers=,mailer, check=check-https
# CheckFlapping takes the routes of what it inhibits.
told mailer alertname=CheckFlapping severity=warning instance=web-001 handlers=,mailer, check=check-load
told mailer+web-team "${critical[@]}" handlers=,mailer, check=check-https
told mailer+dba,slack "${critical[@]}" handlers=,default,pagerduty, check=check-mysql
told slack "${critical[@]}" handlers=,graylog, check=check-es-heap
told slack-night "${critical[@]}" handlers=,slack-night, check=check-mysql-slow
# What Alertmanager cannot do as it is told all the same.
told "no handler" "${critical[@]}" handlers=,sms, check=check-dns
told "no handler" "${critical[@]}" handlers=,unheard-of, check=check-license
told "no one" "${critical[@]}" handlers=,slack, check=check-sitemap
told "no one" alertname=Watchdog severity=none
[[ $failed -eq 0 ]]

# The silences, in an Alertmanager that tells nobody anything.
printf 'route: {receiver: nobody}\nreceivers: [{name: nobody}]\n' >"$work/quiet.yml"
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
"$bin/alertmanager" --config.file="$work/quiet.yml" --storage.path="$work/data" --web.listen-address="127.0.0.1:$port" --cluster.listen-address= \
    >"$work/alertmanager.log" 2>&1 &
pid=$!
deadline=$((SECONDS + 30))
until curl -sf --max-time 5 "http://127.0.0.1:$port/-/ready" >/dev/null; do
    if ! kill -0 "$pid" 2>/dev/null || ((SECONDS >= deadline)); then
        echo "test-migration.sh: Alertmanager does not get ready:" >&2
        cat "$work/alertmanager.log" >&2
        exit 1
    fi
    sleep 0.1
done
"$bin/amtool" --alertmanager.url="http://127.0.0.1:$port" silence import "$out/alertmanager/silences.json" >"$work/imported"
silences=$("$bin/amtool" --alertmanager.url="http://127.0.0.1:$port" silence query --quiet | wc -l)
[[ $silences -eq 3 ]] || { echo "test-migration.sh: $silences silences, not 3" >&2; exit 1; }
echo "the migration of 50 checks and 8 handlers stands before amtool, promtool and Alertmanager"
