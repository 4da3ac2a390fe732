# shellcheck shell=bash disable=SC2154 # sourced by test-checks.sh
# check-tls-secrets.sh: with certificates made here, so that openssl really judges them; the time is told by --now.

authority() { # NAME ISSUER DAYS: a certificate NAME that ISSUER has signed; ISSUER may be NAME
    local dir=$work/tls
    mkdir -p "$dir"
    openssl req -newkey rsa:2048 -nodes -keyout "$dir/$1.key" -out "$dir/$1.req" -subj "/CN=$1" 2>/dev/null
    printf 'basicConstraints=CA:%s\n' "$([[ $1 == ca* ]] && echo TRUE || echo FALSE)" >"$dir/extensions"
    if [[ $1 == "$2" ]]; then
        openssl x509 -req -in "$dir/$1.req" -signkey "$dir/$1.key" -days "$3" -extfile "$dir/extensions" -out "$dir/$1.crt" 2>/dev/null
    else
        openssl x509 -req -in "$dir/$1.req" -CA "$dir/$2.crt" -CAkey "$dir/$2.key" -set_serial 7 -days "$3" -extfile "$dir/extensions" -out "$dir/$1.crt" 2>/dev/null
    fi
}

# secret NAME KEY CERTIFICATE...: one Secret, as JSON.
secret() {
    local name=$1 key=$2 dir=$work/tls
    shift 2
    jq -n --arg name "$name" --arg crt "$(cd "$dir" && cat /dev/null "${@/%/.crt}" | openssl base64 -A)" --arg key "$(openssl base64 -A -in "$dir/$key.key")" \
        '{kind: "Secret", type: "kubernetes.io/tls", metadata: {namespace: "shop", name: $name}, data: {"tls.crt": $crt, "tls.key": $key}}'
}

secrets() { jq -s '{kind: "List", items: .}' | kubectl_says; }

test_tls() {
    local check=("$@" "$checks/check-tls-secrets.sh") now day=86400 fake
    now=$(date +%s)
    fake=("${check[@]}" --now)
    test_cluster CheckTlsSecrets kubectl "${check[@]}"
    if [[ ! -e $work/tls/web.crt ]]; then
        authority ca ca 100
        authority ca-inner ca 60
        authority ca-other ca-other 100
        authority web ca-inner 30
    fi
    secret web web web ca-inner ca | secrets
    expect 0 "CheckTlsSecrets OK: 1 TLS Secrets are valid \| total=1;;;0 problems=0;1;;0 soonest_days=29;21:;7:" faked "${fake[@]}" $((now + 100))
    expect 0 ".* --field-selector=type=kubernetes.io/tls --all-namespaces" tail -n 1 "$work/kubectl.calls"
    expect 1 "CheckTlsSecrets WARNING: 1 problem in 1 TLS Secrets: shop/web: certificate ends in 14 d \| .*" faked "${fake[@]}" $((now + 15 * day + 3600))
    expect 2 "CheckTlsSecrets CRITICAL: .* ends in 4 d \| .*" faked "${fake[@]}" $((now + 25 * day + 3600))
    expect 0 "CheckTlsSecrets OK: .*" faked "${fake[@]}" $((now + 25 * day + 3600)) -w 2 -c 1
    expect 2 "CheckTlsSecrets CRITICAL: 2 problems in .*: shop/web: certificate ended 25 d ago, shop/web: issuer 1 ends in 4 d \| .* soonest_days=-26;.*" faked "${fake[@]}" $((now + 55 * day + 3600))
    expect 2 "CheckTlsSecrets CRITICAL: 3 problems in .*: shop/web: certificate is not valid before .*" faked "${fake[@]}" $((now - day))
    { secret chain web web ca-other && secret 'key|' ca web && secret none web && secret order web web ca ca-inner; } | secrets
    expect 2 "CheckTlsSecrets CRITICAL: 5 problems in 4 TLS Secrets: shop/chain has a broken chain: certificate 2 of 2 did not sign the one before it, shop/key\? has the private key of another certificate, shop/none has no certificate, and 2 more \| .*" faked "${fake[@]}" $((now + 100))
    secret web web web | jq '.data["tls.crt"] = "$(id)"' | secrets
    expect 2 "CheckTlsSecrets CRITICAL: .*: shop/web has no certificate \| .*" faked "${fake[@]}" "$now"
    secret web web web | jq '.data["tls.crt"] = ("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n" | @base64)' | secrets
    expect 2 "CheckTlsSecrets CRITICAL: .*: shop/web has a certificate that cannot be read \| .*" faked "${fake[@]}" "$now"
    secret web web web | jq 'del(.data["tls.key"])' | secrets
    expect 2 "CheckTlsSecrets CRITICAL: .*: shop/web has no private key that can be read \| .*" faked "${fake[@]}" $((now + 100))
    expect 0 "CheckTlsSecrets OK: 0 TLS Secrets are valid \| total=0;;;0 problems=0;1;;0" faked "${fake[@]}" "$now" -x ^shop/
}
