#!/usr/bin/env bash
# Installs the Debian packages that Lathe builds and tests with, those that are missing.
# Needs root or sudo only when something is. docs/dependencies.md says why each is here.
# usage: scripts/install_dependencies.sh [MORE PACKAGES...]
set -euo pipefail

packages=(
  g++ cmake ninja-build ccache pkg-config dpkg-dev
  libtorch-dev libopenblas0-pthread libgloo-dev
  nlohmann-json3-dev libeigen3-dev libcli11-dev libfmt-dev zlib1g-dev libyaml-cpp-dev
  libopencv-imgcodecs-dev libopencv-imgproc-dev
  libonnx-dev libprotobuf-dev protobuf-compiler
  libgtest-dev libbenchmark-dev libopencv-dnn-dev
  dataset-fashion-mnist
  pybind11-dev python3-dev python3-numpy python3-pytest
  "$@"
)

fail() {
  echo "install_dependencies: $*" >&2
  exit 1
}

is_installed() {
  [[ $(dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null) == installed ]]
}

if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
  echo "install_dependencies: not a Debian system, nothing is installed; needed (by their Debian" \
    "names): ${packages[*]}" >&2
  exit 0
fi

missing=()
for package in "${packages[@]}"; do
  is_installed "$package" || missing+=("$package")
done

# ONNX Runtime is in Debian from 13 on; where it is, nets are measured with it.
wants_onnxruntime() {
  apt-cache show libonnxruntime-dev >/dev/null 2>&1 && ! is_installed libonnxruntime-dev
}
if wants_onnxruntime; then
  missing+=(libonnxruntime-dev)
fi

if ((${#missing[@]} > 0)); then
  as_root=(env DEBIAN_FRONTEND=noninteractive)
  if ((EUID != 0)); then
    command -v sudo >/dev/null ||
      fail "run as root, or install sudo; missing packages: ${missing[*]}"
    as_root=(sudo "${as_root[@]}")
  fi
  log=$(mktemp)
  trap 'rm -f "$log"' EXIT
  echo "Installing Debian packages: ${missing[*]}"
  # A mirror that can't be reached is no reason to stop yet: the packages may come from another.
  "${as_root[@]}" apt-get update -q >"$log" 2>&1 || true
  # A new system's lists were empty until now.
  if [[ " ${missing[*]} " != *" libonnxruntime-dev "* ]] && wants_onnxruntime; then
    missing+=(libonnxruntime-dev)
  fi
  if ! "${as_root[@]}" apt-get install -qy --no-install-recommends "${missing[@]}" \
    >>"$log" 2>&1; then
    # apt stops at the first one that it can't have: one by one, all of those get their name.
    failed=()
    for package in "${missing[@]}"; do
      "${as_root[@]}" apt-get install -qy --no-install-recommends "$package" >>"$log" 2>&1 ||
        failed+=("$package")
    done
    if ((${#failed[@]} > 0)); then
      tail -n 20 "$log" >&2
      fail "failed to install: ${failed[*]} (the end of apt's output is above)"
    fi
  fi
fi

# Without OpenBLAS, LibTorch's matrix product is some 25 times slower.
for library in libblas.so.3 liblapack.so.3; do
  for link in /etc/alternatives/"$library"-*; do
    target=$(readlink -f "$link" || true)
    if [[ -e $link && $target != *openblas* ]]; then
      echo "install_dependencies: warning: $library is $target, not OpenBLAS: slow; select it with" \
        "update-alternatives --config ${link##*/}" >&2
    fi
  done
done
