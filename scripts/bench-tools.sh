#!/usr/bin/env bash
# Puts what the benches compare with into target/tools: mtail and node-exporter. Debian's packages are unpacked and not installed,
# as scripts/tools.sh does. A bench leaves out what is missing, and says so.
#
# usage: scripts/bench-tools.sh        exit 0: all there; exit 1: the text on stderr says what to do
set -euo pipefail

tools=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)/target/tools
root=$tools/root

# unpack PACKAGE FILE: PACKAGE is unpacked, unless FILE (a glob within it) is there already.
unpack() {
    if compgen -G "$root/$2" >/dev/null; then return; fi
    local dir=$tools/fetch-$1
    mkdir -p "$dir" "$root"
    if ! (cd "$dir" && apt-get -q -o "APT::Sandbox::User=$(id -un)" download "$1") >"$dir/log" 2>&1; then
        sed 's/^/    /' "$dir/log" >&2
        printf 'bench-tools.sh: apt-get could not download %s; `apt-get update` may help\n' "$1" >&2
        return 1
    fi
    dpkg-deb -x "$dir"/*.deb "$root"
    rm -r "$dir"
}

unpack mtail usr/bin/mtail
unpack prometheus-node-exporter usr/bin/prometheus-node-exporter
