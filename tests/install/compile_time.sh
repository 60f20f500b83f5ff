#!/usr/bin/env bash
# How long the compiler takes for a plugin of each tier against the install tree, in processor time, so that a busy
# machine changes little: at most 4 s without tensors and 15 s with them.
#
#   compile_time.sh SCRATCH SOURCE
set -euo pipefail
place=$1 source=$2
folder=$place/compile-time
# shellcheck source=tests/install/place.sh
source "$(dirname "$(readlink -f "$0")")/place.sh"

rm -rf "$folder"
mkdir -p "$folder"
only_the_install_tree "$place"
export CCACHE_DISABLE=1
unset CMAKE_CXX_COMPILER_LAUNCHER

# compile MOST_SECONDS EXAMPLE
compile() {
  local most=$1 example=$2 took
  cp -r "$source/sdk/examples/$example" "$folder/$example"
  cd "$folder/$example"
  cmake -S . -B build -DCMAKE_BUILD_TYPE=Release >log 2>&1 || { tail -n 20 log >&2; fail "$example"; }
  TIMEFORMAT='%U %S'
  took=$({ time cmake --build build --target "$example" >>log 2>&1; } 2>&1) || { tail -n 20 log >&2; fail "$example"; }
  took=$(awk '{print $1 + $2}' <<<"$took")
  awk -v took="$took" -v most="$most" 'BEGIN {exit !(took <= most)}' || fail "$example takes $took s, wanted at most $most s"
  echo "$example: $took s of processor time, compiled, linked and described; at most $most s"
}
compile 4 length_regularised
compile 15 simpo
compile 15 mistral
