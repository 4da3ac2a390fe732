#!/usr/bin/env bash
# Unpacks Debian's packages into target/tools/root and installs nothing: no root is needed, no service is enabled, started or left behind.
# apt verifies what it downloads. Where its lists of packages are absent (containers) or older than the archive they are refreshed.
#
# usage: scripts/debian-packages.sh PACKAGE...        exit 0: unpacked; exit 1: the text on stderr says why not
set -euo pipefail

tools=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)/target/tools
mkdir -p "$tools"
dir=$(mktemp -d "$tools/fetch.XXXXXX")
trap 'rm -rf "$dir"' EXIT

# download PACKAGES... -- [APT-OPTION...]
download() {
    local packages=()
    while [[ $1 != -- ]]; do
        packages+=("$1")
        shift
    done
    shift
    (cd "$dir" && apt-get -q "$@" -o "APT::Sandbox::User=$(id -un)" download "${packages[@]}") >"$dir/log" 2>&1
}

# Root or sudo refreshes the lists; anyone else gets lists of their own under target/tools/apt.
download_with_fresh_lists() {
    local apt=$tools/apt
    local private=(-o "Dir::State=$apt/state" -o "Dir::Cache=$apt/cache" -o "Dir::State::status=/var/lib/dpkg/status"
        -o "APT::Sandbox::User=$(id -un)")
    printf 'debian-packages.sh: refreshing the lists of packages\n' >&2
    # One unreachable third-party archive fails the update; whether it matters is for the download to say.
    if [[ $(id -u) -eq 0 ]]; then
        apt-get -q update >"$tools/apt-update.log" 2>&1 || true
    elif command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
        # shellcheck disable=SC2024 # the log is this user's
        sudo -n apt-get -q update >"$tools/apt-update.log" 2>&1 || true
    else
        mkdir -p "$apt/state/lists/partial" "$apt/cache/archives/partial"
        apt-get -q "${private[@]}" update >"$tools/apt-update.log" 2>&1 || true
        download "$@" -- "${private[@]}"
        return
    fi
    download "$@" --
}

if ! command -v apt-get >/dev/null || ! command -v dpkg-deb >/dev/null; then
    printf 'debian-packages.sh: no apt-get and dpkg-deb here to fetch %s with\n' "$*" >&2
    exit 1
fi
if ! download "$@" -- && ! download_with_fresh_lists "$@"; then
    sed 's/^/    /' "$dir/log" >&2
    printf 'debian-packages.sh: apt-get could not download %s (its words are above, those of its update in target/tools/apt-update.log)\n' "$*" >&2
    exit 1
fi
for deb in "$dir"/*.deb; do
    dpkg-deb -x "$deb" "$tools/root"
done
