#!/usr/bin/env bash
# Do nets take as long an hour later, in another process, as their benchmark says? Measures some
# nets in turns, waits, measures them again and counts how many medians lie in the interval that the
# first benchmark stated (p50_again95).
# usage: scripts/remeasure.sh OUT_FOLDER [SPACE] [NETS] [WAIT_SECONDS] [benchmark options...]
# LATHE: the program; build/release/apps/lathe/lathe by default.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
lathe=${LATHE:-$root/build/release/apps/lathe/lathe}
out=${1:?usage: scripts/remeasure.sh OUT_FOLDER [SPACE] [NETS] [WAIT_SECONDS] [options...]}
space=${2:-mbv3_28}
nets=${3:-10}
wait_s=${4:-3600}
shift $(($# < 4 ? $# : 4))

mkdir -p "$out"
"$lathe" latency generate --space "$space" --samples "$nets" --rounds 1 --runs 2 \
  --out "$out/nets.jsonl"
archs=()
for ((i = 0; i < nets; ++i)); do
  # Line i + 2: {"arch":{...},"median_ms":...
  sed -n "$((i + 2))p" "$out/nets.jsonl" | sed 's/^{"arch":\({[^}]*}\).*/\1/' > "$out/$i.arch.json"
  archs+=("$out/$i.arch.json")
done
"$lathe" latency benchmark --space "$space" --arch "${archs[@]}" "$@" --out "$out/before.json"
echo "waiting $wait_s s" >&2
sleep "$wait_s"
"$lathe" latency benchmark --space "$space" --arch "${archs[@]}" "$@" \
  --compare "$out/before.json" --out "$out/after.json"
