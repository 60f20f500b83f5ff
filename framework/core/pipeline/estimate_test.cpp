#include "framework/core/pipeline/estimate.h"

#include <boost/test/unit_test.hpp>

#include "framework/core/artifacts/test_folder.h"
#include "framework/core/pipeline/test_recipe.h"

using plumb::Value;

namespace {

const Value& kLlama = plumb::test::llama_2_7b;
const Value kPythia = Value::map({{"model_type", "gpt_neox"},
                                  {"hidden_size", 4096},
                                  {"intermediate_size", 16384},
                                  {"num_hidden_layers", 32},
                                  {"num_attention_heads", 32},
                                  {"vocab_size", 50432}});

// Of `params` of a stage of kind `train` on Llama-2-7B, its reward model being Pythia-6.9B.
plumb::StageEstimate estimate_of(Value params, bool scored, bool critic = false) {
  plumb::test::TestRecipe recipe("estimated");
  recipe.add("llama", "model", Value::map({{"config", kLlama}, {"path", Value()}}), {}, "model");
  recipe.add("pythia", "model", Value::map({{"config", kPythia}, {"path", Value()}}), {}, "model");
  recipe.add("rewarding", "reward_model", Value::map({{"learning_rate", 1e-5}}), {{"model", "pythia"}}, "reward-model");
  params.set("learning_rate", 2e-5);
  std::vector<plumb::StageInput> inputs{{"model", "llama"}};
  if (scored) inputs.push_back({"reward_model", "rewarding"});
  if (critic) inputs.push_back({"value_model", "llama"});
  recipe.add("aligned", "train", std::move(params), inputs, "model");
  const plumb::test::Folder folder;
  const auto plan = plumb::make_plan(recipe.get(), plumb::ArtifactStore(folder.path())).value();
  return plumb::estimate(*plan.find("aligned"), plan);
}

std::uint64_t memory_of(Value params, bool scored, bool critic = false) {
  return estimate_of(std::move(params), scored, critic).memory_bytes.value();
}

// Rank 8 on the query and value projections of 32 layers, float32 with gradients and two moments.
constexpr std::uint64_t kAdapter = 32ULL * 8 * (4096 + 4096) * 2 * 16;
// Four projections of attention, gate, up and down in each of 32 layers.
constexpr std::uint64_t kLinear = 32ULL * (4 * 4096 * 4096 + 3 * 4096 * 11008);
constexpr std::uint64_t kRows = 32ULL * (4 * 4096 + 2 * 11008 + 4096);
// Embeddings, head, two norms a layer and the last one.
constexpr std::uint64_t kOthers = 2ULL * 32000 * 4096 + 65 * 4096;
static_assert(kLinear + kOthers == 6738415616);
constexpr std::uint64_t kInt8 = kLinear + 4 * kRows + 4 * kOthers;

}  // namespace

BOOST_AUTO_TEST_SUITE(estimates)

BOOST_AUTO_TEST_CASE(an_8_bit_base_has_one_byte_a_weight_of_its_layers_and_a_scale_a_row) {
  const Value lora = Value::map({{"r", 8}});
  BOOST_TEST(memory_of(Value::map({{"lora", lora}}), false) == 4 * (kLinear + kOthers) + kAdapter);
  BOOST_TEST(memory_of(Value::map({{"lora", lora}, {"weights", "int8"}}), false) == kInt8 + kAdapter);
  BOOST_TEST(memory_of(Value::map({{"lora", lora}, {"weights", "int8"}, {"dtype", "bfloat16"}}), false) ==
             kLinear + 4 * kRows + 2 * kOthers + kAdapter);
}

// What LoRA leaves: A and B in float32, and a merged model only where it is asked for.
BOOST_AUTO_TEST_CASE(an_adapter_needs_the_disk_of_an_adapter_and_of_what_is_merged) {
  const auto disk_of = [](const char* merge) {
    return estimate_of(Value::map({{"lora", Value::map({{"r", 8}})}, {"merge", merge}, {"dtype", "bfloat16"}}), false)
        .disk_bytes.value();
  };
  BOOST_TEST(disk_of("none") == kAdapter / 4);
  BOOST_TEST(disk_of("bfloat16") == kAdapter / 4 + 2 * 6738415616U);
  BOOST_TEST(disk_of("float32") == kAdapter / 4 + 4 * 6738415616U);
  BOOST_TEST(estimate_of(Value::map({{"dtype", "bfloat16"}}), false).disk_bytes.value() == 2 * 6738415616U);
}

// Measured on the code with Llama-2-7B in bfloat16: 100.4 GiB at rest and 100.9 at an update, whose gradients are
// float32 for a moment, a few at a time.
BOOST_AUTO_TEST_CASE(full_training_peaks_at_its_update) {
  const auto sft = estimate_of(Value::map({{"dtype", "bfloat16"}}), false);
  const double gib = 1 << 30;
  BOOST_TEST(static_cast<double>(*sft.resting_bytes) / gib == 100.4, boost::test_tools::tolerance(1e-3));
  BOOST_TEST(static_cast<double>(*sft.memory_bytes) / gib == 100.9, boost::test_tools::tolerance(1e-3));
  BOOST_TEST(memory_of(Value::map({{"dtype", "float32"}}), false) == 16 * 6738415616U);
}

// Pythia-6.9B: query_key_value, dense, the two of the inner layer; 6,857,302,016 parameters.
BOOST_AUTO_TEST_CASE(an_online_optimizer_holds_its_reward_model_and_critic_too) {
  const Value ppo = Value::map({{"lora", Value::map({{"r", 8}})}, {"weights", "int8"}});
  BOOST_TEST(memory_of(ppo, true) == kInt8 + kAdapter + 4 * 6857302016U);
  Value eight = ppo;
  eight.set("reward", Value::map({{"name", "classifier-head"}, {"weights", "int8"}}));
  const std::uint64_t linear = 32ULL * (4 * 4096 * 4096 + 2 * 4096 * 16384), rows = 32ULL * (5 * 4096 + 16384);
  BOOST_TEST(memory_of(eight, true) == kInt8 + kAdapter + linear + 4 * rows + 4 * (6857302016U - linear));
  BOOST_TEST(memory_of(ppo, false, true) == 2 * (kInt8 + kAdapter));
}

// Published sizes: Llama-2-7B has 6,738,415,616 parameters, Pythia-6.9B 6,857,302,016.
BOOST_AUTO_TEST_CASE(known_models_have_their_known_sizes) {
  BOOST_TEST(plumb::measure_decoder(kLlama).value().parameters == 6738415616U);
  BOOST_TEST(plumb::measure_decoder(kPythia).value().parameters == 6857302016U);
  Value reward_model = kPythia;
  reward_model.set("model_type", "gpt_neox_reward_model");
  BOOST_TEST(plumb::measure_decoder(reward_model).value().parameters == 6857302016U - 50432U * 4096U);
}

BOOST_AUTO_TEST_CASE(grouped_heads_tied_heads_and_missing_sizes) {
  Value config = Value::map(
      {{"hidden_size", 64}, {"intermediate_size", 128}, {"num_hidden_layers", 1}, {"num_attention_heads", 4}});
  BOOST_TEST(!plumb::measure_decoder(config).has_value());  // no vocabulary
  // embeddings and head 2·10·64, attention 4·64², inner layer 3·64·128, three norms of 64
  BOOST_TEST(plumb::measure_decoder(config, 10).value().parameters == 2U * 640 + 4 * 4096 + 3 * 8192 + 3 * 64);
  config.set("num_key_value_heads", 1);  // keys and values 64 × 16
  BOOST_TEST(plumb::measure_decoder(config, 10).value().parameters ==
             2U * 640 + 2 * 4096 + 2 * 1024 + 3 * 8192 + 3 * 64);
  config.set("tie_word_embeddings", true);
  BOOST_TEST(plumb::measure_decoder(config, 10).value().parameters == 640U + 2 * 4096 + 2 * 1024 + 3 * 8192 + 3 * 64);
  config.set("hidden_size", "large");
  BOOST_TEST(!plumb::measure_decoder(config, 10).has_value());
}

BOOST_AUTO_TEST_SUITE_END()
