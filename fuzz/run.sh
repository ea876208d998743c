#!/usr/bin/env bash
# Fuzzes every reader for a given time, on stable Rust:
#
#     fuzz/run.sh SECONDS [TARGET…]
#
# Each target starts from the files of its format among the tests' own and from
# what earlier runs found worth keeping (fuzz/corpus/TARGET). An input that
# crashes, hangs for 10 s or takes more memory than allowed is left in
# fuzz/artifacts/TARGET; minimise it, put it into fuzz/reproducers, and mend
# the reader. Prints a line a target: inputs run, and finds.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")"
seconds="${1:?usage: fuzz/run.sh SECONDS [TARGET…]}"
shift
targets=("$@")
if ((${#targets[@]} == 0)); then
    for file in targets/*.rs; do targets+=("$(basename "$file" .rs)"); done
fi

# What cargo-fuzz asks the compiler for, without a sanitizer, which stable Rust
# has not.
export RUSTFLAGS="--cfg fuzzing -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
-Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
-Cllvm-args=-sanitizer-coverage-trace-compares -Ccodegen-units=1"
cargo build --release --target-dir ../target/fuzz --target "$(rustc -vV | sed -n 's/^host: //p')" \
    $(printf -- '--bin %s ' "${targets[@]}")
bin="../target/fuzz/$(rustc -vV | sed -n 's/^host: //p')/release"

# What readers decode to temporary files stays in memory as well.
if [[ -d /dev/shm ]]; then export TMPDIR=/dev/shm; fi

failed=0
for target in "${targets[@]}"; do
    extension="${target/_/.}"
    mkdir -p "corpus/$target" "artifacts/$target" "../target/fuzz/seeds/$target"
    case "$target" in
        model_*|baseline_*) cp -f seeds/*."$extension" "../target/fuzz/seeds/$target/" 2>/dev/null || true ;;
        arrow) cp -f ../tests/foreign/data/*.arrow ../tests/foreign/data/*.feather "../target/fuzz/seeds/$target/" ;;
        raw) ;;
        npy) cp -f seeds/*.npy "../target/fuzz/seeds/$target/" 2>/dev/null || true ;;
        *) cp -f ../tests/foreign/data/*."$extension" "../target/fuzz/seeds/$target/" 2>/dev/null || true ;;
    esac
    log="../target/fuzz/$target.log"
    "$bin/$target" "corpus/$target" "../target/fuzz/seeds/$target" -max_total_time="$seconds" -timeout=10 \
        -rss_limit_mb=1024 -max_len=65536 -artifact_prefix="artifacts/$target/" -print_final_stats=1 \
        ${FUZZ_OPTIONS:-} >"$log" 2>&1 || failed=1
    runs="$(sed -n 's/^stat::number_of_executed_units: *//p' "$log" | tail -1)"
    finds="$(find "artifacts/$target" -type f | wc -l)"
    printf '%-20s %10s inputs  %3s finds\n' "$target" "${runs:-0}" "$finds"
    rm -rf /dev/shm/linfit-fuzz-*
done
exit "$failed"
