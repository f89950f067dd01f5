#!/usr/bin/env bash
# From a clone to the best nets for this machine: installs what is missing, builds, and runs
# `lathe run` on Fashion-MNIST for ten minutes. Started again, it goes on where it stopped.
# usage: scripts/quickstart.sh [options of lathe run...]
#   --dataset, --budget and --out take the place of those here.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
"$root/scripts/build.sh" lathe_cli
options=()
for default in --dataset=fashion-mnist --budget=10m "--out=$root/runs/quickstart"; do
  name=${default%%=*}
  [[ " $* " == *" $name"[=\ ]* ]] || options+=("$default")
done
exec "$root/build/release/apps/lathe/lathe" run "${options[@]}" --resume "$@"
