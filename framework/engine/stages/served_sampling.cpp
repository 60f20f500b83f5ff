#include "framework/engine/stages/served_sampling.h"

#include <fmt/format.h>

#include <algorithm>

#include "framework/core/artifacts/disk.h"
#include "plumb/text.h"

namespace plumb {
namespace {

std::filesystem::path engines_file(const StageContext& context) {
  return context.work_folder() / "engines.json";
}

std::vector<std::string> engines_of(const StageContext& context) {
  std::vector<std::string> engines;
  if (!std::filesystem::exists(engines_file(context))) return engines;
  const Value read = read_json(engines_file(context)).value();
  for (const Value& engine : read.as_list()) engines.push_back(engine.as_string());
  return engines;
}

void write_down(const std::string& engine, const StageContext& context) {
  std::vector<std::string> engines = engines_of(context);
  if (std::find(engines.begin(), engines.end(), engine) != engines.end()) return;
  engines.push_back(engine);
  Value::List list(engines.begin(), engines.end());
  write_file(engines_file(context), to_json(Value(std::move(list)))).value();
}

}  // namespace

ServedSampling::ServedSampling(Made<ServedGenerator> generator, StageContext& context)
    : generator_(std::move(generator)), context_(context) {
  if (!generator_) return;
  arrived_ = std::make_unique<ArrivedGroups>(context.work_folder() / "arrived.jsonl", context);
  if (arrived_->count() > 0) {
    context.log(LogLevel::info, fmt::format("{} prompts that were answered before are kept", arrived_->count()));
  }
}

std::optional<ResponseGroup> ServedSampling::take(const std::string& prompt) {
  return arrived_ == nullptr ? std::nullopt : arrived_->take(prompt);
}

void ServedSampling::keep(const ResponseGroup& group) {
  if (arrived_ == nullptr) return;
  if (const std::string engine = generator_.call(&ServedGenerator::engine); engine != engine_) {
    write_down(engine, context_);
    engine_ = engine;
  }
  arrived_->keep(group);
}

void ServedSampling::finish_block() {
  if (arrived_ != nullptr) arrived_->forget();
}

void summarise_engines(StageContext& context) {
  const std::vector<std::string> engines = engines_of(context);
  if (engines.empty()) return;
  context.summarise("engine", joined(engines));
  context.summarise("bit_reproducible", false);
}

}  // namespace plumb
