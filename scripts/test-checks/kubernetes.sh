# shellcheck shell=bash disable=SC2154,SC2016 # sourced by test-checks.sh; dollars are jq's
# The checks that ask Kubernetes: a fake kubectl gives recorded answers. The time is 2026-01-02T00:00:00Z.

kube_now=1767312000

# kubectl_says: JSON on standard input becomes the answer of the fake kubectl, which writes down how it was called.
kubectl_says() {
    cat >"$work/kubectl.json"
    program kubectl "printf '%s\n' \"\$*\" >>'$work/kubectl.calls'
case \" \$* \" in *' get '*) cat '$work/kubectl.json' ;; esac"
    : >"$work/kubectl.calls"
}

# objects PROGRAM: a list of what PROGRAM makes, with two helpers.
objects() {
    jq -n "def ago(\$s): $kube_now - \$s | todate;
        def meta(\$name; \$age): {namespace: \"shop\", name: \$name, uid: \"uid-\(\$name)\", creationTimestamp: ago(\$age)};
        {kind: \"List\", items: [$1]}" | kubectl_says
}

# What each check that asks a cluster does about options, tools and answers. ASKS is the tool it calls.
test_cluster() { # CHECK-NAME TOOL SHELL... SCRIPT
    local name=$1 tool=$2
    shift 2
    test_usage "$@"
    test_wrong_options "$name" "$@"
    expect 3 "$name UNKNOWN: -t needs whole seconds from 1 to 999, not '0'" "$@" -t 0
    expect 3 "$name UNKNOWN: /nowhere cannot be read" "$@" --input /nowhere
    program "$tool" 'echo "first" >&2; printf "error: \033[31m|forbidden\n\n" >&2; exit 1'
    expect 3 "$name UNKNOWN: $tool failed: error: \?\[31m\?forbidden" faked "$@"
    rm -f "$work/bin/sleep"
    program "$tool" 'sleep 30'
    expect 3 "$name UNKNOWN: $tool did not answer within 1 s" faked "$@" -t 1
    local text
    for text in '' '{' '[1]' '"x"' 'null' '{"items": 3}' '{"items": [3]}'; do
        program "$tool" "printf '%s' '$text'"
        expect 3 "$name UNKNOWN: the answer (is empty|cannot be read: .*)" faked "$@"
    done
}

service() { # NAME AGE [MORE]
    printf '{kind: "Service", metadata: meta("%s"; %s), spec: {selector: {app: "%s"}}} %s' "$1" "$2" "$1" "${3:-}"
}

slice() { # SERVICE CHANGED-AGE READY...
    local service=$1 changed=$2 ready endpoints=''
    shift 2
    for ready in "$@"; do
        endpoints="$endpoints${endpoints:+,}{addresses: [\"10.0.0.${#endpoints}\"], conditions: {ready: $ready}}"
    done
    printf '{kind: "EndpointSlice", metadata: (meta("%s-x"; 99999) + {labels: {"kubernetes.io/service-name": "%s"},
        annotations: {"endpoints.kubernetes.io/last-change-trigger-time": ago(%s)}}), endpoints: [%s]}' "$service" "$service" "$changed" "$endpoints"
}

test_endpoints() {
    local check=("$@" "$checks/check-kube-endpoints.sh") fake=("$@" "$checks/check-kube-endpoints.sh" --now "$kube_now") output
    test_cluster CheckKubeEndpoints kubectl "${check[@]}"
    expect 3 "CheckKubeEndpoints UNKNOWN: -n needs a value that does not begin with -, .*" "${check[@]}" -n --token=x

    objects "$(service web 9999), $(slice web 9999 true null false)"
    expect 0 "CheckKubeEndpoints OK: 1 Services have ready endpoints \| total=1;;;0 problems=0;1;;0" faked "${fake[@]}"
    expect 1 "CheckKubeEndpoints WARNING: 1 problem in 1 Services: shop/web has only 2 ready of 3 endpoints since 2 h \| .*" faked "${fake[@]}" -w 2
    expect 0 "--request-timeout=20s get services,endpointslices -o json --all-namespaces" head -n 1 "$work/kubectl.calls"
    expect 0 "CheckKubeEndpoints OK: .*" faked "${fake[@]}" -n shop -l app=web --context prod
    expect 0 "--context=prod --request-timeout=20s get services,endpointslices -o json --selector=app=web --namespace=shop" tail -n 1 "$work/kubectl.calls"
    expect 0 "CheckKubeEndpoints OK: .*" "${fake[@]}" --input "$work/kubectl.json"

    objects "$(service web 9999), $(slice web 9999 false), $(service db 9999), $(service new 10), $(service rolling 9999), $(slice rolling 10)"
    expect 2 "CheckKubeEndpoints CRITICAL: 2 problems in 4 Services: shop/web has no ready endpoint: none of its 1 pods is ready since 2 h, shop/db has no endpoint: no pod matches app=db since 2 h \| total=4;;;0 problems=2;1;;0" faked "${fake[@]}"
    expect 2 "CheckKubeEndpoints CRITICAL: 4 problems in .*, and 1 more \| .*" faked "${fake[@]}" -g 0
    expect 2 "CheckKubeEndpoints CRITICAL: 1 problem in 3 .*" faked "${fake[@]}" -x '^shop/w'
    objects "$(service a 9999 '* {spec: {type: "ExternalName"}}'), $(service b 9999 '| .spec = {}')"
    expect 0 "CheckKubeEndpoints OK: 0 Services .*" faked "${fake[@]}"
    # The worst come first; names that want to paint or to add figures cannot.
    objects "$(service a 9999), $(slice a 9999 true), $(service $'x\\u001b[2J|y' 9999)"
    expect 2 "CheckKubeEndpoints CRITICAL: 2 problems in 2 Services: shop/x\?\[2J\?y has no endpoint: no pod matches app=x\?\[2J\?y since 2 h, shop/a .*" faked "${fake[@]}" -w 1
    objects "range(25) | $(service a 9999 '| .metadata.name = "s"')"
    output=$(faked "${fake[@]}" || true)
    expect 0 "12 and 15 more" echo "$(wc -l <<<"$output") $(tail -n 1 <<<"$output")"
}
