#include <ATen/TensorOperators.h>
#include <sys/resource.h>

#include <boost/test/unit_test.hpp>
#include <fstream>
#include <memory>

#include "framework/core/artifacts/disk.h"
#include "framework/core/components/load_tokenizer.h"
#include "framework/core/data/bpe_training.h"
#include "framework/core/kinds/test_stage.h"
#include "framework/engine/modeling/end_tokens.h"
#include "framework/engine/modeling/grouped_forward.h"
#include "framework/engine/modeling/language_model.h"

namespace {

using namespace plumb;
using plumb::test::TestStage;

Value small_llama() {
  return Value::map({{"hidden_size", 16},
                     {"intermediate_size", 24},
                     {"num_hidden_layers", 2},
                     {"num_attention_heads", 4},
                     {"num_key_value_heads", 2},
                     {"max_position_embeddings", 64}});
}

std::unique_ptr<TestStage> random_model(std::uint64_t seed, const std::string& architecture = "llama2",
                                        Value config = small_llama()) {
  auto made = std::make_unique<TestStage>(
      Value::map({{"architecture", architecture}, {"config", config}, {"tokenizer", "bpe"}, {"chat_format", "plain"}}));
  TestStage& stage = *made;
  stage.seed_ = seed;
  BpeTrainer trainer;
  for (int i = 0; i < 4; ++i) trainer.add("give three fruits not plum , please . one two three");
  write_tokenizer(trainer.train(280).value(), stage.add_input("tokenizer", "bpe", artifact_type::tokenizer)).value();
  run_stage("model", stage);
  return made;
}

LanguageModel open(const std::filesystem::path& folder, TestStage& stage) {
  return open_language_model(folder, stage.registry(), stage, {});
}

std::string weights(const TestStage& stage) {
  return read_file(stage.folder() / "model.safetensors").value();
}

}  // namespace

BOOST_AUTO_TEST_SUITE(model_stage)

BOOST_AUTO_TEST_CASE(random_weights_make_a_complete_folder) {
  const auto made = random_model(3);
  TestStage& stage = *made;
  const Value config = parse_json(read_file(stage.folder() / "config.json").value());
  LanguageModel model = open(stage.folder(), stage);
  BOOST_REQUIRE(model.tokenizer != nullptr);
  BOOST_TEST(config.at("model_type").as_string() == "llama");
  BOOST_TEST(config.at("architectures").as_list().front().as_string() == "LlamaForCausalLM");
  BOOST_TEST(config.at("vocab_size").as_int() == static_cast<std::int64_t>(model.tokenizer->vocabulary_size()));
  BOOST_TEST(config.at("eos_token_id").as_int() == *model.tokenizer->special().eos);
  BOOST_TEST(model.chat_format->name() == "plain");
  BOOST_TEST(stage.summary.at("parameters").as_int() == model.parameter_count());
  for (const char* file : {"generation_config.json", "tokenizer.json", "plumb.json"}) {
    BOOST_TEST(std::filesystem::exists(stage.folder() / file), file);
  }
  // Fresh weights know nothing: the loss is near log of the vocabulary.
  const std::vector<MaskedSequence> rows{{{5, 6, 7, 8, 9, 10, 11}, {0, 1, 1, 1, 1, 1, 1}}};
  const double loss = -masked_logps(model, rows, {}).tokens.mean().item<double>();
  BOOST_TEST(loss == std::log(static_cast<double>(model.shape().vocabulary)), boost::test_tools::tolerance(0.02));
}

BOOST_AUTO_TEST_CASE(weights_depend_on_the_seed_and_are_normal) {
  const auto a = random_model(3), again = random_model(3), other = random_model(4);
  BOOST_TEST((weights(*a) == weights(*again)));
  BOOST_TEST((weights(*a) != weights(*other)));
  const LanguageModel model = open(a->folder(), *a);
  const at::Tensor table = *model.parameters->find("model.embed_tokens.weight")->tensor;
  BOOST_TEST(std::abs(table.mean().item<double>()) < 0.02 * 4 / std::sqrt(static_cast<double>(table.numel())));
  BOOST_TEST(table.std().item<double>() == 0.02, boost::test_tools::tolerance(0.05));
  BOOST_TEST(model.parameters->find("model.norm.weight")->tensor->eq(1).all().item<bool>());
  BOOST_TEST(!table.equal(*model.parameters->find("lm_head.weight")->tensor));
}

BOOST_AUTO_TEST_CASE(an_existing_folder_is_linked_and_checked) {
  const auto made = random_model(3);
  TestStage stage(Value::map({{"path", made->folder().string()}, {"chat_format", "hh"}}));
  run_stage("model", stage);
  BOOST_TEST(std::filesystem::is_symlink(stage.folder() / "model.safetensors"));
  LanguageModel model = open(stage.folder(), stage);
  BOOST_TEST(model.chat_format->name() == "hh");
  BOOST_REQUIRE(model.tokenizer != nullptr);
  run_stage("model", stage);  // an interrupted attempt left its links

  TestStage absent(Value::map({{"path", "/no/such/folder"}}));
  BOOST_CHECK_THROW(run_stage("model", absent), Error);
  std::ofstream(made->folder() / "model.safetensors") << "short";
  BOOST_CHECK_THROW(run_stage("model", stage), Error);
}

// transformers' generate: the list of generation_config.json, else config.json's, else the tokenizer's.
BOOST_AUTO_TEST_CASE(what_ends_an_answer_comes_from_the_folders_files) {
  using Ids = std::vector<TokenId>;
  const auto made = random_model(3);
  TestStage& stage = *made;
  const std::filesystem::path folder = stage.folder();
  const TokenId eos = *open(folder, stage).tokenizer->special().eos;
  BOOST_TEST((end_tokens(open(folder, stage)) == Ids{eos}));

  std::ofstream(folder / "generation_config.json") << R"({"eos_token_id": [270, 265, 270], "temperature": 0.5})";
  LanguageModel listed = open(folder, stage);
  BOOST_TEST((end_tokens(listed) == Ids{270, 265}));
  // Training here ends answers with the tokenizer's EOS: a saved folder stops at that, too, and keeps the rest.
  save_language_model(listed, stage.folder() / "saved");
  const Value saved = parse_json(read_file(stage.folder() / "saved/generation_config.json").value());
  BOOST_TEST(to_json(saved.at("eos_token_id")) == "[270,265," + std::to_string(eos) + "]");
  BOOST_TEST(saved.at("temperature").as_double() == 0.5);
  BOOST_TEST((end_tokens(open(stage.folder() / "saved", stage)) == Ids{270, 265, eos}));

  std::ofstream(folder / "generation_config.json") << R"({"eos_token_id": null})";
  Value config = parse_json(read_file(folder / "config.json").value());
  config.set("eos_token_id", 271);
  write_file(folder / "config.json", to_json(config)).value();
  BOOST_TEST((end_tokens(open(folder, stage)) == Ids{271}));
  config.set("eos_token_id", Value());
  write_file(folder / "config.json", to_json(config)).value();
  BOOST_TEST((end_tokens(open(folder, stage)) == Ids{eos}));

  for (const char* wrong : {"[2, 99999999999]", "-1", "\"</s>\"", "[[2]]", "1.5"}) {
    std::ofstream(folder / "generation_config.json") << R"({"eos_token_id": )" << wrong << "}";
    BOOST_CHECK_EXCEPTION(open(folder, stage), Error, [&](const Error& error) {
      return std::string(error.what()).find((folder / "generation_config.json").string()) != std::string::npos;
    });
  }
}

// tokenizer.json is the tokenizer, as for AutoTokenizer; tokenizer.model is kept beside it.
BOOST_AUTO_TEST_CASE(tokenizer_json_counts_and_every_tokenizer_file_is_kept) {
  const auto made = random_model(3);
  TestStage& stage = *made;
  std::ofstream(stage.folder() / "tokenizer.model") << "whatever";
  std::filesystem::remove(stage.folder() / "plumb.json");
  const TokenizerOrigin origin = find_tokenizer_file(stage.registry(), stage.folder());
  BOOST_TEST(origin.file.filename() == "tokenizer.json");
  const LanguageModel model = open(stage.folder(), stage);
  BOOST_REQUIRE(model.tokenizer != nullptr);
  save_language_model(model, stage.folder() / "saved");
  BOOST_TEST(read_file(stage.folder() / "saved/tokenizer.model").value() == "whatever");
  BOOST_TEST(std::filesystem::exists(stage.folder() / "saved/tokenizer.json"));
  BOOST_TEST(load_tokenizer(stage.registry(), stage.folder() / "saved", stage).value()->encode("one two") ==
                 model.tokenizer->encode("one two"),
             boost::test_tools::per_element());

  // What tokenizer.json cannot know: Llama's prefix space, for which transformers goes back to tokenizer.model.
  std::ofstream(stage.folder() / "tokenizer_config.json")
      << R"({"tokenizer_class": "LlamaTokenizer", "add_prefix_space": false})";
  BOOST_TEST(find_tokenizer_file(stage.registry(), stage.folder()).file.filename() == "tokenizer.model");
}

// Llama-2-7B in bfloat16: a real header over 13.5 GB of holes. Weights that were read would need that much, or twice as
// much in float32.
BOOST_AUTO_TEST_CASE(a_large_model_is_linked_by_its_headers) {
  const auto made = random_model(3);
  const auto folder = made->folder() / "seven";
  std::filesystem::create_directory(folder);
  for (const char* file : {"tokenizer.json", "plumb.json"}) {
    std::filesystem::copy_file(made->folder() / file, folder / file);
  }
  Value config = parse_json(read_file(made->folder() / "config.json").value());
  for (const auto& [key, size] : {std::pair{"hidden_size", 4096},
                                  {"intermediate_size", 11008},
                                  {"vocab_size", 32000},
                                  {"num_hidden_layers", 32},
                                  {"num_attention_heads", 32},
                                  {"num_key_value_heads", 32}}) {
    config.set(key, std::int64_t{size});
  }
  write_file(folder / "config.json", to_json(config)).value();
  std::int64_t end = 0;
  Value header = Value::map();
  const auto add = [&](const std::string& name, std::vector<std::int64_t> shape) {
    std::int64_t bytes = 2;
    Value::List sizes;
    for (const std::int64_t size : shape) {
      bytes *= size;
      sizes.emplace_back(size);
    }
    header.set(name, Value::map({{"dtype", "BF16"},
                                 {"shape", Value(std::move(sizes))},
                                 {"data_offsets", Value::list({end, end + bytes})}}));
    end += bytes;
  };
  add("model.embed_tokens.weight", {32000, 4096});
  for (int i = 0; i < 32; ++i) {
    const std::string layer = "model.layers." + std::to_string(i) + ".";
    for (const char* name : {"q_proj", "k_proj", "v_proj", "o_proj"}) {
      add(layer + "self_attn." + name + ".weight", {4096, 4096});
    }
    for (const char* name : {"gate_proj", "up_proj"}) add(layer + "mlp." + name + ".weight", {11008, 4096});
    add(layer + "mlp.down_proj.weight", {4096, 11008});
    for (const char* name : {"input", "post_attention"}) add(layer + name + "_layernorm.weight", {4096});
  }
  add("model.norm.weight", {4096});
  add("lm_head.weight", {32000, 4096});
  BOOST_REQUIRE_EQUAL(end, 2 * 6738415616);
  std::string text = to_json(header);
  text.resize((text.size() + 7) / 8 * 8, ' ');
  const std::uint64_t length = text.size();
  {
    std::ofstream file(folder / "model.safetensors", std::ios::binary);
    file.write(reinterpret_cast<const char*>(&length), 8);
    file << text;
  }
  std::filesystem::resize_file(folder / "model.safetensors", 8 + length + static_cast<std::uint64_t>(end));

  rusage before{}, after{};
  ::getrusage(RUSAGE_SELF, &before);
  TestStage stage(Value::map({{"path", folder.string()}}));
  run_stage("model", stage);
  ::getrusage(RUSAGE_SELF, &after);
  BOOST_TEST(stage.summary.at("parameters").as_int() == 6738415616);
  BOOST_TEST(after.ru_maxrss - before.ru_maxrss < 500 * 1024);  // KiB

  config.set("num_hidden_layers", 31);
  write_file(folder / "config.json", to_json(config)).value();
  BOOST_CHECK_EXCEPTION(run_stage("model", stage), Error, [](const Error& error) {
    return std::string(error.what()).find("model.layers.31.") != std::string::npos;
  });
}

BOOST_AUTO_TEST_CASE(a_vocabulary_too_small_for_the_tokenizer_is_refused) {
  Value config = small_llama();
  config.set("vocab_size", 100);
  BOOST_CHECK_EXCEPTION(random_model(3, "llama2", config), Error, [](const Error& error) {
    return std::string(error.what()).find("vocab_size is 100") != std::string::npos;
  });
}

BOOST_AUTO_TEST_SUITE_END()
