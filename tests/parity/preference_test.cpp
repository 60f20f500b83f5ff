// Adapters, reward models and DPO figures against PEFT, transformers and TRL, and the shared prompt against separate
// rows.
#include <ATen/TensorOperators.h>
#include <ATen/ops/log_sigmoid.h>

#include <boost/test/unit_test.hpp>
#include <cmath>

#include "framework/core/artifacts/test_folder.h"
#include "framework/engine/modeling/grouped_forward.h"
#include "framework/engine/modeling/merged_model.h"
#include "tests/parity/goldens.h"

namespace {

using namespace plumb;
using namespace plumb::test;

std::vector<SequenceGroup> dpo_groups() {
  std::vector<SequenceGroup> groups;
  const Value pairs = golden_json("dpo_pairs.json");
  for (const Value& pair : pairs.as_list()) {
    groups.push_back({ids_of(pair.at("prompt_ids")), {ids_of(pair.at("chosen_ids")), ids_of(pair.at("rejected_ids"))}});
  }
  return groups;
}

// The golden adapter in a folder that names its base.
void put_adapter(const std::string& name, const std::string& base, const std::filesystem::path& to) {
  std::filesystem::create_directories(to);
  Value config = golden_json(name + "/adapter_config.json");
  config.set("base_model_name_or_path", golden(base).string());
  write_file(to / "adapter_config.json", to_json(config)).value();
  write_file(to / "adapter_model.safetensors", read_file(golden(name + "/adapter_model.safetensors")).value()).value();
}

LanguageModel policy_with_adapter(const OpenModel& how = {}) {
  const Folder folder;
  put_adapter("lora_eval", "micro-llama", folder.path());
  return open_language_model(folder.path(), plugins(), host(), how);
}

void check_dpo(const at::Tensor& policy, const at::Tensor& reference) {
  const Value wanted = golden_json("dpo_eval.json");
  const double beta = wanted.at("beta").as_double();
  double total = 0;
  const auto& pairs = wanted.at("pairs").as_list();
  for (std::size_t i = 0; i < pairs.size(); ++i) {
    const auto chosen = static_cast<std::int64_t>(2 * i), rejected = chosen + 1;
    const auto at = [](const at::Tensor& t, std::int64_t k) { return t[k].item<double>(); };
    const double reward_chosen = beta * (at(policy, chosen) - at(reference, chosen));
    const double reward_rejected = beta * (at(policy, rejected) - at(reference, rejected));
    const double loss = std::log1p(std::exp(-(reward_chosen - reward_rejected)));
    const auto near = [&](const char* key, double mine, double bound) {
      BOOST_TEST(std::abs(mine - pairs[i].at(key).as_double()) < bound, key << " of pair " << i << ": " << mine);
    };
    near("logps/chosen", at(policy, chosen), 1e-4);
    near("logps/rejected", at(policy, rejected), 1e-4);
    near("rewards/chosen", reward_chosen, 1e-5);
    near("rewards/rejected", reward_rejected, 1e-5);
    near("rewards/margins", reward_chosen - reward_rejected, 1e-5);
    near("loss", loss, 1e-5);
    total += loss;
  }
  BOOST_TEST(std::abs(total / static_cast<double>(pairs.size()) - wanted.at("batch_loss").as_double()) < 1e-5);
}

double distance(const at::Tensor& a, const at::Tensor& b) {
  return (a - b).abs().max().item<double>();
}

// One weighted sum of everything, so that each response's gradient counts.
void backward(const at::Tensor& values) {
  at::Tensor total = values[0] * 0.3;
  for (std::int64_t i = 1; i < values.size(0); ++i)
    total = total + values[i] * std::sin(1.7 * static_cast<double>(i) + 1);
  total.backward();
}

// Groups of one to four responses: the golden pairs, regrouped so that prompts differ in their number of responses.
std::vector<SequenceGroup> uneven_groups() {
  auto groups = dpo_groups();
  for (std::size_t i = 0; i + 1 < groups.size(); i += 2) {
    auto& next = groups[i + 1].completions;
    groups[i].completions.push_back(next.back());
    if (i == 0) groups[i].completions.push_back(next.front());
    next.pop_back();
  }
  return groups;
}

void compare_gradients(LanguageModel& a, LanguageModel& b, double bound) {
  const auto mine = a.trainable(), other = b.trainable();
  BOOST_REQUIRE(mine.size() == other.size());
  BOOST_REQUIRE(!mine.empty());
  for (std::size_t i = 0; i < mine.size(); ++i) {
    const at::Tensor &ga = mine[i]->tensor->grad(), &gb = other[i]->tensor->grad();
    BOOST_REQUIRE_MESSAGE(ga.defined() && gb.defined(), mine[i]->name);
    BOOST_TEST(distance(ga, gb) <= bound * (1 + gb.abs().max().item<double>()), mine[i]->name);
  }
}

}  // namespace

BOOST_AUTO_TEST_SUITE(preference)

BOOST_AUTO_TEST_CASE(dpo_figures_equal_those_of_trl) {
  const auto groups = dpo_groups();
  for (const bool share : {true, false}) {
    LanguageModel policy = policy_with_adapter({.tokenizer = false});
    const ForwardOptions options{.share_prompt = share};
    const at::Tensor mine = completion_logps(policy, groups, options).sums();
    at::Tensor reference;
    {
      const AdaptersOff off;
      reference = completion_logps(policy, groups, options).sums();
    }
    LanguageModel base = open_golden("micro-llama", {.tokenizer = false});
    BOOST_TEST(reference.equal(completion_logps(base, groups, options).sums()));
    check_dpo(mine, reference);
    LanguageModel merged = policy_with_adapter({.merge_adapter = true, .tokenizer = false});
    BOOST_TEST(!merged.lora);
    check_dpo(completion_logps(merged, groups, options).sums(), reference);
  }
}

BOOST_AUTO_TEST_CASE(saved_adapters_and_merged_folders_give_the_same_figures) {
  const auto groups = dpo_groups();
  LanguageModel policy = policy_with_adapter();
  const at::Tensor wanted = completion_logps(policy, groups, {}).sums();
  const Folder folder;
  save_language_model(policy, folder / "adapter");
  BOOST_TEST((read_file(folder / "adapter" / "adapter_model.safetensors").value() ==
              read_file(golden("lora_eval/adapter_model.safetensors")).value()));
  LanguageModel again = open_language_model(folder / "adapter", plugins(), host(), {});
  BOOST_TEST(again.lora->alpha == 16);
  BOOST_TEST((again.lora->targets == std::vector<std::string>{"k_proj", "o_proj", "q_proj", "v_proj"}));
  BOOST_TEST(completion_logps(again, groups, {}).sums().equal(wanted));
  const MergeLoss loss = write_merged(folder / "adapter", folder / "full", "float32", false, plugins(), host());
  BOOST_TEST(std::abs(loss.survives - 1) < 1e-6);
  BOOST_TEST(loss.error < 1e-4);
  LanguageModel full = open_language_model(folder / "full", plugins(), host(), {});
  BOOST_TEST(distance(completion_logps(full, groups, {}).sums(), wanted) < 1e-4);
}

BOOST_AUTO_TEST_CASE(shared_prompts_equal_separate_sequences) {
  const auto groups = uneven_groups();
  for (const char* name : {"micro-llama", "micro-neox"}) {
    LanguageModel shared = open_golden(name, {.training = true, .tokenizer = false});
    LanguageModel separate = open_golden(name, {.training = true, .tokenizer = false});
    const at::Tensor a = completion_logps(shared, groups, {.share_prompt = true}).sums();
    const at::Tensor b = completion_logps(separate, groups, {.share_prompt = false, .head_chunk = 7}).sums();
    BOOST_TEST(distance(a, b) < 1e-4);
    backward(a);
    backward(b);
    compare_gradients(shared, separate, 1e-5);
  }
}

BOOST_AUTO_TEST_CASE(order_and_composition_of_a_batch_do_not_matter) {
  auto groups = uneven_groups();
  LanguageModel model = open_golden("micro-llama", {.tokenizer = false});
  std::vector<at::Tensor> alone;
  for (const auto& group : groups) alone.push_back(completion_logps(model, std::span(&group, 1), {}).sums());
  std::reverse(groups.begin(), groups.end());
  const auto together = completion_logps(model, groups, {});
  const at::Tensor sums = together.sums();
  std::int64_t at = 0;
  for (std::size_t g = 0; g < groups.size(); ++g) {
    const at::Tensor& wanted = alone[alone.size() - 1 - g];
    BOOST_TEST(distance(sums.narrow(0, at, wanted.size(0)), wanted) < 2e-5);
    at += wanted.size(0);
  }
}

BOOST_AUTO_TEST_CASE(reward_model_equals_that_of_transformers) {
  const SafetensorsFile golden_rm = golden_tensors("rm.safetensors");
  const at::Tensor ids = golden_rm.tensor("input_ids"), mask = golden_rm.tensor("attention_mask");
  // Chosen and rejected of a pair share their first tokens: cut there, and half-way, the figures are the same.
  for (const std::int64_t prompt : {1, 4}) {
    std::vector<SequenceGroup> groups;
    for (std::int64_t r = 0; r < ids.size(0); ++r) {
      SequenceGroup& group = groups.emplace_back(SequenceGroup{{}, {{}}});
      for (std::int64_t t = 0; t < mask[r].sum().item<std::int64_t>(); ++t) {
        (t < prompt ? group.prompt : group.completions.front()).push_back(ids[r][t].item<int>());
      }
    }
    LanguageModel model = open_golden("micro-neox-rm", {.training = true, .reward_head = true, .tokenizer = false});
    const at::Tensor scores = completion_rewards(model, groups, {});
    BOOST_TEST(distance(scores, golden_rm.tensor("scores")) < 1e-5);
    const at::Tensor loss = -at::log_sigmoid(scores.narrow(0, 0, 4) - scores.narrow(0, 4, 4)).mean();
    BOOST_TEST(loss.item<double>() == golden_rm.tensor("loss").item<double>(), boost::test_tools::tolerance(1e-5));
    loss.backward();
    BOOST_TEST(distance(model.score->weight.grad(), golden_rm.tensor("grad.score.weight")) < 1e-5);
    BOOST_TEST(distance(model.parameters->find("gpt_neox.embed_in.weight")->tensor->grad(),
                        golden_rm.tensor("grad.embed_in")) < 1e-5);
  }
}

BOOST_AUTO_TEST_SUITE_END()
