// The engine on a device whose memory the host cannot read, against the engine on the CPU.
#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/equal.h>
#include <torch/csrc/autograd/autograd.h>

#include <boost/test/unit_test.hpp>

#include "framework/core/artifacts/test_folder.h"
#include "framework/core/components/make.h"
#include "framework/engine/modeling/decoder.h"
#include "framework/engine/rollout/rollout.h"
#include "framework/engine/training/online_objective.h"
#include "framework/engine/training/pair_objective.h"
#include "models.h"
#include "strict_device.h"

namespace {
using namespace plumb;
using namespace plumb::test;
using Numbers = std::vector<double>;

// Losses and gradient norms of three updates.
Numbers updates(LanguageModel& model, double rate) {
  UpdateRule rule(trained_tensors(model), {.weight_decay = 0.1});
  Numbers out;
  for (int update = 0; update < 3; ++update) {
    const at::Tensor loss = -completion_logps(model, groups(), {}).sums().mean();
    loss.backward();
    out.push_back(loss.item<double>());
    out.push_back(rule.gradient_norm());
    rule.clip(out.back(), 1.0);
    rule.step(rate);
    rule.clear_gradients();
  }
  return out;
}

void expect_near(const Numbers& here, const Numbers& there, double tolerance) {
  BOOST_REQUIRE(here.size() == there.size());
  for (std::size_t i = 0; i < here.size(); ++i) {
    BOOST_TEST_CONTEXT("number " << i) {
      BOOST_TEST(std::abs(here[i] - there[i]) <= tolerance * (1 + std::abs(here[i])), here[i] << " and " << there[i]);
    }
  }
}

struct Chosen {
  const char *architecture, *dtype;
  double tolerance;
};
const Chosen kModels[] = {{"llama2", "float32", 1e-5}, {"llama2", "bfloat16", 2e-2}, {"pythia", "float32", 1e-5}};

template <class Run>
void expect_same(const Run& run, double tolerance = 1e-5) {
  expect_near(run("cpu"), run(device_name()), tolerance);
}

std::string samples(const std::string& device, const Sampling& sampling) {
  LanguageModel model = small_model({.device = device, .training = false});
  const std::vector<TokenPrompt> prompts{{"a", {3, 4, 5}}, {"b", {6, 7, 8, 9}}, {"c", {10}}};
  std::vector<std::string> out(prompts.size());
  sample_tokens(model, prompts, sampling, {.ends = {1}}, {.rows = 5}, host(),
                [&](std::size_t i, std::vector<SampledTokens>&& responses) {
                  for (const SampledTokens& response : responses) {
                    for (const TokenId id : response.ids) out[i] += std::to_string(id) + " ";
                    out[i] += response.finish == FinishReason::stop ? "stop; " : "length; ";
                  }
                });
  return out[0] + "| " + out[1] + "| " + out[2];
}

template <class Kind>
Made<Kind> optimizer(const char* name) {
  return make<Optimizer>(plugins(), name, Value::map(), host()).as<Kind>();
}

PairRows two_pairs() {
  PairRows rows;
  for (const SequenceGroup& group : groups()) {
    if (group.completions.size() < 2) continue;
    rows.pairs.push_back({rows.groups.size(), 0, 1, 0.5});
    rows.names.push_back("p" + std::to_string(rows.groups.size()));
    rows.groups.push_back(group);
  }
  return rows;
}

ReferenceLogps reference_of(LanguageModel& model, const PairRows& rows) {
  const at::NoGradGuard no_grad;
  ReferenceLogps reference;
  for (std::size_t g = 0; g < rows.groups.size(); ++g) {
    const at::Tensor sums = completion_logps(model, {&rows.groups[g], 1}, {}).sums().cpu();
    for (std::int64_t i = 0; i < sums.numel(); ++i) {
      reference.put({g, static_cast<std::size_t>(i)}, sums[i].item<float>(), {});
    }
  }
  return reference;
}
MicroLoss update_once(Objective& objective, UpdateRule& rule, std::span<const std::size_t> batch, int update) {
  objective.starting(update);
  MicroLoss loss = objective.micro_loss(batch, objective.totals(batch));
  loss.share.backward();
  rule.step(1e-3);
  rule.clear_gradients();
  return loss;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(engine)

BOOST_AUTO_TEST_CASE(updates_are_the_cpus) {
  for (const Chosen& chosen : kModels) {
    BOOST_TEST_CONTEXT(chosen.architecture << " " << chosen.dtype) {
      expect_same(
          [&](const std::string& device) {
            LanguageModel model =
                small_model({.architecture = chosen.architecture, .device = device, .dtype = chosen.dtype});
            return updates(model, 1e-2);
          },
          chosen.tolerance);
    }
  }
}

BOOST_AUTO_TEST_CASE(layers_that_are_computed_again_give_the_same_numbers) {
  for (const char* architecture : {"llama2", "pythia"}) {
    Numbers whole, again;
    for (Numbers* numbers : {&whole, &again}) {
      LanguageModel model = small_model({.architecture = architecture, .device = device_name(), .dtype = "bfloat16"});
      model.gradient_checkpointing = numbers == &again;
      *numbers = updates(model, 1e-2);
    }
    BOOST_TEST(whole == again, boost::test_tools::per_element());
  }
}

BOOST_AUTO_TEST_CASE(adapters_over_an_8_bit_base_are_the_cpus) {
  const Folder folder;
  {
    LanguageModel full = small_model({.training = false});
    full.tokenizer = nullptr;
    save_language_model(full, folder.path() / "model");
  }
  expect_same([&](const std::string& device) {
    LanguageModel model =
        open_language_model(folder.path() / "model", plugins(), host(),
                            {.placement = {.device = device, .weights = "int8"}, .training = true, .tokenizer = false});
    attach_lora(model, {4, 8, 0, {}}, Random(3));
    Numbers out = updates(model, 1e-2);
    const AdaptersOff off;
    const at::NoGradGuard no_grad;
    out.push_back(completion_logps(model, groups(), {}).sums().sum().item<double>());
    return out;
  });
}

BOOST_AUTO_TEST_CASE(rewards_are_the_cpus) {
  for (const char* architecture : {"llama2", "pythia"}) {
    expect_same([&](const std::string& device) {
      LanguageModel model = small_model({.architecture = architecture, .device = device, .reward = true});
      const at::Tensor rewards = completion_rewards(model, groups(), {});
      rewards.sum().backward();
      const at::Tensor here = rewards.detach().cpu();
      Numbers out(here.const_data_ptr<float>(), here.const_data_ptr<float>() + here.numel());
      out.push_back(UpdateRule(trained_tensors(model), {}).gradient_norm());
      return out;
    });
  }
}

BOOST_AUTO_TEST_CASE(samples_are_the_cpus) {
  for (const Sampling& sampling :
       {Sampling{.responses = 4, .max_new_tokens = 12, .temperature = 1, .seed = 5},
        Sampling{.responses = 4, .max_new_tokens = 12, .temperature = 0.7, .top_k = 9, .top_p = 0.8, .seed = 6},
        Sampling{.responses = 2, .max_new_tokens = 12, .temperature = 0, .seed = 5}}) {
    BOOST_TEST(samples("cpu", sampling) == samples(device_name(), sampling));
  }
}

BOOST_AUTO_TEST_CASE(pairs_begin_at_their_reference_and_lose_as_on_the_cpu) {
  expect_same([&](const std::string& device) {
    LanguageModel model = small_model({.device = device});
    const PairRows rows = two_pairs();
    PairObjective objective(model, optimizer<PairwiseOptimizer>("dpo"), rows, reference_of(model, rows));
    const std::vector<std::size_t> batch{0, 1};
    UpdateRule rule(trained_tensors(model), {});
    objective.expect_identity();
    Numbers out;
    for (int update = 0; update < 2; ++update) {
      out.push_back(update_once(objective, rule, batch, update).share.item<double>());
    }
    BOOST_TEST(out.front() == std::log(2.0), boost::test_tools::tolerance(1e-6));
    return out;
  });
}

BOOST_AUTO_TEST_CASE(rollouts_and_their_losses_are_the_cpus) {
  expect_same([&](const std::string& device) {
    LanguageModel policy = small_model({.device = device}),
                  reference = small_model({.device = device, .training = false});
    std::vector<PromptRow> prompts;
    for (const char* text : {"one", "two"}) {
      Prompt prompt{text, {{"user", text}}, {}};
      prompts.push_back({prompt, policy.chat_format->render_prompt(*policy.tokenizer, prompt.messages).value()});
    }
    const auto score = [](std::span<const ResponseGroup> answered) {
      std::vector<std::vector<double>> rewards;
      for (const ResponseGroup& group : answered) {
        auto& of = rewards.emplace_back();
        for (const Response& response : group.responses) of.push_back(static_cast<double>(response.ids.front() % 7));
      }
      return ScoredAnswers(std::move(rewards));
    };
    RolloutParams how;
    how.responses = 2;
    how.max_new_tokens = 6;
    OnlineObjective objective({policy, &reference, optimizer<OnlineOptimizer>("ppo"), true}, prompts, how, 4, score,
                              host(), Random(9));
    auto tensors = trained_tensors(policy);
    for (const TrainedTensor& value : objective.value_tensors()) tensors.push_back(value);
    UpdateRule rule(tensors, {});
    const std::vector<std::size_t> batch{0, 1, 2, 3};
    Numbers out;
    for (int update = 0; update < 2; ++update) {
      const MicroLoss loss = update_once(objective, rule, batch, update);
      out.push_back(loss.share.item<double>());
      for (const auto& [name, value] : loss.metrics) out.push_back(value);
    }
    for (const SequenceGroup& group : objective.groups()) {
      for (const auto& answer : group.completions) out.insert(out.end(), answer.begin(), answer.end());
    }
    return out;
  });
}

BOOST_AUTO_TEST_CASE(a_saved_model_holds_what_the_device_holds) {
  for (const char* architecture : {"llama2", "pythia"}) {
    const Folder folder;
    LanguageModel model = small_model({.architecture = architecture, .device = device_name(), .training = false});
    model.tokenizer = nullptr;
    save_language_model(model, folder.path() / "model");
    const LanguageModel again = open_language_model(folder.path() / "model", plugins(), host(), {.tokenizer = false});
    for (const Parameter* parameter : again.parameters->all()) {
      BOOST_TEST(at::equal(*parameter->tensor, model.parameters->find(parameter->name)->tensor->cpu()));
    }
  }
}

BOOST_AUTO_TEST_SUITE_END()
