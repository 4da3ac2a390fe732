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
    printf '({kind: "Service", metadata: meta("%s"; %s), spec: {selector: {app: "%s"}}} %s)' "$1" "$2" "$1" "${3:-}"
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

# pod NAME AGE [MORE]: of a ReplicaSet of its own, not ready since AGE.
pod() {
    printf '({kind: "Pod", metadata: (meta("%s"; %s) + {ownerReferences: [{kind: "ReplicaSet", controller: true, uid: "rs-%s"}]}),
        status: {phase: "Running", conditions: [{type: "Ready", status: "False", lastTransitionTime: ago(%s)}]}} %s)' "$1" "$2" "$1" "$2" "${3:-}"
}

well() { # COUNT
    printf '(range(%s) | %s)' "$1" "$(pod well 99999 '| .status.conditions[0].status = "True" | .metadata.name += "x"')"
}

waiting() { # REASON
    printf '| .status.containerStatuses = [{name: "side", state: {running: {}}}, {name: "app", restartCount: 12, state: {waiting: {reason: "%s"}}, lastState: {terminated: {reason: "Error", exitCode: 7}}}]' "$1"
}

test_pods() {
    local check=("$@" "$checks/check-kube-pods.sh") fake=("$@" "$checks/check-kube-pods.sh" --now "$kube_now") output
    local state=$work/pods heal
    heal=("${fake[@]}" --heal act --state "$state")
    test_cluster CheckKubePods kubectl "${check[@]}"
    expect 3 "CheckKubePods UNKNOWN: --heal needs dry-run or act, not 'yes'" "${check[@]}" --heal yes
    expect 3 "CheckKubePods UNKNOWN: --heal needs --state DIR, .*" "${check[@]}" --heal act
    expect 3 "CheckKubePods UNKNOWN: --heal act and --input exclude each other.*" "${check[@]}" --heal act --state / --input /dev/null

    objects "$(well 3), $(pod young 10), $(pod over 9999 '| .status.phase = "Succeeded"')"
    expect 0 "CheckKubePods OK: 5 pods are well \| total=5;;;0 problems=0;1;;0 ill=0;1;5;0" faked "${fake[@]}"
    objects "$(pod a 10 "$(waiting CrashLoopBackOff)")"
    expect 1 "CheckKubePods WARNING: 1 problem in 1 pods: shop/a CrashLoopBackOff of app, 12 restarts, exit 7 \| .* ill=1;1;5;0" faked "${fake[@]}"
    expect 2 "CheckKubePods CRITICAL: .*" faked "${fake[@]}" -c 1
    expect 0 "CheckKubePods OK: 1 pods, 1 of them ill \| .*" faked "${fake[@]}" -w 2
    objects "$(pod a 10 "$(waiting ImagePullBackOff)"), $(pod b 7200), $(pod c 700 '| .status = {phase: "Pending", conditions: [{type: "PodScheduled", status: "False", message: "0/3 nodes\nare available|"}]}')"
    expect 1 "CheckKubePods WARNING: 3 problems in 3 pods: shop/a ImagePullBackOff of app, 12 restarts, exit 7, shop/b not Ready since 2 h, shop/c Pending since 11 min: 0/3 nodes\?are available\? \| .*" faked "${fake[@]}"
    objects "$(pod a 9 '| .status = {phase: "Failed", reason: "Evicted", message: "low on memory"}'), $(pod b 9 '| .metadata.deletionTimestamp = ago(1000)'), $(pod c 9 '| .status = {phase: "Failed"}')"
    expect 1 "CheckKubePods WARNING: 3 problems in 3 pods: shop/a was evicted: low on memory, shop/b is still there 16 min after its deletion, shop/c failed: no reason given \| .*" faked "${fake[@]}"

    # Healing: the second line on says what is done. Nothing of StatefulSets, of nobody, of images; nothing without being told.
    rm -rf "$state"
    mkdir "$state"
    objects "$(well 95), $(pod a 9999 "$(waiting CrashLoopBackOff)"), $(pod b 9999), $(pod set 9999 '| .metadata.ownerReferences[0].kind = "StatefulSet"'), $(pod bare 9999 '| del(.metadata.ownerReferences)'), $(pod img 9 "$(waiting ErrImagePull)")"
    healing() { faked "$@" 2>&1 | grep '^healing' | tr '\n' ';' || true; }
    expect 0 "" healing "${fake[@]}"
    expect 0 "healing: would delete shop/a \(dry run\);healing: would delete shop/b \(dry run\);" healing "${fake[@]}" --heal dry-run --state "$state"
    expect 1 "" grep -q delete "$work/kubectl.calls"
    expect 0 "healing: would delete shop/a \(dry run\);healing: left shop/b, the cap of 1 in an hour is reached;" healing "${fake[@]}" --heal dry-run --state "$state" --cap 1
    expect 0 "healing: nothing, since 5 of 100 pods are ill, more than 4%: .*;" healing "${heal[@]}" --share 4
    : >"$state/stop"
    expect 0 "healing: stopped by $state/stop;" healing "${heal[@]}"
    rm "$state/stop"
    expect 0 "healing: nothing, another run is at it;" flock "$state/lock" bash -c 'PATH=$1:$PATH; shift; "$@" | grep ^healing | tr "\n" ";"' - "$work/bin" "${heal[@]}"
    expect 1 "" grep -q delete "$work/kubectl.calls"
    expect 0 "healing: deleted shop/a;healing: left shop/b, the cap of 1 in an hour is reached;" healing "${heal[@]}" --cap 1
    expect 0 "--request-timeout=20s delete --raw /api/v1/namespaces/shop/pods/a -f .*/delete.json" tail -n 1 "$work/kubectl.calls"
    expect 0 "healing: left shop/a, a pod of the same controller .*;healing: deleted shop/b;" healing "${heal[@]}" --cap 2
    # The status is that of what was seen, and an hour later the cap is free again.
    expect 2 "CheckKubePods CRITICAL: 5 problems in 100 pods: .*" faked "${heal[@]}"
    sed -i 's/^[0-9]*/1000/' "$state/deleted"
    program kubectl "case \" \$* \" in *' get '*) cat '$work/kubectl.json' ;; *) echo 'Error: forbidden' >&2; exit 1 ;; esac"
    expect 0 "healing: could not delete shop/a: Error: forbidden;.*" healing "${heal[@]}"
    expect 0 "healing: nothing, /nowhere is no folder that can be written;" healing "${fake[@]}" --heal act --state /nowhere
    # A name that would be another path is no pod's name.
    objects "$(well 95), $(pod '../nodes/x' 9999)"
    expect 0 "" healing "${heal[@]}"
}

node() { # NAME READY AGE [MORE]
    printf '({kind: "Node", metadata: {name: "%s", creationTimestamp: ago(99999)}, spec: {},
        status: {conditions: [{type: "Ready", status: "%s", lastTransitionTime: ago(%s), message: "container runtime is down|"}]}} %s)' "$1" "$2" "$3" "${4:-}"
}

test_windows() {
    local check=("$@" "$checks/check-windows-nodes.sh") fake=("$@" "$checks/check-windows-nodes.sh" --now "$kube_now")
    test_cluster CheckWindowsNodes kubectl "${check[@]}"
    expect 3 "CheckWindowsNodes UNKNOWN: -x needs a regular expression, not '\('" "${check[@]}" -x '('
    objects "$(node a True 9999), $(node b Unknown 60)"
    expect 0 "CheckWindowsNodes OK: 2 Windows nodes are well \| total=2;;;0 problems=0;1;;0" faked "${fake[@]}"
    expect 0 "--request-timeout=20s get nodes -o json --selector=kubernetes.io/os=windows" tail -n 1 "$work/kubectl.calls"
    objects "$(node a Unknown 300), $(node b False 900), $(node c False 900 '| .spec.unschedulable = true')"
    expect 2 "CheckWindowsNodes CRITICAL: 3 problems in 3 Windows nodes: b not Ready since 15 min: container runtime is down\?, a silent since 5 min: .*, c not Ready .* \(cordoned\) \| .*" faked "${fake[@]}"
    expect 1 "CheckWindowsNodes WARNING: 2 problems in 2 .*" faked "${fake[@]}" -x '^b$'
    objects "$(node a True 9 '| del(.status.conditions)')"
    expect 2 "CheckWindowsNodes CRITICAL: .*: a silent since 27 h: .*" faked "${fake[@]}"
}
