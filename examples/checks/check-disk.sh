#!/bin/sh
# Space and inodes of mounted file systems. The list comes from /proc/mounts, which no dead server can block; df is asked for one
# mount at a time, with a time limit where timeout(1) exists. Network file systems are looked at only when they are named.

usage() {
    cat <<'TEXT'
usage: check-disk.sh [-w PERCENT] [-c PERCENT] [-W PERCENT] [-C PERCENT] [-m MOUNT]... [-t SECONDS] [--root DIR]
  -w PERCENT  WARNING from this share of used space on (default 85)
  -c PERCENT  CRITICAL likewise (default 95)
  -W PERCENT  WARNING from this share of used inodes on (default 85)
  -C PERCENT  CRITICAL likewise (default 95)
  -m MOUNT    only this mount point, which must be mounted; may be repeated (default: every local file system)
  -t SECONDS  how long df may take for one mount, a whole number (default 5)
  --root DIR  read DIR/proc/mounts
  -h, --help  this text
exit: 0 OK, 1 WARNING, 2 CRITICAL (also: not mounted, no answer in time), 3 UNKNOWN (wrong options, nothing to read)
TEXT
}

name=CheckDisk
newline='
'

unknown() {
    echo "$name UNKNOWN: $1"
    exit 3
}

wrong() {
    echo "$name UNKNOWN: $1"
    usage
    exit 3
}

percent() {
    case $2 in
    '' | *[!0-9]* | ????*) wrong "$1 needs a whole number of percent, not '$2'" ;;
    esac
}

warn=85 crit=95 inode_warn=85 inode_crit=95 wanted='' limit=5 root=
while [ $# -gt 0 ]; do
    case $1 in
    -h | --help)
        usage
        exit 0
        ;;
    -w | -c | -W | -C | -m | -t | --root) [ $# -ge 2 ] || wrong "$1 needs a value" ;;
    *) wrong "unknown option '$1'" ;;
    esac
    case $1 in
    -w) percent "$1" "$2" && warn=$2 ;;
    -c) percent "$1" "$2" && crit=$2 ;;
    -W) percent "$1" "$2" && inode_warn=$2 ;;
    -C) percent "$1" "$2" && inode_crit=$2 ;;
    -t)
        case $2 in
        '' | 0 | *[!0-9]* | ????*) wrong "-t needs whole seconds from 1 to 999, not '$2'" ;;
        esac
        limit=$2
        ;;
    -m)
        case $2 in
        /*) wanted="$wanted${wanted:+$newline}$2" ;;
        *) wrong "-m needs a mount point that begins with /, not '$2'" ;;
        esac
        ;;
    --root) root=$2 ;;
    esac
    shift 2
done

# Mount points of file systems that hold data on this machine, the last mounted on each point. tmpfs counts: a full /run hurts.
local_mounts() {
    awk '
        $3 ~ /^(autofs|bdev|bpf|binderfs|binfmt_misc|cgroup2?|configfs|cpuset|debugfs|devpts|devtmpfs|efivarfs|fusectl)$/ { next }
        $3 ~ /^(hugetlbfs|iso9660|mqueue|nsfs|proc|pstore|ramfs|rpc_pipefs|securityfs|selinuxfs|squashfs|sysfs|tracefs)$/ { next }
        $3 ~ /^(nfs4?|cifs|smb3?|smbfs|9p|virtiofs|ceph|lustre|gfs2|ocfs2|afs|coda|ncpfs)$/ || $3 ~ /^fuse/ { next }
        $3 == "overlay" && $2 != "/" { next }
        !seen[$2]++ { print $2 }' "$root/proc/mounts" | unescape
}

# /proc/mounts writes a space as \040, a tab as \011, a backslash as \134.
unescape() {
    sed -e 's/\\040/ /g' -e 's/\\011/	/g' -e 's/\\134/\\/g'
}

# Old busybox has a timeout with other options.
if timeout -s KILL 5 true 2>/dev/null; then
    bounded() { timeout -s KILL "$limit" "$@"; }
else
    bounded() { "$@"; }
fi

# used -P|-Pi MOUNT: the percentage in df's answer. Empty where the file system has no such figure (inodes of btrfs).
used() {
    answer=$(bounded df "$1" -- "$2" 2>/dev/null) || return
    printf '%s\n' "$answer" | sed -n '2s/.* \([0-9][0-9]*\)% .*/\1/p'
}

criticals='' warnings='' unknowns='' perfdata='' count=0

# problem LIST TEXT
problem() {
    case $1 in
    critical) criticals="$criticals${criticals:+, }$2" ;;
    warning) warnings="$warnings${warnings:+, }$2" ;;
    unknown) unknowns="$unknowns${unknowns:+, }$2" ;;
    esac
}

# judge MOUNT WHAT PERCENT WARN CRIT
judge() {
    if [ "$3" -ge "$5" ]; then
        problem critical "$1 $3% of $2 used"
    elif [ "$3" -ge "$4" ]; then
        problem warning "$1 $3% of $2 used"
    fi
}

look_at() {
    count=$((count + 1))
    space=$(used -P "$1")
    case $? in
    0) ;;
    # timeout's own status, and that of a shell whose child was killed.
    124 | 137)
        problem critical "$1 does not answer within $limit s"
        return
        ;;
    *)
        problem unknown "$1 cannot be read by df"
        return
        ;;
    esac
    # A quote would end the label, an equals sign is not allowed in it.
    label=$(printf '%s' "$1" | tr "'=" '__')
    if [ -n "$space" ]; then
        judge "$1" space "$space" "$warn" "$crit"
        perfdata="$perfdata '$label'=$space%;$warn;$crit;0;100"
    fi
    inodes=$(used -Pi "$1") || inodes=
    if [ -n "$inodes" ]; then
        judge "$1" inodes "$inodes" "$inode_warn" "$inode_crit"
        perfdata="$perfdata '$label inodes'=$inodes%;$inode_warn;$inode_crit;0;100"
    fi
}

[ -r "$root/proc/mounts" ] || unknown "$root/proc/mounts cannot be read"
all=$(awk '{ print $2 }' "$root/proc/mounts" | unescape)
[ -n "$wanted" ] || wanted=$(local_mounts)
[ -n "$wanted" ] || unknown "no local file system in $root/proc/mounts"

set -f
IFS=$newline
for mount in $wanted; do
    unset IFS
    # df would answer for the parent of a directory that nothing is mounted on.
    if printf '%s\n' "$all" | grep -qxF -e "$mount"; then
        look_at "$mount"
    else
        problem critical "$mount is not mounted"
    fi
done

report="$criticals${warnings:+${criticals:+, }$warnings}"
report="$report${unknowns:+${report:+, }$unknowns}${perfdata:+ |$perfdata}"
if [ -n "$criticals" ]; then
    echo "$name CRITICAL: $report"
    exit 2
elif [ -n "$warnings" ]; then
    echo "$name WARNING: $report"
    exit 1
elif [ -n "$unknowns" ]; then
    unknown "$report"
elif [ -z "$perfdata" ]; then
    unknown "df gives no percentage for any of $count file systems"
fi
echo "$name OK: $count file systems |$perfdata"
