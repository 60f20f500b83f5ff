#include "framework/core/pipeline/accelerator.h"

#include <algorithm>

#include "framework/core/pipeline/estimate.h"

namespace plumb {
namespace {

std::int64_t integer_at(const Value& params, const char* key, std::int64_t otherwise) {
  const Value* value = params.is_map() ? params.find(key) : nullptr;
  return value != nullptr && value->type() == Value::Type::integer ? value->as_int() : otherwise;
}

double real_at(const Value& params, const char* key, double otherwise) {
  const Value* value = params.is_map() ? params.find(key) : nullptr;
  const bool number = value != nullptr && (value->type() == Value::Type::integer || value->type() == Value::Type::real);
  return number ? value->as_double() : otherwise;
}

bool is_map_at(const Value& params, const char* key) {
  const Value* value = params.find(key);
  return value != nullptr && value->is_map();
}

// What a row of `length` tokens computes: its tokens, and the places of attention's matrix. The answers of a pair share
// their prompt, taken as a third of the row: each attends to itself and to the prompt.
struct Computed {
  double tokens = 0, scores = 0;
};

Computed computed_of(double length, bool pair) {
  if (!pair) return {length, length * length};
  const double prompt = length / 3, answer = length - prompt;
  return {prompt + 2 * answer, prompt * prompt + 2 * answer * (answer + prompt)};
}

// Bytes that a row keeps for the backward pass, measured on Llama-2-7B. Of a layer, 19 numbers of the weights' type a
// hidden unit (tests/device/memory holds them). Float32, which a GPU's flash attention does not read, keeps 25 and dense
// scores (engine/modeling/plain_attention.cpp): for each head masked scores, their exponentials, and their weights. With
// checkpointing a layer keeps its input, and one layer at a time the rest.
double activation_bytes(const StageEstimate& model, const Computed& row, bool checkpointing) {
  const auto width = static_cast<double>(model.width);
  const bool flash = model.width == 2;
  const double linear = (flash ? 19 : 25) * width * static_cast<double>(model.shape->hidden) * row.tokens;
  const double scores = flash ? 0 : static_cast<double>(model.shape->heads) * row.scores * 3 * width;
  const auto layers = static_cast<double>(model.shape->layers);
  if (!checkpointing) return layers * (linear + scores);
  return layers * width * static_cast<double>(model.shape->hidden) * row.tokens + linear + scores;
}

struct Work {
  const StageEstimate& model;
  const Value& params;
  const Accelerator& on;

  [[nodiscard]] double weights() const { return static_cast<double>(*model.parameters); }
  [[nodiscard]] double operations() const { return on.operations * on.reached; }
};

// A step of decoding reads all weights, and of each answer the part of the cache that is full.
double answering_seconds(const Work& w, double answers, double length) {
  const double batch = std::min(answers, std::max(1.0, static_cast<double>(w.model.answers_at_once)));
  const double weights = w.weights() * static_cast<double>(w.model.width);
  const double reading = answers / batch * length * (weights + batch * w.model.cache_bytes / 2) / w.on.traffic;
  const double computing = 2 * w.weights() * answers * length / w.operations();
  return std::max(reading, computing);
}

GpuEstimate answering(const Work& w, const char* count, double models, std::optional<std::int64_t> rows) {
  GpuEstimate out;
  out.bytes = *w.model.memory_bytes;
  if (!rows) return out;
  const double answers = models * static_cast<double>(*rows * integer_at(w.params, count, 1));
  out.seconds =
      answering_seconds(w, answers, static_cast<double>(integer_at(w.params, "max_new_tokens", kAssumedTokens)));
  return out;
}

// What the rows of a training stage are: their type decides how often each is computed.
struct Rows {
  std::optional<std::int64_t> count;
  bool pairs = false, referenced = false, prompts = false;
};

// A step of an online optimizer: answers are sampled, scored, computed by policy and reference without gradients, and
// visited. Nothing when the number of steps is not known.
std::optional<double> online_seconds(const Work& w, const Rows& rows, double visit) {
  const Value* given = w.params.find("rollout");
  const Value rollout = given != nullptr && given->is_map() ? *given : Value::map();
  const auto responses = static_cast<double>(integer_at(rollout, "responses", 1));
  const auto steps = static_cast<double>(integer_at(w.params, "max_steps", 0));
  if (!rows.count && steps == 0) return std::nullopt;
  const double answers = steps > 0
                             ? steps * static_cast<double>(integer_at(w.params, "batch_size", 1))
                             : real_at(w.params, "num_train_epochs", 1) * static_cast<double>(*rows.count) * responses;
  const double tokens = answers * static_cast<double>(kAssumedTokens);
  const double visits = static_cast<double>(integer_at(rollout, "inner_epochs", 4));
  const double computed = (visit * visits + 4) * w.weights() + 2 * static_cast<double>(w.model.scored_by.value_or(0));
  const auto length = static_cast<double>(integer_at(rollout, "max_new_tokens", kAssumedTokens));
  return computed * tokens / w.operations() + answering_seconds(w, answers, length);
}

GpuEstimate training(const Work& w, const Rows& rows) {
  const bool lora = is_map_at(w.params, "lora");
  const double of_a_row = rows.pairs ? 2 : 1;
  const auto batch = static_cast<double>(integer_at(w.params, "batch_size", 1));
  const auto micro = static_cast<double>(integer_at(w.params, "micro_batch_size", 0));
  const auto length = static_cast<double>(integer_at(w.params, "max_length", kAssumedTokens));
  const bool checkpointing = flag_at(w.params, "gradient_checkpointing", false);
  const double activations =
      (micro > 0 ? micro : batch) * activation_bytes(w.model, computed_of(length, rows.pairs), checkpointing);
  GpuEstimate out;
  out.bytes = std::max(*w.model.memory_bytes, *w.model.resting_bytes + static_cast<std::uint64_t>(activations));
  const double visit = (lora ? 4 : 6) + (checkpointing ? 2 : 0) + 2 * static_cast<double>(w.model.head) / w.weights();
  if (rows.prompts) {
    out.seconds = online_seconds(w, rows, visit);
    return out;
  }
  const double epochs = real_at(w.params, "num_train_epochs", 1);
  const auto steps = static_cast<double>(integer_at(w.params, "max_steps", 0));
  if (!rows.count && steps == 0) return out;
  const double seen = steps > 0 ? steps * batch : epochs * static_cast<double>(*rows.count);
  const double tokens = seen * of_a_row * std::min(length, static_cast<double>(kAssumedTokens));
  // Forwards and backwards; the reference of pairs forwards once.
  const double each = visit + (rows.referenced ? 2 / std::max(1.0, epochs) : 0);
  out.seconds = each * w.weights() * tokens / w.operations();
  return out;
}

GpuEstimate scoring(const Work& w, std::optional<std::int64_t> rows) {
  GpuEstimate out;
  out.bytes = *w.model.memory_bytes;
  if (rows) out.seconds = 2 * w.weights() * static_cast<double>(*rows * kAssumedTokens) / w.operations();
  return out;
}

// Rows, or prompts with all their answers. What a selection makes is counted by prompts, too.
std::optional<std::int64_t> rows_behind(const PlannedStage& stage, const Plan& plan) {
  const Value& params = stage.manifest.params;
  if (stage.spec->kind->rows) return stage.spec->kind->rows(params);
  for (const char* param : {"data", "prompts", "responses", "scored"}) {
    const PlannedStage* input = plan.input_of(stage, param);
    if (input == nullptr) continue;
    const std::int64_t limit = integer_at(input->manifest.params, "max_pairs", 0);
    return limit > 0 ? std::optional(limit) : rows_behind(*input, plan);
  }
  return std::nullopt;
}

// How often each prompt is answered: once by every model, and twice where an evaluator holds a second turn.
double answers_of_models(const PlannedStage& stage) {
  const auto models = std::count_if(stage.spec->inputs.begin(), stage.spec->inputs.end(),
                                    [](const StageInput& input) { return input.param.starts_with("models/"); });
  return static_cast<double>(std::max<std::ptrdiff_t>(1, models)) * (holds_second_turn(stage) ? 2 : 1);
}

}  // namespace

std::optional<std::int64_t> rows_made_by(const PlannedStage& stage, const Plan& plan) {
  const std::int64_t limit = integer_at(stage.manifest.params, "max_pairs", 0);
  return limit > 0 ? std::optional(limit) : rows_behind(stage, plan);
}

std::optional<std::int64_t> rows_into(const PlannedStage& stage, const Plan& plan) {
  const std::optional<std::int64_t> rows = rows_behind(stage, plan);
  if (!rows || stage.spec->kind->models.work != ModelWork::scores) return rows;
  const PlannedStage* answers = plan.input_of(stage, "responses");
  if (answers == nullptr) return rows;
  const std::string& count = answers->spec->kind->models.answers;
  return *rows * (count.empty() ? 1 : integer_at(answers->manifest.params, count.c_str(), 1));
}

std::optional<GpuEstimate> estimate_on(const PlannedStage& stage, const Plan& plan, const Accelerator& on) {
  if (stage.spec->of_plugin != nullptr || sampled_elsewhere(stage)) return std::nullopt;
  const StageEstimate model = estimate(stage, plan, true);
  const ModelUse& use = stage.spec->kind->models;
  if (!model.parameters || !model.shape || use.work == ModelWork::holds) return std::nullopt;
  const Work work{model, stage.manifest.params, on};
  const auto rows = rows_into(stage, plan);
  if (use.work == ModelWork::samples) return answering(work, use.answers.c_str(), answers_of_models(stage), rows);
  if (use.work == ModelWork::scores) return scoring(work, rows);
  if (!model.memory_bytes || use.work != ModelWork::trains) return std::nullopt;
  const PlannedStage* data = plan.input_of(stage, "data");
  const std::string type = data == nullptr ? "" : data->spec->output;
  const bool pairs = type == artifact_type::pairs || type == artifact_type::preferences;
  return training(
      work,
      {.count = rows, .pairs = pairs, .referenced = pairs && use.aligns, .prompts = type == artifact_type::prompts});
}

}  // namespace plumb
