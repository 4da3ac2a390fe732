#!/usr/bin/env bash
# Proves the rules with the real promtool: syntax, unit tests, and the configurations that load them.
#
# usage: scripts/test-rules.sh
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
"$root/scripts/tools.sh"
promtool=$root/target/tools/bin/promtool

"$promtool" check rules "$root"/rules/*.yml
for config in "$root/examples/quickstart/prometheus.yml" "$root"/examples/prometheus/*.yml; do
    "$promtool" check config "$config"
done
"$promtool" test rules "$root"/rules/tests/*.yml

# A rule without a unit test is not done.
failed=0
while read -r rule; do
    if ! grep -q "alertname: $rule\b" "$root"/rules/tests/*.yml; then
        echo "FAILED: no unit test in rules/tests/ names the alert $rule"
        failed=1
    fi
done < <(sed -n 's/^ *- alert: //p' "$root"/rules/*.yml | sort -u)

# What to do is told where the alert says. Alerts of checks leave that annotation to the definition's own `playbook`.
while read -r rule; do
    if [[ $rule != Check@(Warning|Critical|Unknown|Stale|Flapping) ]] &&
        ! grep -q "playbook: docs/operations/troubleshooting.md#${rule,,}\$" "$root"/rules/*.yml; then
        echo "FAILED: the alert $rule has no playbook: docs/operations/troubleshooting.md#${rule,,}"
        failed=1
    fi
done < <(sed -n 's/^ *- alert: //p' "$root"/rules/*.yml | sort -u)

# Whatever address a node is scraped at, `instance` is its name.
nodes=$("$promtool" check service-discovery --timeout=1s "$root/examples/prometheus/cluster.yml" checkscript |
    sed -n 's/^ *"instance": "\(.*\)",$/\1/p' | sort | xargs)
if [[ $nodes != "db-1 web-1 web-2" ]]; then
    echo "FAILED: examples/prometheus/cluster.yml names the nodes \"$nodes\""
    failed=1
fi
exit "$failed"
