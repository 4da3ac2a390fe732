#!/usr/bin/env bash
# Makes what packaging/Containerfile builds images of: target/images, with the static programs, what is in them, Debian's certificates of public
# CAs and its time zones. With a builder's name it builds the images as well, ogi/NAME:VERSION; without one it says how.
#
# usage: [PROFILE=dev] scripts/images.sh [podman|docker|buildah]
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
unpacked=$root/target/tools/root/usr/share
context=$root/target/images
builder=${1-}
programs=(alertmanager-proxy checkscript-agent checkscript-runner pushgateway-agent pushgateway-ex web-ui)

binaries=$("$root/scripts/static.sh" "${PROFILE:-release}")
[[ -d $unpacked/ca-certificates/mozilla && -d $unpacked/zoneinfo ]] || "$root/scripts/debian-packages.sh" ca-certificates tzdata
rm -rf "$context"
mkdir -p "$context"/{usr/bin,usr/share,etc/ssl/certs}
cat "$unpacked"/ca-certificates/mozilla/*.crt >"$context/etc/ssl/certs/ca-certificates.crt"
cp -r "$unpacked/zoneinfo" "$context/usr/share/"
rm -rf "$context"/usr/share/zoneinfo/{posix,right}
for package in ca-certificates tzdata; do
    install -D -m 0644 "$unpacked/doc/$package/copyright" "$context/usr/share/doc/$package/copyright"
done
SOURCE_DATE_EPOCH=$(git -C "$root" show -s --format=%ct) "$root/scripts/sbom/main.py" "$(uname -m)-unknown-linux-musl" "$context/doc" "${programs[@]}"
for program in "${programs[@]}"; do
    cp "$root/LICENSE" "$context/doc/$program"
    strip -o "$context/usr/bin/$program" "$binaries/$program"
done

version=$(sed -n '/^\[workspace.package\]/,/^\[/s/^version = "\(.*\)"/\1/p' "$root/Cargo.toml")
for program in "${programs[@]}"; do
    command=("${builder:-podman}" build --file "$root/packaging/Containerfile" --target "$program" --tag "ogi/$program:$version" "$context")
    if [[ -n $builder ]]; then
        "${command[@]}"
    else
        printf '%s\n' "${command[*]}"
    fi
done
