#include "framework/core/pipeline/estimate.h"

#include <algorithm>
#include <filesystem>

#include "framework/core/artifacts/adapter_folder.h"
#include "framework/core/artifacts/disk.h"
#include "framework/core/pipeline/accelerator.h"

namespace plumb {
bool flag_at(const Value& config, const char* key, bool otherwise) {
  const Value* value = config.is_map() ? config.find(key) : nullptr;
  return value != nullptr && value->type() == Value::Type::boolean ? value->as_bool() : otherwise;
}

namespace {

std::optional<std::uint64_t> size_at(const Value& config, const char* key) {
  const Value* value = config.is_map() ? config.find(key) : nullptr;
  if (value == nullptr || value->type() != Value::Type::integer || value->as_int() < 0) return std::nullopt;
  return static_cast<std::uint64_t>(value->as_int());
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
  const ModelUse& use = stage.spec->kind->models;
  if (use.work == ModelWork::holds) return &stage;
  if (use.work == ModelWork::scores && path_of_component(stage.manifest.params, use.component.c_str()) != nullptr) {
    return &stage;
  }
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
  if (path == nullptr) path = path_of_component(model.manifest.params, "judge");
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
  const PlannedStage* tokenizer = plan.input_of(model, "tokenizer");
  return tokenizer == nullptr ? 0 : size_at(tokenizer->manifest.params, "vocabulary_size").value_or(0);
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

// The numbers of a model: {dtype: bfloat16, device: cuda, weights: int8} of a stage or of one of its components.
struct Numbers {
  std::uint64_t width = 4;
  bool int8 = false, gpu = false;
};

Numbers numbers_in(const Value* params, bool on_gpu) {
  if (params == nullptr || !params->is_map()) return {.gpu = on_gpu};
  const Value* device = params->find("device");
  const bool cuda = device != nullptr && device->is_string() && device->as_string().starts_with("cuda");
  return {is_at(*params, "dtype", "bfloat16") ? 2U : 4U, is_at(*params, "weights", "int8"), on_gpu || cuda};
}

std::uint64_t bytes_in(const Value& params, const char* component, const DecoderSize& size) {
  const Numbers numbers = numbers_in(params.find(component), false);
  return size.bytes(numbers.width, numbers.int8);
}

// The model that scores, by the stage's own component or by an input.
const PlannedStage* scorer(const PlannedStage& stage, const Plan& plan) {
  if (path_of_component(stage.manifest.params, "reward") != nullptr) return &stage;
  const PlannedStage* model = plan.input_of(stage, "reward_model");
  return model == nullptr ? nullptr : origin(*model, plan);
}

bool has_input(const PlannedStage& stage, const char* param) {
  return std::any_of(stage.spec->inputs.begin(), stage.spec->inputs.end(),
                     [&](const StageInput& input) { return input.param == param; });
}

bool optimizer_says(const PlannedStage& stage, const std::vector<std::string> ComponentInfo::*list, const char* what) {
  for (const ComponentUse& use : stage.spec->components) {
    const auto& said = use.component->info.*list;
    if (use.param == "optimizer" && std::find(said.begin(), said.end(), what) != said.end()) return true;
  }
  return false;
}

// Whether the stage trains on answers of its own to prompts.
bool samples_itself(const PlannedStage& stage, const Plan& plan) {
  const PlannedStage* data = plan.input_of(stage, "data");
  return data != nullptr && data->spec->output == artifact_type::prompts;
}

// Whether a second model stays beside the one that is trained, to be its reference. That of pairs is computed before
// the first update and closed; under an adapter the model itself is one, with the adapter off.
bool keeps_reference(const PlannedStage& stage, const Plan& plan, bool lora) {
  const bool online = samples_itself(stage, plan);
  if (online && !optimizer_says(stage, &ComponentInfo::needs, "reference")) return false;
  if (has_input(stage, "reference"))
    return online || optimizer_says(stage, &ComponentInfo::takes, artifact_type::scored);
  return online && !lora;
}

void estimate_training(const PlannedStage& stage, const Plan& plan, const Known& model, const Numbers& numbers,
                       StageEstimate& out) {
  const Value& params = stage.manifest.params;
  const std::uint64_t models = has_input(stage, "value_model") ? 2 : 1;  // a critic has a base of its own
  const Value* lora = params.find("lora");
  const bool adapted = lora != nullptr && lora->is_map();
  const std::uint64_t reference =
      keeps_reference(stage, plan, adapted) ? model.size.bytes(numbers.width, numbers.int8) : 0;
  if (adapted) {
    if (!model.shape) return;
    // The frozen base is the reference, too; an adapter is float32 throughout: value, gradient, two moments.
    const std::uint64_t adapter = adapter_parameters(*model.shape, size_at(*lora, "r").value_or(8));
    out.disk_bytes = adapter * 4;
    if (is_at(params, "merge", "float32")) *out.disk_bytes += model.size.bytes(4);
    if (is_at(params, "merge", "bfloat16")) *out.disk_bytes += model.size.bytes(2);
    out.memory_bytes = (model.size.bytes(numbers.width, numbers.int8) + adapter * 16) * models + reference;
    out.resting_bytes = out.memory_bytes;
    return;
  }
  // Value, gradient, two float32 moments. A bfloat16 weight has a float32 master copy, and its gradient becomes float32
  // for the update, so much at a time (UpdateRule::Settings).
  constexpr std::uint64_t widened = 512ULL << 20;
  const std::uint64_t resting = numbers.width == 2 ? 2 + 2 + 8 + 4 : 4 + 4 + 8;
  out.resting_bytes = model.size.parameters * resting * models + reference;
  out.memory_bytes =
      *out.resting_bytes + (numbers.width == 2 ? std::min(widened, 4 * model.size.parameters * models) : 0);
  out.disk_bytes = model.size.parameters * numbers.width;
}

struct Answering {
  std::uint64_t in_flight, length, to_a_prompt;
  std::uint64_t prompt = kAssumedPrompt;
  std::optional<std::uint64_t> all;
};

// Keys and values of the answers that are sampled together and of their prompts, in the type of the weights.
void add_cache(const Answering& answers, const Known& model, const Numbers& numbers, StageEstimate& out) {
  if (!model.shape || !out.memory_bytes) return;
  const std::uint64_t token = model.shape->layers * 2 * model.shape->kv_width * numbers.width;
  const std::uint64_t rows = std::min(answers.in_flight, answers.all.value_or(answers.in_flight));
  std::uint64_t prompts = (rows + answers.to_a_prompt - 1) / answers.to_a_prompt;
  // A GPU's cache is taken at once, for rows that are left of as many prompts (engine/rollout/rollout.cpp).
  if (numbers.gpu) prompts = std::min(rows, answers.all.value_or(rows * answers.to_a_prompt) / answers.to_a_prompt);
  out.answers_at_once = rows;
  out.cache_bytes = static_cast<double>(answers.length * token);
  *out.memory_bytes += (rows * answers.length + prompts * answers.prompt) * token;
}

constexpr std::uint64_t kInFlight = 128;  // OpenOptions::rows, the generator's `rows`

void estimate_answers(const PlannedStage& stage, const Plan& plan, const Known& model, const Numbers& numbers,
                      StageEstimate& out) {
  const Value& params = stage.manifest.params;
  const ModelUse& use = stage.spec->kind->models;
  const Value* generator = use.component.empty() ? nullptr : params.find(use.component);
  out.memory_bytes = model.size.bytes(numbers.width, numbers.int8);
  if (sampled_elsewhere(stage)) {
    // The model is opened here only to be compared with what the server serves.
    const auto probe = generator == nullptr ? std::nullopt : size_at(*generator, "probe");
    if (probe == 0) out.memory_bytes = 0;
    return;
  }
  const auto k = size_at(params, use.answers.c_str()), length = size_at(params, "max_new_tokens");
  if (!k || !length || *k == 0) return;
  const auto rows = size_at(generator == nullptr ? params : *generator, "rows");
  const auto prompts = rows_into(stage, plan);
  add_cache({.in_flight = rows.value_or(kInFlight),
             .length = *length,
             .to_a_prompt = *k,
             .prompt = kAssumedPrompt + (holds_second_turn(stage) ? *length + kAssumedPrompt : 0),
             .all = prompts ? std::optional(static_cast<std::uint64_t>(*prompts) * *k) : std::nullopt},
            model, numbers, out);
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

// Of an online optimizer: its reward model lies in memory beside the policy, and so do the keys and values of the
// answers that it samples.
void add_rollouts(const PlannedStage& stage, const Plan& plan, const Known& policy, const Numbers& numbers,
                  StageEstimate& out) {
  const PlannedStage* model = scorer(stage, plan);
  const auto known = model == nullptr ? std::nullopt : known_of(*model, plan);
  std::uint64_t scoring = 0;
  if (known) {
    out.scored_by = known->size.parameters;
    scoring = bytes_in(stage.manifest.params, "reward", known->size);
  }
  if (!out.memory_bytes) return;
  *out.memory_bytes += scoring;
  *out.resting_bytes += scoring;
  if (!samples_itself(stage, plan)) return;
  const Value* rollout = stage.manifest.params.find("rollout");
  const Value none = Value::map();
  const Value& how = rollout != nullptr && rollout->is_map() ? *rollout : none;
  const std::uint64_t batch = size_at(stage.manifest.params, "batch_size").value_or(64);
  StageEstimate sampling = out;  // the cache is gone before the first visit
  sampling.memory_bytes = *out.resting_bytes;
  add_cache({.in_flight = std::min(batch, kInFlight),
             .length = size_at(how, "max_new_tokens").value_or(512),
             .to_a_prompt = std::max<std::uint64_t>(1, size_at(how, "responses").value_or(1)),
             .all = batch},
            policy, numbers, sampling);
  out.answers_at_once = sampling.answers_at_once;
  out.cache_bytes = sampling.cache_bytes;
  out.memory_bytes = std::max(*out.memory_bytes, *sampling.memory_bytes);
}

// The reward model of an evaluation: a judge holds one beside the policy; evaluators ask it after the policy is gone.
void add_judge(const PlannedStage& stage, const Plan& plan, const Numbers& numbers, StageEstimate& out) {
  const Value* judge = stage.manifest.params.find("judge");
  const bool reads = judge != nullptr && judge->is_map() && judge->find("dtype") != nullptr;
  const PlannedStage* given = plan.input_of(stage, "reward_model");
  const PlannedStage* model = given == nullptr ? nullptr : origin(*given, plan);
  if (reads && path_of_component(stage.manifest.params, "judge") != nullptr) model = &stage;
  const auto known = model == nullptr ? std::nullopt : known_of(*model, plan);
  if (!known || !out.memory_bytes) return;
  if (reads) {
    *out.memory_bytes += bytes_in(stage.manifest.params, "judge", known->size);
  } else {
    out.memory_bytes = std::max(*out.memory_bytes, known->size.bytes(numbers.width, numbers.int8));
  }
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

bool needs_of_any(const PlannedStage& stage, const std::string& what) {
  return std::any_of(stage.spec->components.begin(), stage.spec->components.end(), [&](const ComponentUse& use) {
    const auto& needs = use.component->info.needs;
    return std::find(needs.begin(), needs.end(), what) != needs.end();
  });
}

}  // namespace

bool holds_second_turn(const PlannedStage& stage) {
  return needs_of_any(stage, "second-turn");
}

bool sampled_elsewhere(const PlannedStage& stage) {
  return needs_of_any(stage, "server");
}

std::optional<DecoderSize> measure_decoder(const Value& config, std::uint64_t vocabulary) {
  const auto shape = shape_of(config);
  const auto inner = size_at(config, "intermediate_size");
  vocabulary = size_at(config, "vocab_size").value_or(vocabulary);
  if (!shape || !inner || vocabulary == 0) return std::nullopt;
  const std::uint64_t h = shape->hidden;
  // GPT-NeoX has biases, two layer norms with biases and one matrix into the inner layer; Llama has neither and two.
  // Open Assistant's reward models are GPT-NeoX without a head over the vocabulary.
  const Value* type = config.find("model_type");
  const bool headless = type != nullptr && *type == Value("gpt_neox_reward_model");
  const bool neox = headless || (type != nullptr && *type == Value("gpt_neox"));
  const std::uint64_t inwards = neox ? 1 : 2;
  const std::uint64_t weights = 2 * h * h + 2 * h * shape->kv_width + (inwards + 1) * h * *inner;
  const std::uint64_t rows = 2 * h + 2 * shape->kv_width + inwards * *inner + h;
  const std::uint64_t layer = weights + (neox ? 4 * h + *inner + h + 4 * h : 2 * h);
  const std::uint64_t head = headless || flag_at(config, "tie_word_embeddings", false) ? 0 : vocabulary * h;
  return DecoderSize{.parameters = vocabulary * h + shape->layers * layer + (neox ? 2 * h : h) + head,
                     .linear_weights = shape->layers * weights,
                     .linear_rows = shape->layers * rows,
                     .head = vocabulary * h};
}

StageEstimate estimate(const PlannedStage& stage, const Plan& plan, bool on_gpu) {
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
  out.head = known->size.head;
  const Value& params = stage.manifest.params;
  const ModelUse& use = stage.spec->kind->models;
  const Numbers numbers = numbers_in(use.component.empty() ? &params : params.find(use.component), on_gpu);
  out.width = numbers.width;
  out.gpu = numbers.gpu;
  if (use.work == ModelWork::holds) {
    // A model by path is linked, and only its headers are read; random weights are drawn in float32.
    const bool linked = params.find("path") != nullptr && !params.find("path")->is_null();
    if (!linked) out.disk_bytes = known->size.bytes(4);
    out.memory_bytes = linked ? 0 : known->size.bytes(4);
  } else if (use.work == ModelWork::samples) {
    estimate_answers(stage, plan, *known, numbers, out);
    if (use.judged) add_judge(stage, plan, numbers, out);
  } else if (use.work == ModelWork::scores) {
    out.memory_bytes = known->size.bytes(numbers.width, numbers.int8);
  } else if (use.work == ModelWork::trains) {
    estimate_training(stage, plan, *known, numbers, out);
    if (use.aligns) add_rollouts(stage, plan, *known, numbers, out);
  }
  return out;
}

}  // namespace plumb
