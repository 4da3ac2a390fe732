#!/usr/bin/env bash
# Makes Debian packages of the static programs, the rules and the example checks with debhelper (packaging/debian), in target/deb:
# *.deb (symbols in NAME-dbgsym), .changes and .buildinfo for an archive of one's own, a .tar.gz of the programs alone, SHA256SUMS. What is in
# the programs is in each of them and beside them, with the licences (scripts/sbom).
# debhelper is the system's, or Debian's unpacked into target/tools; root is not needed.
#
# The version is the workspace's. As long as CHANGELOG.md has no section of that version it is a snapshot: VERSION~gitTIME.COMMIT, which
# is older than VERSION to dpkg and newer than the snapshot before.
#
# usage: [DEB_VERSION=…] scripts/deb.sh [release|dev] [DIR]        dev: quick to build and to pack, for tests
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
tools=$root/target/tools
profile=${1:-release}
out=${2:-$root/target/deb}
target=$(uname -m)-unknown-linux-musl
programs=(alertmanager-proxy checkscript-agent checkscript-runner pushgateway-agent pushgateway-ex web-ui)

say() { printf 'deb.sh: %s\n' "$*" >&2; }

# debhelper is Perl and finds its parts by variables.
debhelper() {
    type -P dh >/dev/null && type -P dpkg-buildpackage >/dev/null && return
    if [[ ! -x $tools/root/usr/bin/dh || ! -x $tools/root/usr/bin/dpkg-buildpackage || ! -x $tools/root/usr/bin/file ]]; then
        say "fetching Debian's debhelper into target/tools (nothing is installed)"
        "$root/scripts/debian-packages.sh" debhelper libdebhelper-perl dpkg-dev libdpkg-perl file libmagic1 libmagic-mgc
    fi
    local unpacked=$tools/root/usr
    export PATH=$PATH:$unpacked/bin PERL5LIB=$unpacked/share/perl5 DH_AUTOSCRIPTDIR=$unpacked/share/debhelper/autoscripts
    LD_LIBRARY_PATH=${LD_LIBRARY_PATH:-}$(printf ':%s' "$unpacked"/lib/*-linux-gnu*)
    export LD_LIBRARY_PATH MAGIC=$unpacked/share/misc/magic.mgc
}

version() {
    local version
    version=$(sed -n '/^\[workspace.package\]/,/^\[/s/^version = "\(.*\)"/\1/p' "$root/Cargo.toml")
    if ! grep -qF "## [$version]" "$root/CHANGELOG.md"; then
        version+=$(git -C "$root" show -s --date=format-local:%Y%m%d.%H%M%S --format='~git%cd.%h')
    fi
    printf '%s\n' "$version"
}

# CHANGELOG.md's newest section in Debian's form.
changelog() {
    printf 'ogi (%s) unstable; urgency=medium\n\n' "$1"
    awk '/^## / { section++ } section == 1 && /^- / { printf "\n%s", $0 } section == 1 && /^  [^ ]/ { sub(/^ +/, " "); printf "%s", $0 }' \
        "$root/CHANGELOG.md" | sed -n 's/^- /* /p' | while read -r entry; do
        fold -s -w 74 <<<"$entry" | sed 's/ *$//; 1s/^/  /; 2,$s/^/    /'
    done
    printf '\n -- %s  %s\n' "$(sed -n 's/^Maintainer: //p' "$root/packaging/debian/control")" "$(date -R -u -d "@$SOURCE_DATE_EPOCH")"
}

# What the packages are made of, in one place: target/deb/source.
stage() {
    local source=$1 binaries=$2 program
    rm -rf "$source"
    mkdir -p "$source/bin"
    cp -r "$root/packaging/debian" "$root/packaging/conf" "$root/rules" "$source"
    cp -r "$root/docs" "$source/doc"
    cp -r "$root"/examples/{alertmanager,checks,prometheus} "$root/CHANGELOG.md" "$source"
    for program in "${programs[@]}"; do
        cp "$binaries/$program" "$source/bin"
    done
    "$root/scripts/sbom/main.py" "$target" "$source/sbom" "${programs[@]}"
    # The C parts of what it is made of would be compiled anew for a variable that says how old the sources are.
    (cd "$root" && env -u SOURCE_DATE_EPOCH cargo run --quiet --locked -p reference -- man --out "$source/man" &&
        env -u SOURCE_DATE_EPOCH cargo run --quiet --locked -p reference -- completions --out "$source/completions")
}

# checksums DIR: of all that is meant to be passed on.
checksums() { (cd "$1" && sha256sum -- *.deb *.tar.gz *.cdx.json >SHA256SUMS); }

# archive SOURCE NAME: the programs for any other Linux, and their bills of materials beside it.
archive() {
    local source=$1 name=$2 program gzip="gzip -n"
    [[ $profile == release ]] || gzip+=1
    # debhelper has stripped its own copies.
    strip "$source"/bin/*
    cp "$root/LICENSE" "$source/sbom/third-party-licences.txt" "$source"/sbom/*/*.cdx.json "$source/bin"
    tar --owner=0 --group=0 --numeric-owner --sort=name --mtime="@$SOURCE_DATE_EPOCH" --transform "s#^\.#ogi-${name%%_*}#" -C "$source/bin" \
        --use-compress-program="$gzip" -cf "$out/ogi_$name.tar.gz" .
    for program in "${programs[@]}"; do
        cp "$source/sbom/$program/$program.cdx.json" "$out/${program}_$name.cdx.json"
    done
}

main() {
    local binaries version source=$out/source
    binaries=$("$root/scripts/static.sh" "$profile")
    debhelper
    export SOURCE_DATE_EPOCH TZ=UTC
    SOURCE_DATE_EPOCH=$(git -C "$root" show -s --format=%ct)
    version=${DEB_VERSION:-$(version)}
    mkdir -p "$out"
    rm -f "$out"/*.{deb,ddeb,changes,buildinfo,tar.gz,cdx.json} "$out/SHA256SUMS"
    stage "$source" "$binaries"
    changelog "$version" >"$source/debian/changelog"
    if [[ $profile == dev ]]; then
        export DEB_BUILD_OPTIONS=noautodbgsym OGI_DEB_COMPRESSION='-Zgzip -z1'
    fi
    if ! (cd "$source" && dpkg-buildpackage --build=binary --no-sign --no-check-builddeps) >"$out/build.log" 2>&1; then
        sed 's/^/    /' "$out/build.log" | tail -n 30 >&2
        say "dpkg-buildpackage failed; its last words are above, all of them in $out/build.log"
        exit 1
    fi
    archive "$source" "${version}_linux_$(dpkg --print-architecture)"
    checksums "$out"
    rm -rf "$source"
}

main
