#!/usr/bin/env bash
# Runs tests under gcc's thread sanitizer: of the components that the preset tsan names, or those
# that the arguments to ctest choose. GNU's OpenMP runtime waits in ways that the sanitizer doesn't
# see; LLVM's takes its place, with the tool (archer) that tells the sanitizer, so that the threads
# of LibTorch's loops are seen as what they are.
# usage: scripts/tsan.sh [CTEST OPTIONS...]      e.g. scripts/tsan.sh -R '^train[.]Trainer'
# Needs LLVM's OpenMP (Debian: libomp-dev).
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
archer=$(find /usr/lib -path '*/llvm-*/lib/libarcher.so' 2>/dev/null | sort -V | tail -n 1)
[[ -n $archer ]] || {
  echo "tsan: LLVM's OpenMP with its tool libarcher.so is missing; on Debian: apt-get install libomp-dev" >&2
  exit 1
}
openmp=${archer%/*}/libomp.so.5

cd "$root"
cmake --preset tsan >/dev/null
cmake --build --preset tsan ${LATHE_JOBS:+--parallel "$LATHE_JOBS"}
export LD_PRELOAD=$openmp OMP_TOOL_LIBRARIES=$archer
exec ctest --preset tsan "$@"
