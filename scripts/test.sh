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

# For the tests of ONNX Runtime and of pages in a browser; without these packages they are skipped.
if command -v npm >/dev/null; then
  for folder in examples/runners/onnxruntime_node examples/use_a_net/browser web/report; do
    npm install --ignore-scripts --no-package-lock --no-audit --no-fund --loglevel error \
      --fetch-retries 0 --fetch-timeout 20000 --prefix "$root/$folder" ||
      echo "test: the packages of $folder are not to be had; its tests will be skipped" >&2
  done
  "$root/scripts/install_dependencies.sh" chromium ||
    echo "test: no chromium; pages will not be tested in a browser" >&2
fi
"$root/scripts/build.sh" all "$@"
cd "$root/build/release"
exec ctest --build-config Parts --label-exclude single --output-on-failure --progress \
  --parallel "$(nproc)"
