// PEFT's sorts of LoRA against weights made by their definitions, in the order of PEFT's own code.
#include <ATen/ops/cat.h>
#include <ATen/ops/diag.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/tensor.h>

#include "tests/parity/adapter_bench.h"

using namespace plumb;
using namespace plumb::test;

BOOST_AUTO_TEST_SUITE(adapter_sorts)

BOOST_AUTO_TEST_CASE(ranks_and_scales_follow_their_patterns) {
  Bench bench;
  bench.lora(query0, 4);
  bench.lora(value1, 2);
  bench.lora("model.layers.0.self_attn.v_proj", 5);
  bench.config = Value::map({{"rank_pattern", Value::map({{"q_proj", 4}, {"layers\\.0\\..*", 5}})},
                             {"alpha_pattern", Value::map({{"^model.layers.1.self_attn.v_proj", 9}})}});
  Tensors wanted = bench.base;
  wanted[query0 + ".weight"] = bench.of(query0 + ".weight") + bench.product(query0) * (3.0 / 4);
  wanted[value1 + ".weight"] = bench.of(value1 + ".weight") + bench.product(value1) * (9.0 / 2);
  const std::string v0 = "model.layers.0.self_attn.v_proj";
  wanted[v0 + ".weight"] = bench.of(v0 + ".weight") + bench.product(v0) * (3.0 / 5);
  equals(bench, wanted);
  // A rank that the patterns do not give, and an expression that is none.
  bench.config.set("rank_pattern", Value::map({{"q_proj", 3}}));
  says(bench.refusal(), "the layer and its rank of 3 need [3, 16]");
  bench.config.set("rank_pattern", Value::map({{"(q_proj", 3}}));
  says(bench.refusal(), "\"(.*\\.)?((q_proj)\" cannot be matched");
}

BOOST_AUTO_TEST_CASE(rank_stabilised_adapters_divide_by_the_root) {
  Bench bench;
  bench.lora(query0, 2);
  bench.config = Value::map({{"use_rslora", true}});
  Tensors wanted = bench.base;
  wanted[query0 + ".weight"] = bench.of(query0 + ".weight") + bench.product(query0) * (3.0 / std::sqrt(2.0));
  equals(bench, wanted);
}

// arXiv:2402.09353, (5): rows of W + scale B A at the length m.
BOOST_AUTO_TEST_CASE(dora_sets_the_length_of_each_row) {
  for (const bool neox : {false, true}) {  // with a bias, which keeps its size
    Bench bench(neox ? "pythia" : "llama2");
    const std::string module = neox ? "gpt_neox.layers.0.mlp.dense_h_to_4h" : query0;
    if (neox) bench.of(module + ".bias").copy_(wave({24}, 0.91));
    if (neox) {
      write_safetensors(bench.folder / "base" / "model.safetensors", {bench.base.begin(), bench.base.end()}).value();
    }
    bench.lora(module, 2);
    const std::int64_t rows = bench.of(module + ".weight").size(0);
    const at::Tensor m = wave({rows}, 0.7, 1).abs() + 0.5;
    bench.adapter[bench.prefix + module + ".lora_magnitude_vector"] = m;
    bench.config = Value::map({{"use_dora", true}});
    Tensors wanted = bench.base;
    const at::Tensor sum = bench.of(module + ".weight") + bench.product(module) * 1.5;
    wanted[module + ".weight"] = sum * (m / sum.square().sum(1).sqrt()).unsqueeze(1);
    equals(bench, wanted);
    bench.adapter.erase(bench.prefix + module + ".lora_magnitude_vector");
    says(bench.refusal(), "no tensor " + bench.prefix + module + ".lora_magnitude_vector");
  }
}

BOOST_AUTO_TEST_CASE(biases_that_were_trained_replace_the_bases) {
  Bench bench("pythia");
  const std::string module = "gpt_neox.layers.1.attention.dense", other = "gpt_neox.layers.0.mlp.dense_4h_to_h";
  bench.lora(module, 2);
  bench.adapter[bench.prefix + module + ".base_layer.bias"] = wave({16}, 0.29);
  bench.adapter[bench.prefix + other + ".bias"] = wave({16}, 0.31);
  bench.config = Value::map({{"bias", "all"}});
  Tensors wanted = bench.base;
  wanted[module + ".weight"] = bench.of(module + ".weight") + bench.product(module) * 1.5;
  wanted[module + ".bias"] = wave({16}, 0.29);
  wanted[other + ".bias"] = wave({16}, 0.31);
  equals(bench, wanted);
}

BOOST_AUTO_TEST_CASE(saved_heads_and_tables_replace_the_bases) {
  Bench bench;
  bench.lora(query0, 2);
  bench.adapter[bench.prefix + head] = wave({20, 16}, 0.41);
  bench.adapter[bench.prefix + table] = wave({20, 16}, 0.43);
  bench.config = Value::map({{"modules_to_save", Value::list({"lm_head", "embed_tokens"})}});
  Tensors wanted = bench.base;
  wanted[query0 + ".weight"] = bench.of(query0 + ".weight") + bench.product(query0) * 1.5;
  wanted[head] = wave({20, 16}, 0.41);
  wanted[table] = wave({20, 16}, 0.43);
  equals(bench, wanted);
  bench.adapter[bench.prefix + "model.extra.weight"] = wave({2}, 1);
  says(bench.refusal(), "model.extra.weight belongs to no part of the base model");
  bench.adapter.erase(bench.prefix + "model.extra.weight");
  bench.adapter.erase(bench.prefix + head);
  says(bench.refusal(), "\"modules_to_save\" holds \"lm_head\", of which ");
  bench.adapter[bench.prefix + head] = wave({20, 15}, 0.41);
  says(bench.refusal(), "lm_head.weight has shape [20, 15]; the base model needs [20, 16]");
  bench.adapter.erase(bench.prefix + head);
  bench.adapter[bench.prefix + "score.weight"] = wave({1, 16}, 0.41);
  bench.config = Value::map();
  says(bench.refusal(), "score.weight is a reward head");
}

BOOST_AUTO_TEST_CASE(tables_with_more_rows_make_the_vocabulary_larger) {
  Bench bench;
  bench.lora(query0, 2);
  bench.adapter[bench.prefix + head] = wave({23, 16}, 0.41);
  bench.adapter[bench.prefix + table] = wave({23, 16}, 0.43);
  Tensors wanted = bench.base;
  wanted[query0 + ".weight"] = bench.of(query0 + ".weight") + bench.product(query0) * 1.5;
  wanted[head] = wave({23, 16}, 0.41);
  wanted[table] = wave({23, 16}, 0.43);
  equals(bench, wanted, Value::map({{"vocab_size", 23}}));
  bench.adapter.erase(bench.prefix + head);
  says(bench.refusal(), "resized from 20 rows to 23, but lm_head.weight of 23 rows is not there");
}

BOOST_AUTO_TEST_CASE(heads_and_tables_are_adapted) {
  Bench bench;
  bench.lora("lm_head", 2);
  const std::string module = "model.embed_tokens";
  bench.adapter[bench.prefix + module + ".lora_embedding_A"] = wave({2, 20}, 0.61);
  bench.adapter[bench.prefix + module + ".lora_embedding_B"] = wave({16, 2}, 0.67);
  // PEFT writes adapted tables whole, too.
  bench.adapter[bench.prefix + module + ".base_layer.weight"] = bench.of(table);
  Tensors wanted = bench.base;
  wanted[head] = bench.of(head) + bench.product("lm_head") * 1.5;
  const at::Tensor delta = at::matmul(wave({16, 2}, 0.67), wave({2, 20}, 0.61)).t();
  wanted[table] = bench.of(table) + delta * 1.5;
  equals(bench, wanted);
  // DoRA of a table: PEFT's norms go over its rows, one a column.
  const at::Tensor m = wave({16}, 0.7, 1).abs() + 1;
  bench.adapter[bench.prefix + "lm_head.lora_magnitude_vector"] = wave({20}, 0.3, 1).abs() + 1;
  bench.adapter[bench.prefix + module + ".lora_magnitude_vector"] = m;
  bench.config = Value::map({{"use_dora", true}});
  wanted[table] = wanted[table] * (m / wanted[table].square().sum(0).sqrt()).unsqueeze(0);
  wanted[head] = wanted[head] * ((wave({20}, 0.3, 1).abs() + 1) / wanted[head].square().sum(1).sqrt()).unsqueeze(1);
  equals(bench, wanted);
}

// PEFT wraps one of two modules that share a weight; the other goes on with the base's.
BOOST_AUTO_TEST_CASE(a_tied_head_parts_from_its_table_when_one_of_them_changes) {
  const Value parted = Value::map({{"tie_word_embeddings", false}});
  {
    Bench bench("llama2", true);
    bench.lora("lm_head", 2, table);
    Tensors wanted = bench.base;
    wanted[head] = bench.of(table) + bench.product("lm_head") * 1.5;
    equals(bench, wanted, parted);
    bench.config = Value::map({{"ensure_weight_tying", true}});
    says(bench.refusal(), "\"ensure_weight_tying\"");
  }
  for (const bool ties : {false, true}) {
    Bench bench("llama2", true);
    bench.lora(query0, 2);
    bench.adapter[bench.prefix + table] = wave({20, 16}, 0.43);
    bench.config = Value::map({{"modules_to_save", Value::list({"embed_tokens"})}, {"ensure_weight_tying", ties}});
    Tensors wanted = bench.base;
    wanted[query0 + ".weight"] = bench.of(query0 + ".weight") + bench.product(query0) * 1.5;
    wanted[table] = wave({20, 16}, 0.43);
    if (!ties) wanted[head] = bench.of(table);
    equals(bench, wanted, ties ? Value::map() : parted);
  }
  {  // What PEFT writes of the weight below a table's adapter is the one that both share.
    Bench bench("llama2", true);
    const std::string module = "model.embed_tokens";
    bench.adapter[bench.prefix + module + ".lora_embedding_A"] = wave({2, 21}, 0.61);
    bench.adapter[bench.prefix + module + ".lora_embedding_B"] = wave({16, 2}, 0.67);
    bench.adapter[bench.prefix + module + ".base_layer.weight"] = wave({21, 16}, 0.43);
    Tensors wanted = bench.base;
    wanted[table] = wave({21, 16}, 0.43) + at::matmul(wave({16, 2}, 0.67), wave({2, 21}, 0.61)).t() * 1.5;
    wanted[head] = wave({21, 16}, 0.43);
    equals(bench, wanted, Value::map({{"vocab_size", 21}, {"tie_word_embeddings", false}}));
  }
  // Resized and saved of its own accord: both are one, as in the base.
  Bench bench("llama2", true);
  bench.lora(query0, 2);
  bench.adapter[bench.prefix + head] = bench.adapter[bench.prefix + table] = wave({21, 16}, 0.43);
  bench.adapter[bench.prefix + head] = bench.adapter[bench.prefix + table].clone();
  Tensors wanted = bench.base;
  wanted[query0 + ".weight"] = bench.of(query0 + ".weight") + bench.product(query0) * 1.5;
  wanted[table] = wave({21, 16}, 0.43);
  equals(bench, wanted, Value::map({{"vocab_size", 21}}));
}

// W of known decompositions: of diag(9, 8, 7 …), PiSSA takes the first r singular values, OLoRA scale times the first r
// rows of Q R = W.
BOOST_AUTO_TEST_CASE(initialisations_that_changed_the_base_change_it_again) {
  for (const char* start : {"pissa", "olora"}) {
    Bench bench;
    std::vector<float> values;
    for (int i = 0; i < 16; ++i) values.push_back(static_cast<float>(16 - i) / 8);
    bench.of(query0 + ".weight") = at::diag(at::tensor(values));
    write_safetensors(bench.folder / "base" / "model.safetensors", {bench.base.begin(), bench.base.end()}).value();
    bench.lora(query0, 2);
    bench.config = Value::map({{"init_lora_weights", start}});
    const double share = start[0] == 'p' ? 1 : 1.5;
    values[0] *= static_cast<float>(1 - share);
    values[1] *= static_cast<float>(1 - share);
    Tensors wanted = bench.base;
    wanted[query0 + ".weight"] = at::diag(at::tensor(values)) + bench.product(query0) * 1.5;
    equals(bench, wanted);
  }
}

BOOST_AUTO_TEST_CASE(whole_modules_of_any_name_are_taken_over) {
  Bench bench;
  const std::string norm = "model.layers.1.input_layernorm.weight", up = "model.layers.0.mlp.up_proj.weight";
  bench.lora(query0, 2);
  bench.adapter[bench.prefix + norm] = wave({16}, 0.41);
  bench.adapter[bench.prefix + up] = wave({24, 16}, 0.43);
  bench.config = Value::map({{"modules_to_save", Value::list({"layers.1.input_layernorm", "up_proj"})}});
  Tensors wanted = bench.base;
  wanted[query0 + ".weight"] = bench.of(query0 + ".weight") + bench.product(query0) * 1.5;
  wanted[norm] = wave({16}, 0.41);
  wanted[up] = wave({24, 16}, 0.43);
  equals(bench, wanted);
}

// transformers 5 calls the module lm_head; GPT-NeoX's files, and transformers 4, embed_out.
BOOST_AUTO_TEST_CASE(an_output_layer_is_found_by_both_its_names) {
  for (const std::string name : {"lm_head", "embed_out"}) {
    Bench bench("pythia");
    bench.lora(name, 3, "embed_out.weight");
    bench.config = Value::map({{"rank_pattern", Value::map({{name, 3}})}});
    Tensors wanted = bench.base;
    wanted["embed_out.weight"] = bench.of("embed_out.weight") + bench.product(name);
    equals(bench, wanted);
    bench.adapter.clear();
    bench.lora("gpt_neox.layers.0.attention.dense", 2);
    bench.adapter[bench.prefix + name + ".weight"] = wave({20, 16}, 0.41);
    bench.config = Value::map({{"modules_to_save", Value::list({name})}});
    wanted = bench.base;
    wanted["embed_out.weight"] = wave({20, 16}, 0.41);
    const std::string dense = "gpt_neox.layers.0.attention.dense";
    wanted[dense + ".weight"] = bench.of(dense + ".weight") + bench.product(dense) * 1.5;
    equals(bench, wanted);
  }
}

// Tokens that were added before training: the adapter's own tokenizer knows them, and its tables have their rows.
BOOST_AUTO_TEST_CASE(added_tokens_come_with_the_adapters_tokenizer) {
  const Folder folder;
  std::filesystem::copy(golden("micro-llama"), folder / "base", std::filesystem::copy_options::recursive);
  std::filesystem::copy(golden("lora_eval"), folder / "adapter", std::filesystem::copy_options::recursive);
  Value config = golden_json("lora_eval/adapter_config.json");
  config.set("base_model_name_or_path", "../base");
  write_file(folder / "adapter" / "adapter_config.json", to_json(config)).value();
  Value tokenizer = golden_json("micro-llama/tokenizer.json");
  Value added = tokenizer.at("added_tokens");
  Value token = added.as_list().front();
  token.set("id", 128);
  token.set("content", "[NEW]");
  added.as_list().push_back(token);
  tokenizer.set("added_tokens", added);
  const auto file = golden_tensors("lora_eval/adapter_model.safetensors");
  Tensors tensors;
  for (const auto& entry : file.entries()) tensors[entry.name] = file.tensor(entry.name);
  const auto base = read_model_tensors(folder / "base").value();
  for (const std::string& name : {table, head}) {
    tensors["base_model.model." + name] = at::cat({base.at(name), wave({1, 32}, 0.7, 2)});
  }
  write_safetensors(folder / "adapter" / "adapter_model.safetensors", {tensors.begin(), tensors.end()}).value();
  write_file(folder / "adapter" / "tokenizer.json", to_json(tokenizer)).value();
  Value settings = golden_json("micro-llama/tokenizer_config.json");
  std::erase_if(settings.as_map(), [](const Value::Entry& e) { return e.key == "added_tokens_decoder"; });
  write_file(folder / "adapter" / "tokenizer_config.json", to_json(settings)).value();
  LanguageModel model = open_language_model(folder / "adapter", plugins(), host(), {.merge_adapter = true});
  BOOST_TEST(model.tokenizer->vocabulary_size() == 129U);
  BOOST_TEST(model.tokenizer->find("[NEW]").value() == 128);
  BOOST_TEST(model.shape().vocabulary == 129);
  const at::NoGradGuard no_gradients;
  LanguageModel before = open_golden("micro-llama");
  const std::vector<std::vector<TokenId>> row{{1, 50, 128, 61}}, known{{1, 50}};
  const at::Tensor hidden_rows = full_logits(model, row);
  BOOST_TEST(hidden_rows.size(1) == 129);
  save_language_model(model, folder / "saved");  // a whole model of 129 rows, with its tokenizer
  LanguageModel saved = open_language_model(folder / "saved", plugins(), host(), {});
  BOOST_TEST(full_logits(saved, row).equal(hidden_rows));
  BOOST_TEST(saved.tokenizer->find("[NEW]").value() == 128);
  BOOST_TEST(full_logits(before, known).size(1) == 128);
}

BOOST_AUTO_TEST_SUITE_END()
