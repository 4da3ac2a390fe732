#!/usr/bin/env bash
# Puts the real Prometheus, Alertmanager, Pushgateway and Redis, with promtool and amtool, logrotate, jq, openssl and the name server nsd within reach:
# target/tools/bin; and libfaketime, which sets the clock of one process: target/tools/lib. With `browser`, what the tests of pages need
# besides: Chromium with its driver, fonts that have Japanese, and axe-core, which finds what a screen reader or a weak eye cannot use.
#
# What is on PATH is linked. What is not is taken from Debian's packages, which are unpacked into target/tools and not
# installed: no root is needed, no service is enabled, started or left behind. axe-core is taken from the npm registry. Also checks for the Rust toolchain and a
# C compiler, and says what to install. Quick and silent when there is nothing to do.
#
# usage: scripts/tools.sh [browser]        exit 0: all there; exit 1: something is missing, and the text on stderr says what to do
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
tools=$root/target/tools
bin=$tools/bin
packages=()
with_browser=${1-}

# axe-core, and the SHA-512 of its archive.
axe=4.14.1
axe_sum=1477dafa598d8d065f273d6af302aa203c02e83131707b7fa648cd41bd3d6b734f8c22a0dab86ee6a6f64b8afbe804b214d36db85a2826965edfb3a0b9d546b5

# Fonts of Debian: package and one of its files. Pages look the same wherever they are tested.
fonts=(fonts-liberation/LiberationSans-Regular.ttf fonts-dejavu-core/DejaVuSansMono.ttf fonts-ipafont-gothic/ipag.ttf)

say() { printf 'tools.sh: %s\n' "$*" >&2; }

# Of the libraries that these programs need, minimal systems lack some, which are unpacked beside them. PulseAudio's have one in a folder of
# its own, by an absolute path that is not there where they are unpacked.
libraries() { printf '%s:' "$tools"/root/usr/lib/*-linux-gnu* "$tools"/root/usr/lib/*-linux-gnu*/pulseaudio; }

works() {
    local version=--version
    [[ ${1##*/} == nsd ]] && version=-v
    [[ ${1##*/} == openssl ]] && version=version
    LD_LIBRARY_PATH=$(libraries) "$1" "$version" >/dev/null 2>&1
}

# Every missing part of the toolchain at once, each with what to do.
check_toolchain() {
    local missing=0
    if ! command -v cc >/dev/null; then
        say "no C compiler (cc): install Debian's gcc and libc6-dev (apt-get install gcc libc6-dev)"
        missing=1
    fi
    if ! command -v cargo >/dev/null; then
        say "no cargo: install Rust from https://rustup.rs, and see rust-version in Cargo.toml for the oldest that works"
        return 1
    fi
    if ! command -v python3 >/dev/null; then
        say "no python3, which compares our servers with the real ones: install Debian's python3"
        missing=1
    fi
    if [[ -n $with_browser && ! -e $tools/axe-core-$axe.js ]] && ! command -v npm >/dev/null; then
        say "no npm, which fetches axe-core: install Debian's npm (apt-get install --no-install-recommends npm)"
        missing=1
    fi
    if ! cargo fmt --version >/dev/null 2>&1; then
        say "no rustfmt: rustup component add rustfmt"
        missing=1
    fi
    if ! cargo clippy --version >/dev/null 2>&1; then
        say "no clippy: rustup component add clippy"
        missing=1
    fi
    return "$missing"
}

# Prints the first of the named programs that is on PATH and runs.
on_path() {
    local name found
    for name in "$@"; do
        found=$(type -P "$name" || true)
        if [[ -n $found && $found != "$bin"/* ]] && works "$found"; then
            printf '%s\n' "$found"
            return 0
        fi
    done
    return 1
}

# place NAME CANDIDATE...: makes target/tools/bin/NAME a working link, if any candidate works.
place() {
    local name=$1 found
    shift
    works "$bin/$name" && return 0
    if ! found=$(on_path "$@"); then
        found=
        for candidate in "$@"; do
            works "$tools/root/usr/bin/$candidate" && found=$tools/root/usr/bin/$candidate && break
            works "$tools/root/usr/sbin/$candidate" && found=$tools/root/usr/sbin/$candidate && break
        done
    fi
    [[ -n $found ]] || return 1
    rm -f "$bin/$name"
    if [[ $found == */prometheus-alertmanager && $found == "$tools"/* ]]; then
        at_home "$found" >"$bin/$name"
        chmod +x "$bin/$name"
    elif [[ $found == */@(jq|logrotate|nsd|openssl|redis-server) && $found == "$tools"/* ]]; then
        printf '#!/bin/sh\nLD_LIBRARY_PATH=%s exec %s "$@"\n' "$(libraries)" "$found" >"$bin/$name"
        chmod +x "$bin/$name"
    else
        ln -s "$found" "$bin/$name"
    fi
    works "$bin/$name"
}

# place_library PATH: makes target/tools/lib/NAME a link to the system's library, or else to the one that was unpacked.
place_library() {
    local link=$tools/lib/${1##*/} found
    [[ -e $link ]] && return 0
    for found in /usr/lib/*-linux-gnu*/"$1" "$tools"/root/usr/lib/*-linux-gnu*/"$1"; do
        if [[ -e $found ]]; then
            mkdir -p "$tools/lib" && ln -sf "$found" "$link"
            return 0
        fi
    done
    return 1
}

# Chromium and its driver, which have to be of one version: both from PATH, or both from Debian's packages.
place_browser() {
    works "$bin/chromium" && works "$bin/chromedriver" && return 0
    local browser driver environment="FONTCONFIG_FILE=$tools/fonts.conf"
    if ! browser=$(on_path chromium) || ! driver=$(on_path chromedriver); then
        browser=$tools/root/usr/lib/chromium/chromium-headless-shell
        driver=$tools/root/usr/bin/chromedriver
        environment+=" LD_LIBRARY_PATH=$(libraries)"
    fi
    works "$browser" && works "$driver" || return 1
    rm -f "$bin/chromium" "$bin/chromedriver"
    printf '#!/bin/sh\n%s exec %s "$@"\n' "$environment" "$browser" >"$bin/chromium"
    printf '#!/bin/sh\n%s exec %s "$@"\n' "$environment" "$driver" >"$bin/chromedriver"
    chmod +x "$bin/chromium" "$bin/chromedriver"
}

# What the unpacked browser needs and this system has not; apt knows. The whole browser would bring a desktop's libraries with it.
browser_packages() {
    local needed missing
    needed=$(apt-cache depends --important chromium-headless-shell | sed -n 's/^ *Depends: *//p' | grep -v '[<|]' | grep -vx chromium-common)
    # shellcheck disable=SC2086 # names of packages, one a word
    missing=$(apt-get -q -s --no-upgrade --no-install-recommends install $needed 2>/dev/null | sed -n 's/^Inst \([^ ]*\).*/\1/p')
    printf '%s\n' chromium-headless-shell chromium-common chromium-driver $missing
}

# place_font PACKAGE/FILE: whether the font is there, by the system or unpacked.
place_font() {
    [[ -n $(find /usr/share/fonts "$tools/root/usr/share/fonts" -name "${1#*/}" -print -quit 2>/dev/null) ]]
}

# The fonts of the browser: those alone, whatever else the system has.
place_fonts() {
    local family
    {
        printf '<?xml version="1.0"?>\n<!DOCTYPE fontconfig SYSTEM "fonts.dtd">\n<fontconfig>\n'
        printf '<dir>%s</dir>\n' /usr/share/fonts "$tools/root/usr/share/fonts"
        printf '<cachedir>%s</cachedir>\n' "$tools/font-cache"
        for family in sans-serif system-ui; do
            printf '<alias binding="same"><family>%s</family><prefer><family>Liberation Sans</family><family>IPAGothic</family></prefer></alias>\n' "$family"
        done
        for family in monospace ui-monospace; do
            printf '<alias binding="same"><family>%s</family><prefer><family>DejaVu Sans Mono</family><family>IPAGothic</family></prefer></alias>\n' "$family"
        done
        # What `system-ui` is where no desktop says it: the font of a pattern that names none.
        printf '<match target="pattern"><edit name="family" mode="append_last"><string>Liberation Sans</string></edit></match>\n'
        printf '</fontconfig>\n'
    } >"$tools/fonts.conf.new"
    mv "$tools/fonts.conf.new" "$tools/fonts.conf"
}

place_browser_and_fonts() {
    local font
    for font in "${fonts[@]}"; do
        place_font "$font" || packages+=("${font%/*}")
    done
    place_fonts
    place_browser || packages+=(chromium-headless-shell)
}

# axe-core's script, target/tools/axe-core-VERSION.js, and a link to it without the version.
place_axe() {
    local script=$tools/axe-core-$axe.js dir
    if [[ ! -e $script ]]; then
        dir=$(mktemp -d "$tools/axe.XXXXXX")
        say "fetching axe-core $axe from the npm registry into target/tools"
        if ! (cd "$dir" && npm pack --silent "axe-core@$axe") >"$dir/log" 2>&1; then
            sed 's/^/    /' "$dir/log" >&2
            say "npm could not fetch axe-core $axe; its words are above"
            rm -rf "$dir"
            return 1
        fi
        if ! (cd "$dir" && printf '%s  %s\n' "$axe_sum" "axe-core-$axe.tgz" | sha512sum --check --quiet) >&2; then
            say "the archive of axe-core $axe is not the one that is expected"
            rm -rf "$dir"
            return 1
        fi
        tar -xzf "$dir/axe-core-$axe.tgz" -C "$dir" package/axe.min.js
        mv "$dir/package/axe.min.js" "$script"
        rm -rf "$dir"
    fi
    ln -sfn "axe-core-$axe.js" "$tools/axe-core.js"
}

# Debian's Alertmanager reads its built-in templates from /usr/share/prometheus/alertmanager, wherever it stands itself. Prints a
# launcher that shows it the unpacked /usr/share there, in a mount namespace of its own. Where the kernel grants none (a
# container), root gets those two files put in place; anyone else is told what to do.
at_home() {
    cat <<LAUNCHER
#!/bin/sh
# Made by scripts/tools.sh.
program=$1
share=$tools/root/usr/share
templates=prometheus/alertmanager
namespace='unshare --user --map-root-user --mount'
there() { [ -e "/usr/share/\$templates/default.tmpl" ] && [ -e "/usr/share/\$templates/email.tmpl" ]; }
if ! there && \$namespace true 2>/dev/null; then
    mkdir -p "\$share/zoneinfo"
    exec \$namespace sh -c '
        if [ -d /usr/share/zoneinfo ]; then mount --bind /usr/share/zoneinfo "\$1/zoneinfo"; fi
        mount --rbind "\$1" /usr/share && program=\$2 && shift 2 && exec "\$program" "\$@"' sh "\$share" "\$program" "\$@"
fi
if ! there; then
    { mkdir -p "/usr/share/\$templates" && cp "\$share/\$templates/"*.tmpl "/usr/share/\$templates/"; } 2>/dev/null
fi
if ! there; then
    echo "Debian's Alertmanager needs its templates in /usr/share/\$templates, and there are no user namespaces to show it" \\
        "the unpacked ones: install prometheus-alertmanager, or put another alertmanager on PATH" >&2
    exit 1
fi
exec "\$program" "\$@"
LAUNCHER
}

# place_pages PUSHGATEWAY: Debian's reads its page from files, which a system that has the program may be without; target/tools/pushgateway-pages
# becomes a link to them. Upstream's has its page built in.
place_pages() {
    local found
    "$1" --help 2>&1 | grep -q -- --web.local-assets || return 0
    for found in /usr/share/prometheus/pushgateway "$tools/root/usr/share/prometheus/pushgateway"; do
        if [[ -r $found/template.html ]]; then
            ln -sfn "$found" "$tools/pushgateway-pages"
            return 0
        fi
    done
    return 1
}

# Debian calls the server prometheus-alertmanager, upstream's archive alertmanager. `packages` becomes those that are missing.
place_all() {
    packages=()
    { place prometheus prometheus && place promtool promtool; } || packages+=(prometheus)
    { place alertmanager prometheus-alertmanager alertmanager && place amtool amtool; } || packages+=(prometheus-alertmanager)
    { place pushgateway prometheus-pushgateway pushgateway && place_pages "$bin/pushgateway"; } || packages+=(prometheus-pushgateway)
    place logrotate logrotate || packages+=(logrotate libpopt0)
    # What the example checks call.
    place jq jq || packages+=(jq libjq1 libonig5)
    place openssl openssl || packages+=(openssl libssl3)
    place nsd nsd || packages+=(nsd libevent-2.1-7 libfstrm0 libprotobuf-c1)
    # Debian's redis-server is a link to a program of redis-tools. Valkey does as well.
    place redis-server redis-server valkey-server || packages+=(redis-server redis-tools libjemalloc2 liblzf1 libatomic1)
    place_library faketime/libfaketime.so.1 || packages+=(libfaketime)
    [[ -z $with_browser ]] || place_browser_and_fonts
    [[ ${#packages[@]} -eq 0 ]]
}

fetch() {
    say "fetching Debian's ${packages[*]} into target/tools (nothing is installed)"
    if [[ ${packages[*]} == *chromium* ]]; then
        mapfile -t -O "${#packages[@]}" packages < <(browser_packages)
    fi
    "$root/scripts/debian-packages.sh" "${packages[@]}" && return
    say "put prometheus, promtool, alertmanager (or prometheus-alertmanager), amtool, pushgateway (or
    prometheus-pushgateway), jq, logrotate, nsd, openssl, redis-server (or valkey-server), chromium and chromedriver on PATH:
    Debian's packages ${packages[*]}, or the archives of https://prometheus.io/download/"
    return 1
}

main() {
    check_toolchain || exit 1
    mkdir -p "$bin"
    # Two of these scripts may run at once (make -j).
    if command -v flock >/dev/null; then
        exec 9>"$tools/lock"
        flock 9
    fi
    [[ -z $with_browser ]] || place_axe || exit 1
    place_all && return
    fetch || exit 1
    if ! place_all; then
        say "unpacked, but ${packages[*]}: not every program of them runs; try them in $tools/root/usr/bin and sbin"
        exit 1
    fi
    "$bin/promtool" --version 2>&1 | sed -n '1s/^promtool, version \([^ ]*\).*/tools.sh: Prometheus \1/p' >&2
    "$bin/pushgateway" --version 2>&1 | sed -n '1s/^pushgateway, version \([^ ]*\).*/tools.sh: Pushgateway \1/p' >&2
    "$bin/redis-server" --version 2>&1 | sed -n '1s/^.* v=\([^ ]*\).*/tools.sh: Redis \1/p' >&2
    "$bin/amtool" --version 2>&1 | sed -n '1s/^amtool, version \([^ ]*\).*/tools.sh: Alertmanager \1/p' >&2
}

main "$@"
