#!/usr/bin/env bash
# Puts what the benches compare with into target/tools: mtail and node-exporter, unpacked as scripts/tools.sh does. A bench leaves out what
# is missing, and says so.
#
# usage: scripts/bench-tools.sh        exit 0: all there; exit 1: the text on stderr says what to do
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
for package in mtail prometheus-node-exporter; do
    [[ -e $root/target/tools/root/usr/bin/$package ]] || "$root/scripts/debian-packages.sh" "$package"
done
