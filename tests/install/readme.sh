#!/usr/bin/env bash
# Every command of sdk/README.md, typed one after the other into an empty folder with only the install tree.
#
#   readme.sh SCRATCH SOURCE
set -euo pipefail
place=$1 source=$2
folder=$place/readme
fail() { printf 'FAILED: %s\n' "$*" >&2; exit 1; }

rm -rf "$folder"
mkdir -p "$folder"
cd "$folder"
export HOME=$place/home PATH=$place/plumb/bin:/usr/bin:/bin
unset PLUMB_PLUGIN_PATH PLUMB_LIBTORCH PLUMB_PREFIX CMAKE_PREFIX_PATH
typed=0
while read -r command; do
  [[ -n $command ]] || continue
  echo "\$ $command"
  # shellcheck disable=SC2086
  eval "$command" >log 2>&1 </dev/null || { tail -n 40 log >&2; fail "$command"; }
  typed=$((typed + 1))
done < <(awk '/^```sh/ {inside = 1; next} /^```/ {inside = 0} inside' "$source/sdk/README.md")
((typed >= 8)) || fail "only $typed commands were found"
grep -q 'pairs' runs/length-gap/recipe.lock.yaml || fail "the recipe did not run"
