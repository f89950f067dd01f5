#!/usr/bin/env bash
# What each part of a run with a budget brings: the training that `lathe run --budget` plans, and the
# same with one part otherwise. Three nets are judged, the smallest and the largest of those that the
# run's targets ask for and one halfway: as parts of what was trained, and then trained alone for some
# epochs, as answers are. Beside them the three alone from random weights in the same time. Which nets
# these are is decided once, so that no measuring of latency comes between the trainings. Started
# again, it goes on where it stopped.
# usage: scripts/each_part.sh OUT_FOLDER [MINUTES] [SEEDS]
# MINUTES of each training (9, what ten leave for it). In the environment: DATASET (fashion-mnist, or
# another of 28 or 32 pixels), PARTS (those below: "planned longer_alone" and others), ALONE_EPOCHS (4),
# LATHE_TRAIN_OPTIONS (of every training; "--image-size 16" gets more epochs into the minutes).
# Nothing should run beside it: what begins slowly trains for fewer epochs.
set -Eeuo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
lathe=${LATHE:-$root/build/release/apps/lathe/lathe}
out=${1:?usage: scripts/each_part.sh OUT_FOLDER [MINUTES] [SEEDS]}
minutes=${2:-9}
seeds=${3:-1}
read -r -a parts <<<"${PARTS:-planned longer_alone not_grown sandwich full_images whole_space deps bignas slimmable aows}"
alone_epochs=${ALONE_EPOCHS:-4}
dataset=${DATASET:-fashion-mnist}

# The smallest net's steps are 15% of the time; two thirds of all until 85% see half of the side.
# bignas draws nets near the targets evenly; slimmable any between the smallest and the largest; aows
# those that may be answers by what they lose so far, so that what never stands on the front is drawn less.
grow=(--method grow --sample targets --small-images 0.85)
declare -A options=(
  [planned]="${grow[*]} --small-share 0.29 --nets-per-step 1"
  [longer_alone]="${grow[*]} --small-share 0.55 --nets-per-step 1"
  [not_grown]="${grow[*]} --small-share 0 --nets-per-step 1"
  [sandwich]="${grow[*]} --small-share 0.29 --nets-per-step 3"
  [full_images]="--method grow --sample targets --small-share 0.32 --nets-per-step 1"
  [whole_space]="--method grow --small-images 0.85 --small-share 0.29 --nets-per-step 1"
  [deps]="--method deps --sample targets --small-images 0.85"
  [bignas]="--method bignas --sample targets --small-images 0.85"
  [slimmable]="--method slimmable --sample targets --small-images 0.85"
  [aows]="--method aows --sample targets --small-images 0.85"
)
read -r -a more <<<"${LATHE_TRAIN_OPTIONS:-}"
asked=(--dataset "$dataset" --space mbv3_28 "${more[@]}")

[[ $minutes =~ ^[0-9]*[.]?[0-9]+$ ]] || {
  echo "each_part: MINUTES: expected a number, got $minutes" >&2
  exit 2
}
for part in "${parts[@]}"; do
  [[ -n ${options[$part]:-} ]] || {
    echo "each_part: PARTS: $part is none of ${!options[*]}" >&2
    exit 2
  }
done
[[ -x $lathe ]] || "$root/scripts/build.sh" lathe_cli
mkdir -p "$out"
trap 'tail -n 1 "$out/log" >&2' ERR  # what a command has said that ended it

failed() { # FOLDER: its log's last line is said
  cat "$1.log" >>"$out/log"
  return 1
}

# Of plan.json: lowest or highest, the smallest and the largest net that the targets ask for.
bound() { tr -d ' \n' <"$out/plan.json" | sed "s/.*\"$1\":\({[^}]*}\).*/\1/"; }
# As wide and as deep as halfway from the smallest to the largest, with the smallest's kernels.
halfway() {
  { bound lowest; echo; bound highest; } | awk -F '"(ks|e|d|r)":' '
    function list(field) { return substr(field, 2, index(field, "]") - 2) }
    function middle(low, high,   a, b, n, i, text) {
      n = split(low, a, ","); split(high, b, ",")
      for (i = 1; i <= n; ++i) text = text (i > 1 ? "," : "") int((a[i] + b[i] + 1) / 2)
      return text
    }
    NR == 1 { start = $1; ks = list($2); e = list($3); d = list($4); r = $5 }
    NR == 2 { printf "%s\"ks\":[%s],\"e\":[%s],\"d\":[%s],\"r\":%s\n", start, ks,
              middle(e, list($3)), middle(d, list($4)), r }'
}
if [[ ! -e $out/halfway.json ]]; then
  "$lathe" run "${asked[@]}" --sample targets --dry-run --seed 1 --resume --out "$out/device" \
    2>>"$out/log" >/dev/null
  cp "$out/device/latency.json" "$out/device/plan.json" "$out"
  bound lowest >"$out/smallest.json"
  bound highest >"$out/largest.json"
  halfway >"$out/halfway.part"
  mv "$out/halfway.part" "$out/halfway.json"
fi
nets=(smallest halfway largest)
asked+=(--latency "$out/latency.json")

# run FOLDER OPTIONS...: lathe run in a folder that knows already which nets are trained
run() {
  mkdir -p "$1"
  [[ " ${*:2} " != *" --sample targets "* || -e $1/plan.json ]] || cp "$out/plan.json" "$1"
  "$lathe" run "${asked[@]}" --resume --out "$1" "${@:2}"
}

# Three rounds of tries, so that a slow moment of the machine is not one part's.
for round in 1 2 3; do
  for seed in $seeds; do
    for part in "${parts[@]}"; do
      read -r -a how <<<"${options[$part]}"
      tries=$out/tries-$part-$seed
      [[ ! -e $tries || $(wc -l <"$tries") -lt $round ]] || continue
      run "$out/tried-$part-$seed" --seed "$seed" --epochs 10 --dry-run "${how[@]}" \
        >/dev/null 2>"$out/tried.log" || failed "$out/tried"
      sed -n 's/.* epochs take about \([0-9]*\) s.*/\1/p' "$out/tried.log" >>"$tries"
    done
  done
done

epochs() { # PART SEED: as many as fit into the time at the pace of the fastest try
  sort -n "$out/tries-$1-$2" | head -n 1 | awk "{ printf \"%.2f\n\", 600 * $minutes / \$1 }"
}

top1() { # FOLDER NET: of the test images, %
  "$lathe" evaluate --run "$1" --arch "$out/$2.json" --dataset "$dataset" "${more[@]}" --split test \
    --json 2>>"$out/log" | sed -n 's/.*"top1": *\([0-9.]*\).*/\1/p' | awk '{ printf "%.2f", 100 * $1 }'
}

# alone NET FOLDER OPTIONS...: trains it alone
alone() {
  [[ -e $2/result.json ]] || "$lathe" train --dataset "$dataset" "${more[@]}" --method plain \
    --arch "$out/$1.json" --resume --out "$2" "${@:3}" 2>>"$2.log" >/dev/null || failed "$2"
}

seconds_of() { # FOLDER: of its training, by its log; of the longer part where it was interrupted
  sed -n 's/^ *\([0-9]*\)[.0-9]* s  train .*/\1/p' "$1.log" | sort -n | tail -n 1
}

rows=()
for seed in $seeds; do
  for part in "${parts[@]}"; do
    read -r -a how <<<"${options[$part]}"
    folder=$out/$part-$seed of=$(epochs "$part" "$seed") row='' tuned='' seconds=0
    if [[ ! -e $folder/result.json ]]; then
      run "$folder" --seed "$seed" --epochs "$of" --accuracy-samples 34 "${how[@]}" \
        2>>"$folder.log" >/dev/null || failed "$folder"
    fi
    for net in "${nets[@]}"; do # alone at half of the training's peak rate, as lathe run does it
      row+=" $(top1 "$folder" "$net") |"
      alone "$net" "$folder-$net" --from "$folder" --epochs "$alone_epochs" --lr 0.075 --seed "$seed"
      tuned+=" $(top1 "$folder-$net" "$net") |"
      seconds=$((seconds + $(seconds_of "$folder-$net")))
    done
    trained=$(seconds_of "$folder")
    rows+=("| $part-$seed | $of | $trained + $seconds |$row$tuned")
    [[ $part != planned ]] || echo $((trained + seconds)) >"$out/seconds-$seed"
  done
  if [[ -e $out/seconds-$seed ]]; then
    for share in 1 3; do # the time of the planned training and its three nets: for one, for each
      row='' seconds=0
      for net in "${nets[@]}"; do
        alone "$net" "$out/alone-$net-$share-$seed" --space mbv3_28 --small-images 0.75 --seed "$seed" \
          --budget "$(($(<"$out/seconds-$seed") / share))s"
        row+=" $(top1 "$out/alone-$net-$share-$seed" "$net") |"
        seconds=$((seconds + $(seconds_of "$out/alone-$net-$share-$seed")))
      done
      rows+=("| alone, $((3 / share)) x the time, $seed | | $seconds | | | |$row")
    done
  fi
  # Of the planned training: what the choice among four candidates by validation images brings.
  if [[ -e $out/planned-$seed/result.json ]]; then
    for candidates in 1 4; do
      again=$out/planned-$seed-candidates-$candidates
      [[ -e $again/result.json ]] || "$lathe" specialize --from "$out/planned-$seed" \
        --latency "$out/latency.json" --accuracy-samples 34 --candidates "$candidates" --resume \
        --out "$again" 2>>"$out/log" >/dev/null
      answers=$(grep -o '"test_accuracy": *[0-9.]*' "$again/result.json" | sed 's/.*: *//' |
        awk '{ printf "%s%.2f", (NR > 1 ? ", " : ""), 100 * $1 }')
      rows+=("| planned-$seed, answers chosen among $candidates | | | $answers |")
    done
  fi
done
{
  printf '| training | epochs | seconds | as a part: smallest | halfway | largest | then alone: smallest | halfway | largest |\n'
  printf '|---|---|---|---|---|---|---|---|---|\n'
  printf '%s\n' "${rows[@]}"
} | tee "$out/table"
