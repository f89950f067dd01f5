#!/usr/bin/env bash
# PC-DARTS searches with several weights of latency, one with MACs in its place, one with noisy
# predictions and some with a latency target, each net derived, trained alike and measured on this
# machine; beside them random cells, drawn evenly and those within each target. From a clean clone;
# started again, it goes on where it stopped.
# usage: scripts/compare_cell_search.sh OUT_FOLDER [SEEDS]
# SEEDS: "1 2 3". In the environment: DATASET (fashion-mnist), EPOCHS of a search (2), NET_EPOCHS of
# each net (3), WEIGHTS of latency beside 0 ("0.03 0.06 0.1"), MACS_WEIGHTS ("0.06"), NOISE of
# predictions ("0.1") at NOISE_WEIGHT ("0.06"), TARGETS as shares of the mean latency of cells
# ("0.6 0.75 0.9"), DERIVE_FROM those of the weights that nets within each target are derived from ("0
# 0.06"), RANDOM_NETS a seed (3) and within each target (1), IMAGE_SIZE (16), THREADS of a training
# (1), JOBS that train side by side (1).
# Nets are timed first, after the searches and last, with nothing beside them.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
out=${1:?usage: scripts/compare_cell_search.sh OUT_FOLDER [SEEDS]}
seeds=${2:-1 2 3}
dataset=${DATASET:-fashion-mnist}
size=${IMAGE_SIZE:-16}
space=${SPACE:-darts_c8_l5}
targets=${TARGETS-0.6 0.75 0.9}
random_nets=${RANDOM_NETS-3}
lathe=${LATHE:-$root/build/release/apps/lathe/lathe}
bench=${LATHE_BENCH:-$root/build/release/bench/cell_search/lathe_cell_search_bench}
[[ -x $lathe ]] || "$root/scripts/build.sh" lathe_cli
[[ -x $bench ]] || "$root/scripts/build.sh" lathe_cell_search_bench
export OMP_NUM_THREADS=${THREADS:-1}
mkdir -p "$out/searches" "$out/nets" "$out/trained"

input=(--input-size "$size" --in-channels 1 --classes 10)
[[ $dataset == cifar* ]] && input=(--input-size "$size" --in-channels 3 --classes "${dataset#cifar-}")
common=(--dataset "$dataset" --image-size "$size" --shards 1 --train-threads "${THREADS:-1}")
epochs=${EPOCHS:-2}
search=(--method pc-darts --space "$space" --epochs "$epochs"
        --first-logits-epoch "$(awk "BEGIN { print $epochs / 5 }")"
        --batch-size 64 --lr 0.05 --logits-lr 0.01)

# aside FOLDER OPTIONS...: a training, beside others; `all_done` waits for them.
started=()
aside() {
  started+=("$1")
  [[ -e $1/result.json ]] && return
  while (($(jobs -rp | wc -l) >= ${JOBS:-1})); do wait -n || true; done
  "$lathe" train "${common[@]}" --resume --out "$1" "${@:2}" >"$1.log" 2>&1 &
}
all_done() {
  wait
  local run
  for run in "${started[@]}"; do
    [[ -e $run/result.json ]] || { tail -n 3 "$run.log" >&2; exit 1; }
  done
}

# 200 cells drawn evenly: the model is fitted to them, and random nets are taken from them.
if [[ ! -e $out/latency.json ]]; then
  "$lathe" latency generate --space "$space" "${input[@]}" --samples 200 --rounds 20 --runs 5 --seed 3 \
    --out "$out/samples.jsonl"
  "$lathe" latency fit --model ridge --samples "$out/samples.jsonl" --out "$out/latency.json"
fi
# "ms arch" a line, in the order they were drawn in
sed -n 's/^{"arch":\(.*\),"median_ms":\([0-9.e-]*\),.*/\2 \1/p' "$out/samples.jsonl" >"$out/random"
mean_ms=$(awk '{ sum += $1 } END { print sum / NR }' "$out/random")
target_ms() { awk "BEGIN { printf \"%.4f\", $1 * $mean_ms }"; }

model=(--latency "$out/latency.json")
for seed in $seeds; do
  at=(--seed "$seed" "${search[@]}")
  for weight in 0 ${WEIGHTS-0.03 0.06 0.1}; do
    aside "$out/searches/weight${weight}_$seed" "${at[@]}" "${model[@]}" --latency-weight "$weight"
  done
  for weight in ${MACS_WEIGHTS-0.06}; do
    aside "$out/searches/macs${weight}_$seed" "${at[@]}" --macs-weight "$weight"
  done
  for noise in ${NOISE-0.1}; do
    aside "$out/searches/noise${noise}_$seed" "${at[@]}" "${model[@]}" \
      --latency-weight "${NOISE_WEIGHT:-0.06}" --prediction-noise "$noise"
  done
  for share in $targets; do
    aside "$out/searches/target${share}_$seed" "${at[@]}" "${model[@]}" \
      --latency-target "$(target_ms "$share")ms"
  done
done
all_done

# Nets: of each search with a weight as it ended, and the best within each target; of those with a
# target what takes it; random.
for run in "$out"/searches/*/; do
  cp "$run/genotype.json" "$out/nets/$(basename "$run").json"
done
# derive SEARCH SHARE NET: what answers a target best by what cells near it take here.
derive() {
  "$lathe" derive --from "$out/searches/$1" "${model[@]}" --targets "$(target_ms "$2")ms" \
    --measured "$out/derived.jsonl" --out "$out/derived" >>"$out/derived.log" 2>&1
  cp "$out"/derived/[0-9]*.json "$out/nets/$3.json"
  rm -r "$out/derived"
}
for seed in $seeds; do
  for share in $targets; do
    derive "target${share}_$seed" "$share" "target${share}_$seed"
    for weight in ${DERIVE_FROM-0 0.06}; do
      derive "weight${weight}_$seed" "$share" "within${share}of${weight}_$seed"
    done
    # Of those within the target, the slowest: another for each seed, if there are so many.
    arch=$(awk -v limit="$(target_ms "$share")" '$1 <= limit' "$out/random" | sort -gr |
      sed -n "${seed}s/^[^ ]* //p")
    [[ -z $arch ]] || echo "$arch" >"$out/nets/random${share}_$seed.json"
  done
  for ((i = 1; i <= random_nets; ++i)); do
    sed -n "$(((seed - 1) * random_nets + i))s/^[^ ]* //p" "$out/random" >"$out/nets/random${i}_$seed.json"
  done
done

# Every net trained alike, then all of them timed in turns.
started=()
for arch in "$out"/nets/*.json; do
  aside "$out/trained/$(basename "$arch" .json)" --method plain --space "$space" --arch "$arch" \
    --epochs "${NET_EPOCHS:-3}"
done
all_done
"$lathe" latency benchmark --space "$space" "${input[@]}" --arch "$out"/nets/*.json --json \
  >"$out/measured.json"

# number KEY FILE
number() { grep -o "\"$1\": *[0-9.e-]*" "$2" | head -n 1 | sed 's/.*: *//'; }
i=0
for arch in "$out"/nets/*.json; do
  name=$(basename "$arch" .json)
  i=$((i + 1))
  printf '%s %s %s %s %s\n' "$name" \
    "$(grep -o '"p50":[0-9.e-]*' "$out/measured.json" | sed -n "${i}s/.*://p")" \
    "$(number macs "$out/trained/$name/result.json")" \
    "$(number validation_top1 "$out/trained/$name/result.json")" \
    "$(number test_top1 "$out/trained/$name/result.json")"
done >"$out/each"
# Means over seeds, and the deviation of one.
"$bench" "$out/each" "$out/figure.svg" | tee "$out/table"
