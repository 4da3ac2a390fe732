#!/bin/sh
# Services that nothing answers for: their EndpointSlices have no ready endpoint, or as few as are told. Needs kubectl and jq, and
# permission to list services and endpointslices.
# shellcheck disable=SC2034,SC2154 # it shares variables with cluster.sh and kubernetes.sh

usage() {
    cat <<'TEXT'
usage: check-kube-endpoints.sh [-w COUNT] [-c COUNT] [-g SECONDS] [-n NAMESPACE] [-l SELECTOR] [-x PATTERN] [OPTION]...
  -w COUNT      WARNING with as few ready endpoints or fewer (default 0)
  -c COUNT      CRITICAL likewise (default 0)
  -g SECONDS    not before a Service and its endpoints have been as they are for this long (default 300)
TEXT
    kubernetes_usage
}

name=CheckKubeEndpoints
here=$(dirname -- "$0")
for part in cluster kubernetes; do
    [ -r "$here/$part.sh" ] || { echo "$name UNKNOWN: $part.sh must lie beside this script" && exit 3; }
    # shellcheck source=/dev/null
    . "$here/$part.sh"
done

warn=0 crit=0 grace=300
own="-w -c -g $kubernetes_own"
own_option() {
    case $1 in
    -w) whole "$1" "$2" && warn=$2 ;;
    -c) whole "$1" "$2" && crit=$2 ;;
    -g) whole "$1" "$2" && grace=$2 ;;
    *) kubernetes_option "$1" "$2" ;;
    esac
}
options "$@"

kubernetes services,endpointslices namespaced
# Only Services with a selector: who has none looks after its endpoints by itself, and ExternalName has none. An address of two
# families is in two slices, so endpoints are told apart by their pod. A condition that is not said counts as ready, as the API has it.
# shellcheck disable=SC2016 # the dollars are jq's
judge '
list as $items
| (reduce ($items[] | select(.kind == "EndpointSlice")) as $s ({};
    .["\($s.metadata.namespace)/\($s.metadata.labels["kubernetes.io/service-name"] // "")"] += [$s])) as $slices
| [$items[] | select(.kind == "Service" and .spec.type != "ExternalName" and (.spec.selector // {}) != {})
    | select("\(.metadata.namespace)/\(.metadata.name)" | test($exclude) | not)] as $services
| [$services[]
    | ($slices["\(.metadata.namespace)/\(.metadata.name)"] // []) as $own
    | [$own[].endpoints // [] | .[]] as $all
    | ([$all[] | select(.conditions.ready != false) | .targetRef.uid // .addresses[0]] | unique | length) as $ready
    | ([$all[] | .targetRef.uid // .addresses[0]] | unique | length) as $known
    | ([(.metadata.creationTimestamp | since), ($own[].metadata.annotations["endpoints.kubernetes.io/last-change-trigger-time"] // empty | since)]
        | min) as $age
    | select($age >= $grace and ($ready <= $crit or $ready <= $warn))
    | {level: (if $ready <= $crit then 2 else 1 end),
       text: (full + (if $ready > 0 then " has only \($ready) ready of \($known) endpoints"
           elif $known > 0 then " has no ready endpoint: none of its \($known) pods is ready"
           else " has no endpoint: no pod matches " + (.spec.selector | to_entries | map("\(.key)=\(.value)") | join(",") | safe) end)
           + " since \($age | age)")}]
| report("\($services | length) Services have ready endpoints"; $services | length; "Services"; [])' \
    --argjson warn "$warn" --argjson crit "$crit" --argjson grace "$grace" --arg exclude "$exclude"
