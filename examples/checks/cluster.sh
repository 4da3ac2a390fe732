# shellcheck shell=sh disable=SC2034,SC2154 # sourced, and what it sets is for those who source it
# Of the checks beside it that ask a cluster: their common options, a question with a time limit, and the report. Sourced, not run.
# What is judged comes as JSON; jq judges it, so that no name from a cluster is ever seen by the shell.
#
# Who sources it sets `name`, `own` (options of its own, each with a value), `usage` and `own_option OPTION VALUE`.

unknown() {
    printf '%s\n' "$name UNKNOWN: $1"
    exit 3
}

wrong() {
    printf '%s\n' "$name UNKNOWN: $1"
    usage
    exit 3
}

whole() { # OPTION VALUE
    case $2 in
    '' | *[!0-9]* | ????????*) wrong "$1 needs a whole number, not '$2'" ;;
    esac
}

common_usage() {
    cat <<'TEXT'
  -t SECONDS    UNKNOWN when the cluster has not answered after these (default 20)
  --input FILE  judge this recorded answer instead of asking
  --now SECONDS take this for the time, in seconds since 1970 (for recorded answers)
  -h, --help    this text
exit: 0 OK, 1 WARNING, 2 CRITICAL, 3 UNKNOWN (wrong options, no answer in time, no permission)
TEXT
}

limit=20 input='' exclude='^$' now=$(date +%s)

options() {
    while [ $# -gt 0 ]; do
        case $1 in
        -h | --help)
            usage
            exit 0
            ;;
        *[!a-z-]*) wrong "unknown option '$1'" ;;
        esac
        case " -t --input --now $own " in
        *" $1 "*) [ $# -ge 2 ] || wrong "$1 needs a value" ;;
        *) wrong "unknown option '$1'" ;;
        esac
        case $1 in
        -t)
            case $2 in
            '' | 0* | *[!0-9]* | ????*) wrong "-t needs whole seconds from 1 to 999, not '$2'" ;;
            esac
            limit=$2
            ;;
        --input)
            [ -r "$2" ] || wrong "$2 cannot be read"
            input=$2
            ;;
        --now)
            case $2 in
            '' | *[!0-9]* | ????????????*) wrong "--now needs whole seconds, not '$2'" ;;
            esac
            now=$2
            ;;
        *) own_option "$1" "$2" ;;
        esac
        shift 2
    done
    needed jq
    # shellcheck disable=SC2016 # the dollar is jq's
    jq -n --arg pattern "$exclude" '"" | test($pattern)' >/dev/null 2>&1 || wrong "-x needs a regular expression, not '$exclude'"
    dir=$(mktemp -d) || unknown "no temporary directory can be made: is TMPDIR or /tmp writable?"
    trap 'rm -rf "$dir"' EXIT
    trap 'exit 3' HUP INT TERM
}

needed() {
    command -v "$1" >/dev/null || unknown "$1 is needed: install it where the PATH of this check finds it"
}

# The last line that says something, without what could paint over a terminal or begin the figures.
said() {
    sed '/^[[:space:]]*$/d' "$1" | tail -n 1 | tr -d '\n' | LC_ALL=C tr '\001-\037\177|' '?' | cut -c 1-300
}

# bounded COMMAND...: what it says goes to files, so that no child it leaves behind holds this check up.
bounded() {
    # A shell that tells of killed children tells nobody.
    { timeout -s KILL "$limit" "$@" </dev/null >"$dir/answer" 2>"$dir/error"; } 2>/dev/null
}

# ask COMMAND...: its answer, or the recorded one, into $dir/answer.
ask() {
    if [ -n "$input" ]; then
        cat <"$input" >"$dir/answer"
        return
    fi
    needed "$1"
    needed timeout
    bounded "$@"
    case $? in
    0) ;;
    124 | 137) unknown "$1 did not answer within $limit s" ;;
    *) unknown "$1 failed: $(said "$dir/error")" ;;
    esac
}

# judge PROGRAM [OPTION OF JQ]...: PROGRAM makes of the answer what `report` below ends with; it is printed, and this check is over.
judge() {
    program=$1
    shift
    verdict "$program" "$@"
    read -r status <"$dir/verdict"
    sed 1d "$dir/verdict"
    exit "$status"
}

verdict() {
    program=$1
    shift
    jq -r --arg name "$name" --argjson now "$now" "$@" "$prelude$program" "$dir/answer" >"$dir/verdict" 2>"$dir/error" ||
        unknown "the answer cannot be read: $(said "$dir/error")"
    [ -s "$dir/verdict" ] || unknown "the answer is empty"
}

# shellcheck disable=SC2016 # the dollars are jq's
prelude='
# Control characters, marks of direction, and the bar that begins the figures.
def safe: tostring | explode
    | map(if . < 32 or (. >= 127 and . < 160) or . == 124 or (. >= 8203 and . <= 8207) or (. >= 8232 and . <= 8238)
        or (. >= 8294 and . <= 8297) or . == 65279 then 63 else . end)
    | implode | if length > 160 then .[:157] + "..." else . end;
def full: "\(.metadata.namespace // "")/\(.metadata.name)" | ltrimstr("/") | safe;
def time: .[:19] | sub(" "; "T") + "Z" | fromdateiso8601;
def since: [$now - time, 0] | max;
def age: if . < 120 then "\(floor) s" elif . < 7200 then "\(. / 60 | floor) min" elif . < 172800 then "\(. / 3600 | floor) h"
    else "\(. / 86400 | floor) d" end;
def list: if type == "object" and (.items | type) == "array" then .items else error("no list of Kubernetes objects") end;
# Of problems {level, text}: the status, the first line, and the worst ten if the first line could not name all.
def report($ok; $count; $what; $figures):
    sort_by({"2": 0, "1": 1}[.level | tostring] // 2) as $all | ($all | length) as $n
    | ($all[0].level // 0) as $status | ["OK", "WARNING", "CRITICAL", "UNKNOWN"][$status] as $word
    | ((["total=\($count);;;0", "problems=\($n);1;;0"] + $figures) | join(" ")) as $perf
    | "\($status)",
      (if $n == 0 then "\($name) OK: \($ok) | \($perf)"
       else "\($name) \($word): \($n) problem\(if $n == 1 then "" else "s" end) in \($count) \($what): "
           + ([$all[:3][].text] | join(", ")) + (if $n > 3 then ", and \($n - 3) more" else "" end) + " | \($perf)" end),
      (if $n > 3 then $all[:10][].text else empty end),
      (if $n > 10 then "and \($n - 10) more" else empty end);
'
