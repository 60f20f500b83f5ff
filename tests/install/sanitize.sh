#!/usr/bin/env bash
# The commands of sdk/docs/debugging.md that sanitize a plugin, typed into a new plugin with only the install tree; then
# the same on a plugin that reads past the end of an array.
#
#   sanitize.sh SCRATCH SOURCE
set -euo pipefail
place=$1 source=$2
folder=$place/sanitize
# shellcheck source=tests/install/place.sh
source "$(dirname "$(readlink -f "$0")")/place.sh"

enter "$place" "$folder"
plumb plugins new selection-policy my-plugin
cd my-plugin

type_commands "$source/sdk/docs/debugging.md"
((typed == 6)) || fail "$typed commands were found, wanted 6"

refusal=$(plumb plugins list --plugin build/my_plugin.plumb.so | grep 'REFUSED') || fail "a host without a sanitizer takes it"
grep -qF 'san: found address, wanted none' <<<"$refusal" || fail "$refusal"

wrong='if (std::vector<int> own(3); own.data()[responses.size() + 3] == 12345) return {};'
sed -i "/if (responses.empty()) return {};/a $wrong" my_plugin.cpp
grep -qF "$wrong" my_plugin.cpp || fail "the template changed: there is no place for a fault"
cmake --build build >log 2>&1 || { tail -n 20 log >&2; fail "the faulty plugin does not build"; }
status=0
sanitized plumb plugins check build/my_plugin.plumb.so >verdicts 2>&1 || status=$?
[[ $status == 5 ]] || fail "the faulty plugin passes: $(tail -n 3 verdicts)"
sanitized plumb plugins check build/my_plugin.plumb.so --in-process >report 2>&1 || true
grep -q 'AddressSanitizer: heap-buffer-overflow' report || fail "no report: $(tail -n 20 report)"
grep -q 'my_plugin.cpp:[0-9]' report || fail "the report names no line of the plugin: $(head -n 30 report)"
grep 'AddressSanitizer: heap' report
grep -m 1 'my_plugin.cpp:[0-9]' report
