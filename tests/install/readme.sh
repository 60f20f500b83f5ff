#!/usr/bin/env bash
# Every command of sdk/README.md, typed one after the other into an empty folder with only the install tree.
#
#   readme.sh SCRATCH SOURCE
set -euo pipefail
place=$1 source=$2
folder=$place/readme
# shellcheck source=tests/install/place.sh
source "$(dirname "$(readlink -f "$0")")/place.sh"

enter "$place" "$folder"
type_commands "$source/sdk/README.md"
((typed >= 8)) || fail "only $typed commands were found"
grep -q 'pairs' runs/length-gap/recipe.lock.yaml || fail "the recipe did not run"
