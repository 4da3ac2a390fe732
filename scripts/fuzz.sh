#!/usr/bin/env bash
# Runs each fuzz target (fuzz/) for FUZZ_SECONDS, 60 where it is not set: from the corpus in the repository, with what earlier runs here
# came upon (target/fuzz/corpus). An input that fails is told by libFuzzer and kept in fuzz/regressions, where the tests of
# check-result and pushgateway-ex find it: mend, and commit both.
#
# usage: scripts/fuzz.sh [TARGET…]        exit 0: nothing failed; exit 1: the text on stderr says what to do
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
seconds=${FUZZ_SECONDS:-60}
targets=("$@")
[[ ${#targets[@]} -gt 0 ]] || targets=(log perfdata push_text push_protobuf push_path)

say() { printf 'fuzz.sh: %s\n' "$*" >&2; }

if ! cargo +nightly --version >/dev/null 2>&1; then
    say "no nightly toolchain, which the sanitizers need: rustup toolchain install nightly"
    exit 1
fi
export PATH=$PATH:$root/target/tools/cargo/bin
if ! command -v cargo-fuzz >/dev/null; then
    say "installing cargo-fuzz into target/tools"
    cargo install --quiet --locked cargo-fuzz --root "$root/target/tools/cargo"
fi

cd "$root"
failed=()
for target in "${targets[@]}"; do
    grown=target/fuzz/corpus/$target
    mkdir -p "$grown" "fuzz/regressions/$target"
    dict=fuzz/$target.dict
    options=("-max_total_time=$seconds" "-artifact_prefix=fuzz/regressions/$target/" -timeout=10 -max_len=8192 -print_final_stats=1)
    [[ ! -e $dict ]] || options+=("-dict=$dict")
    cargo +nightly fuzz run --fuzz-dir fuzz --target-dir target/fuzz "$target" \
        "$grown" "fuzz/corpus/$target" "fuzz/regressions/$target" -- "${options[@]}" || failed+=("$target")
done
if [[ ${#failed[@]} -gt 0 ]]; then
    say "${failed[*]}: failed; the inputs are in fuzz/regressions, and cargo nextest run -p check-result -p pushgateway-ex fuzzing shows them without the fuzzer"
    exit 1
fi
