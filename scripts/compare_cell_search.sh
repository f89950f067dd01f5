#!/usr/bin/env bash
# PC-DARTS searches with several weights of latency, one with MACs in its place, one with noisy
# predictions and some with a latency target, each net derived, trained alike and measured on this
# machine; beside them random cells. From a clean clone; started again, it goes on where it stopped.
# usage: scripts/compare_cell_search.sh OUT_FOLDER [SEEDS]
# SEEDS: "1 2 3". In the environment: EPOCHS of a search (0.5), NET_EPOCHS of each net (2), WEIGHTS of
# latency beside 0 ("0.03 0.06 0.1"), MACS_WEIGHTS ("0.1"), NOISE of predictions ("0.1") at NOISE_WEIGHT
# ("0.06"), TARGETS as shares of the mean latency of cells ("0.6 0.75 0.9"), RANDOM_NETS a seed (4),
# IMAGE_SIZE (16), THREADS (1).
# Nets are timed first and last, with nothing beside them.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
out=${1:?usage: scripts/compare_cell_search.sh OUT_FOLDER [SEEDS]}
seeds=${2:-1 2 3}
size=${IMAGE_SIZE:-16}
space=${SPACE:-darts_c8_l5}
lathe=${LATHE:-$root/build/release/apps/lathe/lathe}
[[ -x $lathe ]] || "$root/scripts/build.sh" lathe_cli
export OMP_NUM_THREADS=${THREADS:-1}
mkdir -p "$out/nets"

common=(--image-size "$size" --shards 1 --train-threads "${THREADS:-1}")
epochs=${EPOCHS:-0.5}
search=(--method pc-darts --space "$space" --epochs "$epochs"
        --first-logits-epoch "$(awk "BEGIN { print $epochs / 5 }")"
        --batch-size 64 --lr 0.05 --logits-lr 0.01)

# logged FILE COMMAND...: what the command says goes into the file, and is shown if it fails.
logged() {
  "${@:2}" >"$1" 2>&1 || { tail -n 3 "$1" >&2; exit 1; }
}

if [[ ! -e $out/latency.json ]]; then
  "$lathe" latency generate --space "$space" --input-size "$size" --in-channels 1 --classes 10 \
    --samples 200 --rounds 6 --runs 3 --seed 3 --out "$out/samples.jsonl"
  "$lathe" latency fit --model ridge --samples "$out/samples.jsonl" --out "$out/latency.json"
fi

# search_cells NAME SEED OPTIONS...: a search, and the arch that it derives without a limit.
search_cells() {
  local run=$out/searches/$1_$2
  if [[ ! -e $run/result.json ]]; then
    logged "$run.log" "$lathe" train "${search[@]}" "${common[@]}" --seed "$2" --resume \
      --out "$run" "${@:3}"
  fi
  cp "$run/genotype.json" "$out/nets/$1_$2.json"
}

# random_nets SEED: cells drawn evenly.
random_nets() {
  "$lathe" latency generate --space "$space" --input-size "$size" --in-channels 1 --classes 10 \
    --samples "${RANDOM_NETS:-4}" --rounds 1 --runs 1 --seed "$((1000 + $1))" \
    --out "$out/random_$1.jsonl" >/dev/null 2>&1
  local i=0
  while read -r line; do
    printf '%s\n' "$line" >"$out/nets/random$((i++))_$1.json"
  done < <(grep -o '"arch":{[^}]*}' "$out/random_$1.jsonl" | sed 's/^"arch"://')
}

mkdir -p "$out/searches"
model=(--latency "$out/latency.json")
for seed in $seeds; do
  for weight in 0 ${WEIGHTS:-0.03 0.06 0.1}; do
    search_cells "weight$weight" "$seed" "${model[@]}" --latency-weight "$weight"
  done
  for weight in ${MACS_WEIGHTS:-0.1}; do
    search_cells "macs$weight" "$seed" --macs-weight "$weight"
  done
  for noise in ${NOISE:-0.1}; do
    search_cells "noise$noise" "$seed" "${model[@]}" --latency-weight "${NOISE_WEIGHT:-0.06}" \
      --prediction-noise "$noise"
  done
  mean_ms=$(sed -n 's/.*"reference_ms": \([0-9.e-]*\).*/\1/p' "$out/searches/weight0_$seed/result.json")
  for share in ${TARGETS:-0.6 0.75 0.9}; do
    search_cells "target$share" "$seed" "${model[@]}" \
      --latency-target "$(awk "BEGIN { print $share * $mean_ms }")ms"
  done
  [[ -e $out/random_$seed.jsonl ]] || random_nets "$seed"
done

# Every net trained alike, then all of them timed in turns.
mkdir -p "$out/trained"
for arch in "$out"/nets/*.json; do
  net=$out/trained/$(basename "$arch" .json)
  if [[ ! -e $net/result.json ]]; then
    logged "$net.log" "$lathe" train --method plain --space "$space" --arch "$arch" \
      --epochs "${NET_EPOCHS:-2}" "${common[@]}" --resume --out "$net"
  fi
done
"$lathe" latency benchmark --space "$space" --input-size "$size" --in-channels 1 --classes 10 \
  --arch "$out"/nets/*.json --json >"$out/measured.json"

# number KEY FILE
number() { grep -o "\"$1\": *[0-9.e-]*" "$2" | head -n 1 | sed 's/.*: *//'; }
printf '%-16s %10s %10s %8s\n' "net" "ms" "MMACs" "top-1 %"
i=0
for arch in "$out"/nets/*.json; do
  result=$out/trained/$(basename "$arch" .json)/result.json
  i=$((i + 1))
  ms=$(grep -o '"p50":[0-9.e-]*' "$out/measured.json" | sed -n "${i}s/.*://p")
  awk "BEGIN { printf \"%-16s %10.4f %10.2f %8.2f\n\", \"$(basename "$arch" .json)\", $ms,
       $(number macs "$result") / 1e6, 100 * $(number test_top1 "$result") }"
done
