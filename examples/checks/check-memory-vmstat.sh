#!/bin/sh
# Memory, by what is left and by how hard the kernel has to work for it. "Free" alone says little, for page cache is given
# back at once; what hurts is processes that swap, or that must reclaim pages themselves before they get memory (direct
# reclaim). Both are counters in /proc/vmstat, of which two samples make a rate.

usage() {
    cat <<'TEXT'
usage: check-memory-vmstat.sh [-w PERCENT] [-c PERCENT] [-W PAGES] [-C PAGES] [-s SECONDS] [--root DIR]
  -w PERCENT  WARNING when less than this share of memory is available (default 10)
  -c PERCENT  CRITICAL likewise (default 5)
  -W PAGES    WARNING from this pressure on: pages per second swapped in or out, or scanned by direct reclaim (default 1000)
  -C PAGES    CRITICAL likewise (default 10000)
  -s SECONDS  between the two samples, a whole number (default 1)
  --root DIR  read DIR/proc/vmstat and DIR/proc/meminfo
  -h, --help  this text
exit: 0 OK, 1 WARNING, 2 CRITICAL, 3 UNKNOWN (wrong options, nothing to read)
TEXT
}

name=CheckMemoryVmstat

unknown() {
    echo "$name UNKNOWN: $1"
    exit 3
}

wrong() {
    echo "$name UNKNOWN: $1"
    usage
    exit 3
}

# number OPTION VALUE: a decimal number that is not negative, and neither long nor in need of care.
number() {
    case $2 in
    '' | . | *[!0-9.]* | *.*.* | ????????????*) wrong "$1 needs a number, not '$2'" ;;
    esac
}

warn=10 crit=5 warn_pages=1000 crit_pages=10000 seconds=1 root=
while [ $# -gt 0 ]; do
    case $1 in
    -h | --help)
        usage
        exit 0
        ;;
    -w | -c | -W | -C | -s | --root) [ $# -ge 2 ] || wrong "$1 needs a value" ;;
    *) wrong "unknown option '$1'" ;;
    esac
    [ "$1" = --root ] || number "$1" "$2"
    case $1 in
    -w) warn=$2 ;;
    -c) crit=$2 ;;
    -W) warn_pages=$2 ;;
    -C) crit_pages=$2 ;;
    -s) seconds=$2 ;;
    --root) root=$2 ;;
    esac
    shift 2
done
case $seconds in
0 | 0[0-9]* | *.* | ???*) wrong "-s needs whole seconds from 1 to 99, not '$seconds'" ;;
esac

first=$(cat "$root/proc/vmstat" 2>/dev/null) || unknown "$root/proc/vmstat cannot be read"
sleep "$seconds"
second=$(cat "$root/proc/vmstat" 2>/dev/null) || unknown "$root/proc/vmstat cannot be read"
meminfo=$(cat "$root/proc/meminfo" 2>/dev/null) || unknown "$root/proc/meminfo cannot be read"
page_kib=$(($(getconf PAGESIZE 2>/dev/null || echo 4096) / 1024))

# Kernels before 3.14 have no MemAvailable; then it is estimated from vmstat.
verdict=$(printf '%s\nsample second\n%s\nsample meminfo\n%s\n' "$first" "$second" "$meminfo" |
    awk -v name="$name" -v w="$warn" -v c="$crit" -v wp="$warn_pages" -v cp="$crit_pages" \
        -v seconds="$seconds" -v page_kib="$page_kib" '
    $1 == "sample" { sample = $2; next }
    sample == "meminfo" && $1 == "MemTotal:" { total = $2; next }
    sample == "meminfo" && $1 == "MemAvailable:" { available = $2; has_available = 1; next }
    sample == "meminfo" { next }
    $1 ~ /^pswp(in|out)$/ { swap[sample] += $2; has_swap = 1 }
    $1 ~ /^pgscan_direct(_[a-z]+[0-9]*)?$/ && $1 != "pgscan_direct_throttle" { scan[sample] += $2; has_scan = 1 }
    $1 ~ /^allocstall(_[a-z]+[0-9]*)?$/ { stall[sample] += $2 }
    sample == "second" && $1 ~ /^nr_(free_pages|inactive_file|active_file|slab_reclaimable)$/ { estimate += $2 * page_kib }
    # A counter that went back was reset, and its rate is not known.
    function rate(counter) { return counter["second"] < counter[""] ? 0 : (counter["second"] - counter[""]) / seconds }
    END {
        if (total <= 0) { print name " UNKNOWN: no MemTotal in meminfo"; exit }
        if (!has_scan) { print name " UNKNOWN: no pgscan_direct in vmstat"; exit }
        if (!has_available) available = estimate
        percent = 100 * available / total
        swapped = rate(swap); scanned = rate(scan); stalled = rate(stall)
        pressure = swapped > scanned ? swapped : scanned
        word = "OK"
        if (percent < w || pressure >= wp) word = "WARNING"
        if (percent < c || pressure >= cp) word = "CRITICAL"
        printf "%s %s: %.1f%% of %.0f MiB available, %.0f pages/s swapped, %.0f pages/s scanned by direct reclaim", \
            name, word, percent, total / 1024, swapped, scanned
        printf " | available=%.1f%%;%s:;%s:;0;100 swapped=%.0f;%s;%s;0 direct_reclaim=%.0f;%s;%s;0 allocstall=%.0f;;;0\n", \
            percent, w, c, swapped, wp, cp, scanned, wp, cp, stalled
    }') || unknown "awk failed"

printf '%s\n' "$verdict"
case $verdict in
"$name OK:"*) exit 0 ;;
"$name WARNING:"*) exit 1 ;;
"$name CRITICAL:"*) exit 2 ;;
*) exit 3 ;;
esac
