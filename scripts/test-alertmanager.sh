#!/usr/bin/env bash
# Proves the Alertmanager examples with the real amtool: the configurations are valid, name only templates that exist, and the
# templates say what they should. Each folder of examples/alertmanager/tests/ is a notification (data.json), the mail's body as
# sensu-plugins-mailer writes it (mail.txt, to the byte) and all else that is sent (rest.txt).
#
# usage: scripts/test-alertmanager.sh             exit 1 when something differs
#        UPDATE=1 scripts/test-alertmanager.sh    writes mail.txt and rest.txt as they are now; review them
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
"$root/scripts/tools.sh"
amtool=$root/target/tools/bin/amtool
templates=$root/examples/alertmanager/sensu.tmpl
cases=$root/examples/alertmanager/tests
configs=("$root"/examples/alertmanager/alertmanager.yml "$root"/examples/quickstart/alertmanager.yml)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0 passed=0
export TZ=Asia/Tokyo # of times that no annotation gives

fail() {
    failed=$((failed + 1))
    printf 'FAILED: %s\n' "$*"
}

pass() { passed=$((passed + 1)); }

# render TEXT DATA-FILE
render() { "$amtool" template render --template.glob="$templates" --template.text="$1" --template.data="$2"; }

mail='{{ template "sensu.mail.text" . }}'
rest='Subject: {{ template "sensu.mail.subject" . }}
X-Sensu-Host: {{ template "sensu.mail.header.host" . }}
X-Sensu-Timestamp: {{ template "sensu.mail.header.timestamp" . }}
X-Sensu-Address: {{ template "sensu.mail.header.address" . }}
X-Sensu-Check-Name: {{ template "sensu.mail.header.check-name" . }}
X-Sensu-Status: {{ template "sensu.mail.header.status" . }}
X-Sensu-Occurrences: {{ template "sensu.mail.header.occurrences" . }}
Slack title: {{ template "sensu.slack.title" . }}
Slack color: {{ template "sensu.slack.color" . }}
Slack text: {{ template "sensu.slack.text" . }}
'

# same NAME EXPECTED-FILE ACTUAL-FILE
same() {
    if [[ -n ${UPDATE-} ]]; then
        cp "$3" "$2"
    elif ! diff -u --label "$2" "$2" --label actual "$3"; then
        fail "$1"
        return
    fi
    pass
}

# bounded NAME FILE MIN MAX: FILE has MIN to MAX bytes.
bounded() {
    local size
    size=$(wc -c <"$2")
    if [[ $size -ge $3 && $size -le $4 ]]; then pass; else fail "$1: $size bytes, not $3 to $4"; fi
}

test_configs() {
    local config name
    for config in "${configs[@]}"; do
        if "$amtool" check-config "$config" >"$work/check" 2>&1; then pass; else fail "amtool check-config $config" && cat "$work/check"; fi
        # amtool does not see a name that no template has; Alertmanager would when it sends.
        while read -r name; do
            if grep -q "define \"$name\"" "$templates"; then pass; else fail "$config names the template $name, which is not in $templates"; fi
        done < <(grep -v '^ *#' "$config" | grep -o 'template "[^"]*"' | cut -d'"' -f2 | sort -u)
    done
}

test_cases() {
    local case name
    for case in "$cases"/*/; do
        name=$(basename "$case")
        render "$mail" "$case/data.json" >"$work/mail.txt" || fail "$name: the mail does not render"
        render "$rest" "$case/data.json" >"$work/rest.txt" || fail "$name: headers or Slack do not render"
        same "$name/mail.txt" "$case/mail.txt" "$work/mail.txt"
        same "$name/rest.txt" "$case/rest.txt" "$work/rest.txt"
    done
}

# notification OUTPUT-DETAIL COUNT: so many checks fire.
notification() {
    local i comma=
    printf '{"receiver":"sensu","status":"firing","externalURL":"http://am","alerts":['
    for ((i = 1; i <= $2; i++)); do
        printf '%s{"status":"firing","labels":{"alertname":"CheckWarning","severity":"warning","check":"check%s","instance":"n:9780"},' "$comma" "$i"
        printf '"annotations":{"output_detail":"%s"},"startsAt":"2026-08-17T21:04:20Z"}' "$1"
        comma=,
    done
    printf ']}'
}

test_sizes() {
    local megabyte
    notification text 50 >"$work/fifty.json"
    render "$mail" "$work/fifty.json" >"$work/fifty.txt"
    if [[ $(grep -c '^Check Name:  check[0-9]*$' "$work/fifty.txt") -eq 50 ]]; then pass; else fail "a mail of 50 checks does not tell them all"; fi
    render "$rest" "$work/fifty.json" >"$work/fifty.txt"
    if grep -q '^\.\.\. 50 alerts in all$' "$work/fifty.txt"; then pass; else fail "a Slack message of 50 checks does not say how many"; fi

    # Every character grows to five in Slack's escapes.
    megabyte=$(head -c 1000000 /dev/zero | tr '\0' '&')
    notification "$megabyte" 1 >"$work/one.json"
    render "$mail" "$work/one.json" >"$work/one.txt"
    bounded "a mail of 1 MB" "$work/one.txt" 1000000 1001000
    render '{{ template "sensu.slack.text" . }}' "$work/one.json" >"$work/one.txt"
    bounded "Slack's text of 1 MB" "$work/one.txt" 7500 8000
    notification "$megabyte" 8 >"$work/eight.json"
    render '{{ template "sensu.slack.text" . }}' "$work/eight.json" >"$work/eight.txt"
    bounded "Slack's text of 8 checks with 1 MB each" "$work/eight.txt" 37500 40000
}

test_configs
test_cases
test_sizes
echo "Alertmanager examples: $passed passed, $failed failed"
[[ $failed -eq 0 ]]
