#!/usr/bin/env bash
# Builds everything with gcc's coverage counters, runs all tests, and says which share of the
# library's lines and branches they ran, folder by folder; line by line in build/coverage/report.
# usage: scripts/coverage.sh [ctest options...]
# Needs gcovr (Debian). LATHE_JOBS: parallel compilers.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
build=$root/build/coverage
command -v gcovr >/dev/null || {
  echo "coverage: needs gcovr: apt install gcovr" >&2
  exit 1
}
cd "$root"
mkdir -p "$build"
cmake --preset coverage >"$build/build.log" 2>&1 || { tail -n 40 "$build/build.log" >&2; exit 1; }
cmake --build --preset coverage ${LATHE_JOBS:+--parallel "$LATHE_JOBS"} >>"$build/build.log" 2>&1 ||
  { grep -A 12 'error:' "$build/build.log" | head -n 60 >&2; exit 1; }
find "$build" -name '*.gcda' -delete
# The counters of tests that fail count as well; which ones they are is said at the end.
status=0
ctest --preset coverage --parallel "$(nproc)" "$@" >"$build/tests.log" 2>&1 || status=$?
tail -n 20 "$build/tests.log"

mkdir -p "$build/report"
gcovr --root "$root" --filter "$root/src/lathe/" --exclude-throw-branches --exclude-unreachable-branches \
  --gcov-ignore-parse-errors -j "$(nproc)" --json-summary "$build/report/summary.json" \
  --html-details "$build/report/index.html" "$build" >/dev/null
python3 - "$build/report/summary.json" <<'PY'
import collections
import json
import sys

summary = json.load(open(sys.argv[1]))
folders = collections.defaultdict(lambda: [0, 0, 0, 0])
for file in summary["files"]:
    sums = folders[file["filename"].split("/")[2]]
    for i, key in enumerate(("line_covered", "line_total", "branch_covered", "branch_total")):
        sums[i] += file[key]
print("| folder | lines | of them run | branches taken |\n|---|--:|--:|--:|")
rows = sorted(folders.items()) + [("all", [sum(column) for column in zip(*folders.values())])]
for name, (lines, of_lines, branches, of_branches) in rows:
    share = f"{100 * branches / of_branches:.1f}%" if of_branches else "-"
    print(f"| {name} | {of_lines:,} | {100 * lines / of_lines:.1f}% | {share} |")
PY
exit "$status"
