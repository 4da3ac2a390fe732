#!/bin/sh
# Says what a file says: its first line is the exit status, the rest the output. For demonstrations, and for trying a route
# or a handler: write the file, and the check fails.

usage() {
    cat <<'TEXT'
usage: check-demo.sh FILE
  FILE        first line: the exit status; further lines: the output
  -h, --help  this text
exit: as the file says; 3 UNKNOWN when it cannot be read or its first line is no status
TEXT
}

unknown() {
    echo "CheckDemo UNKNOWN: $1"
    exit 3
}

case ${1-} in
-h | --help)
    usage
    exit 0
    ;;
esac
if [ $# -ne 1 ]; then
    echo "CheckDemo UNKNOWN: one FILE is needed"
    usage
    exit 3
fi

# Read once: the file may be replaced at any time.
content=$(cat -- "$1" 2>/dev/null) || unknown "$1 cannot be read"
status=$(printf '%s\n' "$content" | sed 1q)
case $status in
'' | *[!0-9]* | ????*) unknown "the first line of $1 is '$status', not an exit status from 0 to 255" ;;
esac
[ "$status" -le 255 ] || unknown "the first line of $1 is '$status', not an exit status from 0 to 255"
printf '%s\n' "$content" | sed 1d
exit "$status"
