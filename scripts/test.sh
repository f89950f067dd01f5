#!/usr/bin/env bash
# Installs what is missing, builds everything and runs all tests.
# usage: scripts/test.sh [cmake configure options...]
# LATHE_PUBLISHED_DATA: a folder with the papers' published tables; tests that compare with them
# are skipped without it.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
if [[ -z ${LATHE_PUBLISHED_DATA:-} && -d $root/../shared/data ]]; then
  LATHE_PUBLISHED_DATA=$(cd "$root/../shared/data" && pwd)
  export LATHE_PUBLISHED_DATA
fi

"$root/scripts/build.sh" all "$@"
# For the one test that runs the example runner; without the package it is skipped.
if command -v npm >/dev/null; then
  npm install --ignore-scripts --no-package-lock --no-audit --no-fund --loglevel error \
    --fetch-retries 0 --fetch-timeout 20000 --prefix "$root/examples/runners/onnxruntime_node" ||
    echo "test: onnxruntime-node is not to be had; its test will be skipped" >&2
fi
cd "$root/build/release"
exec ctest --output-on-failure --progress --parallel "$(nproc)"
