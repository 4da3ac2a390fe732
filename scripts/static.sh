#!/usr/bin/env bash
# Builds the six programs for this machine's processor with musl, so that each is one file that needs nothing of the system it runs on,
# and prints the directory that they are in. What C there is in them (ring, jemalloc) is compiled by musl-gcc: the one on PATH, or
# Debian's, unpacked into target/tools.
#
# usage: scripts/static.sh [release|dev [CARGO-OPTION...]]        exit 0: built; exit 1: the text on stderr says what is missing
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
tools=$root/target/tools
profile=${1:-release}
target=$(uname -m)-unknown-linux-musl

say() { printf 'static.sh: %s\n' "$*" >&2; }

# The compiler that the C parts are built with. Debian's names its files by absolute paths, in its specs.
compiler() {
    local own=$tools/bin/musl-gcc lib=$tools/root/usr/lib/${target%%-*}-linux-musl
    if type -P musl-gcc >/dev/null; then
        type -P musl-gcc
        return
    fi
    if [[ ! -x $own ]]; then
        say "fetching Debian's musl-tools into target/tools (nothing is installed)"
        "$root/scripts/debian-packages.sh" musl musl-dev musl-tools || return 1
        sed "s#/usr/\(lib\|include\)/${target%%-*}-linux-musl#$tools/root&#g" "$lib/musl-gcc.specs" >"$tools/musl-gcc.specs"
        mkdir -p "$tools/bin"
        printf '#!/bin/sh\nexec cc "$@" -specs %s\n' "$tools/musl-gcc.specs" >"$own"
        chmod +x "$own"
    fi
    printf '%s\n' "$own"
}

if [[ ! -d $(rustc --print sysroot)/lib/rustlib/$target/lib ]] && ! rustup target add "$target" >&2; then
    say "no Rust libraries for $target: rustup target add $target"
    exit 1
fi
musl_gcc=$(compiler)

# Packages of the dev profile are for tests of packaging; nobody debugs their programs.
env "CC_${target//-/_}=$musl_gcc" CARGO_PROFILE_DEV_DEBUG=0 cargo build --profile "$profile" --target "$target" --locked --bins \
    -p checkscript-runner -p checkscript-agent -p alertmanager-proxy -p pushgateway-ex -p web-ui "${@:2}" >&2
printf '%s\n' "$root/target/$target/${profile/#dev/debug}"
