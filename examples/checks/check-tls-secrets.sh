#!/bin/sh
# Secrets of type kubernetes.io/tls: when each certificate of the chain ends, whether the chain holds together, whether the key is that of
# the certificate. Needs kubectl, jq and openssl, and permission to list secrets: run it where who reads it may see them, with -n or
# a Role for the namespaces where it matters. Private keys stay in a folder of this check's user and leave with it.
# shellcheck disable=SC2034,SC2154 # it shares variables with cluster.sh and kubernetes.sh

usage() {
    cat <<'TEXT'
usage: check-tls-secrets.sh [-w DAYS] [-c DAYS] [-n NAMESPACE] [-l SELECTOR] [-x PATTERN] [OPTION]...
  -w DAYS       WARNING when a certificate ends within these (default 21)
  -c DAYS       CRITICAL likewise (default 7); also: has ended, chain broken, key of another certificate
TEXT
    kubernetes_usage
}

name=CheckTlsSecrets
here=$(dirname -- "$0")
for part in cluster kubernetes; do
    [ -r "$here/$part.sh" ] || { echo "$name UNKNOWN: $part.sh must lie beside this script" && exit 3; }
    # shellcheck source=/dev/null
    . "$here/$part.sh"
done

warn=21 crit=7
own="-w -c $kubernetes_own"
own_option() {
    case $1 in
    -w) whole "$1" "$2" && warn=$2 ;;
    -c) whole "$1" "$2" && crit=$2 ;;
    *) kubernetes_option "$1" "$2" ;;
    esac
}
umask 077
options "$@"
needed openssl
kubernetes secrets namespaced --field-selector=type=kubernetes.io/tls

# shellcheck disable=SC2016 # the dollars are jq's
secrets='[list[] | select(.type == "kubernetes.io/tls") | select("\(.metadata.namespace)/\(.metadata.name)" | test($exclude) | not)]'
# A number instead of the name, and base64 only: nothing of a Secret is seen by the shell as text.
jq -r --arg exclude "$exclude" "$prelude$secrets"' | to_entries[] | "\(.key)"
    + ([.value.data["tls.crt", "tls.key"] | . // "" | if test("^[A-Za-z0-9+/=]+$") then " " + . else " -" end] | add)' \
    "$dir/answer" >"$dir/secrets" 2>"$dir/error" || unknown "the answer cannot be read: $(said "$dir/error")"

# certificates FILE: split into FILE.1, FILE.2 and so on; how many.
certificates() {
    awk -v file="$1" '
        /-----BEGIN (TRUSTED |X509 )?CERTIFICATE-----/ { n++; inside = 1; printf "" >(file "." n) }
        inside { print >(file "." n) }
        /-----END/ { if (inside) close(file "." n); inside = 0 }
        END { print n + 0 }' "$1"
}

# signed_by CERTIFICATE ISSUER: whether it is, whatever the time.
signed_by() {
    ! openssl verify -partial_chain -trusted "$2" "$1" 2>&1 | grep -qiE 'unable to|signature failure|invalid CA|self.signed|unhandled'
}

# facts NUMBER CERTIFICATE KEY: lines NUMBER bad TEXT, or NUMBER not(Before|After) WHICH DATE.
facts() {
    printf '%s' "$2" | openssl base64 -d -A >"$dir/chain"
    printf '%s' "$3" | openssl base64 -d -A >"$dir/key"
    count=$(certificates "$dir/chain")
    if [ "$count" -eq 0 ]; then
        echo "$1 bad has no certificate"
        return
    fi
    at=0
    while [ "$at" -lt "$count" ] && at=$((at + 1)); do
        which=certificate
        [ "$at" -gt 1 ] && which="issuer-$((at - 1))"
        if ! dates=$(openssl x509 -noout -dates -in "$dir/chain.$at" 2>/dev/null); then
            echo "$1 bad has a $which that cannot be read"
            return
        fi
        printf '%s\n' "$dates" | sed "s/^\(not[A-Za-z]*\)=/$1 \1 $which /"
        if [ "$at" -gt 1 ] && ! signed_by "$dir/chain.$((at - 1))" "$dir/chain.$at"; then
            echo "$1 bad has a broken chain: certificate $at of $count did not sign the one before it"
        fi
    done
    if ! openssl pkey -pubout -passin pass: -in "$dir/key" >"$dir/key.public" 2>/dev/null; then
        echo "$1 bad has no private key that can be read"
    else
        openssl x509 -noout -pubkey -in "$dir/chain.1" >"$dir/chain.public" 2>/dev/null
        cmp -s "$dir/key.public" "$dir/chain.public" || echo "$1 bad has the private key of another certificate"
    fi
}

while read -r number certificate key; do
    facts "$number" "$certificate" "$key" </dev/null
done <"$dir/secrets" >"$dir/facts" 2>/dev/null
jq -R . "$dir/facts" >"$dir/facts.json"

# shellcheck disable=SC2016 # the dollars are jq's
judge "$secrets"' as $secrets
| [$facts[] | split(" ") | {secret: $secrets[.[0] | tonumber], kind: .[1], which: .[2], rest: .[2:],
    time: (if .[1] != "bad" then .[3:] | join(" ") | strptime("%b %d %H:%M:%S %Y %Z") | mktime else null end)}] as $facts
| [$facts[] | (.secret | full) as $of | (.which // "" | sub("-"; " ")) as $which
    | if .kind == "bad" then {level: 2, text: "\($of) \(.rest | join(" "))"}
      elif .kind == "notBefore" and .time > $now then {level: 2, text: "\($of): \($which) is not valid before \(.time | todate)"}
      elif .kind == "notAfter" and .time <= $now then {level: 2, text: "\($of): \($which) ended \($now - .time | age) ago"}
      elif .kind == "notAfter" and .time - $now < $crit * 86400 then {level: 2, text: "\($of): \($which) ends in \(.time - $now | age)"}
      elif .kind == "notAfter" and .time - $now < $warn * 86400 then {level: 1, text: "\($of): \($which) ends in \(.time - $now | age)"}
      else empty end]
| report("\($secrets | length) TLS Secrets are valid"; $secrets | length; "TLS Secrets";
    [$facts[] | select(.kind == "notAfter") | (.time - $now) / 86400 | floor] | if length > 0 then ["soonest_days=\(min);\($warn):;\($crit):"] else [] end)' \
    --argjson warn "$warn" --argjson crit "$crit" --arg exclude "$exclude" --slurpfile facts "$dir/facts.json"
