#!/usr/bin/env bash
# A first use on a Debian that has nothing but itself: a clean system in a temporary folder
# (debootstrap), a copy of this repository, its quickstart, and the report at its end, each part timed.
# To be run before a release, for each Debian that is supported.
# usage, as root: scripts/first_use.sh [SUITE [BUDGET]]      bookworm 10m by default
# MIRROR: of Debian. KEEP: a folder that the run's folder and the compiler's log are copied to.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
suite=${1:-bookworm}
budget=${2:-10m}
mirror=${MIRROR:-http://deb.debian.org/debian}

fail() {
  echo "first_use: $*" >&2
  exit 1
}
((EUID == 0)) || fail "run as root: a system is installed into a folder"
command -v debootstrap >/dev/null || fail "needs debootstrap: apt-get install debootstrap"

scratch=$(mktemp -d)
system=$scratch/system
clean_up() {
  for mount in proc dev; do
    mountpoint -q "$system/$mount" && umount --lazy "$system/$mount"
  done
  rm -rf --one-file-system "$scratch"
}
trap clean_up EXIT

# timed WHAT COMMAND...: shows the command's output, and how long it took.
timed() {
  local start=$EPOCHSECONDS
  "${@:2}" 2>&1 || fail "$1 failed"
  printf -- '-- %s: %d:%02d\n' "$1" $(((EPOCHSECONDS - start) / 60)) $(((EPOCHSECONDS - start) % 60))
}

inside() { chroot "$system" /usr/bin/env -C /root/lathe HOME=/root PATH="$PATH" "$@"; }

make_system() {
  debootstrap --variant=minbase "$suite" "$system" "$mirror" >"$scratch/debootstrap.log" ||
    { tail -n 5 "$scratch/debootstrap.log" >&2; fail "debootstrap failed"; }
  mount -t proc proc "$system/proc"
  mount --bind /dev "$system/dev"
  mkdir -p "$system/root/lathe"
  git -C "$root" archive HEAD | tar -x -C "$system/root/lathe"
}

timed "a clean Debian ($suite)" make_system
cat "$system/etc/debian_version"
timed "scripts/install_dependencies.sh" inside scripts/install_dependencies.sh
timed "scripts/build.sh lathe_cli" inside scripts/build.sh lathe_cli
timed "lathe doctor" inside build/release/apps/lathe/lathe doctor
timed "scripts/quickstart.sh --budget $budget" inside scripts/quickstart.sh --budget "$budget"
report=$system/root/lathe/runs/quickstart/report.html
[[ -s $report ]] || fail "there is no report"
echo "report.html: $(stat -c %s "$report") bytes"
if [[ -n ${KEEP:-} ]]; then
  mkdir -p "$KEEP"
  cp -r "$system/root/lathe/runs/quickstart" "$system/root/lathe/build/release/build.log" "$KEEP"
fi
