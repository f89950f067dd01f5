#!/usr/bin/env bash
# Builds the fuzzers of the loaders and runs each for so long, LATHE_JOBS (1) of them side by side,
# under clang's address and undefined-behaviour sanitizers; then a table. What is found is kept in
# build/fuzz/found, corpora in build/fuzz/corpus, so that the next run goes on with them.
# usage: scripts/fuzz.sh SECONDS [TARGETS...]      e.g. scripts/fuzz.sh 60 space_file latency_model
# LATHE_FUZZ_BUILD: the folder to build in and to keep things in, in place of build/fuzz;
# LATHE_TORCH=OFF leaves out the loaders above LibTorch, which take most of the time to build.
# Needs clang and its runtime (Debian: clang libclang-rt-14-dev); exit code 1 if anything was found.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
seconds=${1:?usage: scripts/fuzz.sh SECONDS [TARGETS...]}
shift
build=${LATHE_FUZZ_BUILD:-$root/build/fuzz}
binaries=$build/tests/fuzz

mkdir -p "$build"
(cd "$root" && cmake --preset fuzz -B "$build" -DLATHE_TORCH="${LATHE_TORCH:-ON}" &&
  cmake --build "$build" --target lathe_fuzzers ${LATHE_JOBS:+--parallel "$LATHE_JOBS"}) \
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
if [[ ${LATHE_TORCH:-ON} == ON ]]; then
  "$binaries/lathe_fuzz_seeds_torch" "$build/seeds"
fi

# shellcheck disable=SC2317  # xargs calls it
# fuzz TARGET: runs one for so long, and writes its line of the table beside its log
fuzz() {
  local target=$1 log=$build/found/$1.log result=nothing
  mkdir -p "$build/corpus/$target" "$build/seeds/$target"
  # A loader has no reason to take more memory than this, or more time for 16 kB.
  "$binaries/lathe_${target}_fuzz" "$build/corpus/$target" "$build/seeds/$target" \
    -max_total_time="$seconds" -max_len=16384 -timeout=10 -malloc_limit_mb=512 -rss_limit_mb=2048 \
    -artifact_prefix="$build/found/$target-" -print_final_stats=1 >"$log" 2>&1 ||
    result="exit code $?, see $log"
  printf '| %-20s | %10s | %10s | %8s | %6s | %s |\n' "$target" "$(value number_of_executed_units "$log")" \
    "$(value average_exec_per_sec "$log")" "$(sed -n 's/.* ft: \([0-9]*\) .*/\1/p' "$log" | tail -n 1)" \
    "$(find "$build/corpus/$target" -type f | wc -l)" "$result" >"$build/found/$target.row"
  [[ $result == nothing ]]
}

# shellcheck disable=SC2317
# value NAME LOG: a figure that libFuzzer ends with
value() { sed -n "s/^stat::$1: *//p" "$2"; }

export -f fuzz value
export build binaries seconds
failed=0
printf '%s\n' "${targets[@]}" | xargs -P "${LATHE_JOBS:-1}" -I '{}' bash -c 'fuzz {}' || failed=1

printf '| %-20s | %10s | %10s | %8s | %6s | %s |\n' target executions 'per second' features corpus found
printf '|---|--:|--:|--:|--:|---|\n'
for target in "${targets[@]}"; do
  cat "$build/found/$target.row"
done
exit "$failed"
