#!/bin/sh
# Agents of OpenStack that are down: compute services, or network agents. Disabled ones are counted, not reported. Needs
# openstack (python-openstackclient) and jq, and OS_CLOUD or the OS_* variables of an account that may list them.
# shellcheck disable=SC2034,SC2154 # it shares variables with cluster.sh

usage() {
    cat <<'TEXT'
usage: check-openstack-agents.sh [-k compute|network] [-w COUNT] [-c COUNT] [-x PATTERN] [OPTION]...
  -k KIND       compute: compute services (default); network: network agents
  -w COUNT      WARNING from as many agents that are down on (default 1)
  -c COUNT      CRITICAL likewise (default 3)
  -x PATTERN    not what matches this regular expression by AGENT HOST
TEXT
    common_usage
}

name=CheckOpenstackAgents
here=$(dirname -- "$0")
[ -r "$here/cluster.sh" ] || { echo "$name UNKNOWN: cluster.sh must lie beside this script" && exit 3; }
# shellcheck source=/dev/null
. "$here/cluster.sh"

kind=compute warn=1 crit=3
own="-k -w -c -x"
own_option() {
    case $1 in
    -k)
        case $2 in
        compute | network) kind=$2 ;;
        *) wrong "-k needs compute or network, not '$2'" ;;
        esac
        ;;
    -w) whole "$1" "$2" && warn=$2 ;;
    -c) whole "$1" "$2" && crit=$2 ;;
    -x) exclude=$2 ;;
    esac
}
options "$@"

if [ "$kind" = compute ]; then
    ask openstack compute service list -f json
else
    ask openstack network agent list -f json
fi
# Releases of the client differ: Alive is true, "True" or ":-)", the administrator state true, "True" or "UP".
# shellcheck disable=SC2016 # the dollars are jq's
judge '
def yes: tostring | ascii_downcase | . == "true" or . == ":-)" or . == "up" or . == "enabled";
if type != "array" then error("no list of agents") else . end
| [.[] | if (if $kind == "compute" then has("State") and has("Status") else has("Alive") end) then . else error("an agent without its state: is -k right?") end
    | {agent: "\(.Binary // .["Agent Type"] | safe) \(.Host | safe)", updated: .["Updated At"],
       up: (if $kind == "compute" then .State else .Alive end | yes),
       enabled: (if $kind == "compute" then .Status elif has("State") then .State else true end | yes)}
    | select(.agent | test($exclude) | not)] as $agents
| [$agents[] | select(.enabled | not)] as $disabled
| [$agents[] | select(.enabled and (.up | not))] as $down
| ($down | length) as $n
| (if $n >= $crit then 2 elif $n >= $warn then 1 else 0 end) as $level
| if $agents == [] then [{level: 3, text: "the list is empty: may this account see them?"}]
  elif $level == 0 then []
  else [$down[] | {level: $level, text: (.agent + " is down" + ((.updated | strings | " since \(time | todate)") // ""))}] end
| report("\($agents | length) \($kind) agents, \($n) down, \($disabled | length) disabled"; $agents | length; "\($kind) agents";
    ["down=\($n);\($warn);\($crit);0", "disabled=\($disabled | length);;;0"])' \
    --arg kind "$kind" --arg exclude "$exclude" --argjson warn "$warn" --argjson crit "$crit"
