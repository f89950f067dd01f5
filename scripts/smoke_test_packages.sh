#!/usr/bin/env bash
# Installs the Debian packages and uses each: runs the program, builds a program against the
# libraries, imports the Python module. Then removes them again.
# usage, as root: scripts/smoke_test_packages.sh [--clean] [FOLDER]
#   FOLDER: with the .deb files; build/package/packages by default (cmake --workflow --preset package)
#   --clean: in a new Debian system in a temporary folder (debootstrap), so that a dependency which
#            the packages don't name is missed
# MIRROR: of Debian, for --clean; SUITE: its release, bookworm by default.
set -euo pipefail
export DEBIAN_FRONTEND=noninteractive

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
clean=0
if [[ ${1:-} == --clean ]]; then
  clean=1
  shift
fi
folder=${1:-$root/build/package/packages}

fail() {
  echo "smoke_test_packages: $*" >&2
  exit 1
}

((EUID == 0)) || fail "run as root: packages are installed"
mapfile -t packages < <(find "$folder" -maxdepth 1 -name '*.deb' -exec realpath {} + | sort)
((${#packages[@]} == 3)) ||
  fail "expected the three packages in $folder, got ${#packages[@]}; cmake --workflow --preset package"

scratch=$(mktemp -d)

in_a_clean_system() {
  command -v debootstrap >/dev/null || fail "--clean needs debootstrap: apt-get install debootstrap"
  local system=$scratch/system
  debootstrap --variant=minbase "${SUITE:-bookworm}" "$system" \
    "${MIRROR:-http://deb.debian.org/debian}" >"$scratch/debootstrap.log" ||
    { tail -n 5 "$scratch/debootstrap.log" >&2; fail "debootstrap failed"; }
  mkdir -p "$system/lathe/packages"
  cp "${packages[@]}" "$system/lathe/packages"
  cp --parents -r scripts/smoke_test_packages.sh tests/project/consumer "$system/lathe"
  mount -t proc proc "$system/proc"
  trap 'umount "$scratch/system/proc"; rm -rf "$scratch"' EXIT
  chroot "$system" /lathe/scripts/smoke_test_packages.sh /lathe/packages
}

here() {
  names=()
  for package in "${packages[@]}"; do
    names+=("$(dpkg-deb -f "$package" Package)")
  done
  trap 'apt-get purge -qy "${names[@]}" >/dev/null 2>&1; rm -rf "$scratch"' EXIT
  apt-get install -qy --no-install-recommends "${packages[@]}" g++ cmake make >"$scratch/apt.log" 2>&1 ||
    { tail -n 20 "$scratch/apt.log" >&2; fail "the packages can't be installed"; }

  /usr/bin/lathe --version
  /usr/bin/lathe spaces >"$scratch/spaces"
  grep -q '^mbv3_28 ' "$scratch/spaces" || fail "lathe spaces: mbv3_28 is missing"

  cp -r "$root/tests/project/consumer" "$scratch/consumer"
  if ! { cmake -S "$scratch/consumer" -B "$scratch/consumer/build" &&
    cmake --build "$scratch/consumer/build"; } >"$scratch/cmake.log" 2>&1; then
    tail -n 20 "$scratch/cmake.log" >&2
    fail "no program can be built with liblathe-dev"
  fi
  "$scratch/consumer/build/consumer"

  (cd / && /usr/bin/python3 -c '
import lathe
space = lathe.space("mbv3_28")
assert lathe.__file__.startswith("/usr/lib/python3/dist-packages/"), lathe.__file__
print("python:", lathe.__version__, space.macs(space.largest()), "macs")')
}

cd "$root"
trap 'rm -rf "$scratch"' EXIT
if ((clean)); then
  in_a_clean_system
else
  here
fi
echo "the packages work: ${packages[*]##*/}"
