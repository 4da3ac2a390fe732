#!/bin/sh
# Windows nodes of Kubernetes that are not Ready, and what to try. It tells a kubelet that says so from one that is silent. It never acts.
# Needs kubectl and jq, and permission to list nodes.
# shellcheck disable=SC2034,SC2154 # it shares variables with cluster.sh and kubernetes.sh

usage() {
    cat <<'TEXT'
usage: check-windows-nodes.sh [-w SECONDS] [-c SECONDS] [-l SELECTOR] [-x PATTERN] [--context C] [OPTION]...
  -w SECONDS    WARNING when a node is not Ready for this long (default 120); a cordoned one is never worse than this
  -c SECONDS    CRITICAL likewise (default 600)
  -l SELECTOR   only nodes with these labels (default kubernetes.io/os=windows)
  -x PATTERN    not nodes whose name matches this regular expression
  --context C   the context of the kubeconfig (default: the current one)
TEXT
    common_usage
}

name=CheckWindowsNodes
here=$(dirname -- "$0")
for part in cluster kubernetes; do
    [ -r "$here/$part.sh" ] || { echo "$name UNKNOWN: $part.sh must lie beside this script" && exit 3; }
    # shellcheck source=/dev/null
    . "$here/$part.sh"
done

warn=120 crit=600 selector=kubernetes.io/os=windows
own="-w -c -l -x --context"
own_option() {
    case $1 in
    -w) whole "$1" "$2" && warn=$2 ;;
    -c) whole "$1" "$2" && crit=$2 ;;
    *) kubernetes_option "$1" "$2" ;;
    esac
}
options "$@"

kubernetes nodes cluster
# Unknown is what the control plane sets when a kubelet is silent; False is what a kubelet says itself.
# shellcheck disable=SC2016 # the dollars are jq's
judge '
[list[] | select(.kind == "Node" and (.metadata.name | test($exclude) | not))] as $nodes
| [$nodes[] | ([.status.conditions // [] | .[] | select(.type == "Ready")][0] // {status: "missing"}) as $ready
    | select($ready.status != "True")
    | ($ready.lastTransitionTime // .metadata.creationTimestamp | since) as $age
    | select($age >= $warn or $age >= $crit)
    | {level: (if $age >= $crit and .spec.unschedulable != true then 2 else 1 end),
       text: (full + (if $ready.status == "False" then " not Ready since \($age | age): \($ready.message // $ready.reason // "no reason given" | safe)"
           else " silent since \($age | age): see whether it is up, and its kubelet and containerd services and HNS network after a reboot" end)
           + (if .spec.unschedulable == true then " (cordoned)" else "" end))}]
| report("\($nodes | length) Windows nodes are well"; $nodes | length; "Windows nodes"; [])' \
    --argjson warn "$warn" --argjson crit "$crit" --arg exclude "$exclude"
