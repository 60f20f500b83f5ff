// Sampling filters and learning-rate schedules against transformers' own on the same inputs.
#include <ATen/core/Tensor.h>
#include <ATen/ops/isfinite.h>
#include <ATen/ops/softmax.h>

#include <algorithm>
#include <boost/test/unit_test.hpp>

#include "framework/engine/rollout/sampler.h"
#include "framework/engine/training/schedule.h"
#include "tests/parity/goldens.h"

namespace {

using namespace plumb;
using namespace plumb::test;

struct Filter {
  const char* name;  // of the golden tensor: what HF's warpers made of `logits`
  Sampling sampling;
};

std::vector<Filter> filters() {
  return {{"temperature_0.7", {.temperature = 0.7}},
          {"top_k_50", {.top_k = 50}},
          {"top_p_0.98", {.top_p = 0.98}},
          {"chain", {.temperature = 0.7, .top_k = 50, .top_p = 0.98}}};
}

using Kept = std::vector<std::pair<TokenId, float>>;

// Tokens that a filter kept, with their probabilities. One that is too improbable for float32 is not drawn either way.
Kept likely(Kept kept) {
  std::erase_if(kept, [](const auto& entry) { return entry.second < 1e-30F; });
  return kept;
}

Kept survivors(const at::Tensor& warped) {
  const at::Tensor probabilities = at::softmax(warped, -1), kept = at::isfinite(warped);
  Kept out;
  for (std::int64_t i = 0; i < warped.size(0); ++i) {
    if (kept[i].item<bool>()) out.emplace_back(static_cast<TokenId>(i), probabilities[i].item<float>());
  }
  return likely(std::move(out));
}

}  // namespace

BOOST_AUTO_TEST_SUITE(sampling)

BOOST_AUTO_TEST_CASE(survivors_and_probabilities_equal_those_of_transformers) {
  constexpr std::int64_t tied = 4;  // a row of rounded logits: which of the equals top-p drops is the sort's choice
  const SafetensorsFile file = golden_tensors("sampling.safetensors");
  const at::Tensor logits = file.tensor("logits").contiguous();
  std::size_t removed = 0;
  for (const Filter& filter : filters()) {
    for (std::int64_t row = 0; row < logits.size(0); ++row) {
      BOOST_TEST_CONTEXT(filter.name << ", row " << row) {
        const float* values = logits[row].const_data_ptr<float>();
        Kept mine = likely(filter_logits({values, static_cast<std::size_t>(logits.size(1))}, filter.sampling));
        Kept wanted = survivors(file.tensor(filter.name)[row]);
        if (row == tied && filter.sampling.top_p < 1) {
          const auto by_probability = [](const auto& a, const auto& b) { return a.second < b.second; };
          std::sort(mine.begin(), mine.end(), by_probability);
          std::sort(wanted.begin(), wanted.end(), by_probability);
          for (auto* list : {&mine, &wanted}) {
            for (auto& entry : *list) entry.first = 0;
          }
        }
        BOOST_TEST_REQUIRE(mine.size() == wanted.size());
        removed += 128 - mine.size();
        for (std::size_t i = 0; i < mine.size(); ++i) {
          BOOST_TEST(mine[i].first == wanted[i].first);
          BOOST_TEST(std::abs(mine[i].second - wanted[i].second) < 1e-6F);
        }
      }
    }
  }
  BOOST_TEST(removed > 500U);
}

BOOST_AUTO_TEST_CASE(all_ties_at_the_kth_place_survive_as_in_transformers) {
  const SafetensorsFile file = golden_tensors("sampling.safetensors");
  const at::Tensor row = file.tensor("logits")[4].contiguous();
  BOOST_TEST(filter_logits({row.const_data_ptr<float>(), 128}, {.top_k = 50}).size() == 51U);
}

BOOST_AUTO_TEST_CASE(schedules_equal_those_of_transformers) {
  const Value document = golden_json("schedules.json");
  for (const std::string type : {"linear", "cosine"}) {
    for (const int warmup : {0, 3}) {
      TrainingSettings settings;
      settings.learning_rate = document.at("base_lr").as_double();
      settings.lr_scheduler_type = type;
      settings.warmup_steps = warmup;
      const Schedule schedule(settings, document.at("total_steps").as_int());
      const auto& wanted = document.at(type + "_warmup" + std::to_string(warmup)).as_list();
      BOOST_TEST_REQUIRE(wanted.size() == 21U);
      for (int update = 0; update <= 20; ++update) {
        BOOST_TEST_CONTEXT(type << ", warmup " << warmup << ", update " << update) {
          BOOST_TEST(std::abs(schedule.rate(update) - wanted[static_cast<std::size_t>(update)].as_double()) < 1e-12);
        }
      }
    }
  }
}

BOOST_AUTO_TEST_SUITE_END()
