#!/usr/bin/env bash
# What bash, zsh and fish offer while a command is typed. Stands in the repository's folder.
#
#   completion.sh FOLDER_OF_PLUMB
set -euo pipefail
export PATH=$1:$PATH
failed=0

# expect SHELL LINE WANTED...: each of these is among the candidates, and the last words after `not` are not
expect() {
  local shell=$1 line=$2 found wanted absent=''
  shift 2
  found=$("offered_by_$shell" "$line")
  for wanted in "$@"; do
    if [[ $wanted == not ]]; then absent=1; continue; fi
    if grep -qxF -- "$wanted" <<<"$found"; then
      [[ -z $absent ]] || { echo "$shell: \`$line\` offers $wanted"; failed=1; }
    elif [[ -z $absent ]]; then
      echo "$shell: \`$line\` does not offer $wanted; it offers: ${found//$'\n'/ }"
      failed=1
    fi
  done
}

# shellcheck source=/dev/null
source <(plumb completion bash)
offered_by_bash() {
  local COMP_LINE=$1 COMP_POINT=${#1} COMP_WORDS COMPREPLY=()
  read -r -a COMP_WORDS <<<"$1"
  _plumb
  printf '%s\n' "${COMPREPLY[@]}"
}
complete -p plumb >/dev/null  # the script told bash

offered_by_zsh() {
  # shellcheck disable=SC2016  # zsh expands it
  zsh -f -c '
    compdef() { :; }
    compadd() { while [[ $1 == -* ]]; do [[ $1 == -S ]] && shift; [[ $1 == -- ]] && { shift; break }; shift; done; print -l -- "$@"; }
    source <(plumb completion zsh)
    words=(${=1}); [[ $1 == *" " ]] && words+=(""); CURRENT=$#words
    _plumb' zsh "$1"
}
# shellcheck disable=SC2016  # fish expands it
offered_by_fish() { fish --no-config -c 'plumb completion fish | source; complete -C "$argv[1]"' "$1" | cut -f 1; }

shells=bash
for shell in zsh fish; do
  if command -v "$shell" >/dev/null; then shells+=" $shell"; else echo "$shell is not installed: not tested"; fi
done
for shell in $shells; do
  expect "$shell" 'plumb ' run plugins completion
  expect "$shell" 'plumb pl' plan plugins not run
  expect "$shell" 'plumb plugins ' list show check new docs schema
  expect "$shell" 'plumb plugins new sel' selection-policy not judge
  expect "$shell" 'plumb plugins show reward-g' reward-gap not dpo
  expect "$shell" 'plumb completion ' bash zsh fish
  expect "$shell" 'plumb run recipes/q' recipes/quickstart.yaml
  expect "$shell" 'plumb run recipes/' recipes/quickstart.yaml recipes/lab/ not recipes/README.md
  expect "$shell" 'plumb run recipes/quickstart.yaml --' --set --until --runs --help not --recipe
  expect "$shell" 'plumb run recipes/quickstart.yaml --until rew' reward rewards not sft
  expect "$shell" 'plumb run recipes/quickstart.yaml --set stages.pairs.p' stages.pairs.policy. not stages.pairs.policy.eta=
  expect "$shell" 'plumb run recipes/quickstart.yaml --set stages.pairs.policy.' stages.pairs.policy.eta= stages.pairs.policy.tau= stages.pairs.policy.isolation=
  expect "$shell" 'plumb run recipes/quickstart.yaml --set se' seed=
  expect "$shell" 'plumb run no-such-recipe.yaml --set s' not stages.
done
((failed == 0))
echo "$shells complete"
