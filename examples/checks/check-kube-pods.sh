#!/bin/sh
# Pods that are ill: CrashLoopBackOff and the like, images that cannot be pulled, Pending or not Ready for too long, stuck in deletion,
# evicted. Each counts once, by the worst of its containers. Needs kubectl and jq, and permission to list pods.
#
# It can heal, by deleting ill pods whose controller makes new ones. What keeps that from doing harm: it is a dry run unless told
# otherwise; only reasons that a new pod can cure; never a pod without a controller, nor one of a StatefulSet, DaemonSet or Job; nothing at
# all while more than a share of the pods is ill, for then the cause is elsewhere; a cap per hour, kept in a file under a lock; one pod of a
# controller in an hour; not while a stop file lies there. It says what it did, and the status stays as it is until the next run sees it well.
# shellcheck disable=SC2034,SC2154 # it shares variables with cluster.sh and kubernetes.sh

usage() {
    cat <<'TEXT'
usage: check-kube-pods.sh [-w COUNT] [-c COUNT] [-g SECONDS] [-n NAMESPACE] [-l SELECTOR] [-x PATTERN] [OPTION]...
                          [--heal dry-run|act [--cap COUNT] [--share PERCENT] [--state DIR]]
  -w COUNT      WARNING from as many ill pods on (default 1)
  -c COUNT      CRITICAL likewise (default 5)
  -g SECONDS    how long a pod may be Pending, not Ready, or in deletion (default 600)
  --heal WORD   dry-run: say which pods would be deleted; act: delete them
  --cap COUNT   at most so many in an hour (default 3)
  --share PERCENT  none while more than this share of the pods is ill (default 20)
  --state DIR   where the last hour's deletions are written down, and where a file named stop stops it all (needed by --heal)
TEXT
    kubernetes_usage
}

name=CheckKubePods
here=$(dirname -- "$0")
for part in cluster kubernetes; do
    [ -r "$here/$part.sh" ] || { echo "$name UNKNOWN: $part.sh must lie beside this script" && exit 3; }
    # shellcheck source=/dev/null
    . "$here/$part.sh"
done

warn=1 crit=5 grace=600 heal='' cap=3 share=20 state=''
own="-w -c -g --heal --cap --share --state $kubernetes_own"
own_option() {
    case $1 in
    -w) whole "$1" "$2" && warn=$2 ;;
    -c) whole "$1" "$2" && crit=$2 ;;
    -g) whole "$1" "$2" && grace=$2 ;;
    --heal)
        case $2 in
        dry-run | act) heal=$2 ;;
        *) wrong "--heal needs dry-run or act, not '$2'" ;;
        esac
        ;;
    --cap) whole "$1" "$2" && cap=$2 ;;
    --share) whole "$1" "$2" && share=$2 ;;
    --state)
        case $2 in
        /*) state=$2 ;;
        *) wrong "--state needs a folder that begins with /, not '$2'" ;;
        esac
        ;;
    *) kubernetes_option "$1" "$2" ;;
    esac
}
options "$@"
if [ -n "$heal" ]; then
    [ -n "$state" ] || wrong "--heal needs --state DIR, a folder that only this check's user may write"
    [ -z "$input" ] || [ "$heal" = dry-run ] || wrong "--heal act and --input exclude each other: what is recorded may be past"
fi

# Each pod with `ill` (why, or null), since when, and whether a new pod could cure it.
# shellcheck disable=SC2016 # the dollars are jq's
pods='
def waits: "^(CrashLoopBackOff|ImagePullBackOff|ErrImagePull|ErrImageNeverPull|InvalidImageName|CreateContainerConfigError|CreateContainerError|RunContainerError|StartError|PostStartHookError|ImageInspectError|RegistryUnavailable)$";
def condition($type): [.status.conditions // [] | .[] | select(.type == $type)][0];
def containers: (.status.initContainerStatuses // []) + (.status.containerStatuses // []) | .[];
def illness:
    .metadata.creationTimestamp as $created
    | [containers | select(.state.waiting.reason // "" | test(waits))] as $waiting
    | ($waiting | map(select(.state.waiting.reason == "CrashLoopBackOff"))[0] // $waiting[0]) as $worst
    | (condition("Ready").lastTransitionTime // $created | since) as $unready
    | if .metadata.deletionTimestamp then
          (.metadata.deletionTimestamp | since) as $age
          | if $age >= $grace then {why: "is still there \($age | age) after its deletion"} else null end
      elif .status.reason == "Evicted" then {why: "was evicted: \(.status.message // "no reason given" | safe)"}
      elif .status.phase == "Succeeded" then null
      elif $worst then
          {why: ("\($worst.state.waiting.reason | safe) of \($worst.name | safe)"
               + (if ($worst.restartCount // 0) > 0 then ", \($worst.restartCount) restarts" else "" end)
               + (($worst.lastState.terminated // {}) | if .reason == "OOMKilled" then ", out of memory"
                   elif .exitCode != null then ", exit \(.exitCode)" else "" end)),
           curable: ($unready >= $grace)}
      elif .status.phase == "Failed" then {why: "failed: \(.status.reason // .status.message // "no reason given" | safe)"}
      elif .status.phase == "Pending" and ($created | since) >= $grace then
          {why: ("Pending since \($created | since | age)"
               + (condition("PodScheduled") | if .status == "False" then ": \(.message // .reason // "" | safe)" else "" end))}
      elif .status.phase == "Unknown" then {why: "is Unknown: its node does not report"}
      elif .status.phase == "Running" and condition("Ready").status != "True" and $unready >= $grace then
          {why: "not Ready since \($unready | age)", curable: true}
      else null end;
list as $items
| [$items[] | select("\(.metadata.namespace)/\(.metadata.name)" | test($exclude) | not)] as $pods
| [$pods[] | . as $pod | illness | select(. != null)
    | . + {name: ($pod | full), pod: $pod.metadata, owner: [$pod.metadata.ownerReferences // [] | .[] | select(.controller)][0]}] as $ill
'

# candidates: namespace, name, uid and controller of what may be deleted, a line each, in a file of its own. A name with anything but
# what Kubernetes allows in names is none of its pods.
candidates() {
    # shellcheck disable=SC2016 # the dollars are jq's
    jq -r --argjson now "$now" --argjson grace "$grace" --arg exclude "$exclude" --arg name "$name" "$prelude$pods"'
        | $ill[] | select(.curable and .owner.kind == "ReplicaSet")
        | [.pod.namespace, .pod.name, .pod.uid, .owner.uid] | select(all(.[]; type == "string" and test("^[A-Za-z0-9][A-Za-z0-9.-]*$")))
        | join(" ")' "$dir/answer" >"$dir/candidates"
}

# recent: how many of the last hour. What is older leaves the file.
recent() {
    [ -e "$state/deleted" ] || : >"$state/deleted" || return
    awk -v since=$((now - 3600)) '$1 > since' "$state/deleted" >"$dir/recent" && cat "$dir/recent" >"$state/deleted" || return
    awk 'END { print NR }' "$state/deleted"
}

# delete NAMESPACE NAME UID OWNER: by its uid too, so that a new pod of the same name is safe. Written down before it is done.
delete() {
    echo "$now $4 $1/$2" >>"$state/deleted" || return
    printf '{"apiVersion":"v1","kind":"DeleteOptions","preconditions":{"uid":"%s"}}' "$3" >"$dir/delete.json"
    kubectl_with bounded delete --raw "/api/v1/namespaces/$1/pods/$2" -f "$dir/delete.json"
}

# heal_pods ILL TOTAL: says a line for all it does or leaves.
heal_pods() {
    if [ -e "$state/stop" ]; then
        echo "healing: stopped by $state/stop"
        return
    elif [ $(($1 * 100)) -gt $(($2 * share)) ]; then
        echo "healing: nothing, since $1 of $2 pods are ill, more than $share%: look for a common cause"
        return
    fi
    # A shell whose exec cannot open a file ends at once, with a status of its own.
    if ! touch "$state/lock" 2>/dev/null || [ ! -w "$state/lock" ]; then
        echo "healing: nothing, $state/lock cannot be written"
        return
    fi
    exec 9>>"$state/lock"
    flock -n 9 || {
        echo "healing: nothing, another run is at it"
        return
    }
    done_before=$(recent) || {
        echo "healing: nothing, $state/deleted cannot be written"
        return
    }
    left=$((cap - done_before))
    candidates || return
    while read -r pod_namespace pod uid owner; do
        if awk -v owner="$owner" '$2 == owner { found = 1 } END { exit !found }' "$state/deleted" "$dir/planned"; then
            echo "healing: left $pod_namespace/$pod, a pod of the same controller was deleted within the hour"
        elif [ "$left" -le 0 ]; then
            echo "healing: left $pod_namespace/$pod, the cap of $cap in an hour is reached"
        elif [ "$heal" = dry-run ]; then
            left=$((left - 1))
            echo "0 $owner" >>"$dir/planned"
            echo "healing: would delete $pod_namespace/$pod (dry run)"
        elif left=$((left - 1)) && delete "$pod_namespace" "$pod" "$uid" "$owner"; then
            echo "healing: deleted $pod_namespace/$pod"
        else
            echo "healing: could not delete $pod_namespace/$pod: $(said "$dir/error")"
        fi
    done <"$dir/candidates"
}

kubernetes pods namespaced
# shellcheck disable=SC2016 # the dollars are jq's
verdict "$pods"'
| ($ill | length) as $n
| (if $n >= $crit then 2 elif $n >= $warn then 1 else 0 end) as $level
| if $level == 0 then [] else [$ill[] | {level: $level, text: "\(.name) \(.why)"}] end
| report("\($pods | length) pods" + (if $n > 0 then ", \($n) of them ill" else " are well" end); $pods | length; "pods";
    ["ill=\($n);\($warn);\($crit);0"]), "ill \($n) \($pods | length)"' \
    --argjson warn "$warn" --argjson crit "$crit" --argjson grace "$grace" --arg exclude "$exclude"

read -r status <"$dir/verdict"
sed -e 1d -e '$d' "$dir/verdict"
if [ -n "$heal" ]; then
    if ! command -v flock >/dev/null; then
        echo "healing: nothing, flock(1) is needed (util-linux)"
    elif [ ! -d "$state" ] || [ ! -w "$state" ]; then
        echo "healing: nothing, $state is no folder that can be written"
    else
        : >"$dir/planned"
        tail -n 1 "$dir/verdict" >"$dir/counts"
        read -r _ ill total <"$dir/counts"
        heal_pods "$ill" "$total" >"$dir/healing"
        head -n 10 "$dir/healing"
        lines=$(awk 'END { print NR }' "$dir/healing")
        [ "$lines" -le 10 ] || echo "healing: and $((lines - 10)) more lines of this kind"
    fi
fi
exit "$status"
