#!/usr/bin/env bash
# How many nets does a latency model need? Times nets of a space once, fits the model to a few of
# them, then to more, and says what it errs by on the others, and what measuring took.
# usage: scripts/how_many_nets.sh OUT_FOLDER [SPACE] [latency generate's options, such as --runner...]
# In the environment: COUNTS ("10 20 40 80 160 300"), OTHERS (100 nets more), MODEL (ridge), LATHE.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
lathe=${LATHE:-$root/build/release/apps/lathe/lathe}
out=${1:?usage: scripts/how_many_nets.sh OUT_FOLDER [SPACE] [options...]}
space=${2:-mbv3_28}
shift $(($# < 2 ? $# : 2))
read -r -a counts <<<"${COUNTS:-10 20 40 80 160 300}"
all=$((counts[-1] + ${OTHERS:-100}))

[[ -x $lathe ]] || "$root/scripts/build.sh" lathe_cli
mkdir -p "$out"
begin=$(date +%s.%N)
"$lathe" latency generate --space "$space" --samples "$all" --seed 1 "$@" --out "$out/nets.jsonl"
end=$(date +%s.%N)

# number KEY: out of JSON on standard input
number() { grep -o "\"$1\": *[0-9.e-]*" | head -n 1 | sed 's/.*: *//'; }
printf '%6s %10s %8s %9s\n' nets seconds "MAPE %" Spearman
for count in "${counts[@]}"; do
  model=$out/model_$count.json
  "$lathe" latency fit --model "${MODEL:-ridge}" --samples "$out/nets.jsonl" --train-count "$count" \
    --out "$model" >/dev/null
  error=$("$lathe" latency validate --model "$model" --samples "$out/nets.jsonl" \
    --train-count "$count" --json)
  awk "BEGIN { printf \"%6d %10.1f %8.2f %9.3f\n\", $count, ($end - $begin) * $count / $all,
       100 * $(number mape <<<"$error"), $(number spearman <<<"$error") }"
done
