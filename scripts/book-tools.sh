#!/usr/bin/env bash
# Puts what makes and checks the book into target/tools: mdBook (without its server) and hyperlink, built from crates.io, and remark with
# its checker of links from the npm registry, by scripts/book/package-lock.json. Quick and silent when there is nothing to do.
#
# usage: scripts/book-tools.sh [mdbook]        with `mdbook` that alone; exit 1: the text on stderr says what to do
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
tools=$root/target/tools

mdbook=0.5.4
hyperlink=0.3.2

say() { printf 'book-tools.sh: %s\n' "$*" >&2; }

# quietly LOG COMMAND...: runs it, and shows what it said only if it fails.
quietly() {
    local log=$1
    shift
    "$@" >"$log" 2>&1 || { sed 's/^/    /' "$log" >&2; return 1; }
}

# place NAME VERSION [CARGO-OPTION...]
place() {
    local name=$1 version=$2
    shift 2
    if [[ $("$tools/bin/$name" --version 2>/dev/null) == *"$version" ]]; then return; fi
    say "building $name $version into target/tools; this takes a minute"
    # Unoptimised it is built in a third of the time, and does its work on this book in a second or two.
    if ! quietly "$tools/$name.log" env -u CARGO_TARGET_DIR cargo install --quiet --locked --debug --force --root "$tools" \
        --target-dir "$tools/book-build" "$@" "$name@$version"; then
        say "cargo could not build $name $version; its words are above"
        return 1
    fi
    strip "$tools/bin/$name" 2>/dev/null || true
}

place_remark() {
    local dir=$tools/remark
    if cmp -s "$root/scripts/book/package-lock.json" "$dir/package-lock.json" && [[ -e $dir/done ]]; then return; fi
    if ! command -v npm >/dev/null; then
        say "no npm, which fetches remark: install Debian's npm (apt-get install --no-install-recommends npm)"
        return 1
    fi
    say "fetching remark from the npm registry into target/tools"
    rm -rf "$dir"
    mkdir -p "$dir"
    cp "$root"/scripts/book/package*.json "$dir"
    if ! quietly "$tools/remark.log" npm ci --prefix "$dir" --ignore-scripts --no-audit --no-fund; then
        say "npm could not fetch remark; its words are above"
        return 1
    fi
    touch "$dir/done"
}

mkdir -p "$tools/bin"
# Two of these scripts may run at once (make -j).
if command -v flock >/dev/null; then
    exec 9>"$tools/book-lock"
    flock 9
fi
place mdbook "$mdbook" --no-default-features --features search
if [[ ${1-} != mdbook ]]; then
    place hyperlink "$hyperlink"
    place_remark
fi
rm -rf "$tools/book-build"
