// Language models against transformers: logits, log-probabilities, saved files.
#include <ATen/TensorOperators.h>
#include <ATen/ops/cat.h>

#include <boost/test/unit_test.hpp>

#include "framework/core/artifacts/test_folder.h"
#include "framework/engine/modeling/grouped_forward.h"
#include "tests/parity/goldens.h"

namespace {

using namespace plumb;
using namespace plumb::test;

struct Golden {
  const char *model, *file;
};
constexpr Golden goldens_of_models[] = {{"micro-llama", "forward_llama.safetensors"},
                                        {"micro-neox", "forward_neox.safetensors"}};

// The real tokens of a padded batch, row after row.
std::vector<std::vector<TokenId>> rows_of(const at::Tensor& ids, const at::Tensor& mask) {
  std::vector<std::vector<TokenId>> rows;
  for (std::int64_t r = 0; r < ids.size(0); ++r) {
    auto& row = rows.emplace_back();
    for (std::int64_t t = 0; t < ids.size(1); ++t) {
      if (mask[r][t].item<std::int64_t>() != 0) row.push_back(static_cast<TokenId>(ids[r][t].item<std::int64_t>()));
    }
  }
  return rows;
}

double relative(const at::Tensor& mine, const at::Tensor& wanted) {
  return ((mine - wanted).abs().max() / wanted.abs().max()).item<double>();
}

std::vector<MaskedSequence> masked_rows(const SafetensorsFile& golden) {
  const at::Tensor mask = golden.tensor("completion_mask");
  const auto rows = rows_of(golden.tensor("right.input_ids"), golden.tensor("right.attention_mask"));
  std::vector<MaskedSequence> out;
  for (std::size_t r = 0; r < rows.size(); ++r) {
    MaskedSequence& row = out.emplace_back(MaskedSequence{rows[r], {}});
    for (std::size_t t = 0; t < rows[r].size(); ++t) {
      row.learn.push_back(mask[static_cast<std::int64_t>(r)][static_cast<std::int64_t>(t)].item<std::int64_t>() != 0);
    }
  }
  return out;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(models)

BOOST_AUTO_TEST_CASE(logits_equal_those_of_transformers_on_either_padding_side) {
  for (const Golden& golden : goldens_of_models) {
    const SafetensorsFile file = golden_tensors(golden.file);
    LanguageModel model = open_golden(golden.model, {.tokenizer = false});
    for (const std::string side : {"right.", "left."}) {
      const at::Tensor mask = file.tensor(side + "attention_mask");
      const auto rows = rows_of(file.tensor(side + "input_ids"), mask);
      BOOST_REQUIRE(rows.size() == 3U);
      BOOST_REQUIRE(rows[1].size() == 13U);
      const at::Tensor wanted = file.tensor(side + "logits").flatten(0, 1).index({mask.flatten().to(at::kBool)});
      const at::Tensor logits = full_logits(model, rows);
      BOOST_REQUIRE(logits.sizes() == wanted.sizes());
      BOOST_TEST(relative(logits, wanted) < 1e-5);
    }
  }
}

BOOST_AUTO_TEST_CASE(log_probabilities_equal_those_of_transformers) {
  for (const Golden& golden : goldens_of_models) {
    const SafetensorsFile file = golden_tensors(golden.file);
    LanguageModel model = open_golden(golden.model, {.tokenizer = false});
    const auto rows = masked_rows(file);
    for (const std::int64_t chunk : {1024, 3}) {
      const CompletionLogps logps = masked_logps(model, rows, {.head_chunk = chunk});
      BOOST_TEST((logps.sums() - file.tensor("seq_logps")).abs().max().item<double>() < 1e-4);
      BOOST_TEST(-logps.tokens.mean().item<double>() == file.tensor("lm_loss").item<double>(),
                 boost::test_tools::tolerance(1e-5));
      const at::Tensor per_token = file.tensor("per_token_logps");
      const auto mine = logps.per_response();
      for (std::size_t r = 0; r < mine.size(); ++r) {
        const at::Tensor row = per_token[static_cast<std::int64_t>(r)];
        BOOST_TEST((mine[r] - row.index({row.ne(0)})).abs().max().item<double>() < 2e-5);
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(a_row_does_not_depend_on_its_neighbours) {
  for (const Golden& golden : goldens_of_models) {
    const SafetensorsFile file = golden_tensors(golden.file);
    LanguageModel model = open_golden(golden.model, {.tokenizer = false});
    auto rows = rows_of(file.tensor("right.input_ids"), file.tensor("right.attention_mask"));
    const at::Tensor together = full_logits(model, rows);
    std::reverse(rows.begin(), rows.end());
    const at::Tensor reversed = full_logits(model, rows);
    std::int64_t begin = 0;
    for (std::size_t r = rows.size(); r-- > 0;) {
      const auto length = static_cast<std::int64_t>(rows[r].size());
      const at::Tensor alone = full_logits(model, std::span(&rows[r], 1));
      BOOST_TEST(relative(together.narrow(0, begin, length), alone) < 2e-6);
      BOOST_TEST(relative(reversed.narrow(0, reversed.size(0) - begin - length, length), alone) < 2e-6);
      begin += length;
    }
  }
}

BOOST_AUTO_TEST_CASE(saving_what_was_loaded_gives_the_same_bytes) {
  for (const char* name : {"micro-llama", "micro-neox", "micro-neox-rm"}) {
    const bool reward = std::string(name).ends_with("-rm");
    const Folder folder;
    const LanguageModel model = open_golden(name, {.reward_head = reward});
    BOOST_REQUIRE(model.tokenizer != nullptr);
    save_language_model(model, folder.path());
    for (const char* file : {"model.safetensors", "tokenizer.json", "tokenizer_config.json"}) {
      BOOST_TEST((read_file(folder / file).value() == read_file(golden(std::string(name) + "/" + file)).value()),
                 name << "/" << file);
    }
    // Everything that config.json said is still said, in the same words.
    const Value before = golden_json(std::string(name) + "/config.json");
    const Value after = parse_json(read_file(folder / "config.json").value());
    for (const auto& entry : before.as_map()) {
      const Value* kept = after.find(entry.key);
      BOOST_REQUIRE_MESSAGE(kept != nullptr, name << ": " << entry.key);
      BOOST_TEST((*kept == entry.value), name << ": " << entry.key);
    }
    LanguageModel again = open_language_model(folder.path(), plugins(), host(), {.reward_head = reward});
    BOOST_TEST(again.tokenizer_component == model.tokenizer_component);
  }
}

BOOST_AUTO_TEST_CASE(bfloat16_stays_near_float32) {
  for (const Golden& golden : goldens_of_models) {
    const SafetensorsFile file = golden_tensors(golden.file);
    LanguageModel model = open_golden(golden.model, {.placement = {.dtype = "bfloat16"}, .tokenizer = false});
    const CompletionLogps logps = masked_logps(model, masked_rows(file), {});
    BOOST_TEST(logps.tokens.scalar_type() == at::kFloat);
    // 8 bits of mantissa over two layers: within 0.1 nat of the mean loss, and not equal to float32 by accident.
    const double difference = std::abs(-logps.tokens.mean().item<double>() - file.tensor("lm_loss").item<double>());
    BOOST_TEST(difference < 0.1);
    BOOST_TEST(difference > 0);
  }
}

BOOST_AUTO_TEST_CASE(a_real_tiny_llama_loads) {
  const auto folder = shared_data("data/stories260K-hf");
  if (folder.empty()) return;
  LanguageModel model = open_language_model(folder, plugins(), host(), {.tokenizer = false});
  BOOST_TEST(model.parameter_count() == 260'032);
  // A trained model predicts its own kind of text far better than chance (log 512 = 6.2): "Once upon a time" from BOS.
  const std::vector<MaskedSequence> row{{{1, 403, 407, 261, 378}, {0, 1, 1, 1, 1}}};
  const CompletionLogps logps = masked_logps(model, row, {});
  BOOST_TEST(-logps.tokens.mean().item<double>() < 1.0);
}

BOOST_AUTO_TEST_SUITE_END()
