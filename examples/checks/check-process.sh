#!/bin/sh
# How many processes there are of a kind, by their command line or by a pid file. Reads /proc: no ps, whose options differ.

usage() {
    cat <<'TEXT'
usage: check-process.sh -p PATTERN | -f PIDFILE [-w MIN] [-c MIN] [-W MAX] [-C MAX] [--root DIR]
  -p PATTERN  count processes whose command line (arguments joined by spaces) matches this extended regular expression
  -f PIDFILE  count the process whose id this file holds; with -p it must match as well
  -w MIN      WARNING with fewer (default: none)
  -c MIN      CRITICAL with fewer (default 1)
  -W MAX      WARNING with more (default: none)
  -C MAX      CRITICAL with more (default: none)
  --root DIR  read DIR/proc and DIR/PIDFILE
  -h, --help  this text
exit: 0 OK, 1 WARNING, 2 CRITICAL, 3 UNKNOWN (wrong options, nothing to read)
TEXT
}

name=CheckProcess

unknown() {
    echo "$name UNKNOWN: $1"
    exit 3
}

wrong() {
    echo "$name UNKNOWN: $1"
    usage
    exit 3
}

count_option() {
    case $2 in
    '' | *[!0-9]* | ????????*) wrong "$1 needs a whole number, not '$2'" ;;
    esac
}

pattern='' pidfile='' min_warn='' min_crit=1 max_warn='' max_crit='' root=
while [ $# -gt 0 ]; do
    case $1 in
    -h | --help)
        usage
        exit 0
        ;;
    -p | -f | -w | -c | -W | -C | --root) [ $# -ge 2 ] || wrong "$1 needs a value" ;;
    *) wrong "unknown option '$1'" ;;
    esac
    case $1 in
    -p) pattern=$2 ;;
    -f) pidfile=$2 ;;
    -w) count_option "$1" "$2" && min_warn=$2 ;;
    -c) count_option "$1" "$2" && min_crit=$2 ;;
    -W) count_option "$1" "$2" && max_warn=$2 ;;
    -C) count_option "$1" "$2" && max_crit=$2 ;;
    --root) root=$2 ;;
    esac
    shift 2
done
[ -n "$pattern$pidfile" ] || wrong "-p or -f is needed"
[ -d "$root/proc" ] || unknown "$root/proc is no directory"

# matching CMDLINE...: how many of these files (of /proc/PID/cmdline's form) are of a process and match. tail puts a line with
# the file's name before each, as long as there are two files or more. Whatever names this script is left out: itself, the
# shell or sudo that started it, another such check. Zombies and kernel threads have no command line and do not count.
matching() {
    tail -n +1 /dev/null "$@" 2>/dev/null | tr '\0' ' ' | PATTERN=$pattern awk '
        function take() {
            if (args != "" && index(args, "check-process.sh") == 0 && args ~ ENVIRON["PATTERN"]) found++
            args = ""
        }
        BEGIN { probe = ("" ~ ENVIRON["PATTERN"]) }
        /^==> .*\/proc\/[0-9]+\/cmdline <==$/ { take(); next }
        /^==> \/dev\/null <==$/ { next }
        { sub(/ $/, ""); if ($0 != "") args = args (args == "" ? "" : " ") $0 }
        END { take(); print found + 0 }' 2>/dev/null
}

if [ -n "$pidfile" ]; then
    what="in $pidfile"
    [ -z "$pattern" ] || what="in $pidfile and match '$pattern'"
    pid=
    if [ -e "$root$pidfile" ]; then
        pid=$(sed 1q "$root$pidfile" 2>/dev/null) || unknown "$pidfile cannot be read"
        case $pid in
        '' | *[!0-9]*) unknown "$pidfile holds '$pid', not a process id" ;;
        esac
    fi
    count=$(matching "$root/proc/${pid:-none}/cmdline")
else
    what="match '$pattern'"
    count=$(matching "$root"/proc/[0-9]*/cmdline)
fi
[ -n "$count" ] || unknown "'$pattern' is not a regular expression that awk takes"

word=OK
if { [ -n "$min_warn" ] && [ "$count" -lt "$min_warn" ]; } || { [ -n "$max_warn" ] && [ "$count" -gt "$max_warn" ]; }; then
    word=WARNING
fi
if [ "$count" -lt "$min_crit" ] || { [ -n "$max_crit" ] && [ "$count" -gt "$max_crit" ]; }; then
    word=CRITICAL
fi
echo "$name $word: $count processes $what | processes=$count;${min_warn:+$min_warn:}$max_warn;$min_crit:$max_crit;0"
case $word in
OK) exit 0 ;;
WARNING) exit 1 ;;
*) exit 2 ;;
esac
