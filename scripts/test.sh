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
cd "$root/build/release"
exec ctest --output-on-failure --progress --parallel "$(nproc)"
