#!/usr/bin/env bash
# Installs what is missing and builds Release into build/release. Says something only when there
# is something to do; the compiler's output goes to a log, shown when it fails.
# usage: scripts/build.sh TARGET [cmake configure options...]
# LATHE_JOBS: parallel compilers; by default one per 2 GiB of memory, at most one per core.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
build=$root/build/release
target=${1:?usage: scripts/build.sh TARGET [cmake configure options...]}
shift

jobs_for_this_machine() {
  local memory_kib cores jobs
  memory_kib=$(awk '/^MemTotal:/ { print $2 }' /proc/meminfo)
  cores=$(nproc)
  jobs=$(((memory_kib + 1048576) / 2097152))
  ((jobs >= 1)) || jobs=1
  ((jobs <= cores)) || jobs=$cores
  echo "$jobs"
}

"$root/scripts/install_dependencies.sh"

mkdir -p "$build"
log=$build/build.log
if ! (cd "$root" && cmake --preset release "$@") >"$log" 2>&1; then
  tail -n 60 "$log" >&2
  echo "build: configuring failed; the whole output is in $log" >&2
  exit 1
fi

if ! ninja -C "$build" -n "$target" | grep -q 'no work to do'; then
  echo "Building $target (log: $log); the first time takes several minutes"
fi
if ! cmake --build "$build" --target "$target" --parallel "${LATHE_JOBS:-$(jobs_for_this_machine)}" \
  >>"$log" 2>&1; then
  grep -E -A 12 'error:|FAILED:|undefined reference' "$log" | head -n 80 >&2 || true
  echo "build: building $target failed; the whole output is in $log" >&2
  exit 1
fi
