#!/usr/bin/env bash
# Checks formatting (clang-format) and code (clang-tidy) as CONTRIBUTING.md asks; not a part of
# the tests. Needs clang-format, clang-tidy and a configured build (cmake --preset dev).
# usage: scripts/lint.sh [--fix-format] [FILES...]     all tracked sources by default
# LATHE_BUILD: the build folder whose compile_commands.json to use; build/dev by default.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root"
build=${LATHE_BUILD:-build/dev}

mode=(--dry-run -Werror)
if [[ ${1:-} == --fix-format ]]; then
  mode=(-i)
  shift
fi
files=("$@")
((${#files[@]} > 0)) || mapfile -t files < <(git ls-files '*.h' '*.cpp')

clang-format "${mode[@]}" "${files[@]}"

if [[ ! -e $build/compile_commands.json ]]; then
  echo "lint: no $build/compile_commands.json; run cmake --preset dev" >&2
  exit 1
fi
# Headers are seen through the sources that include them; what isn't built here is left out.
sources=()
for file in "${files[@]}"; do
  if [[ $file == *.cpp ]] && grep -qF "/$file\"" "$build/compile_commands.json"; then
    sources+=("$file")
  fi
done
((${#sources[@]} == 0)) ||
  printf '%s\0' "${sources[@]}" | xargs -0 -n 1 -P "$(nproc)" clang-tidy --quiet -p "$build"
