// Model and adapter folders that are broken in one way each, reward heads, and where LoRA starts.
#include <ATen/TensorOperators.h>
#include <ATen/ops/zeros.h>

#include <boost/test/unit_test.hpp>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <functional>

#include "framework/core/artifacts/test_folder.h"
#include "framework/engine/modeling/decoder.h"
#include "framework/engine/modeling/grouped_forward.h"
#include "framework/engine/modeling/merge_adapter.h"
#include "framework/engine/modeling/merged_model.h"
#include "tests/parity/goldens.h"

namespace {

using namespace plumb;
using namespace plumb::test;
using Tensors = std::map<std::string, at::Tensor>;

void copy_golden(const std::string& name, const std::filesystem::path& to) {
  std::filesystem::copy(golden(name), to, std::filesystem::copy_options::recursive);
}

std::string error_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

void says(const std::string& text, const std::string& part) {
  BOOST_TEST(text.find(part) != std::string::npos, "\"" << text << "\" does not say \"" << part << "\"");
}

// Opens a copy of micro-llama after `change` rewrote its config and tensors.
std::string after(const std::function<void(Value&, Tensors&)>& change, const OpenModel& how = {}) {
  const Folder folder;
  copy_golden("micro-llama", folder / "m");
  Value config = golden_json("micro-llama/config.json");
  Tensors tensors = read_model_tensors(folder / "m").value();
  change(config, tensors);
  write_file(folder / "m" / "config.json", to_json(config)).value();
  write_safetensors(folder / "m" / "model.safetensors", {tensors.begin(), tensors.end()}).value();
  return error_of([&] { static_cast<void>(open_language_model(folder / "m", plugins(), host(), how)); });
}

// Opens a copy of lora_eval over micro-llama after `change` rewrote it.
std::string after_adapter(const std::function<void(Value&, Tensors&)>& change) {
  const Folder folder;
  copy_golden("micro-llama", folder / "base");
  copy_golden("lora_eval", folder / "adapter");
  Value config = golden_json("lora_eval/adapter_config.json");
  config.set("base_model_name_or_path", "../base");
  Tensors tensors;
  const SafetensorsFile file = golden_tensors("lora_eval/adapter_model.safetensors");
  for (const auto& entry : file.entries()) tensors[entry.name] = file.tensor(entry.name);
  change(config, tensors);
  write_file(folder / "adapter" / "adapter_config.json", to_json(config)).value();
  write_safetensors(folder / "adapter" / "adapter_model.safetensors", {tensors.begin(), tensors.end()}).value();
  return error_of([&] { static_cast<void>(open_language_model(folder / "adapter", plugins(), host(), {})); });
}

const std::string query = "model.layers.0.self_attn.q_proj.weight";

}  // namespace

BOOST_AUTO_TEST_SUITE(folders)

BOOST_AUTO_TEST_CASE(weights_that_do_not_fit_are_named) {
  BOOST_TEST(after([](Value&, Tensors&) {}) == "no error");
  says(after([](Value&, Tensors& t) { t.erase(query); }), "1 missing (" + query + ")");
  says(after([](Value&, Tensors& t) { t["model.extra"] = at::zeros({2}); }), "1 unknown (model.extra)");
  says(after([](Value&, Tensors& t) {
         t[query] = at::zeros({32, 31});
       }),
       "has shape [32, 31]; config.json makes it [32, 32]");
  says(after([](Value&, Tensors& t) { t[query] = at::zeros({32, 32}, at::kInt); }), "floating-point");
  says(after([](Value& c, Tensors&) { c.set("num_hidden_layers", 3); }), "missing (model.layers.2.");
  says(after([](Value& c, Tensors&) { c.set("num_hidden_layers", 1); }), "unknown (model.layers.1.");
  says(after([](Value&, Tensors& t) { t["score.weight"] = at::zeros({1, 32}); }), "reward model");
  // Old buffers are no obstacle.
  BOOST_TEST(after([](Value&, Tensors& t) { t["model.layers.0.self_attn.rotary_emb.inv_freq"] = at::zeros({4}); }) ==
             "no error");
  says(after([](Value&, Tensors&) {}, {.reward_head = true}), "no reward model");
}

BOOST_AUTO_TEST_CASE(configurations_that_cannot_be_computed_are_refused) {
  const auto with = [](const char* key, Value value) { return after([&](Value& c, Tensors&) { c.set(key, value); }); };
  says(with("model_type", "mamba"), "model_type \"mamba\"; known are ");
  says(with("model_type", Value()), "\"model_type\" is missing");
  says(with("hidden_act", "mish"), "\"hidden_act\"");
  says(with("hidden_size", "32"), "\"hidden_size\" is \"32\"; wanted a positive whole number");
  says(with("num_key_value_heads", 3), "num_key_value_heads");
  says(with("rope_parameters", Value::map({{"rope_type", "longrope"}})), "longrope");
  says(with("vocab_size", Value()), "\"vocab_size\" is missing");
  says(with("hidden_size", "32"), "/m/config.json: \"hidden_size\"");  // the whole path
  const Folder folder;
  says(error_of([&] { static_cast<void>(open_language_model(folder.path(), plugins(), host(), {})); }),
       "no model folder");
  says(error_of([&] { static_cast<void>(open_language_model(folder / "no", plugins(), host(), {})); }),
       "no such folder");
  says(error_of([&] { static_cast<void>(open_golden("micro-llama", {.placement = {.dtype = "int3"}})); }),
       "wanted one of float32, bfloat16");
  says(error_of([&] { static_cast<void>(open_golden("micro-llama", {.placement = {.device = "tpu"}})); }),
       "wanted one of cpu, cuda, cuda:N");
}

// Numbers that would make a model declare, or a plugin allocate, without end: said before either, with the whole path.
BOOST_AUTO_TEST_CASE(sizes_beyond_what_the_weights_hold_are_refused_at_once) {
  const auto begin = std::chrono::steady_clock::now();
  for (const char* key : {"num_hidden_layers", "head_dim", "hidden_size", "intermediate_size", "num_attention_heads",
                          "num_key_value_heads", "vocab_size"}) {
    for (const std::int64_t size : {std::int64_t{5'000'000}, std::int64_t{1} << 40, INT64_MAX}) {
      const std::string text = after([&](Value& c, Tensors&) { c.set(key, size); });
      says(text, "/m/config.json: \"" + std::string(key) + "\" is " + std::to_string(size));
    }
  }
  BOOST_TEST((std::chrono::steady_clock::now() - begin < std::chrono::seconds(20)));
}

BOOST_AUTO_TEST_CASE(a_value_head_is_left_out_with_a_note) {
  const std::size_t before = host().messages.size();
  BOOST_TEST(after([](Value&, Tensors& t) {
               t["v_head.summary.weight"] = at::zeros({1, 32});
               t["v_head.summary.bias"] = at::zeros({1});
             }) == "no error");
  BOOST_REQUIRE(host().messages.size() == before + 1);
  says(host().messages.back(), "/m: the value head (v_head.summary.bias) is left out");
}

// A padding token that was added without resizing the table: no batch is padded here, so nothing ever looks it up.
BOOST_AUTO_TEST_CASE(only_padding_may_lie_beyond_the_table) {
  for (const bool padding : {true, false}) {
    const Folder folder;
    copy_golden("micro-llama", folder / "m");
    Value tokenizer = golden_json("micro-llama/tokenizer.json");
    Value added = tokenizer.at("added_tokens");
    Value token = added.as_list().front();
    token.set("id", 128);
    token.set("content", "[PAD]");
    added.as_list().push_back(token);
    tokenizer.set("added_tokens", added);
    write_file(folder / "m" / "tokenizer.json", to_json(tokenizer)).value();
    Value config = golden_json("micro-llama/tokenizer_config.json");
    config.set("pad_token", padding ? "[PAD]" : "<pad>");
    std::erase_if(config.as_map(), [](const Value::Entry& e) { return e.key == "added_tokens_decoder"; });
    write_file(folder / "m" / "tokenizer_config.json", to_json(config)).value();
    const auto open = [&] { return open_language_model(folder / "m", plugins(), host(), {}); };
    if (!padding) {
      says(error_of([&] { static_cast<void>(open()); }), "129 ids, but the model's vocab_size is 128");
      continue;
    }
    LanguageModel model = open();
    BOOST_TEST(*model.tokenizer->special().pad == 128);
    Decoder decoder(model);
    const std::vector<std::vector<TokenId>> prompt{model.tokenizer->encode_with_special("[PAD]")};
    says(error_of([&] { decoder.add_prompts(prompt); }), "token id 128 is outside the model's vocabulary of 128");
  }
}

BOOST_AUTO_TEST_CASE(a_tokenizer_larger_than_the_vocabulary_is_refused) {
  const auto shrink = [](Value& c, Tensors& t) {
    c.set("vocab_size", 100);
    for (const char* name : {"lm_head.weight", "model.embed_tokens.weight"}) t[name] = t.at(name).narrow(0, 0, 100);
  };
  says(after(shrink), "128 ids, but the model's vocab_size is 100");
  BOOST_TEST(after(shrink, {.tokenizer = false}) == "no error");
}

BOOST_AUTO_TEST_CASE(both_spellings_of_transformers_mean_the_same) {
  for (const auto& [name, file] :
       {std::pair{"micro-llama", "forward_llama.safetensors"}, {"micro-neox", "forward_neox.safetensors"}}) {
    const Folder folder;
    copy_golden(name, folder / "m");
    Value config = golden_json(std::string(name) + "/config.json");
    std::erase_if(config.as_map(),
                  [](const Value::Entry& e) { return e.key == "rope_parameters" || e.key == "dtype"; });
    config.set("torch_dtype", "float32");
    config.set(name == std::string("micro-llama") ? "rope_theta" : "rotary_emb_base", 10000);
    config.set("rotary_pct", name == std::string("micro-llama") ? 1.0 : 0.25);
    write_file(folder / "m" / "config.json", to_json(config)).value();
    LanguageModel model = open_language_model(folder / "m", plugins(), host(), {});
    const SafetensorsFile golden_logits = golden_tensors(file);
    std::vector<std::vector<TokenId>> row(1);
    const at::Tensor ids = golden_logits.tensor("right.input_ids")[0];
    for (std::int64_t t = 0; t < ids.size(0); ++t) row[0].push_back(ids[t].item<int>());
    const at::Tensor wanted = golden_logits.tensor("right.logits")[0];
    BOOST_TEST((full_logits(model, row) - wanted).abs().max().item<double>() < 1e-4);
  }
}

BOOST_AUTO_TEST_CASE(shards_and_tied_heads) {
  const Folder folder;
  copy_golden("micro-llama", folder / "m");
  Tensors tensors = read_model_tensors(folder / "m").value();
  Value map = Value::map();
  std::vector<std::pair<std::string, at::Tensor>> shards[2];
  for (const auto& [name, tensor] : tensors) {
    const std::size_t shard = map.as_map().size() % 2;
    shards[shard].emplace_back(name, tensor.clone());
    map.set(name, "part-" + std::to_string(shard) + ".safetensors");
  }
  std::filesystem::remove(folder / "m" / "model.safetensors");
  for (int i : {0, 1})
    write_safetensors(folder / "m" / ("part-" + std::to_string(i) + ".safetensors"), shards[i]).value();
  write_file(folder / "m" / "model.safetensors.index.json", to_json(Value::map({{"weight_map", map}}))).value();
  LanguageModel sharded = open_language_model(folder / "m", plugins(), host(), {}), whole = open_golden("micro-llama");
  const std::vector<std::vector<TokenId>> row{{1, 5, 9, 40}};
  BOOST_TEST(full_logits(sharded, row).equal(full_logits(whole, row)));

  // With a tied head the table serves twice, whether or not a copy is in the file, and is saved once.
  Value config = golden_json("micro-llama/config.json");
  config.set("tie_word_embeddings", true);
  write_file(folder / "m" / "config.json", to_json(config)).value();
  LanguageModel tied = open_language_model(folder / "m", plugins(), host(), {});
  BOOST_TEST(!full_logits(tied, row).equal(full_logits(whole, row)));
  save_language_model(tied, folder / "tied");
  const auto saved = read_model_tensors(folder / "tied").value();
  BOOST_TEST(!saved.contains("lm_head.weight"));
  LanguageModel again = open_language_model(folder / "tied", plugins(), host(), {});
  BOOST_TEST(full_logits(tied, row).equal(full_logits(again, row)));
}

BOOST_AUTO_TEST_CASE(broken_adapters_are_refused) {
  const std::string a = "base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight";
  const std::string b = "base_model.model.model.layers.0.self_attn.q_proj.lora_B.weight";
  BOOST_TEST(after_adapter([](Value&, Tensors&) {}) == "no error");
  says(after_adapter([&](Value&, Tensors& t) { t.erase(b); }), "no tensor " + b);
  says(after_adapter([&](Value&, Tensors& t) { t[a] = at::zeros({4, 32}); }), "its rank of 8 need [8, 32]");
  says(after_adapter(
           [&](Value&, Tensors& t) { t["base_model.model.model.layers.9.self_attn.q_proj.lora_A.weight"] = t.at(a); }),
       "belongs to no linear layer");
  says(after_adapter([](Value& c, Tensors&) { c.set("use_dora", true); }), "lora_magnitude_vector");
  says(after_adapter([](Value& c, Tensors&) {
         c.set("alora_invocation_tokens", Value::list({261, 300}));
       }),
       "alora_invocation_tokens");
  says(after_adapter([](Value& c, Tensors&) { c.set("some_later_method", true); }), "some_later_method");
  says(after_adapter([](Value& c, Tensors&) { c.set("some_later_method", Value()); }), "no error");
  for (const char* init : {"pissa_niter_4", "corda", "loftq", "lora_ga"})
    says(after_adapter([&](Value& c, Tensors&) { c.set("init_lora_weights", init); }), "init_lora_weights");
  says(after_adapter([](Value& c, Tensors&) { c.set("init_lora_weights", "gaussian"); }), "no error");
  says(after_adapter([](Value& c, Tensors&) { c.set("modules_to_save", Value::list({"lm_head"})); }),
       "\"modules_to_save\" holds \"lm_head\"");
  says(after_adapter([](Value& c, Tensors&) {
         c.set("rank_pattern", Value::map({{"q_p.*", 4}}));
       }),
       "its rank of 4 need [");
  says(after_adapter([](Value& c, Tensors&) {
         c.set("rank_pattern", Value::map({{"q_proj", 4}}));
       }),
       "the layer and its rank of 4 need [");
  says(after_adapter([](Value& c, Tensors&) { c.set("peft_type", "IA3"); }), "LORA");
  says(after_adapter([](Value& c, Tensors&) { c.set("bias", "some"); }), "bias");
  says(after_adapter([](Value& c, Tensors&) { c.set("r", 0); }), "\"r\"");
  says(after_adapter([](Value& c, Tensors&) { c.set("base_model_name_or_path", "../nowhere"); }), "nowhere");
  says(after_adapter([](Value& c, Tensors&) { c.set("base_model_name_or_path", Value()); }),
       "base_model_name_or_path is missing; let it name the folder");
  // An adapter over itself.
  const Folder folder;
  copy_golden("lora_eval", folder / "adapter");
  Value config = golden_json("lora_eval/adapter_config.json");
  config.set("base_model_name_or_path", ".");
  write_file(folder / "adapter" / "adapter_config.json", to_json(config)).value();
  says(error_of([&] { static_cast<void>(open_language_model(folder / "adapter", plugins(), host(), {})); }), "circle");
}

// Some layers have a rank and an alpha of their own: an adapter whose q_proj in layer 0 is cut to the first two of its eight
// ranks, with the alpha that keeps its scale, equals the whole adapter with the other six set to 0.
BOOST_AUTO_TEST_CASE(ranks_and_alphas_may_differ_by_layer) {
  const std::string layer = "model.layers.0.self_attn.q_proj", stem = "base_model.model." + layer;
  const auto update = [&](bool cut) {
    const Folder folder;
    copy_golden("micro-llama", folder / "base");
    copy_golden("lora_eval", folder / "adapter");
    Value config = golden_json("lora_eval/adapter_config.json");
    config.set("base_model_name_or_path", "../base");
    const SafetensorsFile file = golden_tensors("lora_eval/adapter_model.safetensors");
    Tensors tensors;
    for (const auto& entry : file.entries()) tensors[entry.name] = file.tensor(entry.name).clone();
    at::Tensor& a = tensors.at(stem + ".lora_A.weight");
    at::Tensor& b = tensors.at(stem + ".lora_B.weight");
    if (cut) {
      const double scale = config.at("lora_alpha").as_double() / 8;
      a = a.narrow(0, 0, 2).contiguous();
      b = b.narrow(1, 0, 2).contiguous();
      config.set("rank_pattern", Value::map({{"layers.0.self_attn.q_proj", 2}}));
      config.set("alpha_pattern", Value::map({{"^" + layer, 2 * scale}}));
    } else {
      a.narrow(0, 2, 6).zero_();
    }
    write_file(folder / "adapter" / "adapter_config.json", to_json(config)).value();
    write_safetensors(folder / "adapter" / "adapter_model.safetensors", {tensors.begin(), tensors.end()}).value();
    const LanguageModel model = open_language_model(folder / "adapter", plugins(), host(), {.training = true});
    return adapter_update(*model.parameters->find_linear(layer));
  };
  const at::Tensor whole = update(false);
  BOOST_TEST(whole.abs().max().item<double>() > 1e-4);
  BOOST_TEST((whole - update(true)).abs().max().item<double>() < 1e-6);
}

BOOST_AUTO_TEST_CASE(fresh_adapters_start_as_those_of_peft) {
  LanguageModel model = open_golden("micro-llama", {.training = true});
  const std::vector<SequenceGroup> groups{{{1, 7, 9}, {{5, 6, 2}}}};
  const at::Tensor before = completion_logps(model, groups, {}).sums().detach();
  attach_lora(model, {.r = 4, .alpha = 6, .targets = {"q_proj", "down_proj"}}, Random(5));
  BOOST_TEST(completion_logps(model, groups, {}).sums().equal(before));  // B is zero: the model is as it was
  const auto trainable = model.trainable();
  BOOST_REQUIRE(trainable.size() == 8U);  // 2 layers, 2 targets, A and B
  BOOST_TEST(trainable[0]->name == "base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight");
  const Linear& down = *model.parameters->find_linear("model.layers.1.mlp.down_proj");
  BOOST_TEST(down.adapter->scale == 1.5);
  const at::Tensor a = down.adapter->a;  // uniform in ±1/√64: bounds, spread and mean
  BOOST_TEST(a.abs().max().item<double>() <= 0.125);
  BOOST_TEST(a.abs().max().item<double>() > 0.115);
  BOOST_TEST(a.std().item<double>() == 0.125 / std::sqrt(3.0), boost::test_tools::tolerance(0.1));
  LanguageModel again = open_golden("micro-llama", {.training = true});
  attach_lora(again, {.r = 4, .alpha = 6, .targets = {"down_proj"}}, Random(5));
  BOOST_TEST(
      again.parameters->find_linear("model.layers.1.mlp.down_proj")->adapter->a.equal(a));  // whatever else is adapted
  LanguageModel third = open_golden("micro-llama");
  says(error_of([&] { attach_lora(third, {.targets = {"proj"}}, Random(5)); }),
       "no linear layer is named \"proj\"; there are ");
}

BOOST_AUTO_TEST_CASE(a_reward_head_replaces_the_lm_head) {
  const std::vector<SequenceGroup> groups{{{1, 7, 9}, {{5, 6, 2}, {8, 2}}}};
  LanguageModel model = open_golden("micro-neox", {.training = true});
  add_reward_head(model, Random(1));
  BOOST_TEST(model.score->weight.abs().max().item<double>() < 5.0 / 33);
  BOOST_TEST(model.score->weight.std().item<double>() == 1.0 / 33, boost::test_tools::tolerance(0.5));
  BOOST_TEST(model.parameters->find("embed_out.weight") == nullptr);
  attach_lora(model, {}, Random(2));
  BOOST_TEST(model.trainable().size() == 5U);  // score, and A and B of two layers
  const at::Tensor rewards = completion_rewards(model, groups, {});
  const Folder folder;
  save_language_model(model, folder / "fresh");  // the head travels with the adapter
  static_cast<void>(write_merged(folder / "fresh", folder / "rm", "float32", true, plugins(), host()));
  const Value config = parse_json(read_file(folder / "rm" / "config.json").value());
  BOOST_TEST(config.at("architectures").as_list().front().as_string() == "GPTNeoXForSequenceClassification");
  BOOST_TEST(config.at("id2label").as_map().size() == 1U);
  BOOST_TEST(config.at("pad_token_id").as_int() == 0);
  LanguageModel saved = open_language_model(folder / "rm", plugins(), host(), {.reward_head = true});
  BOOST_TEST((completion_rewards(saved, groups, {}) - rewards).abs().max().item<double>() < 1e-6);
  // Above a base that has a head of its own, too.
  model.base_folder = folder / "rm";
  model.score->weight.detach().mul_(3);
  save_language_model(model, folder / "adapter");
  LanguageModel adapted = open_language_model(folder / "adapter", plugins(), host(), {.reward_head = true});
  BOOST_TEST((completion_rewards(adapted, groups, {}) - rewards * 3).abs().max().item<double>() < 1e-5);
  says(error_of([&] { static_cast<void>(open_language_model(folder / "rm", plugins(), host(), {})); }), "reward model");
}

BOOST_AUTO_TEST_CASE(groups_that_cannot_be_predicted_are_refused) {
  LanguageModel model = open_golden("micro-llama");
  says(error_of([&] { completion_logps(model, std::vector<SequenceGroup>{{{}, {{5}}}}, {}); }), "prompt has no tokens");
  says(error_of([&] {
         completion_logps(model, std::vector<SequenceGroup>{{{1}, {{}}}}, {});
       }),
       "response has no tokens");
  says(error_of([&] { completion_rewards(model, std::vector<SequenceGroup>{{{1}, {{5}}}}, {}); }), "no reward head");
}

BOOST_AUTO_TEST_SUITE_END()
