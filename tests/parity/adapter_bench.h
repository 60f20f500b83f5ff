// A small model, an adapter over it of whatever sort a test puts together, and the folder that both should equal.
//
//   Bench bench;
//   bench.lora(query0, 2);                                  // A and B of rank 2
//   bench.config = Value::map({{"use_dora", true}});
//   equals(bench, wanted);                              // weights that were made by the definition
//
// Thread contract: one thread.
#pragma once

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/matmul.h>

#include <boost/test/unit_test.hpp>
#include <cmath>
#include <map>
#include <string>

#include "framework/core/artifacts/test_folder.h"
#include "framework/engine/modeling/grouped_forward.h"
#include "framework/engine/modeling/merged_model.h"
#include "tests/parity/goldens.h"

namespace plumb::test {

using Tensors = std::map<std::string, at::Tensor>;

// Distinct values without structure: size · sin(step), size · sin(2 step) …
inline at::Tensor wave(at::IntArrayRef shape, double step, double size = 0.5) {
  std::int64_t count = 1;
  for (const std::int64_t extent : shape) count *= extent;
  return at::arange(1, count + 1, at::kDouble).mul(step).sin().mul(size).to(at::kFloat).reshape(shape);
}

// A base of 16 hidden, 20 tokens and two layers, an adapter over it, and the folder that the adapter should equal.
struct Bench {
  explicit Bench(const std::string& architecture = "llama2", bool tied = false) {
    LanguageModel model = new_language_model(architecture,
                                             Value::map({{"hidden_size", 16},
                                                         {"intermediate_size", 24},
                                                         {"num_hidden_layers", 2},
                                                         {"num_attention_heads", 2},
                                                         {"vocab_size", 20},
                                                         {"max_position_embeddings", 32},
                                                         {"tie_word_embeddings", tied},
                                                         {"initializer_range", 0.3}}),
                                             plugins(), host(), Random(7), {});
    save_language_model(model, folder / "base");
    base = read_model_tensors(folder / "base").value();
    for (auto& [name, tensor] : base) tensor = tensor.clone();
  }

  [[nodiscard]] at::Tensor& of(const std::string& name) { return base.at(name); }
  void lora(const std::string& module, std::int64_t rank, const std::string& weight = "") {
    const at::Tensor& w = of(weight.empty() ? module + ".weight" : weight);
    adapter[prefix + module + ".lora_A.weight"] = wave({rank, w.size(1)}, 0.37 + 0.01 * static_cast<double>(rank));
    adapter[prefix + module + ".lora_B.weight"] = wave({w.size(0), rank}, 0.53);
  }
  [[nodiscard]] at::Tensor product(const std::string& module) const {
    return at::matmul(adapter.at(prefix + module + ".lora_B.weight"), adapter.at(prefix + module + ".lora_A.weight"));
  }

  // Writes the adapter, named as it is then, over the base or another adapter.
  [[nodiscard]] std::filesystem::path adapted(const std::string& name = "adapter",
                                              const std::string& below = "../base") const {
    Value full = Value::map({{"peft_type", "LORA"},
                             {"base_model_name_or_path", below},
                             {"r", 2},
                             {"lora_alpha", 3},
                             {"init_lora_weights", true},
                             {"target_modules", Value()}});
    for (const Value::Entry& entry : config.as_map()) full.set(entry.key, entry.value);
    std::filesystem::create_directories(folder / name);
    write_file(folder / name / "adapter_config.json", to_json(full)).value();
    write_safetensors(folder / name / "adapter_model.safetensors", {adapter.begin(), adapter.end()}).value();
    return folder / name;
  }
  [[nodiscard]] LanguageModel open(OpenModel how = {}) const {
    return open_language_model(adapted(), plugins(), host(), how);
  }
  [[nodiscard]] std::string refusal(const OpenModel& how = {}) const {
    try {
      static_cast<void>(open(how));
    } catch (const Error& error) {
      return error.what();
    }
    return "no error";
  }
  // The base's folder with other tensors and other values in config.json.
  [[nodiscard]] LanguageModel reference(const Tensors& tensors, const Value& changes = Value::map()) const {
    std::filesystem::create_directories(folder / "reference");
    Value full = parse_json(read_file(folder / "base" / "config.json").value());
    for (const Value::Entry& entry : changes.as_map()) full.set(entry.key, entry.value);
    write_file(folder / "reference" / "config.json", to_json(full)).value();
    write_safetensors(folder / "reference" / "model.safetensors", {tensors.begin(), tensors.end()}).value();
    return open_language_model(folder / "reference", plugins(), host(), {});
  }

  const std::string prefix = "base_model.model.";
  Folder folder;
  Tensors base, adapter;
  Value config = Value::map();
};

inline at::Tensor logits(LanguageModel& model) {
  const at::NoGradGuard no_gradients;
  return full_logits(model, std::vector<std::vector<TokenId>>{{1, 5, 9, 13, 2, 19}});
}

inline double apart(const at::Tensor& a, const at::Tensor& b) {
  return (a - b).abs().max().item<double>();
}

// Beside its base, folded in in memory, and merged into a folder: all three are `wanted`, which is not the base.
inline void equals(const Bench& bench, const std::filesystem::path& adapter, const Tensors& tensors,
                   const Value& changes = Value::map()) {
  LanguageModel wanted_model = bench.reference(tensors, changes);
  const at::Tensor wanted = logits(wanted_model);
  LanguageModel plain = open_language_model(bench.folder / "base", plugins(), host(), {});
  if (wanted.sizes() == logits(plain).sizes()) BOOST_TEST(apart(logits(plain), wanted) > 1e-2);
  LanguageModel adapted = open_language_model(adapter, plugins(), host(), {}),
                merged = open_language_model(adapter, plugins(), host(), {.merge_adapter = true});
  BOOST_REQUIRE(logits(adapted).sizes() == wanted.sizes());
  BOOST_TEST(apart(logits(adapted), wanted) < 3e-5);
  BOOST_TEST(apart(logits(merged), wanted) < 3e-5);
  const auto saved = bench.folder / "saved";
  const MergeLoss loss = write_merged(adapter, saved, "float32", false, plugins(), host());
  BOOST_TEST(loss.faithful());
  LanguageModel again = open_language_model(saved, plugins(), host(), {});
  BOOST_TEST(apart(logits(again), wanted) < 3e-5);
  BOOST_TEST(std::abs(measure_merged(adapter, saved, false, plugins(), host()).survives - loss.survives) < 1e-9);
}

inline void equals(const Bench& bench, const Tensors& tensors, const Value& changes = Value::map()) {
  equals(bench, bench.adapted(), tensors, changes);
}

inline void says(const std::string& text, const std::string& part) {
  BOOST_TEST(text.find(part) != std::string::npos, "\"" << text << "\" does not say \"" << part << "\"");
}

inline const std::string query0 = "model.layers.0.self_attn.q_proj", value1 = "model.layers.1.self_attn.v_proj";
inline const std::string table = "model.embed_tokens.weight", head = "lm_head.weight";

}  // namespace plumb::test
