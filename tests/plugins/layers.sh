#!/usr/bin/env bash
# `tools/check layers` sees each forbidden include, and passes a tree that has none.
#
#   tests/plugins/layers.sh CHECK     the script tools/check
set -euo pipefail
check=$(readlink -f "$1")
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
mkdir -p "$tree"/{tools/cli,sdk/include/plumb,sdk/src,framework/core/registry,plugins/selection/gap}
cp "$check" "$tree/tools/check"
# the order of the framework's folders, as its page has it
page=$(dirname "$check")/../framework/README.md
cp "$page" "$tree/framework/README.md"
# shellcheck disable=SC2016  # back quotes are the page's
mapfile -t order < <(sed -nE 's/^`([a-z_]+\/[a-z_]+)\/`.*/\1/p' "$page")
((${#order[@]} > 10)) || { echo "$page tells of ${#order[@]} folders only" >&2; exit 1; }
for folder in "${order[@]}"; do
  mkdir -p "$tree/framework/$folder"
  printf '#include <string>\n#include "framework/%s/b.h"\n#include "framework/%s/b.h"\n' "${order[0]}" "$folder" >"$tree/framework/$folder/a.cpp"
done
git -C "$tree" init -q
cat >"$tree/plugins/selection/gap/gap.cpp" <<'PLUGIN'
#include <plumb/selection_policy.h>
PLUMB_PLUGIN(registrar, "org.example.gap", "1.0.0", "Apache-2.0", "pairs") {}
PLUGIN
for file in sdk/include/plumb/a.h sdk/src/a.cpp tools/cli/a.cpp; do
  echo '#include <string>' >"$tree/$file"
done

if ! "$tree/tools/check" layers >/dev/null; then
  echo "a tree without fault is refused" >&2
  exit 1
fi
failed=0
# sees FILE LINE: with this line in the file the check fails and names the file
sees() {
  local before found
  before=$(cat "$tree/$1")
  echo "$2" >>"$tree/$1"
  if found=$("$tree/tools/check" layers 2>&1) || [[ $found != *"$1"* ]]; then
    echo "not seen: $1: $2" >&2
    failed=1
  fi
  echo "$before" >"$tree/$1"
}
plugin=plugins/selection/gap/gap.cpp
sees "$plugin" '#include "framework/core/registry/registry.h"'
sees "$plugin" '#include "tools/cli/verb.h"'
sees "$plugin" '#include "sdk/check/check.h"'
sees sdk/src/a.cpp '#include "framework/result.h"'
sees sdk/src/a.cpp '#include "plugins/selection/gap/gap.h"'
sees sdk/include/plumb/a.h '#include <boost/json.hpp>'
sees sdk/src/a.cpp '#include <ATen/core/Tensor.h>'
sees framework/core/registry/a.cpp '#include "plugins/selection/gap/gap.h"'
sees framework/core/registry/a.cpp 'const char* favourite = "org.example.gap";'
sees framework/core/registry/a.cpp '#include "tools/cli/verb.h"'
sees framework/core/registry/a.cpp 'const ComponentRef loss{"sft", {}};'
sees framework/core/registry/a.cpp 'make(ComponentRef{"classifier-head", {}});'
sees framework/core/registry/a.cpp '#include <torch/torch.h>'
sees framework/core/sweep/a.cpp 'guarded("judge gold", "eval", [&] { return judge.judge(request); });'
sees framework/core/components/a.cpp '#include "sdk/debug_host/watch.h"'
# each pair of neighbours, all in one run: the check says every one of them
for ((i = 1; i < ${#order[@]}; ++i)); do
  echo "#include \"framework/${order[i]}/b.h\"" >>"$tree/framework/${order[i - 1]}/a.cpp"
done
found=$("$tree/tools/check" layers 2>&1) && failed=1
for ((i = 1; i < ${#order[@]}; ++i)); do
  if [[ $found != *"framework/${order[i - 1]}/a.cpp: ${order[i - 1]} includes ${order[i]}"* ]]; then
    echo "not seen: ${order[i - 1]} includes ${order[i]}" >&2
    failed=1
  fi
  sed -i '$d' "$tree/framework/${order[i - 1]}/a.cpp"
done
sees framework/core/registry/a.cpp '#include "framework/core/sweep/b.h"'
sees framework/core/registry/a.cpp '#include "framework/core/elsewhere/b.h"'
sees tools/cli/a.cpp '#include "plugins/selection/gap/gap.h"'
exit $failed
