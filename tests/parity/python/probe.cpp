// What compare_models.py asks of this build: opens a model, adapter or reward-model folder and writes what it computes.
//
//   parity-probe logits  FOLDER ROWS.json OUT.safetensors     one [tokens, vocabulary] tensor a row, named 0, 1, …
//   parity-probe rewards FOLDER ROWS.json OUT.safetensors     one tensor `rewards` [rows]
//   parity-probe greedy  FOLDER ROWS.json OUT.safetensors N   the next N ids after each row, EOS or not, named 0, 1, …
//
// ROWS.json is a list of lists of token ids.
#include <ATen/ops/tensor.h>

#include <iostream>

#include "framework/core/artifacts/disk.h"
#include "framework/core/registry/registry.h"
#include "framework/engine/modeling/grouped_forward.h"
#include "framework/engine/modeling/safetensors.h"
#include "framework/engine/rollout/rollout.h"
#include "plumb/testing.h"

namespace {

using namespace plumb;
using Rows = std::vector<std::vector<TokenId>>;
using Named = std::vector<std::pair<std::string, at::Tensor>>;

Rows read_rows(const std::string& file) {
  Rows rows;
  const Value list = parse_json(read_file(file).value(), file);
  for (const Value& row : list.as_list()) {
    auto& ids = rows.emplace_back();
    for (const Value& id : row.as_list()) ids.push_back(static_cast<TokenId>(id.as_int()));
  }
  return rows;
}

Named logits_of(LanguageModel& model, const Rows& rows) {
  Named out;
  for (const auto& row : rows) out.emplace_back(std::to_string(out.size()), full_logits(model, {&row, 1}));
  return out;
}

Named rewards_of(LanguageModel& model, const Rows& rows) {
  std::vector<SequenceGroup> groups;
  for (const auto& row : rows) groups.push_back({{row.front()}, {{row.begin() + 1, row.end()}}});
  return {{"rewards", completion_rewards(model, groups, {})}};
}

Named greedy_of(LanguageModel& model, const Rows& rows, std::int64_t count, Host& host) {
  std::vector<TokenPrompt> prompts;
  for (const auto& row : rows) prompts.push_back({std::to_string(prompts.size()), row});
  Named out;
  sample_tokens(model, prompts, {.responses = 1, .max_new_tokens = count, .temperature = 0},
                {.ends = {}, .vocabulary = 0}, {}, host, [&](std::size_t i, std::vector<SampledTokens>&& responses) {
                  const std::vector<std::int64_t> ids(responses[0].ids.begin(), responses[0].ids.end());
                  out.emplace_back(std::to_string(i), at::tensor(ids, at::kLong));
                });
  return out;
}

}  // namespace

int main(int argc, char** argv) try {
  if (argc < 5) {
    std::cerr << "usage: parity-probe logits|rewards|greedy FOLDER ROWS.json OUT.safetensors [N]\n";
    return 2;
  }
  const std::string what = argv[1];
  testing::FakeHost host;
  const Registry registry = Registry::scan(PluginSearch::standard());
  LanguageModel model =
      open_language_model(argv[2], registry, host, {.reward_head = what == "rewards", .tokenizer = false});
  const Rows rows = read_rows(argv[3]);
  const Named out = what == "rewards"  ? rewards_of(model, rows)
                    : what == "greedy" ? greedy_of(model, rows, argc > 5 ? std::stoll(argv[5]) : 256, host)
                                       : logits_of(model, rows);
  Named detached;
  for (const auto& [name, tensor] : out) detached.emplace_back(name, tensor.detach().cpu().contiguous());
  write_safetensors(argv[4], detached).value();
  return 0;
} catch (const std::exception& error) {
  std::cerr << "parity-probe: " << error.what() << "\n";
  return 1;
}
