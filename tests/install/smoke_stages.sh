#!/usr/bin/env bash
# The two examples of stages, built out of tree, in the smoke recipe: answers are filtered before they are scored, and the
# pairs of two rounds are trained on together.
#
#   smoke_stages.sh SCRATCH
set -euo pipefail
place=$1
# shellcheck source=tests/install/place.sh
source "$(dirname "$(readlink -f "$0")")/place.sh"
examples=$place/examples folder=$place/smoke_stages
for name in filter_responses union_pairs; do
  [[ -e $examples/$name/build/$name.plumb.so ]] || fail "$name is not built; install.example.$name does it"
done
rm -rf "$folder"
mkdir -p "$folder"
cd "$folder"
only_the_install_tree "$place"
cat >recipe.yaml <<RECIPE
base: $place/plumb/share/plumb/recipes/lab/smoke.yaml
name: smoke-stages
stages:
  sound: {stage: filter-responses, responses: responses, min_words: 2}
  rewards: {responses: sound}
  responses-2: {stage: sample, model: aligned, prompts: prompts, k: 4, max_new_tokens: 24, top_k: 0, top_p: 1}
  rewards-2: {stage: score, responses: responses-2, reward_model: reward, normalise: standardise}
  pairs-2: {stage: select, scored: rewards-2, policy: {name: reward-gap, eta: 0.6, tau: 1}}
  pairs-of-both: {stage: union-pairs, pairs: [pairs, pairs-2]}
  aligned-2: {stage: train, model: sft, data: pairs-of-both, optimizer: dpo, batch_size: 16, max_steps: 4, learning_rate: 3.0e-4}
RECIPE
plumb run recipe.yaml --plugin "$examples/filter_responses/build/filter_responses.plumb.so" \
  --plugin "$examples/union_pairs/build/union_pairs.plumb.so" >log 2>&1 || { tail -n 60 log >&2; fail "the smoke recipe with both stages"; }
pairs() { wc -l <"runs/smoke-stages/$1/pairs.jsonl"; }
[[ -s runs/smoke-stages/sound/responses.jsonl ]] || fail "no answers are left"
one=$(pairs pairs) two=$(pairs pairs-2) both=$(pairs pairs-of-both)
((one > 0 && two > 0 && both > one && both <= one + two)) || fail "$one and $two pairs became $both"
[[ -e runs/smoke-stages/aligned-2/model.safetensors ]] || fail "nothing was trained on the pairs of both"
echo "$one and $two pairs became $both"
