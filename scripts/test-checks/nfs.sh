# shellcheck shell=bash disable=SC2154 # sourced by test-checks.sh
# check-nfs-mounts.sh: a fake stat answers for the mounts of a recorded /proc/mounts.

nfs() {
    rm -rf "$work/nfs"
    mkdir -p "$work/nfs/proc/1" "$work/nfs/etc"
    printf '/sbin/init\0' >"$work/nfs/proc/1/cmdline"
    cat >"$work/nfs/proc/mounts" <<'TEXT'
/dev/vda1 / ext4 rw 0 0
systemd-1 /auto autofs rw,relatime 0 0
nas:/home /home nfs4 rw,relatime,vers=4.2,rsize=1048576,hard,proto=tcp6,timeo=600,retrans=2,sec=sys 0 0
nas:/odd /mnt/my\040|\033[31m'odd=1 nfs rw,nosuid,vers=3,soft,nolock,proto=tcp,timeo=100,sec=sys 0 0
TEXT
    cat >"$work/nfs/etc/fstab" <<'TEXT'
# nas:/comment /comment nfs defaults 0 0
nas:/home /home/ nfs nfsvers=4,rw,tcp,_netdev,bg,timeo=600,soft,hard 0 0
nas:/later /later nfs noauto 0 0
nas:/auto /auto nfs x-systemd.automount 0 0
/dev/vda1 / ext4 defaults 0 0
TEXT
    # shellcheck disable=SC2016 # it is a program's text
    program stat '
for mount in "$@"; do :; done
case $mount in
/gone*) trap "" TERM; while [ -e "'"$work"'/nfs/hang" ]; do read -r _ </proc/uptime; sleep 0.2; done ;;
/stale) echo "stat: cannot read file system information for /stale: Stale file handle" >&2; exit 1 ;;
/refused) echo "stat: cannot read file system information for /refused: Permission denied" >&2; exit 1 ;;
esac'
    rm -f "$work/bin/sleep"
}

nfs_mount() { # NAME OPTIONS
    echo "nas:$1 $1 nfs4 $2 0 0" >>"$work/nfs/proc/mounts"
}

test_nfs() {
    local check=("$@" "$checks/check-nfs-mounts.sh") fake=("$@" "$checks/check-nfs-mounts.sh" --root "$work/nfs") number output
    test_usage "${check[@]}"
    test_wrong_options CheckNfsMounts "${check[@]}"
    expect 3 "CheckNfsMounts UNKNOWN: -m needs a mount point that begins with /, not 'home'" "${check[@]}" -m home
    expect 3 "CheckNfsMounts UNKNOWN: -t needs whole seconds from 1 to 999, not '0'" "${check[@]}" -t 0
    expect 3 "CheckNfsMounts UNKNOWN: -o needs mount options, .*" "${check[@]}" -o 'hard vers=4'
    expect 3 "CheckNfsMounts UNKNOWN: /nowhere/proc/mounts cannot be read" "${check[@]}" --root /nowhere

    nfs
    expect 0 "CheckNfsMounts OK: 2 NFS mounts answer, 1 not mounted yet by autofs \| mounts=3;;;0 problems=0;1;;0 '/home'=[0-9]+ms;;;0 .*" faked "${fake[@]}" -w 0
    expect 0 "CheckNfsMounts OK: 1 NFS mounts answer .*" faked "${fake[@]}" -m /home
    expect 2 "CheckNfsMounts CRITICAL: /nothing is not mounted .*" faked "${fake[@]}" -m /nothing
    echo 'nas:/lost /lost nfs defaults 0 0' >>"$work/nfs/etc/fstab"
    expect 2 "CheckNfsMounts CRITICAL: /lost is not mounted \| mounts=4;;;0 problems=1;.*" faked "${fake[@]}"

    # Options: those of fstab and those of -o, the last word of each sense, versions by their beginning.
    expect 0 "CheckNfsMounts OK: .*" faked "${fake[@]}" -m /home -o vers=4.2,hard,proto=tcp,sec=sys,exec
    expect 1 "CheckNfsMounts WARNING: /home has other options than asked for: vers=3 is vers=4.2 .*" faked "${fake[@]}" -m /home -o vers=3
    expect 1 "CheckNfsMounts WARNING: /home has .* asked for: soft is not set, sec=krb5p is sec=sys, noexec is not set .*" faked "${fake[@]}" -m /home -o soft,sec=krb5p,noexec
    expect 1 "CheckNfsMounts WARNING: /mnt/my \?\\\\033\[31m'odd=1 has .*: hard is not set, suid is nosuid .* '/mnt/my \?\\\\033\[31m_odd_1'=.*" faked "${fake[@]}" -m "/mnt/my |\033[31m'odd=1" -o hard,suid

    nfs
    nfs_mount /stale rw,hard
    nfs_mount /refused rw,hard
    expect 2 "CheckNfsMounts CRITICAL: /stale is stale: .*, /refused fails: Permission denied \|.*" faked "${fake[@]}"

    # A mount that hangs is given up; the others are judged all the same.
    nfs
    nfs_mount /gone rw,hard
    : >"$work/nfs/hang"
    expect 2 "CheckNfsMounts CRITICAL: /gone hangs: no answer within 1 s \| mounts=4;;;0 problems=1;1;;0 '/home'=.*" faked "${fake[@]}" -t 1
    rm "$work/nfs/hang"
    # And one that an earlier run still waits for is not asked again: this stat would answer.
    mkdir "$work/nfs/proc/77"
    printf '%s\0' stat -f -c nfs-probe -- /gone >"$work/nfs/proc/77/cmdline"
    expect 2 "CheckNfsMounts CRITICAL: /gone hangs since an earlier check.*" faked "${fake[@]}"
    printf '%s\0' stat -f -c nfs-probe -- /gone/other >"$work/nfs/proc/77/cmdline"
    expect 0 "CheckNfsMounts OK: .*" faked "${fake[@]}" -m /gone -w 0

    nfs
    for ((number = 1; number <= 25; number++)); do echo "nas:/x /lost$number nfs defaults 0 0" >>"$work/nfs/etc/fstab"; done
    expect 2 "CheckNfsMounts CRITICAL: /lost1 is not mounted, /lost2 .*, /lost3 is not mounted, and 22 more \| .*" faked "${fake[@]}"
    output=$(faked "${fake[@]}" || true)
    expect 0 "12 and 15 more" echo "$(wc -l <<<"$output") $(tail -n 1 <<<"$output")"

    : >"$work/nfs/proc/mounts"
    rm "$work/nfs/etc/fstab"
    expect 0 "CheckNfsMounts OK: no NFS mounts here, .*" faked "${fake[@]}"
}
