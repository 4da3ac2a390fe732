#!/bin/sh
# NFS mounts: missing, hung, stale, slow, or mounted with other options than asked for. Nothing here touches a mount but statfs(2) in a
# child for each, all at once, which is given up when its time is over: a process in uninterruptible sleep cannot be killed and must
# not be waited for. A child of an earlier run that still hangs is the answer for its mount: there is never a second one.

usage() {
    cat <<'TEXT'
usage: check-nfs-mounts.sh [-m MOUNT]... [-o OPTIONS] [-w MS] [-t SECONDS] [--root DIR]
  -m MOUNT    only this mount point, which must be mounted; may be repeated (default: the NFS mounts of /etc/fstab that are not
              noauto, and every NFS mount there is)
  -o OPTIONS  options that each must have, besides those of /etc/fstab, e.g. hard,vers=4.2
  -w MS       WARNING when a mount takes as many milliseconds to answer (default 1000; 0: never)
  -t SECONDS  CRITICAL when it has not answered after these (default 5)
  --root DIR  read DIR/proc and DIR/etc/fstab; the mounts are asked where they are
  -h, --help  this text
Only options that the kernel shows in /proc/mounts are compared. Mounts that autofs has not mounted yet are left in peace.
exit: 0 OK, 1 WARNING (slow, other options), 2 CRITICAL (missing, hung, stale, an error), 3 UNKNOWN (wrong options, nothing to read)
TEXT
}

name=CheckNfsMounts
# Part of the command line of each child, by which a later run knows it.
mark='stat -f -c nfs-probe -- '
newline='
'

unknown() {
    printf '%s\n' "$name UNKNOWN: $1"
    exit 3
}

wrong() {
    printf '%s\n' "$name UNKNOWN: $1"
    usage
    exit 3
}

wanted='' extra='' slow=1000 limit=5 root=
while [ $# -gt 0 ]; do
    case $1 in
    -h | --help)
        usage
        exit 0
        ;;
    -m | -o | -w | -t | --root) [ $# -ge 2 ] || wrong "$1 needs a value" ;;
    *) wrong "unknown option '$1'" ;;
    esac
    case $1 in
    -m)
        case $2 in
        *"$newline"*) wrong "-m needs a mount point in one line" ;;
        /*) wanted="$wanted${wanted:+$newline}$2" ;;
        *) wrong "-m needs a mount point that begins with /, not '$2'" ;;
        esac
        ;;
    -o)
        case $2 in
        '' | *[!a-zA-Z0-9_.:,=/-]*) wrong "-o needs mount options, as hard,vers=4.2, not '$2'" ;;
        esac
        extra=$2
        ;;
    -w)
        case $2 in
        '' | *[!0-9]* | ???????*) wrong "-w needs a whole number, not '$2'" ;;
        esac
        slow=$2
        ;;
    -t)
        case $2 in
        '' | 0* | *[!0-9]* | ????*) wrong "-t needs whole seconds from 1 to 999, not '$2'" ;;
        esac
        limit=$2
        ;;
    --root) root=$2 ;;
    esac
    shift 2
done

# ===== what there is and what is asked for =====

# Lines of fstab and /proc/mounts write a space as \040, a tab as \011, a newline as \012, a backslash as \134. A newline stays escaped.
unescape() {
    sed -e 's/\\040/ /g' -e 's/\\011/	/g' -e 's/\\134/\\/g'
}

# nfs_lines FILE: mount point, tab, options, of each NFS line; the last on a mount point is the one that is seen.
nfs_lines() {
    awk '$1 !~ /^#/ && $3 ~ /^nfs4?$/ { gsub(/\/+$/, "", $2); print ($2 == "" ? "/" : $2) "\t" $4 }' "$1" | unescape
}

# options LINES MOUNT: empty where there is no such line.
options() {
    printf '%s\n' "$1" | mount=$2 awk -F '\t' '
        { options = $NF; sub(/\t[^\t]*$/, ""); if ($0 == ENVIRON["mount"]) found = options }
        END { print found }'
}

[ -r "$root/proc/mounts" ] || unknown "$root/proc/mounts cannot be read"
mounted=$(nfs_lines "$root/proc/mounts")
asked=
[ -r "$root/etc/fstab" ] && asked=$(nfs_lines "$root/etc/fstab")
automounts=$(awk '$3 == "autofs" { print $2 }' "$root/proc/mounts" | unescape)

if [ -z "$wanted" ]; then
    wanted=$(
        {
            printf '%s\n' "$mounted"
            printf '%s\n' "$asked" | awk -F '\t' '("," $NF ",") !~ /,noauto,/'
        } | sed 's/	[^	]*$//' | awk '$0 != "" && !seen[$0]++'
    )
fi
if [ -z "$wanted" ]; then
    echo "$name OK: no NFS mounts here, and none in /etc/fstab | mounts=0;;;0 problems=0;1;;0"
    exit 0
fi

# other_options ASKED REAL: what of ASKED the kernel shows otherwise. Versions: 4 asks for any 4.x. What is of use to mount(8) only, or is
# shown only where it differs from a default that depends on the kernel, says nothing.
other_options() {
    printf '%s\n%s\n' "$1" "$2" | awk '
        function key(o) { sub(/=.*/, "", o); return o == "nfsvers" ? "vers" : o }
        function differs(o) { printf "%s%s", separator, o; separator = ", " }
        NR == 1 { n = split($0, asked, ",") }
        NR == 2 { m = split($0, list, ","); for (i = 1; i <= m; i++) { real[list[i]] = 1; value[key(list[i])] = list[i] } }
        END {
            shown = "^(vers|proto|timeo|retrans|rsize|wsize|sec|nconnect|ro|rw|hard|soft|softerr|sync|noatime|nodiratime|nosuid"
            shown = shown "|nodev|noexec|noac|nocto|noacl|nordirplus|noresvport|nosharecache)$"
            for (i = 1; i <= n; i++) {
                o = asked[i]
                if (o == "tcp" || o == "udp" || o == "rdma") o = "proto=" o
                sub(/^nfsvers=/, "vers=", o)
                k = key(o)
                # A later word of the same meaning wins, as it does for mount.
                sense = k ~ /^r[ow]$/ ? "rw" : k ~ /^(hard|soft|softerr)$/ ? "hard" : k
                last[sense] = o; order[sense] = i
            }
            for (i = 1; i <= n; i++) for (s in last) if (order[s] == i) {
                o = last[s]; k = key(o)
                if (o in real) continue
                if (k == "vers" && index(value["vers"], o ".") == 1) continue
                if (o ~ /^proto=/ && value["proto"] == o "6") continue
                if (k ~ shown) differs((k in value) && o ~ /=/ ? o " is " value[k] : o " is not set")
                else if (("no" o) in real) differs(o " is no" o)
            }
        }'
}

# ===== asking the mounts =====

command -v stat >/dev/null || unknown "stat(1) is needed: install coreutils"
dir=$(mktemp -d) || unknown "no temporary directory can be made: is TMPDIR or /tmp writable?"
# A child that is given up may still write there: its own business.
trap 'rm -rf "$dir"' EXIT
trap 'exit 3' HUP INT TERM

# hangs_already MOUNT: a child of an earlier run is still at it.
hangs_already() {
    for file in $suspects; do
        line=$(tr '\0' ' ' <"$file" 2>/dev/null)
        case $line in
        *"$mark$1 ") return 0 ;;
        esac
    done
    return 1
}

# probe NUMBER MOUNT: its standard streams are no one's, or whoever reads this check's output would wait for it.
probe() {
    {
        read -r begin _ <"/proc/uptime"
        LC_ALL=C stat -f -c nfs-probe -- "$2" >/dev/null 2>"$dir/$1.error" &
        echo $! >"$dir/$1.pid"
        wait $!
        status=$?
        read -r end _ <"/proc/uptime"
        echo "$status $begin $end" >"$dir/$1.new"
        mv "$dir/$1.new" "$dir/$1.done"
    } </dev/null >/dev/null 2>&1 &
}

# each FUNCTION: calls it with the number and the mount point of each wanted.
each() {
    number=0
    set -f
    IFS=$newline
    for mount in $wanted; do
        unset IFS
        set +f
        number=$((number + 1))
        "$1" "$number" "$mount"
    done
    unset IFS
    set +f
}

start() {
    if [ -z "$(options "$mounted" "$2")" ]; then
        echo missing >"$dir/$1.skip"
        printf '%s\n' "$automounts" | grep -qxF -e "$2" && echo idle >"$dir/$1.skip"
    elif hangs_already "$2"; then
        echo hung >"$dir/$1.skip"
    else
        probe "$1" "$2"
        started=$((started + 1))
    fi
}

now() {
    read -r up _ </proc/uptime
    echo "${up%.*}"
}

answered() {
    set -- "$dir"/*.done
    [ -e "$1" ] || set --
    echo $#
}

suspects=$(grep -l -s -F -e nfs-probe "$root"/proc/[0-9]*/cmdline)
started=0
each start
deadline=$(($(now) + limit))
while [ "$(answered)" -lt "$started" ] && [ "$(now)" -le "$deadline" ]; do
    # Not every sleep knows fractions.
    sleep 0.1 2>/dev/null || sleep 1
done

# ===== the report =====

criticals='' warnings='' details='' perfdata='' count=0 bad=0 idle=0

# The bar begins the figures, and control characters could paint over the line.
safe() {
    printf '%s' "$1" | LC_ALL=C tr '\001-\037\177|' '?' | cut -c 1-200
}

# problem LEVEL MOUNT TEXT: three of each level in the first line, ten in all below it.
problem() {
    bad=$((bad + 1))
    text="$(safe "$2") $(safe "$3")"
    case $1 in
    critical) criticals="$criticals$text$newline" ;;
    warning) warnings="$warnings$text$newline" ;;
    esac
}

judge() {
    count=$((count + 1))
    state=
    [ -e "$dir/$1.skip" ] && read -r state <"$dir/$1.skip"
    case $state in
    idle)
        idle=$((idle + 1))
        return
        ;;
    missing)
        problem critical "$2" "is not mounted"
        return
        ;;
    hung)
        problem critical "$2" "hangs since an earlier check: its server does not answer"
        return
        ;;
    esac
    if [ ! -e "$dir/$1.done" ]; then
        # Where the kernel lets it die, it need not stay.
        [ -s "$dir/$1.pid" ] && kill -KILL "$(cat "$dir/$1.pid")" 2>/dev/null
        problem critical "$2" "hangs: no answer within $limit s"
        return
    fi
    read -r status begin end <"$dir/$1.done"
    if [ "$status" -ne 0 ]; then
        if grep -q 'Stale' "$dir/$1.error"; then
            problem critical "$2" "is stale: the server knows this export no more; unmount and mount it again"
        else
            problem critical "$2" "fails: $(tail -n 1 "$dir/$1.error" | sed 's/.*: //')"
        fi
        return
    fi
    ms=$(awk -v b="$begin" -v e="$end" 'BEGIN { printf "%d", (e - b) * 1000 + 0.5 }')
    [ "$slow" -gt 0 ] && [ "$ms" -ge "$slow" ] && problem warning "$2" "is slow: $ms ms"
    if [ "$count" -le 50 ]; then
        label=$(safe "$2" | tr "'=" '__')
        perfdata="$perfdata '$label'=${ms}ms;$([ "$slow" -gt 0 ] && echo "$slow");;0"
    fi
    asked_here=$(options "$asked" "$2")
    other=$(other_options "$asked_here${asked_here:+${extra:+,}}$extra" "$(options "$mounted" "$2")")
    [ -n "$other" ] && problem warning "$2" "has other options than asked for: $other"
}

each judge
perfdata="mounts=$count;;;0 problems=$bad;1;;0$perfdata"
if [ "$bad" -eq 0 ]; then
    printf '%s\n' "$name OK: $((count - idle)) NFS mounts answer$([ "$idle" -eq 0 ] || echo ", $idle not mounted yet by autofs") | $perfdata"
    exit 0
fi
details=$criticals$warnings
first=$(printf '%s' "$details" | head -n 3 | awk '{ printf "%s%s", separator, $0; separator = ", " }')
[ "$bad" -gt 3 ] && first="$first, and $((bad - 3)) more"
level=WARNING status=1
[ -n "$criticals" ] && level=CRITICAL status=2
printf '%s\n' "$name $level: $first | $perfdata"
if [ "$bad" -gt 3 ]; then
    printf '%s' "$details" | head -n 10
    [ "$bad" -gt 10 ] && echo "and $((bad - 10)) more"
fi
exit $status
