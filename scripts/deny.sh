#!/usr/bin/env bash
# Holds the dependencies against deny.toml: known vulnerabilities, licences, several versions of one crate, where they come from. cargo-deny
# is compiled into target/tools where it is not on PATH. The list of vulnerabilities comes from github.com/rustsec/advisory-db; where
# that cannot be reached, it is said and the rest is looked at all the same, unless --advisories asks for it.
#
# usage: scripts/deny.sh [--advisories]        exit 0: nothing is wrong; exit 1: what is, is on stderr
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
version=0.20.2

say() { printf 'deny.sh: %s\n' "$*" >&2; }

cd "$root"
export PATH=$PATH:$root/target/tools/cargo/bin
if ! command -v cargo-deny >/dev/null; then
    say "compiling cargo-deny $version into target/tools"
    cargo install --quiet --locked --debug "cargo-deny@$version" --no-default-features --root "$root/target/tools/cargo"
fi

cargo deny --locked check --hide-inclusion-graph licenses bans sources

if ! cargo deny --locked fetch db >"$root/target/tools/advisories.log" 2>&1; then
    say "the list of vulnerabilities cannot be fetched, and was not looked at (target/tools/advisories.log)"
    [[ ${1-} != --advisories ]] || exit 1
    exit 0
fi
cargo deny --locked check --disable-fetch advisories
