#!/usr/bin/env bash
# A plugin for another SDK, another LibTorch, another C++ ABI: whatever the installed command is asked to do with it, its
# static initialiser, which would write a file, does not run. The same source with a fitting build does write it.
#
#   refused.sh SCRATCH SOURCE
set -euo pipefail
place=$1 source=$2
folder=$place/refused
# shellcheck source=tests/install/place.sh
source "$(dirname "$(readlink -f "$0")")/place.sh"

enter "$place" "$folder"
unset PLUMB_TEST_TRACE PLUMB_TEST_FAULT
cp "$source/tests/plugins/broken/misbehaving.cpp" .
cat >CMakeLists.txt <<'END'
cmake_minimum_required(VERSION 3.25)
project(refused LANGUAGES CXX)
find_package(PlumbSdk 0.2 REQUIRED)
foreach(other fitting sdk torch cxx11abi)
  plumb_add_plugin(${other} SOURCES misbehaving.cpp)
endforeach()
target_compile_definitions(sdk PRIVATE "PLUMB_SDK_ABI=\"9\"")
target_compile_definitions(torch PRIVATE "PLUMB_ABI_TORCH=\"2.10.0\"")
target_compile_definitions(cxx11abi PRIVATE "PLUMB_ABI_CXX11=\"0\"")
END
{ cmake -S . -B build && cmake --build build; } >log 2>&1 || { tail -n 30 log >&2; fail "the plugins do not build"; }

smoke=$place/plumb/share/plumb/recipes/lab/smoke.yaml
export PLUMB_TEST_TRACE=$folder/trace
# asked WANTED_STATUS WORD...: runs `plumb WORD... --plugin`, or `plumb WORD... FILE` for check; keeps what it says in `said`
asked() {
  local wanted=$1 status=0
  shift
  plumb "$@" >said 2>&1 || status=$?
  [[ $status == "$wanted" ]] || fail "plumb $* ended with $status, wanted $wanted: $(tail -n 5 said)"
}
for other in sdk torch cxx11abi; do
  file=build/$other.plumb.so
  asked 0 plugins list --plugin "$file"
  grep -q "REFUSED: $other: found " said || fail "plugins list does not say that $other differs: $(cat said)"
  reason=$(grep -o "$other: found .*" said | head -n 1)
  asked 5 plugins show idle --plugin "$file"
  asked 5 plugins check "$file"
  grep -q 'failed *file.fingerprint' said || fail "plugins check: $(cat said)"
  asked 2 validate "$smoke" --plugin "$file" --set stages.pairs.policy=idle
  asked 2 run "$smoke" --plugin "$file" --set stages.pairs.policy=idle --quiet
  grep -q "$other: found " said || fail "run does not say why it is refused: $(cat said)"
  [[ ! -e trace ]] || fail "code of the plugin for another $other ran"
  echo "refused before any of its code ran: $reason"
done

asked 0 plugins list --plugin build/fitting.plumb.so
[[ ! -e trace ]] || fail "listing ran code of a plugin"
asked 0 plugins check build/fitting.plumb.so
[[ -e trace ]] || fail "the fitting plugin left no trace: the test shows nothing"
echo "the fitting one runs: $(cat trace)"
