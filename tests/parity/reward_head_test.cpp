// Which token a reward is read at, Open Assistant's layout, the float32 head of 16-bit models, and the padding token of
// what is saved. Positions are counted by hand from transformers' rule (GenericForSequenceClassification: the rightmost
// id that is not pad_token_id, index 0 when all are), rewards by plain sums over hidden states.
#include "framework/engine/modeling/reward_head.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/tensor.h>

#include <boost/test/unit_test.hpp>
#include <cmath>

#include "framework/core/artifacts/test_folder.h"
#include "framework/engine/modeling/attention.h"
#include "framework/engine/modeling/grouped_forward.h"
#include "framework/engine/modeling/tokenizer_choice.h"
#include "tests/parity/goldens.h"

namespace {

using namespace plumb;
using namespace plumb::test;
using Ids = std::vector<TokenId>;

constexpr TokenId kEos = 2;

// The golden model's folder with another config.json, and tensors beside or instead of its own.
std::filesystem::path variant(const Folder& folder, const std::string& of, const Value& changes,
                              const std::vector<std::pair<std::string, at::Tensor>>& tensors = {},
                              const std::string& without = {}) {
  Value config = golden_json(of + "/config.json");
  for (const auto& [key, value] : changes.as_map()) config.set(key, value);
  write_file(folder / "config.json", to_json(config)).value();
  auto all = read_model_tensors(golden(of)).value();
  if (!without.empty()) all.erase(without);
  for (const auto& [name, tensor] : tensors) all[name] = tensor;
  write_safetensors(folder / "model.safetensors", {all.begin(), all.end()}).value();
  return folder.path();
}

// The hidden states of every token, [tokens, hidden] float32; by the path that log-probabilities take.
at::Tensor hidden_of(LanguageModel& model, const Ids& ids) {
  SequenceGroup group{{ids.front()}, {{ids.begin() + 1, ids.end()}}};
  group.completions.front().push_back(5);  // what follows is not looked at
  return completion_hidden(model, {&group, 1}, {}).to(at::kFloat);
}

double plain(const at::Tensor& state, const at::Tensor& weight, double bias = 0) {
  double sum = bias;
  for (std::int64_t i = 0; i < state.numel(); ++i) {
    sum += static_cast<double>(state[i].item<float>()) * static_cast<double>(weight[0][i].item<float>());
  }
  return sum;
}

struct Row {
  Ids prompt, answer;
  std::int64_t padded_by_eos, not_padded;  // where it is read

  [[nodiscard]] Ids ids() const {
    Ids out = prompt;
    out.insert(out.end(), answer.begin(), answer.end());
    return out;
  }
};

const std::vector<Row> rows{
    {{1, 7, 9}, {5, 6, kEos}, 4, 5},           // before EOS
    {{1, 7, 9}, {kEos}, 2, 3},                 // an empty answer: the prompt's last token
    {{1, 7, kEos, 8, kEos}, {kEos}, 3, 5},     // inside the prompt
    {{1, kEos}, {kEos, kEos}, 0, 3},           // nothing but the first token is left
    {{kEos, kEos}, {kEos}, 0, 2},              // nothing is left: the first token
    {{1, 7, 9}, {kEos, 6, kEos, kEos}, 4, 6},  // EOS in the middle of an answer
};

void read_at(LanguageModel& model, bool padded) {
  const at::NoGradGuard no_grad;
  for (const bool share : {true, false}) {
    std::vector<SequenceGroup> groups;
    for (const Row& row : rows) groups.push_back({row.prompt, {row.answer, {5, kEos}, row.answer}});
    const at::Tensor rewards = completion_rewards(model, groups, {.share_prompt = share});
    for (std::size_t r = 0; r < rows.size(); ++r) {
      const std::int64_t at = padded ? rows[r].padded_by_eos : rows[r].not_padded;
      const double wanted = plain(hidden_of(model, rows[r].ids())[at], model.score->weight);
      for (const std::int64_t copy : {0, 2}) {
        const double got = rewards[static_cast<std::int64_t>(3 * r) + copy].item<double>();
        BOOST_TEST(std::abs(got - wanted) < 1e-5, "row " << r << ": " << got << ", wanted " << wanted);
      }
    }
  }
}

}  // namespace

BOOST_AUTO_TEST_SUITE(reward_head)

BOOST_AUTO_TEST_CASE(a_reward_is_read_where_transformers_reads_it) {
  const OpenModel how{.reward_head = true, .tokenizer = false};
  for (const bool padded : {true, false}) {
    const Folder folder;
    const auto place =
        variant(folder, "micro-neox-rm", Value::map({{"pad_token_id", padded ? Value(std::int64_t{kEos}) : Value()}}));
    LanguageModel model = open_language_model(place, plugins(), host(), how);
    read_at(model, padded);
    const RewardHead head = reward_head_of(model.config);
    for (const Row& row : rows) {
      BOOST_TEST(read_position(head, row.prompt, row.answer) == (padded ? row.padded_by_eos : row.not_padded));
    }
  }
  LanguageModel model = open_golden("micro-neox-rm", how);  // pad 0, which ends no row here
  read_at(model, false);
}

BOOST_AUTO_TEST_CASE(open_assistants_layout_is_a_reward_model) {
  const at::NoGradGuard no_grad;
  const at::Tensor weight = at::randn({1, 32}), bias = at::randn({1});
  for (const char* pooling : {"last", "mean", ""}) {
    const Folder folder;
    Value changes = Value::map({{"model_type", "gpt_neox_reward_model"},
                                {"architectures", Value::list({"GPTNeoXRewardModel"})},
                                {"pad_token_id", std::int64_t{kEos}}});  // of no effect: the mask counts tokens
    if (*pooling != '\0') changes.set("pooling", pooling);               // absent: last
    const auto place = variant(folder, "micro-neox", changes, {{"out_proj.weight", weight}, {"out_proj.bias", bias}},
                               "embed_out.weight");
    LanguageModel model = open_language_model(place, plugins(), host(), {.reward_head = true, .tokenizer = false});
    std::vector<SequenceGroup> groups;
    for (const Row& row : rows) groups.push_back({row.prompt, {row.answer, {8, 9, 10, kEos}}});
    const at::Tensor shared = completion_rewards(model, groups, {}),
                     separate = completion_rewards(model, groups, {.share_prompt = false});
    BOOST_TEST((shared - separate).abs().max().item<double>() < 1e-5);
    for (std::size_t r = 0; r < rows.size(); ++r) {
      const at::Tensor hidden = hidden_of(model, rows[r].ids());
      const at::Tensor pooled = std::string(pooling) == "mean" ? hidden.mean(0) : hidden[hidden.size(0) - 1];
      const double wanted = plain(pooled, weight, bias.item<double>());
      const double got = shared[static_cast<std::int64_t>(2 * r)].item<double>();
      BOOST_TEST(std::abs(got - wanted) < 1e-5, pooling << ", row " << r << ": " << got << ", wanted " << wanted);
    }
    // Saved, it is what it was.
    save_language_model(model, folder / "again");
    const Value config = parse_json(read_file(folder / "again" / "config.json").value());
    BOOST_TEST(config.at("model_type").as_string() == "gpt_neox_reward_model");
    BOOST_TEST(config.at("architectures").as_list().front().as_string() == "GPTNeoXRewardModel");
    LanguageModel again =
        open_language_model(folder / "again", plugins(), host(), {.reward_head = true, .tokenizer = false});
    BOOST_TEST(completion_rewards(again, groups, {}).equal(shared));
  }
  const Folder folder;
  const auto place =
      variant(folder, "micro-neox", Value::map({{"model_type", "gpt_neox_reward_model"}, {"pooling", "max"}}),
              {{"out_proj.weight", weight}, {"out_proj.bias", bias}}, "embed_out.weight");
  BOOST_CHECK_THROW(static_cast<void>(open_language_model(place, plugins(), host(), {.reward_head = true})), Error);
}

// By hand: the head's weights as they are on disk, the sum in double over the hidden states of the 16-bit layers.
BOOST_AUTO_TEST_CASE(a_16_bit_model_has_a_float32_head) {
  const at::NoGradGuard no_grad;
  LanguageModel model =
      open_golden("micro-neox-rm", {.placement = {.dtype = "bfloat16"}, .reward_head = true, .tokenizer = false});
  const at::Tensor on_disk = read_model_tensors(golden("micro-neox-rm")).value().at("score.weight");
  BOOST_TEST(model.score->weight.equal(on_disk));
  BOOST_TEST((model.dtype() == at::kBFloat16));
  std::size_t between = 0;
  for (TokenId t = 3; t < 35; ++t) {
    const SequenceGroup group{{1, t, 9}, {{t, kEos}}};
    const at::Tensor reward = completion_rewards(model, {&group, 1}, {});
    SequenceAttention attention = SequenceAttention::shared(std::vector<PromptGroup>{{3, {2}}});
    const at::Tensor ids = at::tensor(std::vector<std::int64_t>{1, t, 9, t, kEos}, at::kLong);
    const at::Tensor state = model.model.bare()->hidden({ids, at::arange(5, at::kLong), attention})[4];
    BOOST_TEST(std::abs(reward.item<double>() - plain(state, on_disk)) < 1e-5);
    between += reward.to(at::kBFloat16).to(at::kFloat).equal(reward) ? 0 : 1;
    // Normed in float32, too: not on the grid of bfloat16.
    BOOST_TEST(!state.to(at::kBFloat16).to(at::kFloat).equal(state));
  }
  BOOST_TEST(between >= 30U);  // of 32: one in 256 falls on the grid by chance
}

BOOST_AUTO_TEST_CASE(a_trained_head_has_a_padding_token_that_ends_no_row) {
  const Folder folder;
  const auto place = variant(folder, "micro-neox", Value::map({{"pad_token_id", std::int64_t{kEos}}}));
  LanguageModel model = open_language_model(place, plugins(), host(), {.tokenizer = false});
  add_reward_head(model, Random(1));
  BOOST_TEST(model.config.at("pad_token_id").is_null());  // no tokenizer that could name another
  BOOST_TEST(reward_head_of(model.config).padding.has_value() == false);
  save_language_model(model, folder / "rm");
  BOOST_TEST(parse_json(read_file(folder / "rm" / "config.json").value()).at("pad_token_id").is_null());
  LanguageModel list = open_golden("micro-neox", {.tokenizer = false});  // pad 0 is one of several ends
  list.config.set("eos_token_id", Value::list({std::int64_t{0}, std::int64_t{kEos}}));
  add_reward_head(list, Random(1));
  BOOST_TEST(list.config.at("pad_token_id").is_null());
}

// Llama-2's and GPT-NeoX's own tokenizers have no padding token; users take EOS, which moves where transformers reads.
BOOST_AUTO_TEST_CASE(real_tokenizers_get_a_padding_token_of_their_own) {
  struct Case {
    const char *tokenizer, *file, *as, *model, *spelling;
    TokenId padding, eos;
  };
  for (const Case& c :
       {Case{"data/neox-tokenizer", "20B_tokenizer.json", "tokenizer.json", "micro-neox", "<|padding|>", 1, 0},
        Case{"data/llama2-tokenizer", "tokenizer.model", "tokenizer.model", "micro-llama", "<unk>", 0, 2}}) {
    const auto source = shared_data(c.tokenizer);
    if (source.empty()) return;
    BOOST_TEST_CONTEXT(c.tokenizer) {
      const Folder folder;
      std::filesystem::create_directories(folder / "tokenizer");
      std::filesystem::copy_file(source / c.file, folder / "tokenizer" / c.as);
      const std::string eos = c.eos == 0 ? "<|endoftext|>" : "</s>";  // as the models' folders declare it
      write_file(folder / "tokenizer" / "tokenizer_config.json",
                 to_json(Value::map({{"eos_token", eos}, {"pad_token", eos}})))
          .value();
      ChosenTokenizer tokenizer = open_tokenizer(folder / "tokenizer", "", plugins(), host());
      Value config = golden_json(std::string(c.model) + "/config.json");
      config.set("vocab_size", static_cast<std::int64_t>(tokenizer.tokenizer->vocabulary_size()));
      config.set("pad_token_id", std::int64_t{c.eos});
      config.set("eos_token_id", std::int64_t{c.eos});
      LanguageModel model = new_language_model(std::string(c.model) == "micro-llama" ? "llama2" : "pythia", config,
                                               plugins(), host(), Random(3), {});
      give_tokenizer(model, std::move(tokenizer));
      add_reward_head(model, Random(1));
      save_language_model(model, folder / "rm");
      const Value saved = parse_json(read_file(folder / "rm" / "config.json").value());
      BOOST_TEST(saved.at("pad_token_id").as_int() == c.padding);
      const Value declared = parse_json(read_file(folder / "rm" / "tokenizer_config.json").value());
      BOOST_TEST(declared.at("pad_token").as_string() == c.spelling);
      LanguageModel again = open_language_model(folder / "rm", plugins(), host(), {.reward_head = true});
      BOOST_TEST((again.tokenizer->special().eos == c.eos));
      const SequenceGroup group{{5, 6}, {{7, c.eos}}};
      BOOST_TEST(read_position(reward_head_of(again.config), group.prompt, group.completions[0]) == 3);
    }
  }
}

BOOST_AUTO_TEST_SUITE_END()
