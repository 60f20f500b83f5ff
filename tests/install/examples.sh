#!/usr/bin/env bash
# One of the SDK's examples, built in a folder of its own: short as promised, its tests pass, its recipe runs clean under
# the debug host.
#
#   examples.sh SCRATCH SOURCE NAME [MOST_LINES]
set -euo pipefail
place=$1 source=$2 name=$3 most=${4:-}
folder=$place/examples/$name
# shellcheck source=tests/install/place.sh
source "$(dirname "$(readlink -f "$0")")/place.sh"

lines=$(wc -l <"$source/sdk/examples/$name/$name.cpp")
[[ -z $most ]] || ((lines <= most)) || fail "$name.cpp has $lines lines, wanted at most $most"
rm -rf "$folder"
mkdir -p "$place/examples"
cp -r "$source/sdk/examples/$name" "$folder"
cd "$folder"
only_the_install_tree "$place"
{
  cmake -S . -B build -DCMAKE_BUILD_TYPE=Release && cmake --build build && ctest --test-dir build --output-on-failure
  plumb plugins check "build/$name.plumb.so" --timeout 60
  plumb run recipe.yaml --debug-host
} >log 2>&1 || { tail -n 60 log >&2; fail "$name"; }
grep -q 'checks hold' build/Testing/Temporary/LastTest.log || fail "$name has no unit test"
grep -q 'id: org.example.' runs/*/recipe.lock.yaml || fail "the run did not use $name"
echo "$name: $lines lines"
tail -n 5 log
