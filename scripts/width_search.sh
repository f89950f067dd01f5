#!/usr/bin/env bash
# A width search from end to end on Fashion-MNIST: measures this machine, trains a slimmable net by AOWS,
# finds the best widths for each target exactly, trains each net from scratch and measures it. Started
# again, it goes on where it stopped.
# usage: scripts/width_search.sh OUT_FOLDER [TARGETS_MS] [SPACE]
# TARGETS_MS: "0.3,0.5"; without it, three within what the space reaches. SPACE: a width chain that
# `lathe spaces` lists, mobilenet_v1_widths_x0.25. In the environment: METHOD (aows, or slimmable: OWS),
# EPOCHS of the slimmable net (6), FINAL_EPOCHS of each net (6), SAMPLES (nets measured, 300).
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
out=${1:?usage: scripts/width_search.sh OUT_FOLDER [TARGETS_MS] [SPACE]}
targets=${2:-}
space=${3:-mobilenet_v1_widths_x0.25}
method=${METHOD:-aows}
lathe=${LATHE:-$root/build/release/apps/lathe/lathe}
bench=${LATHE_BENCH:-$root/build/release/bench/width_comparison/lathe_width_comparison_bench}
[[ -x $lathe ]] || "$root/scripts/build.sh" lathe_cli
[[ -n $targets || -x $bench ]] || "$root/scripts/build.sh" lathe_width_comparison_bench

task=(--space "$space" --input-size 28 --in-channels 1 --classes 10)
mkdir -p "$out"

if [[ ! -e $out/latency.json ]]; then
  "$lathe" latency generate "${task[@]}" --samples "${SAMPLES:-300}" --biased \
    --out "$out/samples.jsonl"
  "$lathe" latency fit --model ridge --samples "$out/samples.jsonl" --out "$out/latency.json"
fi
targets=${targets:-$("$bench" targets "$out/latency.json" 0.15 0.3 0.5)}

aows=()
[[ $method != aows ]] || aows=(--latency "$out/latency.json" --targets "$targets")
if [[ ! -e $out/slimmable/result.json ]]; then
  "$lathe" train --dataset fashion-mnist --space "$space" --method "$method" "${aows[@]}" \
    --epochs "${EPOCHS:-6}" --label-smoothing 0 --random-subnets 1 --resume --out "$out/slimmable"
fi

if [[ ! -e $out/widths/result.json ]]; then
  rm -rf "$out/widths"
  "$lathe" search "${task[@]}" --strategy pareto --latency "$out/latency.json" \
    --accuracy "$out/slimmable/scores.json" --targets "$targets" --out "$out/widths"
fi

archs=()
for arch in "$out"/widths/arch_*.json; do
  net=$out/nets/$(basename "${arch#*arch_}" .json)
  if [[ ! -e $net/result.json ]]; then
    "$lathe" train --dataset fashion-mnist --space "$space" --method plain --arch "$arch" \
      --epochs "${FINAL_EPOCHS:-6}" --resume --out "$net"
  fi
  archs+=(--arch "$net/arch.json")
done
"$lathe" latency benchmark "${task[@]}" "${archs[@]}" --out "$out/benchmark.json"
echo "nets, with weights and test accuracy, are in $out/nets"
