#!/usr/bin/env bash
# What each part of a run with a budget brings: the training that `lathe run --budget` plans before
# its answers are trained one by one, and the same with one part otherwise, each for as long by the
# pace of its own first steps; then answers by prediction alone, and trained one by one. Test
# accuracies of the answers to the same targets. Started again, it goes on where it stopped.
# usage: scripts/each_part.sh OUT_FOLDER [MINUTES] [SEEDS]
# MINUTES of each training (9, what ten leave for it). In the environment: DATASET (fashion-mnist, or
# another of 28 or 32 pixels), PARTS (those below: "planned longer_alone" and others),
# LATHE_TRAIN_OPTIONS (of every training; "--image-size 16" gets more epochs into the minutes).
# Nothing should run beside it: what begins slowly trains for fewer epochs.
set -Eeuo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
lathe=${LATHE:-$root/build/release/apps/lathe/lathe}
out=${1:?usage: scripts/each_part.sh OUT_FOLDER [MINUTES] [SEEDS]}
minutes=${2:-9}
seeds=${3:-1}
read -r -a parts <<<"${PARTS:-planned longer_alone not_grown sandwich full_images whole_space deps bignas slimmable aows}"
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
if [[ ! -e $out/latency.json ]]; then
  "$lathe" run "${asked[@]}" --dry-run --seed 1 --out "$out/device" 2>>"$out/log" >/dev/null
  cp "$out/device/latency.json" "$out/latency.json"
fi
asked+=(--latency "$out/latency.json" --accuracy-samples 34)

# epochs PART SEED OPTIONS...: as many as fit into the time, by the fastest of three tries
epochs() {
  local file=$out/epochs-$1-$2 tries=()
  if [[ ! -e $file ]]; then
    for _ in 1 2 3; do
      "$lathe" run "${asked[@]}" --seed "$2" --epochs 10 --dry-run --resume --out "$out/tried-$1-$2" \
        "${@:3}" >/dev/null 2>"$out/tried.log" || { cat "$out/tried.log" >>"$out/log"; exit 1; }
      tries+=("$(sed -n 's/.* epochs take about \([0-9]*\) s.*/\1/p' "$out/tried.log")")
    done
    printf '%s\n' "${tries[@]}" | sort -n | head -n 1 |
      awk "{ printf \"%.2f\n\", 10 * 60 * $minutes / \$1 }" >"$file.part"
    mv "$file.part" "$file"
  fi
  cat "$file"
}

answers() { # FOLDER: what it prints in the table
  grep -o '"test_accuracy": *[0-9.]*' "$1/result.json" | sed 's/.*: *//' |
    awk '{ printf "%s%.2f", (NR > 1 ? ", " : ""), 100 * $1 }'
}

seconds_of() { # FOLDER: of the whole run
  sed -n 's/^  "seconds": *\([0-9]*\).*/\1/p' "$1/result.json"
}

rows=()
for seed in $seeds; do
  for part in "${parts[@]}"; do
    read -r -a how <<<"${options[$part]}"
    of=$(epochs "$part" "$seed" "${how[@]}")
    run=$out/$part-$seed
    [[ -e $run/result.json ]] || "$lathe" run "${asked[@]}" --seed "$seed" --epochs "$of" "${how[@]}" \
      --resume --out "$run" 2>>"$out/log" >/dev/null
    rows+=("| $part-$seed | $of | $(seconds_of "$run") | $(answers "$run") |")
  done
  # Of the same training: answers by prediction alone, and answers trained on from the best of them.
  if [[ -e $out/planned-$seed/result.json ]]; then
    for way in "--candidates 1" "--fine-tune 8"; do
      read -r -a how <<<"$way"
      again=$out/planned-$seed${way// /_}
      [[ -e $again/result.json ]] || "$lathe" specialize --from "$out/planned-$seed" \
        --latency "$out/latency.json" --accuracy-samples 34 "${how[@]}" --resume --out "$again" \
        2>>"$out/log" >/dev/null
      rows+=("| planned-$seed $way | | $(seconds_of "$again") | $(answers "$again") |")
    done
  fi
done
{
  printf '| training | epochs | seconds | test top-1 of the answers, fastest target first, %% |\n|---|---|---|---|\n'
  printf '%s\n' "${rows[@]}"
} | tee "$out/table"
