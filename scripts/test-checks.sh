#!/usr/bin/env bash
# Proves the example checks: each with recorded input (--root, a fake df), with this machine, and with wrong options; under
# every POSIX shell found here. Also that the definitions beside them are JSON and name scripts that exist.
#
# usage: scripts/test-checks.sh   (needs flock; jq and openssl, which scripts/tools.sh fetches where they are not on the path)
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
"$root/scripts/tools.sh"
PATH=$PATH:$root/target/tools/bin
checks=$root/examples/checks
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0 passed=0

# expect STATUS REGEX COMMAND...: COMMAND exits with STATUS, and the first line of its output matches REGEX as a whole.
expect() {
    local status=$1 regex=$2 got=0 output first
    shift 2
    output=$("$@" 2>&1) || got=$?
    first=${output%%$'\n'*}
    if [[ $got -eq $status && $first =~ ^($regex)$ ]]; then
        passed=$((passed + 1))
        return
    fi
    failed=$((failed + 1))
    printf 'FAILED: %s\n  wanted exit %s, first line matching: %s\n  got exit %s:\n' "$*" "$status" "$regex" "$got"
    printf '%s\n' "$output" | sed 's/^/  | /'
}

# program NAME TEXT: a program NAME on the path of tests that use `faked`.
program() {
    mkdir -p "$work/bin"
    printf '#!/bin/sh\n%s\n' "$2" >"$work/bin/$1"
    chmod +x "$work/bin/$1"
}

faked() { PATH=$work/bin:$PATH "$@"; }

# ===== what every check does =====

test_usage() { # SHELL... SCRIPT
    expect 0 'usage: .*' "$@" --help
    expect 0 'usage: .*' "$@" -h
    [[ $("$@" --help) == *"exit: "* ]] || { failed=$((failed + 1)) && echo "FAILED: $* --help does not list exit statuses"; }
}

test_wrong_options() { # CHECK-NAME SHELL... SCRIPT
    local name=$1
    shift
    expect 3 "$name UNKNOWN: unknown option '--nonsense'" "$@" --nonsense
    expect 3 "$name UNKNOWN: unknown option 'x'" "$@" x
    expect 3 "$name UNKNOWN: -w needs a value" "$@" -w
    local value
    # shellcheck disable=SC2016 # nothing may expand it
    for value in abc -1 '1 1' '$(id)' '' 99999999999999999999; do
        expect 3 "$name UNKNOWN: -w needs a (whole )?number( of percent)?, not '.*'" "$@" -w "$value"
    done
}

# ===== memory =====

# memory AVAILABLE-KIB: a root with 1,000,000 KiB in all. vmstat.next is what the second sample reads.
memory() {
    local dir=$work/memory
    mkdir -p "$dir/proc"
    printf 'MemTotal: 1000000 kB\nMemFree: 5000 kB\nMemAvailable: %s kB\n' "$1" >"$dir/proc/meminfo"
    vmstat 0 0 0 >"$dir/proc/vmstat"
    cp "$dir/proc/vmstat" "$dir/vmstat.next"
    program sleep "cp '$dir/vmstat.next' '$dir/proc/vmstat'"
}

vmstat() { # SWAPPED SCANNED STALLS
    printf 'nr_free_pages 1000\nnr_inactive_file 20000\nnr_active_file 10000\nnr_slab_reclaimable 500\n'
    printf 'pswpin %s\npswpout 7\nallocstall_normal %s\nallocstall_movable 3\n' "$1" "$3"
    printf 'pgscan_kswapd 999999\npgscan_direct %s\npgscan_direct_throttle 55\n' "$2"
}

test_memory() {
    local check=("$@" "$checks/check-memory-vmstat.sh") fake=("$@" "$checks/check-memory-vmstat.sh" --root "$work/memory")
    local none='0 pages/s swapped, 0 pages/s scanned by direct reclaim \| available=.*'
    test_usage "${check[@]}"
    test_wrong_options CheckMemoryVmstat "${check[@]}"
    expect 3 "CheckMemoryVmstat UNKNOWN: -s needs whole seconds .*" "${check[@]}" -s 0
    expect 3 "CheckMemoryVmstat UNKNOWN: -s needs whole seconds .*" "${check[@]}" -s 1.5
    expect 3 "CheckMemoryVmstat UNKNOWN: /nowhere/proc/vmstat cannot be read" "${check[@]}" --root /nowhere

    memory 500000
    expect 0 "CheckMemoryVmstat OK: 50.0% of 977 MiB available, $none" faked "${fake[@]}"
    memory 100000
    expect 0 "CheckMemoryVmstat OK: 10.0% of .*" faked "${fake[@]}"
    memory 99000
    expect 1 "CheckMemoryVmstat WARNING: 9.9% of .*" faked "${fake[@]}"
    memory 49000
    expect 2 "CheckMemoryVmstat CRITICAL: 4.9% of .*" faked "${fake[@]}"
    expect 0 "CheckMemoryVmstat OK: 4.9% of .*" faked "${fake[@]}" -w 4 -c 2.5

    memory 500000
    vmstat 1000 0 0 >"$work/memory/vmstat.next"
    expect 1 "CheckMemoryVmstat WARNING: .*, 1000 pages/s swapped, 0 pages/s scanned .* swapped=1000;1000;10000;0 .*" faked "${fake[@]}"
    memory 500000
    vmstat 0 20000 40 >"$work/memory/vmstat.next"
    expect 2 "CheckMemoryVmstat CRITICAL: .*, 20000 pages/s scanned .* direct_reclaim=20000;1000;10000;0 allocstall=40;;;0" faked "${fake[@]}"
    memory 500000
    vmstat 0 20000 40 >"$work/memory/vmstat.next"
    expect 1 "CheckMemoryVmstat WARNING: .*, 2000 pages/s scanned .*" faked "${fake[@]}" -s 10
    # A counter that went back is no rate.
    memory 500000
    vmstat 50000 0 0 >"$work/memory/proc/vmstat"
    vmstat 0 0 0 >"$work/memory/vmstat.next"
    expect 0 "CheckMemoryVmstat OK: .*, $none" faked "${fake[@]}"

    # Kernels before 3.14: no MemAvailable, a counter per zone. 31,500 pages of 4 KiB are 12.6 %.
    memory 0
    printf 'MemTotal: 1000000 kB\nMemFree: 5000 kB\n' >"$work/memory/proc/meminfo"
    sed 's/pgscan_direct /pgscan_direct_normal /' "$work/memory/vmstat.next" >"$work/memory/proc/vmstat"
    cp "$work/memory/proc/vmstat" "$work/memory/vmstat.next"
    if [[ $(getconf PAGESIZE) -eq 4096 ]]; then
        expect 0 "CheckMemoryVmstat OK: 12.6% of .*" faked "${fake[@]}"
    fi

    memory 500000
    echo garbage >"$work/memory/proc/meminfo"
    expect 3 "CheckMemoryVmstat UNKNOWN: no MemTotal in meminfo" faked "${fake[@]}"
    memory 500000
    : >"$work/memory/proc/vmstat"
    : >"$work/memory/vmstat.next"
    expect 3 "CheckMemoryVmstat UNKNOWN: no pgscan_direct in vmstat" faked "${fake[@]}"

    expect 0 "CheckMemoryVmstat OK: .*% of [0-9]+ MiB available, .*" "${check[@]}" -w 0 -c 0 -W 99999999999 -C 99999999999
}

# ===== disk =====

# A machine with a full root, an odd mount point, pseudo file systems and a dead NFS server, and the df that answers for it.
disk() {
    mkdir -p "$work/disk/proc"
    cat >"$work/disk/proc/mounts" <<'TEXT'
proc /proc proc rw 0 0
/dev/vda1 / ext4 rw 0 0
tmpfs /run tmpfs rw 0 0
/dev/vdb1 /mnt/my\040disk=a'b xfs rw 0 0
nas:/home /home nfs4 rw,hard 0 0
gone:/export /gone nfs rw,hard 0 0
overlay /var/lib/docker/overlay2/x/merged overlay rw 0 0
/dev/vdc /broken ext4 rw 0 0
/dev/vdd /btrfs btrfs rw 0 0
TEXT
    # shellcheck disable=SC2016 # it is a program's text
    program df '
for mount in "$@"; do :; done
case "$1 $mount" in
*" /") line="/dev/vda1 100 SPACE 5 SPACE% /" ;;
"-P /run") line="tmpfs 100 3 97 3% /run" ;;
"-Pi /run") line="tmpfs 100 90 10 90% /run" ;;
*" /mnt/my disk=a'\''b") line="/dev/vdb1 100 50 50 50% /mnt/my disk=a'\''b" ;;
*" /home") line="nas:/home 100 99 1 99% /home" ;;
*" /gone") exec sleep 60 ;;
"-P /btrfs") line="/dev/vdd 100 10 90 10% /btrfs" ;;
"-Pi /btrfs") line="/dev/vdd 0 0 0 - /btrfs" ;;
*) echo "df: $mount: Input/output error" >&2; exit 1 ;;
esac
printf "Filesystem 1024-blocks Used Available Capacity Mounted on\n%s\n" "$line"'
    sed -i "s/SPACE/$1/g" "$work/bin/df"
    rm -f "$work/bin/sleep"
}

test_disk() {
    local check=("$@" "$checks/check-disk.sh") fake=("$@" "$checks/check-disk.sh" --root "$work/disk")
    test_usage "${check[@]}"
    test_wrong_options CheckDisk "${check[@]}"
    expect 3 "CheckDisk UNKNOWN: -m needs a mount point that begins with /, not 'home'" "${check[@]}" -m home
    expect 3 "CheckDisk UNKNOWN: -t needs whole seconds from 1 to 999, not '0'" "${check[@]}" -t 0
    expect 3 "CheckDisk UNKNOWN: /nowhere/proc/mounts cannot be read" "${check[@]}" --root /nowhere

    disk 96
    expect 2 "CheckDisk CRITICAL: / 96% of space used, / 96% of inodes used, /run 90% of inodes used, /broken cannot be read by df \| '/'=96%;85;95;0;100 .*'/mnt/my disk_a_b'=50%;.*" faked "${fake[@]}"
    disk 85
    expect 1 "CheckDisk WARNING: / 85% of space used \| '/'=85%;85;95;0;100 '/ inodes'=85%;90;95;0;100" faked "${fake[@]}" -m / -W 90
    disk 84
    expect 0 "CheckDisk OK: 2 file systems \| '/'=84%;.* '/btrfs'=10%;85;95;0;100" faked "${fake[@]}" -m / -m /btrfs
    expect 1 "CheckDisk WARNING: /run 90% of inodes used.*" faked "${fake[@]}" -m /run
    expect 0 "CheckDisk OK: 1 file systems .*" faked "${fake[@]}" -m "/mnt/my disk=a'b"
    expect 3 "CheckDisk UNKNOWN: /broken cannot be read by df" faked "${fake[@]}" -m /broken
    # A directory that is not mounted must not be taken for its parent; a network file system only by name.
    expect 2 "CheckDisk CRITICAL: /mnt is not mounted" faked "${fake[@]}" -m /mnt
    expect 2 "CheckDisk CRITICAL: /home 99% of space used, /home 99% of inodes used .*" faked "${fake[@]}" -m /home
    if timeout -s KILL 5 true 2>/dev/null; then
        expect 2 "CheckDisk CRITICAL: /gone does not answer within 1 s, / .*" faked "${fake[@]}" -m /gone -m / -t 1 -w 1
    fi
    echo 'proc /proc proc rw 0 0' >"$work/disk/proc/mounts"
    expect 3 "CheckDisk UNKNOWN: no local file system in .*" faked "${fake[@]}"

    expect 0 "CheckDisk OK: 1 file systems \| '/'=[0-9]+%;101;101;0;100.*" "${check[@]}" -m / -w 101 -c 101 -W 101 -C 101
    expect 2 "CheckDisk CRITICAL: / [0-9]+% of space used.*" "${check[@]}" -m / -c 0
}

# ===== process =====

# process PID ARGUMENT...: an entry of the fake /proc; without arguments a kernel thread or a zombie.
process() {
    mkdir -p "$work/process/proc/$1"
    if [[ $# -gt 1 ]]; then
        printf '%s\0' "${@:2}" >"$work/process/proc/$1/cmdline"
    else
        : >"$work/process/proc/$1/cmdline"
    fi
}

test_process() {
    local check=("$@" "$checks/check-process.sh") fake=("$@" "$checks/check-process.sh" --root "$work/process")
    test_usage "${check[@]}"
    test_wrong_options CheckProcess "${check[@]}"
    expect 3 "CheckProcess UNKNOWN: -p or -f is needed" "${check[@]}"
    expect 3 "CheckProcess UNKNOWN: /nowhere/proc is no directory" "${check[@]}" -p x --root /nowhere
    expect 3 "CheckProcess UNKNOWN: '\(' is not a regular expression.*" "${check[@]}" -p '('

    rm -rf "$work/process"
    mkdir -p "$work/process/proc"
    expect 2 "CheckProcess CRITICAL: 0 processes match 'java' \| processes=0;;1:;0" faked "${fake[@]}" -p java
    process 7 /usr/bin/java -jar one.jar
    expect 0 "CheckProcess OK: 1 processes match 'java' .*" faked "${fake[@]}" -p java
    process 1 /sbin/init
    process 2
    process 8 /usr/bin/java -jar two.jar
    process 9 sh -c $'first line\njava in the second\n==> a header <=='
    # Such checks themselves, and what started them, do not count.
    process 10 sh -c "check-process.sh -p java"
    process 11 /bin/sh /etc/sensu/plugins/check-process.sh -p java
    expect 0 "CheckProcess OK: 3 processes match 'java' \| processes=3;;1:;0" faked "${fake[@]}" -p java
    expect 0 "CheckProcess OK: 2 processes match '\^/usr/bin/java -jar' .*" faked "${fake[@]}" -p '^/usr/bin/java -jar'
    expect 0 "CheckProcess OK: 1 processes match 'two\\\\.jar\\$' .*" faked "${fake[@]}" -p 'two\.jar$'
    expect 1 "CheckProcess WARNING: 2 processes match 'jar' \| processes=2;3:;1:;0" faked "${fake[@]}" -p jar -w 3
    expect 2 "CheckProcess CRITICAL: 2 .*" faked "${fake[@]}" -p jar -c 3
    expect 1 "CheckProcess WARNING: 2 .* \| processes=2;1;1:5;0" faked "${fake[@]}" -p jar -W 1 -C 5
    expect 2 "CheckProcess CRITICAL: 2 .*" faked "${fake[@]}" -p jar -C 1
    expect 0 "CheckProcess OK: 0 .*" faked "${fake[@]}" -p nothing -c 0

    mkdir -p "$work/process/run"
    expect 2 "CheckProcess CRITICAL: 0 processes in /run/java.pid .*" faked "${fake[@]}" -f /run/java.pid
    echo 8 >"$work/process/run/java.pid"
    expect 0 "CheckProcess OK: 1 processes in /run/java.pid .*" faked "${fake[@]}" -f /run/java.pid
    expect 0 "CheckProcess OK: 1 processes in /run/java.pid and match 'two' .*" faked "${fake[@]}" -f /run/java.pid -p two
    expect 2 "CheckProcess CRITICAL: 0 processes in /run/java.pid and match 'one' .*" faked "${fake[@]}" -f /run/java.pid -p one
    printf 99 >"$work/process/run/java.pid"
    expect 2 "CheckProcess CRITICAL: 0 processes in .*" faked "${fake[@]}" -f /run/java.pid
    printf 2 >"$work/process/run/java.pid"
    expect 2 "CheckProcess CRITICAL: 0 processes in .*" faked "${fake[@]}" -f /run/java.pid
    echo '../1' >"$work/process/run/java.pid"
    expect 3 "CheckProcess UNKNOWN: /run/java.pid holds '../1', not a process id" faked "${fake[@]}" -f /run/java.pid
    expect 3 "CheckProcess UNKNOWN: /run cannot be read" faked "${fake[@]}" -f /run

    expect 0 "CheckProcess OK: [0-9]+ processes match '.' .*" "${check[@]}" -p .
    expect 2 "CheckProcess CRITICAL: 0 processes match 'no such process' .*" "${check[@]}" -p 'no such process'
    echo $$ >"$work/self.pid"
    expect 0 "CheckProcess OK: 1 processes in .*" "${check[@]}" -f "$work/self.pid"
}

# ===== demo =====

test_demo() {
    local check=("$@" "$checks/check-demo.sh") file=$work/demo
    test_usage "${check[@]}"
    expect 3 "CheckDemo UNKNOWN: one FILE is needed" "${check[@]}"
    expect 3 "CheckDemo UNKNOWN: one FILE is needed" "${check[@]}" a b
    expect 3 "CheckDemo UNKNOWN: /nowhere cannot be read" "${check[@]}" /nowhere
    printf '0\nDEMO OK: fine\n' >"$file"
    expect 0 "DEMO OK: fine" "${check[@]}" "$file"
    printf '2\nDEMO CRITICAL: 満杯\nmore\n' >"$file"
    expect 2 "DEMO CRITICAL: 満杯" "${check[@]}" "$file"
    printf 42 >"$file"
    expect 42 "" "${check[@]}" "$file"
    for status in '' x -1 256 1000 '1 2'; do
        printf '%s\ntext\n' "$status" >"$file"
        expect 3 "CheckDemo UNKNOWN: the first line of .* is '$status', not an exit status from 0 to 255" "${check[@]}" "$file"
    done
}

# ===== those with a file of tests of their own =====

# shellcheck source-path=SCRIPTDIR
for file in "$root"/scripts/test-checks/*.sh; do
    # shellcheck disable=SC1090 # each of the folder
    . "$file"
done

# ===== definitions =====

# Every word of a command that ends in .sh is one of the scripts here, and they are executable.
test_definitions() {
    local file script
    for file in "$checks"/*.json "$root"/examples/quickstart/sensu/conf.d/*.json; do
        while read -r script; do
            [[ -x $checks/$script ]] && continue
            failed=$((failed + 1))
            echo "FAILED: $file runs $script, which is not an executable file in examples/checks"
        done < <(grep -o '[a-z-]*\.sh' "$file" | sort -u)
    done
}

# ===== all of it, under each shell =====

shells=(sh)
for shell in dash "busybox sh"; do
    command -v "${shell%% *}" >/dev/null && shells+=("$shell")
done
command -v bash >/dev/null && shells+=("bash --posix")
for shell in "${shells[@]}"; do
    read -ra words <<<"$shell"
    test_memory "${words[@]}"
    test_disk "${words[@]}"
    test_process "${words[@]}"
    test_demo "${words[@]}"
    test_nfs "${words[@]}"
    test_endpoints "${words[@]}"
    test_pods "${words[@]}"
    test_tls "${words[@]}"
    test_csi "${words[@]}"
    test_windows "${words[@]}"
    test_openstack "${words[@]}"
done
test_definitions

echo "example checks: $passed passed, $failed failed (shells: $(IFS=,; echo "${shells[*]}"))"
[[ $failed -eq 0 ]]
