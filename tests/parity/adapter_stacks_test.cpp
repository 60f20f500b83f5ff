// Adapters above adapters, training above those that are no sum, narrow weights, and settings that are refused.
#include "framework/core/artifacts/adapter_folder.h"
#include "framework/engine/modeling/lora.h"
#include "tests/parity/adapter_bench.h"

using namespace plumb;
using namespace plumb::test;

BOOST_AUTO_TEST_SUITE(adapter_stacks)

// Each is what PEFT makes of the merged model below it.
BOOST_AUTO_TEST_CASE(adapters_above_adapters_change_what_lies_below) {
  for (const bool dora_below : {false, true}) {
    Bench lower, upper;
    const at::Tensor m = wave({16}, 0.7, 1).abs() + 0.5;
    const auto with_lengths = [&](Bench& bench) {
      bench.adapter[bench.prefix + query0 + ".lora_magnitude_vector"] = m;
      bench.config = Value::map({{"use_dora", true}});
    };
    const auto added = [](const Bench& bench, const at::Tensor& weight) {
      return weight + bench.product(query0) * 1.5;
    };
    const auto lengthened = [&](const at::Tensor& x) { return x * (m / x.square().sum(1).sqrt()).unsqueeze(1); };
    lower.lora(query0, 2);
    upper.lora(query0, 2);
    upper.adapter.at(upper.prefix + query0 + ".lora_B.weight").mul_(-0.7);
    with_lengths(dora_below ? lower : upper);
    static_cast<void>(lower.adapted());
    std::filesystem::rename(upper.adapted("upper", "../adapter"), lower.folder / "upper");
    at::Tensor weight = added(lower, lower.of(query0 + ".weight"));
    if (dora_below) weight = lengthened(weight);
    weight = added(upper, weight);
    if (!dora_below) weight = lengthened(weight);
    Tensors wanted = lower.base;
    wanted[query0 + ".weight"] = weight;
    equals(lower, lower.folder / "upper", wanted);
    // A module that is saved whole above would take the update below a second time.
    upper.adapter[upper.prefix + query0 + ".weight"] = wave({16, 16}, 0.3);
    upper.config.set("modules_to_save", Value::list({"q_proj"}));
    std::filesystem::remove_all(lower.folder / "upper");
    std::filesystem::rename(upper.adapted("upper", "../adapter"), lower.folder / "upper");
    try {
      static_cast<void>(open_language_model(lower.folder / "upper", plugins(), host(), {}));
      BOOST_TEST(false, "no error");
    } catch (const Error& error) {
      says(error.what(), "replaces what the adapter below, ");
    }
  }
}

// NeoX's head is embed_out, and lm_head in the files of some tools: the same module, whichever name each adapter uses.
BOOST_AUTO_TEST_CASE(a_head_saved_by_its_other_name_ends_the_adapter_below) {
  for (const auto& [below, above] : {std::pair{"embed_out", "lm_head"}, {"lm_head", "embed_out"}}) {
    Bench bench("pythia");
    bench.lora(below, 2, "embed_out.weight");
    static_cast<void>(bench.adapted("lower"));
    bench.adapter.clear();
    bench.lora("gpt_neox.layers.0.attention.dense", 2);
    bench.adapter[bench.prefix + above + ".weight"] = wave({20, 16}, 0.41);
    bench.config = Value::map({{"modules_to_save", Value::list({above})}});
    try {
      static_cast<void>(open_language_model(bench.adapted("upper", "../lower"), plugins(), host(), {}));
      BOOST_TEST(false, "no error for " << above << " above " << below);
    } catch (const Error& error) {
      says(error.what(), "replaces what the adapter below, ");
    }
  }
}

// What is no sum of products stays the base of what is trained above it, and is on where the new adapter is off.
BOOST_AUTO_TEST_CASE(an_adapter_is_trained_above_those_that_do_not_add_up) {
  for (const char* sort : {"dora", "saved", "table", "pissa"}) {
    Bench bench;
    bench.lora(query0, 2);
    const std::string kind = sort;
    if (kind == "dora") {
      bench.adapter[bench.prefix + query0 + ".lora_magnitude_vector"] = wave({16}, 0.7, 1).abs() + 0.5;
      bench.config = Value::map({{"use_dora", true}});
    } else if (kind == "saved") {
      bench.adapter[bench.prefix + head] = wave({20, 16}, 0.41);
      bench.config = Value::map({{"modules_to_save", Value::list({"lm_head"})}});
    } else if (kind == "table") {
      bench.adapter[bench.prefix + "model.embed_tokens.lora_embedding_A"] = wave({2, 20}, 0.61);
      bench.adapter[bench.prefix + "model.embed_tokens.lora_embedding_B"] = wave({16, 2}, 0.67);
    } else {
      bench.config = Value::map({{"init_lora_weights", sort}});
    }
    LanguageModel below = bench.open(), model = bench.open({.training = true});
    BOOST_TEST(!model.adds_up);
    BOOST_CHECK_THROW(save_language_model(model, bench.folder / "no"), Error);
    freeze_adapter(model);
    attach_lora(model, {.r = 3, .alpha = 6, .targets = {"q_proj"}}, Random(5));
    BOOST_TEST(model.trainable().size() == 4U);  // A and B of two layers
    for (const Parameter& parameter : *model.adapter) parameter.tensor->detach().add_(0.1);
    const at::Tensor wanted = logits(model), start = logits(below);
    BOOST_TEST(apart(wanted, start) > 1e-2);
    {
      const AdaptersOff off;
      BOOST_TEST(apart(logits(model), start) < 1e-6);
    }
    const auto above = bench.folder / "above";
    save_language_model(model, above);
    BOOST_TEST(parse_json(read_file(above / "adapter_config.json").value()).at("r").as_int() == 3);
    BOOST_TEST(is_adapter_folder(adapter_base(above).value()));
    LanguageModel again = open_language_model(above, plugins(), host(), {});
    BOOST_TEST(apart(logits(again), wanted) < 1e-5);
    static_cast<void>(write_merged(above, bench.folder / "whole", "float32", false, plugins(), host()));
    LanguageModel whole = open_language_model(bench.folder / "whole", plugins(), host(), {});
    BOOST_TEST(apart(logits(whole), wanted) < 3e-5);
    // And once more above that: two that add up are one, over the same base.
    LanguageModel more = open_language_model(above, plugins(), host(), {.training = true});
    freeze_adapter(more);
    attach_lora(more, {.r = 2, .alpha = 2, .targets = {"q_proj"}}, Random(6));
    for (const Parameter& parameter : *more.adapter) parameter.tensor->detach().add_(0.1);
    save_language_model(more, bench.folder / "more");
    BOOST_TEST(parse_json(read_file(bench.folder / "more" / "adapter_config.json").value()).at("r").as_int() == 5);
    LanguageModel reopened = open_language_model(bench.folder / "more", plugins(), host(), {});
    BOOST_TEST(apart(logits(reopened), logits(more)) < 1e-5);
  }
}

BOOST_AUTO_TEST_CASE(lengths_are_kept_beside_weights_of_16_and_8_bits) {
  Bench bench;
  bench.lora(query0, 2);
  bench.adapter[bench.prefix + query0 + ".lora_magnitude_vector"] = wave({16}, 0.7, 1).abs() + 0.5;
  bench.config = Value::map({{"use_dora", true}});
  LanguageModel full = bench.open(), narrow = bench.open({.placement = {.dtype = "bfloat16"}, .merge_adapter = true}),
                eight = bench.open({.placement = {.weights = "int8"}, .merge_adapter = true});
  BOOST_TEST(narrow.lora.has_value());
  const at::Tensor wanted = logits(full);
  BOOST_TEST(apart(logits(narrow).to(at::kFloat), wanted) < 0.05 * wanted.abs().max().item<double>());
  BOOST_TEST(apart(logits(eight), wanted) < 0.05 * wanted.abs().max().item<double>());
}

// survives = ⟨M − W, D⟩ / ⟨D, D⟩ with D of every weight that the adapter makes another.
BOOST_AUTO_TEST_CASE(the_share_that_survives_counts_tables_and_saved_modules) {
  Bench bench;
  bench.lora(query0, 2);
  bench.adapter.at(bench.prefix + query0 + ".lora_B.weight").mul_(1e-3);
  bench.adapter[bench.prefix + "model.embed_tokens.lora_embedding_A"] = wave({2, 20}, 0.61);
  bench.adapter[bench.prefix + "model.embed_tokens.lora_embedding_B"] = wave({16, 2}, 0.67, 1e-3);
  bench.adapter[bench.prefix + head] = bench.of(head) + wave({20, 16}, 0.9, 1e-3);
  bench.config = Value::map({{"modules_to_save", Value::list({"lm_head"})}});
  Tensors wanted = bench.base;
  wanted[query0 + ".weight"] = bench.of(query0 + ".weight") + bench.product(query0) * 1.5;
  wanted[table] = bench.of(table) + at::matmul(wave({16, 2}, 0.67, 1e-3), wave({2, 20}, 0.61)).t() * 1.5;
  wanted[head] = bench.adapter.at(bench.prefix + head);
  double along = 0, square = 0;
  for (const auto& [name, after] : wanted) {
    const at::Tensor before = bench.base.at(name).to(at::kDouble), update = after.to(at::kDouble) - before;
    along += ((after.to(at::kBFloat16).to(at::kDouble) - before) * update).sum().item<double>();
    square += (update * update).sum().item<double>();
  }
  const MergeLoss loss = write_merged(bench.adapted(), bench.folder / "narrow", "bfloat16", false, plugins(), host());
  BOOST_TEST(loss.survives == along / square, boost::test_tools::tolerance(1e-3));
  BOOST_TEST(std::abs(along / square - 1) > 1e-3);
}

BOOST_AUTO_TEST_CASE(what_is_not_computed_is_refused_by_its_name) {
  const auto with = [](const char* key, const Value& value) {
    Bench bench;
    bench.lora(query0, 2);
    bench.config = Value::map({{key, value}});
    return bench.refusal();
  };
  const Value some = Value::map({{"x", 1}}), ids = Value::list({261, 300});
  for (const auto& [key, value] :
       std::initializer_list<std::pair<const char*, Value>>{{"alora_invocation_tokens", ids},
                                                            {"trainable_token_indices", ids},
                                                            {"layer_replication", ids},
                                                            {"target_parameters", ids},
                                                            {"use_qalora", true},
                                                            {"use_bdlora", some},
                                                            {"arrow_config", some},
                                                            {"lora_bias", true},
                                                            {"velora_config", some},
                                                            {"lora_ga_config", some},
                                                            {"a_key_of_next_year", 0.5},
                                                            {"init_lora_weights", "loftq"},
                                                            {"init_lora_weights", "corda"},
                                                            {"init_lora_weights", "lora_ga"},
                                                            {"init_lora_weights", "pissa_niter_16"}}) {
    const std::string text = with(key, value);
    says(text, std::string("\"") + key + "\"");
    says(text, "adapter/adapter_config.json: ");
  }
  for (const auto& [key, value] :
       std::initializer_list<std::pair<const char*, Value>>{{"init_lora_weights", false},
                                                            {"init_lora_weights", "gaussian"},
                                                            {"init_lora_weights", "eva"},
                                                            {"fan_in_fan_out", true},
                                                            {"qalora_group_size", 16},
                                                            {"task_type", "CAUSAL_LM"},
                                                            {"megatron_core", "x"},
                                                            {"alora_invocation_tokens", Value()},
                                                            {"loftq_config", some},
                                                            {"megatron_config", some},
                                                            {"revision", "main"},
                                                            {"use_bdlora", Value()},
                                                            {"a_key_of_next_year", false}}) {
    BOOST_TEST(with(key, value) == "no error", key);
  }
  says(with("peft_type", "IA3"), "LORA");
  says(with("r", 0), "\"r\"");
  says(with("lora_alpha", "16"), "\"lora_alpha\"");
  says(with("use_dora", 1), "\"use_dora\" must be true or false");
}

// PEFT leaves out tensors of modules that the configuration does not choose; here they are an error.
BOOST_AUTO_TEST_CASE(adapted_layers_are_those_that_the_configuration_chooses) {
  const auto with = [](const Value& config) {
    Bench bench;
    bench.lora(value1, 2);
    bench.config = config;
    return bench.refusal();
  };
  const auto chosen = [&](const Value& config) { BOOST_TEST(with(config) == "no error"); };
  const auto left_out = [&](const Value& config) {
    says(with(config), value1 + ", which adapter_config.json does not choose");
  };
  chosen(Value::map({{"target_modules", Value::list({"q_proj", "v_proj"})}}));
  chosen(Value::map({{"target_modules", "all-linear"}}));
  chosen(Value::map({{"target_modules", "model\\.layers\\.\\d+\\.self_attn\\.(q|v)_proj"}}));
  chosen(Value::map({{"target_modules", Value::list({"v_proj"})}, {"layers_to_transform", Value::list({0, 1})}}));
  chosen(Value::map(
      {{"target_modules", Value::list({"v_proj"})}, {"layers_to_transform", 1}, {"layers_pattern", "layers"}}));
  left_out(Value::map({{"target_modules", Value::list({"q_proj"})}}));
  left_out(Value::map({{"target_modules", Value::list({"proj"})}}));
  left_out(Value::map({{"target_modules", "v_proj"}}));  // an expression for the whole name
  left_out(Value::map({{"target_modules", Value::list({"v_proj"})}, {"layers_to_transform", Value::list({0})}}));
  left_out(Value::map({{"target_modules", Value::list({"v_proj"})}, {"exclude_modules", Value::list({value1})}}));
  // An expression that explodes ends at once.
  says(with(Value::map({{"target_modules", "((.*)*)*([a-z._]+)+X"}})), "");
}

BOOST_AUTO_TEST_SUITE_END()
