#include "framework/core/pipeline/running_stage.h"

#include <fmt/format.h>
#include <tbb/blocked_range.h>
#include <tbb/parallel_for.h>

#include "framework/core/components/hand_over.h"
#include "framework/core/door/engine.h"
#include "framework/core/pipeline/interruption.h"
#include "framework/core/recipe/dotted_value.h"

namespace plumb {
namespace fs = std::filesystem;

namespace {

// A component's own inputs reach it as the folders of their artifacts; names mean nothing to it.
Value with_folders(const StageSpec& spec, const std::map<std::string, Artifact>& artifacts) {
  Value params = spec.params;
  for (const StageInput& input : spec.inputs) {
    const std::string param = input.param.substr(0, input.param.find('/'));
    if (param.find('.') == std::string::npos) continue;
    Value* named = find_dotted(params, param);
    if (named == nullptr) continue;
    const std::string folder = artifacts.at(input.stage).folder.string();
    if (!named->is_list()) {
      *named = folder;
    } else {
      for (Value& item : named->as_list()) {
        if (item == Value(input.stage)) item = folder;
      }
    }
  }
  return params;
}

// A thread of a parallel loop shares the cores with the others, so LibTorch must not start its own threads in it.
class OneThread {
 public:
  OneThread() : engine_(Engine::if_open()) {
    if (engine_ != nullptr) engine_->compute_in_one_thread(true);
  }
  OneThread(const OneThread&) = delete;
  OneThread& operator=(const OneThread&) = delete;
  ~OneThread() {
    if (engine_ != nullptr) engine_->compute_in_one_thread(false);
  }

 private:
  const Engine* engine_;
};

}  // namespace

RunningStage::RunningStage(const Setting& setting, const ArtifactWriter& writer)
    : setting_(setting),
      writer_(writer),
      params_(with_folders(*setting.planned.spec, setting.artifacts)),
      metrics_(writer.folder()) {
  const auto folder = [&](const std::string& param) -> std::optional<std::string> {
    const Artifact* given = optional_input(param);
    return given == nullptr ? std::nullopt : std::optional(given->folder.string());
  };
  hand_over(*setting.planned.spec->kind, setting.registry, folder, params_);
  fs::remove_all(scratch_root());  // of an attempt that was killed
}

RunningStage::~RunningStage() {
  std::error_code ignored;
  fs::remove_all(scratch_root(), ignored);
}

void RunningStage::log(LogLevel level, std::string_view message) {
  setting_.progress.message(level, fmt::format("{}: {}", name(), message));
}

void RunningStage::progress(std::string_view what, std::size_t done, std::size_t total) {
  setting_.progress.update(what, done, total);
}

bool RunningStage::cancelled() const {
  return interruption() != 0;
}

void RunningStage::parallel_for(std::size_t count, const std::function<void(std::size_t)>& body) {
  tbb::parallel_for(tbb::blocked_range<std::size_t>(0, count), [&](const tbb::blocked_range<std::size_t>& range) {
    const OneThread alone;
    for (std::size_t i = range.begin(); i != range.end(); ++i) body(i);
  });
}

fs::path RunningStage::scratch_root() const {
  return writer_.work_folder() / "scratch";
}

std::string RunningStage::scratch_folder() {
  const std::scoped_lock lock(mutex_);
  const fs::path folder = scratch_root() / std::to_string(++scratch_folders_);
  fs::create_directories(folder);
  return folder.string();
}

std::string RunningStage::recipe_folder() const {
  return setting_.recipe.file.parent_path().string();
}

void* RunningStage::query(std::string_view service) {
  if (service != LanguageModels::service) return nullptr;
  const std::scoped_lock lock(mutex_);
  if (models_ == nullptr) models_ = Engine::open().language_models(setting_.registry, *this);
  return models_.get();
}

const std::string& RunningStage::name() const {
  return setting_.planned.spec->name;
}
const Value& RunningStage::params() const {
  return params_;
}

const Artifact* RunningStage::optional_input(const std::string& param) const {
  for (const StageInput& input : setting_.planned.spec->inputs) {
    if (input.param == param) return &setting_.artifacts.at(input.stage);
  }
  return nullptr;
}

const Artifact& RunningStage::input(const std::string& param) const {
  const Artifact* found = optional_input(param);
  if (found == nullptr) {
    throw Error(ErrorCode::recipe, fmt::format("the input `{}` is not given; name a stage, dataset or model", param));
  }
  return *found;
}

std::vector<std::pair<std::string, const Artifact*>> RunningStage::inputs(const std::string& param) const {
  std::vector<std::pair<std::string, const Artifact*>> found;
  for (const StageInput& input : setting_.planned.spec->inputs) {
    if (input.param.starts_with(param + "/")) found.emplace_back(input.stage, &setting_.artifacts.at(input.stage));
  }
  return found;
}

fs::path RunningStage::folder() const {
  return writer_.folder();
}
fs::path RunningStage::work_folder() const {
  return writer_.work_folder();
}
const Registry& RunningStage::registry() const {
  return setting_.registry;
}
Random RunningStage::random() const {
  return Random(setting_.recipe.seed);
}
std::uint64_t RunningStage::seed() const {
  return setting_.recipe.seed;
}

void RunningStage::summarise(const std::string& key, Value value) {
  const std::scoped_lock lock(mutex_);
  summary_.set(key, std::move(value));
}

void RunningStage::account(const RowAccount& rows) {
  const std::scoped_lock lock(mutex_);
  account_.add(rows);
}

Value RunningStage::summary() const {
  Value summary = summary_;
  if (!account_.empty()) summary.set(RowAccount::key, account_.to_value());
  return summary;
}

void RunningStage::metrics(std::int64_t step, const std::map<std::string, double>& values) {
  metrics_.add(step, values);
  setting_.progress.measured(step, values);
}

void RunningStage::rewind_metrics(std::int64_t step) {
  metrics_.rewind(step);
}

}  // namespace plumb
