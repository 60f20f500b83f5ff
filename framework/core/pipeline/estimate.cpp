#include "framework/core/pipeline/estimate.h"

#include <algorithm>
#include <filesystem>

#include "framework/core/artifacts/adapter_folder.h"
#include "framework/core/artifacts/disk.h"
#include "framework/core/pipeline/accelerator.h"

namespace plumb {
namespace {

std::optional<std::uint64_t> size_at(const Value& config, const char* key) {
  const Value* value = config.is_map() ? config.find(key) : nullptr;
  if (value == nullptr || value->type() != Value::Type::integer || value->as_int() < 0) return std::nullopt;
  return static_cast<std::uint64_t>(value->as_int());
}

bool flag_at(const Value& config, const char* key, bool otherwise) {
  const Value* value = config.is_map() ? config.find(key) : nullptr;
  return value != nullptr && value->type() == Value::Type::boolean ? value->as_bool() : otherwise;
}

using Shape = StageEstimate::Shape;

std::optional<Shape> shape_of(const Value& config) {
  const auto hidden = size_at(config, "hidden_size"), layers = size_at(config, "num_hidden_layers"),
             heads = size_at(config, "num_attention_heads");
  if (!hidden || !layers || !heads || *heads == 0) return std::nullopt;
  const std::uint64_t kv_heads = size_at(config, "num_key_value_heads").value_or(*heads);
  return Shape{*hidden, *layers, *heads, *hidden / *heads * kv_heads};
}

// A folder that a component of the stage names itself: {reward: {name: classifier-head, path: …}}.
const Value* path_of_component(const Value& params, const char* param) {
  const Value* component = params.is_map() ? params.find(param) : nullptr;
  const Value* path = component != nullptr && component->is_map() ? component->find("path") : nullptr;
  return path != nullptr && path->is_string() && !path->as_string().empty() ? path : nullptr;
}

// The recipe's model entry that a stage's model was trained from.
const PlannedStage* origin(const PlannedStage& stage, const Plan& plan) {
  if (stage.manifest.stage_kind == "model") return &stage;
  const bool scores = stage.manifest.stage_kind == "score";
  if (scores && path_of_component(stage.manifest.params, "reward") != nullptr) return &stage;
  for (const char* param : {"model", "models/", "reward_model"}) {
    for (const StageInput& input : stage.spec->inputs) {
      if (!input.param.starts_with(param)) continue;
      const PlannedStage* next = plan.find(input.stage);
      if (next != nullptr) return origin(*next, plan);
    }
  }
  return nullptr;
}

Value config_of(const PlannedStage& model) {
  const Value* path = path_of_component(model.manifest.params, "reward");
  if (path == nullptr) path = model.manifest.params.find("path");
  if (path == nullptr || !path->is_string()) {
    const Value* config = model.manifest.params.find("config");
    return config == nullptr ? Value() : *config;
  }
  try {
    const Result<std::filesystem::path> base = whole_base(path->as_string());
    if (!base) return {};
    const Result<std::string> text = read_file(*base / "config.json");
    return text ? parse_json(*text) : Value();
  } catch (const Error&) {
    return {};
  }
}

std::uint64_t vocabulary_of(const PlannedStage& model, const Plan& plan) {
  for (const StageInput& input : model.spec->inputs) {
    const PlannedStage* tokenizer = plan.find(input.stage);
    if (input.param != "tokenizer" || tokenizer == nullptr) continue;
    return size_at(tokenizer->manifest.params, "vocabulary_size").value_or(0);
  }
  return 0;
}

// Adapters on two square projections of each layer, PEFT's default for decoders.
std::uint64_t adapter_parameters(const Shape& shape, std::uint64_t rank) {
  return shape.layers * rank * (2 * shape.hidden + shape.hidden + shape.kv_width);
}

struct Known {
  DecoderSize size;
  std::optional<Shape> shape;
};

bool is_at(const Value& params, const char* key, const char* wanted) {
  const Value* found = params.is_map() ? params.find(key) : nullptr;
  return found != nullptr && *found == Value(wanted);
}

std::uint64_t width_at(const Value& params) {
  return is_at(params, "dtype", "bfloat16") ? 2 : 4;
}

// As a component of the stage holds it: {generator: {name: local, dtype: bfloat16}}.
std::uint64_t bytes_in(const Value& params, const char* component, const DecoderSize& size) {
  const Value* of = params.find(component);
  if (of == nullptr) return size.bytes(4);
  return size.bytes(width_at(*of), is_at(*of, "dtype", "int8"));
}

// The model that scores, by the stage's own component or by an input.
const PlannedStage* scorer(const PlannedStage& stage, const Plan& plan) {
  if (path_of_component(stage.manifest.params, "reward") != nullptr) return &stage;
  for (const StageInput& input : stage.spec->inputs) {
    if (input.param != "reward_model") continue;
    if (const PlannedStage* model = plan.find(input.stage)) return origin(*model, plan);
  }
  return nullptr;
}

bool has_input(const PlannedStage& stage, const char* param) {
  return std::any_of(stage.spec->inputs.begin(), stage.spec->inputs.end(),
                     [&](const StageInput& input) { return input.param == param; });
}

void estimate_training(const PlannedStage& stage, const Known& model, StageEstimate& out) {
  const Value& params = stage.manifest.params;
  const std::uint64_t width = width_at(params);
  // A bfloat16 weight has a float32 master copy; both moments are float32.
  const std::uint64_t trained_bytes = width + width + 8 + (width == 2 ? 4 : 0);
  const Value* lora = params.find("lora");
  if (lora != nullptr && lora->is_map()) {
    if (!model.shape) return;
    // The frozen base is the reference, too; an adapter is float32 throughout. A critic has a base of its own.
    const std::uint64_t adapter = adapter_parameters(*model.shape, size_at(*lora, "r").value_or(8));
    out.disk_bytes = adapter * 4;
    if (is_at(params, "merge", "float32")) *out.disk_bytes += model.size.bytes(4);
    if (is_at(params, "merge", "bfloat16")) *out.disk_bytes += model.size.bytes(2);
    const std::uint64_t base = model.size.bytes(width, is_at(params, "weights", "int8"));
    out.memory_bytes = (base + adapter * 16) * (has_input(stage, "value_model") ? 2 : 1) +
                       (has_input(stage, "reference") ? model.size.bytes(width) : 0);
    return;
  }
  const Value* optimizer = params.find("optimizer");
  // A frozen copy is the reference of full fine-tuning on pairs.
  const bool reference = params.find("reference") != nullptr && optimizer != nullptr;
  out.memory_bytes = model.size.parameters * (trained_bytes + (reference ? width : 0));
  out.disk_bytes = model.size.parameters * width;
}

void estimate_answers(const Value& params, const char* count, const Known& model, StageEstimate& out) {
  const auto k = size_at(params, count), length = size_at(params, "max_new_tokens");
  if (!model.shape || !k || !length) return;
  // Keys and values of one prompt's answers, float32.
  const std::uint64_t cache = *k * *length * model.shape->layers * 2 * model.shape->kv_width * 4;
  out.memory_bytes = bytes_in(params, "generator", model.size) + cache;
}

// What is known of the model behind a stage from its configuration.
std::optional<Known> known_of(const PlannedStage& model, const Plan& plan, StageEstimate* out = nullptr) {
  Value config = config_of(model);
  if (config.is_map() && config.find("model_type") == nullptr) {
    for (const ComponentUse& use : model.spec->components) {
      const auto& claims = use.component->info.claims;
      if (use.param == "architecture" && !claims.empty()) config.set("model_type", claims.front());
    }
  }
  const auto shape = shape_of(config);
  if (out != nullptr) out->shape = shape;
  const auto size = measure_decoder(config, vocabulary_of(model, plan));
  return size ? std::optional(Known{*size, shape}) : std::nullopt;
}

// An online optimizer's reward model lies in memory beside the policy.
void add_scorer(const PlannedStage& stage, const Plan& plan, StageEstimate& out) {
  const PlannedStage* model = scorer(stage, plan);
  const auto known = model == nullptr ? std::nullopt : known_of(*model, plan);
  if (!known || !out.memory_bytes) return;
  out.scored_by = known->size.parameters;
  *out.memory_bytes += bytes_in(stage.manifest.params, "reward", known->size);
}

// What the plan knows of a stage.
class PlannedFacts final : public EstimateFacts {
 public:
  PlannedFacts(const PlannedStage& stage, const Plan& plan) : stage_(stage), plan_(plan) {}
  [[nodiscard]] const Value& params() const override { return stage_.manifest.params; }
  [[nodiscard]] std::optional<std::int64_t> rows(const std::string& input) const override {
    std::optional<std::int64_t> sum;
    for (const StageInput& given : stage_.spec->inputs) {
      if (given.param.substr(0, given.param.find('/')) != input) continue;
      const PlannedStage* made = plan_.find(given.stage);
      const std::optional<std::int64_t> rows = made == nullptr ? std::nullopt : rows_made_by(*made, plan_);
      if (!rows) return std::nullopt;
      sum = sum.value_or(0) + *rows;
    }
    return sum;
  }

 private:
  const PlannedStage& stage_;
  const Plan& plan_;
};

}  // namespace

std::optional<DecoderSize> measure_decoder(const Value& config, std::uint64_t vocabulary) {
  const auto shape = shape_of(config);
  const auto inner = size_at(config, "intermediate_size");
  vocabulary = size_at(config, "vocab_size").value_or(vocabulary);
  if (!shape || !inner || vocabulary == 0) return std::nullopt;
  const std::uint64_t h = shape->hidden;
  // GPT-NeoX has biases, two layer norms with biases and one matrix into the inner layer; Llama has neither and two.
  const Value* type = config.find("model_type");
  const bool neox = type != nullptr && *type == Value("gpt_neox");
  const std::uint64_t inwards = neox ? 1 : 2;
  const std::uint64_t weights = 2 * h * h + 2 * h * shape->kv_width + (inwards + 1) * h * *inner;
  const std::uint64_t rows = 2 * h + 2 * shape->kv_width + inwards * *inner + h;
  const std::uint64_t layer = weights + (neox ? 4 * h + *inner + h + 4 * h : 2 * h);
  const std::uint64_t head = flag_at(config, "tie_word_embeddings", false) ? 0 : vocabulary * h;
  return DecoderSize{.parameters = vocabulary * h + shape->layers * layer + (neox ? 2 * h : h) + head,
                     .linear_weights = shape->layers * weights,
                     .linear_rows = shape->layers * rows};
}

StageEstimate estimate(const PlannedStage& stage, const Plan& plan) {
  StageEstimate out;
  if (stage.earlier) out.seconds = stage.earlier->seconds;
  if (stage.spec->kind->estimate) {
    stage.spec->kind->estimate(PlannedFacts(stage, plan), out);
    return out;
  }
  const PlannedStage* model = origin(stage, plan);
  if (model == nullptr) return out;
  const std::optional<Known> known = known_of(*model, plan, &out);
  if (!known) return out;
  out.parameters = known->size.parameters;
  const Value& params = stage.manifest.params;
  const std::string& kind = stage.manifest.stage_kind;
  if (kind == "model") {
    // A model by path is linked, not copied.
    if (params.find("path") == nullptr || params.find("path")->is_null()) out.disk_bytes = known->size.bytes(4);
  } else if (kind == "sample" || kind == "evaluate") {
    estimate_answers(params, kind == "sample" ? "k" : "samples", *known, out);
  } else if (kind == "score") {
    out.memory_bytes = bytes_in(params, "reward", known->size);
  } else if (params.find("learning_rate") != nullptr) {
    estimate_training(stage, *known, out);
    if (kind == "train") add_scorer(stage, plan, out);
  }
  return out;
}

}  // namespace plumb
