#!/usr/bin/env bash
# Widths found by uniform scaling, greedy shrinking, OWS, AOWS and at random, for three latency targets
# on this machine, each net finally trained alike from scratch: test error, measured latency, how well
# the scores rank nets, and how AOWS concentrates. From a clean clone; started again, it goes on where
# it stopped.
# usage: scripts/compare_width_search.sh OUT_FOLDER [SEEDS] [SPACES]
# SEEDS: "1 2 3". SPACES: "mobilenet_v1_widths_x0.25 resnet18_widths_x0.125". A seed takes
# tens of minutes on two cores, the ResNet's longest. In the environment, for longer or shorter runs: EPOCHS of
# a slimmable training (1.5), FINAL_EPOCHS of each final one (0.75), SAMPLES (nets measured, 300),
# THREADS of a training (all cores). What is timed is timed first and last, with nothing beside it.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
out=${1:?usage: scripts/compare_width_search.sh OUT_FOLDER [SEEDS] [SPACES]}
seeds=${2:-1 2 3}
spaces=${3:-mobilenet_v1_widths_x0.25 resnet18_widths_x0.125}
epochs=${EPOCHS:-1.5}
final_epochs=${FINAL_EPOCHS:-0.75}
samples=${SAMPLES:-300}
lathe=${LATHE:-$root/build/release/apps/lathe/lathe}
bench=${LATHE_BENCH:-$root/build/release/bench/width_comparison/lathe_width_comparison_bench}
if [[ ! -x $lathe || ! -x $bench ]]; then
  "$root/scripts/build.sh" lathe_cli
  "$root/scripts/build.sh" lathe_width_comparison_bench
fi

# The images' shape and number of classes, which latency models are of.
task=(--input-size 28 --in-channels 1 --classes 10)

# measure SPACE FOLDER: samples, a model of them, and three targets within its range.
measure() {
  if [[ ! -e $2/latency.json ]]; then
    "$lathe" latency generate --space "$1" "${task[@]}" --samples "$samples" --biased --seed 1 \
      --out "$2/samples.jsonl"
    "$lathe" latency fit --model ridge --samples "$2/samples.jsonl" --out "$2/latency.json"
  fi
  if [[ ! -e $2/targets ]]; then
    "$bench" targets "$2/latency.json" 0.15 0.3 0.5 >"$2/targets.part"
    mv "$2/targets.part" "$2/targets"
  fi
}

# train FOLDER SECONDS_FILE OPTIONS...
train() {
  if [[ ! -e $1/result.json ]]; then
    local start
    start=$(date +%s.%N)
    "$lathe" train --dataset fashion-mnist --train-threads "${THREADS:-0}" --resume --out "$1" \
      "${@:3}" >/dev/null
    awk "BEGIN { printf \"%s %.1f s\n\", \"$1\", $(date +%s.%N) - $start }" >>"$2"
  fi
}

# search FOLDER SPACE LATENCY TARGETS SCORES STRATEGY SEED
search() {
  if [[ ! -e $1/result.json ]]; then
    rm -rf "$1"
    "$lathe" search --space "$2" "${task[@]}" --latency "$3" --accuracy "$5" --targets "$4" \
      --strategy "$6" --seed "$7" --out "$1" >/dev/null
  fi
}

# nets_of SPACE FOLDER SEED: two slimmable nets, what each method finds by them, and the nets trained.
nets_of() {
  local base=$2 run=$2/seed$3 targets slimmable method name strategy scores target
  targets=$(<"$base/targets")
  mkdir -p "$run/nets"
  slimmable=(--space "$1" --seed "$3" --epochs "$epochs" --lr-warmup-epochs 0.1
             --label-smoothing 0 --weight-decay 1e-5 --random-subnets 1)
  train "$run/slimmable" "$run/seconds" --method slimmable "${slimmable[@]}"
  train "$run/aows" "$run/seconds" --method aows --latency "$base/latency.json" \
    --targets "$targets" "${slimmable[@]}"
  # The paper's price of latency, for how it concentrates alone.
  train "$run/aows_zero_temperature" "$run/seconds" --method aows --gamma zero-temperature \
    --latency "$base/latency.json" --targets "$targets" "${slimmable[@]}"
  for method in uniform:uniform:slimmable greedy:greedy:slimmable ows:pareto:slimmable \
                aows:pareto:aows random:random:slimmable; do
    IFS=: read -r name strategy scores <<<"$method"
    search "$run/search/$name" "$1" "$base/latency.json" "$targets" "$run/$scores/scores.json" \
      "$strategy" "$3"
    for target in ${targets//,/ }; do
      train "$run/nets/$name-$target" "$run/seconds" --method plain --space "$1" \
        --arch "$run/search/$name/arch_${target}ms.json" --seed "$3" \
        --epochs "$final_epochs" --lr-warmup-epochs 0.1
    done
  done
}

# benchmark SPACE RUN: every net of a seed, all in turns.
benchmark() {
  local archs=() net
  if [[ ! -e $2/benchmark.json ]]; then
    for net in "$2"/nets/*; do
      archs+=(--arch "$net/arch.json")
    done
    "$lathe" latency benchmark --space "$1" "${task[@]}" "${archs[@]}" \
      --out "$2/benchmark.json" >/dev/null
  fi
}

for space in $spaces; do
  mkdir -p "$out/$space"
  measure "$space" "$out/$space"
done
for space in $spaces; do
  for seed in $seeds; do
    nets_of "$space" "$out/$space" "$seed"
  done
done
for space in $spaces; do
  for seed in $seeds; do
    benchmark "$space" "$out/$space/seed$seed"
  done
  "$bench" table "$out/$space" | tee "$out/$space/table"
done
