// A recipe made by hand, of stage kinds that a test invents: no file, no plugins.
//
//   TestRecipe recipe("demo");
//   recipe.add("numbers", "count", Value::map({{"n", 3}}));
//   recipe.add("total", "sum", Value::map({{"of", "numbers"}}), {{"of", "numbers"}});
//   run_recipe(recipe.get(), recipe.text, recipe.registry, {.runs = folder, .runner = &runner});
//
// Thread contract: one thread.
#pragma once

#include <deque>
#include <string>
#include <vector>

#include "framework/core/recipe/recipe.h"

namespace plumb::test {

// Llama-2-7B as its config.json says; 6,738,415,616 parameters (Hugging Face's model page).
inline const Value llama_2_7b = Value::map({{"model_type", "llama"},
                                            {"hidden_size", 4096},
                                            {"intermediate_size", 11008},
                                            {"num_hidden_layers", 32},
                                            {"num_attention_heads", 32},
                                            {"vocab_size", 32000}});

class TestRecipe {
 public:
  explicit TestRecipe(const std::string& name) {
    recipe_.name = name;
    recipe_.file = "/recipes/" + name + ".yaml";
    recipe_.seed = 5;
  }

  void add(const std::string& name, const std::string& kind, Value params, std::vector<StageInput> inputs = {},
           const std::string& output = "metrics") {
    kinds_.push_back({.kind = kind, .output = output});
    if (const StageKind* known = find_stage_kind(kind)) {  // of its name: what is foretold of it
      kinds_.back().models = known->models;
      kinds_.back().rows = known->rows;
    }
    StageSpec stage;
    stage.name = name;
    stage.section = "stages";
    stage.kind = &kinds_.back();
    stage.params = std::move(params);
    stage.output = output;
    stage.inputs = std::move(inputs);
    recipe_.stages.push_back(std::move(stage));
  }

  [[nodiscard]] Recipe& get() { return recipe_; }

  const std::string text = "name: by hand\n";
  const Registry registry = Registry::scan({});

 private:
  std::deque<StageKind> kinds_;
  Recipe recipe_;
};

}  // namespace plumb::test
