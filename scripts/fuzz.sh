#!/usr/bin/env bash
# Builds the fuzzers of the loaders and runs each for so long, one after the other, under clang's
# address and undefined-behaviour sanitizers; then a table. What is found is kept in
# build/fuzz/found, corpora in build/fuzz/corpus, so that the next run goes on with them.
# usage: scripts/fuzz.sh SECONDS [TARGETS...]      e.g. scripts/fuzz.sh 60 space_file latency_model
# Needs clang and its runtime (Debian: clang libclang-rt-14-dev); exit code 1 if anything was found.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
seconds=${1:?usage: scripts/fuzz.sh SECONDS [TARGETS...]}
shift
build=$root/build/fuzz
binaries=$build/tests/fuzz

mkdir -p "$build"
(cd "$root" && cmake --preset fuzz && cmake --build --preset fuzz ${LATHE_JOBS:+--parallel "$LATHE_JOBS"}) \
  >"$build.log" 2>&1 || {
  tail -n 40 "$build.log" >&2
  echo "fuzz: building failed; the whole output is in $build.log" >&2
  exit 1
}

targets=("$@")
if ((${#targets[@]} == 0)); then
  for binary in "$binaries"/lathe_*_fuzz; do
    target=${binary##*/lathe_}
    targets+=("${target%_fuzz}")
  done
fi

mkdir -p "$build/corpus" "$build/found"
rm -rf "$build/seeds"
"$binaries/lathe_fuzz_seeds" "$build/seeds"

# value NAME LOG: a figure that libFuzzer ends with
value() { sed -n "s/^stat::$1: *//p" "$2"; }

failed=0
printf '| %-20s | %10s | %10s | %8s | %6s | %s |\n' target executions 'per second' features corpus found
printf '|---|--:|--:|--:|--:|---|\n'
for target in "${targets[@]}"; do
  log=$build/found/$target.log
  mkdir -p "$build/corpus/$target" "$build/seeds/$target"
  result=nothing
  # A loader has no reason to take more memory than this, or more time for 16 kB.
  "$binaries/lathe_${target}_fuzz" "$build/corpus/$target" "$build/seeds/$target" \
    -max_total_time="$seconds" -max_len=16384 -timeout=10 -malloc_limit_mb=512 -rss_limit_mb=2048 \
    -artifact_prefix="$build/found/$target-" -print_final_stats=1 >"$log" 2>&1 || {
    result="exit code $?, see $log"
    failed=1
  }
  printf '| %-20s | %10s | %10s | %8s | %6s | %s |\n' "$target" "$(value number_of_executed_units "$log")" \
    "$(value average_exec_per_sec "$log")" "$(sed -n 's/.* ft: \([0-9]*\) .*/\1/p' "$log" | tail -n 1)" \
    "$(find "$build/corpus/$target" -type f | wc -l)" "$result"
done
exit "$failed"
