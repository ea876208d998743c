#!/usr/bin/env bash
# Times linfit beside other ways to do the same, and writes RESULTS.md:
#
#     benches/peers/run.sh [arguments of peers.py]
#
# The first run downloads some gigabytes, most of them PyTorch; without it the
# other rows are measured all the same. NO_TORCH=1 doesn't try.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/../.."
here=benches/peers
target="${CARGO_TARGET_DIR:-target}"
venv="$target/peers-venv"

cargo build --locked --release

[[ -x $venv/bin/python ]] || python3 -m venv "$venv"
"$venv/bin/python" -m pip install --quiet --requirement "$here/requirements.txt"
if [[ -z ${NO_TORCH:-} ]]; then
    "$venv/bin/python" -m pip install --quiet torch==2.15.0 \
        || echo 'run.sh: PyTorch could not be installed; its rows are left out' >&2
fi

data="$(mktemp -d)"
trap 'rm -rf "$data"' EXIT

# Settings that pick old, slow code in a current BLAS.
unset OPENBLAS_CORETYPE OPENBLAS_L2_SIZE
# Compile in this process: a pool of workers would compete for the cores.
export TORCHINDUCTOR_COMPILE_THREADS=1

"$venv/bin/python" "$here/peers.py" --linfit "$target/release/linfit" --data "$data" "$@" >"$data/results.md"
echo >>"$data/results.md"
"$venv/bin/python" "$here/files.py" --linfit "$target/release/linfit" --data "$data" >>"$data/results.md"
cat "$data/results.md"
mv "$data/results.md" "$here/RESULTS.md"
