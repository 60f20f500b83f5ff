#!/usr/bin/env bash
# `plumb plugins new KIND`, then everything that the new plugin's own `ci` does: build, test, check, run its recipe.
#
#   new.sh SCRATCH KIND
set -euo pipefail
place=$1 kind=$2
folder=$place/new/$kind
# shellcheck source=tests/install/place.sh
source "$(dirname "$(readlink -f "$0")")/place.sh"

enter "$place" "$folder"
plumb plugins new "$kind" "our-$kind"
named=$(grep -rliE 'my[-_]?plugin|my-kind' "our-$kind") || true
[[ -z $named ]] || fail "the template's name is left in $named"
"our-$kind/ci" >ci.log 2>&1 || { tail -n 60 ci.log >&2; fail "ci of the new $kind"; }
grep -q 'checks hold' "our-$kind/build/Testing/Temporary/LastTest.log" || fail "the new $kind has no unit test"
grep -q "id: org.example.our-$kind," "our-$kind"/runs/*/recipe.lock.yaml || fail "the run did not use the new $kind"
if plumb plugins new "$kind" "our-$kind" 2>again; then fail "an existing folder was written into"; fi
grep -q 'is not empty' again || fail "$(cat again)"
tail -n 4 ci.log
