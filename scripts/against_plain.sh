#!/usr/bin/env bash
# What a sceptic does with the same time: `lathe run` with a budget T and K targets, against (a) the
# K answers' nets trained alone, T/K each, and (b) the net of the fastest target trained alone for
# all of T and used for every target. Test accuracies. Started again, it goes on.
# usage: scripts/against_plain.sh OUT_FOLDER [MINUTES] [TARGETS] [SEEDS]
# DATASET=cifar-10 is of another data set than Fashion-MNIST; of 28 or 32 pixels. AGAINST=b leaves (a)
# out, AGAINST=a (b).
# Plain nets see small images at first, as the run does. An idle machine is needed: time is what is
# compared. MINUTES x 3 for each seed.
set -Eeuo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
lathe=${LATHE:-$root/build/release/apps/lathe/lathe}
bench=${LATHE_BENCH:-$root/build/release/bench/against_plain/lathe_against_plain_bench}
out=${1:?usage: scripts/against_plain.sh OUT_FOLDER [MINUTES] [TARGETS] [SEEDS]}
minutes=${2:-10}
targets=${3:-5}
seeds=${4:-1 2 3}
dataset=${DATASET:-fashion-mnist}
against=${AGAINST:-ab}
[[ $against =~ ^(a|b|ab)$ ]] || {
  echo "against_plain: AGAINST: expected a, b or ab, got $against" >&2
  exit 2
}
read -r -a options <<<"${LATHE_TRAIN_OPTIONS:-}"

alone() { # FOLDER SECONDS ARCH SEED
  [[ -e $1/result.json ]] || "$lathe" train --dataset "$dataset" --space mbv3_28 --method plain \
    --arch "$3" --budget "$2s" --small-images 0.75 --seed "$4" --resume --out "$1" "${options[@]}" 2>>"$out/log"
}

# The first of NETS that has the arch of NET: a net that answers several targets is trained once.
first_with_arch() { # NET NETS...
  local net=$1
  shift
  for other in "$@"; do
    if cmp -s "$other/arch.json" "$net/arch.json"; then
      basename "$other"
      return
    fi
  done
}

mkdir -p "$out"
trap 'tail -n 1 "$out/log" >&2' ERR  # what a command has said that ended it
for seed in $seeds; do
  run=$out/run-$seed
  [[ -e $run/result.json ]] || "$lathe" run --dataset "$dataset" --space mbv3_28 \
    --budget "${minutes}m" --num-targets "$targets" --seed "$seed" --resume --out "$run" \
    "${options[@]}" 2>>"$out/log"
  nets=("$run"/nets/*ms)
  share=$(awk "BEGIN { print $minutes * 60 / ${#nets[@]} }")
  for net in "${nets[@]}"; do
    [[ $against == *a* ]] || break
    name=$(basename "$net") first=$(first_with_arch "$net" "${nets[@]}")
    alone "$out/alone-$seed/$first" "$share" "$net/arch.json" "$seed"
    [[ $first == "$name" ]] || ln -sfn "$first" "$out/alone-$seed/$name"
  done
  fastest=$(printf '%s\n' "${nets[@]##*/}" | LC_ALL=C sort -g | head -n 1)
  [[ $against != *b* ]] ||
    alone "$out/whole-$seed" "$((minutes * 60))" "$run/nets/$fastest/arch.json" "$seed"
done
# shellcheck disable=SC2086
"$bench" "$out" $seeds | tee "$out/table"
