#!/usr/bin/env bash
# Installs, moves the tree, and looks whether anything in it still points to where it came from.
#
#   tree.sh SCRATCH BUILD SOURCE
set -euo pipefail
place=$1 build=$2 source=$3
# shellcheck source=tests/install/place.sh
source "$(dirname "$(readlink -f "$0")")/place.sh"

rm -rf "$place"
mkdir -p "$place/home"
cmake --install "$build" --prefix "$place/first" >"$place/install.log"
mv "$place/first" "$place/plumb"
cd "$place"

for file in bin/plumb bin/plumb-describe bin/plumb-component lib/libplumb_core.so lib/libplumb_engine.so include/plumb/plugin.h \
  lib/cmake/PlumbSdk/PlumbSdkConfig.cmake lib/cmake/PlumbSdk/PlumbPlugin.cmake share/plumb/recipes/lab/smoke.yaml \
  share/plumb/LICENSE share/plumb/NOTICE; do
  [[ -e plumb/$file ]] || fail "the install tree lacks $file"
done
named=$(grep -rlF -e "$build" -e "$place/first" -e "$source/" plumb/bin plumb/lib/cmake plumb/lib/plumb plumb/lib/*.so plumb/share) || true
[[ -z $named ]] || fail "these name the build, the source or the first place: $named"
while read -r file; do
  for entry in $(readelf -d "$file" | sed -n 's/.*R\(UN\)\?PATH.*\[\(.*\)\]/\2/p' | tr : ' '); do
    # shellcheck disable=SC2016  # the loader expands it
    [[ $entry == '$ORIGIN'* ]] || fail "$file looks for its libraries in $entry"
  done
done < <(find plumb/bin plumb/lib -maxdepth 3 -path plumb/lib/libtorch -prune -o -type f \( -name '*.so' -o -path '*/bin/*' \) -print)

clean() { env -i PATH=/usr/bin:/bin HOME="$place/home" "$@"; }
clean plumb/bin/plumb --version
clean plumb/bin/plumb plugins list --json >list.json
files=$(find plumb/lib/plumb/plugins -name '*.plumb.so' | wc -l)
used=$(grep -c '"used": true' list.json)
((files > 0 && used == files)) || fail "$files plugins are installed, $used are used: $(cat list.json)"
clean plumb/bin/plumb run plumb/share/plumb/recipes/lab/smoke.yaml --runs runs --quiet --set stages.pairs.policy.isolation=process
[[ -s runs/smoke/report/report.md ]] || fail "the smoke recipe left no report"
echo "the moved tree works: $files plugins"

refused() {  # refused TEXT ARGUMENT...: `plumb plugins new` exits with 2 and says so, and writes nothing
  local text=$1 status=0
  shift
  clean plumb/bin/plumb plugins new "$@" --folder never 2>refusal || status=$?
  [[ $status == 2 && ! -e never ]] || fail "plugins new $* ended with $status"
  grep -qF -- "$text" refusal || fail "plugins new $*: $(cat refusal)"
}
# shellcheck disable=SC2016  # backticks are the message's
refused 'did you mean `judge`' jugde a-judge
refused 'wanted words of lower-case letters' judge A_Judge
refused 'CMake keeps the name "test"' judge test
# shellcheck disable=SC2016
refused 'provides a judge `gold` already' judge gold
refused 'wanted a reverse domain name' judge fine --id fine
echo "a bad plugin is not begun"
