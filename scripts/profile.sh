#!/usr/bin/env bash
# Where the processor time of each program goes while a bench loads it: a flame graph, and the hottest functions as text, in
# target/profiles. Needs perf (Debian: linux-perf) and the right to use it (root, or kernel.perf_event_paranoid at most 2); inferno is compiled into
# target/tools. No release is built differently for it: stacks are unwound by DWARF.
#
# usage: scripts/profile.sh [PROGRAM...]       PROGRAM: checkscript-runner checkscript-agent alertmanager-proxy pushgateway-ex pushgateway-agent web-ui
#        exit 0: all are there; exit 1: the text on stderr says what to do
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
declare -A benches=(
    [checkscript-runner]='throughput' [checkscript-agent]='catch-up scrape' [alertmanager-proxy]='storm' [pushgateway-ex]='pushgateway'
    [pushgateway-agent]='push-agent' [web-ui]='web-ui'
)
programs=("$@")
[[ ${#programs[@]} -gt 0 ]] || programs=(checkscript-runner checkscript-agent alertmanager-proxy pushgateway-ex pushgateway-agent web-ui)

say() { printf 'profile.sh: %s\n' "$*" >&2; }

cd "$root"
command -v perf >/dev/null || { say "no perf: apt-get install linux-perf"; exit 1; }
export PATH=$PATH:$root/target/tools/cargo/bin
if ! command -v inferno-flamegraph >/dev/null; then
    say "compiling inferno into target/tools"
    cargo install --quiet --locked inferno@0.12.4 --root "$root/target/tools/cargo"
fi
mkdir -p target/profiles

# hottest: of folded stacks each function's share of all time, with what it calls and by itself.
hottest() {
    awk '{
        count = $NF; sub(/ [0-9]+$/, ""); all += count; split("", seen)
        frames = split($0, frame, ";"); own[frame[frames]] += count
        for (i = 1; i <= frames; i++) if (!(frame[i] in seen)) { seen[frame[i]]; with[frame[i]] += count }
    } END { for (name in with) if (with[name] >= all / 200) printf "%5.1f %5.1f %s\n", 100 * with[name] / all, 100 * own[name] / all, name }' |
        sort -rn | { printf ' with   own, percent of the program\n'; cat; }
}

options=(--quiet -e cpu-clock -F 199 --call-graph dwarf,16384)

# follow PROGRAM BENCH DATA: perf follows the bench and all that it starts. Prints the stacks of the processes that run the program.
follow() {
    local pids
    perf record "${options[@]}" -o "$3" -- target/release/bench "$2" --repeats 1 >"target/profiles/$1-$2.log" 2>&1 || return
    pids=$(perf script -i "$3" --show-mmap-events 2>/dev/null |
        sed -n "s|.*PERF_RECORD_MMAP2* \([0-9]*\)/.* r-xp .*/$1\$|\1|p" | sort -u | paste -sd,)
    [[ -z $pids ]] || perf script -i "$3" --no-inline --pid "$pids" 2>/dev/null
}

# attach PROGRAM BENCH DATA: the same, of the threads that each process of the program has soon after its start. Of one that starts
# hundreds of others a second, perf takes next to no samples where it follows these as well.
attach() {
    local bench pid file
    target/release/bench "$2" --repeats 1 >"target/profiles/$1-$2.log" 2>&1 &
    bench=$!
    while kill -0 "$bench" 2>/dev/null; do
        # A process has 15 characters of its name.
        for pid in $(pgrep -x "${1:0:15}"); do
            [[ ! -e $3.$pid ]] || continue
            touch "$3.$pid"
            perf record "${options[@]}" --no-inherit --pid "$pid" -o "$3.$pid" >/dev/null 2>&1 &
        done
        sleep 0.2
    done
    wait "$bench" || return
    wait
    for file in "$3".*; do
        perf script -i "$file" --no-inline 2>/dev/null || true
        rm "$file"
    done
}

# profile PROGRAM BENCH
profile() {
    local name=$1-$2 way=follow data
    [[ $1 != checkscript-runner && $1 != pushgateway-agent ]] || way=attach
    data=$(mktemp "target/profiles/$name.XXXXXX")
    say "$1 under bench $2"
    "$way" "$1" "$2" "$data" | inferno-collapse-perf --all >"target/profiles/$name.folded" ||
        { say "the bench failed, or did not start it: target/profiles/$name.log"; exit 1; }
    # What is narrower could not be read in a picture.
    inferno-flamegraph --minwidth 0.5 --title "$1, bench $2" "target/profiles/$name.folded" >"target/profiles/$name.svg"
    hottest <"target/profiles/$name.folded" >"target/profiles/$name.txt"
    rm -f "$data"
}

for program in "${programs[@]}"; do
    [[ -n ${benches[$program]-} ]] || { say "$program is none of: ${!benches[*]}"; exit 1; }
    for bench in ${benches[$program]}; do
        profile "$program" "$bench"
    done
done
say "target/profiles/*.svg, and the hottest functions of each in *.txt"
