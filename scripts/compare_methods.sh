#!/usr/bin/env bash
# The DepS paper's comparison on small images: DepS, OFA, BigNAS and OFA on CompOFA's space, with the
# paper's ratios of epochs (270, 605, 400, 330), and DepS's ablations; then the accuracy in six
# buckets of MACs and in six of latency, which is measured first and last, with nothing beside it.
# Started again, it goes on where it stopped.
# usage: scripts/compare_methods.sh OUT_FOLDER [DIVISOR] [SEEDS] [ABLATION_SEEDS]
# DIVISOR: the paper's epochs are divided by it; 45 makes six epochs of DepS. SEEDS: "1 2 3". In the
# environment: DATASET (fashion-mnist).
set -Eeuo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
lathe=${LATHE:-$root/build/release/apps/lathe/lathe}
bench=${LATHE_BENCH:-$root/build/release/bench/training_methods/lathe_training_methods_bench}
out=${1:?usage: scripts/compare_methods.sh OUT_FOLDER [DIVISOR] [SEEDS] [ABLATION_SEEDS]}
divisor=${2:-45}
seeds=${3:-1 2 3}
ablation_seeds=${4-$seeds}
dataset=${DATASET:-fashion-mnist}
input=(--in-channels 1 --classes 10)
[[ $dataset == cifar* ]] && input=(--input-size 32 --in-channels 3 --classes "${dataset#cifar-}")

runs=()
# train NAME SEED PAPER_EPOCHS OPTIONS...
train() {
  local folder=$out/$1-$2 epochs start
  epochs=$(awk "BEGIN { printf \"%.4f\", $3 / $divisor }")
  runs+=("$folder")
  if [[ ! -e $folder/result.json ]]; then
    start=$(date +%s.%N)
    "$lathe" train --dataset "$dataset" --seed "$2" --epochs "$epochs" --resume --out "$folder" \
      "${@:4}" 2>>"$out/log"
    awk "BEGIN { printf \"%s %.1f s\n\", \"$1-$2\", $(date +%s.%N) - $start }" >>"$out/seconds"
  fi
}

# latency_model SPACE FILE
latency_model() {
  [[ -e $2 ]] && return
  "$lathe" latency generate --space "$1" "${input[@]}" --runner torch --samples 200 \
    --seed 1 --out "$2.samples.jsonl" 2>>"$out/log"
  "$lathe" latency fit --model ridge --space "$1" --samples "$2.samples.jsonl" --out "$2" >>"$out/log"
}

mkdir -p "$out"
trap 'tail -n 1 "$out/log" >&2' ERR  # what a command has said that ended it
latency_model mbv3_28 "$out/latency.json"
latency_model "$root/examples/spaces/compofa_28.json" "$out/latency_compofa.json"
for seed in $seeds; do
  train deps "$seed" 270 --space mbv3_28 --method deps --warmup-share 0.5556 --ramp-share 0.0417
  train ofa "$seed" 605 --space mbv3_28 --method ofa
  train bignas "$seed" 400 --space mbv3_28 --method bignas
  train compofa "$seed" 330 --space "$root/examples/spaces/compofa_28.json" --method ofa
done
for seed in $ablation_seeds; do
  train warmup25 "$seed" 270 --space mbv3_28 --method deps --warmup-share 0.25 --ramp-share 0.0417
  train warmup75 "$seed" 270 --space mbv3_28 --method deps --warmup-share 0.75 --ramp-share 0.0417
  train no_epsilon "$seed" 270 --space mbv3_28 --method deps --warmup-share 0.5556 --epsilon-start 1
  train in_place "$seed" 270 --space mbv3_28 --method deps --in-place-distillation
done
"$bench" --latency "$out/latency.json" "$out/latency_compofa.json" --figure "$out/figure.svg" \
  --nets-per-bucket 4 --judged "$out/judged.jsonl" -- "${runs[@]}" | tee "$out/table"
cat "$out/seconds"
