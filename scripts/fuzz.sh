#!/usr/bin/env bash
# Runs each fuzz target (fuzz/, docs/fuzzing.md) for FUZZ_SECONDS, 60 where it is not set: from the corpus in the repository, with what
# earlier runs here came upon (target/fuzz/corpus). An input that fails is told by libFuzzer and kept in fuzz/regressions, where the
# tests of the crate whose property it broke find it: mend, and commit both. The end is a table, on standard output: that of docs/fuzzing.md,
# where a run of all targets is pasted.
#
# usage: scripts/fuzz.sh [TARGET…]        exit 0: nothing failed; exit 1: the text on stderr says what to do
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
seconds=${FUZZ_SECONDS:-60}
targets=("$@")
version=0.13.2

say() { printf 'fuzz.sh: %s\n' "$*" >&2; }

if cargo +nightly --version >/dev/null 2>&1; then
    toolchain=(+nightly)
else
    # The sanitizer is an unstable option, which the stable compiler takes from those who ask it like this.
    say "no nightly toolchain: the stable one is used as if it were one (RUSTC_BOOTSTRAP=1)"
    export RUSTC_BOOTSTRAP=1
    toolchain=()
fi
export PATH=$PATH:$root/target/tools/cargo/bin
if ! command -v cargo-fuzz >/dev/null; then
    say "installing cargo-fuzz $version into target/tools"
    cargo install --quiet --locked "cargo-fuzz@$version" --root "$root/target/tools/cargo"
fi

cd "$root"
if [[ ${#targets[@]} -eq 0 ]]; then
    mapfile -t targets < <(cargo "${toolchain[@]}" fuzz list --fuzz-dir fuzz)
fi
# Optimised as a whole, twenty-four programs would take half an hour to build.
export CARGO_PROFILE_RELEASE_LTO=off

# The row of a run of so many seconds, by libFuzzer's words in the file: `cov` and `ft` of its last line that has them.
row() {
    local target=$1 took=$2 words=$3 found=$4 inputs edges features
    inputs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$words")
    read -r edges features < <(sed -nE 's/.* cov: ([0-9]+) ft: ([0-9]+).*/\1 \2/p' "$words" | tail -1) || true
    printf '| `%s` | %s | %s | %s | %s | %s |\n' "$target" "$took" "${inputs:-none}" "${edges:-none}" "${features:-none}" "$found" |
        sed -E ':again; s/(\| [0-9]+)([0-9]{3}\b)/\1,\2/; t again'
}

# What the folder of findings of a target has.
findings() { find "fuzz/regressions/$1" -type f -printf '%f\n' | sort; }

failed=() rows=()
for target in "${targets[@]}"; do
    grown=target/fuzz/corpus/$target words=target/fuzz/log/$target
    mkdir -p "$grown" "fuzz/regressions/$target" "${words%/*}"
    : >"$words"
    known=$(findings "$target")
    dict=fuzz/$target.dict
    # Tools print what they do; libFuzzer's own words are on standard error.
    options=("-max_total_time=$seconds" "-artifact_prefix=fuzz/regressions/$target/" -timeout=10 -max_len=8192 -print_final_stats=1 -close_fd_mask=1)
    [[ ! -e $dict ]] || options+=("-dict=$dict")
    common=(--fuzz-dir fuzz --target-dir target/fuzz "$target") found=nothing began=$SECONDS
    if cargo "${toolchain[@]}" fuzz build "${common[@]}"; then
        began=$SECONDS
        cargo "${toolchain[@]}" fuzz run "${common[@]}" "$grown" "fuzz/corpus/$target" "fuzz/regressions/$target" -- "${options[@]}" \
            2>&1 | tee "$words" >&2 || found=failed
    else
        found='could not be built'
    fi
    if [[ $found != nothing ]]; then
        failed+=("$target")
        new=$(comm -13 <(printf '%s\n' "$known") <(findings "$target"))
        [[ -z $new ]] || found="\`${new//$'\n'/\`, \`}\`"
    fi
    rows+=("$(row "$target" $((SECONDS - began)) "$words" "$found")")
    # A folder without a finding is none of the repository's.
    rmdir --ignore-fail-on-non-empty "fuzz/regressions/$target"
done
commit=$(git describe --always --abbrev=12 --dirty=', changed' 2>/dev/null || echo unknown)
printf 'Commit %s, %s, %s processors.\n\n' "$commit" "$(rustc "${toolchain[@]}" --version)" "$(nproc)"
printf '| target | seconds | inputs | edges | features | found |\n| --- | --- | --- | --- | --- | --- |\n'
printf '%s\n' "${rows[@]}"
if [[ ${#failed[@]} -gt 0 ]]; then
    say "${failed[*]}: failed; the inputs are in fuzz/regressions, and cargo nextest run --workspace --exclude fuzz what_fuzzing shows them without the fuzzer"
    exit 1
fi
