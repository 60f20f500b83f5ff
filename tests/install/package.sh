#!/usr/bin/env bash
# find_package(PlumbSdk) from the moved install tree, with and without LibTorch, and from the build tree.
#
#   package.sh SCRATCH BUILD SOURCE
set -euo pipefail
place=$1 build=$2 source=$3
# shellcheck source=tests/install/place.sh
source "$(dirname "$(readlink -f "$0")")/place.sh"

# use NAME SOURCE.cpp PREFIX OPTION...: builds a plugin of one file in a new folder, then asks the installed plumb for it
use() {
  local name=$1 file=$2 prefix=$3 folder=$place/package/$1
  shift 3
  rm -rf "$folder"
  mkdir -p "$folder"
  cp "$file" "$folder/one.cpp"
  cat >"$folder/CMakeLists.txt" <<END
cmake_minimum_required(VERSION 3.25)
project(one LANGUAGES CXX)
find_package(PlumbSdk 0.2 REQUIRED)
plumb_add_plugin(one ${tensor:-} SOURCES one.cpp)
END
  {
    cmake -S "$folder" -B "$folder/build" -G Ninja -DCMAKE_PREFIX_PATH="$prefix" "$@" && cmake --build "$folder/build"
  } >"$folder/log" 2>&1 || { tail -n 30 "$folder/log" >&2; return 1; }
  [[ -s $folder/build/one.schema.json ]] || fail "$name: no one.schema.json"
  env -i PATH=/usr/bin:/bin HOME="$place/home" "$place/plumb/bin/plumb" plugins list --plugin "$folder/build/one.plumb.so" \
    >"$folder/list.txt"
  ! grep -q REFUSED "$folder/list.txt" || fail "$name: $(grep -B 3 REFUSED "$folder/list.txt")"
  grep -q "$folder/build/one.plumb.so" "$folder/list.txt" || fail "$name: the plugin is not listed"
  echo "$name works"
}

gap=$source/tests/plugins/good/gap.cpp hinge=$source/tests/plugins/good/hinge.cpp
use without-libtorch "$gap" "$place/plumb" -DPLUMB_LIBTORCH=/nowhere
! readelf -d "$place/package/without-libtorch/build/one.plumb.so" | grep -qE 'NEEDED.*(torch|c10|_tensor)' ||
  fail "a torch-free plugin needs LibTorch"
use from-the-build-tree "$gap" "$build" -DPLUMB_LIBTORCH=/nowhere
tensor=TENSOR use with-libtorch "$hinge" "$place/plumb"

# An empty entry is the working directory to the loader.
for built in without-libtorch from-the-build-tree with-libtorch; do
  runpath=$(readelf -d "$place/package/$built/build/one.plumb.so" | sed -n 's/.*runpath: \[\(.*\)\]/\1/p')
  [[ -n $runpath && :$runpath: != *::* ]] || fail "$built: the RUNPATH is '$runpath'"
done

tensor=TENSOR
if (use tensors-without-libtorch "$hinge" "$place/plumb" -DPLUMB_LIBTORCH=/nowhere 2>"$place/package/refusal"); then
  fail "a tensor plugin was configured without LibTorch"
fi
grep -q 'set PLUMB_LIBTORCH' "$place/package/refusal" || fail "no advice: $(cat "$place/package/refusal")"
