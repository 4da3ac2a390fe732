# shellcheck shell=bash disable=SC2154 # sourced by test-checks.sh
# check-openstack-agents.sh: a fake openstack gives the client's answers, of old releases and new.

openstack_says() { program openstack "printf '%s' '$1'"; }

test_openstack() {
    local check=("$@" "$checks/check-openstack-agents.sh") compute='"Binary": "nova-compute", "Updated At": "2026-01-02T03:04:05.000000"' agent='"Agent Type": "L3 agent"'
    test_cluster CheckOpenstackAgents openstack "${check[@]}"
    expect 3 "CheckOpenstackAgents UNKNOWN: -k needs compute or network, not 'volume'" "${check[@]}" -k volume
    expect 3 "CheckOpenstackAgents UNKNOWN: -x needs a regular expression, not '\('" "${check[@]}" -x '('
    openstack_says "[{$compute, \"Host\": \"a\", \"Status\": \"enabled\", \"State\": \"up\"}, {$compute, \"Host\": \"b\", \"Status\": \"disabled\", \"State\": \"down\"}]"
    expect 0 "CheckOpenstackAgents OK: 2 compute agents, 0 down, 1 disabled \| total=2;;;0 problems=0;1;;0 down=0;1;3;0 disabled=1;;;0" faked "${check[@]}"
    expect 3 "CheckOpenstackAgents UNKNOWN: the answer cannot be read: .*an agent without its state: is -k right\?" faked "${check[@]}" -k network
    openstack_says "[{$compute, \"Host\": \"a|\", \"Status\": \"enabled\", \"State\": \"down\"}]"
    expect 1 "CheckOpenstackAgents WARNING: 1 problem in 1 compute agents: nova-compute a\? is down since 2026-01-02T03:04:05Z \| .*" faked "${check[@]}"
    expect 2 "CheckOpenstackAgents CRITICAL: .*" faked "${check[@]}" -c 1
    expect 0 "CheckOpenstackAgents OK: 1 compute agents, 1 down, .*" faked "${check[@]}" -w 2
    openstack_says "[{$agent, \"Host\": \"a\", \"Alive\": true, \"State\": true}, {$agent, \"Host\": \"b\", \"Alive\": \":-)\", \"State\": \"UP\"}, {$agent, \"Host\": \"c\", \"Alive\": \"XXX\", \"State\": \"UP\"}, {$agent, \"Host\": \"d\", \"Alive\": false, \"State\": false}]"
    expect 1 "CheckOpenstackAgents WARNING: 1 problem in 4 network agents: L3 agent c is down \| .* down=1;1;3;0 disabled=1;;;0" faked "${check[@]}" -k network
    expect 0 "CheckOpenstackAgents OK: 3 .*" faked "${check[@]}" -k network -x ' c$'
    openstack_says '[]'
    expect 3 "CheckOpenstackAgents UNKNOWN: .*the list is empty: may this account see them\? .*" faked "${check[@]}"
}
